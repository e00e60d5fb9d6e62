package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
)

// PlanInput asks for a run's plan.
type PlanInput struct {
	Kind  catalog.Kind    `json:"kind"`
	Name  string          `json:"name"`
	RunID string          `json:"run_id"`
	Line  string          `json:"line,omitempty"`
	Spec  json.RawMessage `json:"spec"`
}

// PlanExperiment reads the experiment, plans the run and records that it runs.
// What is wrong with the spec, and what the store lacks, comes together, and is
// recorded as the reason why the run failed. A name that another run holds is refused.
func (a *Activities) PlanExperiment(ctx context.Context, in PlanInput) (library.Planned, error) {
	if err := library.RunHeld(ctx, a.store, in.Name, in.RunID); err != nil {
		return library.Planned{}, classify(err)
	}
	entry := library.RunEntry{Name: in.Name, RunID: in.RunID, Kind: in.Kind, Fence: fence(ctx, in.Line), Status: "running", Started: now(),
		Namespace: activity.GetInfo(ctx).Namespace}
	name, err := catalog.ExperimentOf(in.Spec)
	if err != nil {
		return library.Planned{}, invalid(fmt.Errorf("%s spec: %w", in.Kind, err))
	}
	p, err := a.plan(ctx, in, name)
	if errors.Is(err, library.ErrInvalid) {
		entry.Status, entry.Reason, entry.Ended = "failed", limit.Reason(err.Error()), now()
		if failed := library.UpdateRun(ctx, a.store, name, entry, func(*library.RunEntry) {}); failed != nil {
			activity.GetLogger(ctx).Warn("a start that failed is not on record", "run", in.Name, "error", failed)
		}
	}
	if err != nil {
		return library.Planned{}, classify(err)
	}
	if entry.Report, err = library.PutReport(ctx, a.store, &library.RunReport{Plan: *p, Outcomes: []library.Outcome{}}); err != nil {
		return library.Planned{}, classify(err)
	}
	entry.Searches = len(p.Pretrain) + len(p.Searches)
	// Where the run is there already, it has been reset to before its start.
	return *p, classify(library.UpdateRun(ctx, a.store, p.Experiment, entry, func(e *library.RunEntry) { *e = entry }))
}

func (a *Activities) plan(ctx context.Context, in PlanInput, name string) (*library.Planned, error) {
	e, err := library.LoadExperiment(ctx, a.store, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, library.Invalid(err)
	}
	if err != nil {
		return nil, err
	}
	plan, err := catalog.MakePlan(in.Kind, e, in.Spec)
	if err != nil {
		return nil, library.Invalid(err)
	}
	planned, err := library.PinPlan(ctx, a.store, plan)
	if err != nil {
		return nil, err
	}
	for _, o := range planned.Outcomes(in.Name) {
		if err := store.CheckName(store.Search, o.Search); err != nil {
			return nil, library.Invalid(fmt.Errorf("%w: give the run a shorter name", err))
		}
		if err := limit.ID(o.Search); err != nil {
			return nil, library.Invalid(fmt.Errorf("%w in the names of run, tasks and arms", err))
		}
	}
	return planned, nil
}

// RecordRunInput writes down how far a run is.
type RecordRunInput struct {
	Experiment string            `json:"experiment"`
	Kind       catalog.Kind      `json:"kind"`
	Name       string            `json:"name"`
	RunID      string            `json:"run_id"`
	Line       string            `json:"line,omitempty"`
	Status     string            `json:"status"`
	Outcomes   []library.Outcome `json:"outcomes"`
	// StatusOnly records no outcomes: that could not be done.
	StatusOnly bool `json:"status_only,omitempty"`
}

// RecordRun stores a run's outcomes under its experiment.
func (a *Activities) RecordRun(ctx context.Context, in RecordRunInput) (store.Ref, error) {
	ref, err := a.recordRun(ctx, in)
	return ref, classify(err)
}

func (a *Activities) recordRun(ctx context.Context, in RecordRunInput) (store.Ref, error) {
	if in.StatusOnly {
		entry := library.RunEntry{Name: in.Name, RunID: in.RunID, Kind: in.Kind, Fence: fence(ctx, in.Line)}
		return "", library.UpdateRun(ctx, a.store, in.Experiment, entry, func(e *library.RunEntry) { e.Status, e.Ended = in.Status, now() })
	}
	entry, report, err := library.FindRun(ctx, a.store, in.Experiment, in.Name, in.RunID)
	if err != nil {
		return "", err
	}
	entry.Fence, report.Outcomes = fence(ctx, in.Line), in.Outcomes
	ref, err := library.PutReport(ctx, a.store, report)
	if err != nil {
		return "", err
	}
	return ref, library.UpdateRun(ctx, a.store, in.Experiment, *entry, func(e *library.RunEntry) {
		e.Status, e.Report, e.Ended = in.Status, ref, now()
	})
}
