package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// The measures of a benchmark.
const (
	// Validation and Test are the objective's top10 at the end of the budget,
	// accuracy-top10 of an accuracy, on the two splits.
	Validation = "validation"
	Test       = "test"
	// TrialsToBaseline is the number of trials to the baseline's final validation
	// accuracy-top10 with the same task and seed (Table 1, left); where it is
	// never reached, the budget. Less is better.
	TrialsToBaseline = "trials to the baseline's best"
	// TrialCPU is the mean CPU time of a trial that gave a model, in seconds; less is
	// better.
	TrialCPU = "CPU seconds a model"
)

// TopName is what the mean of an objective over a search's ten best models is
// called: accuracy-top10.
func TopName(o space.Objective) string { return fmt.Sprintf("%s-top%d", o.Metric, search.TopN) }

// Figure is one measure of a task and arm over the seeds.
type Figure struct {
	Task    string `json:"task"`
	Arm     string `json:"arm"`
	Measure string `json:"measure"`
	// Objective is that of the searches.
	Objective space.Objective `json:"objective"`
	// Budget is the number of trials: figures of different budgets are not
	// compared.
	Budget int `json:"budget"`
	// Values holds one value a seed, in the order of the ledgers.
	Values []float64 `json:"values"`
}

// Median is that of the values.
func (f Figure) Median() float64 { return metrics.Median(f.Values) }

// Key identifies what is measured.
func (f Figure) Key() string {
	return fmt.Sprintf("%s · %s · %s · %d trials", f.Task, f.Arm, f.what(), f.Budget)
}

// what is measured, in words.
func (f Figure) what() string {
	if f.ofObjective() {
		return f.Measure + " " + TopName(f.Objective)
	}
	return f.Measure
}

func (f Figure) ofObjective() bool { return f.Measure == Validation || f.Measure == Test }

// measured is what the values are values of: the objective, or a cost, of which
// less is better.
func (f Figure) measured() space.Objective {
	if f.ofObjective() {
		return f.Objective
	}
	return space.Objective{Direction: space.Minimise}
}

// Figures measures the searches of the phase Transfer. A search without ten
// models gives no figures, nor does one that did not come to its end: what it had by then
// is no figure of its budget.
func Figures(s *Study) []Figure {
	index := map[string]int{}
	var out []Figure
	objective, tested := s.Objective(), s.Tested()
	add := func(l *Ledger, measure string, v float64) {
		f := Figure{Task: l.Task, Arm: l.Arm, Measure: measure, Objective: objective, Budget: l.Budget}
		at, ok := index[f.Key()]
		if !ok {
			at = len(out)
			index[f.Key()] = at
			out = append(out, f)
		}
		out[at].Values = append(out[at].Values, v)
	}
	for _, l := range s.Select(Transfer, "", "") {
		top, ok := metrics.AccuracyTopN(l.Trials, 0, search.TopN)
		if !ok || top.Models() < search.TopN || l.Unfinished() {
			continue
		}
		add(l, Validation, top.Validation.Mean)
		if tested {
			add(l, Test, top.Test.Mean)
		}
		if base := s.baseline(l); base != nil && !base.Unfinished() && !l.ofArm(s.Baseline) {
			n, _ := l.trialsTo(base)
			add(l, TrialsToBaseline, float64(n))
		}
		cpu, n := 0.0, 0
		trained := map[int]bool{}
		for _, t := range l.Trials {
			trained[t.Trial] = t.OK()
		}
		for _, c := range l.Costs {
			if trained[c.Trial] && !c.Cached {
				cpu += c.CPUSeconds
				n++
			}
		}
		if n > 0 {
			add(l, TrialCPU, cpu/float64(n))
		}
	}
	return out
}

// TrialsToBaseline returns how many trials a search took to the final validation
// accuracy-top10 of the baseline's search on its task and data, of its seed and budget
// where there is one (Table 1, left). Where it never got there it is its budget, and
// reached is false. ok is false without a search of the
// baseline that has ten models.
func (s *Study) TrialsToBaseline(l *Ledger) (trials int, reached, ok bool) {
	base := s.baseline(l)
	if base == nil {
		return 0, false, false
	}
	trials, reached = l.trialsTo(base)
	return trials, reached, true
}

// trialsTo is TrialsToBaseline for a baseline that is known.
func (l *Ledger) trialsTo(base *Ledger) (trials int, reached bool) {
	top, _ := metrics.AccuracyTopN(base.Trials, 0, search.TopN)
	if n, ok := metrics.TrialsTo(l.Trials, 0, search.TopN, top.Reward); ok {
		return n, true
	}
	return max(l.Budget, len(l.Trials)), false
}

// baseline returns the baseline's search to compare a search with: of its data, and of
// its run, kind, seed and budget as far as there is one.
func (s *Study) baseline(l *Ledger) *Ledger {
	if s.Baseline == "" {
		return nil
	}
	var best *Ledger
	score := func(r *Ledger) int {
		n := 0
		for i, same := range []bool{r.Budget == l.Budget, r.Seed == l.Seed, r.Arm == s.Baseline, r.Run == l.Run} {
			if same {
				n += 1 << i
			}
		}
		return n
	}
	for _, r := range s.Select(l.Phase, l.Task, "") {
		if !r.ofArm(s.Baseline) || r.data() != l.data() {
			continue
		}
		top, ok := metrics.AccuracyTopN(r.Trials, 0, search.TopN)
		if ok && top.Models() == search.TopN && (best == nil || score(r) > score(best)) {
			best = r
		}
	}
	return best
}

// Tolerances say when a figure counts as worse.
type Tolerances struct {
	// Factor is the number of standard errors.
	Factor float64
	// Accuracy is the least tolerance of the objective: of one that is a fraction
	// of 1 as such, of another as a fraction of the earlier value. Cost is that of
	// all else, as a fraction of the earlier value.
	Accuracy, Cost float64
}

// floor is the least tolerance of a figure.
func (t Tolerances) floor(f Figure, earlier float64) float64 {
	switch {
	case !f.ofObjective():
		return t.Cost * math.Abs(earlier)
	case trainer.InPercent(f.Objective):
		return t.Accuracy
	}
	return t.Accuracy * math.Abs(earlier)
}

// Verdict compares one figure with those of earlier nights.
type Verdict struct {
	Figure
	// Tonight is the figure's median over the seeds, Earlier the median over the
	// earlier nights of theirs, Nights their number: 0 for a figure that is new.
	Tonight float64 `json:"tonight"`
	Earlier float64 `json:"earlier"`
	Nights  int     `json:"nights"`
	// Worse is by how much tonight is worse, negative where it is better;
	// Regressed says that this is more than Tolerance.
	Worse     float64 `json:"worse"`
	Tolerance float64 `json:"tolerance"`
	Regressed bool    `json:"regressed,omitempty"`
	// Missing says that earlier nights have the figure and tonight does not: too
	// many of its trials failed, or its search did.
	Missing bool `json:"missing,omitempty"`
}

// Judge compares tonight's figures with those of earlier nights, newest last.
//
// The tolerance follows the spread of what is compared: Factor times the larger
// of the earlier nights' own spread (the median absolute deviation of their
// medians, scaled by 1.4826 to a standard deviation) and the standard error of
// a median over seeds (1.2533·s/√n, averaged over the nights), and at least the
// floor. A figure that is missing tonight regressed.
func Judge(tonight []Figure, earlier [][]Figure, t Tolerances) []Verdict {
	past := map[string][]Figure{}
	for _, night := range earlier {
		for _, f := range night {
			past[f.Key()] = append(past[f.Key()], f)
		}
	}
	var out []Verdict
	there := map[string]bool{}
	for _, f := range tonight {
		there[f.Key()] = true
		v := Verdict{Figure: f, Tonight: f.Median(), Nights: len(past[f.Key()])}
		if v.Nights > 0 {
			var spread float64
			v.Earlier, spread = summarise(past[f.Key()])
			v.Tolerance = max(t.floor(f, v.Earlier), t.Factor*spread)
			v.Worse = trainer.Reward(f.measured(), v.Earlier) - trainer.Reward(f.measured(), v.Tonight)
			v.Regressed = v.Worse > v.Tolerance
		}
		out = append(out, v)
	}
	// What the last night had and tonight has not.
	if n := len(earlier); n > 0 {
		for _, f := range earlier[n-1] {
			if !there[f.Key()] {
				e, _ := summarise(past[f.Key()])
				f.Values = nil
				out = append(out, Verdict{Figure: f, Earlier: e, Nights: len(past[f.Key()]), Regressed: true, Missing: true})
			}
		}
	}
	return out
}

// summarise returns the median over nights and the spread that tonight may show.
func summarise(nights []Figure) (middle, spread float64) {
	medians := make([]float64, len(nights))
	seeds := 0.0
	for i, f := range nights {
		medians[i] = f.Median()
		seeds += 1.2533 * metrics.Mean(f.Values).Error / 2 / float64(len(nights))
	}
	middle = metrics.Median(medians)
	deviations := make([]float64, len(medians))
	for i, m := range medians {
		deviations[i] = math.Abs(m - middle)
	}
	return middle, max(seeds, 1.4826*metrics.Median(deviations))
}

// Say is a verdict in a line.
func (v Verdict) Say() string {
	number := func(x float64) string { return trainer.Text(v.measured(), x) }
	what := fmt.Sprintf("%s · %s: %s", v.Task, v.Arm, v.what())
	switch {
	case v.Missing:
		return fmt.Sprintf("%s is missing, earlier %s", what, number(v.Earlier))
	case v.Nights == 0:
		return fmt.Sprintf("%s is %s, the first time", what, number(v.Tonight))
	}
	earlier := fmt.Sprintf("earlier %s ± %s (median of %d nights)", number(v.Earlier), number(v.Tolerance), v.Nights)
	return fmt.Sprintf("%s is %s, %s", what, number(v.Tonight), earlier)
}

// Regressions are the verdicts that count against the night, worst first by
// tolerances exceeded.
func Regressions(verdicts []Verdict) []Verdict {
	var out []Verdict
	for _, v := range verdicts {
		if v.Regressed {
			out = append(out, v)
		}
	}
	excess := func(v Verdict) float64 {
		if v.Missing || v.Tolerance == 0 {
			return math.Inf(1)
		}
		return v.Worse / v.Tolerance
	}
	slices.SortStableFunc(out, func(a, b Verdict) int { return cmp.Compare(excess(b), excess(a)) })
	return out
}
