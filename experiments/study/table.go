package study

import (
	"math"
	"slices"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// Cell is an arm on a task, over its seeds.
type Cell struct {
	Arm   string `json:"arm"`
	Seeds int    `json:"seeds"`
	// Failed counts the searches that could not be run to an end.
	Failed int `json:"failed,omitempty"`
	// Unfinished counts the searches that have trials and have not come to their end: they
	// run, were stopped, or failed. All figures are of the trials that they have; Told is
	// how many the shortest of them has.
	Unfinished int `json:"unfinished,omitempty"`
	Told       int `json:"told,omitempty"`
	// Validation and Test are accuracy-top10 at the end of the budget, or that of
	// another objective, in its own values: with one
	// seed the mean over the ten models with its 2 s.e.m. (Table 1), with several
	// the mean over seeds with its 2 s.e.m. across them.
	Validation metrics.Estimate `json:"validation"`
	Test       metrics.Estimate `json:"test"`
	// ValidationSD and TestSD are the standard deviations over seeds, 0 with one.
	ValidationSD float64 `json:"validation_sd"`
	TestSD       float64 `json:"test_sd"`
	// AtFixed is the test accuracy-top10 at the row's fixed budget, in the same way
	// (Table 1, right); nil where there is no model by then.
	AtFixed *metrics.Estimate `json:"test_at_fixed_budget,omitempty"`
	// Models is the least number of models averaged, 10 unless trials failed.
	Models int `json:"models"`
	// ToBaseline is the median over seeds of the trials to the baseline's best
	// validation accuracy-top10 (Table 1, left); a search that never got there counts
	// as its budget. Reached is the number of seeds that did, Compared those that
	// have a baseline to compare with.
	ToBaseline float64 `json:"trials_to_baseline"`
	Reached    int     `json:"reached"`
	Compared   int     `json:"compared"`
	// First is the mean validation accuracy of the first ten trials: what the
	// controller knows before it has learned anything about the task. A failed trial
	// has an accuracy of 0; of an objective that is no fraction it is left out. The
	// error is across seeds. nil of an arm without any model.
	First *metrics.Estimate `json:"first_trials_validation,omitempty"`
}

// Gap is validation − test at the end of the budget.
func (c Cell) Gap() float64 { return c.Validation.Mean - c.Test.Mean }

// Row is a task with its arms.
type Row struct {
	Task string `json:"task"`
	// Budget is the largest of its searches; Fixed the number of trials at which
	// test accuracies are compared.
	Budget int    `json:"budget"`
	Fixed  int    `json:"fixed_budget"`
	Cells  []Cell `json:"arms"`
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

// Ends says that an arm reached the baseline's best in the median over seeds: more
// than half of them did. Else the median is that of budgets, which is no more than
// a lower bound.
func (c Cell) Ends() bool { return 2*c.Reached > c.Compared }

// Table puts the arms side by side, task by task.
func (s *Study) Table() []Row {
	var rows []Row
	for _, task := range s.Tasks(Transfer) {
		row := Row{Task: task}
		var arms []string
		for _, l := range s.Select(Transfer, task, "") {
			if !slices.Contains(arms, l.Arm) {
				arms = append(arms, l.Arm)
			}
			row.Budget = max(row.Budget, l.Budget)
		}
		row.Fixed = row.Budget
		if n := s.FixedBudgets[task]; n > 0 {
			row.Fixed = min(n, row.Budget)
		}
		for _, arm := range arms {
			row.Cells = append(row.Cells, s.cell(task, arm, row.Fixed))
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Study) cell(task, arm string, fixed int) Cell {
	c := Cell{Arm: arm}
	var toBaseline, first []float64
	ledgers := s.Select(Transfer, task, arm)
	for _, l := range ledgers {
		c.Seeds++
		if l.failed() {
			c.Failed++
		}
		if l.Unfinished() && len(l.Trials) > 0 {
			if c.Unfinished == 0 || len(l.Trials) < c.Told {
				c.Told = len(l.Trials)
			}
			c.Unfinished++
		}
		top, ok := metrics.AccuracyTopN(l.Trials, 0, search.TopN)
		if !ok {
			continue
		}
		if c.Models == 0 || top.Models() < c.Models {
			c.Models = top.Models()
		}
		first = append(first, s.first(l.Trials[:min(search.TopN, len(l.Trials))])...)
		if trials, reached, ok := s.TrialsToBaseline(l); ok {
			c.Compared++
			toBaseline = append(toBaseline, float64(trials))
			if reached {
				c.Reached++
			}
		}
	}
	c.Validation, c.Test, c.ValidationSD, c.TestSD = accuracies(ledgers, math.MaxInt)
	if slices.ContainsFunc(ledgers, func(l *Ledger) bool {
		return slices.ContainsFunc(l.Trials[:min(fixed, len(l.Trials))], search.Trial.OK)
	}) {
		_, at, _, _ := accuracies(ledgers, fixed)
		c.AtFixed = &at
	}
	if len(first) > 0 {
		mean := metrics.Mean(first)
		c.First = &mean
	}
	c.ToBaseline = metrics.Median(toBaseline)
	return c
}

// first is the mean of trials on the validation split; none without a model.
func (s *Study) first(trials []search.Trial) []float64 {
	if !trainer.InPercent(s.Objective()) {
		trials = slices.DeleteFunc(slices.Clone(trials), func(t search.Trial) bool { return !t.OK() })
	}
	if len(trials) == 0 {
		return nil
	}
	mean := 0.0
	for i := range trials {
		mean += trials[i].Validation / float64(len(trials))
	}
	return []float64{mean}
}

// accuracies are the accuracies-top10 after so many trials: over seeds, with their
// standard deviations, or with one seed over the ten models.
func accuracies(ledgers []*Ledger, budget int) (validation, test metrics.Estimate, validationSD, testSD float64) {
	var validations, tests []float64
	var only metrics.TopN
	for _, l := range ledgers {
		if top, ok := metrics.AccuracyTopN(l.Trials[:min(budget, len(l.Trials))], 0, search.TopN); ok {
			validations, tests, only = append(validations, top.Validation.Mean), append(tests, top.Test.Mean), top
		}
	}
	if len(tests) == 1 {
		return only.Validation, only.Test, 0, 0
	}
	validation, test = metrics.Mean(validations), metrics.Mean(tests)
	deviation := func(e metrics.Estimate) float64 { return e.Error / 2 * math.Sqrt(float64(len(tests))) }
	return validation, test, deviation(validation), deviation(test)
}

// Comparison is two arms over all tasks, as §4.3 counts its ablations.
type Comparison struct {
	A string `json:"a"`
	B string `json:"b"`
	// Test counts the tasks on which A's test accuracy-top10, or that of another
	// objective, is better than, not to be told from, or worse than B's; Difference
	// is A's mean over the tasks less B's, in the objective's own values, with its 2
	// s.e.m. across the tasks. By validation where nothing was tested. This is the
	// paper's rule.
	Test       metrics.Tally    `json:"test"`
	Difference metrics.Estimate `json:"mean_test_difference"`
	Tasks      int              `json:"tasks"`
	// Interval is the difference with what it may be on other tasks, with other seeds
	// and test examples, at Level; OnTheseTasks with the tasks as they are
	// (metrics.PairedBootstrap).
	Interval     metrics.Interval `json:"interval"`
	OnTheseTasks metrics.Interval `json:"interval_on_these_tasks"`
	// P is that of Wilcoxon's signed-rank test over the tasks, by Holm's method for all
	// comparisons of the reference arm.
	P float64 `json:"wilcoxon_holm_p"`
}

// Compare compares two arms over the tasks that have both, with the same data.
func (s *Study) Compare(a, b string) Comparison {
	c := Comparison{A: a, B: b}
	objective, of := s.Objective(), s.measured()
	var differences []float64
	var tasks []string
	for _, row := range s.Table() {
		x, y := row.Cell(a), row.Cell(b)
		if x == nil || y == nil || x.Models == 0 || y.Models == 0 || s.data(row.Task, a) != s.data(row.Task, b) {
			continue
		}
		c.Tasks++
		c.Test.Add(metrics.Compare(of(x).Reward(objective), of(y).Reward(objective)))
		differences, tasks = append(differences, metrics.Difference(of(x).Mean, of(y).Mean)), append(tasks, row.Task)
	}
	c.Difference = metrics.Mean(differences)
	c.Interval, c.OnTheseTasks = s.intervals(a, b, tasks)
	_, c.P = metrics.Wilcoxon(differences)
	return c
}

// data is that of an arm's searches of a task; one that could not begin says nothing of it.
func (s *Study) data(task, arm string) string {
	for _, l := range s.Select(Transfer, task, arm) {
		if l.Config.Strategy != "" {
			return l.data()
		}
	}
	return ""
}

// Comparisons compares the reference arm with each other arm, in the order of
// tables.
func (s *Study) Comparisons() []Comparison {
	var out []Comparison
	var p []float64
	for _, other := range s.ArmNames() {
		if c := s.Compare(s.Against, other); other != s.Against && c.Tasks > 0 {
			out, p = append(out, c), append(p, c.P)
		}
	}
	for i, adjusted := range metrics.Holm(p) {
		out[i].P = adjusted
	}
	return out
}
