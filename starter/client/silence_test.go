package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// leaving is a server that has one workflow: it goes away after a while, comes back, and has no worker
// then before another while is over, nor at first. The workflow ends at last.
type leaving struct {
	sdk.Client
	goes, back, works, ends time.Time
	signals                 int
	unpolled                bool
}

func (l *leaving) away() bool   { return time.Now().After(l.goes) && time.Now().Before(l.back) }
func (l *leaving) worker() bool { return time.Now().Before(l.goes) || time.Now().After(l.works) }

func (l *leaving) CheckHealth(ctx context.Context, _ *sdk.CheckHealthRequest) (*sdk.CheckHealthResponse, error) {
	if l.away() {
		<-ctx.Done() // as the connection is tried again till then
		return nil, ctx.Err()
	}
	return &sdk.CheckHealthResponse{}, nil
}

func (l *leaving) QueryWorkflowWithOptions(ctx context.Context, r *sdk.QueryWorkflowWithOptionsRequest) (
	*sdk.QueryWorkflowWithOptionsResponse, error) {
	if !l.worker() {
		if l.unpolled {
			return nil, serviceerror.NewFailedPrecondition("no poller seen for task queue recently, worker may be down")
		}
		<-ctx.Done()
		return nil, serviceerror.NewDeadlineExceeded("query timed out before a worker could process it")
	}
	p, err := converter.GetDefaultDataConverter().ToPayloads(map[string]any{"name": r.WorkflowID, "status": "running"})
	return &sdk.QueryWorkflowWithOptionsResponse{QueryResult: sdk.NewValue(p)}, err
}

func (l *leaving) DescribeWorkflowExecution(ctx context.Context, _, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if l.away() {
		return nil, serviceerror.NewUnavailable("connection refused")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Type: &commonpb.WorkflowType{Name: "Search"}}}, nil
}

func (l *leaving) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (
	*workflowservice.ListWorkflowExecutionsResponse, error) {
	return nil, serviceerror.NewDeadlineExceeded("context deadline exceeded")
}

func (l *leaving) SignalWorkflow(context.Context, string, string, string, any) error {
	l.signals++
	return nil
}

func (l *leaving) GetWorkflow(context.Context, string, string) sdk.WorkflowRun {
	return leavingRun{l: l}
}

type leavingRun struct {
	sdk.WorkflowRun
	l *leaving
}

// Get gives up as the SDK does, some time after the server went.
func (r leavingRun) Get(ctx context.Context, _ any) error {
	end := time.After(time.Until(r.l.ends))
	if time.Now().Before(r.l.back) {
		end = time.After(time.Until(r.l.goes.Add(40 * time.Second)))
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-end:
	}
	if r.l.away() {
		return context.DeadlineExceeded
	}
	return nil
}

// A server that goes away ends no following, and is not taken for a missing worker.
func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(minutes time.Duration) time.Time { return now.Add(minutes * time.Minute) }
		c := &Client{Temporal: &leaving{goes: at(1), back: at(4), works: at(6), ends: at(8)}}
		var states []State
		_, err := c.Follow(t.Context(), "s", func(p Progress) {
			if len(states) == 0 || states[len(states)-1] != p.State {
				states = append(states, p.State)
			}
		})
		if want := []State{Working, Away, Silent, Working}; err != nil || !slices.Equal(states, want) || time.Now().Before(at(8)) {
			t.Errorf("%v, %v after %v; want %v", states, err, time.Since(now), want)
		}
	})
}

// Whoever asks is told who is silent, and nothing is said to be left with a search that nobody took.
func TestWhoIsSilent(t *testing.T) {
	for _, c := range []struct {
		name       string
		back       time.Duration
		unpolled   bool
		want       error
		list       bool
		leftWithIt int
	}{
		{"no server", time.Hour, false, ErrAway, true, 0},
		{"no worker", 0, false, ErrSilent, false, 1},
		{"no worker for long", 0, true, ErrSilent, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				server := &leaving{goes: now.Add(-time.Second), back: now.Add(c.back), works: now.Add(2 * time.Hour), unpolled: c.unpolled}
				client := &Client{Temporal: server}
				if _, err := client.Progress(t.Context(), "s"); !errors.Is(err, c.want) {
					t.Errorf("its progress: %v", err)
				}
				if _, err := client.Searches(t.Context(), ""); errors.Is(err, ErrAway) != c.list || errors.Is(err, ErrSilent) {
					t.Errorf("the list: %v", err)
				}
				var e Entry
				if client.live(t.Context(), &e); strings.Contains(e.Reason, "server") != (c.want == ErrAway) || e.Reason == "" {
					t.Errorf("in a list: %q", e.Reason)
				}
				_, err := client.Stop(t.Context(), "s")
				if server.signals != c.leftWithIt || (err == nil) != (c.leftWithIt > 0) || err != nil && !errors.Is(err, c.want) {
					t.Errorf("stop: %d signals, %v", server.signals, err)
				}
			})
		})
	}
}
