package main_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// trouble is what a proxy does to some of the requests that pass it.
type trouble struct {
	// every: of the requests that it is for one in so many has it, drawn by their
	// number, limit times at most, for so long from the first; 0 means as long as there
	// are requests.
	every, limit int
	lasts        time.Duration
	// after: so many of those requests pass first, counted from when the trouble begins. Not
	// by the search's progress: whoever asks for that may hear of a quick one when it has ended.
	after int
	// of says which requests it is for; nil means all.
	of  func(r *http.Request) bool
	act action
}

// action answers a request badly. pass has the store carry it out.
type action func(w http.ResponseWriter, r *http.Request, pass func() reply)

// reply is what the store said.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a reply) send(w http.ResponseWriter, body []byte) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// reads are the requests for objects and names.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.Contains(r.URL.RawQuery, "list-type")
}

// objects are the requests for objects alone.
func objects(r *http.Request) bool { return reads(r) && !strings.Contains(r.URL.Path, "/names/") }

// writes are the requests that store something.
func writes(r *http.Request) bool { return r.Method == http.MethodPut }

// refused answers with an error of the store's.
func refused(status int, code string) action {
	return func(w http.ResponseWriter, _ *http.Request, _ func() reply) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s, says the proxy</Message></Error>", code, code)
	}
}

// slow answers late.
func slow(d time.Duration) action {
	return func(w http.ResponseWriter, _ *http.Request, pass func() reply) {
		time.Sleep(d)
		a := pass()
		a.send(w, a.body)
	}
}

// unanswered carries the request out and says nothing of it.
func unanswered(_ http.ResponseWriter, _ *http.Request, pass func() reply) {
	pass()
	panic(http.ErrAbortHandler)
}

// truncated answers with half of the body.
func truncated(w http.ResponseWriter, _ *http.Request, pass func() reply) {
	a := pass()
	a.send(w, a.body[:len(a.body)/2])
	panic(http.ErrAbortHandler)
}

// corrupted answers with a byte that is another one.
func corrupted(w http.ResponseWriter, _ *http.Request, pass func() reply) {
	a := pass()
	if body := a.body; len(body) > 0 && a.status == http.StatusOK {
		body[len(body)/2] ^= 0x20
	}
	a.send(w, a.body)
}

// stalled answers with half of the body, and then with nothing.
func stalled(w http.ResponseWriter, r *http.Request, pass func() reply) {
	a := pass()
	if len(a.body) < 2 || a.status != http.StatusOK {
		a.send(w, a.body)
		return
	}
	a.send(w, a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done() // until the other side gives up
	panic(http.ErrAbortHandler)
}

// proxy stands between workers and the store.
type proxy struct {
	*httptest.Server
	to string

	mu       sync.Mutex
	trouble  *trouble
	until    time.Time
	passed   int
	seen     int
	injected int
}

func newProxy(t *testing.T, to string) *proxy {
	p := &proxy{to: to}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.CloseClientConnections() // what is stalled
		p.Close()
	})
	return p
}

// begin begins the trouble; nil ends it.
func (p *proxy) begin(tr *trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble, p.until, p.passed = tr, time.Time{}, 0
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.injected
}

// next says what to do to a request; nil means nothing.
func (p *proxy) next(r *http.Request) action {
	p.mu.Lock()
	defer p.mu.Unlock()
	tr := p.trouble
	if tr == nil || tr.of != nil && !tr.of(r) || tr.limit > 0 && p.injected == tr.limit {
		return nil
	}
	if p.passed++; p.passed <= tr.after {
		return nil
	}
	if p.until.IsZero() {
		p.until = time.Now().Add(cmp.Or(tr.lasts, time.Hour))
	}
	if time.Now().After(p.until) {
		return nil
	}
	// Drawn, not counted: what is tried again would meet the same count for ever.
	if p.seen++; rand.New(rand.NewPCG(uint64(p.seen), 1)).IntN(tr.every) != 0 {
		return nil
	}
	p.injected++
	return tr.act
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	pass := func() reply {
		out, err := http.NewRequestWithContext(r.Context(), r.Method, p.to+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		out.Header, out.Host = r.Header.Clone(), r.Host // both are signed
		out.Header.Del("Expect")
		answer, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		return reply{answer.StatusCode, answer.Header, said}
	}
	if act := p.next(r); act != nil {
		act(w, r, pass)
		return
	}
	a := pass()
	a.send(w, a.body)
}
