package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/gc"
	"tnaml/experiments/catalog"
	"tnaml/experiments/strict"
)

// CollectWorkflow is the workflow type of garbage collections.
const CollectWorkflow = "Collect"

// CollectSpec is the input of the Collect workflow: one JSON object in which every
// field has a default, so that {} is enough.
type CollectSpec struct {
	// Grace is the age from which an object that no name reaches may be set aside, and
	// from which what was set aside is deleted, as a Go duration. Below one hour it is
	// only for a time when no search and no experiment is open.
	Grace string `json:"grace"`
	// DryRun finds out what would be done, and does nothing of it.
	DryRun bool `json:"dry_run"`
}

// DefaultCollectSpec returns the defaults that a spec is decoded over.
func DefaultCollectSpec() CollectSpec { return CollectSpec{Grace: gc.DefaultGrace.String()} }

// ParseCollectSpec decodes a spec over the defaults and checks it: unknown fields
// are refused with the list of known ones.
func ParseCollectSpec(raw []byte) (CollectSpec, error) {
	spec := DefaultCollectSpec()
	if err := strict.Unmarshal(raw, &spec); err != nil {
		return spec, fmt.Errorf("collection spec: %w", err)
	}
	if d, err := time.ParseDuration(spec.Grace); err != nil || d < 0 {
		return spec, fmt.Errorf(`collection spec: "grace" is %q: it must be a duration of 0 or more, e.g. "24h"`, spec.Grace)
	}
	return spec, nil
}

// collectTimeout bounds one attempt of a garbage collection.
const collectTimeout = 24 * time.Hour

// Collect collects garbage: it frees the space of objects that no name reaches.
// Its argument is a CollectSpec as JSON. It may run beside anything, and other
// collections too.
func Collect(ctx workflow.Context, raw json.RawMessage) (*activities.Collected, error) {
	spec, err := ParseCollectSpec(raw)
	if err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), activities.ErrTypeInvalid, nil)
	}
	grace, _ := time.ParseDuration(spec.Grace) // checked
	what := "garbage collection"
	if spec.DryRun {
		what += ", a dry run"
	}
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("### %s\n\nThe grace period is %s.", what, spec.Grace))
	types := []string{SearchWorkflow}
	for _, k := range catalog.Kinds() {
		types = append(types, string(k))
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           LightQueue(workflow.GetInfo(ctx).TaskQueueName), // it takes no trial's place
		StartToCloseTimeout: collectTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         retries(),
		Summary:             what,
	})
	in := activities.CollectInput{Grace: grace, DryRun: spec.DryRun, TaskQueue: workflow.GetInfo(ctx).TaskQueueName, Types: types}
	var out activities.Collected
	if err := workflow.ExecuteActivity(ctx, "Collect", in).Get(ctx, &out); err != nil {
		return nil, err
	}
	workflow.SetCurrentDetails(ctx, collectDetails(what, spec, &out))
	return &out, nil
}

// collectDetails is the outcome of a collection as Markdown.
func collectDetails(what string, spec CollectSpec, c *activities.Collected) string {
	var b strings.Builder
	verb := "nothing to do"
	switch {
	case c.Done:
		verb = "done"
	case !c.Empty():
		verb = "nothing was done"
	}
	fmt.Fprintf(&b, "### %s\n\n**%s** · grace period %s\n\n| | objects | MB |\n|---|---:|---:|\n", what, verb, spec.Grace)
	row := func(name string, t gc.Tally) {
		fmt.Fprintf(&b, "| %s | %d | %.1f |\n", name, t.Objects, float64(t.Bytes)/1e6)
	}
	row("kept", gc.Sum(c.Kept))
	row("within the grace period", c.Young)
	for _, t := range c.SetAside {
		row("set aside: "+t.Kind, t)
	}
	row("set aside before, waiting", c.Waiting)
	row("deleted", c.Deleted)
	if c.Names > 0 {
		fmt.Fprintf(&b, "\n%d names of features and of checkpoints go with their tasks, modules and searches.\n", c.Names)
	}
	for _, m := range c.Missing {
		fmt.Fprintf(&b, "\n> %s refers to a %s that is not there: `%s`\n", m.By, m.Kind, m.Ref)
	}
	if more := c.MissingObjects - len(c.Missing); more > 0 {
		fmt.Fprintf(&b, "\n> and %d more are missing\n", more)
	}
	return b.String()
}
