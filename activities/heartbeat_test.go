package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// A server that is away or silent for less than it waits for a heartbeat ends nothing; one that has taken none for so
// long has given the work to another; what it says of the attempt holds at once.
func TestWhatEndsAnAttempt(t *testing.T) {
	const timeout = 10 * time.Second
	refused := errors.New("restarting")
	away := func(from, to time.Duration) func(time.Duration, context.Context) (over, err error) {
		return func(at time.Duration, _ context.Context) (over, err error) {
			if at >= from && at < to {
				return nil, refused
			}
			return nil, nil
		}
	}
	silent := func(from, to time.Duration) func(time.Duration, context.Context) (over, err error) {
		return func(at time.Duration, ctx context.Context) (over, err error) {
			if at < from || at >= to {
				return nil, nil
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(to - at):
				return nil, nil
			}
		}
	}
	said := func(over error) func(time.Duration, context.Context) (error, error) {
		return func(at time.Duration, _ context.Context) (error, error) {
			if at < 5*time.Second {
				return nil, nil
			}
			return over, nil
		}
	}
	for _, c := range []struct {
		name    string
		timeout time.Duration
		server  func(time.Duration, context.Context) (over, err error)
		cause   error
		by      time.Duration // when it has ended
	}{
		{"well", timeout, away(0, 0), nil, 0},
		{"one answer takes 1.5 s", timeout, silent(4*time.Second, 5500*time.Millisecond), nil, 0},
		{"a restart of 8 s", timeout, away(3*time.Second, 11*time.Second), nil, 0},
		{"silent for 7 s", timeout, silent(4*time.Second, 11*time.Second), nil, 0},
		{"away for good", timeout, away(3*time.Second, time.Hour), errUnheard, 13 * time.Second},
		{"silent for good", timeout, silent(3*time.Second, time.Hour), errUnheard, 14 * time.Second},
		{"never there", timeout, away(0, time.Hour), errUnheard, 11 * time.Second},
		{"away for good, and nobody waits", 0, away(3*time.Second, time.Hour), nil, 0},
		{"cancelled", timeout, said(activity.ErrActivityPaused), activity.ErrActivityPaused, 6 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			work, stop := pulse{first: HeartbeatEvery, timeout: c.timeout, say: func(ctx context.Context) (over, err error) {
				return c.server(time.Since(began), ctx)
			}}.start(t.Context())
			defer stop()
			select {
			case <-time.After(time.Hour):
				if c.cause != nil {
					t.Errorf("%s: it goes on", c.name)
				}
			case <-work.Done():
				cause := context.Cause(work)
				if took := time.Since(began); c.cause == nil || !errors.Is(cause, c.cause) || took > c.by || took < c.by-2*time.Second {
					t.Errorf("%s: it ended after %s: %v", c.name, took, cause)
				}
			}
		})
	}
}

// Such an attempt says why it ended, and not that it was cancelled: its search shows what attempts say.
func TestUnheardSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("%w: %w", errUnheard, errors.New("no route to the server")))
	err := verdict(ctx, 1, fmt.Errorf("trial 3: %w", ctx.Err()))
	if !errors.Is(err, errUnheard) || !strings.Contains(err.Error(), "no route") {
		t.Error(err)
	}
	if wrong := invalid(errors.New("no such choice")); verdict(ctx, 1, wrong) != wrong {
		t.Error("what is wrong with the input is not said")
	}
}

// A silent server keeps no worker from stopping, and no attempt from its end.
func TestSilenceHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, stopped := time.Now(), make(chan struct{})
		silent := func(ctx context.Context) (over, err error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		work, stop := pulse{timeout: time.Minute, stopped: stopped, drain: time.Second, say: silent}.start(t.Context())
		close(stopped)
		<-work.Done()
		stop()
		if took := time.Since(began); took != time.Second || !errors.Is(context.Cause(work), errStopping) {
			t.Errorf("after %s: %v", took, context.Cause(work))
		}
	})
}

// front is a Temporal server that has one trial, and answers heartbeats as it likes.
type front struct {
	workflowservice.UnimplementedWorkflowServiceServer
	input    *commonpb.Payloads
	given    atomic.Bool
	beats    atomic.Int32
	cancels  bool
	end      chan string
	identity atomic.Value
}

func (*front) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return new(workflowservice.GetSystemInfoResponse), nil
}

func (*front) DescribeNamespace(
	context.Context, *workflowservice.DescribeNamespaceRequest,
) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{Name: "default"}}, nil
}

func (f *front) PollActivityTaskQueue(
	ctx context.Context, _ *workflowservice.PollActivityTaskQueueRequest,
) (*workflowservice.PollActivityTaskQueueResponse, error) {
	if f.given.Swap(true) {
		<-ctx.Done()
		return new(workflowservice.PollActivityTaskQueueResponse), nil
	}
	return &workflowservice.PollActivityTaskQueueResponse{
		TaskToken: []byte("t"), WorkflowNamespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "w", RunId: "r"},
		WorkflowType: &commonpb.WorkflowType{Name: "Search"}, ActivityId: "trial 0 #1", ActivityType: &commonpb.ActivityType{Name: "Trial"},
		Input: f.input, Attempt: 1, ScheduledTime: timestamppb.Now(), StartedTime: timestamppb.Now(),
		CurrentAttemptScheduledTime: timestamppb.Now(), StartToCloseTimeout: durationpb.New(time.Hour),
		ScheduleToCloseTimeout: durationpb.New(time.Hour), HeartbeatTimeout: durationpb.New(10 * time.Second),
	}, nil
}

func (f *front) RecordActivityTaskHeartbeat(
	_ context.Context, in *workflowservice.RecordActivityTaskHeartbeatRequest,
) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	f.identity.Store(in.GetIdentity())
	switch f.beats.Add(1) {
	case 1:
		time.Sleep(1500 * time.Millisecond)
	case 2:
		return nil, serviceerror.NewUnavailable("restarting")
	}
	return &workflowservice.RecordActivityTaskHeartbeatResponse{CancelRequested: f.cancels}, nil
}

func (f *front) RespondActivityTaskFailed(
	_ context.Context, r *workflowservice.RespondActivityTaskFailedRequest,
) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	f.end <- "failed: " + r.GetFailure().GetMessage()
	return new(workflowservice.RespondActivityTaskFailedResponse), nil
}

func (f *front) RespondActivityTaskCompleted(
	context.Context, *workflowservice.RespondActivityTaskCompletedRequest,
) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	f.end <- "completed"
	return new(workflowservice.RespondActivityTaskCompletedResponse), nil
}

func (f *front) RespondActivityTaskCanceled(
	context.Context, *workflowservice.RespondActivityTaskCanceledRequest,
) (*workflowservice.RespondActivityTaskCanceledResponse, error) {
	f.end <- "canceled"
	return new(workflowservice.RespondActivityTaskCanceledResponse), nil
}

// until is a trainer whose trials end when the server has taken so many heartbeats.
type until struct {
	trainer.Definition
	front *front
}

func (until) Version() string { return "1" }
func (until) Cached() bool    { return false }
func (u until) Run(ctx context.Context, _ trainer.Request, _ func(trainer.Progress) error) (trainer.Result, error) {
	for u.front.beats.Load() < 4 {
		select {
		case <-ctx.Done():
			return trainer.Result{}, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.Failed}}, nil
}

// One heartbeat that is not answered for as long as the SDK would wait, and one that is refused, end no trial of a real
// worker; that it was cancelled is heard and answered as such.
func TestHeartbeatsOfAWorker(t *testing.T) {
	for _, cancels := range []bool{false, true} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			in := TrialInput{Trainer: "slow"}
			in.Objective.Metric = "a"
			f := &front{cancels: cancels, end: make(chan string, 5)}
			if f.input, err = converter.GetDefaultDataConverter().ToPayloads(in); err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer()
			workflowservice.RegisterWorkflowServiceServer(server, f)
			go func() { _ = server.Serve(l) }()
			defer server.Stop()
			c, err := client.Dial(client.Options{HostPort: l.Addr().String()})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			a := New(store.NewMemory(), Options{Worker: "w", Trainers: []trainer.Trainer{until{trainer.Find("slow"), f}}})
			w := worker.New(c, "q", worker.Options{Identity: "w", DisableWorkflowWorker: true, MaxHeartbeatThrottleInterval: HeartbeatEvery,
				Interceptors: []interceptor.WorkerInterceptor{Attempts(a)}})
			w.RegisterActivityWithOptions(a.Trial, activity.RegisterOptions{Name: "Trial"})
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			if end, want := <-f.end, map[bool]string{false: "completed", true: "canceled"}[cancels]; end != want {
				t.Errorf("%s, not %s", end, want)
			}
			if f.identity.Load() != "w" {
				t.Errorf("they are of %q", f.identity.Load())
			}
		})
	}
}

// An attempt that was cancelled says so in its context.
func TestCancellationIsTheCause(t *testing.T) {
	work, stop := pulse{say: func(context.Context) (over, err error) { return temporal.NewCanceledError(), nil }}.start(t.Context())
	defer stop()
	<-work.Done()
	if !temporal.IsCanceledError(context.Cause(work)) {
		t.Error(context.Cause(work))
	}
}
