package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tnaml/experiments/limit"
)

// asked is a server with one worker, last heard of some time ago, and the activities
// of two searches.
type asked struct {
	heard      time.Duration
	mine, hers []*workflowpb.PendingActivityInfo
}

func (s *asked) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{
		{LastAccessTime: timestamppb.New(time.Now().Add(-s.heard))},
	}}, nil
}

func (s *asked) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	switch id {
	case "mine":
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: s.mine}, nil
	case "hers":
		return &workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: s.hers}, nil
	}
	return nil, errors.New("no such workflow")
}

func (s *asked) ListWorkflow(
	context.Context, *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	var all workflowservice.ListWorkflowExecutionsResponse
	for _, id := range []string{"gone", "hers"} {
		all.Executions = append(all.Executions, &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: id}})
	}
	return &all, nil
}

// A worker whose places are all taken asks for no work, and serves nevertheless, also
// where it is at another search's trials; one that waits for a worker shows nothing.
func TestServed(t *testing.T) {
	pending := func(state enumspb.PendingActivityState, queue string) []*workflowpb.PendingActivityInfo {
		return []*workflowpb.PendingActivityInfo{{State: state, ActivityOptions: &activitypb.ActivityOptions{
			TaskQueue: &taskqueuepb.TaskQueue{Name: queue}}}}
	}
	const started, scheduled = enumspb.PENDING_ACTIVITY_STATE_STARTED, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
	for name, c := range map[string]struct {
		server asked
		want   bool
	}{
		"it asks for work":             {asked{heard: time.Minute}, true},
		"it has gone":                  {asked{heard: 2 * time.Minute}, false},
		"it is at one of ours":         {asked{time.Hour, pending(started, "q"), nil}, true},
		"it is at one of hers":         {asked{time.Hour, pending(scheduled, "q"), pending(started, "q")}, true},
		"all wait":                     {asked{time.Hour, pending(scheduled, "q"), pending(scheduled, "q")}, false},
		"hers is of another trainer":   {asked{time.Hour, pending(scheduled, "q"), pending(started, "q-bert")}, false},
		"ours is not of the trainer's": {asked{time.Hour, pending(started, "q:light"), nil}, false},
	} {
		got, err := served(t.Context(), &c.server, "default", &commonpb.WorkflowExecution{WorkflowId: "mine"}, "q")
		if got != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// What keeps a search from going on is told in few words.
func TestTrouble(t *testing.T) {
	step := func(kind, id string, attempt int32, state enumspb.PendingActivityState, failure string) *workflowpb.PendingActivityInfo {
		p := &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: kind}, ActivityId: id, Attempt: attempt, State: state}
		if failure != "" {
			p.LastFailure = &failurepb.Failure{Message: "activity error", Cause: &failurepb.Failure{Message: failure}}
		}
		return p
	}
	const waits, runs = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, enumspb.PENDING_ACTIVITY_STATE_STARTED
	steps := []*workflowpb.PendingActivityInfo{
		step("Trial", "trial 17 #21", 5, waits, "connection\nrefused"), step("Finish", "88", 2, waits, "no space"),
		step("Trial", "trial 18 #22", 1, waits, ""), step("Trial", "trial 19 #23", 2, runs, "lost its worker"),
		step("Trial", "trial 20 #24", 3, runs, "lost its worker"),
	}
	want := "Finish: attempt 2, last: no space; trial 17: attempt 5, last: connection; refused; trial 20: attempt 3, last: lost its worker"
	if got := trouble(steps); got != want {
		t.Errorf("got %q", got)
	}
	for i := range 500 {
		steps = append(steps, step("Trial", fmt.Sprintf("trial %d", i), 9, waits, strings.Repeat("x", 9999)))
	}
	if got := trouble(steps); len(got) > limit.MaxReason || !strings.HasSuffix(got, "and 500 more") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got := trouble(nil); got != "" {
		t.Errorf("got %q", got)
	}
}
