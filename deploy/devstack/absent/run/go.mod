module cloud.google.com/go/run

go 1.26.8

require (
	google.golang.org/api v0.276.0
	google.golang.org/protobuf v1.36.11
)
