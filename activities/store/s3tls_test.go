package store_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/activities/store"
)

// A server whose certificate is of an authority of one's own is trusted where that is given, and
// only there; what is wrong with the file is said.
func TestOwnAuthority(t *testing.T) {
	f := &fakeServer{objects: map[string][]byte{}, puts: map[string]int{}}
	server := httptest.NewTLSServer(f)
	defer server.Close()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	own := file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for _, tt := range []struct{ name, endpoint, file, want string }{
		{"own", server.URL, own, ""},
		{"own, without a scheme", strings.TrimPrefix(server.URL, "https://"), own, ""},
		{"none", server.URL, "", "certificate"},
		{"missing", server.URL, filepath.Join(dir, "none.pem"), "none.pem"},
		{"no certificate", server.URL, file("empty.pem", []byte("key")), "holds no certificate"},
		{"no TLS", strings.Replace(server.URL, "https", "http", 1), own, "it has no TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: tt.endpoint, TLS: true, CAFile: tt.file, Bucket: "bucket",
				Region: "us-east-1", AccessKey: "access", SecretKey: "s3cret"})
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("%v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Put(t.Context(), []byte("abc")); err != nil {
				t.Error(err)
			}
		})
	}
}
