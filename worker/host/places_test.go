package host

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/worker"

	"tnaml/activities/store"
)

// So many activities run as there are places, and so many more have yet to store what came of them; who waits
// for a place has it with the first that is vacated or released, and may give up.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(newAccess(t.Context(), store.NewMemory(), slog.New(slog.DiscardHandler)), 2)
		var s worker.SlotSupplier = p
		free := func() (n int) {
			for s.TryReserveSlot(nil) != nil {
				n++
			}
			for range n {
				p.free.Release(1)
			}
			return n
		}
		is := func(when string, places, most int) {
			t.Helper()
			if got := free(); got != places || s.MaxSlots() != most {
				t.Errorf("%s: %d places of %d, want %d of %d", when, got, s.MaxSlots(), places, most)
			}
		}
		take := func() {
			t.Helper()
			if _, err := s.ReserveSlot(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		is("at first", 2, 2)
		take()
		take()
		is("two run", 0, 2)
		s.ReleaseSlot(nil)
		is("one has ended", 1, 2)
		take()
		p.vacate()
		p.vacate()
		is("both store", 2, 4)
		take()
		take()
		p.vacate()
		is("two store, two run, of which one has ended and stays", 0, 4)
		s.ReleaseSlot(nil)
		is("one has stored", 0, 3)
		p.vacate()
		is("another one stores", 1, 4)
		for range 3 {
			s.ReleaseSlot(nil)
		}
		is("all have ended", 2, 2)

		take()
		take()
		waiting := make(chan error, 2)
		ctx, cancel := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{t.Context(), ctx} {
			go func() {
				_, err := s.ReserveSlot(ctx, nil)
				waiting <- err
			}()
			time.Sleep(time.Second)
		}
		p.vacate()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up has %v", err)
		}
	})
}
