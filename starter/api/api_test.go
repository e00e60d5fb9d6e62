package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// fake has the search "own", with 250 trials, of which one can be asked.
type fake struct{ waiting chan struct{} }

func (fake) Searches(context.Context, string) ([]*client.Entry, error) {
	return []*client.Entry{{Name: "own", Status: "waiting"}}, nil
}

func (fake) Progress(_ context.Context, name string) (client.Progress, error) {
	switch name {
	case "own", "run/a":
		return client.Progress{Search: &client.SearchProgress{Progress: workflows.Progress{Name: name, Status: "waiting"}}}, nil
	case "an-experiment":
		return client.Progress{Run: &client.RunProgress{}}, nil
	case "slow":
		return client.Progress{}, context.DeadlineExceeded
	case "away":
		return client.Progress{}, client.ErrAway
	}
	return client.Progress{}, &client.NotFoundError{Kind: client.Search, Name: name}
}

func (fake) Find(_ context.Context, name string) (*client.Ledger, error) {
	switch name {
	case "own", "lone":
	case "early":
		return nil, client.ErrNotBegun
	default:
		return nil, store.ErrNotFound
	}
	l := &client.Ledger{Name: name, Config: &search.Config{Tasks: []search.Task{{Name: "north"}}, Space: space.Space{
		Choices: []space.Choice{{Name: "depth", Options: []any{int64(2), int64(4)}}}}}}
	if name == "lone" {
		l.Behind = client.ErrSilent
	}
	for i := range 250 {
		l.Trials = append(l.Trials, search.Trial{Trial: i, Actions: []int{0}, Status: "ok"})
		l.Costs = append(l.Costs, search.Cost{Trial: i})
	}
	return l, nil
}

func (fake) Ask(_ context.Context, name string, in workflows.Ask) (out workflows.Asked, err error) {
	switch {
	case name == "busy":
		return out, &client.RefusedError{Search: name, Reason: "no trial is open", Later: true}
	case name == "over":
		return out, &client.RefusedError{Search: name, Reason: "ended", Ended: true}
	case name == "silent":
		return out, client.ErrSilent
	case name == "broken":
		return out, errors.New("the store is <broken>")
	case in.Count > workflows.MaxAsked:
		return out, &client.RefusedError{Search: name, Reason: "too many"}
	}
	trial := 0
	if in.Trial != nil {
		trial = *in.Trial
	}
	return workflows.Asked{Trials: []workflows.AskedTrial{{Trial: trial}}}, nil
}

func (f fake) AskWait(ctx context.Context, name string, in workflows.Ask) (workflows.Asked, error) {
	if name != "busy" {
		return f.Ask(ctx, name, in)
	}
	if f.waiting != nil {
		close(f.waiting)
	}
	<-ctx.Done()
	return workflows.Asked{}, ctx.Err()
}

func (fake) Tell(_ context.Context, name string, tell json.RawMessage) (workflows.Told, error) {
	t, _, err := workflows.ParseTell(tell, space.Objective{Metric: "rmse"})
	if err != nil {
		return workflows.Told{}, &client.RefusedError{Search: name, Reason: err.Error()}
	}
	return workflows.Told{Trial: *t.Trial, Trials: 9}, nil
}

const token = "0123456789abcdef"

func TestEndpoints(t *testing.T) {
	server := httptest.NewServer(Server(fake{}, token).Handler)
	defer server.Close()
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/openapi.json", "", 200, `"openapi":`},
		{"GET", "/v1/searches", "", 200, `"name":"own"`},
		{"GET", "/v1/searches/own", "", 200, `"status":"waiting"`},
		{"GET", "/v1/searches/run%2Fa", "", 200, `"name":"run/a"`},
		{"GET", "/v1/searches/nobody", "", 404, `"code":"not_found"`},
		{"GET", "/v1/searches/an-experiment", "", 404, `there is no search`},
		{"GET", "/v1/searches/slow", "", 503, `"code":"unavailable"`},
		{"GET", "/v1/searches/away", "", 503, `"code":"unavailable"`},
		{"GET", "/v1/searches/own/trials", "", 200, `"next":100`},
		{"GET", "/v1/searches/lone/trials", "", 200, `"behind":"no worker answers`},
		{"GET", "/v1/searches/own/trials?from=240&limit=20", "", 200, `"told":250,"trials":[{`},
		{"GET", "/v1/searches/own/trials?from=900", "", 200, `"trials":[]}`},
		{"GET", "/v1/searches/own/trials?from=-1&limit=5000", "", 400, `limit is \"5000\": it must be a number from 1 to 1000`},
		{"GET", "/v1/searches/early/trials", "", 503, `has not begun`},
		{"GET", "/v1/searches/nobody/trials", "", 404, `"code":"not_found"`},
		{"POST", "/v1/searches/own/ask", "", 200, `"trial":0`},
		{"POST", "/v1/searches/own/ask", `{"trial": 7}`, 200, `"trial":7`},
		{"POST", "/v1/searches/own/ask", `{"count": 2, "wait_seconds": 1}`, 200, `"trial":0`},
		{"POST", "/v1/searches/own/ask", `{"count": 200}`, 422, `"code":"refused"`},
		{"POST", "/v1/searches/own/ask", `{"counts": 2}`, 400, `unknown field \"counts\"`},
		{"POST", "/v1/searches/own/ask", `{"count": "two"}`, 400, `count`},
		{"POST", "/v1/searches/own/ask", `[`, 400, `not a JSON object`},
		{"POST", "/v1/searches/own/ask", `{"wait_seconds": 61}`, 400, `from 0 to 60`},
		{"POST", "/v1/searches/busy/ask", `{}`, 409, `"code":"later"`},
		{"POST", "/v1/searches/busy/ask", `{"wait_seconds": 1}`, 409, `no trial was open for 1 s`},
		{"POST", "/v1/searches/over/ask", `{}`, 410, `"code":"ended"`},
		{"POST", "/v1/searches/silent/ask", `{}`, 503, `no worker answers`},
		{"POST", "/v1/searches/broken/ask", `{}`, 500, `the store is <broken>`},
		{"POST", "/v1/searches/own/tell", `{"trial":3,"state":"complete","metrics":{"rmse":1}}`, 200, `{"trial":3,"told":0,"trials":9}`},
		{"POST", "/v1/searches/own/tell", `{"trial":3,"state":"complete","metrics":{"rmse":null}}`, 422, `is no number`},
		{"POST", "/v1/searches/own/tell", `{"trial":3,"state":"complete","metrics":{"rmse":NaN}}`, 422, `"code":"refused"`},
		{"POST", "/v1/searches/own/tell", "", 422, `"code":"refused"`},
		{"POST", "/v1/searches/own/tell", strings.Repeat(" ", maxBody+1), 413, `"code":"too_large"`},
		{"POST", "/v1/searches/own/ask", strings.Repeat(" ", maxBody+1), 413, `"code":"too_large"`},
		{"GET", "/v1/searches/own/ask", "", 405, `use POST`},
		{"DELETE", "/v1/searches/own", "", 405, `use GET`},
		{"GET", "/", "", 404, `see /v1/openapi.json`},
		{"GET", "/v1/searches//trials", "", 404, `"code":"not_found"`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Origin", "https://elsewhere.example")
		got, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err != nil || got.StatusCode != c.status || !strings.Contains(string(body), c.want) || !json.Valid(body) {
			t.Errorf("%s %s %.60s: %d %s, want %d %s", c.method, c.path, c.body, got.StatusCode, body, c.status, c.want)
		}
		if got.Header.Get("Access-Control-Allow-Origin") != "" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", c.path, got.Header)
		}
	}
}

func TestTokens(t *testing.T) {
	h := Server(fake{}, token).Handler
	for header, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer wrong": 401, "Basic " + token: 401, token: 401, "Bearer " + token + "x": 401, "Bearer  " + token: 401,
		"Bearer " + token: 200, "bearer " + token: 200,
	} {
		for _, path := range []string{"/v1/searches", "/v1/openapi.json", "/nowhere"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.Header.Set("Authorization", header)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != want && (want != 200 || path != "/nowhere") {
				t.Errorf("%q %s: %d, want %d", header, path, w.Code, want)
			}
			if strings.Contains(w.Body.String(), token) {
				t.Error("the token is shown")
			}
		}
	}
}

// What is described is what there is.
func TestDescription(t *testing.T) {
	var d struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(Description, &d); err != nil {
		t.Fatal(err)
	}
	h := Server(fake{}, token).Handler
	n := 0
	for path, methods := range d.Paths {
		for method := range methods {
			n++
			r := httptest.NewRequestWithContext(t.Context(), strings.ToUpper(method),
				regexp.MustCompile(`\{name\}`).ReplaceAllString(path, "own"), nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 200 && w.Code != 422 {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	if n != 6 {
		t.Errorf("%d operations are described", n)
	}
}

// A server that stops does not wait for those who wait for a trial.
func TestStop(t *testing.T) {
	f := fake{make(chan struct{})}
	server := Server(f, token)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	status := make(chan int, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://%s/v1/searches/busy/ask", l.Addr()),
			strings.NewReader(`{"wait_seconds": 60}`))
		r.Header.Set("Authorization", "Bearer "+token)
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = got.Body.Close()
		status <- got.StatusCode
	}()
	<-f.waiting
	began := time.Now()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-status; got != 409 || time.Since(began) > 10*time.Second {
		t.Errorf("%d after %v", got, time.Since(began))
	}
}

// many has searches of which the oldest come first, and a record that cannot be read.
type many struct{ fake }

func (many) Searches(context.Context, string) ([]*client.Entry, error) {
	return []*client.Entry{{Name: "a"}, {Name: "b"}, {Name: "c"}}, fmt.Errorf("search %q: %w", "broken", library.ErrUnreadable)
}

// A record that cannot be read is named beside the searches that can, which come in pages,
// the newest first.
func TestListHasPagesAndNamesTheUnreadable(t *testing.T) {
	server := httptest.NewServer(Server(many{}, token).Handler)
	defer server.Close()
	for query, want := range map[string]string{
		"": "200 a b c next 0", "?limit=2": "200 b c next 2", "?limit=2&from=2": "200 a next 0",
		"?from=9": "200 next 0", "?limit=0": "400 next 0",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/searches"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Searches   []client.Entry
			Next       int
			Unreadable string
		}
		err = json.NewDecoder(answer.Body).Decode(&got)
		_ = answer.Body.Close()
		text := fmt.Sprint(answer.StatusCode)
		for _, e := range got.Searches {
			text += " " + e.Name
		}
		text += fmt.Sprint(" next ", got.Next)
		if err != nil || text != want || strings.Contains(got.Unreadable, "broken") != (answer.StatusCode == 200) {
			t.Errorf("%q: %s, %q, %v; want %s", query, text, got.Unreadable, err, want)
		}
	}
}
