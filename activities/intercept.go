package activities

import (
	"context"

	"go.temporal.io/sdk/interceptor"
)

// Around is what has something round every attempt at an activity of a worker: what within makes of the next thing inward.
func Around(
	within func(next interceptor.ActivityInboundInterceptorBase) interceptor.ActivityInboundInterceptor,
) interceptor.WorkerInterceptor {
	return &around{within: within}
}

type around struct {
	interceptor.WorkerInterceptorBase
	within func(next interceptor.ActivityInboundInterceptorBase) interceptor.ActivityInboundInterceptor
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (a *around) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return a.within(interceptor.ActivityInboundInterceptorBase{Next: next})
}

// Input is an activity's input of a type, nil for all others.
func Input[T any](in *interceptor.ExecuteActivityInput) *T {
	if len(in.Args) == 1 {
		if v, ok := in.Args[0].(T); ok {
			return &v
		}
	}
	return nil
}
