package store_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tnaml/activities/store"
)

// openStalling opens a store on a server that stalls where it is told to: stall
// answers as much as it likes and reports whether it stays silent from then on.
func openStalling(t *testing.T, idle time.Duration, stall func(w http.ResponseWriter, r *http.Request) bool) *store.S3 {
	t.Helper()
	f := &fakeServer{objects: map[string][]byte{}, puts: map[string]int{}}
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stall(w, r) {
			if flusher, ok := w.(http.Flusher); ok && r.Method == http.MethodGet && w.Header().Get("ETag") != "" {
				flusher.Flush()
			}
			<-end // whether its client waits or not
			panic(http.ErrAbortHandler)
		}
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: server.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "access",
		SecretKey: "s3cret", IdleTimeout: idle})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A server that stops half-way holds nobody for ever: the request is given up, and the
// next one is well.
func TestStalledRequests(t *testing.T) {
	blob := bytes.Repeat([]byte("blob"), 1000)
	large := bytes.Repeat([]byte("blob"), 4<<20) // more than the sockets hold
	half := func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", "4000")
		_, _ = w.Write([]byte("blobblob"))
		return true
	}
	head := func(http.ResponseWriter, *http.Request) bool { return true }
	get := func(s *store.S3) error { _, err := s.Get(t.Context(), store.RefOf(blob)); return err }
	put := func(s *store.S3) error { _, err := s.Put(t.Context(), large); return err }
	name := func(s *store.S3) error {
		_, err := s.SetName(t.Context(), store.Search, "n", []byte("1"), "")
		return err
	}
	for what, c := range map[string]struct {
		method string
		stall  func(w http.ResponseWriter, r *http.Request) bool
		try    func(s *store.S3) error
	}{
		"an answer's body": {http.MethodGet, half, get},
		"an answer's head": {http.MethodGet, head, get},
		"what is sent":     {http.MethodPut, head, put},
		"a name's change":  {http.MethodPut, head, name},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var stalling atomic.Bool
			s := openStalling(t, 2*time.Second, func(w http.ResponseWriter, r *http.Request) bool {
				return stalling.Load() && r.Method == c.method && !strings.Contains(r.URL.Path, "/probes/") && c.stall(w, r)
			})
			if _, err := s.Put(t.Context(), blob); err != nil {
				t.Fatal(err)
			}
			stalling.Store(true)
			start := time.Now()
			err := c.try(s)
			if err == nil || !strings.Contains(err.Error(), "no byte for 2s") || !strings.Contains(err.Error(), "is the server running") {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took > 30*time.Second { // three tries, with pauses between them
				t.Errorf("it took %v", took)
			}
			stalling.Store(false)
			if err := c.try(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that is slow, and gets on, is waited for.
func TestSlowIsNotStalled(t *testing.T) {
	t.Parallel()
	data := []byte(strings.Repeat("slow", 100))
	s := openStalling(t, 2*time.Second, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/objects/") {
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.Header().Set("Content-Length", "400")
			for i := 0; i < 400; i += 40 {
				_, _ = w.Write(data[i : i+40])
				w.(http.Flusher).Flush()
				time.Sleep(300 * time.Millisecond)
			}
			panic(http.ErrAbortHandler) // all has been said
		}
		return false
	})
	start := time.Now()
	if got, err := s.Get(t.Context(), store.RefOf(data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%q, %v", got, err)
	}
	if took := time.Since(start); took < 2400*time.Millisecond {
		t.Errorf("it took %v: the test shows nothing", took)
	}
}
