package compare

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tnaml/experiments/metrics"
)

// Plan says what of a table is compared, and how. Its zero value is for all of it.
type Plan struct {
	Arms, Tasks []string
	// Budgets are numbers of trials: by default those that all arms have.
	Budgets []int
	// Against is the arm that the others are compared with, by default the first.
	Against string
	// Lower are figures of which less is better.
	Lower []string
	// Over is what ranks and tests are over: Tasks or Runs. By default it is tasks, where
	// there are enough of them for a test.
	Over string
}

// What ranks and tests are over. Runs are each run of a task for itself: they are not
// independent, since those of a task have more in common than those of two, so that p is
// of these tasks, and not of others like them.
const (
	Tasks = "tasks"
	Runs  = "runs"
)

// Enough is the least number of tasks of which Wilcoxon's test can say p < .05: 2/2⁶.
const Enough = 6

// Result compares arms.
type Result struct {
	Arms    []string `json:"arms"`
	Tasks   []string `json:"tasks"`
	Budgets []int    `json:"budgets"`
	Against string   `json:"against"`
	Over    string   `json:"over"`
	// Runs counts the runs that all arms have, pairs of a task and a seed; LeftOut those
	// that some arm has, and not all.
	Runs    int     `json:"runs"`
	LeftOut int     `json:"runs_left_out,omitempty"`
	Values  []Value `json:"values"`
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
// wrong with the plan comes together.
func (t *Table) Compare(p Plan) (*Result, error) {
	r := &Result{Arms: t.Arms, Against: p.Against, Over: p.Over}
	var errs []error
	known := func(what string, names, all []string) {
		for i, n := range names {
			if !slices.Contains(all, n) {
				errs = append(errs, fmt.Errorf("no %s %q (there are: %s)", what, n, strings.Join(all, ", ")))
			} else if slices.Contains(names[:i], n) {
				errs = append(errs, fmt.Errorf("the %s %q is there twice", what, n))
			}
		}
	}
	known("arm", p.Arms, t.Arms)
	known("task", p.Tasks, t.Tasks)
	known("figure", p.Lower, t.Values)
	if len(p.Arms) > 0 {
		r.Arms = p.Arms
	}
	for i, n := range p.Budgets {
		if n < 1 || i > 0 && n <= p.Budgets[i-1] {
			errs = append(errs, fmt.Errorf("figures at %v: numbers of trials must be above 0 and rise", p.Budgets))
			break
		}
	}
	if p.Over != "" && p.Over != Tasks && p.Over != Runs {
		errs = append(errs, fmt.Errorf("over %q: it must be over %s or %s", p.Over, Tasks, Runs))
	}
	if p.Against == "" {
		r.Against = r.Arms[0]
	} else if !slices.Contains(r.Arms, p.Against) {
		errs = append(errs, fmt.Errorf("against %q, which is none of the arms (there are: %s)", p.Against, strings.Join(r.Arms, ", ")))
	}
	if len(r.Arms) < 2 {
		errs = append(errs, fmt.Errorf("there is one arm, %s: nothing is there to compare it with", r.Arms[0]))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	r.Budgets = p.Budgets
	if len(p.Budgets) == 0 {
		r.Budgets = t.budgets(r.Arms)
	}
	runs, left := t.shared(r.Arms, p.Tasks, r.Budgets)
	if len(r.Budgets) == 0 || len(runs) == 0 {
		return nil, t.nothing(r.Arms, r.Budgets)
	}
	r.LeftOut = left
	for _, one := range runs {
		if r.Runs++; !slices.Contains(r.Tasks, one.task) {
			r.Tasks = append(r.Tasks, one.task)
		}
	}
	if r.Over == "" && len(r.Tasks) < Enough {
		r.Over = Runs
	} else if r.Over == "" {
		r.Over = Tasks
	}
	for v, name := range t.Values {
		value := Value{Name: name, Lower: slices.Contains(p.Lower, name)}
		for _, budget := range r.Budgets {
			value.At = append(value.At, r.at(t, v, value.Lower, budget, runs))
		}
		r.Values = append(r.Values, value)
	}
	return r, nil
}

// budgets are the numbers of trials that all arms have.
func (t *Table) budgets(arms []string) (out []int) {
	have := map[int]map[string]bool{}
	for _, row := range t.rows {
		if have[row.trials] == nil {
			have[row.trials] = map[string]bool{}
		}
		have[row.trials][row.arm] = true
	}
	for _, n := range slices.Sorted(maps.Keys(have)) {
		if !slices.ContainsFunc(arms, func(a string) bool { return !have[n][a] }) {
			out = append(out, n)
		}
	}
	return out
}

// shared are the runs that all arms have at all budgets, task by task in the order of the
// table, and how many others there are.
func (t *Table) shared(arms, tasks []string, budgets []int) (out []run, left int) {
	seen := map[run]bool{}
	for _, row := range t.rows {
		one := run{row.task, row.seed}
		if seen[one] || !slices.Contains(arms, row.arm) || len(tasks) > 0 && !slices.Contains(tasks, row.task) {
			continue
		}
		seen[one] = true
		if t.whole(one, arms, budgets) {
			out = append(out, one)
		} else {
			left++
		}
	}
	slices.SortStableFunc(out, func(a, b run) int { return slices.Index(t.Tasks, a.task) - slices.Index(t.Tasks, b.task) })
	return out, left
}

// whole says that all arms have a run at all budgets.
func (t *Table) whole(one run, arms []string, budgets []int) bool {
	for _, arm := range arms {
		for _, n := range budgets {
			if _, ok := t.at[key{arm, one.task, one.seed, n}]; !ok {
				return false
			}
		}
	}
	return true
}

// nothing says what each arm has, where no run is all arms'.
func (t *Table) nothing(arms []string, budgets []int) error {
	errs := []error{fmt.Errorf("no run, a task with a seed, is there of all arms after %s trials", strings.Trim(fmt.Sprint(budgets), "[]"))}
	if len(budgets) == 0 {
		errs[0] = errors.New("no number of trials is there of all arms")
	}
	for _, arm := range arms {
		tasks, seeds, trials := map[string]bool{}, map[string]bool{}, map[int]bool{}
		for _, row := range t.rows {
			if row.arm == arm {
				tasks[row.task], seeds[row.seed], trials[row.trials] = true, true, true
			}
		}
		errs = append(errs, fmt.Errorf("%s has the tasks %s, the seeds %s, and figures after %s trials", arm,
			strings.Join(slices.Sorted(maps.Keys(tasks)), ", "), strings.Join(slices.Sorted(maps.Keys(seeds)), ", "),
			strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(trials))), "[]")))
	}
	return errors.Join(errs...)
}

// at compares the arms by a figure at a budget.
func (r *Result) at(t *Table, value int, lower bool, budget int, runs []run) At {
	sign := 1.
	if lower {
		sign = -1
	}
	values := make(metrics.Runs, len(r.Tasks))
	for i, task := range r.Tasks {
		values[i] = make([][]float64, len(r.Arms))
		for _, one := range runs {
			for a, arm := range r.Arms {
				if one.task == task {
					values[i][a] = append(values[i][a], sign*t.rows[t.at[key{arm, task, one.seed, budget}]].values[value])
				}
			}
		}
	}
	at := At{Trials: budget, Ranking: values.Rank()}
	for a := range r.Arms {
		var means []float64
		for _, task := range values {
			means = append(means, sign*metrics.Mean(task[a]).Mean)
		}
		at.Means = append(at.Means, metrics.Mean(means).Mean)
	}
	against := slices.Index(r.Arms, r.Against)
	others := slices.Delete(slices.Clone(r.Arms), against, against+1)
	for i, c := range values.Against(against) {
		at.Comparisons = append(at.Comparisons, Comparison{others[i], c})
	}
	if r.Over == Runs {
		apart := values.Apart()
		at.Ranking = apart.Rank()
		for i, c := range apart.Against(against) {
			one := &at.Comparisons[i].RunComparison
			one.P, one.Holm, one.Tally = c.P, c.Holm, signs(c.Tasks)
		}
	}
	return at
}

// signs counts differences by their signs.
func signs(of []metrics.Interval) (t metrics.Tally) {
	for _, d := range of {
		switch {
		case d.Mean > 0:
			t.Add(metrics.Win)
		case d.Mean < 0:
			t.Add(metrics.Loss)
		default:
			t.Add(metrics.Draw)
		}
	}
	return t
}
