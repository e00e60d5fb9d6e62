package activities

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/experiments/limit"
)

const (
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
		work, stop = i.a.beating(ctx, first)
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
	if cause := context.Cause(ctx); errors.Is(cause, errUnheard) && errors.Is(err, context.Canceled) {
		return classify(cause) // that it was cancelled says nothing
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) && attempt >= refusals && (app.Type() == ErrTypeMissing || app.Type() == ErrTypeDenied) {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s (tried %d times)", app.Message(), attempt), app.Type(), nil)
	}
	return err
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
