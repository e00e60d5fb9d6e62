package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
)

// refusing is a store that refuses all, with the error that all holds, if it does.
type refusing struct {
	store.Store
	all atomic.Pointer[error]
}

func (s *refusing) Put(ctx context.Context, data []byte) (store.Ref, error) {
	if err := s.all.Load(); err != nil {
		return "", *err
	}
	return s.Store.Put(ctx, data)
}

func (s *refusing) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	if err := s.all.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Get(ctx, ref)
}

// A worker that alone has no access to the store takes no work, and says so; it goes
// back to work by itself.
func TestWorkerWithoutAccess(t *testing.T) {
	for _, fault := range []error{store.ErrDenied, store.ErrCorrupt, errors.New("connection refused")} {
		synctest.Test(t, func(t *testing.T) {
			s := &refusing{Store: store.NewMemory()}
			ref, err := s.Put(t.Context(), []byte("blob"))
			if err != nil {
				t.Fatal(err)
			}
			refusal := fmt.Errorf("object x: %w", fault)
			log := new(stacktest.Output)
			a := newAccess(t.Context(), s, slog.New(slog.NewTextHandler(log, nil)))
			supplier := newPlaces(a, 1).tuner().GetActivityTaskSlotSupplier()
			takes := func() bool { synctest.Wait(); return supplier.TryReserveSlot(nil) != nil }
			ask := func(times int) {
				for range times {
					_, _ = a.Get(t.Context(), ref)
				}
				synctest.Wait()
			}
			s.all.Store(&refusal)
			ask(failuresInARow - 1)
			s.all.Store(nil)
			ask(1)
			s.all.Store(&refusal)
			ask(failuresInARow - 1)
			if log.String() != "" {
				t.Errorf("with a success between them: %s", log)
			}
			ask(1)
			if takes() || !strings.Contains(log.String(), "no access to the object store") || !strings.Contains(log.String(), fault.Error()) {
				t.Errorf("it takes work without access: %s", log)
			}
			// One who waits for a place, and one who gives up.
			waiting := make(chan error, 1)
			go func() {
				_, err := supplier.ReserveSlot(t.Context(), nil)
				waiting <- err
			}()
			time.Sleep(time.Hour)
			if strings.Count(log.String(), "\n") != 1 || len(waiting) > 0 {
				t.Errorf("after an hour: %s", log)
			}
			s.all.Store(nil)
			time.Sleep(2 * lookEvery)
			if err := <-waiting; err != nil || !strings.Contains(log.String(), "works again") {
				t.Errorf("%v: %s", err, log)
			}
		})
	}
}

// An object that is corrupt for everybody is not the worker's fault.
func TestOneBadObjectIsNotTheWorkersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &oneBad{Store: store.NewMemory(), bad: store.RefOf([]byte("bad"))}
		log := new(stacktest.Output)
		a := newAccess(t.Context(), s, slog.New(slog.NewTextHandler(log, nil)))
		for range 10 * failuresInARow {
			if _, err := a.Get(t.Context(), s.bad); !errors.Is(err, store.ErrCorrupt) {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if newPlaces(a, 1).tuner().GetActivityTaskSlotSupplier().TryReserveSlot(nil) == nil || log.String() != "" {
			t.Errorf("it takes no work: %s", log)
		}
	})
}

type oneBad struct {
	store.Store
	bad store.Ref
}

func (s *oneBad) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	if ref == s.bad {
		return nil, store.ErrCorrupt
	}
	return s.Store.Get(ctx, ref)
}
