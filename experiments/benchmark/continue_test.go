package benchmark_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
)

var (
	continueTo    = flag.Int("continue-to", 0, "continue the records in paper/ up to so many trials of each task")
	continueTasks = flag.String("continue-tasks", "", "comma-separated; empty: all but those that are recorded to their budget")
	continueS3    = flag.String("continue-s3", "http://127.0.0.1:9233", "store with the tasks and the catalogue's modules")
)

// TestContinueRecords trains what the files of paper/ lack of bench-record's trials, in
// this process: what of a record is there need not be trained again, and that it would
// come out the same is seen by every fiftieth row. Some 0.7 seconds of one processor a
// trial; it can be stopped at any time, and begun again.
//
// The store is a dev stack's, say, after starter module build and starter data import.
//
//	go test ./experiments/benchmark -run TestContinueRecords -continue-to 1100 -timeout 3h -v
func TestContinueRecords(t *testing.T) {
	if *continueTo == 0 {
		t.Skip("no -continue-to")
	}
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	tasks := slices.DeleteFunc(set.Tasks(), func(name string) bool {
		return slices.Contains([]string{"20_newsgroups", "brown_corpus", "sentiment_imdb"}, name)
	})
	if *continueTasks != "" {
		tasks = strings.Split(*continueTasks, ",")
	}
	// Credentials are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: *continueS3, Bucket: "tnaml", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	b := trainers.NewBuiltin(s, memory.New(2<<30))
	for _, name := range tasks {
		r, err := set.Record(name)
		if err != nil {
			t.Fatal(err)
		}
		c := &r.Provenance.Config
		for _, ref := range append(slices.Collect(maps.Values(c.Objects())), c.Tasks[0].Data) {
			if there, err := s.Has(t.Context(), store.Ref(ref)); err != nil || !there {
				t.Fatalf("task %s: the store lacks %s, a task or module of the record (%v)", name, ref, err)
			}
		}
		if set := r.Provenance.InstructionSet; set != child.InstructionSet() {
			t.Fatalf("task %s: recorded on %s, this is %s", name, set, child.InstructionSet())
		}
		continueRecord(t, r, b)
	}
}

func continueRecord(t *testing.T, r *benchmark.Record, b *trainers.Builtin) {
	c := &r.Provenance.Config
	definition, err := strategy.Builtin().Find(c.Strategy)
	if err != nil {
		t.Fatal(err)
	}
	proposals, err := definition.New(c.Start(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	had := map[int]benchmark.Row{}
	for _, row := range r.Rows {
		had[row.Trial] = row
	}
	var mu sync.Mutex // of the record and what stands in it
	path := filepath.Join("paper", r.Task()+benchmark.Suffix)
	if last := len(r.Rows); b.Version() != r.Provenance.Trainer {
		r.Provenance.Command += fmt.Sprintf("; after %d trials by the trainer %q go test ./experiments/benchmark -run TestContinueRecords",
			last, r.Provenance.Trainer)
		r.Provenance.Trainer = b.Version()
	}
	write := func() error {
		object, err := benchmark.Encode(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+".new", object, 0o644); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	}
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(2)
	seconds, written := 0.0, len(r.Rows)
	for trial := range *continueTo {
		row := benchmark.Row{Trial: trial}
		row.Actions, _ = proposals.Ask(trial, 0)
		recorded, ok := had[trial]
		if ok && !slices.Equal(recorded.Actions, row.Actions) {
			t.Fatalf("%s: trial %d has %v, the strategy proposes %v", r.Task(), trial, recorded.Actions, row.Actions)
		}
		if ok && trial%50 != 0 {
			continue
		}
		g.Go(func() error {
			request, err := c.Again(search.Trial{Trial: row.Trial, Actions: row.Actions})
			if err != nil {
				return err
			}
			request.Examples, request.Limits.MemoryBytes = true, r.Provenance.MemoryBytes
			got, err := b.Run(ctx, request, func(trainer.Progress) error { return nil })
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			row := asRecorded(r, row, got)
			if ok {
				row.CPUSeconds = recorded.CPUSeconds
				if diff := cmp.Diff(recorded, row); diff != "" {
					return fmt.Errorf("trial %d comes out anew: %s", trial, diff)
				}
				return nil
			}
			seconds += row.CPUSeconds
			if r.Rows = append(r.Rows, row); len(r.Rows) < written+100 {
				return nil
			}
			written = len(r.Rows)
			return write()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("%s: %v", r.Task(), err)
	}
	if len(r.Rows) > len(had) {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	best := 0.0
	for _, row := range r.Rows {
		best = math.Max(best, row.Validation)
	}
	t.Logf("%s: %d trials, %d of them new in %.0f CPU seconds, the best %.4f", r.Task(), len(r.Rows), len(r.Rows)-len(had), seconds, best)
}
