package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"tnaml/experiments/strict"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// ask answers with trials to run.
func (a api) ask(ctx context.Context, r *http.Request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		Count int  `json:"count"`
		Trial *int `json:"trial"`
		Wait  int  `json:"wait_seconds"`
	}
	if len(bytes.TrimSpace(body)) > 0 {
		if err := strict.Unmarshal(body, &in); err != nil {
			return nil, client.Usage(err)
		}
	}
	if in.Wait < 0 || in.Wait > maxWait {
		return nil, client.Usage(fmt.Errorf("wait_seconds is %d: it must be a number from 0 to %d", in.Wait, maxWait))
	}
	name, want := r.PathValue("name"), workflows.Ask{Count: in.Count, Trial: in.Trial}
	if out, ok, err := a.again(ctx, name, want); ok || err != nil {
		return out, err
	}
	var out workflows.Asked
	if in.Wait == 0 {
		out, err = a.s.Ask(ctx, name, want)
	} else {
		out, err = a.wait(ctx, name, want, time.Duration(in.Wait)*time.Second)
	}
	if ctx.Err() != nil { // the connection has been closed meanwhile
		a.unheard.put(name, out)
	}
	return out, err
}

// wait waits for a trial for so long. Meanwhile the request holds no place of those that
// others need: it waits for one of these to tell.
func (a api) wait(ctx context.Context, name string, want workflows.Ask, long time.Duration) (workflows.Asked, error) {
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		return workflows.Asked{}, busyError{maxWaiting, "asks that wait"}
	}
	if leave, ok := ctx.Value(leaves{}).(func()); ok {
		leave()
	}
	within, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	defer context.AfterFunc(a.closing, cancel)()
	out, err := a.s.AskWait(within, name, want)
	if ended := within.Err(); ended != nil && errors.Is(err, ended) && ctx.Err() == nil { // not that no worker answers
		return out, &client.RefusedError{Search: name, Later: true,
			Reason: fmt.Sprintf("no trial was open for %.0f s: ask again", long.Seconds())}
	}
	return out, err
}

// again answers with a trial that was leased to somebody who did not hear of it; ok is false
// where there is none.
func (a api) again(ctx context.Context, name string, want workflows.Ask) (out workflows.Asked, ok bool, err error) {
	for {
		trial, ok := a.unheard.take(name, want.Trial)
		if !ok || want.Trial != nil { // which is asked for by its number anyway
			return out, false, nil
		}
		out, err = a.s.Ask(ctx, name, workflows.Ask{Trial: &trial.Trial}) // which renews its lease
		var refused *client.RefusedError
		switch never := errors.As(err, &refused) && !refused.Later; {
		case never: // it has been told by somebody who knew its number, or the search has ended
			continue
		case err != nil || ctx.Err() != nil:
			a.unheard.put(name, workflows.Asked{Trials: []workflows.AskedTrial{trial}})
		}
		return out, err == nil, err
	}
}

// unheard are trials that were leased for connections which were closed before the answer: no
// one has them, and a search may stand still for them until their leases end.
type unheard struct {
	mu sync.Mutex
	of map[string][]workflows.AskedTrial // by search
}

// maxUnheard bounds the trials of a search that are kept for the next who asks.
const maxUnheard = workflows.MaxAsked

func (u *unheard) put(name string, asked workflows.Asked) {
	if len(asked.Trials) == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	all := append(u.of[name], asked.Trials...)
	u.of[name] = all[max(0, len(all)-maxUnheard):]
}

// take takes the first trial whose lease has not ended, or the one of a number. Others are
// forgotten on the way: those whose leases have ended are handed out by the search itself.
func (u *unheard) take(name string, number *int) (workflows.AskedTrial, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found *workflows.AskedTrial
	var left []workflows.AskedTrial
	for _, t := range u.of[name] {
		switch {
		case !t.LeaseEnds.After(time.Now()):
		case found == nil && (number == nil || *number == t.Trial):
			found = &t
		default:
			left = append(left, t)
		}
	}
	if len(left) > 0 {
		u.of[name] = left
	} else {
		delete(u.of, name)
	}
	if found == nil {
		return workflows.AskedTrial{}, false
	}
	return *found, true
}
