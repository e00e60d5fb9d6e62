package gc_test

import (
	"slices"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/workflows"
)

// What a trial under way has reached is kept for as long as its search has a name and has
// not ended, and while it is young.
func TestCheckpointsGoWithTheirSearches(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	for _, name := range []string{"open", "ended", "reset"} {
		run(t, s, name, workflows.SearchWorkflow,
			`{"tasks":["t2"],"strategy":"random","modules":["m1"],"space":"text-small","trials":3,"seed":4}`)
	}
	change(t, s, "open", func(r *library.SearchRecord) { r.Released = false })
	blobs := map[string]store.Ref{}
	lineOf := func(search string) string {
		record, err := library.ReadRecord(t.Context(), s, search)
		if err != nil || record.Line == "" {
			t.Fatalf("%+v, %v", record, err)
		}
		return record.Line
	}
	leave := func(of, line, trial string) {
		ref, err := s.Put(t.Context(), []byte("what "+trial+" has reached"))
		if err == nil {
			err = library.SetCheckpoint(t.Context(), s, trial, library.CheckpointRecord{Ref: ref, Search: of, Line: line})
		}
		if err != nil {
			t.Fatal(err)
		}
		blobs[trial] = ref
	}
	leave("open", lineOf("open"), "under-way")
	leave("ended", lineOf("ended"), "of-one-that-ended")
	leave("gone", "its line", "of-none")
	leave("", "", "of-nobody")
	if _, err := s.SetName(t.Context(), store.Checkpoint, "damaged", []byte(`{"ref":"sha256:1"}`), ""); err != nil {
		t.Fatal(err)
	}
	advance(time.Second)
	change(t, s, "ended", func(r *library.SearchRecord) { r.Told++ }) // its end is later
	leave("reset", "a line that the record has not seen", "after-a-reset")
	leave("reset", lineOf("reset"), "after-its-end") // by an attempt that was late
	check := func(want ...string) {
		t.Helper()
		for range 2 {
			collect(t, s, gc.Options{})
			if left := names(t, s, store.Checkpoint); !slices.Equal(left, want) {
				t.Errorf("left are %v, not %v", left, want)
			}
			advance(2 * gc.DefaultGrace)
		}
		there := refs(t, s)
		for trial, ref := range blobs {
			if there[ref] != slices.Contains(want, trial) {
				t.Errorf("%s: its object is there: %v", trial, there[ref])
			}
		}
	}
	collect(t, s, gc.Options{})
	if left := names(t, s, store.Checkpoint); len(left) != 6 { // all are young but the damaged one
		t.Errorf("left are %v", left)
	}
	advance(2 * gc.DefaultGrace)
	check("after-a-reset", "under-way")
	remove(t, s, store.Search, "open")
	check("after-a-reset")
}
