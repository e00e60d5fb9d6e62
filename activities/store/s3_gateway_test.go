package store_test

import (
	"testing"

	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
)

func TestGateway(t *testing.T) {
	a := stacktest.Shared(t)
	suite(t, store.S3Config{Endpoint: a.S3Endpoint, Region: a.S3Region, AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey})
}
