package gc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Whatever names are removed: all that the others promise can be opened after a
// collection, and nothing else is left. With and without what merely looks like a
// reference, so that neither hides a gap of the other.
func TestRemainingOpensAndTheRestIsGone(t *testing.T) {
	times := 14
	if testing.Short() {
		times = 7
	}
	for i := range times {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := world(t)
			advance := clockOf(s)
			r := rng.New(uint64(i), "gc/removals", 0)
			share := []int{0, 3, 6, 9, 10}[r.IntN(5)] // of ten
			for k, kind := range []store.Kind{store.Dataset, store.Module, store.Controller, store.Experiment, store.Search} {
				of := share
				switch {
				case i <= 6: // all of one kind alone, one search alone, or nothing
					of = 10
					if k+1 == i {
						of = 0
					}
				case r.IntN(4) == 0:
					of = 0
				}
				for _, name := range names(t, s, kind) {
					if r.IntN(10) < of && !(i == 6 && name == "transferred") {
						if err := s.DeleteName(t.Context(), kind, name); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			before := refs(t, s)
			trials := len(names(t, s, store.Trial))
			o := gc.Options{}
			if i <= 6 || i%2 == 0 {
				o = gc.Typed(o)
			}
			advance(2 * gc.DefaultGrace)
			p := collect(t, s, o)
			// The oracle reads features only where a model of them is exported.
			kept := openAll(t, clone(t, s))
			for _, name := range names(t, s, store.Features) {
				kept[feature(t, s, name)] = true
			}
			if lost := difference(t, s, kept, refs(t, s)); len(lost) > 0 {
				t.Errorf("lost: %q", lost)
			}
			if left := difference(t, s, refs(t, s), kept); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
			if got := gc.Sum(p.Kept).Objects; got != len(kept) || got+gc.Sum(p.SetAside).Objects != len(before) || len(p.Missing) > 0 {
				t.Errorf("%+v of %d objects, %d opened", p, len(before), len(kept))
			}
			if i == 0 && (len(kept) > 0 || len(names(t, s, store.Features)) > 0) {
				t.Errorf("no name is left, and %d objects are", len(kept))
			}
			if got := len(names(t, s, store.Trial)); got != trials {
				t.Errorf("%d of %d cached trials are left", got, trials)
			}
			// A second one has nothing to do; a day later what was set aside goes.
			if p := collect(t, s, o); !p.Empty() {
				t.Errorf("a second collection: %+v", p)
			}
			advance(gc.DefaultGrace)
			p = collect(t, s, o)
			if p.Deleted.Objects != len(before)-len(kept) || len(inTrash(t, s)) > 0 {
				t.Errorf("deleted %+v of %d, %d left in the trash", p.Deleted, len(before)-len(kept), len(inTrash(t, s)))
			}
			if p := collect(t, s, o); !p.Empty() || p.Waiting.Objects > 0 {
				t.Errorf("a last collection: %+v", p)
			}
			openAll(t, s)
		})
	}
}

func feature(t *testing.T, s store.Store, name string) store.Ref {
	t.Helper()
	value, _, err := s.GetName(t.Context(), store.Features, name)
	if err != nil {
		t.Fatal(err)
	}
	var f library.FeaturesRecord
	if err := json.Unmarshal(value, &f); err != nil {
		t.Fatal(err)
	}
	return f.Ref
}

// The world has one of everything that the program writes: otherwise the tests
// above would be of less than they say.
func TestWorldHasEverything(t *testing.T) {
	s := world(t)
	p, err := gc.Survey(t.Context(), s, gc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range p.Kept {
		got = append(got, k.Kind)
		if k.Objects < 1 || k.Bytes < 1 {
			t.Errorf("%+v", k)
		}
	}
	want := slices.Sorted(maps.Values(gc.Containers))
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	for ref := range refs(t, s) {
		if ref == store.RefOf([]byte(attached)) || ref == store.RefOf([]byte(unused)) {
			continue // as people have them
		}
		if head, err := s.Peek(t.Context(), ref, gc.Peek); err != nil || gc.KindOf(head) == gc.KindOther {
			t.Errorf("%s: %q, %v", ref, head[:min(len(head), 200)], err)
		}
	}
	// The first plan's report and other leavings of a run are garbage from the start.
	if young := p.Young.Objects; young == 0 {
		t.Error("nothing is young")
	}
}

func remove(t *testing.T, s store.Store, kind store.Kind, name string) {
	t.Helper()
	if _, _, err := s.GetName(t.Context(), kind, name); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteName(t.Context(), kind, name); err != nil {
		t.Fatal(err)
	}
}

// A model that only a workflow's journal has is held by the trial cache's record,
// for as long as the search has a name; a hit on an old model holds it too.
func TestModelsOfAJournal(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	model, err := s.Put(t.Context(), []byte("a model"))
	if err != nil {
		t.Fatal(err)
	}
	set := func(kind store.Kind, name string, v any) {
		t.Helper()
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Update(t.Context(), s, kind, name, func([]byte) ([]byte, error) { return b, nil }); err != nil {
			t.Fatal(err)
		}
	}
	there := func() bool {
		t.Helper()
		advance(2 * gc.DefaultGrace)
		collect(t, s, gc.Options{})
		return refs(t, s)[model]
	}
	config, err := library.ReadRecord(t.Context(), s, "alone")
	if err != nil {
		t.Fatal(err)
	}
	set(store.Search, "paused", library.SearchRecord{Name: "paused", Status: "running", Config: config.Config})
	set(store.Trial, "key", library.CachedTrial{Holds: []library.Hold{{Search: "gone", Model: model}, {Search: "paused", Model: model}}})
	if !there() {
		t.Error("the model of a paused search is gone")
	}
	remove(t, s, store.Search, "paused")
	if there() {
		t.Error("nobody holds the model, and it is there")
	}
	// Whoever wants it now has it put back; then it is held.
	if ok, err := s.Has(t.Context(), model); !ok || err != nil {
		t.Errorf("it cannot be put back: %v, %v", ok, err)
	}
	set(store.Search, "other", library.SearchRecord{Name: "other", Status: "completed", Config: config.Config})
	set(store.Trial, "key", library.CachedTrial{Holds: []library.Hold{{Search: "other", Model: model}}})
	if !there() {
		t.Error("a hit's model is gone")
	}
	remove(t, s, store.Search, "other")
	if there() {
		t.Error("a hit's model is kept for nobody")
	}
	advance(2 * gc.DefaultGrace)
	collect(t, s, gc.Options{})
	if ok, _ := s.Has(t.Context(), model); ok {
		t.Error("it is there after all")
	}
	// A record whose model is gone stops nothing.
	set(store.Search, "other", library.SearchRecord{Name: "other", Status: "stopped", Config: config.Config})
	set(store.Trial, "key", library.CachedTrial{Holds: []library.Hold{{Search: "other", Model: model}}})
	if p := collect(t, s, gc.Options{}); len(p.Missing) > 0 {
		t.Errorf("missing: %v", p.Missing)
	}
	openAll(t, s)
}

// A model that its trainer keeps elsewhere is nothing to the store: its name in a
// ledger stops no collection.
func TestModelsKeptElsewhere(t *testing.T) {
	s := world(t)
	record, err := library.ReadRecord(t.Context(), s, "alone")
	if err != nil {
		t.Fatal(err)
	}
	f := safetensors.New("ledger")
	f.PutJSON("segment", search.Segment{Trials: []search.Trial{{Model: "models/churn/17"}}})
	if record.Ledger, err = s.Put(t.Context(), f.Encode()); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(t.Context(), s, store.Search, "elsewhere", func([]byte) ([]byte, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
	clockOf(s)(2 * gc.DefaultGrace)
	collect(t, s, gc.Options{})
	if !refs(t, s)[record.Ledger] {
		t.Error("the ledger is gone")
	}
}

// The program itself has every model of a ledger held, and the examples of its trials,
// before the checkpoint is written.
func TestSearchesHoldTheirModels(t *testing.T) {
	s := world(t)
	holds := map[library.Hold]bool{}
	for _, name := range names(t, s, store.Trial) {
		value, _, err := s.GetName(t.Context(), store.Trial, name)
		if err != nil {
			t.Fatal(err)
		}
		var c library.CachedTrial
		if err := json.Unmarshal(value, &c); err != nil {
			t.Fatal(err)
		}
		for _, h := range c.Holds {
			if holds[h] || h.Model == "" || h.Search == "" || h.Line == "" || h.Since.IsZero() {
				t.Errorf("%s holds %+v", name, h)
			}
			h.Line, h.Since = "", time.Time{}
			holds[h] = true
		}
	}
	models := 0
	for _, name := range names(t, s, store.Search) {
		record, err := library.ReadRecord(t.Context(), s, name)
		if err != nil {
			t.Fatal(err)
		}
		trials, err := library.ReadLedger(t.Context(), s, record.Ledger)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range trials {
			if trial.Model == "" {
				continue
			}
			models++
			h := library.Hold{Search: name, Model: store.Ref(trial.Model), Examples: store.Ref(trial.Examples)}
			if !holds[h] {
				t.Errorf("search %s: nobody holds the model and the examples of trial %d", name, trial.Trial)
			}
		}
	}
	if models < 30 {
		t.Errorf("only %d models", models)
	}
}

// A short grace period is for a store that nobody uses.
func TestShortGrace(t *testing.T) {
	busy := errors.New("search x is open")
	s := world(t)
	remove(t, s, store.Search, "two")
	for _, o := range []gc.Options{{Grace: gc.NoGrace}, {Grace: gc.MinGrace - 1},
		{Grace: gc.NoGrace, Idle: func(context.Context) error { return busy }}} {
		if _, err := gc.Survey(t.Context(), s, o); err == nil || o.Idle != nil && !errors.Is(err, busy) {
			t.Errorf("a grace period of %v: %v", o.Grace, err)
		}
		if err := new(gc.Plan).Run(t.Context(), s, o); err == nil {
			t.Errorf("a grace period of %v was taken", o.Grace)
		}
	}
	// Somebody opens one while the objects are set aside: they stay there.
	asked := 0
	o := gc.Options{Grace: gc.NoGrace, Idle: func(context.Context) error {
		if asked++; asked == 3 { // survey, run, and before deleting
			return busy
		}
		return nil
	}}
	p, err := gc.Survey(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), s, o); !errors.Is(err, busy) || !strings.Contains(err.Error(), "not deleted") {
		t.Errorf("%v", err)
	}
	if len(inTrash(t, s)) == 0 {
		t.Error("nothing is in the trash")
	}
	p = collect(t, s, o)
	if len(inTrash(t, s)) > 0 || p.Deleted.Objects == 0 {
		t.Errorf("not all was done at once: %+v", p)
	}
	openAll(t, s)
}

// failing fails after some calls that change the store.
type failing struct {
	store.Store
	left int
}

var errAway = errors.New("the store is away")

func (f *failing) change() error {
	if f.left--; f.left < 0 {
		return errAway
	}
	return nil
}

func (f *failing) Discard(ctx context.Context, ref store.Ref) error {
	if err := f.change(); err != nil {
		return err
	}
	return f.Store.Discard(ctx, ref)
}

func (f *failing) Purge(ctx context.Context, e []store.Discarded) error {
	if err := f.change(); err != nil {
		return err
	}
	return f.Store.Purge(ctx, e)
}

// One that was interrupted is begun again.
func TestInterrupted(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	remove(t, s, store.Search, "two")
	remove(t, s, store.Search, "pictures")
	remove(t, s, store.Dataset, "pictures")
	advance(2 * gc.DefaultGrace)
	for n := 0; ; n++ {
		if n == 1000 {
			t.Fatal("it never comes to its end")
		}
		f := &failing{s, n % 7}
		p, err := gc.Survey(t.Context(), f, gc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		// One at a time, so that the counter needs no lock.
		p.OneAtATime()
		if err := p.Run(t.Context(), f, gc.Options{}); err != nil && !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		if n%10 == 0 {
			openAll(t, clone(t, s))
		}
		if p.Empty() {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := gc.Survey(ctx, s, gc.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
