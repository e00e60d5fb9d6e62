package metrics

import (
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// By hand: the incumbents are trials 0, 2, 5 and 7, of which trial 2 is the best on the
// test split; trial 3 is better there than all of them, and was never chosen. A tie and
// a failure change nothing.
func TestTunings(t *testing.T) {
	trials := []search.Trial{
		trial(0, 0, .60, .55), trial(1, 1, .99, .10), trial(2, 0, .70, .65), trial(3, 0, .65, .80),
		{Trial: 4, Task: 0, Status: trainer.Diverged}, trial(5, 0, .75, .60), trial(6, 0, .75, .90), trial(7, 0, .80, .50),
	}
	equal(t, "accuracy", []Tuning{
		{1, .05, 0, 0, 0}, {2, .05, 0, .1, 0}, {3, .05, 0, .1, .15}, {4, .05, 0, .1, .15},
		{5, .15, .05, .1, .2}, {6, .15, .05, .1, .3}, {7, .30, .15, .1, .4},
	}, Tunings(trials, 0, space.Objective{Metric: trainer.Accuracy}))
	equal(t, "no model", []Tuning(nil), Tunings(trials[4:5], 0, space.Objective{}))

	// The same as losses: all values times −1 are rewards.
	losses := make([]search.Trial, len(trials))
	for i, x := range trials {
		losses[i] = x
		losses[i].Validation, losses[i].Test = -x.Validation, -x.Test
	}
	equal(t, "loss", Tunings(trials, 0, space.Objective{}), Tunings(losses, 0, space.Objective{Direction: space.Minimise}))
}

func TestRelativeOvertuning(t *testing.T) {
	for _, c := range []struct {
		tuning Tuning
		want   float64
		ok     bool
	}{
		{Tuning{Overtuning: .15, Improvement: .1}, 1.5, true}, // worse than the first
		{Tuning{Overtuning: .05, Improvement: .1}, .5, true},
		{Tuning{Improvement: .1}, 0, true},
		{Tuning{Overtuning: .1}, 0, false}, // nothing was ever better than the first
		{Tuning{}, 0, false},
	} {
		got, ok := c.tuning.Relative()
		equal(t, "relative overtuning", c.want, got)
		if ok != c.ok {
			t.Errorf("%+v: %v", c.tuning, ok)
		}
	}
}
