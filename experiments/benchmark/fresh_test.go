package benchmark_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
	"tnaml/nn/embedding"
)

// read returns a file of the real data sets, or skips the test.
func read(t *testing.T, name string) (*os.File, string) {
	t.Helper()
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data") // beside a checkout
	}
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f, f.Name()
}

// taskObject is the task as an import makes it.
func taskObject(t *testing.T, name string) []byte {
	t.Helper()
	f, path := read(t, "text/"+name+"/data.tsv.gz")
	sum := sha256.New()
	if _, err := f.WriteTo(sum); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	examples, err := labelled.Read(f, path, labelled.Options{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := text.Build(examples, data.Options{Name: name, Source: filepath.Base(path), SourceDigest: hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		t.Fatal(err)
	}
	return task.Encode()
}

// moduleObject is a module of published vectors as the catalogue has it made.
func moduleObject(t *testing.T, name string) []byte {
	t.Helper()
	for _, r := range catalog.Modules() {
		if r.Name != name {
			continue
		}
		f, _ := read(t, r.File)
		m, err := embedding.Read(f, r.Name, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Language, m.Source = r.Language, r.Source
		return m.Encode()
	}
	t.Fatalf("no module %q", name)
	return nil
}

// asRecorded is the trial of a row, run again, with the metrics that the record has: a
// later trainer reports more.
func asRecorded(r *benchmark.Record, row benchmark.Row, got trainer.Result) benchmark.Row {
	trial := search.NewTrial(search.Proposal{Trial: row.Trial, Actions: row.Actions}, got.Outcome, r.Provenance.Config.Space.Objective)
	trial.Metrics = maps.Clone(trial.Metrics)
	maps.DeleteFunc(trial.Metrics, func(name string, _ float64) bool {
		has := func(row benchmark.Row) bool { _, ok := row.Metrics[name]; return ok }
		return len(r.Rows) > 0 && !slices.ContainsFunc(r.Rows, has) // a new record has what there is
	})
	return benchmark.NewRow(trial, got.CPUSeconds, got.Right)
}

// What was recorded comes out again: bit for bit on the instruction set on which it was
// recorded, else within the training's noise.
func TestFreshTrainingAgrees(t *testing.T) {
	const rows = 4 // of each task
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("training takes too long for a short test")
	}
	s := store.NewMemory()
	put := func(object []byte) string {
		ref, err := s.Put(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		return string(ref)
	}
	const module = "glove-50"
	vectors := put(moduleObject(t, module))
	b := trainers.NewBuiltin(s, memory.New(1<<30))
	for _, name := range []string{"airline", "complaints"} {
		r, err := set.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Provenance.Config // a copy, of which the objects are those made here
		examples := put(taskObject(t, name))
		same := b.Version() == r.Provenance.Trainer && child.InstructionSet() == r.Provenance.InstructionSet &&
			examples == c.Tasks[0].Data && vectors == c.Objects()[module]
		tried := 0
		for _, row := range r.Rows {
			q, err := c.Again(search.Trial{Trial: row.Trial, Actions: row.Actions})
			if err != nil {
				t.Fatal(err)
			}
			if q.Choices[trainer.Module] != any(module) || row.Steps > 800 || row.Status != trainer.OK || tried == rows {
				continue
			}
			tried++
			q.Task.Data, q.Objects[module] = examples, vectors
			q.Examples, q.Limits.MemoryBytes = true, r.Provenance.MemoryBytes
			got, err := b.Run(t.Context(), q, func(trainer.Progress) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			again := asRecorded(r, row, got)
			again.CPUSeconds = row.CPUSeconds
			if !same {
				noise := 5 * math.Sqrt(row.Validation*(1-row.Validation)/float64(row.Right.Validation.N))
				if d := math.Abs(again.Validation - row.Validation); again.Status != row.Status || d > noise {
					t.Errorf("%s, trial %d: %s and %v, recorded %v", name, row.Trial, again.Status, again.Validation, row.Validation)
				}
				continue
			}
			if diff := cmp.Diff(row, again); diff != "" {
				t.Errorf("%s, trial %d: %s", name, row.Trial, diff)
			}
		}
		t.Logf("%s: %d trials again, bit for bit: %v", name, tried, same)
	}
}
