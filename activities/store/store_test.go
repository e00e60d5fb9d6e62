package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tnaml/activities/store"
	"tnaml/activities/store/storetest"
)

func TestMemory(t *testing.T) {
	s := store.NewMemory()
	storetest.Run(t, func(*testing.T) store.Store { return s }, storetest.Options{
		Damage: func(_ *testing.T, ref store.Ref, data []byte) { s.Damage(ref, data) },
	})
}

// suite runs the conformance suite against a server, in a bucket of its own.
func suite(t *testing.T, c store.S3Config) {
	c.Bucket, c.CreateBucket = fmt.Sprintf("conformance-%d", time.Now().UnixNano()), true
	s, err := store.OpenS3(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := minio.New(c.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Region: c.Region, BucketLookup: minio.BucketLookupPath})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(*testing.T) store.Store { return s }, storetest.Options{
		Damage: func(t *testing.T, ref store.Ref, data []byte) {
			digits := strings.TrimPrefix(string(ref), "sha256:")
			key := "objects/sha256/" + digits[:2] + "/" + digits[2:]
			if _, err := raw.PutObject(t.Context(), c.Bucket, key, strings.NewReader(string(data)), int64(len(data)), minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	})
	t.Run("wrong secret", func(t *testing.T) {
		wrong := c
		wrong.SecretKey = "not-the-secret"
		_, err := store.OpenS3(t.Context(), wrong)
		if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("%v", err)
		}
		if err != nil && (strings.Contains(err.Error(), wrong.SecretKey) || strings.Contains(err.Error(), c.SecretKey)) {
			t.Error("the error shows the secret")
		}
	})
	t.Run("no such bucket", func(t *testing.T) {
		none := c
		none.Bucket, none.CreateBucket = "no-such-bucket", false
		if _, err := store.OpenS3(t.Context(), none); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "no-such-bucket") {
			t.Errorf("%v", err)
		}
	})
}

func TestMinIO(t *testing.T) {
	endpoint := os.Getenv("TNAML_TEST_MINIO_ENDPOINT")
	if endpoint == "" {
		t.Skip("TNAML_TEST_MINIO_ENDPOINT is not set: the suite against MinIO runs in CI (see .ci/minio.sh)")
	}
	suite(t, store.S3Config{
		Endpoint: endpoint, Region: "us-east-1",
		AccessKey: os.Getenv("TNAML_TEST_MINIO_ACCESS_KEY"), SecretKey: os.Getenv("TNAML_TEST_MINIO_SECRET_KEY"),
	})
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // now nobody listens there
	_, err = store.OpenS3(t.Context(), store.S3Config{Endpoint: address, Bucket: "bucket", AccessKey: "a", SecretKey: "s3cret", Region: "us-east-1"})
	if err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "is the server running") {
		t.Errorf("%v", err)
	}
}

// What a server says when its disk is full reaches the person.
func TestFullDisk(t *testing.T) {
	for _, answer := range []struct {
		status int
		code   string
	}{{507, "XMinioStorageFull"}, {500, "InternalError"}, {507, "InsufficientStorage"}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPut {
				w.WriteHeader(http.StatusOK)
				return
			}
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(answer.status)
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>write /x: no space left on device</Message></Error>`, answer.code)
		}))
		s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "a", SecretKey: "s"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := s.Put(ctx, []byte("x")); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("%d %s: %v", answer.status, answer.code, err)
		}
		cancel()
		server.Close()
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"", "ftp://host", "http://user:password@host", "http://host/path", "host/path", "http://"} {
		_, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: endpoint, Bucket: "b"})
		if err == nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("%q: %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Error("the error shows a password")
		}
	}
	if _, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: "localhost:1"}); err == nil || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("no bucket: %v", err)
	}
}

func TestConfigKeepsItsSecrets(t *testing.T) {
	c := store.S3Config{Endpoint: "host:1", Bucket: "b", AccessKey: "acc3ss", SecretKey: "s3cret", SessionToken: "t0ken"}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v", c, c, c), string(b), c.LogValue().String()} {
		if strings.Contains(s, "s3cret") || strings.Contains(s, "t0ken") || !strings.Contains(s, "host:1") {
			t.Error(s)
		}
	}
}

func TestParseRef(t *testing.T) {
	ref := store.RefOf([]byte("abc"))
	if ref != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%s", ref)
	}
	if got, err := store.ParseRef(string(ref)); got != ref || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}
