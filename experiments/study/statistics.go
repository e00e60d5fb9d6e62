package study

import (
	"cmp"
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// Level is that of the statistics' intervals and critical differences.
const Level = .95

// Ranking is the arms' ranks over the tasks, by test accuracy-top10 or that of another
// objective, by validation where nothing was tested. Only arms that have models on every
// task are ranked, of the data that the reference arm's are of, or the first's; there must
// be two, and two tasks.
type Ranking struct {
	// Arms are those ranked, best first; MeanRanks are theirs.
	Arms      []string  `json:"arms"`
	MeanRanks []float64 `json:"mean_ranks"`
	Tasks     int       `json:"tasks"`
	// ChiSquared is Friedman's, with its p; FP is that of Iman and Davenport's F.
	ChiSquared float64 `json:"friedman_chi_squared"`
	P          float64 `json:"friedman_p"`
	FP         float64 `json:"iman_davenport_p"`
	// CriticalDifference is Nemenyi's, 0 of two arms, which p compares; Groups are the arms
	// whose ranks are less apart.
	CriticalDifference float64    `json:"critical_difference"`
	Groups             [][]string `json:"groups"`
}

// Ranking ranks the arms; nil where there are too few.
func (s *Study) Ranking() *Ranking {
	rows, objective, measured := s.Table(), s.Objective(), s.measured()
	r := &Ranking{Tasks: len(rows), Groups: [][]string{}}
	for _, arm := range s.ArmNames() {
		lacks := func(row Row) bool { c := row.Cell(arm); return c == nil || c.Models == 0 }
		if !slices.ContainsFunc(rows, lacks) {
			r.Arms = append(r.Arms, arm)
		}
	}
	if len(r.Arms) > 0 {
		reference := r.Arms[max(0, slices.Index(r.Arms, s.Against))]
		r.Arms = slices.DeleteFunc(r.Arms, func(arm string) bool {
			return slices.ContainsFunc(rows, func(row Row) bool { return s.data(row.Task, arm) != s.data(row.Task, reference) })
		})
	}
	if len(r.Arms) < 2 || len(rows) < 2 {
		return nil
	}
	scores := make([][]float64, len(rows))
	for i, row := range rows {
		for _, arm := range r.Arms {
			scores[i] = append(scores[i], trainer.Reward(objective, measured(row.Cell(arm)).Mean))
		}
	}
	all := metrics.Rank(scores)
	ranks := all.Ranks
	r.ChiSquared, r.P, r.CriticalDifference = all.Chi2, all.P, all.Critical
	_, r.FP = metrics.ImanDavenport(scores)
	for _, group := range metrics.Groups(ranks, r.CriticalDifference) {
		var names []string
		for _, k := range group {
			names = append(names, r.Arms[k])
		}
		r.Groups = append(r.Groups, names)
	}
	rank := map[string]float64{}
	for k, arm := range r.Arms {
		rank[arm] = ranks[k]
	}
	slices.SortStableFunc(r.Arms, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	for _, arm := range r.Arms {
		r.MeanRanks = append(r.MeanRanks, rank[arm])
	}
	return r
}

// measured picks what arms are compared by.
func (s *Study) measured() func(*Cell) metrics.Estimate {
	if s.Tested() {
		return func(c *Cell) metrics.Estimate { return c.Test }
	}
	return func(c *Cell) metrics.Estimate { return c.Validation }
}

// intervals are those of the difference of two arms, in the objective's own values: with
// other tasks drawn, and for these very tasks. They are over the seeds that both arms
// have, where they share any.
func (s *Study) intervals(a, b string, tasks []string) (drawn, fixed metrics.Interval) {
	var paired []metrics.PairedTask
	for _, task := range tasks {
		if t := s.paired(a, b, task); len(t.Seeds) > 0 {
			paired = append(paired, t)
		}
	}
	o := metrics.Bootstrap{Level: Level}
	drawn = metrics.PairedBootstrap(paired, o)
	o.FixedTasks = true
	return drawn, metrics.PairedBootstrap(paired, o)
}

// paired pairs two arms' searches of a task by their seeds; where they share none, in
// their order. They are of the data that the first of them is of.
func (s *Study) paired(a, b, task string) metrics.PairedTask {
	t := metrics.PairedTask{Examples: s.examples(task)}
	left, right := s.scores(task, a), s.scores(task, b)
	other := func(x seeded) bool { return x.data != left[0].data }
	left, right = slices.DeleteFunc(left, other), slices.DeleteFunc(right, other)
	used := make([]bool, len(right))
	for _, x := range left {
		for k, y := range right {
			if !used[k] && y.seed == x.seed {
				used[k] = true
				t.Seeds = append(t.Seeds, metrics.Scores{A: x.Score, B: y.Score})
				break
			}
		}
	}
	if len(t.Seeds) > 0 {
		return t
	}
	for k := range min(len(left), len(right)) {
		t.Seeds = append(t.Seeds, metrics.Scores{A: left[k].Score, B: right[k].Score})
	}
	return t
}

type seeded struct {
	seed uint64
	data string
	metrics.Score
}

// scores are what an arm's searches of a task reached, with the examples that their
// models have right where that is known of all of them.
func (s *Study) scores(task, arm string) (out []seeded) {
	tested := s.Tested()
	for _, l := range s.Select(Transfer, task, arm) {
		top, ok := metrics.AccuracyTopN(l.Trials, 0, search.TopN)
		if !ok {
			continue
		}
		x := seeded{l.Seed, l.data(), metrics.Score{Value: top.Validation.Mean}}
		if tested {
			x.Value = top.Test.Mean
		}
		for _, t := range top.Trials {
			if r := l.Right[t.Trial]; r != nil && tested && s.Objective().Metric == trainer.Accuracy {
				x.Right = append(x.Right, r.Test)
			}
		}
		if len(x.Right) < len(top.Trials) {
			x.Right = nil
		}
		out = append(out, x)
	}
	return out
}

// examples is how many examples accuracies on a task are shares of, by its card; 0
// where there is none, and for another objective.
func (s *Study) examples(task string) int {
	at := slices.IndexFunc(s.Cards, func(c Card) bool { return c.Task == task })
	switch {
	case at < 0 || s.Objective().Metric != trainer.Accuracy:
		return 0
	case s.Tested():
		return s.Cards[at].Card.Test
	}
	return s.Cards[at].Card.Validation
}

// ArmTuning is what an arm's choice by validation costs on the test split at the end of
// its budget (metrics.Tuning): means over tasks of means over seeds, with 2 s.e.m.
// across tasks, in rewards. Relative is the median over the Improved of its Searches that
// improved over their first model at all.
type ArmTuning struct {
	Arm             string           `json:"arm"`
	Searches        int              `json:"searches"`
	MetaOverfitting metrics.Estimate `json:"meta_overfitting"`
	Overtuning      metrics.Estimate `json:"overtuning"`
	Relative        float64          `json:"relative_overtuning"`
	Improved        int              `json:"improved_searches"`
	TestRegret      metrics.Estimate `json:"test_regret"`
}

// Tunings measures each arm's; none where nothing was tested.
func (s *Study) Tunings() []ArmTuning {
	if !s.Tested() {
		return nil
	}
	objective, tasks := s.Objective(), s.Tasks(Transfer)
	var out []ArmTuning
	for _, arm := range s.ArmNames() {
		a := ArmTuning{Arm: arm}
		var overfitting, overtuning, regret, relative []float64
		for _, task := range tasks {
			var o, u, r []float64
			for _, l := range s.Select(Transfer, task, arm) {
				all := metrics.Tunings(l.Trials, 0, objective)
				if len(all) == 0 {
					continue
				}
				last := all[len(all)-1]
				o, u, r = append(o, last.MetaOverfitting), append(u, last.Overtuning), append(r, last.TestRegret)
				a.Searches++
				if v, ok := last.Relative(); ok {
					relative = append(relative, v)
				}
			}
			if len(o) > 0 {
				overfitting, overtuning = append(overfitting, metrics.Mean(o).Mean), append(overtuning, metrics.Mean(u).Mean)
				regret = append(regret, metrics.Mean(r).Mean)
			}
		}
		if a.Searches == 0 {
			continue
		}
		a.MetaOverfitting, a.Overtuning, a.TestRegret = metrics.Mean(overfitting), metrics.Mean(overtuning), metrics.Mean(regret)
		a.Relative, a.Improved = metrics.Median(relative), len(relative)
		out = append(out, a)
	}
	return out
}
