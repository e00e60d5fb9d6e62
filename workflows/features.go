package workflows

import (
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/store"
)

// prepare has the features of image tasks computed, once for all trials. Where the history is long
// enough before, those that are left stay among the Resolved.Features.
func (r *run) prepare(ctx workflow.Context) error {
	left := 0
	for _, module := range workflow.DeterministicKeys(r.state.Resolved.Features) {
		left += len(r.state.Resolved.Features[module])
	}
	if left == 0 {
		return nil
	}
	r.preparing = r.state.Prepared + left
	r.show(ctx)
	var failed error
	group := workflow.NewWaitGroup(ctx)
	for range min(r.spec.parallel(), left) {
		group.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer group.Done()
			for {
				ended := func() bool {
					return len(r.state.Resolved.Features) == 0 || failed != nil || r.state.Stop || r.draining(ctx)
				}
				if err := workflow.Await(ctx, func() bool { return ended() || !r.state.Paused }); err != nil {
					failed = err
				}
				if ended() {
					return
				}
				f := r.features()
				what := fmt.Sprintf("the features of %s under %s could not be computed", f.Task, f.Module)
				err := r.step(ctx, what, func(ctx workflow.Context) error { return compute(ctx, f) })
				if err != nil {
					failed = err
					return
				}
				r.state.Prepared++
				r.show(ctx)
			}
		})
	}
	group.Wait(ctx)
	r.preparing = 0
	if r.state.Stop {
		r.state.Resolved.Features = nil
	}
	if len(r.state.Resolved.Features) == 0 {
		r.state.Prepared = 0
	}
	r.state.Active, r.activeSince = 0, workflow.Now(ctx) // the rate is that of the trials, whatever a pause has booked before
	return failed
}

// compute has features computed. Attempts whose workers fall silent come back here, since those may have died of them:
// the server would make a hundred.
func compute(ctx workflow.Context, f activities.FeaturesInput) error {
	var a *activities.Activities
	for silent := 1; ; silent++ {
		err := workflow.ExecuteActivity(featuresActivity(ctx, f), a.Features, f).Get(ctx, nil)
		var timeout *temporal.TimeoutError
		switch {
		case err == nil || ctx.Err() != nil || !errors.As(err, &timeout) || timeout.TimeoutType() != enumspb.TIMEOUT_TYPE_HEARTBEAT:
			return err
		case silent == silentAttempts:
			return fmt.Errorf("workers fell silent with it %d times: do they die of it, for want of memory, or are they suspended, or cut off "+
				"from the server?", silent)
		}
	}
}

// features takes the next of those that are to be computed.
func (r *run) features() activities.FeaturesInput {
	all := r.state.Resolved.Features
	module := workflow.DeterministicKeys(all)[0]
	task := r.state.Resolved.Tasks[all[module][0]]
	if all[module] = all[module][1:]; len(all[module]) == 0 {
		delete(all, module)
	}
	return activities.FeaturesInput{
		Task: task.Name, Module: module, Data: store.Ref(task.Data), ModuleData: store.Ref(r.state.Resolved.Objects[module]),
	}
}
