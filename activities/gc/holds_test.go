package gc_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
)

// holding is a store with one model, which the trial cache has under "key".
type holding struct {
	*store.Memory
	t     *testing.T
	at    time.Time
	model store.Ref
}

func newHolding(t *testing.T) *holding {
	h := &holding{Memory: store.NewMemory(), t: t, at: time.Now()}
	h.SetClock(func() time.Time { return h.at })
	return h
}

func (h *holding) set(kind store.Kind, name string, v any) {
	h.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := store.Update(h.t.Context(), h, kind, name, func([]byte) ([]byte, error) { return b, nil }); err != nil {
		h.t.Fatal(err)
	}
}

func (h *holding) holds() []library.Hold {
	h.t.Helper()
	b, _, err := h.GetName(h.t.Context(), store.Trial, "key")
	if err != nil {
		h.t.Fatal(err)
	}
	var c library.CachedTrial
	if err := json.Unmarshal(b, &c); err != nil {
		h.t.Fatal(err)
	}
	return c.Holds
}

// given has a search be given the model, in a line of its runs.
func (h *holding) given(search, line string) {
	h.t.Helper()
	var err error
	if h.model, err = h.Put(h.t.Context(), []byte("a model that was among the best for a while")); err != nil {
		h.t.Fatal(err)
	}
	var holds []library.Hold
	if _, _, err := h.GetName(h.t.Context(), store.Trial, "key"); err == nil {
		holds = h.holds()
	}
	hold := library.Hold{Search: search, Line: line, Since: h.at.UTC(), Model: h.model}
	h.set(store.Trial, "key", library.CachedTrial{Holds: append(holds, hold)})
}

// stands writes a search's record, of one that has started as it was written first.
func (h *holding) stands(search, line string, released bool) {
	h.t.Helper()
	status := map[bool]string{false: "running", true: "completed"}[released]
	before, err := library.ReadRecord(h.t.Context(), h, search)
	if err != nil {
		before.Started = h.at
	}
	h.set(store.Search, search, library.SearchRecord{Name: search, Status: status, Released: released, Fence: library.Fence{Line: line},
		Started: before.Started})
}

func (h *holding) collect(times int) {
	h.t.Helper()
	for range times {
		h.at = h.at.Add(2 * gc.DefaultGrace)
		collect(h.t, h, gc.Options{})
	}
}

func (h *holding) there() bool {
	h.t.Helper()
	kept := false
	if err := h.Blobs(h.t.Context(), func(b store.Blob) error { kept = kept || b.Ref == h.model; return nil }); err != nil {
		h.t.Fatal(err)
	}
	return kept
}

// Searches that have ended hold nothing, whoever is given the same model later; what holds nothing is forgotten.
func TestHoldsOfSearchesThatHaveEnded(t *testing.T) {
	h := newHolding(t)
	for i := range 30 {
		name := fmt.Sprint("night ", i)
		h.stands(name, "a", false)
		h.given(name, "a")
		h.at = h.at.Add(time.Hour)
		h.stands(name, "a", true)
		h.collect(1)
		if len(h.holds()) > 3 {
			t.Fatalf("after %d nights: %+v", i+1, h.holds())
		}
	}
	h.stands("under way", "a", false)
	h.given("under way", "a")
	h.collect(3)
	if got := h.holds(); !h.there() || len(got) != 1 || got[0].Search != "under way" || !got[0].Dropped.IsZero() {
		t.Errorf("there %v: %+v", h.there(), got)
	}
	h.stands("under way", "a", true)
	h.collect(3)
	if h.there() || len(h.holds()) > 0 {
		t.Errorf("all have ended: there %v: %+v", h.there(), h.holds())
	}
}

// A trial that ends after its search holds nothing; one of a search that was reset does, though its record does not
// know of that yet.
func TestHoldsAfterTheEnd(t *testing.T) {
	for _, c := range []struct {
		line string
		held bool
	}{{"a", false}, {"b", true}} {
		h := newHolding(t)
		h.stands("s", "a", true)
		h.at = h.at.Add(time.Minute)
		h.given("s", c.line)
		h.collect(5)
		if h.there() != c.held || len(h.holds()) > 0 != c.held {
			t.Errorf("line %s: there %v: %+v", c.line, h.there(), h.holds())
		}
	}
}

// A hold that nobody wants stays as long as what it held can be brought back, and is one again when its search goes on.
func TestDroppedHoldsComeBack(t *testing.T) {
	h := newHolding(t)
	h.stands("s", "a", false)
	h.given("s", "a")
	h.stands("s", "a", true)
	h.collect(1)
	if got := h.holds(); h.there() || len(got) != 1 || got[0].Dropped.IsZero() {
		t.Fatalf("there %v: %+v", h.there(), got)
	}
	h.stands("s", "b", false) // it was reset
	h.collect(3)
	if got := h.holds(); !h.there() || len(got) != 1 || !got[0].Dropped.IsZero() {
		t.Errorf("there %v: %+v", h.there(), got)
	}
	remove(t, h, store.Search, "s")
	h.collect(3)
	if h.there() || len(h.holds()) > 0 {
		t.Errorf("without a name: there %v: %+v", h.there(), h.holds())
	}
}

// What a search is given while a collection is between its looking and its writing is left as it is.
func TestHoldsOfTheMeantime(t *testing.T) {
	h := newHolding(t)
	h.stands("old", "a", true)
	h.given("old", "a")
	h.collect(1)
	h.at = h.at.Add(2 * gc.DefaultGrace)
	plan, err := gc.Survey(t.Context(), h, gc.Options{})
	if err != nil || !plan.Tidies() {
		t.Fatalf("%+v, %v", plan, err)
	}
	h.stands("new", "n", false)
	h.given("new", "n")
	if err := plan.Run(t.Context(), h, gc.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := h.holds(); len(got) != 1 || got[0].Search != "new" || !got[0].Dropped.IsZero() {
		t.Errorf("%+v", got)
	}
}

// What a search was given whose name was given up is not held for the one that has its name now, whether that has ended
// or not.
func TestHoldsOfAnEarlierSearch(t *testing.T) {
	for _, ended := range []bool{false, true} {
		h := newHolding(t)
		h.stands("s", "a", false)
		h.given("s", "a")
		remove(t, h, store.Search, "s")
		h.at = h.at.Add(2 * time.Hour)
		h.stands("s", "b", false)
		h.at = h.at.Add(time.Hour)
		if ended {
			h.stands("s", "b", true)
		}
		h.collect(5)
		if h.there() || len(h.holds()) > 0 {
			t.Errorf("ended %v: there %v: %+v", ended, h.there(), h.holds())
		}
	}
}
