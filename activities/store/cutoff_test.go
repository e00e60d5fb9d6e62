package store_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"tnaml/activities/store"
)

// A server may refuse a write before it has read the body and close the
// connection: the refusal is lost, the object is there all the same.
func TestRefusalLostInAReset(t *testing.T) {
	blob := []byte("blob")
	var cut atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && cut.Load():
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				c.Close()
			}
		case r.Method == http.MethodGet && len(r.URL.Path) > 16 && r.URL.Path[:16] == "/bucket/objects/":
			w.Header().Set("ETag", `"b"`)
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			_, _ = w.Write(blob)
		}
	}))
	defer server.Close()
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "a",
		SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	if ref, err := s.Put(t.Context(), blob); err != nil || ref != store.RefOf(blob) {
		t.Errorf("the blob is there: %v", err)
	}
	if _, err := s.Put(t.Context(), []byte("another")); err == nil {
		t.Error("a write that was cut off passed for one that was made")
	}
}
