package host

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tnaml/activities/store"
)

const (
	// failuresInARow is how many requests of the store must fail, with none between
	// them that does not, before a worker looks whether it is at fault.
	failuresInARow = 5
	// lookEvery is how often one without access looks whether it has it again.
	lookEvery = 10 * time.Second
	// lookFor bounds one look.
	lookFor = time.Minute
)

// access is the object store, with what a worker knows of its access to it. A worker
// whose credentials were taken away, or whose line flips bits, fails whatever it takes
// in no time, and so takes most of what others could do: it takes nothing more until a
// probe of the store succeeds. What it is at goes on.
type access struct {
	store.Store
	log *slog.Logger
	ctx context.Context // the worker's

	mu      sync.Mutex
	failed  int // requests, in a row
	looking bool
	open    chan struct{} // closed where there is access
}

func newAccess(ctx context.Context, s store.Store, log *slog.Logger) *access {
	a := &access{Store: s, log: log, ctx: ctx, open: make(chan struct{})}
	close(a.open)
	return a
}

// note takes a request's end into account. That something is not there is an answer.
func (a *access) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		a.failed = 0
		return
	}
	if a.failed++; a.failed >= failuresInARow && !a.looking {
		a.looking = true
		go a.look()
	}
}

// look probes the store until it answers as it should.
func (a *access) look() {
	for closed := false; ; closed = true {
		ctx, cancel := context.WithTimeout(a.ctx, lookFor)
		err := probe(ctx, a.Store)
		cancel()
		a.mu.Lock()
		switch {
		case err == nil:
			if closed {
				close(a.open)
				a.log.Info("the object store works again: this worker takes work again")
			}
			a.failed, a.looking = 0, false
			a.mu.Unlock()
			return
		case !closed:
			a.open = make(chan struct{})
			a.log.Error("this worker has no access to the object store: it takes no work until it has", "failures", a.failed, "error", err)
		}
		a.mu.Unlock()
		select {
		case <-a.ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// probe writes an object and reads it back. Garbage collection may take it.
func probe(ctx context.Context, s store.Store) error {
	ref, err := s.Put(ctx, bytes.Repeat([]byte("A worker looks whether it can write and read.\n"), 1000))
	if err == nil {
		_, err = s.Get(ctx, ref)
	}
	return err
}

// opened is closed where there is access.
func (a *access) opened() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open
}

// there says that there is access.
func (a *access) there() bool {
	select {
	case <-a.opened():
		return true
	default:
		return false
	}
}

// Put implements store.Store.
func (a *access) Put(ctx context.Context, data []byte) (store.Ref, error) {
	ref, err := a.Store.Put(ctx, data)
	a.note(ctx, err)
	return ref, err
}

// Get implements store.Store.
func (a *access) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	data, err := a.Store.Get(ctx, ref)
	a.note(ctx, err)
	return data, err
}

// Has implements store.Store.
func (a *access) Has(ctx context.Context, ref store.Ref) (bool, error) {
	there, err := a.Store.Has(ctx, ref)
	a.note(ctx, err)
	return there, err
}

// SetName implements store.Store.
func (a *access) SetName(ctx context.Context, kind store.Kind, name string, value []byte, expect store.Version) (store.Version, error) {
	version, err := a.Store.SetName(ctx, kind, name, value, expect)
	a.note(ctx, err)
	return version, err
}

// GetName implements store.Store.
func (a *access) GetName(ctx context.Context, kind store.Kind, name string) ([]byte, store.Version, error) {
	value, version, err := a.Store.GetName(ctx, kind, name)
	a.note(ctx, err)
	return value, version, err
}
