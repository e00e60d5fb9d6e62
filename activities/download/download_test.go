package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
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
	return &Client{Dir: t.TempDir(), HTTP: NewHTTP(func(string) string { return "" }), Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}
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
		{"broken off often", &site{body: body, etag: `"a"`, breakAt: []int{400000, 400000, 400000, 400000, 400000, 400000, 400000}}, []string{"", "bytes=", "bytes="}, 5 << 20},
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

func TestMirrorsAndRefusals(t *testing.T) {
	body := content(3, 5000)
	good := (&site{body: body}).serve(t)
	gone := (&site{always: 404}).serve(t)
	page := (&site{body: []byte("<!DOCTYPE html><title>Sign in</title>"), header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}}).serve(t)
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
			"data.bin cannot be had", gone + ": 404 Not Found", page + ": the address answers with a web page", hidden + ": the address answers with a web page",
			"503 Service Unavailable (tried 5 times)", "come back in 2h", "0 bytes instead of 5000"}},
		{name: "other", urls: []string{other}, wants: []string{"SHA-256 is " + digest(content(4, 5000)), ".bad"}, is: ErrDigest, extras: []string{"data.bin.bad"}},
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
	if r, err = c.Get(t.Context(), File{Name: "other.bin", URLs: []string{mirror.URL + "/sets/data.bin"}}); err != nil || !strings.HasSuffix(r.URL, "/sets/data.bin") {
		t.Errorf("what the mirror lacks: %+v, %v", r, err)
	}
}

func TestLimitAndStall(t *testing.T) {
	body := content(6, 4000)
	c := client(t)
	if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{(&site{body: body}).serve(t)}, MaxSize: 3999}); !errors.Is(err, ErrTooLarge) {
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
	if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{stuck.URL}}); err == nil || !strings.Contains(err.Error(), "sent nothing for 20ms (tried 2 times)") {
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

// Proxies of the environment are used: a made-up host is only to be reached
// through them, by HTTP and, with CONNECT, by HTTPS.
func TestProxy(t *testing.T) {
	body := content(10, 10000)
	var plain, tunnels atomic.Int32
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) }))
	defer secure.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			if plain.Add(1); r.URL.Host != "data.invalid" {
				t.Errorf("asked for %s", r.URL)
			}
			_, _ = w.Write(body)
			return
		}
		tunnels.Add(1)
		out, err := net.Dial("tcp", secure.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		in, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(out, in) }()
		_, _ = io.Copy(in, out)
		_ = errors.Join(in.Close(), out.Close())
	}))
	defer proxy.Close()
	env := map[string]string{"HTTP_PROXY": proxy.URL, "https_proxy": proxy.URL, "NO_PROXY": "direct.invalid"}
	c := client(t)
	c.HTTP = NewHTTP(func(name string) string { return env[name] })
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	c.HTTP.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	r, err := c.Get(t.Context(), File{Name: "plain", URLs: []string{"http://data.invalid/x"}})
	whole(t, c, r, err, body)
	r, err = c.Get(t.Context(), File{Name: "secure", URLs: []string{"https://example.com/x"}})
	whole(t, c, r, err, body)
	if plain.Load() != 1 || tunnels.Load() != 1 {
		t.Errorf("%d requests and %d tunnels", plain.Load(), tunnels.Load())
	}
	if _, err := c.Get(t.Context(), File{Name: "direct", URLs: []string{"http://direct.invalid/x"}}); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("NO_PROXY: %v", err)
	}
	c.HTTP = NewHTTP(func(string) string { return "" })
	if _, err := c.Get(t.Context(), File{Name: "untrusted", URLs: []string{secure.URL}}); err == nil || strings.Contains(err.Error(), "tried") || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an untrusted certificate: %v", err)
	}
}

// A full disk ends the pull, with what is needed, and no other address is asked.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here, the disk that is always full")
	}
	body := content(11, 1<<20)
	var asked atomic.Int32
	tail := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer tail.Close()
	c := client(t)
	tr := &transfer{client: c, file: File{Name: "data.bin"}, total: 1 << 20}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close() //nolint:errcheck // nothing was written
	_, err = full.Write(body)
	if err = tr.disk(err); !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "1.0 MB more are needed") {
		t.Errorf("%v", err)
	}
	// A directory that takes no files stands for all failures of this machine.
	if err := os.Mkdir(filepath.Join(c.Dir, "data.bin.part.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = c.Get(t.Context(), File{Name: "data.bin", URLs: []string{(&site{body: body}).serve(t), tail.URL}})
	var local *localError
	if !errors.As(err, &local) || asked.Load() != 0 {
		t.Errorf("%v; the next address was asked %d times", err, asked.Load())
	}
}

// A server that cannot be reached is tried twice only.
func TestUnreached(t *testing.T) {
	c := client(t)
	_, err := c.Get(t.Context(), File{Name: "a", URLs: []string{"http://127.0.0.1:1/a"}})
	if err == nil || !strings.Contains(err.Error(), "refused (tried 2 times)") {
		t.Errorf("%v", err)
	}
}

// Redirections are followed, but not in circles and not out of encryption.
func TestRedirects(t *testing.T) {
	plain := (&site{body: content(1, 100)}).serve(t)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	defer secure.Close()
	circle := httptest.NewServer(http.RedirectHandler("/", http.StatusFound))
	defer circle.Close()
	c := client(t)
	c.HTTP.Transport = secure.Client().Transport
	for address, want := range map[string]string{secure.URL: "redirected from https to http", circle.URL: "redirected 10 times"} {
		if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{address}}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "tried") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "x": 0, "Thu, 01 Jan 2026 12:01:00 GMT": time.Minute, "Thu, 01 Jan 2026 11:00:00 GMT": 0} {
		if got := retryAfter(s, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", s, got, want)
		}
	}
	for _, c := range []struct {
		s            string
		start, total int64
		ok           bool
	}{{"bytes 5-9/10", 5, 10, true}, {"bytes 0-9/*", 0, 0, true}, {"bytes */10", 0, 0, false}, {"5-9/10", 0, 0, false}, {"bytes 5-9/3", 0, 0, false}, {"", 0, 0, false}} {
		if start, total, ok := contentRange(c.s); start != c.start || total != c.total || ok != c.ok {
			t.Errorf("%q: %d %d %v", c.s, start, total, ok)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 5-9/10", "bytes 0-9/*", "bytes */10", "bytes 9223372036854775808-/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if start, total, ok := contentRange(s); start < 0 || total < 0 || !ok && (start != 0 || total != 0) {
			t.Errorf("%q: %d %d %v", s, start, total, ok)
		}
	})
}
