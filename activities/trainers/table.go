package trainers

import (
	"context"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/data/table"
	"tnaml/experiments/trainer"
)

// Table looks outcomes up in the task's object.
type Table struct {
	trainer.Table
	store  store.Store
	memory *memory.Cache
}

// NewTable returns the trainer over a store.
func NewTable(s store.Store, m *memory.Cache) *Table { return &Table{store: s, memory: m} }

// Version is that of the look-up.
func (*Table) Version() string { return "2" }

// Cached says that looking up again is cheaper than any cache.
func (*Table) Cached() bool { return false }

// Run looks a trial up. Choices that were not recorded, and that the object has no
// estimate of, are a failed trial.
func (t *Table) Run(ctx context.Context, r trainer.Request, progress func(trainer.Progress) error) (trainer.Result, error) {
	if err := ctx.Err(); err != nil {
		return trainer.Result{}, err
	}
	recorded, err := memory.Of(ctx, t.memory, "table "+r.Task.Data, func(ctx context.Context) (*table.Table, int64, error) {
		b, err := t.store.Get(ctx, store.Ref(r.Task.Data))
		if err != nil {
			return nil, 0, fmt.Errorf("task %q: %w", r.Task.Name, err)
		}
		decoded, err := kinds.Decode(b)
		if err != nil {
			return nil, 0, library.Invalid(fmt.Errorf("task %q: %w", r.Task.Name, err))
		}
		recorded, ok := decoded.(*table.Table)
		if !ok {
			return nil, 0, library.Invalid(fmt.Errorf("task %q is of %ss: the trainer table looks trials up in a recorded benchmark", r.Task.Name,
				decoded.Kind()))
		}
		return recorded, 3 * int64(len(b)), nil
	})
	if err != nil {
		return trainer.Result{}, err
	}
	if err := progress(trainer.Progress{Step: 1, Steps: 1}); err != nil {
		return trainer.Result{}, err
	}
	metrics, ok := recorded.Look(r.Choices, r.Seed)
	if !ok {
		return failed("the benchmark %q has no row of these choices, nor an estimate", r.Task.Name), nil
	}
	out := trainer.Outcome{Status: trainer.OK, Metrics: metrics, Steps: 1}
	if curve := recorded.Curve(r.Choices, trainer.Key(metrics, r.Objective)); curve != nil {
		out.Steps = int(curve[len(curve)-1][0])
		for _, p := range curve {
			if r.Curve {
				out.Curve = append(out.Curve, trainer.Point{Step: int(p[0]), Value: p[1]})
			}
		}
	}
	if limit := r.Limits.Steps; limit > 0 && out.Steps > limit {
		reason := fmt.Sprintf("has %d training steps, the limit is %d", out.Steps, limit)
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OverSteps, Reason: reason}}, nil
	}
	return trainer.Result{Outcome: out.Cut(r.Prune, r.Objective)}, nil
}
