package gc_test

import (
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	nnimage "tnaml/nn/image"
)

// The vectors of tasks' documents are kept with the module that names them, and go with it.
func TestDocumentVectorsAreKept(t *testing.T) {
	s := store.NewMemory()
	put := func(dim float32, task string) *nnimage.FeatureSet {
		t.Helper()
		set, err := nnimage.GivenFeatures("given", task, "", 1, []float32{dim, 2}, []float32{3}, []float32{4})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := library.DocumentVectors(t.Context(), s, store.RefOf([]byte(task)), set, "x", false); err != nil {
			t.Fatal(err)
		}
		return set
	}
	sets := []*nnimage.FeatureSet{put(1, "a"), put(9, "b")}
	there := func() (n int) {
		t.Helper()
		listed := map[store.Ref]bool{}
		if err := s.Blobs(t.Context(), func(b store.Blob) error { listed[b.Ref] = true; return nil }); err != nil {
			t.Fatal(err)
		}
		for _, set := range sets {
			if listed[store.RefOf(set.Encode())] {
				n++
			}
		}
		return n
	}
	now := time.Now()
	s.SetClock(func() time.Time { return now })
	collect := func() {
		t.Helper()
		now = now.Add(1000 * time.Hour)
		plan, err := gc.Survey(t.Context(), s, gc.Typed(gc.Options{}))
		if err == nil {
			err = plan.Run(t.Context(), s, gc.Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		collect()
	}
	if n := there(); n != 2 {
		t.Fatalf("%d of 2 are kept", n)
	}
	if err := s.DeleteName(t.Context(), store.Module, "given"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		collect()
	}
	if n := there(); n != 0 {
		t.Errorf("%d are kept without a name", n)
	}
}
