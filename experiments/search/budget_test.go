package search

import (
	"strings"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Each bound by hand, reached at the very trial.
func TestBudgetByHand(t *testing.T) {
	goal := .9
	row := func(task int, status trainer.Status, v float64, steps int) Trial {
		return Trial{Task: task, Status: status, Validation: v, Steps: steps}
	}
	trials := []Trial{
		row(0, trainer.OK, .95, 100), row(1, trainer.Failed, 0, 10), row(1, trainer.Infeasible, .99, 100), row(1, trainer.Pruned, .97, 50),
		row(1, trainer.Lost, 0, 0), row(1, trainer.OK, .9, 100),
	}
	for _, c := range []struct {
		budget Budget
		at     int // trials told as it ends, 0: never
		says   string
	}{
		{Budget{}, 0, ""},
		{Budget{Failed: 2}, 5, "the budget of 2 failed trials is used up"},
		{Budget{Failed: 3}, 0, ""},
		{Budget{Steps: 250}, 4, "the budget of 250 training steps is used up, with 260"},
		{Budget{Steps: 260, Failed: 1}, 2, "1 failed"},                       // whichever comes first
		{Budget{Goal: &goal}, 6, "the goal is reached: accuracy of 90.00 %"}, // of both tasks, by feasible models
	} {
		u, at, reason := Used{Best: make([]*float64, 2)}, 0, ""
		for i, row := range trials {
			u = u.Tell(row, accuracy)
			if reason = c.budget.Reached(u, accuracy); reason != "" {
				at = i + 1
				break
			}
		}
		if at != c.at || !strings.Contains(reason, c.says) {
			t.Errorf("%+v: after %d trials: %q", c.budget, at, reason)
		}
	}
	u := Used{CPUSeconds: 1800, Seconds: 900, Best: make([]*float64, 1)}
	if got := (Budget{CPUHours: .5, Hours: 1}).Reached(u, accuracy); got != "the budget of 0.5 CPU hours is used up" {
		t.Error(got)
	}
	if got := (Budget{CPUHours: .6, Hours: .25}).Reached(u, accuracy); got != "the budget of 0.25 hours is used up" {
		t.Error(got)
	}
	// What was used before: one lost and one failed, 360 steps, half an hour.
	all := Used{CPUSeconds: 1800, Seconds: 900, Best: make([]*float64, 2)}
	for _, row := range trials {
		all = all.Tell(row, accuracy)
	}
	better := .91
	for _, c := range []struct {
		budget Budget
		says   []string
	}{
		{Budget{Failed: 3, Steps: 361, CPUHours: .51, Hours: .26, Goal: &better}, nil},
		{Budget{Failed: 2, Steps: 361}, []string{`"budget": "failed" is 2, which is reached: 2 trials have failed`}},
		{Budget{Steps: 360, CPUHours: .5}, []string{`"steps" is 360, which is reached: 360 steps`,
			`"cpu_hours" is 0.5, which is reached: 0.5 CPU hours`}},
		{Budget{Hours: .2, Goal: &goal}, []string{`"goal" is 90.00 %, which is reached: each task`,
			`"hours" is 0.2, which is reached: 0.25 hours`}},
	} {
		wrong := c.budget.UsedUp(all, accuracy)
		for i, w := range c.says {
			if len(wrong) != len(c.says) || !strings.Contains(wrong[i].Error(), w) {
				t.Errorf("%+v: %v, want %s", c.budget, wrong, w)
			}
		}
		if len(wrong) != len(c.says) {
			t.Errorf("%+v: %v", c.budget, wrong)
		}
	}
	least := space.Objective{Metric: "rmse", Direction: space.Minimise}
	u = Used{Best: make([]*float64, 1)}.Tell(row(0, trainer.OK, .9, 1), least)
	if below := .89; (Budget{Goal: &below}).Reached(u, least) != "" || (Budget{Goal: &goal}).Reached(u, least) == "" {
		t.Error("a goal where less is better")
	}
}

// A goal in percent is a slip of whoever has seen the tables.
func TestUnreachableGoals(t *testing.T) {
	accuracy, loss := space.Objective{Metric: trainer.Accuracy}, space.Objective{Metric: "rmse", Direction: space.Minimise}
	for _, c := range []struct {
		goal float64
		o    space.Objective
		want bool
	}{{99, accuracy, false}, {1.001, accuracy, false}, {-.5, accuracy, false}, {0, accuracy, true}, {1, accuracy, true}, {.9, accuracy, true},
		{99, loss, true}, {-3, loss, true}} {
		err := Budget{Goal: &c.goal}.Unreachable(c.o)
		if (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), `"goal" is `) {
			t.Errorf("%v of %s: %v", c.goal, c.o.Metric, err)
		}
	}
	if err := (Budget{}).Unreachable(accuracy); err != nil {
		t.Error(err)
	}
}

func TestBudgetAddAndProblems(t *testing.T) {
	a, b := .9, .95
	got := Budget{Failed: 2, Hours: 1, Goal: &a}.Add(Budget{Failed: 3, Steps: 100, Hours: .5, Goal: &b})
	if got.Failed != 5 || got.Steps != 0 || got.Hours != 1.5 || *got.Goal != .95 {
		t.Errorf("%+v", got)
	}
	big := 1e31
	if wrong := (Budget{Failed: -1, Steps: -1, CPUHours: -1, Hours: 1e7, Goal: &big}).Problems(); len(wrong) != 5 {
		t.Error(wrong)
	}
	if wrong := (Budget{Failed: 1, Steps: 1, CPUHours: 1, Hours: 1, Goal: &a}).Problems(); wrong != nil {
		t.Error(wrong)
	}
}
