package trainers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	nnimage "tnaml/nn/image"
)

// vectored is a task whose texts say nothing of their classes, and vectors of its
// documents, a row for each that was given, which say all of it.
func vectored(t *testing.T, s store.Store, name string) (store.Ref, *nnimage.FeatureSet) {
	t.Helper()
	b, err := text.NewBuilder(data.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	var rows []float32
	for i := range 400 {
		class := i * 7 % 3 % 2
		e := text.Example{Text: fmt.Sprintf("the same words %d", i%50), Label: []string{"down", "up"}[class]}
		if i%11 == 3 {
			e.Text = " " // left out; its row is there nevertheless
			class = 9
		}
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, float32(class)*1000+5, float32(i%2), .5)
	}
	task, err := b.Task()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := library.PublishTask(t.Context(), s, task, false)
	if err != nil {
		t.Fatal(err)
	}
	train, validation, test, all := b.Rows()
	if all != 400 || len(train) != task.Train.Len() || len(validation) != task.Validation.Len() || len(test) != task.Test.Len() {
		t.Fatalf("%d rows: %d, %d, %d", all, len(train), len(validation), len(test))
	}
	of := func(at []int) (out []float32) {
		for _, r := range at {
			out = append(out, rows[3*r:3*r+3]...)
		}
		return out
	}
	set, err := nnimage.GivenFeatures("given", name, "", 3, of(train), of(validation), of(test))
	if err != nil {
		t.Fatal(err)
	}
	return ref, set
}

// Vectors of documents are a module for the tasks that have them: each vector is its
// document's, the space offers them where all tasks have some, and what is made of them
// predicts with new ones.
func TestVectorsOfDocuments(t *testing.T) {
	s := store.NewMemory()
	first, set := vectored(t, s, "first")
	second, other := vectored(t, s, "second")
	if _, err := library.DocumentVectors(t.Context(), s, first, set, "a.npy", false); err != nil {
		t.Fatal(err)
	}
	names := library.Names{Tasks: []string{"first"}, Strategy: strategy.Random, Space: "text-small", Seed: 1, Lag: 1, KeepModels: 1}
	config, _, err := library.Pin(t.Context(), s, names)
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Modules) != 1 || config.Modules[0].Name != "given" {
		t.Fatalf("%+v", config.Modules)
	}
	searcher, err := search.New(*config)
	if err != nil {
		t.Fatal(err)
	}
	b := newBuiltin(s)
	tuned, good := false, false
	for i := range 8 {
		p, err := searcher.Ask(i)
		if err != nil {
			t.Fatal(err)
		}
		tuned = tuned || p.Choices[trainer.FineTune] == true
		row := search.Trial{Trial: i, Actions: p.Actions}
		request, err := config.Again(row)
		if err != nil {
			t.Fatal(err)
		}
		result, err := b.Run(t.Context(), request, func(trainer.Progress) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		row = search.NewTrial(p, result.Outcome, config.Space.Objective)
		if err := searcher.Tell(row); err != nil {
			t.Fatal(err)
		}
		if row.Validation < .99 || good {
			continue
		}
		good = true
		ref, err := s.Put(t.Context(), result.Encode())
		if err != nil {
			t.Fatal(err)
		}
		row.Model = string(ref)
		confusion, err := library.TestConfusion(t.Context(), s, config, row)
		if err != nil || confusion.Accuracy() != row.Test {
			t.Errorf("evaluated again: %v, %v, want %v", confusion.Accuracy(), err, row.Test)
		}
		object, err := library.ExportModel(t.Context(), s, "x", config, row)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := exported.Decode(object)
		if err != nil {
			t.Fatal(err)
		}
		if takes, err := bundle.Vectors(); err != nil || *takes != (exported.VectorModule{Module: "given", Dim: 3}) {
			t.Errorf("%+v, %v", takes, err)
		}
		of := bundle.Predict([]string{"new", "words"}, []float32{1005, 0, .5, 5, 1, .5})
		if of[0].Label != "up" || of[1].Label != "down" {
			t.Errorf("predictions: %+v", of)
		}
	}
	if !good || !tuned {
		t.Errorf("no trial learned what the vectors say (%v), or none asked to tune them (%v)", good, tuned)
	}
	// Of a task without them they are no option, and naming them is told.
	names.Tasks, names.Modules = []string{"first", "second"}, []string{"given"}
	if _, _, err := library.Pin(t.Context(), s, names); !errors.Is(err, library.ErrInvalid) ||
		!strings.Contains(err.Error(), `none of the task "second"`) {
		t.Error(err)
	}
	record, err := library.DocumentVectors(t.Context(), s, second, other, "b.npy", false)
	if err != nil || len(record.Documents) != 2 || record.Source != "a.npy" {
		t.Fatalf("%+v, %v", record, err)
	}
	if _, _, err := library.Pin(t.Context(), s, names); err != nil {
		t.Error(err)
	}
	// What was pinned stays as it was; other vectors of a task need to be asked for.
	changed := *set
	changed.Train = append([]float32{7}, set.Train[1:]...)
	if _, err := library.DocumentVectors(t.Context(), s, first, &changed, "", false); !errors.Is(err, library.ErrExists) {
		t.Error(err)
	}
	if _, err := library.DocumentVectors(t.Context(), s, first, &changed, "", true); err != nil {
		t.Error(err)
	}
	wide, _ := nnimage.GivenFeatures("given", "first", "", 1, []float32{1, 2}, []float32{1}, []float32{1})
	_, err = library.DocumentVectors(t.Context(), s, first, wide, "", true)
	if err == nil || !strings.Contains(err.Error(), "vectors of 3 numbers") {
		t.Error(err)
	}
}
