package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"

	"tnaml/experiments/limit"
)

// pollerAge is how long ago a worker that lives has asked for work, at the most: a
// poll takes a minute. The server lists workers for some minutes after they have
// gone.
const pollerAge = 90 * time.Second

// trialType is the activity type of a trial (workflows.TrialActivity).
const trialType = "Trial"

// Standing is what the server says of a workflow that nothing moves in.
type Standing struct {
	// Served says that a worker asks for activities of the task queue, or is at one of
	// the workflow's trials: one whose slots are full asks for no more until a trial
	// ends, which may take hours.
	Served bool `json:"served"`
	// Trouble names the steps whose attempts fail, with their last failure.
	Trouble string `json:"trouble,omitempty"`
}

// Served says whether a task queue is served, if one is given, and which of the
// workflow's steps fail and are tried again.
func (a *Activities) Served(ctx context.Context, queue string) (Standing, error) {
	info := activity.GetInfo(ctx)
	w := info.WorkflowExecution
	e, err := activity.GetClient(ctx).DescribeWorkflowExecution(ctx, w.ID, w.RunID)
	if err != nil {
		return Standing{}, fmt.Errorf("workflow %s: %w", w.ID, err)
	}
	pending := slices.DeleteFunc(e.GetPendingActivities(), func(p *workflowpb.PendingActivityInfo) bool {
		return p.GetActivityId() == info.ActivityID
	})
	s := Standing{Served: queue == "" || slices.ContainsFunc(pending, underWay), Trouble: trouble(pending)}
	if s.Served {
		return s, nil
	}
	d, err := activity.GetClient(ctx).DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return Standing{}, fmt.Errorf("task queue %s: %w", queue, err)
	}
	for _, p := range d.GetPollers() {
		s.Served = s.Served || time.Since(p.GetLastAccessTime().AsTime()) < pollerAge
	}
	return s, nil
}

// maxTroubles bounds the steps that are named.
const maxTroubles = 3

// trouble names the steps that have failed and wait to be tried again, or were tried
// several times; "" where there are none.
func trouble(pending []*workflowpb.PendingActivityInfo) string {
	var failing []string
	for _, p := range pending {
		failure := p.GetLastFailure()
		if failure == nil || p.GetAttempt() < 3 && p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
			continue // it has been well so far, or a first failure is being made good
		}
		step := p.GetActivityType().GetName()
		if step == trialType {
			step, _, _ = strings.Cut(p.GetActivityId(), " #") // see workflows: "trial 17 #3"
		}
		for failure.GetCause() != nil {
			failure = failure.GetCause()
		}
		failing = append(failing, fmt.Sprintf("%s: attempt %d, last: %s", step, p.GetAttempt(), limit.Note(failure.GetMessage())))
	}
	slices.Sort(failing)
	if more := len(failing) - maxTroubles; more > 0 {
		failing = append(failing[:maxTroubles], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(failing, "; ")
}

// underWay says that a worker is at a trial: the server takes one from a worker that
// gives no sign of life.
func underWay(p *workflowpb.PendingActivityInfo) bool {
	return p.GetActivityType().GetName() == trialType && p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED
}
