package activities

import (
	"context"
	"fmt"
	"iter"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/study"
)

// SimulateInput asks for a night's searches of recorded tasks.
type SimulateInput struct {
	Experiment string           `json:"experiment"`
	Name       string           `json:"name"`
	RunID      string           `json:"run_id"`
	Nightly    simulate.Nightly `json:"nightly"`
}

// Simulating is the progress of such searches, as its heartbeat carries it.
type Simulating struct {
	Trials int `json:"trials"`
	All    int `json:"all"`
}

// Simulate runs a night's searches of recorded tasks, in this process and on one core,
// and records under the run what they took. It is a function of its input and of the
// program: a retry gives the same object.
func (a *Activities) Simulate(ctx context.Context, in SimulateInput) (store.Ref, error) {
	night, err := in.Nightly.Run(ctx, func(done, all int) { tell(ctx, Simulating{done, all}) })
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", invalid(err)
	}
	ref, err := a.recordSimulated(ctx, in, night)
	return ref, classify(err)
}

func (a *Activities) recordSimulated(ctx context.Context, in SimulateInput, night *simulate.Night) (store.Ref, error) {
	ref, err := library.PutSimulated(ctx, a.store, night)
	if err != nil {
		return "", err
	}
	entry, report, err := library.FindRun(ctx, a.store, in.Experiment, in.Name, in.RunID)
	if err != nil {
		return "", err
	}
	report.Simulated = &study.Simulated{Nightly: in.Nightly, Plan: night.Plan, Object: string(ref), Arms: night.Paces()}
	now, err := library.PutReport(ctx, a.store, report)
	if err != nil {
		return "", err
	}
	return ref, library.UpdateRun(ctx, a.store, in.Experiment, *entry, func(e *library.RunEntry) { e.Report = now })
}

// judgeSimulated compares a night's simulated searches with those of the latest of the
// earlier nights that has their plan, and with those that drift is counted from.
func (a *Activities) judgeSimulated(
	ctx context.Context, tonight *study.Simulated, earlier iter.Seq2[pastNight, error],
) (v study.SimulatedVerdict, err error) {
	now, err := library.ReadSimulated(ctx, a.store, store.Ref(tonight.Object))
	if err != nil {
		return v, err
	}
	for e, err := range earlier {
		if err != nil {
			return v, err
		}
		past := e.report.Simulated
		if past == nil || past.Plan != tonight.Plan {
			continue
		}
		before, err := library.ReadSimulated(ctx, a.store, store.Ref(past.Object))
		if err != nil {
			return v, fmt.Errorf("run %s: %w", e.name, err)
		}
		if !now.SameWorld(before) {
			continue
		}
		v = study.SimulatedVerdict{Against: e.name, Slowdowns: simulate.Slowdowns(now, before), Since: e.name, SinceObject: past.Object}
		if past.Since == "" || past.Slower() {
			return v, nil
		}
		first, err := library.ReadSimulated(ctx, a.store, store.Ref(past.SinceObject))
		if err != nil {
			return v, fmt.Errorf("run %s: %w", past.Since, err)
		}
		if now.SameWorld(first) {
			v.Since, v.SinceObject, v.Drift = past.Since, past.SinceObject, simulate.Drift(now, first)
		}
		return v, nil
	}
	return v, nil
}
