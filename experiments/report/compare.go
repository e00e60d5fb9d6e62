package report

import (
	"bytes"
	"cmp"

	"tnaml/experiments/metrics"
)

// match is a search beside random search on one task: the trials it takes to
// what random search found (the paper's Table 1, left). What never gets there
// counts as its budget.
type match struct {
	Task string
	// Rows is the number of the task's rows, on the first of them.
	Rows int
	*arm
	Target metrics.Estimate
	// RandomTrials is what random search needed to reach its own final value,
	// Needed what the search needed, and Speedup the one over the other.
	RandomTrials, Needed int
	Reached              bool
	Speedup              float64
	// Single is what a transferred search is compared with, in the paper's terms; nil
	// for another search, or without a single-task search beside it.
	Single *single
}

// single is the single-task search beside a transferred one: the trials that it
// needed, and S, its trials over the transferred search's.
type single struct {
	*arm
	Needed  int
	Reached bool
	Speedup float64
	// Saved is the CPU time saved, in seconds; Costed says that it is known.
	Saved  float64
	Costed bool
}

// Speed writes a speed-up, with the way in which it may be off.
func (m match) Speed() string { return bound(m.Reached, true) + times(m.Speedup) + "×" }

// S writes the speed-up over single-task search.
func (m match) S() string { return bound(m.Reached, m.Single.Reached) + times(m.Single.Speedup) }

// matches compares every search that is not the baseline with the baseline on
// its task: the random search with the same seed, else the first one.
func matches(tasks []*taskView) []match {
	var out []match
	for _, tv := range tasks {
		start := len(out)
		for _, a := range tv.Arms {
			r := seconded(tv.Arms, a, func(r *arm) bool { return r.random() && r.Top.Models() >= topN })
			if a.random() || r == nil {
				continue
			}
			m := match{Task: tv.Name, arm: a, Target: r.Top.Validation}
			m.RandomTrials, _ = r.trialsTo(r.Top.Reward)
			m.Needed, m.Reached = a.trialsTo(r.Top.Reward)
			m.Speedup = metrics.Speedup(float64(m.RandomTrials), float64(m.Needed))
			c := &a.search.Config
			fromNothing := func(x *arm) bool {
				return c.Controller != "" && x.search.Config.Controller == "" && x.search.Config.Strategy == c.Strategy
			}
			alike := func(x *arm) bool { return fromNothing(x) && bytes.Equal(x.search.Config.Settings, c.Settings) }
			if x := cmp.Or(seconded(tv.Arms, a, alike), seconded(tv.Arms, a, fromNothing)); x != nil {
				m.Single = &single{arm: x, Costed: x.Cost.Trained > 0}
				m.Single.Needed, m.Single.Reached = x.trialsTo(r.Top.Reward)
				m.Single.Speedup = metrics.Speedup(float64(m.Single.Needed), float64(m.Needed))
				m.Single.Saved = 3600 * metrics.CPUHoursSaved(x.Trials, x.Cost.Median/3600, m.Single.Speedup)
			}
			out = append(out, m)
		}
		if n := len(out) - start; n > 0 {
			out[start].Rows = n
		}
	}
	return out
}

// trialsTo is the number of trials to a reward, all there are where the arm never
// got there.
func (a *arm) trialsTo(reward float64) (trials int, reached bool) {
	if n, ok := metrics.TrialsTo(a.search.Trials, a.task, topN, reward); ok {
		return n, true
	}
	return max(1, a.Trials), false
}

// seconded returns the search to compare an arm with, of those that fit: the one
// with its seed, else the first.
func seconded(arms []*arm, a *arm, fits func(*arm) bool) *arm {
	var first *arm
	for _, r := range arms {
		switch {
		case !fits(r):
		case r.Seed == a.Seed:
			return r
		case first == nil:
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
	// Cases counts them, Tested those with values on the test split.
	Cases, Tested int
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
					o := tv.Scale.Objective
					p.Validation.Add(metrics.Compare(x.Top.Validation.Reward(o), y.Top.Validation.Reward(o)))
					if x.Tested && y.Tested {
						p.Tested++
						p.Test.Add(metrics.Compare(x.Top.Test.Reward(o), y.Top.Test.Reward(o)))
					}
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
