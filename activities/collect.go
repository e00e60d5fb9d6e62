package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/gc"
	"tnaml/activities/library"
)

// ErrTypeBusy: a garbage collection without a grace period found workflows open.
const ErrTypeBusy = "Busy"

// CollectInput asks for a garbage collection.
type CollectInput struct {
	// Grace is the grace period, 0 for none.
	Grace time.Duration `json:"grace"`
	// DryRun finds out what would be done, and does nothing of it.
	DryRun bool `json:"dry_run,omitempty"`
	// TaskQueue and Types are those of the workflows that must not be open while the
	// grace period is short.
	TaskQueue string   `json:"task_queue"`
	Types     []string `json:"types"`
}

// Collected is what a garbage collection did. After an attempt that broke off it
// is what was left to do.
type Collected struct {
	// Plan is what was found; it names the first of the missing objects.
	gc.Plan
	// MissingObjects counts all that are missing.
	MissingObjects int `json:"missing_objects,omitempty"`
	// Done says that the plan was carried out: it was no dry run, and not empty.
	Done bool `json:"done"`
}

// Collecting is the progress of a garbage collection, as its heartbeat carries it.
// Total is 0 where it is not known.
type Collecting struct {
	Step  string `json:"step"`
	Done  int    `json:"done"`
	Total int    `json:"total,omitempty"`
}

// Collect collects garbage: see package gc. An attempt that breaks off leaves a
// sound store, and the next one begins anew.
func (a *Activities) Collect(ctx context.Context, in CollectInput) (Collected, error) {
	out, err := a.collect(ctx, in)
	var busy *busyError
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return Collected{}, context.Cause(ctx)
	case errors.As(err, &busy):
		return Collected{}, temporal.NewNonRetryableApplicationError(err.Error(), ErrTypeBusy, nil)
	}
	return Collected{}, classify(err)
}

func (a *Activities) collect(ctx context.Context, in CollectInput) (Collected, error) {
	o := gc.Options{
		Grace:    in.Grace,
		Idle:     func(ctx context.Context) error { return a.idle(ctx, in) },
		Progress: func(step string, done, total int) { tell(ctx, Collecting{step, done, total}) },
	}
	if in.Grace == 0 {
		o.Grace = gc.NoGrace
	}
	plan, err := gc.Survey(ctx, a.store, o)
	if err != nil {
		return Collected{}, err
	}
	done := !in.DryRun && !plan.Empty()
	if done || !in.DryRun && plan.Tidies() { // which nobody need be told of
		if err := plan.Run(ctx, a.store, o); err != nil {
			return Collected{}, err
		}
	}
	out := Collected{Plan: *plan, MissingObjects: len(plan.Missing), Done: done}
	out.Missing = plan.Missing[:min(len(plan.Missing), MaxNamed)]
	return out, nil
}

// busyError says what is open.
type busyError struct {
	grace time.Duration
	open  []string
}

func (e *busyError) Error() string {
	names := strings.Join(e.open[:min(len(e.open), 10)], ", ")
	if more := len(e.open) - 10; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("a grace period of %s needs a time when nothing runs, and these are open: %s; "+
		"stop them, or leave the grace period at %s or more", e.grace, names, gc.MinGrace)
}

// idle refuses a short grace period while workflows are open: those that Temporal
// lists, which may be a moment late, and those whose records say that they run.
func (a *Activities) idle(ctx context.Context, in CollectInput) error {
	c := activity.GetClient(ctx)
	response, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: activity.GetInfo(ctx).Namespace,
		Query: fmt.Sprintf("ExecutionStatus = 'Running' AND TaskQueue = '%s' AND WorkflowType IN ('%s')",
			in.TaskQueue, strings.Join(in.Types, "', '")),
	})
	if err != nil {
		return fmt.Errorf("looking for open workflows: %w", err)
	}
	var open []string
	for _, e := range response.GetExecutions() {
		open = append(open, e.GetExecution().GetWorkflowId())
	}
	running, err := library.RecordedRunning(ctx, a.store)
	if err != nil {
		return err
	}
	for _, name := range running {
		if slices.Contains(open, name) {
			continue
		}
		d, err := c.DescribeWorkflowExecution(ctx, name, "")
		var missing *serviceerror.NotFound
		switch {
		case errors.As(err, &missing): // its record alone says that it runs
		case err != nil:
			return fmt.Errorf("workflow %s: %w", name, err)
		case d.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
			open = append(open, name)
		}
	}
	if len(open) == 0 {
		return nil
	}
	slices.Sort(open)
	return &busyError{in.Grace, open}
}
