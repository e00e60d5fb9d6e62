package client

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "go.temporal.io/sdk/client"

	"tnaml/workflows"
)

// Pause has a search, or all of a run, start no more trials until resumed; the reason
// may be empty.
func (c *Client) Pause(ctx context.Context, name, reason string) (Progress, error) {
	return c.update(ctx, name, workflows.Pause, reason)
}

// Resume has it go on after a pause.
func (c *Client) Resume(ctx context.Context, name string) (Progress, error) {
	return c.update(ctx, name, workflows.Resume)
}

// Stop finishes a search, or all of a run, with what is there.
func (c *Client) Stop(ctx context.Context, name string) (Progress, error) {
	return c.update(ctx, name, workflows.Stop)
}

// Extend adds trials to a search's budget.
func (c *Client) Extend(ctx context.Context, name string, trials int) (Progress, error) {
	if trials < 1 {
		return Progress{}, Usage(fmt.Errorf("extend by %d: give a number of trials, at least 1", trials))
	}
	return c.update(ctx, name, workflows.Extend, trials)
}

// update asks for a change, and returns the progress with which the workflow answers.
func (c *Client) update(ctx context.Context, name, update string, args ...any) (Progress, error) {
	handle, err := c.Temporal.UpdateWorkflow(ctx, sdk.UpdateWorkflowOptions{
		WorkflowID: name, UpdateName: update, Args: args, WaitForStage: sdk.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return Progress{}, called("", name, err)
	}
	var answer json.RawMessage
	if err := handle.Get(ctx, &answer); err != nil {
		return Progress{}, called("", name, err)
	}
	p, err := answered(answer)
	if err != nil {
		return p, fmt.Errorf("%s: its answer: %w", name, err)
	}
	return p, nil
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
