package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
)

const (
	// PollerAge is how long ago a worker that lives and has a place free has asked for
	// work, at the most: a poll takes a minute. The server lists workers for some minutes
	// after they have gone.
	PollerAge = 90 * time.Second
	// maxAsked bounds the searches that are asked what workers are at.
	maxAsked = 50
)

// server is what Served asks of Temporal.
type server interface {
	DescribeTaskQueue(ctx context.Context, queue string, kind enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error)
	DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	ListWorkflow(
		ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
	) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Served says whether a worker asks for activities of a task queue, or is at one for
// this search or for another: one whose places are all taken asks for no more until one
// is free, which may take hours. It runs as a local activity: it needs no store, and is
// for times when nobody does any other.
func (a *Activities) Served(ctx context.Context, queue string) (bool, error) {
	info := activity.GetInfo(ctx)
	own := &commonpb.WorkflowExecution{WorkflowId: info.WorkflowExecution.ID, RunId: info.WorkflowExecution.RunID}
	return served(ctx, activity.GetClient(ctx), info.Namespace, own, queue)
}

func served(ctx context.Context, s server, namespace string, own *commonpb.WorkflowExecution, queue string) (bool, error) {
	d, err := s.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return false, fmt.Errorf("task queue %s: %w", queue, err)
	}
	for _, p := range d.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < PollerAge {
			return true, nil
		}
	}
	searches := []*commonpb.WorkflowExecution{own} // which a listing may not have yet
	listed, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: namespace, Query: "ExecutionStatus = 'Running' AND WorkflowType = 'Search'", PageSize: maxAsked,
	})
	if err != nil {
		return false, fmt.Errorf("looking for searches: %w", err)
	}
	for _, e := range listed.GetExecutions() {
		searches = append(searches, e.GetExecution())
	}
	for _, w := range searches {
		e, err := s.DescribeWorkflowExecution(ctx, w.GetWorkflowId(), w.GetRunId())
		if err != nil {
			continue // it has ended
		}
		if slices.ContainsFunc(e.GetPendingActivities(), func(p *workflowpb.PendingActivityInfo) bool { return underWay(p, queue) }) {
			return true, nil
		}
	}
	return false, nil
}

// underWay says that a worker of a task queue is at an activity: the server takes one
// from a worker that gives no sign of life.
func underWay(p *workflowpb.PendingActivityInfo, queue string) bool {
	return p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED && p.GetActivityOptions().GetTaskQueue().GetName() == queue
}
