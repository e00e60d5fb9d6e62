package download

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

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
	// Without a proxy the host's own name is looked up; not outside: that may fail in
	// other ways than to know no such host.
	c.HTTP.Transport.(*http.Transport).DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}
	}
	if _, err := c.Get(t.Context(), File{Name: "direct", URLs: []string{"http://direct.invalid/x"}}); err == nil ||
		!strings.Contains(err.Error(), "direct.invalid:80: no such host") || strings.Contains(err.Error(), "tried") {
		t.Errorf("NO_PROXY: %v", err)
	}
	c.HTTP = NewHTTP(func(string) string { return "" })
	if _, err := c.Get(t.Context(), File{Name: "untrusted", URLs: []string{secure.URL}}); err == nil ||
		strings.Contains(err.Error(), "tried") || !strings.Contains(err.Error(), "certificate") {
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
	defer full.Close()
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
		if _, err := c.Get(t.Context(), File{Name: "a", URLs: []string{address}}); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "tried") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "x": 0, "Thu, 01 Jan 2026 12:01:00 GMT": time.Minute,
		"Thu, 01 Jan 2026 11:00:00 GMT": 0} {
		if got := retryAfter(s, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", s, got, want)
		}
	}
	for _, c := range []struct {
		s            string
		start, total int64
		ok           bool
	}{{"bytes 5-9/10", 5, 10, true}, {"bytes 0-9/*", 0, 0, true}, {"bytes */10", 0, 0, false}, {"5-9/10", 0, 0, false},
		{"bytes 5-9/3", 0, 0, false}, {"", 0, 0, false}} {
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
