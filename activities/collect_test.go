package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

func collectBench(s store.Store) *bench {
	b := new(bench)
	b.serve(New(s, Options{}))
	return b
}

// A worker's disk cache answers for the store, but not to garbage collection: what
// another collection has set aside while it is reached after all is put back, though
// the disk has it; and what the store has lost is told, though the disk has it.
func TestCollectGoesRoundTheDiskCache(t *testing.T) {
	b := newBench(t, "random")
	now := time.Now()
	b.store.SetClock(func() time.Time { return now })
	cached, err := store.NewDiskCache(b.store, t.TempDir(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cached.Get(t.Context(), b.ref); err != nil {
		t.Fatal(err)
	}
	aside := func() {
		t.Helper()
		if err := b.store.Discard(t.Context(), b.ref); err != nil { // the disk keeps it
			t.Fatal(err)
		}
	}
	aside()
	now = now.Add(25 * time.Hour)
	var out Collected
	c := collectBench(cached)
	c.run(t, c.a.Collect, CollectInput{Grace: 24 * time.Hour}, &out)
	if !out.Done || out.Deleted.Objects != 1 {
		t.Errorf("%+v", out)
	}
	if _, err := b.store.Get(t.Context(), b.ref); err != nil {
		t.Errorf("the configuration of a search is gone: %v", err)
	}

	if _, err := cached.Get(t.Context(), b.ref); err != nil {
		t.Fatal(err)
	}
	aside()
	var trash []store.Discarded
	if err := b.store.Trash(t.Context(), func(d store.Discarded) error { trash = append(trash, d); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Purge(t.Context(), trash); err != nil {
		t.Fatal(err)
	}
	err = c.try(c.a.Collect, CollectInput{Grace: 24 * time.Hour}, &out)
	if errorType(err) != ErrTypeInvalid || !strings.Contains(err.Error(), `search "s"`) || !strings.Contains(err.Error(), "starter remove s") {
		t.Errorf("%v", err)
	}
}

// A result is of bounded length, however much is missing.
func TestCollectNamesSomeOfWhatIsMissing(t *testing.T) {
	s := store.NewMemory()
	for i := range 50 {
		value, err := json.Marshal(library.ModuleRecord{Ref: store.RefOf([]byte{byte(i)})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetName(t.Context(), store.Module, fmt.Sprint(i), value, ""); err != nil {
			t.Fatal(err)
		}
	}
	var out Collected
	b := collectBench(s)
	b.run(t, b.a.Collect, CollectInput{Grace: 24 * time.Hour}, &out)
	if out.MissingObjects != 50 || len(out.Missing) != MaxNamed || out.Done {
		t.Errorf("%+v", out)
	}
}

// waiting is a store that answers when its caller has given up.
type waiting struct{ store.Store }

func (waiting) Now(ctx context.Context) (time.Time, error) {
	<-ctx.Done()
	return time.Time{}, ctx.Err()
}

// A worker that stops gives a collection back.
func TestCollectEndsWithItsWorker(t *testing.T) {
	b := collectBench(waiting{store.NewMemory()})
	stopped := make(chan struct{})
	close(stopped)
	b.env.SetWorkerStopChannel(stopped)
	var out Collected
	err := b.try(b.a.Collect, CollectInput{Grace: 24 * time.Hour}, &out)
	if err == nil || !strings.Contains(err.Error(), library.ErrStopping.Error()) || errorType(err) != ErrTypeStopping {
		t.Errorf("%v", err)
	}
}
