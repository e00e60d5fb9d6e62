package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tnaml/starter/client"
	"tnaml/workflows"
)

// post is a request of the API, until ctx ends.
func post(ctx context.Context, h http.Handler, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// However many wait for a trial, who tells is heard: it is what they wait for. Of those that
// wait there is a bound too, and an ask that does not wait is none of them.
func TestWhoWaitsKeepsNobodyFromTelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Server(fake{}, token).Handler
		var all sync.WaitGroup
		wait := func() { post(t.Context(), h, "/v1/searches/busy/ask", `{"wait_seconds": 60}`) }
		for range max(maxWaiting, maxInFlight) {
			all.Go(wait)
		}
		synctest.Wait()
		if w := post(t.Context(), h, "/v1/searches/own/tell", `{"trial":0,"state":"complete","metrics":{"rmse":1}}`); w.Code != 200 {
			t.Errorf("tell: %d %s", w.Code, w.Body)
		}
		if w := post(t.Context(), h, "/v1/searches/own/ask", `{}`); w.Code != 200 {
			t.Errorf("ask: %d %s", w.Code, w.Body)
		}
		w := post(t.Context(), h, "/v1/searches/own/ask", `{"wait_seconds": 1}`)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "more than 256 asks that wait at once") {
			t.Errorf("one who waits too: %d %s", w.Code, w.Body)
		}
		all.Wait()
		if w := post(t.Context(), h, "/v1/searches/own/ask", `{"wait_seconds": 1}`); w.Code != 200 {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// A wait that ends says that no trial was open; that no worker answers is said as such.
func TestAWaitThatEndsIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Server(silent{}, token).Handler
		if w := post(t.Context(), h, "/v1/searches/own/ask", `{"wait_seconds": 1}`); w.Code != 503 ||
			!strings.Contains(w.Body.String(), "no worker answers") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// silent is found out to be that after the wait has ended.
type silent struct{ fake }

func (silent) AskWait(context.Context, string, workflows.Ask) (workflows.Asked, error) {
	time.Sleep(30 * time.Second)
	return workflows.Asked{}, client.ErrSilent
}

// leaser leases trials 0, 1, …, a second after it is asked, for an hour; it refuses those told.
type leaser struct {
	fake
	next int
	told map[int]bool
}

func (l *leaser) Ask(_ context.Context, name string, in workflows.Ask) (workflows.Asked, error) {
	time.Sleep(time.Second)
	trial := l.next
	if in.Trial == nil {
		l.next++
	} else if trial = *in.Trial; l.told[trial] {
		return workflows.Asked{}, &client.RefusedError{Search: name, Reason: "it has been told"}
	}
	return workflows.Asked{Trials: []workflows.AskedTrial{{Trial: trial, LeaseEnds: time.Now().Add(time.Hour)}}}, nil
}

func (l *leaser) AskWait(ctx context.Context, name string, in workflows.Ask) (workflows.Asked, error) {
	return l.Ask(ctx, name, in)
}

// A trial that was leased for a connection that closed goes to the next who asks, unless its
// lease has ended, it has been told, or somebody has asked for it by its number.
func TestATrialThatNobodyHeardOfIsHandedOn(t *testing.T) {
	for name, c := range map[string]struct {
		search string
		number string
		told   bool
		pause  time.Duration
		want   string
	}{
		"the next has it":            {search: "own", want: `"trial":0`},
		"of another search":          {search: "other", want: `"trial":1`},
		"its lease has ended":        {search: "own", pause: 2 * time.Hour, want: `"trial":1`},
		"it has been told":           {search: "own", told: true, want: `"trial":1`},
		"it was asked by its number": {search: "own", number: `{"trial": 0}`, want: `"trial":1`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, body := range []string{`{}`, `{"wait_seconds": 9}`} {
					l := &leaser{told: map[int]bool{0: c.told}}
					h := Server(l, token).Handler
					ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
					post(ctx, h, "/v1/searches/own/ask", body)
					cancel()
					time.Sleep(c.pause)
					if c.number != "" {
						post(t.Context(), h, "/v1/searches/own/ask", c.number)
					}
					if w := post(t.Context(), h, "/v1/searches/"+c.search+"/ask", body); w.Code != 200 || !strings.Contains(w.Body.String(), c.want) {
						t.Errorf("%s: %d %s, want %s", body, w.Code, w.Body, c.want)
					}
					if w := post(t.Context(), h, "/v1/searches/own/ask", body); strings.Contains(w.Body.String(), c.want) && c.search == "own" {
						t.Errorf("%s: handed out twice: %s", body, w.Body)
					}
				}
			})
		})
	}
}
