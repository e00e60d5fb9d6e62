package host

import (
	"context"
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/semaphore" // weighted, with waiters that may give up

	"tnaml/activities"
)

// places hands out a task queue's places for activities while the worker has access to the store.
// A place is taken until its trial's trainer has come to its end: while what that left is stored and told,
// the next trial may run.
type places struct {
	access *access
	n      int
	free   *semaphore.Weighted

	mu sync.Mutex
	// ended are the activities that need a place no more and are not at their ends. As many of them
	// as there are places have none: what they have yet to store takes memory. Further ones keep theirs.
	ended int
}

// newPlaces are n places.
func newPlaces(a *access, n int) *places {
	return &places{access: a, n: n, free: semaphore.NewWeighted(int64(n))}
}

// end says that an activity needs no place any more.
func (p *places) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended < p.n {
		p.free.Release(1)
	}
	p.ended++
}

// ReserveSlot implements worker.SlotSupplier.
func (p *places) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	if err := p.free.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	select {
	case <-p.access.opened():
		return &worker.SlotPermit{}, nil
	case <-ctx.Done(): // the worker stops
		p.free.Release(1)
		return nil, ctx.Err()
	}
}

// TryReserveSlot implements worker.SlotSupplier.
func (p *places) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	if !p.access.there() || !p.free.TryAcquire(1) {
		return nil
	}
	return &worker.SlotPermit{}
}

// used marks the permit of a place that an activity came to.
type used struct{}

// MarkSlotUsed implements worker.SlotSupplier.
func (p *places) MarkSlotUsed(info worker.SlotMarkUsedInfo) { info.Permit().UserData = used{} }

// ReleaseSlot implements worker.SlotSupplier.
func (p *places) ReleaseSlot(info worker.SlotReleaseInfo) { p.release(info.Permit()) }

// release takes back a place that nothing came to, or what is left of one that an activity had: nothing, but where
// one that has ended, and kept its place, need not keep it any more.
func (p *places) release(permit *worker.SlotPermit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if permit.UserData == (used{}) && p.ended > 0 {
		p.ended--
		if p.ended < p.n {
			return
		}
	}
	p.free.Release(1)
}

// MaxSlots implements worker.SlotSupplier: the SDK's metric of those that are available is this less the activities
// that are not at their ends, whenever it looks.
func (p *places) MaxSlots() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n + min(p.ended, p.n)
}

// tuner is the SDK's own, but for activities.
type tuner struct {
	worker.WorkerTuner
	activities worker.SlotSupplier
}

// GetActivityTaskSlotSupplier implements worker.WorkerTuner.
func (t *tuner) GetActivityTaskSlotSupplier() worker.SlotSupplier { return t.activities }

// tuner gives a worker these places for activities.
func (p *places) tuner() worker.WorkerTuner {
	fixed, err := worker.NewFixedSizeTuner(worker.FixedSizeTunerOptions{NumActivitySlots: p.n})
	if err != nil {
		panic(err) // no option of these is refused
	}
	return &tuner{fixed, p}
}

// interceptor has places ended by the activities that have them.
func (p *places) interceptor() interceptor.WorkerInterceptor {
	return activities.Around(func(next interceptor.ActivityInboundInterceptorBase) interceptor.ActivityInboundInterceptor {
		return &placed{next, p}
	})
}

type placed struct {
	interceptor.ActivityInboundInterceptorBase
	p *places
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (i *placed) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).IsLocalActivity { // which has a place of another kind
		return i.Next.ExecuteActivity(ctx, in)
	}
	ctx, end := activities.WhenEnded(ctx, i.p.end)
	defer end()
	return i.Next.ExecuteActivity(ctx, in)
}
