package simulate

import (
	"math"
	"sort"

	"tnaml/experiments/metrics"
)

// Baseline compares the arms as the paper does (Wong et al., 2018, Table 1): how soon
// they have what the baseline, the paper's random search, has at its end, and what
// their ten best models come to on the test split.
type Baseline struct {
	Arm   string         `json:"arm"`
	Tasks []BaselineTask `json:"tasks"`
	// Tops compare the test value of the ten best models (accuracy-top10) with that of
	// Result.Against, in the objective's units, at each of Result.Budgets.
	Tops []Comparison `json:"tops"`
}

// BaselineTask is a task of them, its arms in the order of Result.Arms.
type BaselineTask struct {
	Name string         `json:"task"`
	Arms []BaselineArms `json:"arms"`
}

// BaselineArms is an arm on a task.
type BaselineArms struct {
	// Median is that over seeds of the trials until the ten best models have the mean
	// validation that those of the baseline have in the end, with the same seed; 0 where
	// half of the searches or fewer get there. Reached do.
	Median  float64 `json:"median_trials,omitempty"`
	Reached int     `json:"reached"`
	// Top is the test value of the ten best models at each of Result.Budgets, the mean
	// over seeds with its 2 s.e.m.
	Top []metrics.Estimate `json:"top10_test"`
}

// Baseline computes them; the baseline is one of the arms.
func (r *Result) Baseline(name string) *Baseline {
	out := &Baseline{Arm: name}
	base := r.index(name)
	for i := range r.Tasks {
		t := &r.Tasks[i]
		row := BaselineTask{Name: t.Name}
		for a := range r.Arms {
			one := BaselineArms{}
			var trials []float64
			for s, search := range t.Arms[a].Searches {
				took := math.Inf(1)
				if n, ok := search.Top.reached(t.Arms[base].Searches[s].Top); ok {
					took = float64(n)
					one.Reached++
				}
				trials = append(trials, took)
			}
			if m := metrics.Median(trials); !math.IsInf(m, 0) {
				one.Median = m
			}
			for k := range r.Budgets {
				one.Top = append(one.Top, metrics.Mean(t.scores(a, k, (*Task).top)))
			}
			row.Arms = append(row.Arms, one)
		}
		out.Tasks = append(out.Tasks, row)
	}
	for k := range r.Budgets {
		out.Tops = append(out.Tops, r.compare(k, (*Task).top)...)
	}
	return out
}

// top is the test value of a search's ten best models.
func (*Task) top(at At) float64 { return at.TopTest }

// reached says after how many trials a curve is where another ends. One that has no
// value yet is nowhere, and is reached at once.
func (c Climb) reached(other Climb) (trials int, ok bool) {
	end := math.Inf(-1)
	if n := len(other.Validation); n > 0 {
		end = other.Validation[n-1]
	}
	// Sums of ten values in two orders differ in their last bits.
	i := sort.SearchFloat64s(c.Validation, end-1e-12*math.Abs(end))
	if i == len(c.Validation) {
		return 0, false
	}
	return c.Trials[i], true
}
