package search

import (
	"fmt"
	"math"

	"tnaml/experiments/limit"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Budget is what ends a search before its trials are used up, whichever comes first; 0
// or nil is no bound. Failed, Steps and Goal are functions of the ledger, so that the
// trial at which they end it does not depend on speed; hours are the machines'.
type Budget struct {
	// Failed is the number of trials that failed (trainer.Status.Failure).
	Failed int `json:"failed,omitempty"`
	// Steps is the number of training steps of all trials.
	Steps int `json:"steps,omitempty"`
	// CPUHours are those of all trials, Hours those of the search, pauses left out.
	CPUHours float64 `json:"cpu_hours,omitempty"`
	Hours    float64 `json:"hours,omitempty"`
	// Goal is the objective's value on the validation split that the best feasible model
	// of each task must have.
	Goal *float64 `json:"goal,omitempty"`
}

// Problems lists all that is wrong with a budget.
func (b Budget) Problems() (wrong []error) {
	bad := func(field, format string, a ...any) {
		wrong = append(wrong, fmt.Errorf(`"budget": %q %w`, field, fmt.Errorf(format, a...)))
	}
	for _, n := range []struct {
		field   string
		v, most int
	}{{"failed", b.Failed, limit.MaxTrials}, {"steps", b.Steps, maxBudgetSteps}} {
		if n.v < 0 || n.v > n.most {
			bad(n.field, "is %d: it must lie between 1 and %d, or be absent", n.v, n.most)
		}
	}
	for _, n := range []struct {
		field string
		v     float64
	}{{"cpu_hours", b.CPUHours}, {"hours", b.Hours}} {
		if !(n.v >= 0 && n.v <= maxBudgetHours) {
			bad(n.field, "is %v: it must be at most %v, or be absent", n.v, float64(maxBudgetHours))
		}
	}
	if b.Goal != nil && !(math.Abs(*b.Goal) <= trainer.MaxMetric) {
		bad("goal", "is %v: it must be a number of at most %v in size", *b.Goal, trainer.MaxMetric)
	}
	return wrong
}

const (
	maxBudgetSteps = 1_000_000_000_000_000
	maxBudgetHours = 1_000_000
)

// Add is the budget with another one added; its goal replaces this one's.
func (b Budget) Add(more Budget) Budget {
	sum := func(a, more float64) float64 {
		if a == 0 || more == 0 {
			return a // what has no bound keeps none
		}
		return a + more
	}
	b.Failed, b.Steps = int(sum(float64(b.Failed), float64(more.Failed))), int(sum(float64(b.Steps), float64(more.Steps)))
	b.CPUHours, b.Hours = sum(b.CPUHours, more.CPUHours), sum(b.Hours, more.Hours)
	if more.Goal != nil {
		b.Goal = more.Goal
	}
	return b
}

// Lacking names the bounds of another budget that this one has none of: nothing can be
// added to them.
func (b Budget) Lacking(more Budget) (names []string) {
	for _, bound := range []struct {
		name     string
		has, add float64
	}{
		{"failed", float64(b.Failed), float64(more.Failed)}, {"steps", float64(b.Steps), float64(more.Steps)},
		{"cpu_hours", b.CPUHours, more.CPUHours}, {"hours", b.Hours, more.Hours},
	} {
		if bound.has == 0 && bound.add != 0 {
			names = append(names, bound.name)
		}
	}
	return names
}

// Used is what a search has used of a budget.
type Used struct {
	Failed, Steps int
	CPUSeconds    float64
	Seconds       float64
	// Best are the tasks' best rewards; nil where a task has no feasible model.
	Best []*float64
}

// Tell counts a trial of the ledger in. Best is replaced, not written into.
func (u Used) Tell(t Trial, o space.Objective) Used {
	u.Steps += t.Steps
	if t.Status.Failure() {
		u.Failed++
	}
	if r := trainer.Reward(o, t.Validation); t.OK() && (u.Best[t.Task] == nil || r > *u.Best[t.Task]) {
		u.Best = append([]*float64(nil), u.Best...)
		u.Best[t.Task] = &r
	}
	return u
}

// Reached says which bound is reached, "" while none is.
func (b Budget) Reached(u Used, o space.Objective) string {
	const second = 1. / 3600
	switch {
	case b.goalReached(u, o):
		return fmt.Sprintf("the goal is reached: %s of %s", o.Metric, trainer.Text(o, *b.Goal))
	case b.Failed > 0 && u.Failed >= b.Failed:
		return fmt.Sprintf("the budget of %d failed trials is used up", b.Failed)
	case b.Steps > 0 && u.Steps >= b.Steps:
		return fmt.Sprintf("the budget of %d training steps is used up, with %d", b.Steps, u.Steps)
	case b.CPUHours > 0 && u.CPUSeconds*second >= b.CPUHours:
		return fmt.Sprintf("the budget of %g CPU hours is used up", b.CPUHours)
	case b.Hours > 0 && u.Seconds*second >= b.Hours:
		return fmt.Sprintf("the budget of %g hours is used up", b.Hours)
	}
	return ""
}

func (b Budget) goalReached(u Used, o space.Objective) bool {
	if b.Goal == nil || len(u.Best) == 0 {
		return false
	}
	goal := trainer.Reward(o, *b.Goal)
	for _, best := range u.Best {
		if best == nil || *best < goal {
			return false
		}
	}
	return true
}
