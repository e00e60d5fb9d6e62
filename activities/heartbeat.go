package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
)

const (
	// HeartbeatEvery is how often an attempt says that it lives.
	HeartbeatEvery = 2 * time.Second
	// beatAgain is how long after a heartbeat that nobody took the next one is sent, and the least
	// time that one has to be answered.
	beatAgain = time.Second
	// soon is how long after its start an attempt at a trial that workers were lost with
	// first does so: whether it is the same one again is known by the name that it gives.
	soon = 200 * time.Millisecond
)

// firstBeat is how long after its start any other attempt first says that it lives: what is
// shorter costs the server nothing. (Only tests are in a hurry.)
var firstBeat = HeartbeatEvery

// errUnheard is the cause of the end of an attempt whose heartbeats nobody has taken for as long as the
// server waits for one: it gives the work to another worker.
var errUnheard = errors.New("no heartbeat was taken for as long as the server waits for one: another worker has the work by now")

// heartbeat holds what an attempt says with its next sign of life.
type heartbeat struct {
	progress atomic.Pointer[any]
	ended    atomic.Bool // the trainer has come to its end
}

type heartbeatKey struct{}

// tell notes an attempt's progress for its next heartbeat: anything that JSON can
// write, and nobody changes.
func tell(ctx context.Context, progress any) {
	if h, ok := ctx.Value(heartbeatKey{}).(*heartbeat); ok {
		h.progress.Store(&progress)
	}
}

// beating has heartbeats sent, the first one after a while, until stop is called: from a
// goroutine of their own, so that long steps and loading do not look like a lost
// worker. They carry the attempt's progress, and the name of the process, by which a
// search tells workers that died from one that was merely silent. The context ends
// where the worker has been stopping for as long as drain, too, and says from the start that
// it stops (library.Stops); heartbeats go on until the work has noticed, which may take a
// program its grace.
func (a *Activities) beating(ctx context.Context, first time.Duration) (work context.Context, stop func()) {
	h := new(heartbeat)
	stopped := activity.GetWorkerStopChannel(ctx)
	ctx, _ = WhenEnded(context.WithValue(library.WithStops(ctx, stopped), heartbeatKey{}, h), func() { h.ended.Store(true) })
	known := false // to the SDK: that it is over
	return pulse{
		first: first, timeout: activity.GetInfo(ctx).HeartbeatTimeout, drain: a.drain, stopped: stopped,
		say: func(ctx context.Context) (over, err error) {
			beat := beat{process: a.process, ended: h.ended.Load()}
			if p := h.progress.Load(); p != nil {
				beat.progress = *p
			}
			if over, err = a.say(ctx, beat); over != nil && !known {
				known = true
				activity.RecordHeartbeat(ctx, beat) // else it would not answer a cancellation as one
			}
			return over, err
		},
	}.start(ctx)
}

// say sends a heartbeat: not the SDK's way, which ends an activity where one call is not answered within
// half of the interval between two, however long the server would wait. What the server has to say about
// the attempt, if anything, is over; err says that nobody took the heartbeat.
func (a *Activities) say(ctx context.Context, b beat) (over, err error) {
	details, err := converter.GetDefaultDataConverter().ToPayloads(b)
	if err != nil {
		return nil, err
	}
	info := activity.GetInfo(ctx)
	answer, err := activity.GetClient(ctx).WorkflowService().RecordActivityTaskHeartbeat(ctx,
		&workflowservice.RecordActivityTaskHeartbeatRequest{
			Namespace: info.Namespace, TaskToken: info.TaskToken, Details: details, Identity: a.worker,
		})
	switch err.(type) {
	case nil:
	case *serviceerror.NotFound, *serviceerror.NamespaceNotActive, *serviceerror.NamespaceNotFound:
		over, err = err, nil
	default:
		return nil, err
	}
	switch {
	case answer.GetCancelRequested():
		over = temporal.NewCanceledError()
	case answer.GetActivityPaused():
		over = activity.ErrActivityPaused
	case answer.GetActivityReset():
		over = activity.ErrActivityReset
	}
	return over, nil
}

// pulse is when an attempt says that it lives, and what ends it.
type pulse struct {
	// first is how long after its start it says so first, timeout for how long the server waits to hear of
	// it; 0: for ever.
	first, timeout time.Duration
	// stopped is closed as the worker begins to stop; drain later the attempt ends.
	stopped <-chan struct{}
	drain   time.Duration
	// say sends a heartbeat, one at a time: see Activities.say.
	say func(ctx context.Context) (over, err error)
}

// spoken is what came of a heartbeat.
type spoken struct {
	at        time.Time // when it was sent
	over, err error
}

// start begins, until stop. The work's context ends with ctx, where the server says that the attempt is over, where
// the server has had no heartbeat for as long as it waits for one, and where the worker has stopped for long enough. One
// call that fails ends nothing: a server that restarts, or is slow, takes the next one.
func (p pulse) start(ctx context.Context) (work context.Context, stop func()) {
	work, cancel := context.WithCancelCause(ctx)
	calls, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	taken := time.Now() // when the last heartbeat was sent that was taken; the start counts as one
	go func() {
		defer close(done)
		var call sync.WaitGroup
		defer call.Wait()
		timer := time.NewTimer(p.first)
		defer timer.Stop()
		answers := make(chan spoken, 1)
		var over <-chan time.Time
		for stopped := p.stopped; ; {
			select {
			case <-calls.Done():
				return
			case <-stopped:
				over, stopped = time.After(p.drain), nil
			case <-over:
				cancel(errStopping)
			case <-timer.C: // beside: a server that is silent must not keep the worker from stopping
				patience := p.patience(taken)
				call.Go(func() {
					ctx, end := context.WithTimeout(calls, patience)
					defer end()
					s := spoken{at: time.Now()}
					s.over, s.err = p.say(ctx)
					answers <- s
				})
			case s := <-answers:
				switch {
				case s.err == nil:
					taken = s.at
					timer.Reset(HeartbeatEvery)
				case p.timeout > 0 && time.Since(taken) >= p.timeout:
					cancel(fmt.Errorf("%w: %w", errUnheard, s.err))
					fallthrough
				default:
					timer.Reset(beatAgain)
				}
				if s.over != nil {
					cancel(s.over)
				}
			}
		}
	}()
	return work, func() {
		hangUp()
		cancel(nil)
		<-done
	}
}

// patience is for how long a heartbeat waits for its answer: until the server has waited for long enough.
func (p pulse) patience(taken time.Time) time.Duration {
	if p.timeout == 0 {
		return 5 * HeartbeatEvery
	}
	return max(p.timeout-time.Since(taken), beatAgain)
}

// beat is a heartbeat's one detail, as the contract has it: the progress with the
// process's name among its fields, and that its trainer has come to its end. (Some languages' SDKs have no second detail.)
type beat struct {
	progress any
	process  string
	ended    bool
}

// MarshalJSON implements json.Marshaler.
func (b beat) MarshalJSON() ([]byte, error) {
	fields := map[string]any{}
	if b.progress != nil {
		raw, err := json.Marshal(b.progress)
		if err == nil {
			err = json.Unmarshal(raw, &fields)
		}
		if err != nil {
			return nil, fmt.Errorf("a progress is no JSON object: %w", err)
		}
	}
	fields["process"] = b.process
	if b.ended {
		fields["ended"] = true
	}
	return json.Marshal(fields)
}
