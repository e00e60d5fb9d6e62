package client

import (
	"slices"
	"testing"
	"time"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A worker that has died is listed for a while: how long ago it has asked tells.
func TestPollersOf(t *testing.T) {
	now := time.Now()
	var listed []*taskqueuepb.PollerInfo
	for _, p := range []struct {
		name string
		ago  time.Duration
	}{{"two", 50 * time.Second}, {"dead", 80 * time.Second}, {"gone", 2 * time.Minute}, {"two", 10 * time.Second}, {"ahead", -time.Second}} {
		listed = append(listed, &taskqueuepb.PollerInfo{Identity: p.name, LastAccessTime: timestamppb.New(now.Add(-p.ago))})
	}
	got := pollersOf(listed, now)
	want := []Poller{{"ahead", 0}, {"dead", 80 * time.Second}, {"two", 10 * time.Second}}
	if !slices.Equal(got, want) || got[0].Silent() || !got[1].Silent() || got[2].Silent() {
		t.Errorf("%+v", got)
	}
}
