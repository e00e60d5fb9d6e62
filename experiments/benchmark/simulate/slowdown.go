package simulate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"tnaml/experiments/metrics"
)

// Slowdown compares the trials that an arm takes to its targets with those that it
// took before, by another version of the code.
type Slowdown struct {
	Arm string `json:"arm"`
	// Tonight and Earlier are the geometric means, over tasks and seeds, of the trials to
	// the target: of a search that never got there, its budget.
	Tonight float64 `json:"tonight"`
	Earlier float64 `json:"earlier"`
	// Ratio is Tonight by Earlier, with an interval at the level .95; P is that of the
	// one-sided test that the arm is no slower.
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	P     float64 `json:"p"`
	// Unchanged: not one search took another number of trials. Slower is the verdict, Faster
	// its contrary, as seldom where nothing has changed as drift is told.
	Unchanged bool `json:"unchanged,omitempty"`
	Slower    bool `json:"slower,omitempty"`
	Faster    bool `json:"faster,omitempty"`
}

// Say is a comparison in a line.
func (s Slowdown) Say() string {
	what := fmt.Sprintf("%s: %.1f trials to the target", s.Arm, s.Tonight)
	switch {
	case s.Unchanged:
		return what + ", unchanged"
	case s.Slower:
		what += ", slower"
	case s.Faster:
		what += ", faster"
	}
	return fmt.Sprintf("%s: %.1f before, ratio %.3f (%.3f to %.3f), p %.2g", what, s.Earlier, s.Ratio, s.Low, s.High, s.P)
}

// Slower are the arms that are.
func Slower(all []Slowdown) (out []Slowdown) {
	for _, s := range all {
		if s.Slower {
			out = append(out, s)
		}
	}
	return out
}

// Slowdowns compares a night with the one before it, arm by arm; both are of one plan. An
// arm is slower where the one-sided test of the mean log ratio says so at the level of the
// comparison divided by the number of arms (Bonferroni): Alarm, of which this has
// LatestLevel, bounds how often any of the arms is called slower that is not. The same seed
// of all tasks is one observation, as its searches share their random numbers.
func Slowdowns(tonight, earlier *Night) (out []Slowdown) {
	for arm := range tonight.Arms {
		out = append(out, slowdown(tonight, earlier, arm, LatestLevel))
	}
	return out
}

// Drift compares an arm likewise with a night long ago, at what remains of Alarm: slowdowns
// that are too small to tell from one night to the next add up.
func Drift(tonight, first *Night, arm int) Slowdown { return slowdown(tonight, first, arm, DriftLevel) }

func slowdown(tonight, earlier *Night, arm int, level float64) Slowdown {
	s := compareTook(tonight.trials(arm), earlier.trials(arm))
	s.Arm = tonight.Arms[arm]
	arms := float64(len(tonight.Arms))
	s.Slower, s.Faster = !s.Unchanged && s.P < level/arms, !s.Unchanged && 1-s.P < DriftLevel/arms
	return s
}

// compareTook compares trials to targets, by seed and task.
func compareTook(now, before [][]float64) Slowdown {
	s := Slowdown{Unchanged: true}
	x, y := logMeans(now), logMeans(before)
	var d []float64
	for seed := range now {
		d = append(d, metrics.Difference(x[seed], y[seed]))
		for task, n := range now[seed] {
			s.Unchanged = s.Unchanged && n == before[seed][task]
		}
	}
	e := metrics.Mean(d)
	s.Tonight, s.Earlier = math.Exp(metrics.Mean(x).Mean), math.Exp(metrics.Mean(y).Mean)
	s.Ratio, s.Low, s.High = interval(e, len(d))
	switch se := e.Error / 2; {
	case se > 0:
		s.P = student(len(d)).Survival(e.Mean / se)
	case e.Mean == 0: // what tasks have gained and lost is the same in each seed
		s.P = .5
	case e.Mean < 0:
		s.P = 1
	}
	return s
}

// logMeans are the means over tasks of the logarithms of trials, by seed.
func logMeans(took [][]float64) []float64 {
	out := make([]float64, len(took))
	for seed, tasks := range took {
		for _, n := range tasks {
			out[seed] += math.Log(n) / float64(len(tasks))
		}
	}
	return out
}

// interval is what a mean of n logarithms says: a geometric mean, with an interval at the
// level .95.
func interval(e metrics.Estimate, n int) (mean, low, high float64) {
	wide := student(n).Quantile(.975) * e.Error / 2
	return math.Exp(e.Mean), math.Exp(e.Mean - wide), math.Exp(e.Mean + wide)
}

// student is the distribution of a mean of n by its standard error.
func student(n int) distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)} }

// took is the number of trials to a target.
func (s *Search) took(target float64) (trials int, ok bool) {
	for k, v := range s.Best.Mean {
		if v >= target {
			return s.Best.Trials[k], true
		}
	}
	return 0, false
}
