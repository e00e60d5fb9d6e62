package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// content is a file of n bytes that depend on the seed.
func content(seed byte, n int) []byte {
	b := make([]byte, n)
	x := uint32(seed) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// site serves one file, with faults.
type site struct {
	mu       sync.Mutex
	body     []byte
	etag     string // empty: no validators
	noRanges bool
	// breakAt lists, for one request after the other, after how many bytes of the
	// answer the connection breaks; 0: not.
	breakAt []int
	// codes lists the status of one request after the other; 0: the file.
	codes   []int
	always  int // the status of all requests
	header  http.Header
	ranges  []string // the Range headers that came
	served  atomic.Int64
	request int
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := s.request
	s.request++
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	body, etag := s.body, s.etag
	at := func(list []int) int {
		if i < len(list) {
			return list[i]
		}
		return 0
	}
	code, broken := at(s.codes)+s.always, at(s.breakAt)
	s.mu.Unlock()
	for k, v := range s.header {
		w.Header()[k] = v
	}
	if code != 0 {
		w.WriteHeader(code)
		return
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	if s.noRanges {
		r.Header.Del("Range")
	}
	out := &breaker{ResponseWriter: w, left: broken, limited: broken > 0, served: &s.served}
	http.ServeContent(out, r, "", time.Time{}, bytes.NewReader(body))
	if out.limited && out.left == 0 {
		panic(http.ErrAbortHandler)
	}
}

// breaker stops a body after some bytes.
type breaker struct {
	http.ResponseWriter
	left    int
	limited bool
	served  *atomic.Int64
}

func (b *breaker) Write(p []byte) (int, error) {
	if !b.limited {
		b.served.Add(int64(len(p)))
		return b.ResponseWriter.Write(p)
	}
	n := min(len(p), b.left)
	b.left -= n
	b.served.Add(int64(n))
	if _, err := b.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	if f, ok := b.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	if n < len(p) {
		return n, errors.New("broken")
	}
	return n, nil
}

func (s *site) serve(t *testing.T) string {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL + "/data.bin"
}

func client(t *testing.T) *Client {
	return &Client{Dir: t.TempDir(), HTTP: NewHTTP(func(string) string { return "" }), Backoff: time.Millisecond,
		MaxBackoff: 2 * time.Millisecond}
}

// whole checks that the file is there and nothing is left of its transfer.
func whole(t *testing.T, c *Client, r Result, err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.Path)
	if err != nil || !bytes.Equal(b, want) || r.SHA256 != digest(want) || r.Size != int64(len(want)) {
		t.Errorf("%d bytes of digest %s, %d of %s wanted: %v", len(b), r.SHA256, len(want), digest(want), err)
	}
	left, _ := filepath.Glob(filepath.Join(c.Dir, "*.part*"))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestResume(t *testing.T) {
	body := content(1, 3<<20)
	for _, c := range []struct {
		name   string
		site   *site
		ranges []string // those that must have come
		most   int64    // bytes that the server may have sent
	}{
		{"plain", &site{body: body, etag: `"a"`}, []string{""}, 3 << 20},
		{"broken off once", &site{body: body, etag: `"a"`, breakAt: []int{1 << 20}}, []string{"", "bytes="}, 3<<20 + 1<<20},
		{"broken off often", &site{body: body, etag: `"a"`, breakAt: []int{400000, 400000, 400000, 400000, 400000, 400000, 400000}},
			[]string{"", "bytes=", "bytes="}, 5 << 20},
		{"no ranges", &site{body: body, etag: `"a"`, noRanges: true, breakAt: []int{1 << 20}}, []string{"", "bytes="}, 5 << 20},
		{"no validators", &site{body: body, breakAt: []int{1 << 20}}, []string{"", ""}, 5 << 20},
		{"weak validator", &site{body: body, etag: `W/"a"`, breakAt: []int{1 << 20}}, []string{"", ""}, 5 << 20},
		{"busy", &site{body: body, etag: `"a"`, codes: []int{503, 429, 500}}, []string{"", "", "", ""}, 3 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := c.site.serve(t)
			cl := client(t)
			r, err := cl.Get(t.Context(), File{Name: "data.bin", URLs: []string{url}, SHA256: digest(body), Size: int64(len(body))})
			whole(t, cl, r, err, body)
			if r.URL != url {
				t.Errorf("from %q", r.URL)
			}
			for i, want := range c.ranges {
				if i >= len(c.site.ranges) || !strings.HasPrefix(c.site.ranges[i], want) || want == "" && c.site.ranges[i] != "" {
					t.Errorf("ranges %q, want %q", c.site.ranges, c.ranges)
					break
				}
			}
			if n := c.site.served.Load(); n > c.most {
				t.Errorf("the server sent %d bytes, at most %d are needed", n, c.most)
			}
			again, err := cl.Get(t.Context(), File{Name: "data.bin", URLs: []string{"http://127.0.0.1:1/none"}, SHA256: digest(body)})
			if err != nil || again.URL != "" || again.SHA256 != r.SHA256 {
				t.Errorf("a file that is there: %+v, %v", again, err)
			}
		})
	}
}

// A transfer that is cancelled is taken up by the next call; when the file has
// changed in between, it starts anew.
func TestCancelAndChange(t *testing.T) {
	for _, change := range []bool{false, true} {
		t.Run(fmt.Sprintf("change=%v", change), func(t *testing.T) {
			body := content(1, 2<<20)
			release := make(chan struct{})
			var requests atomic.Int32
			etag := `"1"`
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", etag)
				w.Header().Set("Content-Type", "application/gzip")
				if requests.Add(1) > 1 {
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
					return
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				_, _ = w.Write(body[:1<<20])
				w.(http.Flusher).Flush()
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}))
			defer server.Close()
			defer close(release)
			ctx, cancel := context.WithCancel(t.Context())
			c := client(t)
			c.Progress = func(p Progress) {
				if p.Done > 0 {
					cancel()
				}
			}
			f := File{Name: "data.bin", URLs: []string{server.URL}}
			if _, err := c.Get(ctx, f); !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled: %v", err)
			}
			info, err := os.Stat(filepath.Join(c.Dir, "data.bin.part"))
			if err != nil || info.Size() == 0 {
				t.Fatalf("no part is left: %v", err)
			}
			if change {
				body, etag = content(2, 2<<20), `"2"`
			}
			c.Progress = nil
			r, err := c.Get(t.Context(), f)
			whole(t, c, r, err, body)
		})
	}
}

// A transfer that broke off after its last byte has all there is: it is not asked
// for again, unless it is not what was expected.
func TestCompletePart(t *testing.T) {
	body := content(1, 1<<20)
	for _, c := range []struct {
		name     string
		part     []byte
		served   int64
		requests int
	}{
		{"complete", body, 0, 1},
		{"complete and wrong", content(2, 1<<20), 1 << 20, 2},
		{"too long", append(bytes.Clone(body), 1), 1 << 20, 1}, // than the file may be
		{"half", body[:1<<19], 1 << 19, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &site{body: body, etag: `"a"`}
			url := s.serve(t)
			cl := client(t)
			for name, b := range map[string][]byte{"data.bin.part": c.part, "data.bin.part.json": []byte(`{"url":"` + url + `","etag":"\"a\""}`)} {
				if err := os.WriteFile(filepath.Join(cl.Dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r, err := cl.Get(t.Context(), File{Name: "data.bin", URLs: []string{url}, SHA256: digest(body), Size: int64(len(body))})
			whole(t, cl, r, err, body)
			if s.served.Load() > c.served+1000 || s.request != c.requests { // the answer 416 has a text
				t.Errorf("%d bytes in %d requests, want %d in %d", s.served.Load(), s.request, c.served, c.requests)
			}
		})
	}
}

func TestUnsatisfied(t *testing.T) {
	for s, want := range map[string]int64{"bytes */10": 10, "bytes 1-2/10": 0, "bytes */*": 0, "bytes */-3": 0, "": 0, "*/10": 0} {
		if got := unsatisfied(s); got != want {
			t.Errorf("%q says %d, want %d", s, got, want)
		}
	}
}

func TestMirrorsAndRefusals(t *testing.T) {
	body := content(3, 5000)
	good := (&site{body: body}).serve(t)
	gone := (&site{always: 404}).serve(t)
	page := (&site{body: []byte("<!DOCTYPE html><title>Sign in</title>"),
		header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}).serve(t)
	hidden := (&site{body: []byte("<!DOCTYPE html><title>Sign in</title>")}).serve(t)
	other := (&site{body: content(4, 5000)}).serve(t)
	long := (&site{body: content(4, 6000)}).serve(t)
	down := (&site{always: 503}).serve(t)
	later := (&site{always: 429, header: http.Header{"Retry-After": {"7200"}}}).serve(t)
	empty := (&site{}).serve(t)
	moved := httptest.NewServer(http.RedirectHandler(good, http.StatusFound))
	t.Cleanup(moved.Close)
	for _, c := range []struct {
		name   string
		urls   []string
		wants  []string // of the error; none: the file comes
		is     error
		extras []string // files that stay
	}{
		{name: "first", urls: []string{good}},
		{name: "redirect", urls: []string{moved.URL}},
		{name: "second", urls: []string{gone, good}},
		{name: "after a page", urls: []string{page, hidden, good}},
		{name: "after another file", urls: []string{other, long, good}, extras: []string{"data.bin.bad"}},
		{name: "after one that is down", urls: []string{down, later, good}},
		{name: "unknown host", urls: []string{"http://no-such-host.invalid/x", good}},
		{name: "none", urls: []string{gone, page, hidden, down, later, empty}, wants: []string{
			"data.bin cannot be had", gone + ": 404 Not Found", page + ": the address answers with a web page",
			hidden + ": the address answers with a web page",
			"503 Service Unavailable (tried 5 times)", "come back in 2h", "0 bytes instead of 5000"}},
		{name: "other", urls: []string{other}, wants: []string{"SHA-256 is " + digest(content(4, 5000)), ".bad"}, is: ErrDigest,
			extras: []string{"data.bin.bad"}},
		{name: "long", urls: []string{long}, wants: []string{"6000 bytes instead of 5000"}, is: ErrDigest},
		{name: "by hand", wants: []string{"by hand"}, is: ErrNoAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := client(t)
			r, err := cl.Get(t.Context(), File{Name: "data.bin", URLs: c.urls, SHA256: digest(body), Size: 5000})
			if len(c.wants) == 0 {
				whole(t, cl, r, err, body)
			} else {
				if err == nil {
					t.Fatal("no error")
				}
				for _, w := range c.wants {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("%q is not in: %v", w, err)
					}
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v is not %v", err, c.is)
				}
				if cl.Has(File{Name: "data.bin"}) {
					t.Error("the file is there all the same")
				}
			}
			for _, name := range c.extras {
				if _, err := os.Stat(filepath.Join(cl.Dir, name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestMirrorComesFirst(t *testing.T) {
	body := content(5, 100)
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sets/data.bin" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(body)
	}))
	defer mirror.Close()
	c := client(t)
	c.Mirror = mirror.URL + "/sets/"
	r, err := c.Get(t.Context(), File{Name: "data.bin", URLs: []string{"http://127.0.0.1:1/"}})
	whole(t, c, r, err, body)
	if r.URL != mirror.URL+"/sets/data.bin" {
		t.Errorf("from %s", r.URL)
	}
	if r, err = c.Get(t.Context(), File{Name: "other.bin", URLs: []string{mirror.URL + "/sets/data.bin"}}); err != nil ||
		!strings.HasSuffix(r.URL, "/sets/data.bin") {
		t.Errorf("what the mirror lacks: %+v, %v", r, err)
	}
	if _, err = c.Get(t.Context(), File{Name: "none.bin"}); !errors.Is(err, ErrNoAddress) ||
		!strings.Contains(err.Error(), "none.bin: 404 Not Found") {
		t.Errorf("what nobody has: %v", err)
	}
}

// A mirror's password is used, and stands in no error, result or record.
func TestPasswordIsKept(t *testing.T) {
	body := content(8, 4000)
	s := &site{body: body, etag: `"1"`, breakAt: []int{1000, 1000}}
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "geheim" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.ServeHTTP(w, r)
	}))
	defer mirror.Close()
	c := client(t)
	c.Mirror, c.Attempts = strings.Replace(mirror.URL, "http://", "http://reader:geheim@", 1), 1
	if _, err := c.Get(t.Context(), File{Name: "data.bin"}); err == nil || strings.Contains(err.Error(), "geheim") ||
		!strings.Contains(err.Error(), "reader:xxxxx@") {
		t.Errorf("a transfer that broke off: %v", err)
	}
	record, err := os.ReadFile(filepath.Join(c.Dir, "data.bin.part.json"))
	if err != nil || bytes.Contains(record, []byte("geheim")) {
		t.Errorf("the record: %s, %v", record, err)
	}
	c.Attempts = 5
	r, err := c.Get(t.Context(), File{Name: "data.bin"})
	whole(t, c, r, err, body)
	if strings.Contains(r.URL, "geheim") || s.ranges[1] != "bytes=1000-" {
		t.Errorf("from %s, ranges %q", r.URL, s.ranges)
	}
	c.Mirror = "http://reader:geheim@a b"
	if _, err = c.Get(t.Context(), File{Name: "other.bin"}); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("an address that is none: %v", err)
	}
}

func TestLimitAndStall(t *testing.T) {
	body := content(6, 4000)
	c := client(t)
	if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{(&site{body: body}).serve(t)}, MaxSize: 3999}); !errors.Is(err,
		ErrTooLarge) {
		t.Errorf("announced: %v", err)
	}
	chunked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 4 {
			_, _ = w.Write(body[:1000])
			w.(http.Flusher).Flush()
		}
	}))
	defer chunked.Close()
	if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{chunked.URL}, MaxSize: 3999}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("not announced: %v", err)
	}
	stuck := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4000")
		_, _ = w.Write(body[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer stuck.Close()
	c.Stall, c.Attempts = 20*time.Millisecond, 2
	if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{stuck.URL}}); err == nil ||
		!strings.Contains(err.Error(), "sent nothing for 20ms (tried 2 times)") {
		t.Errorf("stuck: %v", err)
	}
}

// Files put there by hand are checked: right ones are taken, wrong ones are not,
// and not thrown away.
func TestByHand(t *testing.T) {
	body := content(7, 1000)
	c := client(t)
	f := File{Name: "data.bin", SHA256: digest(body)}
	write := func(b []byte) {
		if err := os.WriteFile(filepath.Join(c.Dir, f.Name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(body)
	r, err := c.Get(t.Context(), f)
	whole(t, c, r, err, body)
	write(content(8, 1000))
	if _, err := c.Get(t.Context(), f); !errors.Is(err, ErrDigest) || !c.Has(f) {
		t.Errorf("wrong, no address: %v", err)
	}
	f.URLs = []string{(&site{body: body}).serve(t)}
	r, err = c.Get(t.Context(), f)
	whole(t, c, r, err, body)
	if b, err := os.ReadFile(filepath.Join(c.Dir, "data.bin.bad")); err != nil || !bytes.Equal(b, content(8, 1000)) {
		t.Errorf("the file put there is gone: %v", err)
	}
	// Where no address has the file either, the person hears what became of his.
	write(content(8, 1000))
	f.URLs = []string{(&site{body: content(9, 10)}).serve(t) + "?moved"}
	if _, err := c.Get(t.Context(), f); err == nil || !strings.Contains(err.Error(), "set aside as data.bin.bad") {
		t.Errorf("set aside: %v", err)
	}
	for _, name := range []string{"", "../x", "a/b", ".hidden", `a\b`} {
		if _, err := c.Get(t.Context(), File{Name: name}); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}

// Many calls for one file, from clients that know nothing of each other, make
// one transfer.
func TestConcurrent(t *testing.T) {
	body := content(9, 1<<20)
	s := &site{body: body, etag: `"x"`}
	url := s.serve(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c := &Client{Dir: dir, HTTP: NewHTTP(func(string) string { return "" })}
			r, err := c.Get(t.Context(), File{Name: "data.bin", URLs: []string{url}, SHA256: digest(body)})
			if err != nil || r.SHA256 != digest(body) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	if n := s.served.Load(); n != int64(len(body)) {
		t.Errorf("%d bytes were sent for %d", n, len(body))
	}
}
