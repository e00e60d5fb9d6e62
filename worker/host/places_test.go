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
// for a place has it with the first that is left or released, and may give up.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(newAccess(t.Context(), store.NewMemory(), slog.New(slog.DiscardHandler)), 2)
		is := func(when string, places, most int) {
			t.Helper()
			got := 0
			for p.TryReserveSlot(nil) != nil {
				got++
			}
			for range got {
				p.release(&worker.SlotPermit{})
			}
			if got != places || p.MaxSlots() != most {
				t.Errorf("%s: %d places of %d, want %d of %d", when, got, p.MaxSlots(), places, most)
			}
		}
		take := func() *worker.SlotPermit {
			t.Helper()
			permit, err := p.ReserveSlot(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return permit
		}
		run := func() { take() }                                           // an activity
		told := func() { p.release(&worker.SlotPermit{UserData: used{}}) } // one that has ended is at its end
		is("at first", 2, 2)
		run()
		run()
		is("two run", 0, 2)
		p.end()
		told()
		is("one has ended", 1, 2)
		run()
		p.end()
		p.end()
		is("both store", 2, 4)
		poll := take()
		p.release(poll)
		is("both store, and a poll has brought nothing", 2, 4)
		run()
		run()
		p.end()
		is("two store, and one of those that run has ended and keeps its place", 0, 4)
		told()
		is("one has stored: the third needs its place no more", 1, 4)
		run()
		told()
		is("another one has", 0, 3)
		p.end()
		is("another one stores", 1, 4)
		p.end()
		is("and another, which keeps its place", 1, 4)
		for range 3 {
			told()
		}
		is("all are at their ends", 2, 2)
		run()
		told() // its input could not be read: nobody knows that it ended
		is("and one that did not begin", 2, 2)

		run()
		run()
		waiting := make(chan error, 2)
		ctx, cancel := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{t.Context(), ctx} {
			go func() {
				_, err := p.ReserveSlot(ctx, nil)
				waiting <- err
			}()
			time.Sleep(time.Second)
		}
		p.end()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up has %v", err)
		}
	})
}
