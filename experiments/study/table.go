package study

import (
	"slices"

	"tnaml/experiments/metrics"
)

// Cell is an arm on a task, over its seeds.
type Cell struct {
	Arm   string `json:"arm"`
	Seeds int    `json:"seeds"`
	// Failed counts the searches that could not be run to an end.
	Failed int `json:"failed,omitempty"`
	// Validation and Test are accuracy-top10 at the end of the budget: with one
	// seed the mean over the ten models with its 2 s.e.m. (Table 1), with several
	// the mean over seeds with its 2 s.e.m. across them.
	Validation metrics.Estimate `json:"validation"`
	Test       metrics.Estimate `json:"test"`
	// Models is the least number of models averaged, 10 unless trials failed.
	Models int `json:"models"`
	// ToRandom is the median over seeds of the trials to random search's best
	// validation accuracy-top10 (Table 1, left), Reached the number of seeds that
	// got there, Compared those that have a random search to compare with.
	ToRandom float64 `json:"trials_to_random"`
	Reached  int     `json:"reached"`
	Compared int     `json:"compared"`
	// First is the mean validation accuracy of the first ten trials: what the
	// controller knows before it has learned anything about the task.
	First float64 `json:"first_trials_validation"`
}

// Row is a task with its arms.
type Row struct {
	Task string `json:"task"`
	// Budget is the largest of its searches.
	Budget int    `json:"budget"`
	Cells  []Cell `json:"cells"`
}

// Cell returns an arm's, nil where there is none.
func (r Row) Cell(arm string) *Cell {
	for i := range r.Cells {
		if r.Cells[i].Arm == arm {
			return &r.Cells[i]
		}
	}
	return nil
}

// Table puts the arms of a phase side by side, task by task.
func (s *Study) Table(p Phase) []Row {
	var rows []Row
	for _, task := range s.Tasks(p) {
		row := Row{Task: task}
		var arms []string
		for _, l := range s.Select(p, task, "") {
			if !slices.Contains(arms, l.Arm) {
				arms = append(arms, l.Arm)
			}
			row.Budget = max(row.Budget, l.Budget)
		}
		for _, arm := range arms {
			row.Cells = append(row.Cells, s.cell(p, task, arm))
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Study) cell(p Phase, task, arm string) Cell {
	c := Cell{Arm: arm}
	var validation, test, toRandom, first []float64
	var only metrics.TopN
	for _, l := range s.Select(p, task, arm) {
		c.Seeds++
		if l.Status == "failed" || l.Status == "canceled" {
			c.Failed++
		}
		top, ok := metrics.AccuracyTopN(l.Trials, 0, topN)
		if !ok {
			continue
		}
		if only = top; len(test) == 0 || top.Models() < c.Models {
			c.Models = top.Models()
		}
		validation, test = append(validation, top.Validation.Mean), append(test, top.Test.Mean)
		n := 0.0
		head := l.Trials[:min(topN, len(l.Trials))]
		for i := range head {
			n += head[i].Validation / float64(len(head))
		}
		first = append(first, n)
		if trials, reached, ok := s.TrialsToRandom(l); ok {
			c.Compared++
			toRandom = append(toRandom, float64(trials))
			if reached {
				c.Reached++
			}
		}
	}
	c.Validation, c.Test, c.First = metrics.Mean(validation), metrics.Mean(test), metrics.Mean(first).Mean
	if len(test) == 1 {
		c.Validation, c.Test = only.Validation, only.Test
	}
	c.ToRandom = median(toRandom)
	return c
}

// Comparison is two arms over all tasks, as §4.3 counts its ablations.
type Comparison struct {
	A string `json:"a"`
	B string `json:"b"`
	// Test counts the tasks on which A's test accuracy-top10 is better than, not
	// to be told from, or worse than B's; Difference is A's mean over the tasks
	// less B's.
	Test       metrics.Tally `json:"test"`
	Difference float64       `json:"mean_test_difference"`
	Tasks      int           `json:"tasks"`
}

// Compare compares two arms of a phase over the tasks that have both.
func (s *Study) Compare(p Phase, a, b string) Comparison {
	c := Comparison{A: a, B: b}
	var differences []float64
	for _, row := range s.Table(p) {
		x, y := row.Cell(a), row.Cell(b)
		if x == nil || y == nil || x.Models == 0 || y.Models == 0 {
			continue
		}
		c.Tasks++
		c.Test.Add(metrics.Compare(x.Test, y.Test))
		differences = append(differences, x.Test.Mean-y.Test.Mean)
	}
	c.Difference = metrics.Mean(differences).Mean
	return c
}
