package activities

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/store"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// climbing has a curve of .1 at step 1 and .2 at step 2, and then ends as its choice says.
type climbing struct{ trainer.Table }

func (climbing) Version() string { return "1" }
func (climbing) Cached() bool    { return true }
func (climbing) Run(_ context.Context, r trainer.Request, _ func(trainer.Progress) error) (trainer.Result, error) {
	curve := []trainer.Point{{Step: 1, Value: .1}, {Step: 2, Value: .2}}
	for i := range curve {
		if trainer.Below(r.Prune, curve[:i+1], r.Objective) {
			return trainer.Result{Outcome: trainer.PrunedAt(curve[:i+1], r.Objective)}, nil
		}
	}
	o := trainer.Outcome{Status: trainer.Status(r.Choices["end"].(string)), Steps: 3}
	if o.Status == trainer.OK {
		o.Metrics, o.Curve = map[string]float64{"validation": .3}, append(curve, trainer.Point{Step: 3, Value: .3})
	}
	return trainer.Result{Outcome: o}, nil
}

// Whatever the cache holds of a trial with other floors, its outcome is that of an empty one.
func TestOutcomeDoesNotDependOnTheCache(t *testing.T) {
	b := newBench(t, strategy.Random)
	floors := [][]trainer.Point{nil, {{Step: 1, Value: .05}}, {{Step: 1, Value: .15}}, {{Step: 2, Value: .9}}}
	for _, end := range []trainer.Status{trainer.OK, trainer.Diverged} {
		want := []trainer.Status{end, end, trainer.Pruned, trainer.Pruned}
		for i, before := range floors {
			for j, after := range floors {
				b.store = store.NewMemory()
				b.serve(New(b.store, Options{Trainers: []trainer.Trainer{climbing{}}}))
				in := TrialInput{Trainer: "table", Request: trainer.Request{Choices: map[string]any{"end": string(end)}, Curve: true,
					Objective: space.Objective{Metric: "validation", Direction: space.Maximise}}}
				keep := 1.0
				in.Keep, in.Prune = &keep, before
				var cold, warm, again TrialResult
				b.run(t, b.a.Trial, in, &cold)
				in.Prune = after
				b.run(t, b.a.Trial, in, &warm)
				b.run(t, b.a.Trial, in, &again)
				if cold.Status != want[i] || warm.Status != want[j] {
					t.Errorf("%s with %v, then %v: %s, %s", end, before, after, cold.Status, warm.Status)
				}
				if diff := cmp.Diff(warm.Outcome, again.Outcome); diff != "" || !again.Cost.Cached {
					t.Errorf("%s with %v: again it is %s (cached: %v)", end, after, diff, again.Cost.Cached)
				}
			}
		}
	}
}
