package gc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
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

// published gives an object the name of a module of documents.
func published(t *testing.T, s *store.Memory, object []byte) {
	t.Helper()
	ref, err := s.Put(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(library.ModuleRecord{Kind: "text", Ref: ref, Name: "given"})
	if err == nil {
		_, err = s.SetName(t.Context(), store.Module, "given", record, "")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A document module of any size keeps its vectors; one that cannot be read ends marking.
func TestDocumentModulesAreReadWhole(t *testing.T) {
	s := store.NewMemory()
	vectors, err := s.Put(t.Context(), []byte("the vectors"))
	if err != nil {
		t.Fatal(err)
	}
	m := library.DocumentModule{Name: "given", Dim: 1, Vectors: map[store.Ref]store.Ref{}}
	for i := range 9000 {
		m.Vectors[store.RefOf(fmt.Append(nil, i))] = vectors
	}
	object := m.Encode()
	if len(object) < 1<<20 || !library.IsDocumentModule(object[:512]) {
		t.Fatalf("%d bytes", len(object))
	}
	published(t, s, object)
	now := time.Now().Add(1000 * time.Hour)
	s.SetClock(func() time.Time { return now })
	plan, err := gc.Survey(t.Context(), s, gc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Run(t.Context(), s, gc.Options{}); err != nil || !refs(t, s)[vectors] {
		t.Errorf("the vectors are gone, %v", err)
	}

	s = store.NewMemory()
	f := safetensors.New("document-module")
	f.PutJSON("document-module", []int{1})
	published(t, s, f.Encode())
	if _, err := gc.Survey(t.Context(), s, gc.Options{}); err == nil || !strings.Contains(err.Error(), `starter module remove given`) {
		t.Errorf("it was passed over: %v", err)
	}
}

// A name takes the vectors of so many tasks; those of one that it has are no more.
func TestDocumentModulesAreBounded(t *testing.T) {
	s := store.NewMemory()
	m := library.DocumentModule{Name: "given", Dim: 1, Vectors: map[store.Ref]store.Ref{}}
	for i := range library.MaxDocumentTasks {
		m.Vectors[store.RefOf(fmt.Append(nil, i))] = store.RefOf([]byte("vectors"))
	}
	ref, err := s.Put(t.Context(), m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(library.ModuleRecord{Kind: "text", Ref: ref, Name: "given", Dim: 1, Documents: []string{"x"}})
	if err == nil {
		_, err = s.SetName(t.Context(), store.Module, "given", record, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	set, err := nnimage.GivenFeatures("given", "north", "", 1, []float32{1, 2}, []float32{3}, []float32{4})
	if err != nil {
		t.Fatal(err)
	}
	_, err = library.DocumentVectors(t.Context(), s, store.RefOf([]byte("new")), set, "x", false)
	if err == nil || !strings.Contains(err.Error(), `give those of the task "north" to a module of another name`) {
		t.Errorf("%v", err)
	}
	if _, err := library.DocumentVectors(t.Context(), s, store.RefOf([]byte("0")), set, "x", true); err != nil {
		t.Error(err)
	}
}
