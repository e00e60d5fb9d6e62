package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
)

const (
	// silentFor is how long no trial must have ended before the trainer's queue is
	// looked at, the first time; then it is twice as long each time, up to
	// silentMost: a search may wait for days, and its history must stay small.
	silentFor  = 2 * time.Second
	silentMost = 10 * time.Minute
)

// trialQueue is the queue of the search's trials.
func (r *run) trialQueue(ctx workflow.Context) string {
	return TrainerQueue(workflow.GetInfo(ctx).TaskQueueName, r.state.Resolved.Trainer)
}

// watchQueue looks whether a worker serves the search's trainer while trials wait, or
// the features before them, which run on the same queue, and none ends, and says so where there is none: the search waits, it does not
// fail.
func (r *run) watchQueue(ctx workflow.Context) {
	silent := silentFor
	over := func() bool { return r.finished != "" || r.draining(ctx) }
	wait := func() bool { return r.running > 0 || r.prepared < r.preparing && !r.state.Paused }
	done := func() int { return r.prepared + r.state.Position.Told + len(r.results) }
	for {
		// A search that is paused runs none, and waits without a timer.
		if err := workflow.Await(ctx, func() bool { return over() || wait() }); err != nil {
			return
		}
		seen := done()
		ended, err := workflow.AwaitWithTimeout(ctx, silent, func() bool { return over() || done() != seen })
		switch {
		case err != nil || over():
			return
		case ended:
			silent = silentFor
			// Trials end: it is enough to look again when none has for a while.
			if err := workflow.Sleep(ctx, silentMost); err != nil {
				return
			}
			continue
		}
		if wait() {
			var a *activities.Activities
			var served bool
			queue := r.trialQueue(ctx)
			err := workflow.ExecuteLocalActivity(askActivity(ctx), a.Served, queue).Get(ctx, &served)
			switch {
			case err != nil: // nothing is known
			case served:
				r.served(ctx)
			case r.unserved == "":
				r.unserved = fmt.Sprintf("no worker serves the trainer %s (task queue %s): none has asked for work for %s, and none is at a trial "+
					"of it; start one with `worker --trainers %s`, or see what those that run say in their logs",
					r.state.Resolved.Trainer, queue, activities.PollerAge, r.state.Resolved.Trainer)
				r.attributes(ctx, "waiting")
				r.show(ctx)
			}
		}
		silent = min(2*silent, silentMost)
	}
}

// served notes that a worker serves the trainer.
func (r *run) served(ctx workflow.Context) {
	if r.unserved == "" {
		return
	}
	r.unserved = ""
	r.attributes(ctx, r.status())
	r.show(ctx)
}
