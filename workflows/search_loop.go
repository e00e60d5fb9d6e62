package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// loop runs trials until the search is finished, or until it is time to
// continue as new with nothing in flight.
func (r *run) loop(ctx workflow.Context) error {
	trials, abandon := workflow.WithCancel(ctx)
	defer abandon()
	for {
		r.changed = false
		if reason := r.state.Budget.Reached(r.used(ctx), r.state.Resolved.Objective); reason != "" {
			// What is in flight would be told after it: it has no part in the search.
			abandon()
			r.finished, r.reason = "completed", reason
			return workflow.Await(ctx, func() bool { return r.running == 0 })
		}
		draining := r.draining(ctx)
		end := r.state.Trials
		if draining {
			end = r.needed()
		}
		r.start(trials, end)
		if ready := r.ready(ctx); len(ready) > 0 && !r.gaveUp {
			what := fmt.Sprintf("the strategy could not be told trial %d", ready[0].Trial.Trial)
			err := r.step(ctx, what, func(ctx workflow.Context) error { return r.learn(ctx, ready) })
			if err != nil && !r.gaveUp {
				return err
			}
			continue
		}
		switch {
		case r.state.Position.Told >= r.state.Trials:
			if r.finished = "completed"; r.state.Budget != (search.Budget{}) {
				r.reason = fmt.Sprintf("the budget of %d trials is used up", r.state.Trials)
			}
			return nil
		case r.state.Stop && r.running == 0:
			r.finished = "stopped"
			return nil
		case draining && r.running == 0 && (len(r.results) == 0 || r.asks()):
			return nil
		}
		if err := workflow.Await(ctx, func() bool { return r.changed }); err != nil {
			return err
		}
	}
}

// draining says that this run's history is long enough: no more trials start, but those that others
// which have ended wait for.
func (r *run) draining(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > r.spec.HistoryLimit
}

// needed is the number of trials without which those that have ended cannot be told: one before them
// may have gone back to the pending ones (see trial).
func (r *run) needed() int {
	ended := workflow.DeterministicKeys(r.results)
	if len(ended) == 0 {
		return 0
	}
	return ended[len(ended)-1]
}

// start starts pending proposals before the trial end, in order, as far as there is room. Those that
// are asked wait where they are.
func (r *run) start(ctx workflow.Context, end int) {
	for !r.asks() && !r.state.Paused && !r.state.Stop && r.running < r.spec.parallel() &&
		len(r.state.Pending) > 0 && r.state.Pending[0].Trial < end {
		p := r.state.Pending[0]
		r.state.Pending = r.state.Pending[1:]
		r.running++
		workflow.Go(ctx, func(ctx workflow.Context) { r.trial(ctx, p) })
	}
}

// trial runs one trial. One that cannot be run goes back to the pending ones and
// pauses the search: it is the infrastructure that failed, and the same trial
// with the same seed will be run when somebody resumes.
func (r *run) trial(ctx workflow.Context, p search.Proposal) {
	row, err := r.attempts(ctx, p)
	r.running--
	r.changed = true
	r.say(ctx, "")
	if err == nil {
		r.results[p.Trial] = row
		return
	}
	at, _ := slices.BinarySearchFunc(r.state.Pending, p, func(a, b search.Proposal) int { return a.Trial - b.Trial })
	r.state.Pending = slices.Insert(r.state.Pending, at, p)
	if ctx.Err() == nil {
		r.pause(ctx, fmt.Sprintf("trial %d could not be run: %s", p.Trial, cause(err)))
	}
}

// ready returns the ended trials that are next in order, as many as one message to
// the strategy holds.
func (r *run) ready(ctx workflow.Context) []activities.Row {
	var ready []activities.Row
	used, objective := r.used(ctx), r.state.Resolved.Objective
	for i := r.state.Position.Told; ; i++ {
		row, ok := r.results[i]
		if !ok || len(ready) == limit.MaxTold || r.state.Budget.Reached(used, objective) != "" {
			return ready
		}
		ready, used = append(ready, row), used.Tell(row.Trial, objective)
	}
}

// used is what the search has used of its budget.
func (r *run) used(ctx workflow.Context) search.Used {
	u := search.Used{Failed: r.state.Failed, Steps: r.state.Steps, CPUSeconds: r.state.CPUSeconds, Seconds: r.whole(ctx).Seconds(),
		Best: make([]*float64, len(r.spec.Tasks))}
	for i := range u.Best {
		if b := r.state.Best[i]; len(b) > 0 {
			u.Best[i] = &b[0].Reward
		}
	}
	return u
}

// clock wakes the search when its hours are used up. A pause stops it.
func (r *run) clock(ctx workflow.Context) {
	over := func() bool { return r.finished != "" }
	for !over() {
		if workflow.Await(ctx, func() bool { return over() || r.state.Budget.Hours > 0 && !r.state.Paused }) != nil || over() {
			return
		}
		hours, before := r.state.Budget.Hours, r.state.ActiveBefore
		left := time.Duration(hours*float64(time.Hour)) - r.whole(ctx)
		changed := func() bool { return over() || r.state.Budget.Hours != hours || r.state.ActiveBefore != before }
		if left <= 0 {
			// The time that features took does not count, once they are there.
			since := r.activeSince
			if r.changed = true; workflow.Await(ctx, func() bool { return changed() || !r.activeSince.Equal(since) }) != nil {
				return
			}
		} else if _, err := workflow.AwaitWithTimeout(ctx, left, func() bool { return changed() || r.state.Paused }); err != nil {
			return
		}
	}
}

// learn tells the strategy results and takes its next proposals. It is a local
// activity; where that fails, any worker may try.
func (r *run) learn(ctx workflow.Context, results []activities.Row) error {
	var a *activities.Activities
	var out activities.LearnOutput
	in := activities.LearnInput{
		Name: r.name, RunID: r.runID, Line: r.state.Line, Config: r.state.Resolved.Config, Position: r.state.Position,
		Results: results, CheckpointEvery: r.spec.CheckpointEvery, Seconds: r.whole(ctx).Seconds(),
	}
	err := workflow.ExecuteLocalActivity(localActivity(ctx), a.Learn, in).Get(ctx, &out)
	if err != nil && ctx.Err() == nil && retryable(err) {
		err = workflow.ExecuteActivity(lightActivity(ctx, "learn"), a.Learn, in).Get(ctx, &out)
	}
	if err != nil {
		return err
	}
	for _, row := range results {
		delete(r.results, row.Trial.Trial)
		r.account(ctx, row)
	}
	r.state.Position = r.state.Position.After(results, &out)
	if out.Checkpoint != nil {
		r.attributes(ctx, "")
	}
	r.state.Pending = append(r.state.Pending, out.Proposals...)
	r.show(ctx)
	return nil
}

// account counts a result in, and pauses a search that mostly fails.
func (r *run) account(ctx workflow.Context, result activities.Row) {
	t := result.Trial
	r.state.Steps += t.Steps
	r.state.CPUSeconds += result.Cost.CPUSeconds
	if result.Cost.Cached {
		r.state.Cached++
	}
	switch {
	case t.OK():
		r.state.Best[t.Task] = activities.Insert(r.state.Best[t.Task], result)
	case t.Status == trainer.Pruned:
		r.state.Pruned++
	case t.Status == trainer.Infeasible:
		r.state.Infeasible++
	default:
		r.state.Failed++
	}
	r.state.Recent = append(r.state.Recent, t.Status)
	if n := len(r.state.Recent); n > recentTrials {
		r.state.Recent = slices.Clone(r.state.Recent[n-recentTrials:])
	}
	failures, lost := 0, 0
	for _, status := range r.state.Recent {
		if status.Failure() {
			failures++
		}
		if status == trainer.Lost {
			lost++
		}
	}
	if (failures > recentFailures || lost >= recentLost) && !r.state.Paused {
		what := fmt.Sprintf("%d of the last %d trials failed", failures, recentTrials)
		if lost >= recentLost {
			what = fmt.Sprintf("%d of the last %d trials were lost with their workers", lost, recentTrials)
		}
		r.state.Recent = nil // a resume is a decision to go on: count afresh
		r.pause(ctx, fmt.Sprintf("%s, the last one with status %s: %s", what, t.Status, t.Reason))
	}
}
