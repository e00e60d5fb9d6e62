package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// somebodysPage is what a web page of another site can have a browser send to a
// port of this machine.
var somebodysPage = []struct {
	name, method, host string
	header             http.Header
}{
	{"a form, from an old browser", http.MethodPost, "", http.Header{"Origin": {"http://evil.example"}}},
	{"a form", http.MethodPost, "", http.Header{"Origin": {"http://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}},
	{"a sandboxed frame", http.MethodPost, "", http.Header{"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}}},
	{"a page on another port of this machine", http.MethodPost, "localhost", http.Header{"Origin": {"http://localhost:1"},
		"Sec-Fetch-Site": {"same-site"}, "X-Csrf-Token": {"t"}, "Cookie": {"_csrf=t"}}},
	// The page's name points to 127.0.0.1 by now: to the browser all of this is the page's own.
	{"a rebound name writes", http.MethodPost, "evil.example", http.Header{"Origin": {"http://evil.example"},
		"Sec-Fetch-Site": {"same-origin"}, "X-Csrf-Token": {"t"}, "Cookie": {"_csrf=t"}}},
	{"a rebound name writes, from an old browser", http.MethodPost, "evil.example", http.Header{"Origin": {"http://evil.example"},
		"X-Csrf-Token": {"t"}, "Cookie": {"_csrf=t"}}},
	{"a rebound name reads", http.MethodGet, "evil.example", http.Header{"Sec-Fetch-Site": {"same-origin"}}},
}

// The stack has no login: no port of it may do what somebody's web page asks,
// or tell it anything.
func TestWebPagesCannotDriveIt(t *testing.T) {
	p := launch(t, append([]string{"-dir", t.TempDir()}, anyPort...)...)
	a := p.addresses()
	c := dial(t, a)
	listening := listeningPorts(t, a.PID)
	for _, port := range []int{portOf(a.Temporal), portOf(a.UI), portOf(a.S3Endpoint)} {
		if !listening[port] {
			t.Fatalf("port %d is not among %v", port, listening)
		}
	}
	web := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	asked := 0
	for port := range listening {
		for _, page := range somebodysPage {
			for _, path := range []string{"/api/v1/namespaces/default/workflows", "/namespaces/default/workflows", "/"} {
				if page.method == http.MethodPost && path != "/" {
					path += fmt.Sprintf("/by-a-page-%d", asked)
				}
				asked++
				body := `{"workflowType":{"name":"Nothing"},"taskQueue":{"name":"q"}}`
				r, err := http.NewRequest(page.method, "http://"+loopback(port)+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = page.header.Clone()
				r.Header.Set("Content-Type", "text/plain") // what a page may send unasked
				if r.Host = loopback(port); page.host != "" {
					r.Host = fmt.Sprintf("%s:%d", page.host, port)
				}
				answer, err := web.Do(r)
				if err != nil {
					continue // it speaks gRPC only
				}
				_ = answer.Body.Close()
				if answer.StatusCode < 400 || answer.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("port %d: %s: %s %s: %s %v", port, page.name, page.method, path, answer.Status, answer.Header)
				}
			}
		}
	}
	// Searching lags behind; what was started can be described at once.
	for i := range asked {
		if d, err := c.DescribeWorkflowExecution(t.Context(), fmt.Sprintf("by-a-page-%d", i), ""); err == nil {
			t.Errorf("a page started %v", d.GetWorkflowExecutionInfo().GetExecution())
		}
	}
}

// The UI's own pages still can, under each name of this machine.
func TestTheUICanDriveIt(t *testing.T) {
	p := launch(t, append([]string{"-dir", t.TempDir()}, anyPort...)...)
	a := p.addresses()
	for i, host := range []string{"127.0.0.1:%d", "localhost:%d", "[::1]:%d", "localhost"} {
		if strings.Contains(host, "%d") {
			host = fmt.Sprintf(host, portOf(a.UI))
		}
		for _, fetch := range []string{"", "same-origin"} {
			r, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/api/v1/namespaces/default/workflows/ui-%d%s", a.UI, i, fetch),
				strings.NewReader(`{"workflowType":{"name":"Nothing"},"taskQueue":{"name":"q"}}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			r.Header = http.Header{"Origin": {"http://" + host}, "X-Csrf-Token": {"t"}, "Cookie": {"_csrf=t"}, "Content-Type": {"application/json"}}
			if fetch != "" {
				r.Header.Set("Sec-Fetch-Site", fetch)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %s", host, fetch, answer.Status)
			}
		}
	}
}

func TestGuard(t *testing.T) {
	served := guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:8233": 200, "LOCALHOST:1": 200, "[::1]:8233": 200, "[::1]": 200, "127.9.9.9": 200,
		"": 421, "evil.example": 421, "evil.example:8233": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"192.168.0.1:8233": 421, "0.0.0.0": 421, "localhost:1:1": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		served.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

// listeningPorts are the TCP ports on which a process listens.
func listeningPorts(t *testing.T, pid int) map[int]bool {
	t.Helper()
	sockets := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Skip("no /proc to find a process's ports in")
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	ports := map[int]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			const local, state, inode, listen = 1, 3, 9, "0A"
			if f := strings.Fields(line); len(f) > inode && f[state] == listen && sockets[f[inode]] {
				_, hex, _ := strings.Cut(f[local], ":")
				if port, err := strconv.ParseInt(hex, 16, 32); err == nil {
					ports[int(port)] = true
				}
			}
		}
	}
	return ports
}
