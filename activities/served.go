package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"

	"tnaml/experiments/limit"
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

// trialType is the activity type of a trial (workflows.TrialActivity).
const trialType = "Trial"

// Standing is what the server says of a workflow that nothing moves in.
type Standing struct {
	// Served says that a worker asks for activities of the task queue, or is at one for
	// this search or for another: one whose places are all taken asks for no more until
	// one is free, which may take hours.
	Served bool `json:"served"`
	// Trouble names the steps whose attempts fail, with their last failure.
	Trouble string `json:"trouble,omitempty"`
}

// Served says whether a task queue is served, if one is given, and which of the
// workflow's steps fail and are tried again. It runs as a local activity: it needs no
// store, and is for times when nobody does any other.
func (a *Activities) Served(ctx context.Context, queue string) (Standing, error) {
	info := activity.GetInfo(ctx)
	own := &commonpb.WorkflowExecution{WorkflowId: info.WorkflowExecution.ID, RunId: info.WorkflowExecution.RunID}
	c := activity.GetClient(ctx)
	e, err := c.DescribeWorkflowExecution(ctx, own.GetWorkflowId(), own.GetRunId())
	if err != nil {
		return Standing{}, fmt.Errorf("workflow %s: %w", own.GetWorkflowId(), err)
	}
	s := Standing{Served: queue == "", Trouble: trouble(e.GetPendingActivities())}
	if !s.Served {
		s.Served, err = served(ctx, c, info.Namespace, own, queue)
	}
	return s, err
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

// underWay says that a worker of a task queue is at an activity: the server takes one
// from a worker that gives no sign of life.
func underWay(p *workflowpb.PendingActivityInfo, queue string) bool {
	return p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED && p.GetActivityOptions().GetTaskQueue().GetName() == queue
}
