package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
)

const (
	// silentFor is how long nothing must have ended before the run is looked at, the
	// first time; then it is twice as long each time, up to silentMost: a search may wait
	// for days, and its history must stay small.
	silentFor  = 2 * time.Second
	silentMost = 10 * time.Minute
	// lookAgain is how long after a trial has ended it is looked again.
	lookAgain = time.Minute
)

// watched is a run of a search or of an experiment that says what it waits for.
type watched struct {
	// waits says that steps are under way, done counts those that have ended, over that
	// there will be none.
	waits, over func() bool
	done        func() int
	// trials counts those among them that are trials.
	trials func() int
	// queue is that of the trials under way, empty where there are none.
	queue func() string
	// say shows what the run waits for, nothing where it goes on.
	say func(ctx workflow.Context, why string)
	// unserved is what to say where nobody serves the queue.
	unserved func(queue string) string
}

// watch looks, while steps are under way and none ends, whether a worker serves the
// trials and whether attempts fail, and says so: a run that waits does not fail, and
// does not see its steps' attempts.
func watch(ctx workflow.Context, w watched) {
	silent := silentFor
	for {
		// A run that is paused has none under way, and waits without a timer.
		if err := workflow.Await(ctx, func() bool { return w.over() || w.waits() }); err != nil {
			return
		}
		seen, trials := w.done(), w.trials()
		ended, err := workflow.AwaitWithTimeout(ctx, silent, func() bool { return w.over() || w.done() != seen })
		switch {
		case err != nil || w.over():
			return
		case ended:
			silent = silentFor
			// Where trials end, it is enough to look again in a while.
			if w.trials() != trials {
				if err := workflow.Sleep(ctx, lookAgain); err != nil {
					return
				}
			}
			continue
		}
		if w.waits() {
			var a *activities.Activities
			var now activities.Standing
			queue := w.queue()
			err := workflow.ExecuteLocalActivity(askActivity(ctx), a.Served, queue).Get(ctx, &now)
			switch {
			case err != nil || w.done() != seen: // nothing is known, or not any more
			case now.Served:
				w.say(ctx, now.Trouble)
			default:
				w.say(ctx, w.unserved(queue))
			}
		}
		silent = min(2*silent, silentMost)
	}
}

// trialQueue is the queue of the search's trials.
func (r *run) trialQueue(ctx workflow.Context) string {
	return TrainerQueue(workflow.GetInfo(ctx).TaskQueueName, r.state.Resolved.Trainer)
}

// watch looks what the search waits for.
func (r *run) watch(ctx workflow.Context) {
	trials := func() int { return r.state.Position.Told + len(r.results) }
	preparing := func() bool { return r.state.Prepared < r.preparing && !r.state.Paused }
	watch(ctx, watched{
		waits:  func() bool { return r.running > 0 || preparing() || r.doing > 0 },
		over:   func() bool { return r.ended },
		done:   func() int { return trials() + r.done },
		trials: trials,
		queue: func() string {
			if r.running > 0 || preparing() { // the features run on the trials' queue
				return r.trialQueue(ctx)
			}
			return ""
		},
		say: r.say,
		unserved: func(queue string) string {
			return fmt.Sprintf("no worker serves the trainer %s (task queue %s): none has asked for work for %s, and none is at a trial "+
				"of it; start one with `worker --trainers %s`, or see what those that run say in their logs",
				r.state.Resolved.Trainer, queue, activities.PollerAge, r.state.Resolved.Trainer)
		},
	})
}

// say shows what the search waits for, nothing where it goes on.
func (r *run) say(ctx workflow.Context, why string) {
	if why == r.waits {
		return
	}
	changed := (why == "") != (r.waits == "")
	if r.waits = why; changed {
		r.attributes(ctx, r.status())
	}
	r.show(ctx)
}
