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
	Line       string           `json:"line,omitempty"`
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
	entry.Fence = fence(ctx, in.Line)
	report.Simulated = &study.Simulated{Nightly: in.Nightly, Plan: night.Plan, Object: string(ref), Arms: night.Paces()}
	now, err := library.PutReport(ctx, a.store, report)
	if err != nil {
		return "", err
	}
	return ref, library.UpdateRun(ctx, a.store, in.Experiment, *entry, func(e *library.RunEntry) { e.Report = now })
}

// judgeSimulated compares a night's simulated searches with those of the latest of the
// earlier nights that has their plan, and with those that drift is counted from. There may
// be none.
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
		v.Against, v.Slowdowns = e.name, simulate.Slowdowns(now, before)
		return v, a.drift(ctx, &v, now, e)
	}
	return v, nil
}

// drift compares a night with those that drift is counted from, arm by arm: with what the
// latest night goes on counting from, else with that night itself, which has been done, or,
// where the arm was slower or faster on it, with none.
func (a *Activities) drift(ctx context.Context, v *study.SimulatedVerdict, now *simulate.Night, latest pastNight) error {
	past := latest.report.Simulated
	bases := map[string]*simulate.Night{}
	for arm, name := range now.Arms {
		if past.Moved(name) {
			continue
		}
		base, ok := past.Base(name)
		if ok && bases[base.Object] == nil {
			night, err := library.ReadSimulated(ctx, a.store, store.Ref(base.Object))
			if err != nil {
				return fmt.Errorf("run %s: %w", base.Run, err)
			}
			bases[base.Object] = night
		}
		if !ok || !now.SameWorld(bases[base.Object]) {
			v.Bases = append(v.Bases, study.Base{Arm: name, Run: latest.name, Object: past.Object})
			continue
		}
		v.Bases = append(v.Bases, base)
		v.Drift = append(v.Drift, study.Drift{Since: base.Run, Slowdown: simulate.Drift(now, bases[base.Object], arm)})
	}
	return nil
}
