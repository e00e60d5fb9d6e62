package benchmark_test

import (
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// The trials of tasks are those of one search: each row with the options and the outcome
// that it had, those left out that a space cannot hold.
func TestTrialsOfASet(t *testing.T) {
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	tasks := benchmark.Expand([]string{"prog_opinion", "development"}, set.Development, set.Test)
	if len(tasks) != 9 || tasks[0] != "prog_opinion" {
		t.Fatalf("tasks %v", tasks)
	}
	sp := set.Space
	trials, refusals, err := set.Trials(&sp, tasks)
	if err != nil || len(refusals) > 0 {
		t.Fatalf("%v, %v", err, refusals)
	}
	n := 0
	for at, name := range tasks {
		r, err := set.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Rows {
			got := trials[n]
			if got.Trial != n || got.Task != at || !slices.Equal(got.Actions, row.Actions) || got.Status != row.Status || got.Steps != row.Steps ||
				got.Validation != row.Validation || got.Test != row.Test || got.OK() && got.Reward != row.Validation {
				t.Fatalf("trial %d: %+v of %+v", n, got, row)
			}
			n++
		}
	}
	if n != len(trials) {
		t.Errorf("%d trials of %d rows", len(trials), n)
	}
	// A space with one module has the trials of that, under its own numbers of the options.
	few := sp
	few.Choices = slices.Clone(sp.Choices)
	at := slices.IndexFunc(few.Choices, func(c space.Choice) bool { return c.Name == trainer.Module })
	few.Choices[at].Options = []any{"glove-50"}
	some, refusals, err := set.Trials(&few, []string{"prog_opinion"})
	if err != nil || len(some) == 0 || len(some)+len(refusals) != 1100 || !strings.HasPrefix(refusals[0], "task prog_opinion, trial ") ||
		!strings.Contains(refusals[0], `choice "module" has no option`) || strings.Contains(strings.Join(refusals, ""), "\n") {
		t.Fatalf("%d trials, %d refused, %v", len(some), len(refusals), err)
	}
	for _, s := range some {
		if s.Actions[at] != 0 {
			t.Fatalf("%+v", s)
		}
	}
	// Constraints of the space judge, and a metric that was not recorded fails.
	bounded, most := sp, 1e5
	bounded.Constraints = []space.Constraint{{Metric: trainer.Parameters, Max: &most}}
	judged, _, err := set.Trials(&bounded, []string{"airline"})
	if err != nil {
		t.Fatal(err)
	}
	infeasible := 0
	for _, j := range judged {
		if over := j.Metrics[trainer.Parameters] > most; over != (j.Status == trainer.Infeasible) {
			t.Fatalf("%+v", j)
		} else if over {
			infeasible++
		}
	}
	bounded.Constraints, bounded.Objective.Metric = nil, trainer.AUC
	failed, _, err := set.Trials(&bounded, []string{"airline"})
	if err != nil || infeasible == 0 || infeasible == len(judged) || failed[0].Status != trainer.Failed || failed[0].Reason == "" {
		t.Errorf("%d infeasible, %+v, %v", infeasible, failed[0], err)
	}
	_, _, err = set.Trials(&sp, []string{"nobody", "airline", "airline"})
	if err == nil || !strings.Contains(err.Error(), `no task "nobody"`) || !strings.Contains(err.Error(), `"airline" is there twice`) {
		t.Errorf("%v", err)
	}
}
