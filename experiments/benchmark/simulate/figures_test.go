package simulate

import (
	"math"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// Figures of two arms on two tasks with two seeds, counted by hand.
func TestFigures(t *testing.T) {
	searches := func(a, b float64, reached ...int) []*Search {
		var out []*Search
		for i, v := range []float64{a, b} {
			s := &Search{At: []At{{Validation: v, Test: v - .1, Mean: v - .05, TopValidation: v - .2, TopTest: v - .3}}}
			s.Best = Improvements{Trials: []int{1}, Validation: []float64{v}, Test: []float64{v}, Mean: []float64{.5}}
			if reached[i] > 0 {
				s.Best.Trials, s.Best.Mean = append(s.Best.Trials, reached[i]), append(s.Best.Mean, .8951)
			}
			out = append(out, s)
		}
		return out
	}
	scale := Scale{Best: .9, Median: .8, Worst: .1}
	r := &Result{
		Arms: []Arm{{Name: "a"}, {Name: "b"}}, Against: "a", Trials: 50, Budgets: []int{50}, Seeds: 2,
		Tasks: []Task{
			// Regrets of a: 2, 1; of b: 1, 0.
			{Name: "x", Validation: scale, Test: scale, Arms: []Searches{
				{"a", searches(.8, .9, 7, 0)}, {"b", searches(.9, 1, 3, 9)},
			}},
			// Regrets of a: .5, 0; of b: 3, 2.5.
			{Name: "y", Validation: scale, Test: Scale{Best: .9, Median: .7}, Arms: []Searches{
				{"a", searches(.9, 1, 0, 11)}, {"b", searches(.4, .5, 0, 21)},
			}},
		},
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	f := r.Figures()
	a, b := f.Arms[0], f.Arms[1]
	near("a's regret", a.At[0].Regret.Mean, (1.5+.25)/2)
	near("b's regret", b.At[0].Regret.Mean, (.5+2.75)/2)
	near("its error", b.At[0].Regret.Error, 2*1.125)
	near("a's validation", a.At[0].Validation, .9)
	// Without luck a's regrets on the validation split are 1.5, .5 and .5, −.5; b's .5, −.5
	// and 5.5, 4.5.
	near("what a found", a.At[0].Found.Mean, .5)
	near("what b found", b.At[0].Found.Mean, 2.5)
	near("b's gain by it", f.Found.Comparisons[0].Gain.Mean, -2)
	near("b's gain by it on x", f.Found.Comparisons[0].Tasks[0].Mean, 1)
	near("b's validation without luck", b.At[0].Mean, .65)
	near("a's test", a.At[0].Test, .8)
	near("b's validation", b.At[0].Validation, .7)
	near("b's top10 test", b.At[0].TopTest, .4)
	near("b's top10 validation", b.At[0].TopValidation, .5)
	// a gets to 95 % after 7 and 11 trials, and twice not; b after 3, 9 and 21.
	near("a's median to the target", a.Targets[2].Median, 0)
	near("b's median to the target", b.Targets[2].Median, 15)
	if a.Targets[2].Reached != 2 || b.Targets[2].Reached != 3 || b.Targets[2].Searches != 4 || b.Targets[3].Reached != 0 {
		t.Errorf("targets %+v, %+v", a.Targets, b.Targets)
	}
	near("a's rank", f.Rankings[0].Ranks[0], 1.5)
	near("Friedman's p", f.Rankings[0].P, 1)
	near("Nemenyi's difference of two", f.Rankings[0].Critical, 0)
	c := f.Comparisons[0]
	near("b's gain", c.Gain.Mean, (1-2.5)/2)
	near("on x", c.Tasks[0].Mean, 1)
	near("on y", c.Tasks[1].Low, -2.5)
	near("Wilcoxon's p", c.P, 1)
	if c.Arm != "b" || len(f.Comparisons) != 1 || c.Wins != 1 || c.Losses != 1 || c.Draws != 0 {
		t.Errorf("%+v", f.Comparisons)
	}
}

// A search's figures: of the model best on validation, of the ten best, before there is
// any, and where the best changed.
func TestSummary(t *testing.T) {
	ok := func(i int, v float64) search.Trial {
		return search.Trial{Trial: i, Actions: []int{i}, Status: trainer.OK, Reward: v, Validation: v, Test: v / 2}
	}
	trials := []search.Trial{{Status: trainer.Failed, Actions: []int{0}}, ok(1, .5), ok(2, .4), ok(3, .5), ok(4, .8)}
	s := summary(trials, []int{1, 2, 4, 5}, flat{}, Scale{Worst: .1}, Scale{Worst: .2})
	want := []At{{.1, .2, .1, .1, .2}, {.5, .25, 1, .5, .25}, {.5, .25, 1, 1.4 / 3, .7 / 3}, {.8, .4, 4, .55, .275}}
	for i, w := range want {
		for k, d := range []float64{
			s.At[i].Validation - w.Validation, s.At[i].Test - w.Test, s.At[i].Mean - w.Mean,
			s.At[i].TopValidation - w.TopValidation, s.At[i].TopTest - w.TopTest,
		} {
			if math.Abs(d) > 1e-12 {
				t.Errorf("at %d, figure %d: %+v, want %+v", i, k, s.At[i], w)
			}
		}
	}
	if b := s.Best; len(b.Trials) != 2 || b.Trials[0] != 2 || b.Trials[1] != 5 || b.Mean[1] != 4 || b.Test[1] != .4 {
		t.Errorf("%+v", b)
	}
}

// What was trained by luck, and in none of the repeats, has the scale's worst mean.
func TestTrainedByLuck(t *testing.T) {
	trials := []search.Trial{{Actions: []int{1}, Status: trainer.OK, Reward: .5, Validation: .5, Test: .5}}
	if s := summary(trials, []int{1}, hopeless{}, Scale{Worst: .1}, Scale{Worst: .2}); s.Best.Mean[0] != .1 || s.At[0].Mean != .1 {
		t.Errorf("%+v", s)
	}
}

// hopeless is a landscape of models that diverge.
type hopeless struct{}

func (hopeless) Look([]int, uint64) (trainer.Status, float64, float64) { return trainer.Diverged, 0, 0 }

// flat is a landscape whose values are the actions.
type flat struct{}

func (flat) Look(actions []int, _ uint64) (trainer.Status, float64, float64) {
	return trainer.OK, float64(actions[0]), 0
}
