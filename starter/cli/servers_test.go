package cli

import (
	"testing"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/deploy/stack"
)

// makeBucket makes a bucket, as an operator would before pointing tnaml at a
// server.
func makeBucket(t *testing.T, a stack.Addresses, bucket string) {
	t.Helper()
	if _, err := store.OpenS3(t.Context(), store.S3Config{
		Endpoint: a.S3Endpoint, Bucket: bucket, Region: a.S3Region, AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, CreateBucket: true,
	}); err != nil {
		t.Fatal(err)
	}
}

func loadConfig(t *testing.T, environ []string) *deploy.Config {
	t.Helper()
	c, err := deploy.Load(nil, environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
