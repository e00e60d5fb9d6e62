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
	for _, name := range []string{Pause, Resume, Stop} {
		workflow.GoNamed(ctx, "signal "+name, func(ctx workflow.Context) {
			for channel, argument := r.channel(ctx, name); channel.Receive(ctx, argument); {
				r.signalled(ctx, name, argument)
			}
		})
	}
	return nil
}

// channel is a signal's, and where its argument goes: only a pause has one, and whatever else comes
// with the others, as from a form of the UI, must not lose them.
func (r *experimentRun) channel(ctx workflow.Context, name string) (channel workflow.ReceiveChannel, argument any) {
	if name == Pause {
		argument = new(string)
	}
	channel = workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: "Like the update of this name"})
	return channel, argument
}

func (r *experimentRun) signalled(ctx workflow.Context, name string, argument any) {
	switch name {
	case Pause:
		reason := argument.(*string)
		r.pause(ctx, *reason)
		*reason = "" // the next one may have none
	case Resume:
		r.resume(ctx)
	case Stop:
		r.stop(ctx)
	}
}

// drainSignals takes what has arrived before the run ends: a signal left in
// the channel at continue-as-new would be lost.
func (r *experimentRun) drainSignals(ctx workflow.Context) {
	for _, name := range []string{Pause, Resume, Stop} {
		for channel, argument := r.channel(ctx, name); channel.ReceiveAsync(argument); {
			r.signalled(ctx, name, argument)
		}
	}
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
// does not hear it, and need not.
func (r *experimentRun) pass(ctx workflow.Context, name string, argument any) {
	r.changed = true
	r.attributes(ctx, false)
	r.show(ctx)
	for _, search := range r.order {
		if future := r.running[search]; future != nil {
			_ = future.SignalChildWorkflow(ctx, name, argument)
		}
	}
}
