package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/search"
)

// retries is the policy for trouble with the infrastructure: about an hour and
// a half of trying, a minute apart at most. After that the search pauses and
// says why; nothing is lost.
func retries() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    time.Minute,
		MaximumAttempts:    100,
	}
}

const (
	// heartbeatTimeout is how soon a trial of a lost worker starts elsewhere.
	heartbeatTimeout = 10 * time.Second
	// graceTime is what a trial may take beyond its time limit for loading and
	// storing before the attempt counts as lost.
	graceTime = 15 * time.Minute
	// featuresTimeout bounds the features of one image task under one module.
	featuresTimeout = 12 * time.Hour
	// localTimeout bounds one attempt of a local activity.
	localTimeout = 5 * time.Minute
)

// trialActivity are the options of one trial.
func (r *run) trialActivity(ctx workflow.Context, p search.Proposal) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: r.spec.trialTimeout() + graceTime,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         retries(),
		Summary:             fmt.Sprintf("trial %d · %s · %s", p.Trial, r.spec.Tasks[p.Task], p.Summary),
	})
}

// featuresActivity are the options of computing the features of images.
func featuresActivity(ctx workflow.Context, f activities.FeaturesInput) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: featuresTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         retries(),
		Summary:             fmt.Sprintf("features of %s · %s", f.Task, f.Module),
	})
}

// lightActivity are the options of an activity that reads and writes a few
// objects.
func lightActivity(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: localTimeout,
		RetryPolicy:         retries(),
		Summary:             summary,
	})
}

// localActivity are the options of Learn.
func localActivity(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: localTimeout,
		RetryPolicy:         retries(),
	})
}
