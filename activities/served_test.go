package activities

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
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
