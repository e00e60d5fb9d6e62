package activities

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/experiments/limit"
)

const (
	// HeartbeatEvery is how often an attempt says that it lives.
	HeartbeatEvery = 2 * time.Second
	// soon is how long after its start an attempt at a trial that workers were lost with
	// first does so: whether it is the same one again is known by the name that it gives.
	soon = 200 * time.Millisecond
	// refusals is how often an activity is tried that the store refuses (an object that
	// is not there or corrupt, credentials that are not taken): within half a minute, on
	// whichever workers ask for it. All other trouble is tried for longer.
	refusals = 6
	// unfitWait is for how long one without access leaves to others what it had asked
	// for before it knew.
	unfitWait = 5 * time.Second
	// givenBackWait is for how long what a stopping worker gives back waits for another.
	givenBackWait = 100 * time.Millisecond
)

// firstBeat is how long after its start any other attempt first says that it lives: what is
// shorter costs the server nothing. (Only tests are in a hurry.)
var firstBeat = HeartbeatEvery

var errStopping = library.ErrStopping

// Attempts is what is round every attempt at every activity of a worker, from before
// its first request of the store to after its last: heartbeats, with the progress
// that it tells and the process's name; a context that ends where the worker stops;
// an end to retries that would be in vain. (A method would be taken for an activity.)
func Attempts(a *Activities) interceptor.WorkerInterceptor {
	return Around(func(next interceptor.ActivityInboundInterceptorBase) interceptor.ActivityInboundInterceptor {
		return &attempt{next, a}
	})
}

type attempt struct {
	interceptor.ActivityInboundInterceptorBase
	a *Activities
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (i *attempt) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (out any, err error) {
	info := activity.GetInfo(ctx)
	work, stop := ctx, func() {}
	if !info.IsLocalActivity { // whose workflow task has heartbeats of its own
		if !i.a.fit() {
			return nil, temporal.NewApplicationErrorWithOptions("this worker has no access to the object store: another may do it", "",
				temporal.ApplicationErrorOptions{NextRetryDelay: unfitWait})
		}
		first := firstBeat
		if t := Input[TrialInput](in); t != nil && len(t.Lost) > 0 {
			first = soon
		}
		work, stop = beating(ctx, i.a.process, first, i.a.drain)
	}
	defer stop()
	defer func() {
		if p := recover(); p != nil { // it would come again on every worker
			activity.GetLogger(ctx).Error("an activity panicked", "activity", info.ActivityType.Name, "panic", p, "stack", string(debug.Stack()))
			reason := fmt.Sprintf("%s panicked: %s", info.ActivityType.Name, panicOf(p))
			out, err = nil, temporal.NewNonRetryableApplicationError(reason, ErrTypePanic, nil)
		}
	}()
	out, err = i.Next.ExecuteActivity(work, in)
	return out, verdict(work, int(info.Attempt), err)
}

// panicOf is what a panic says, without the stack that one of another goroutine brings
// along: that is another one each time, and on each machine.
func panicOf(p any) string {
	line, _, _ := strings.Cut(fmt.Sprint(p), "\n")
	return limit.Reason(line)
}

// verdict is an attempt's error as the server should take it.
func verdict(ctx context.Context, attempt int, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errStopping) || errors.Is(err, errStopping) { // whatever came of it
		return temporal.NewApplicationErrorWithOptions(errStopping.Error(), ErrTypeStopping, temporal.ApplicationErrorOptions{
			NextRetryDelay: givenBackWait, Category: temporal.ApplicationErrorCategoryBenign,
		})
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) && attempt >= refusals && (app.Type() == ErrTypeMissing || app.Type() == ErrTypeDenied) {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s (tried %d times)", app.Message(), attempt), app.Type(), nil)
	}
	return err
}

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

// beating has heartbeats sent, the first one after a while, until stop is called or the context ends: from a
// goroutine of their own, so that long steps and loading do not look like a lost
// worker. They carry the attempt's progress, and the name of the process, by which a
// search tells workers that died from one that was merely silent. The context ends
// where the worker has been stopping for as long as drain, too, and says from the start that
// it stops (library.Stops); heartbeats go on until the work has noticed, which may take a
// program its grace.
func beating(ctx context.Context, process string, first, drain time.Duration) (work context.Context, stop func()) {
	stopped := activity.GetWorkerStopChannel(ctx)
	ctx = library.WithStops(ctx, stopped)
	h, ended, done := new(heartbeat), make(chan struct{}), make(chan struct{})
	work, cancel := context.WithCancelCause(context.WithValue(ctx, heartbeatKey{}, h))
	work, _ = WhenEnded(work, func() { h.ended.Store(true) })
	go func() {
		defer close(done)
		timer := time.NewTimer(first)
		defer timer.Stop()
		var over <-chan time.Time
		for stopped := stopped; ; {
			select {
			case <-ended:
				return
			case <-stopped:
				over, stopped = time.After(drain), nil
			case <-over:
				cancel(errStopping)
			case <-timer.C:
				beat := beat{process: process, ended: h.ended.Load()}
				if p := h.progress.Load(); p != nil {
					beat.progress = *p
				}
				activity.RecordHeartbeat(ctx, beat)
				timer.Reset(HeartbeatEvery)
			}
		}
	}()
	return work, func() {
		close(ended)
		cancel(nil)
		<-done
	}
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

// processName names a process of a worker: two of them never have the same.
func processName(worker string) string { return worker + " " + strings.ToLower(rand.Text()[:6]) }

// lostHere says that a process of this worker is among those that a trial was lost
// with.
func (a *Activities) lostHere(processes []string) bool {
	return slices.ContainsFunc(processes, func(p string) bool {
		i := strings.LastIndexByte(p, ' ')
		return i >= 0 && p[:i] == a.worker
	})
}
