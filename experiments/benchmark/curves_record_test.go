package benchmark_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/data/table"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

var recordCurves = flag.String("record-curves", "", "train the benchmark of learning curves anew, into this directory")

// curveTasks are of the development tasks, curveConfigs is how many of the recorded
// configurations are trained for each, all with the module curveModule.
var curveTasks = []string{"political_bias", "primary_emotion", "news_aggregator"}

const (
	curveConfigs = 80
	curveModule  = "glove-50"
)

// TestRecordCurves makes curves/*.json.gz: some four minutes of training.
//
//	go test ./experiments/benchmark -run TestRecordCurves -record-curves curves -timeout 1h
func TestRecordCurves(t *testing.T) {
	if *recordCurves == "" {
		t.Skip("no -record-curves")
	}
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	s := store.NewMemory()
	put := func(object []byte) string {
		ref, err := s.Put(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		return string(ref)
	}
	vectors := put(moduleObject(t, curveModule))
	b := trainers.NewBuiltin(s, memory.New(1<<30))
	for _, name := range curveTasks {
		r, err := set.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		examples, seconds := put(taskObject(t, name)), 0.0
		recorded := table.Recorded{Metrics: []string{"validation_accuracy", "test_accuracy"}}
		for _, row := range r.Rows {
			if len(recorded.Rows) == curveConfigs {
				break
			}
			q, err := r.Provenance.Config.Again(search.Trial{Trial: row.Trial, Actions: row.Actions})
			if err != nil {
				t.Fatal(err)
			}
			q.Choices[trainer.Module], q.Objects[curveModule] = curveModule, vectors
			q.Task.Data, q.Curve, q.Limits.MemoryBytes = examples, true, r.Provenance.MemoryBytes
			got, err := b.Run(t.Context(), q, func(trainer.Progress) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if seconds += got.CPUSeconds; got.Status != trainer.OK {
				t.Logf("%s, trial %d: %s (%s)", name, row.Trial, got.Status, got.Reason)
				continue
			}
			curve := make([][2]float64, len(got.Curve))
			for i, p := range got.Curve {
				curve[i] = [2]float64{float64(p.Step), p.Value}
			}
			recorded.Rows = append(recorded.Rows, table.Row{
				Choices: map[string]any{"config": float64(len(recorded.Rows))},
				Metrics: map[string]float64{
					"validation_accuracy": got.Metrics["validation_accuracy"], "test_accuracy": got.Metrics["test_accuracy"],
				},
				Curves: map[string][][2]float64{"validation_accuracy": curve},
			})
		}
		body, err := json.Marshal(recorded)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := w.Write(body); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*recordCurves, name+".json.gz"), packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d configurations, %.0f CPU seconds, %s", name, len(recorded.Rows), seconds, b.Version())
	}
}
