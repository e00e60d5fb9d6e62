package report

import (
	"tnaml/experiments/metrics"
)

// match is a search beside random search on one task: the trials it takes to
// what random search found (the paper's Table 1, left).
type match struct {
	Task string
	// Rows is the number of the task's rows, on the first of them.
	Rows int
	*arm
	Target metrics.Estimate
	// RandomTrials is what random search needed to reach its own final value,
	// Budget all its trials on the task.
	RandomTrials, Budget int
	Reached              bool
	Needed               int
	Speedup              float64
	// Saved is the CPU time saved, in seconds; Costed says that it is known.
	Saved  float64
	Costed bool
}

// matches compares every search that is not the baseline with the baseline on
// its task: the random search with the same seed, else the first one.
func matches(tasks []*taskView) []match {
	var out []match
	for _, tv := range tasks {
		start := len(out)
		for _, a := range tv.Arms {
			r := baseline(tv.Arms, a)
			if a.random() || r == nil {
				continue
			}
			m := match{Task: tv.Name, arm: a, Target: r.Top.Validation, Budget: r.Trials}
			var ok bool
			if m.RandomTrials, ok = metrics.TrialsTo(r.search.Trials, r.task, topN, r.Top.Reward); !ok {
				continue // it always reaches its own end
			}
			if m.Needed, m.Reached = metrics.TrialsTo(a.search.Trials, a.task, topN, r.Top.Reward); m.Reached {
				m.Speedup = metrics.Speedup(m.RandomTrials, m.Needed)
				m.Costed = r.Cost.Trained > 0
				m.Saved = 3600 * metrics.CPUHoursSaved(m.Budget, r.Cost.Median/3600, m.Speedup)
			}
			out = append(out, m)
		}
		if n := len(out) - start; n > 0 {
			out[start].Rows = n
		}
	}
	return out
}

// baseline returns the random search to compare an arm with: of those with an
// accuracy-top10, the one with its seed, else the first.
func baseline(arms []*arm, a *arm) *arm {
	var first *arm
	for _, r := range arms {
		if !r.random() || r.Top.Models() < topN {
			continue
		}
		if r.Seed == a.Seed {
			return r
		}
		if first == nil {
			first = r
		}
	}
	return first
}

// pair is two strategies over all tasks and seeds they share.
type pair struct {
	A, B string
	// Validation and Test count the cases in which A has the better
	// accuracy-top10, cannot be told from B, or has the worse one.
	Validation, Test metrics.Tally
	Cases            int
}

// pairs counts wins, draws and losses for each two strategies, the baseline
// second. A single case is no count: the summary shows it.
func pairs(tasks []*taskView) []pair {
	var out []pair
	names := ranked(tasks)
	for i, b := range names {
		for _, a := range names[i+1:] {
			p := pair{A: a, B: b}
			for _, tv := range tasks {
				for _, x := range tv.Arms {
					y := counterpart(tv.Arms, x, b)
					if x.Strategy != a || y == nil || x.Top.Models() < topN || y.Top.Models() < topN {
						continue
					}
					p.Cases++
					p.Validation.Add(metrics.Compare(x.Top.Validation, y.Top.Validation))
					p.Test.Add(metrics.Compare(x.Top.Test, y.Top.Test))
				}
			}
			if p.Cases > 1 {
				out = append(out, p)
			}
		}
	}
	return out
}

// ranked lists the strategies in order of appearance, baselines first.
func ranked(tasks []*taskView) []string {
	var baselines, learners []string
	seen := map[string]bool{}
	for _, tv := range tasks {
		for _, a := range tv.Arms {
			switch {
			case seen[a.Strategy]:
			case a.random():
				baselines = append(baselines, a.Strategy)
			default:
				learners = append(learners, a.Strategy)
			}
			seen[a.Strategy] = true
		}
	}
	return append(baselines, learners...)
}

// counterpart returns the other strategy's search with the same task and seed;
// where each of the two has only one search on the task, seeds may differ.
func counterpart(arms []*arm, a *arm, other string) *arm {
	var only *arm
	mine, theirs := 0, 0
	for _, b := range arms {
		switch b.Strategy {
		case a.Strategy:
			mine++
		case other:
			if b.Seed == a.Seed {
				return b
			}
			theirs++
			only = b
		}
	}
	if mine == 1 && theirs == 1 {
		return only
	}
	return nil
}
