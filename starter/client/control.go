package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/client"

	"tnaml/workflows"
)

// Pause has a search, or all of a run, start no more trials until resumed; the reason
// may be empty.
func (c *Client) Pause(ctx context.Context, name, reason string) (Progress, error) {
	return c.change(ctx, name, workflows.Pause, reason)
}

// Resume has it go on after a pause.
func (c *Client) Resume(ctx context.Context, name string) (Progress, error) {
	return c.change(ctx, name, workflows.Resume)
}

// Stop finishes a search, or all of a run, with what is there.
func (c *Client) Stop(ctx context.Context, name string) (Progress, error) {
	return c.change(ctx, name, workflows.Stop)
}

// Extend adds to a search's budget.
func (c *Client) Extend(ctx context.Context, name string, more workflows.Extension) (Progress, error) {
	if more.Trials < 0 || more == (workflows.Extension{}) {
		return Progress{}, Usage(fmt.Errorf("extend by %d: give a number of trials, at least 1", more.Trials))
	}
	if err := errors.Join(more.Problems()...); err != nil {
		return Progress{}, Usage(err)
	}
	p, err := c.change(ctx, name, workflows.Extend, more)
	if errors.Is(err, errEnded) {
		err = fmt.Errorf("%w: `starter search --from %s --trials +%d` goes on from where it ended", err, name, max(more.Trials, 1))
	}
	return p, err
}

// change asks for a change, and returns the progress with which the workflow answers.
// Where no worker answers the change is left with the workflow, for the first that
// comes, and the progress is Silent.
func (c *Client) change(ctx context.Context, name, change string, args ...any) (Progress, error) {
	kind, err := c.KindOf(ctx, name)
	switch {
	case err != nil:
		return Progress{}, err
	case kind == Collection || kind == Run && change == workflows.Extend:
		return Progress{}, Usage(fmt.Errorf("%s is a %s: there is nothing to %s", name, kind, change))
	}
	// An update that nobody takes is lost with its client; whether somebody does is asked
	// first, for an update that was given up may still be done, and a signal then twice.
	switch err := c.query(ctx, name, &json.RawMessage{}); {
	case err == nil:
		return c.update(ctx, name, change, args)
	case errors.Is(err, ErrAway):
		return Progress{}, called("", name, err)
	}
	if ctx.Err() != nil {
		return Progress{}, ctx.Err()
	}
	var arg any
	if len(args) > 0 {
		arg = args[0]
	}
	return Progress{State: Silent}, called("", name, c.Temporal.SignalWorkflow(ctx, name, "", change, arg))
}

// update is a change that is answered.
func (c *Client) update(ctx context.Context, name, update string, args []any) (Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	var answer json.RawMessage
	if err := c.updated(ctx, name, update, args, &answer); err != nil {
		return Progress{}, called("", name, err)
	}
	p, err := answered(answer)
	if err != nil {
		return p, fmt.Errorf("%s: its answer: %w", name, err)
	}
	if p.Run != nil {
		c.flight(ctx, p.Run)
	}
	return p, nil
}

// updated sends an update and reads its answer. If it is sent again, then under one ID, so that it is
// done once.
func (c *Client) updated(ctx context.Context, name, update string, args []any, out any) error {
	id := rand.Text()
	return persist(ctx, func() error {
		handle, err := c.Temporal.UpdateWorkflow(ctx, sdk.UpdateWorkflowOptions{
			UpdateID: id, WorkflowID: name, UpdateName: update, Args: args, WaitForStage: sdk.WorkflowUpdateStageCompleted,
		})
		if err != nil {
			return err
		}
		return handle.Get(ctx, out)
	})
}

// persist calls a workflow again where the server gave the call up with a workflow task that it could
// not take or has not made yet: nothing has been done then. That happens when a search continues as new
// and something comes.
func persist(ctx context.Context, call func() error) error {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := call()
		var givenUp *serviceerror.WorkflowNotReady
		if !errors.As(err, &givenUp) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// answered reads the answer to an update: a search's progress, or that of a run of an
// experiment, which has a kind.
func answered(answer json.RawMessage) (Progress, error) {
	var is struct {
		Kind   string `json:"kind"`
		Status string `json:"status"`
	}
	if err := json.Unmarshal(answer, &is); err != nil {
		return Progress{}, err
	}
	p := Progress{State: stateOf(is.Status)}
	if is.Kind != "" {
		p.Run = &RunProgress{}
		return p, json.Unmarshal(answer, &p.Run.ExperimentProgress)
	}
	p.Search = &SearchProgress{}
	return p, json.Unmarshal(answer, &p.Search.Progress)
}
