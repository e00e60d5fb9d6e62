package metrics

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/experiments/search"
	"tnaml/nn/child"
	"tnaml/nn/rng"
)

var approx = cmpopts.EquateApprox(0, 1e-12)

func trial(i, task int, validation, test float64) search.Trial {
	return search.Trial{Trial: i, Task: task, Status: child.OK, Validation: validation, Test: test, Actions: []int{i % 3}}
}

func TestMeanByHand(t *testing.T) {
	// 1 2 4: mean 7/3, s² = 7/3, two s.e.m. = 2√(7/9)
	got := Mean([]float64{1, 2, 4})
	if diff := cmp.Diff(Estimate{7. / 3, 2 * math.Sqrt(7./9)}, got, approx); diff != "" {
		t.Error(diff)
	}
	if Mean(nil) != (Estimate{}) || Mean([]float64{3}) != (Estimate{3, 0}) {
		t.Error("none or one value")
	}
	a, b := Estimate{.9, .02}, Estimate{.915, .001}
	if !a.Within(b) || !b.Within(a) || a.Within(Estimate{.93, .01}) {
		t.Error("within")
	}
}

func TestTopNByHand(t *testing.T) {
	trials := []search.Trial{
		trial(0, 0, .5, .4), trial(1, 1, .99, .9), trial(2, 0, .7, .2), trial(3, 0, .7, .6),
		{Trial: 4, Status: child.Diverged}, trial(5, 0, .6, .8),
	}
	top, ok := AccuracyTopN(trials, 0, 2)
	if !ok || top.Trials[0].Trial != 2 || top.Trials[1].Trial != 3 {
		t.Errorf("%+v", top)
	}
	if diff := cmp.Diff(TopN{Validation: Estimate{.7, 0}, Test: Estimate{.4, 2 * math.Sqrt(.08/2)}}, top, approx, cmpopts.IgnoreFields(TopN{}, "Trials")); diff != "" {
		t.Error(diff)
	}
	if _, ok := AccuracyTopN(trials, 2, 2); ok {
		t.Error("a task without trials")
	}
	want := []Point{{1, .5, .4, 1}, {2, .6, .3, 2}, {3, .7, .4, 2}, {4, .7, .4, 2}, {5, .7, .4, 2}}
	if diff := cmp.Diff(want, Curve(trials, 0, 2), approx); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		value float64
		n     int
		ok    bool
	}{{.5, 2, true}, {.6, 2, true}, {.65, 3, true}, {.71, 0, false}} {
		if n, ok := TrialsTo(trials, 0, 2, c.value-1e-12); n != c.n || ok != c.ok {
			t.Errorf("trials to %v: %d, %v", c.value, n, ok)
		}
	}
	if g := want[1].Gap(); math.Abs(g-.3) > 1e-12 {
		t.Errorf("gap %v", g)
	}
}

// A point of the curve is what AccuracyTopN says of the trials until there,
// and the validation curve never falls.
func TestCurveIsTopNOfEachPrefix(t *testing.T) {
	r := rng.New(1, "test", 0)
	var trials []search.Trial
	for i := range 300 {
		x := trial(i, r.IntN(2), math.Round(20*r.Float64())/20, r.Float64())
		if r.IntN(9) == 0 {
			x.Status, x.Validation, x.Test = child.Diverged, 0, 0
		}
		trials = append(trials, x)
	}
	curve := Curve(trials, 1, 10)
	k, last := 0, 0.0
	for i := range trials {
		if trials[i].Task != 1 {
			continue
		}
		top, ok := AccuracyTopN(trials[:i+1], 1, 10)
		if !ok {
			continue
		}
		p := curve[k]
		k++
		if p.Validation != top.Validation.Mean || p.Test != top.Test.Mean || p.Models != len(top.Trials) {
			t.Fatalf("after trial %d: %+v, want %+v", i, p, top)
		}
		if p.Models == 10 && p.Validation < last {
			t.Fatal("the validation curve falls")
		}
		if p.Models == 10 {
			last = p.Validation
		}
	}
}

func TestCostsByHand(t *testing.T) {
	// The paper's median: S = 22 needs more than 1.05 M tasks.
	if got := BreakEven(1, 22); math.Abs(got-22./21) > 1e-12 {
		t.Errorf("break-even %v", got)
	}
	if got := HoursSaved(5000, .1, 4); math.Abs(got-375) > 1e-9 {
		t.Errorf("hours saved %v", got)
	}
}

func TestSharesAndModal(t *testing.T) {
	var trials []search.Trial
	for i, a := range []int{0, 1, 1, 2, 1, 0} {
		trials = append(trials, search.Trial{Trial: i, Task: 0, Actions: []int{a}}, search.Trial{Task: 1, Actions: []int{2}})
	}
	want := [][]float64{{1. / 3, 2. / 3, 0}, {0, 2. / 3, 1. / 3}, {0, 2. / 3, 1. / 3}, {1. / 3, 1. / 3, 1. / 3}}
	if diff := cmp.Diff(want, OptionShares(trials, 0, 0, 3, 3), approx); diff != "" {
		t.Error(diff)
	}
	actions, shares := Modal(trials, 0, []int{3}, 4)
	if actions[0] != 1 || shares[0] != .5 {
		t.Errorf("modal %v %v", actions, shares)
	}
	if c := Cosine([]float64{1, 0}, []float64{1, 1}); math.Abs(c-1/math.Sqrt2) > 1e-12 || Cosine([]float64{0}, []float64{1}) != 0 {
		t.Errorf("cosine %v", c)
	}
}
