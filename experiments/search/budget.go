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
// trial at which they end it does not depend on speed; hours are the machines'. All count
// the whole search: of one that goes on from another, what that one has used too.
type Budget struct {
	// Failed is the number of trials that failed (trainer.Status.Failure).
	Failed int `json:"failed,omitempty" strict:"nonzero"`
	// Steps is the number of training steps of all trials.
	Steps int `json:"steps,omitempty" strict:"nonzero"`
	// CPUHours are those of all trials, Hours those of the search, pauses left out.
	CPUHours float64 `json:"cpu_hours,omitempty" strict:"nonzero"`
	Hours    float64 `json:"hours,omitempty" strict:"nonzero"`
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

// Unreachable is what is wrong with the goal of a budget for an objective that no model can
// have so good, or that every model has.
func (b Budget) Unreachable(o space.Objective) error {
	if b.Goal == nil || !trainer.InPercent(o) || *b.Goal >= 0 && *b.Goal <= 1 {
		return nil
	}
	return fmt.Errorf(`"budget": "goal" is %v: %s lies between 0 and 1 (0.9 is 90 %%)`, *b.Goal, o.Metric)
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
	for _, r := range b.reached(u, o) {
		return r.ends
	}
	return ""
}

// UsedUp is what is wrong with a budget of a search that has used so much before it
// begins: each bound that is reached, with what was used of it.
func (b Budget) UsedUp(u Used, o space.Objective) (wrong []error) {
	for _, r := range b.reached(u, o) {
		wrong = append(wrong, fmt.Errorf(`"budget": %q is %s, which is reached: %s`, r.bound, r.is, r.used))
	}
	return wrong
}

// reachedBound is a bound that is reached: its name, its value, how it ends a search, and
// what was used.
type reachedBound struct{ bound, is, ends, used string }

// reached are the bounds that are reached, in order of their worth as a reason.
func (b Budget) reached(u Used, o space.Objective) (out []reachedBound) {
	if b.goalReached(u, o) {
		is := trainer.Text(o, *b.Goal)
		out = append(out, reachedBound{"goal", is, fmt.Sprintf("the goal is reached: %s of %s", o.Metric, is), "each task has a model as good"})
	}
	if b.Failed > 0 && u.Failed >= b.Failed {
		out = append(out, reachedBound{"failed", fmt.Sprint(b.Failed), fmt.Sprintf("the budget of %d failed trials is used up", b.Failed),
			fmt.Sprintf("%d trials have failed", u.Failed)})
	}
	if b.Steps > 0 && u.Steps >= b.Steps {
		out = append(out, reachedBound{"steps", fmt.Sprint(b.Steps),
			fmt.Sprintf("the budget of %d training steps is used up, with %d", b.Steps, u.Steps), fmt.Sprintf("%d steps were trained", u.Steps)})
	}
	for _, h := range []struct {
		bound, what string
		is, used    float64
	}{{"cpu_hours", "CPU hours", b.CPUHours, u.CPUSeconds / 3600}, {"hours", "hours", b.Hours, u.Seconds / 3600}} {
		if h.is > 0 && h.used >= h.is {
			out = append(out, reachedBound{h.bound, fmt.Sprintf("%g", h.is), fmt.Sprintf("the budget of %g %s is used up", h.is, h.what),
				fmt.Sprintf("%.4g %s are used", h.used, h.what)})
		}
	}
	return out
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
