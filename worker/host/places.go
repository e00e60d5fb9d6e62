package host

import (
	"context"
	"sync"

	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/semaphore" // weighted, with waiters that may give up
)

// places hands out a task queue's places for activities while the worker has access to the store.
// A place is taken until its trial's trainer has come to its end: while what that left is stored and told,
// the next trial may run.
type places struct {
	access *access
	n      int
	free   *semaphore.Weighted

	mu      sync.Mutex
	vacated int // activities that are not at their ends, but need no place any more
}

// newPlaces are n places.
func newPlaces(a *access, n int) *places {
	return &places{access: a, n: n, free: semaphore.NewWeighted(int64(n))}
}

// vacate gives back the place of an activity that goes on without it. So many may do so as there
// are places: what they have yet to store takes memory. A further one keeps its place.
func (p *places) vacate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.vacated < p.n {
		p.vacated++
		p.free.Release(1)
	}
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

// MarkSlotUsed implements worker.SlotSupplier.
func (p *places) MarkSlotUsed(worker.SlotMarkUsedInfo) {}

// ReleaseSlot implements worker.SlotSupplier. Whose place was vacated is not kept: one place is as good
// as another, and only their number counts.
func (p *places) ReleaseSlot(worker.SlotReleaseInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.vacated > 0 {
		p.vacated--
		return
	}
	p.free.Release(1)
}

// MaxSlots implements worker.SlotSupplier: the SDK's metric of those that are free is this less the
// activities that are not at their ends.
func (p *places) MaxSlots() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n + p.vacated
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
		panic(err) // a number below 1
	}
	return &tuner{fixed, p}
}
