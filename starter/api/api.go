// Package api is what is served over HTTP, in JSON. Searches: list and look at them, ask for
// trials, tell what they gave; that is a view on starter/client, and openapi.json describes
// it. And the predictions of a model (ModelServer).
package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // the description
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/limit"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// Searches is what is needed of starter/client.
type Searches interface {
	Searches(ctx context.Context, experiment string) ([]*client.Entry, error)
	Progress(ctx context.Context, name string) (client.Progress, error)
	Find(ctx context.Context, name string) (*client.Ledger, error)
	Ask(ctx context.Context, name string, in workflows.Ask) (workflows.Asked, error)
	AskWait(ctx context.Context, name string, in workflows.Ask) (workflows.Asked, error)
	Tell(ctx context.Context, name string, tell json.RawMessage) (workflows.Told, error)
}

// Description is the API in OpenAPI's words.
//
//go:embed openapi.json
var Description []byte

// Bounds of requests.
const (
	maxBody      = 64 << 10
	maxHeaders   = 16 << 10
	maxInFlight  = 256
	maxWaiting   = 256 // asks that wait, which are not among those in flight
	maxWait      = 60  // seconds
	maxTrials    = 1000
	trialsUnless = 100
	// Of the list of searches.
	maxSearches    = 1000
	searchesUnless = 1000
	// MinToken is the shortest token that is taken, in bytes.
	MinToken = 16
)

// Server is an HTTP server of the API, for whoever has the token. It has timeouts for
// all that a client may be slow at.
func Server(s Searches, token string) *http.Server {
	closing, closes := context.WithCancel(context.Background())
	server := &http.Server{
		Handler: handler(closing, s, token), MaxHeaderBytes: maxHeaders, ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout: 30 * time.Second, WriteTimeout: (maxWait + 60) * time.Second, IdleTimeout: 2 * time.Minute,
	}
	server.RegisterOnShutdown(closes) // whoever waits for a trial need not
	return server
}

// answer is what a request is answered with, as JSON.
type answer func(ctx context.Context, r *http.Request) (any, error)

// handler serves the API to whoever has the token; nobody waits once closing ends.
func handler(closing context.Context, s Searches, token string) http.Handler {
	a := api{s, closing, make(chan struct{}, maxWaiting), &unheard{of: map[string][]workflows.AskedTrial{}}}
	mux := http.NewServeMux()
	for route, do := range map[string]answer{
		"GET /v1/openapi.json":           func(context.Context, *http.Request) (any, error) { return json.RawMessage(Description), nil },
		"GET /v1/searches":               a.list,
		"GET /v1/searches/{name}":        a.show,
		"GET /v1/searches/{name}/trials": a.trials,
		"POST /v1/searches/{name}/ask":   a.ask,
		"POST /v1/searches/{name}/tell":  a.tell,
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			v, err := do(r.Context(), r)
			if err != nil {
				fail(w, err)
				return
			}
			write(w, http.StatusOK, v)
		})
	}
	return guard(mux, token, maxInFlight, "see /v1/openapi.json")
}

// guard serves routes to whoever has the token, so many requests at once; help says where
// the routes are described.
func guard(mux *http.ServeMux, token string, most int, help string) http.Handler {
	want := sha256.Sum256([]byte(token))
	busy := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if right := subtle.ConstantTimeCompare(got[:], want[:]) == 1; !right || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			write(w, http.StatusUnauthorized,
				problem{"unauthorized", "give the header Authorization: Bearer TOKEN, with the token that the server was started with"})
			return
		}
		select {
		case busy <- struct{}{}:
		default:
			fail(w, busyError{most, "requests"})
			return
		}
		leave := sync.OnceFunc(func() { <-busy })
		defer leave()
		r = r.WithContext(context.WithValue(r.Context(), leaves{}, leave))
		if _, pattern := mux.Handler(r); pattern == "" {
			unrouted(w, r, mux, help)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// leaves is the key of what gives a request's place to others before its end, in its context.
type leaves struct{}

// busyError says that there are so many of something already, at most.
type busyError struct {
	most int
	what string
}

func (e busyError) Error() string { return fmt.Sprintf("more than %d %s at once", e.most, e.what) }

// unrouted answers what is no route: another method would be, or nothing.
func unrouted(w http.ResponseWriter, r *http.Request, mux *http.ServeMux, help string) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		if other.Method = method; method != r.Method {
			if _, pattern := mux.Handler(other); pattern != "" {
				w.Header().Set("Allow", method)
				write(w, http.StatusMethodNotAllowed, problem{"method", "use " + method})
				return
			}
		}
	}
	write(w, http.StatusNotFound, problem{"not_found", "there is no such path: " + help})
}

// problem is what went wrong, as JSON.
type problem struct {
	Code  string `json:"code"`
	Error string `json:"error"`
}

// fail answers with what went wrong.
func fail(w http.ResponseWriter, err error) {
	var refused *client.RefusedError
	var large *http.MaxBytesError
	status, p := http.StatusInternalServerError, problem{"failed", err.Error()}
	switch {
	case errors.As(err, &large):
		status, p = http.StatusRequestEntityTooLarge, problem{"too_large", fmt.Sprintf("the request has more than %d bytes", large.Limit)}
	case errors.As(err, &refused) && refused.Ended:
		status, p.Code = http.StatusGone, "ended"
	case errors.As(err, &refused) && refused.Later:
		status, p.Code = http.StatusConflict, "later"
		w.Header().Set("Retry-After", "1")
	case errors.As(err, &refused):
		status, p.Code = http.StatusUnprocessableEntity, "refused"
	case errors.As(err, new(busyError)):
		status, p.Code = http.StatusServiceUnavailable, "busy"
		w.Header().Set("Retry-After", "1")
	case errors.As(err, new(*client.NotFoundError)), errors.Is(err, store.ErrNotFound):
		status, p.Code = http.StatusNotFound, "not_found"
	case errors.Is(err, client.ErrUsage):
		status, p.Code = http.StatusBadRequest, "usage"
	case errors.Is(err, client.ErrSilent), errors.Is(err, client.ErrAway), errors.Is(err, client.ErrNotBegun),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status, p.Code = http.StatusServiceUnavailable, "unavailable"
	}
	write(w, status, p)
}

func write(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		_ = e.Encode(problem{"failed", err.Error()}) // two strings
	}
	head(w)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever is gone does not hear it
}

// head sets what is told of each answer.
func head(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}

type api struct {
	s       Searches
	closing context.Context
	waiting chan struct{} // a place for each ask that waits
	unheard *unheard
}

// list answers with the newest searches, and says which records it could not read: one of
// them keeps no other from being listed.
func (a api) list(ctx context.Context, r *http.Request) (any, error) {
	from, err1 := number(r, "from", 0, 0, 1<<31-1)
	most, err2 := number(r, "limit", searchesUnless, 1, maxSearches)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	entries, err := a.s.Searches(ctx, "")
	if err != nil && !errors.Is(err, library.ErrUnreadable) {
		return nil, err
	}
	out := struct {
		Searches []*client.Entry `json:"searches"`
		// Next is where to read on, absent at the end.
		Next       int    `json:"next,omitempty"`
		Unreadable string `json:"unreadable,omitempty"`
	}{Searches: []*client.Entry{}}
	if err != nil {
		out.Unreadable = limit.Cut(err.Error(), limit.MaxMessage)
	}
	end := max(0, len(entries)-from) // the newest are the last
	out.Searches = append(out.Searches, entries[max(0, end-most):end]...)
	if end > most {
		out.Next = from + most
	}
	return out, nil
}

func (a api) show(ctx context.Context, r *http.Request) (any, error) {
	name := r.PathValue("name")
	p, err := a.s.Progress(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case p.Search == nil:
		return nil, &client.NotFoundError{Kind: client.Search, Name: name}
	}
	return p.Search.Progress, nil
}

func (a api) trials(ctx context.Context, r *http.Request) (any, error) {
	from, err1 := number(r, "from", 0, 0, 1<<31-1)
	most, err2 := number(r, "limit", trialsUnless, 1, maxTrials)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	l, err := a.s.Find(ctx, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	out := struct {
		Told   int          `json:"told"`
		Trials []client.Row `json:"trials"`
		// Next is where to read on, absent at the end.
		Next int `json:"next,omitempty"`
		// Behind says why those since the last checkpoint are missing.
		Behind string `json:"behind,omitempty"`
	}{Told: len(l.Trials), Trials: []client.Row{}}
	if l.Behind != nil {
		out.Behind = l.Behind.Error()
	}
	for i := from; i < len(l.Trials); i++ {
		if len(out.Trials) == most {
			out.Next = i
			break
		}
		out.Trials = append(out.Trials, l.Row(i))
	}
	return out, nil
}

// number is a parameter of a request's query.
func number(r *http.Request, name string, unless, least, most int) (int, error) {
	given := r.URL.Query().Get(name)
	if given == "" {
		return unless, nil
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < least || n > most {
		return 0, client.Usage(fmt.Errorf("%s is %q: it must be a number from %d to %d", name, given, least, most))
	}
	return n, nil
}

func (a api) tell(ctx context.Context, r *http.Request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return a.s.Tell(ctx, r.PathValue("name"), body)
}
