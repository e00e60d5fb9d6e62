package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
)

// pollerAge is how long ago a worker that lives has asked for work, at the most: a
// poll takes a minute. The server lists workers for some minutes after they have
// gone.
const pollerAge = 90 * time.Second

// trialType is the activity type of a trial (workflows.TrialActivity).
const trialType = "Trial"

// Served says whether a worker asks for activities of a task queue, or is at one of
// the workflow's trials: one whose slots are full asks for no more until a trial ends,
// which may take hours.
func (a *Activities) Served(ctx context.Context, queue string) (bool, error) {
	w := activity.GetInfo(ctx).WorkflowExecution
	e, err := activity.GetClient(ctx).DescribeWorkflowExecution(ctx, w.ID, w.RunID)
	if err != nil {
		return false, fmt.Errorf("workflow %s: %w", w.ID, err)
	}
	if slices.ContainsFunc(e.GetPendingActivities(), underWay) {
		return true, nil
	}
	d, err := activity.GetClient(ctx).DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return false, fmt.Errorf("task queue %s: %w", queue, err)
	}
	for _, p := range d.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < pollerAge {
			return true, nil
		}
	}
	return false, nil
}

// underWay says that a worker is at a trial: the server takes one from a worker that
// gives no sign of life.
func underWay(p *workflowpb.PendingActivityInfo) bool {
	return p.GetActivityType().GetName() == trialType && p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED
}
