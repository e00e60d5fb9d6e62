package activities

import (
	"context"
	"sync"
)

type endKey struct{}

// WhenEnded has f called once: as soon as the trainer of the attempt that the context is of has come to
// its end, while what it left is yet to be stored and told; or, where there is no trainer, by what is returned, which
// is to be called at the attempt's end.
func WhenEnded(ctx context.Context, f func()) (_ context.Context, end func()) {
	outer, _ := ctx.Value(endKey{}).(func())
	end = sync.OnceFunc(f)
	return context.WithValue(ctx, endKey{}, func() {
		end()
		if outer != nil {
			outer()
		}
	}), end
}

// trainerEnded calls what waits for that.
func trainerEnded(ctx context.Context) {
	if f, ok := ctx.Value(endKey{}).(func()); ok {
		f()
	}
}
