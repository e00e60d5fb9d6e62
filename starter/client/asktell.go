package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// RefusedError says why an ask or a tell was not taken.
type RefusedError struct {
	Search, Reason string
	// Later: the same may be taken later. Ended: the search takes no more trials.
	Later, Ended bool
	// told: the workflow does not know any more what the trial was told with.
	told bool
}

func (e *RefusedError) Error() string { return fmt.Sprintf("search %s: %s", e.Search, e.Reason) }

// Ask takes trials to run of a search whose space has `trainer: external`. Whoever has one
// tells what it gave, or asks for it again by its number, before its lease ends. What is
// refused is a RefusedError. Once it is under way, an ask does not end with ctx: the workflow
// leases the trial all the same, and nobody would have it till the lease ends. So it may be
// answered with trials, which are the caller's, after ctx has ended.
func (c *Client) Ask(ctx context.Context, name string, in workflows.Ask) (out workflows.Asked, err error) {
	if err := ctx.Err(); err != nil {
		return out, err
	}
	err = c.asking(context.WithoutCancel(ctx), name, workflows.AskUpdate, in, &out)
	return out, err
}

const (
	// askAgainFirst and askAgainMost are how soon a refused ask is made again; a refusal
	// leaves no trace in the search's history.
	askAgainFirst = 50 * time.Millisecond
	askAgainMost  = 2 * time.Second
)

// AskWait is Ask, waiting for a trial until the search takes no more. Where ctx ends, no
// further ask is begun: the error is that of ctx, unless the last one was answered.
func (c *Client) AskWait(ctx context.Context, name string, in workflows.Ask) (workflows.Asked, error) {
	for pause := askAgainFirst; ; pause = min(2*pause, askAgainMost) {
		out, err := c.Ask(ctx, name, in)
		var refused *RefusedError
		if !errors.As(err, &refused) || !refused.Later {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Tell says what an asked trial gave: a workflows.Tell in JSON, which is checked as people
// have typed it. To tell the same again is no mistake, also when the search has learned
// from it, or has ended. What is refused is a RefusedError.
func (c *Client) Tell(ctx context.Context, name string, tell json.RawMessage) (out workflows.Told, err error) {
	if !json.Valid(tell) { // or it would be no argument at all
		return out, &RefusedError{Search: name, Reason: "what is told is no JSON"}
	}
	err = c.asking(ctx, name, workflows.TellUpdate, tell, &out)
	var refused *RefusedError
	if !errors.As(err, &refused) || !refused.told && !refused.Ended {
		return out, err
	}
	l, failed := c.Find(ctx, name)
	if failed != nil {
		return out, err
	}
	if name := l.Config.Space.TrainerName(); name != (trainer.External{}).Name() {
		refused.Reason = fmt.Sprintf("its trials were run by the trainer %s: only those of a space with `trainer: %s` are asked and told", name,
			trainer.External{}.Name())
		return out, refused
	}
	t, outcome, wrong := workflows.ParseTell(tell, l.Config.Space.Objective)
	if wrong != nil {
		return out, refusedBy(name, wrong)
	}
	at := slices.IndexFunc(l.Trials, func(o search.Trial) bool { return o.Trial == *t.Trial })
	switch {
	case at >= 0 && workflows.SameTell(l.Trials[at], outcome):
		return workflows.Told{Trial: *t.Trial, Again: true, Told: len(l.Trials), Trials: max(len(l.Trials), l.Record.Told)}, nil
	case at >= 0:
		return out, &RefusedError{Search: name, Reason: fmt.Sprintf("trial %d has been told with something else", *t.Trial), Ended: refused.Ended}
	}
	return out, err
}

// asking is an update of a search that is asked and told.
func (c *Client) asking(ctx context.Context, name, update string, in, out any) error {
	within, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	err := c.updated(within, name, update, []any{in}, out)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		return fmt.Errorf("search %s: %w", name, c.silence(ctx, context.DeadlineExceeded))
	}
	var app *temporal.ApplicationError
	if hasEnded(err) {
		return &RefusedError{Search: name, Reason: "it has ended: it takes no more trials", Ended: true}
	}
	if !errors.As(err, &app) {
		return called(Search, name, err)
	}
	if kind, failed := c.KindOf(within, name); failed == nil && kind != Search {
		return Usage(fmt.Errorf("%s is a %s: ask, and tell, one of its searches", name, kind))
	}
	return refusedBy(name, err)
}

// refusedBy is a workflow's refusal.
func refusedBy(name string, err error) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return err
	}
	return &RefusedError{Search: name, Reason: app.Message(), Later: app.Type() == workflows.RefusedNow,
		Ended: app.Type() == workflows.RefusedEnded, told: app.Type() == workflows.RefusedTold}
}
