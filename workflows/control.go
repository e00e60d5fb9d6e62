package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"tnaml/experiments/limit"
)

// handle answers queries, updates and signals. Updates are for the CLI, which
// wants an answer; signals do the same for clients that cannot update. Pausing
// is ours, not the server's: a workflow that the server has paused refuses
// queries.
func (r *run) handle(ctx workflow.Context) error {
	progress := func() (Progress, error) { return r.progress(ctx), nil }
	errs := []error{
		workflow.SetQueryHandlerWithOptions(ctx, ProgressQuery, progress,
			workflow.QueryHandlerOptions{Description: "Where the search stands"}),
		workflow.SetQueryHandlerWithOptions(ctx, PositionQuery, func() (any, error) { return r.state.Position, nil },
			workflow.QueryHandlerOptions{Description: "Checkpoint and journal: the ledger so far"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Pause, func(ctx workflow.Context, reason string) (Progress, error) {
			r.pause(ctx, reason)
			return progress()
		}, workflow.UpdateHandlerOptions{Description: "Start no more trials until resumed; argument: a reason"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Resume, func(ctx workflow.Context) (Progress, error) {
			r.resume(ctx)
			return progress()
		}, workflow.UpdateHandlerOptions{Description: "Go on after a pause"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Stop, func(ctx workflow.Context) (Progress, error) {
			r.stop(ctx)
			return progress()
		}, workflow.UpdateHandlerOptions{Description: "Finish with what is there: trials in flight are waited for"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Extend, func(ctx workflow.Context, more Extension) (Progress, error) {
			r.extend(ctx, more)
			return progress()
		}, workflow.UpdateHandlerOptions{
			Description: "Add to the budget; argument: how many trials, or an object with trials, failed, steps, cpu_hours, hours, goal",
			Validator: func(_ workflow.Context, more Extension) error {
				return r.checkExtend(more)
			},
		}),
	}
	if err := errors.Join(append(errs, r.handleAsking(ctx))...); err != nil {
		return err
	}
	r.signals().serve(ctx)
	return nil
}

// signals are those that do what the updates do, for clients that cannot update.
func (r *run) signals() signals { return signals{[]string{Pause, Resume, Stop, Extend}, r.take} }

func (r *run) take(ctx workflow.Context, name string, wait bool) bool {
	var reason string
	var more Extension
	if !received(ctx, name, map[string]any{Pause: &reason, Extend: &more}[name], wait) {
		return false
	}
	switch name {
	case Pause:
		r.pause(ctx, reason)
	case Resume:
		r.resume(ctx)
	case Stop:
		r.stop(ctx)
	case Extend:
		if r.goingOn() {
			r.early = append(r.early, more)
		} else {
			r.extendOrRefuse(ctx, more)
		}
	}
	return true
}

// extendOrRefuse takes an extension that nobody waits for the answer to: why it is refused is
// shown until another one comes.
func (r *run) extendOrRefuse(ctx workflow.Context, more Extension) {
	if err := r.checkExtend(more); err != nil {
		r.state.Refused = limit.Reason(err.Error())
		r.show(ctx)
		return
	}
	r.extend(ctx, more)
}

// goingOn says that the budget is not known yet, which is that of the search that this one goes on from.
func (r *run) goingOn() bool { return r.spec.From != "" && r.state.Resolved.Config == "" }

// checkExtend says why the budget cannot be extended. Once the result is being
// published, no trial more would be in it.
func (r *run) checkExtend(more Extension) error {
	switch {
	case r.goingOn():
		return errors.New("the search that this one goes on from is being looked up: extend it when it has begun")
	case r.finished != "":
		return errors.New("the search is finishing: start another one instead")
	case r.state.Stop:
		return errors.New("the search is stopping: start another one instead")
	}
	if more == (Extension{}) {
		more.Trials = -1
	}
	if most := limit.MaxTrials - r.state.Trials; more.Trials < 0 || more.Trials > most {
		return fmt.Errorf("cannot extend by %d trials: give a number from 1 to %d", max(more.Trials, 0), most)
	}
	problems := append(more.Problems(), r.state.Budget.Add(more.Budget).Problems()...)
	if err := more.Unreachable(r.state.Resolved.Objective); err != nil {
		problems = append(problems, err)
	}
	for _, name := range r.state.Budget.Lacking(more.Budget) {
		problems = append(problems, fmt.Errorf("the search has no bound %q: there is nothing to extend", name))
	}
	return errors.Join(problems...)
}

// reasonOf is a reason to pause that somebody has given, or not.
func reasonOf(reason string) string {
	if reason = limit.Reason(reason); reason == "" {
		return "asked to pause"
	}
	return reason
}

func (r *run) pause(ctx workflow.Context, reason string) {
	if !r.state.Paused {
		r.settleClock(ctx)
	}
	r.state.Paused, r.state.Reason = true, reasonOf(reason)
	r.changed = true
	r.attributes(ctx, r.status())
	r.show(ctx)
}

func (r *run) resume(ctx workflow.Context) {
	if !r.state.Paused {
		return
	}
	r.activeSince = workflow.Now(ctx)
	r.state.Paused, r.state.Reason = false, ""
	r.changed = true
	r.attributes(ctx, r.status()) // it may still wait for a worker
	r.show(ctx)
}

func (r *run) stop(ctx workflow.Context) {
	r.steps.stop()
	r.changed = true
	r.attributes(ctx, r.status())
	r.show(ctx)
}

func (r *run) extend(ctx workflow.Context, more Extension) {
	r.state.Refused = ""
	r.state.Trials += more.Trials
	r.state.Budget = r.state.Budget.Add(more.Budget)
	r.changed = true
	r.show(ctx)
}

// active is how long the search has run, pauses left out.
func (r *run) active(ctx workflow.Context) time.Duration {
	if r.state.Paused {
		return r.state.Active
	}
	return r.state.Active + workflow.Now(ctx).Sub(r.activeSince)
}

// whole is active, with the searches that this one goes on from.
func (r *run) whole(ctx workflow.Context) time.Duration { return r.state.ActiveBefore + r.active(ctx) }

// settleClock books the present stretch of activity.
func (r *run) settleClock(ctx workflow.Context) {
	r.state.Active = r.active(ctx)
	r.activeSince = workflow.Now(ctx)
}
