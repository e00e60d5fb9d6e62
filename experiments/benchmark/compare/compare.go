package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"tnaml/experiments/limit"
	"tnaml/experiments/metrics"
)

// Plan says what of a table is compared, and how. Its zero value is for all of it.
type Plan struct {
	Arms, Tasks []string
	// Budgets are numbers of trials: by default those that more than half as many runs have
	// in all arms as have the one that most have.
	Budgets []int
	// Against is the arm that the others are compared with, by default the first.
	Against string
	// Lower are figures of which less is better.
	Lower []string
	// Over is what ranks and tests are over: Tasks or Runs. By default it is tasks, where
	// there are enough of them for a test (Enough).
	Over string
}

// What ranks and tests are over. Runs are each run of a task for itself: they are not
// independent, since those of a task have more in common than those of two, so that p is
// of these tasks, and not of others like them.
const (
	Tasks = "tasks"
	Runs  = "runs"
)

// Enough is the least number of tasks of which a test can tell one of so many arms from
// another: Wilcoxon's p is 2/2ⁿ at least, and Holm's so many times that as there are others.
func Enough(arms int) (n int) {
	for n = 1; float64(arms-1)*2/math.Pow(2, float64(n)) >= .05; n++ {
	}
	return n
}

// Result compares arms.
type Result struct {
	Arms    []string `json:"arms"`
	Tasks   []string `json:"tasks"`
	Budgets []int    `json:"budgets"`
	Against string   `json:"against"`
	Over    string   `json:"over"`
	// Runs counts the runs that all arms have, pairs of a task and a seed.
	Runs int `json:"runs"`
	// LeftOut are runs that some arms have at some number of trials, and not all at all.
	LeftOut LeftOut `json:"left_out"`
	Values  []Value `json:"values"`
}

// LeftOut says what is not compared.
type LeftOut struct {
	Runs int `json:"runs,omitempty"`
	// Lacks counts those that an arm lacks, by arm.
	Lacks map[string]int `json:"lacks,omitempty"`
	// Budgets are numbers of trials that some arm has.
	Budgets []int `json:"budgets,omitempty"`
}

// Value compares the arms by a figure.
type Value struct {
	Name  string `json:"value"`
	Lower bool   `json:"lower_is_better,omitempty"`
	At    []At   `json:"at"`
}

// At compares the arms after some trials.
type At struct {
	Trials int `json:"trials"`
	// Means are those over tasks of the means over seeds, by arm.
	Means []float64 `json:"means"`
	metrics.Ranking
	// Comparisons are those with Against, of each other arm. Gain and Tasks are over tasks
	// and their seeds; over runs Tally counts these, without intervals.
	Comparisons []Comparison `json:"comparisons"`
}

// Comparison is an arm beside the one that all are compared with.
type Comparison struct {
	Arm string `json:"arm"`
	metrics.RunComparison
}

// run is a task with a seed.
type run struct{ task, seed string }

// Compare compares the arms of a table by the runs that all of them have. Everything
// wrong with the plan comes together. It takes seconds for a million rows, and ends with ctx.
func (t *Table) Compare(ctx context.Context, p Plan) (*Result, error) {
	r := &Result{Arms: t.Arms, Against: p.Against, Over: p.Over, Budgets: p.Budgets}
	if err := t.check(&p); err != nil {
		return nil, err
	}
	if len(p.Arms) > 0 {
		r.Arms = p.Arms
	}
	if p.Against == "" {
		r.Against = r.Arms[0]
	}
	all := t.runs(r.Arms, p.Tasks)
	if len(p.Budgets) == 0 {
		r.Budgets = t.budgets(all, r.Arms)
	}
	byTask := t.shared(r, all)
	if r.Runs == 0 || len(r.Budgets) == 0 {
		return nil, t.nothing(r, p.Tasks)
	}
	if r.Over == "" {
		r.Over = Tasks
		if len(r.Tasks) < Enough(len(r.Arms)) {
			r.Over = Runs
		}
	}
	for v, name := range t.Values {
		value := Value{Name: name, Lower: slices.Contains(p.Lower, name)}
		for _, budget := range r.Budgets {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			value.At = append(value.At, r.at(t, v, value.Lower, budget, byTask))
		}
		r.Values = append(r.Values, value)
	}
	return r, nil
}

// check says what is wrong with a plan.
func (t *Table) check(p *Plan) error {
	var errs []error
	known := func(kind string, names, there []string) {
		errs = append(errs, limit.Apart(limit.Known(kind, names, there))...)
	}
	known("arm", p.Arms, t.Arms)
	known("task", p.Tasks, t.Tasks)
	known("figure", p.Lower, t.known)
	for i, n := range p.Budgets {
		if n < 1 || i > 0 && n <= p.Budgets[i-1] {
			errs = append(errs, fmt.Errorf("figures at %s: numbers of trials must be above 0 and rise", list(p.Budgets)))
			break
		}
	}
	if p.Over != "" && p.Over != Tasks && p.Over != Runs {
		errs = append(errs, fmt.Errorf("over %q: it must be over %s or %s", p.Over, Tasks, Runs))
	}
	arms := t.Arms
	if len(p.Arms) > 0 {
		arms = p.Arms
	}
	if p.Against != "" && !slices.Contains(arms, p.Against) {
		errs = append(errs, fmt.Errorf("against %q, which is none of the arms (there are: %s)", p.Against, list(limit.Quoted(arms))))
	}
	if len(arms) < 2 {
		errs = append(errs, fmt.Errorf("there is one arm, %q: nothing is there to compare it with", arms[0]))
	}
	return errors.Join(errs...)
}

// runs are those that some of the arms have, in the order of the table.
func (t *Table) runs(arms, tasks []string) (out []run) {
	seen := map[run]bool{}
	for _, row := range t.rows {
		one := run{row.task, row.seed}
		if !seen[one] && slices.Contains(arms, row.arm) && (len(tasks) == 0 || slices.Contains(tasks, row.task)) {
			seen[one] = true
			out = append(out, one)
		}
	}
	return out
}

// has says that an arm has a run at a budget.
func (t *Table) has(arm string, one run, budget int) bool {
	_, ok := t.at[key{arm, one.task, one.seed, budget}]
	return ok
}

// budgets are numbers of trials by default (Plan).
func (t *Table) budgets(runs []run, arms []string) (out []int) {
	trials, have, most := t.trials(), map[int]int{}, 0
	for _, n := range trials {
		for _, one := range runs {
			if !slices.ContainsFunc(arms, func(a string) bool { return !t.has(a, one, n) }) {
				have[n]++
			}
		}
		most = max(most, have[n])
	}
	for _, n := range trials {
		if 2*have[n] > most {
			out = append(out, n)
		}
	}
	return out
}

// trials are all numbers of trials, in their order.
func (t *Table) trials() []int {
	seen := map[int]bool{}
	for _, row := range t.rows {
		seen[row.trials] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// shared are the runs that all arms have at all budgets, task by task, and says in the
// result how many there are, and what is left out.
func (t *Table) shared(r *Result, all []run) (byTask [][]run) {
	at := map[string]int{} // a task's place
	left := map[int]bool{}
	for _, one := range all {
		whole := true
		for _, arm := range r.Arms {
			if slices.ContainsFunc(r.Budgets, func(n int) bool { return !t.has(arm, one, n) }) {
				if whole = false; r.LeftOut.Lacks == nil {
					r.LeftOut.Lacks = map[string]int{}
				}
				r.LeftOut.Lacks[arm]++
			}
		}
		if !whole {
			r.LeftOut.Runs++
			continue
		}
		i, known := at[one.task]
		if !known {
			i = len(byTask)
			at[one.task] = i
			byTask, r.Tasks = append(byTask, nil), append(r.Tasks, one.task)
		}
		byTask[i] = append(byTask[i], one)
		r.Runs++
	}
	for _, row := range t.rows {
		if slices.Contains(r.Arms, row.arm) && !slices.Contains(r.Budgets, row.trials) {
			left[row.trials] = true
		}
	}
	r.LeftOut.Budgets = slices.Sorted(maps.Keys(left))
	return byTask
}

// nothing says what each arm has, where no run is all arms'.
func (t *Table) nothing(r *Result, tasks []string) error {
	errs := []error{fmt.Errorf("no run, a task with a seed, is there of all arms after %s trials", list(r.Budgets))}
	if len(r.Budgets) == 0 {
		errs[0] = errors.New("no run, a task with a seed, is there of all arms after any number of trials")
	}
	for i, arm := range r.Arms {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("and %d arms more", len(r.Arms)-i))
			break
		}
		has, seeds, trials := map[string]bool{}, map[string]bool{}, map[int]bool{}
		for _, row := range t.rows {
			if row.arm == arm && (len(tasks) == 0 || slices.Contains(tasks, row.task)) {
				has[row.task], seeds[row.seed], trials[row.trials] = true, true, true
			}
		}
		of := slices.DeleteFunc(slices.Clone(t.Tasks), func(task string) bool { return !has[task] })
		errs = append(errs, fmt.Errorf("%q has the tasks %s, the seeds %s, and figures after %s trials", arm, list(limit.Quoted(of)),
			list(inOrder(seeds)), list(slices.Sorted(maps.Keys(trials)))))
	}
	return errors.Join(errs...)
}

// inOrder are seeds as people count, where they are numbers.
func inOrder(seeds map[string]bool) []string {
	return slices.SortedFunc(maps.Keys(seeds), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
}

// at compares the arms by a figure at a budget.
func (r *Result) at(t *Table, value int, lower bool, budget int, byTask [][]run) At {
	sign := 1.
	if lower {
		sign = -1
	}
	values := make(metrics.Runs, len(byTask))
	for i, runs := range byTask {
		for _, arm := range r.Arms {
			var seeds []float64
			for _, one := range runs {
				seeds = append(seeds, sign*t.rows[t.at[key{arm, one.task, one.seed, budget}]].values[value])
			}
			values[i] = append(values[i], seeds)
		}
	}
	at := At{Trials: budget}
	for a := range r.Arms {
		var means []float64
		for _, task := range values {
			means = append(means, sign*metrics.Mean(task[a]).Mean)
		}
		at.Means = append(at.Means, metrics.Mean(means).Mean)
	}
	against := slices.Index(r.Arms, r.Against)
	for _, c := range values.Against(against) {
		at.Comparisons = append(at.Comparisons, Comparison{r.Arms[c.Method], c})
	}
	if r.Over == Runs {
		values = values.Apart()
		for i, test := range values.Tests(against) {
			one := &at.Comparisons[i].RunComparison
			one.RunTest, one.Tally = test, test.Signs
		}
	}
	at.Ranking = values.Rank()
	return at
}
