package store_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tnaml/activities/store"
)

// fakeServer is as much of an S3 server as the store needs, for faults that a
// real one does not show on demand.
type fakeServer struct {
	mu      sync.Mutex
	objects map[string][]byte
	// puts counts the writes that were carried out, by key.
	puts map[string]int
	// ignores makes it take no notice of a header.
	ignores string
	// fault, if set, may answer in the server's place; it reports whether it
	// has.
	fault func(w http.ResponseWriter, r *http.Request) bool
	// lose, if set, makes the server carry out a request and close the
	// connection instead of answering.
	lose func(r *http.Request) bool
}

// openFake starts a fake server and opens a store on it.
func openFake(t *testing.T, f *fakeServer) *store.S3 {
	t.Helper()
	f.objects, f.puts = map[string][]byte{}, map[string]int{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "access",
		SecretKey: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// breakWith sets the fault of a server that runs.
func (f *fakeServer) breakWith(fault func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// state returns the keys present and the writes carried out.
func (f *fakeServer) state() (keys []string, puts map[string]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.objects)), maps.Clone(f.puts)
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/bucket"), "/")
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	if key == "" { // of the bucket itself, only that it is there, and what is in it
		if r.URL.Query().Get("list-type") == "2" {
			f.list(w, r.URL.Query().Get("prefix"))
		}
		return
	}
	if f.fault != nil && f.fault(w, r) {
		return
	}
	old, there := f.objects[key]
	etag := func(b []byte) string { sum := md5.Sum(b); return hex.EncodeToString(sum[:]) }
	header := func(name string) string {
		if name == f.ignores {
			return ""
		}
		return strings.Trim(r.Header.Get(name), `"`)
	}
	status := http.StatusOK
	switch r.Method {
	case http.MethodPut:
		match := header("If-Match")
		switch {
		case there && header("If-None-Match") == "*", there && match != "" && match != etag(old):
			status = http.StatusPreconditionFailed
		case !there && match != "":
			status = http.StatusNotFound
		default:
			f.objects[key] = body
			f.puts[key]++
			w.Header().Set("ETag", `"`+etag(body)+`"`)
		}
	case http.MethodGet, http.MethodHead:
		if !there {
			status = http.StatusNotFound
			break
		}
		w.Header().Set("ETag", `"`+etag(old)+`"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", fmt.Sprint(len(old)))
	case http.MethodDelete:
		delete(f.objects, key)
		status = http.StatusNoContent
	}
	if f.lose != nil && f.lose(r) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet && there {
		_, _ = w.Write(old)
	}
}

// list answers a listing, of one page.
func (f *fakeServer) list(w http.ResponseWriter, prefix string) {
	type object struct {
		Key, LastModified string
		Size              int
	}
	var result struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []object
	}
	for _, key := range slices.Sorted(maps.Keys(f.objects)) {
		if strings.HasPrefix(key, prefix) {
			result.Contents = append(result.Contents, object{key, time.Now().UTC().Format(time.RFC3339), len(f.objects[key])})
		}
	}
	if err := xml.NewEncoder(w).Encode(result); err != nil {
		panic(err)
	}
}

// answer is an error as S3 servers write it; without a code it has no body.
func answer(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if code == "" {
		return
	}
	b, err := xml.Marshal(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: code, Message: message})
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(b)
}

// times returns a predicate that holds for the first n requests of a method.
func times(n int, method string) func(r *http.Request) bool {
	var mu sync.Mutex
	return func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != method || n == 0 || strings.Contains(r.URL.Path, "/probes/") {
			return false
		}
		n--
		return true
	}
}
