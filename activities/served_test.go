package activities

import (
	"fmt"
	"strings"
	"testing"
	"tnaml/experiments/limit"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
)

// A trial that a worker is at shows that its trainer is served; one that waits for a
// worker does not, nor does the question itself.
func TestUnderWay(t *testing.T) {
	for _, c := range []struct {
		name  string
		state enumspb.PendingActivityState
		want  bool
	}{
		{"Trial", enumspb.PENDING_ACTIVITY_STATE_STARTED, true},
		{"Trial", enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, false},
		{"Trial", enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED, false},
		{"Served", enumspb.PENDING_ACTIVITY_STATE_STARTED, false},
	} {
		p := &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: c.name}, State: c.state}
		if underWay(p) != c.want {
			t.Errorf("%s, %s", c.name, c.state)
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
