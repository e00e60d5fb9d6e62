package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"
)

// OutcomesQuery answers with the ended searches of an experiment, as
// []activities.Outcome.
const OutcomesQuery = "outcomes"

// handle answers queries, updates and signals, as a search does. Pause, resume
// and stop are passed on to the searches in flight.
func (r *experimentRun) handle(ctx workflow.Context) error {
	progress := func() (ExperimentProgress, error) { return r.progress(ctx), nil }
	update := func(do func(ctx workflow.Context, reason string)) func(ctx workflow.Context, reason string) (ExperimentProgress, error) {
		return func(ctx workflow.Context, reason string) (ExperimentProgress, error) {
			do(ctx, reason)
			return progress()
		}
	}
	errs := []error{
		workflow.SetQueryHandlerWithOptions(ctx, ProgressQuery, progress,
			workflow.QueryHandlerOptions{Description: "Where the experiment stands"}),
		workflow.SetQueryHandlerWithOptions(ctx, OutcomesQuery, func() (any, error) { return r.state.Outcomes, nil },
			workflow.QueryHandlerOptions{Description: "The searches that have ended: references to their ledgers"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Pause, update(r.pause),
			workflow.UpdateHandlerOptions{Description: "Start no more trials until resumed, in all searches; argument: a reason"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Resume, func(ctx workflow.Context) (ExperimentProgress, error) {
			r.resume(ctx)
			return progress()
		}, workflow.UpdateHandlerOptions{Description: "Go on after a pause"}),
		workflow.SetUpdateHandlerWithOptions(ctx, Stop, func(ctx workflow.Context) (ExperimentProgress, error) {
			r.stop(ctx)
			return progress()
		}, workflow.UpdateHandlerOptions{Description: "Finish with what is there: start no more searches, stop those in flight"}),
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.signals().serve(ctx)
	return nil
}

// signals are those that do what the updates do, for clients that cannot update.
func (r *experimentRun) signals() signals { return signals{[]string{Pause, Resume, Stop}, r.take} }

func (r *experimentRun) take(ctx workflow.Context, name string, wait bool) bool {
	var reason string
	if !received(ctx, name, map[string]any{Pause: &reason}[name], wait) {
		return false
	}
	switch name {
	case Pause:
		r.pause(ctx, reason)
	case Resume:
		r.resume(ctx)
	case Stop:
		r.stop(ctx)
	}
	return true
}

func (r *experimentRun) pause(ctx workflow.Context, reason string) {
	reason = reasonOf(reason)
	r.state.Paused, r.state.Reason = true, reason
	r.pass(ctx, Pause, reason)
}

func (r *experimentRun) resume(ctx workflow.Context) {
	if !r.state.Paused {
		// A search may have paused itself: to resume the experiment resumes it.
		r.pass(ctx, Resume, nil)
		return
	}
	r.state.Paused, r.state.Reason = false, ""
	r.pass(ctx, Resume, nil)
}

func (r *experimentRun) stop(ctx workflow.Context) {
	r.steps.stop()
	if r.simulating != nil {
		r.simulating()
	}
	r.pass(ctx, Stop, nil)
}

// pass passes a signal on to the searches in flight. One that has just ended
// does not hear it, and need not. One that is starting hears it when it has: an order that another
// has taken back by then is not passed on, since nothing says which of them would go first.
func (r *experimentRun) pass(ctx workflow.Context, name string, argument any) {
	r.changed = true
	r.attributes(ctx, false)
	r.show(ctx)
	for _, search := range r.order {
		future := r.running[search]
		if future == nil || future.GetChildWorkflowExecution().Get(ctx, nil) != nil {
			continue
		}
		if name == Pause && !r.state.Paused || name == Resume && r.state.Paused {
			return
		}
		_ = future.SignalChildWorkflow(ctx, name, argument)
	}
}
