package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
)

// retries is the policy for trouble with the infrastructure: about an hour and
// a half of trying, a minute apart at most. After that the search pauses and
// says why; nothing is lost. What the store refuses is tried for half a minute
// (activities.Attempts).
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
	// featuresTimeout bounds the features of one image task under one module.
	featuresTimeout = 12 * time.Hour
	// simulateTimeout bounds a night's simulated searches, which take minutes.
	simulateTimeout = 12 * time.Hour
	// lightTimeout bounds one attempt at reading and writing a few objects: a store
	// that falls silent is given up long before (store.S3Config), a lost worker too.
	lightTimeout = time.Hour
	// localTimeout bounds one attempt of a local activity.
	localTimeout = 5 * time.Minute
)

// trialActivity are the options of one trial. Attempts that time out come back to
// the workflow, which counts them (see attempts).
func (r *run) trialActivity(ctx workflow.Context, p search.Proposal) workflow.Context {
	policy := retries()
	policy.NonRetryableErrorTypes = []string{"TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat"}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           r.trialQueue(ctx),
		StartToCloseTimeout: r.spec.trialTimeout(),
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         policy,
		Summary:             limit.Summary(fmt.Sprintf("trial %d · %s · %s", p.Trial, r.spec.Tasks[p.Task], p.Summary)),
	})
}

// featuresActivity are the options of computing the features of images. Attempts whose workers fall silent come back to
// the workflow, which counts them (see compute).
func featuresActivity(ctx workflow.Context, f activities.FeaturesInput) workflow.Context {
	policy := retries()
	policy.NonRetryableErrorTypes = []string{"TemporalTimeout:Heartbeat"}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: featuresTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         policy,
		Summary:             limit.Summary(fmt.Sprintf("features of %s · %s", f.Task, f.Module)),
	})
}

// simulateActivity are the options of a night's simulated searches. They take the place
// of one of the built-in trainer's trials, for minutes.
func simulateActivity(ctx workflow.Context, arms int) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: simulateTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         retries(),
		WaitForCancellation: true,
		Summary:             fmt.Sprintf("simulated searches in %d arms", arms),
	})
}

// LightQueue is the queue of what is short: resolving, publishing, planning,
// finishing. It must not wait behind trials that may take hours. Garbage collection
// is there too, which waits for the store most of its time. It has a name that no
// trainer's queue can have: the colon is none of the characters of trainers' names.
func LightQueue(queue string) string { return queue + ":light" }

// TrainerQueue is the queue of a trainer's trials. Those of the built-in trainer
// stay on the workflows' own, where a worker that has just run a workflow's step
// takes the next trial without asking the server: that is worth a factor of three.
func TrainerQueue(queue, trainer string) string {
	if trainer == space.DefaultTrainer {
		return queue
	}
	return queue + "-" + trainer
}

// lightActivity are the options of an activity that reads and writes a few
// objects.
func lightActivity(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           LightQueue(workflow.GetInfo(ctx).TaskQueueName),
		StartToCloseTimeout: lightTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         retries(),
		Summary:             summary,
	})
}

// lastActivity are the options of what is tried for some minutes only: nobody waits
// for it but the end of the workflow.
func lastActivity(ctx workflow.Context, summary string) workflow.Context {
	ctx = lightActivity(ctx, summary)
	policy := retries()
	policy.MaximumAttempts = 10
	return workflow.WithRetryPolicy(ctx, *policy)
}

// localActivity are the options of Learn. The worker that runs the workflow tries
// a few times; then Learn is anybody's (see learn).
func localActivity(ctx workflow.Context) workflow.Context {
	policy := retries()
	policy.MaximumAttempts = localAttempts
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: localTimeout,
		RetryPolicy:         policy,
	})
}

// askActivity are the options of a local activity that asks the server something.
func askActivity(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// localAttempts is how often a worker tries to learn before another one may.
const localAttempts = 4

// retryable says that an activity's error may go away elsewhere or later.
func retryable(err error) bool {
	var app *temporal.ApplicationError
	return !errors.As(err, &app) || !app.NonRetryable()
}
