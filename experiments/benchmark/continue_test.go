package benchmark_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
)

var (
	continueTo    = flag.Int("continue-to", 0, "continue the records of a set up to so many trials of each task")
	continueSet   = flag.String("continue-set", benchmark.Paper, "the set; a task that it lacks is begun, in the built-in space of its name")
	continueTasks = flag.String("continue-tasks", "", "comma-separated; empty: all but those of smaller budgets")
	continueS3    = flag.String("continue-s3", "http://127.0.0.1:9233", "store with the tasks and the catalogue's modules")
)

// TestContinueRecords trains what the files of a set lack of bench-record's trials, in
// this process: what of a record is there need not be trained again, and that it would
// come out the same is seen by every fiftieth row. Some 0.7 seconds of one processor a
// trial; it can be stopped at any time, and begun again.
//
// The store is a dev stack's, say, after starter module build and starter data import.
//
//	go test ./experiments/benchmark -run TestContinueRecords -continue-to 1100 -timeout 3h -v [-continue-set text]
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
		if err == nil && *continueSet != benchmark.Paper {
			r, err = otherRecord(r, b)
		}
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

// otherRecord is the record that another set has of a task of the set "paper", or an empty
// one to begin it: of the same trials, but in its own space.
func otherRecord(paper *benchmark.Record, b *trainers.Builtin) (*benchmark.Record, error) {
	object, err := os.ReadFile(filepath.Join(*continueSet, paper.Task()+benchmark.Suffix))
	if err == nil {
		return benchmark.Decode(object)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r := &benchmark.Record{Provenance: paper.Provenance}
	sp, err := space.Builtin(*continueSet)
	if err != nil {
		return nil, err
	}
	c := &r.Provenance.Config
	var modules []string
	for _, m := range c.Modules {
		modules = append(modules, m.Name)
	}
	if c.Space, err = b.Fill(sp, c.Kind(), modules); err != nil {
		return nil, err
	}
	r.Provenance.Trainer, r.Provenance.InstructionSet = b.Version(), child.InstructionSet()
	r.Provenance.Command = "go test ./experiments/benchmark -run TestContinueRecords -continue-set " + *continueSet
	return r, c.Validate()
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
	run := func(ctx context.Context, row benchmark.Row) (benchmark.Row, error) {
		request, err := c.Again(search.Trial{Trial: row.Trial, Actions: row.Actions})
		if err != nil {
			return row, err
		}
		request.Examples, request.Limits.MemoryBytes = true, r.Provenance.MemoryBytes
		got, err := b.Run(ctx, request, func(trainer.Progress) error { return nil })
		return asRecorded(r, row, got), err
	}
	var missing []benchmark.Row
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(2)
	for trial := range *continueTo {
		row := benchmark.Row{Trial: trial}
		row.Actions, _ = proposals.Ask(trial, 0) // of a strategy that hears nothing
		recorded, ok := had[trial]
		if !ok {
			missing = append(missing, row)
			continue
		}
		g.Go(func() error {
			if !slices.Equal(recorded.Actions, row.Actions) {
				return fmt.Errorf("trial %d has %v, the strategy proposes %v", trial, recorded.Actions, row.Actions)
			}
			if trial%50 != 0 {
				return nil
			}
			row, err := run(ctx, recorded)
			if row.CPUSeconds = recorded.CPUSeconds; err != nil {
				return err
			}
			if diff := cmp.Diff(recorded, row); diff != "" {
				return fmt.Errorf("trial %d comes out anew: %s", trial, diff)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("%s: %v", r.Task(), err)
	}
	if b.Version() != r.Provenance.Trainer {
		r.Provenance.Command += fmt.Sprintf("; after %d trials by the trainer %q: go test ./experiments/benchmark -run TestContinueRecords",
			len(r.Rows), r.Provenance.Trainer)
		r.Provenance.Trainer = b.Version()
	}
	path, seconds := filepath.Join(*continueSet, r.Task()+benchmark.Suffix), 0.0
	for some := range slices.Chunk(missing, 100) { // each is kept, whatever ends this
		rows := make([]benchmark.Row, len(some))
		g, ctx := errgroup.WithContext(t.Context())
		g.SetLimit(2)
		for i, row := range some {
			g.Go(func() (err error) {
				rows[i], err = run(ctx, row)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatalf("%s: %v", r.Task(), err)
		}
		for _, row := range rows {
			seconds += row.CPUSeconds
		}
		r.Rows = append(r.Rows, rows...)
		object, err := benchmark.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".new", object, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	best := 0.0
	for _, row := range r.Rows {
		best = math.Max(best, row.Validation)
	}
	t.Logf("%s: %d trials, %d of them new in %.0f CPU seconds, the best %.4f", r.Task(), len(r.Rows), len(r.Rows)-len(had), seconds, best)
}
