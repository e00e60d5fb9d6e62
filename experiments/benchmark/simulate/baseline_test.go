package simulate

import (
	"math"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// Two arms on a task, three seeds: counted by hand.
func TestBaseline(t *testing.T) {
	climb := func(trials []int, validation ...float64) *Search {
		return &Search{Top: Climb{trials, validation}, At: []At{{TopTest: validation[len(validation)-1] - .1}}}
	}
	r := &Result{
		Arms: []Arm{{Name: "quick"}, {Name: "random"}}, Against: "quick", Trials: 50, Budgets: []int{50}, Seeds: 3,
		Tasks: []Task{{Name: "x", Arms: []Searches{
			{"quick", []*Search{climb([]int{10, 12}, .5, .8), climb([]int{11, 30}, .6, .9), climb([]int{10}, .2)}},
			{"random", []*Search{climb([]int{10, 40}, .4, .6), climb([]int{10, 50}, .5, .6), climb([]int{10, 20}, .1, .3)}},
		}}},
	}
	b := r.Baseline("random")
	quick, random := b.Tasks[0].Arms[0], b.Tasks[0].Arms[1]
	// quick is where random ends after 12 and 11 trials, and once not; random itself after 40, 50, 20.
	if quick.Median != 12 || quick.Reached != 2 || random.Median != 40 || random.Reached != 3 {
		t.Errorf("quick %+v, random %+v", quick, random)
	}
	// On the test split quick has .7, .8, .1: mean 1.6/3, 2 s.e.m. 2·√(.28667/2/3).
	if m := quick.Top[0]; math.Abs(m.Mean-1.6/3) > 1e-12 || math.Abs(m.Error-2*math.Sqrt(.8600/3/2/3)) > 1e-3 {
		t.Errorf("quick on the test split: %+v", m)
	}
	// random is worse by .2, .3, −.1.
	if c := b.Tops[0]; c.Arm != "random" || math.Abs(c.Gain.Mean+.4/3) > 1e-12 || c.Draws != 1 {
		t.Errorf("compared: %+v", c)
	}
}

// The curve of the ten best begins with the tenth model, and has each change.
func TestClimb(t *testing.T) {
	var trials []search.Trial
	for i := range 14 {
		v := .5
		if i == 11 {
			v = 1
		}
		trials = append(trials, search.Trial{Trial: i, Actions: []int{i}, Status: trainer.OK, Reward: v, Validation: v})
	}
	trials[3].Status = trainer.Failed
	top := summary(trials, []int{14}, flat{}, Scale{}, Scale{}).Top
	if len(top.Trials) != 2 || top.Trials[0] != 11 || top.Trials[1] != 12 || math.Abs(top.Validation[1]-.55) > 1e-12 {
		t.Errorf("%+v", top)
	}
	if n, ok := top.reached(Climb{[]int{5}, []float64{.55}}); n != 12 || !ok {
		t.Errorf("reached after %d: %v", n, ok)
	}
	if _, ok := top.reached(Climb{[]int{5}, []float64{.56}}); ok {
		t.Error("reached what it never had")
	}
	if n, ok := top.reached(Climb{}); n != 11 || !ok {
		t.Errorf("nothing reached after %d: %v", n, ok)
	}
}
