package yardstick_test

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/stat"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/experiments/yardstick"
)

var (
	handedTasks  = flag.String("handed", "", "tasks to search models for, with commas between them; none: none")
	handedSplits = flag.String("handed-splits", "31,32,33,34,35,36", "the seeds of their splits")
	handedTrials = flag.Int("handed-trials", 100, "trials of a search")
	handedSpace  = flag.String("handed-space", "text", "a built-in space")
	handedBy     = flag.String("handed-by", strategy.Random, "strategy; one that learns from other tasks has the recorded ones of the space")
	handedMore   = flag.String("handed-modules", "", "modules of the store beside the catalogue's, with commas between them")
	handedS3     = flag.String("handed-s3", "http://127.0.0.1:9233", "store with the catalogue's modules")
)

// handed is what a search hands over, of one split of a task: test accuracies.
type handed struct {
	task  string
	split uint64
	// best is the model that is best by validation, refitted the same taught the validation
	// examples too; ten is the mean of the ten best.
	best, refitted, ten float64
	// gains are by how much each of the three best is better when it is refitted.
	gains []float64
	// yard is the yardstick that is best by validation.
	yard  string
	beats float64
}

// TestHandedOver measures the one model that a search of so many trials hands over, the best
// by validation, beside the best yardstick of the same split, and what refitting
// does to it. The store is a dev stack's, say, after starter module build; its credentials
// are in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
//
//	go test ./experiments/yardstick -run HandedOver -handed customer_reviews,mpqa_opinion -v -timeout 3h
func TestHandedOver(t *testing.T) {
	if *handedTasks == "" {
		t.Skip("no -handed")
	}
	s, err := store.OpenS3(t.Context(), store.S3Config{Endpoint: *handedS3, Bucket: "tnaml", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := benchmark.Open(benchmark.Paper)
	if err != nil {
		t.Fatal(err)
	}
	record, err := set.Record("airline")
	if err != nil {
		t.Fatal(err)
	}
	modules := slices.Clone(record.Provenance.Config.Modules) // the catalogue's
	for _, name := range strings.FieldsFunc(*handedMore, func(c rune) bool { return c == ',' }) {
		m, err := library.Module(t.Context(), s, name)
		if err != nil {
			t.Fatal(err)
		}
		modules = append(modules, search.Module{Name: name, Data: string(m.Ref)})
	}
	slices.SortFunc(modules, func(a, b search.Module) int { return strings.Compare(a.Name, b.Name) })
	b := trainers.NewBuiltin(s, memory.New(4<<30))
	var mu sync.Mutex
	var all []handed
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(2)
	for _, name := range strings.Split(*handedTasks, ",") {
		for _, split := range strings.Split(*handedSplits, ",") {
			seed, err := strconv.ParseUint(split, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			task := realTask(t, name, seed)
			g.Go(func() error {
				ref, err := s.Put(ctx, task.Encode())
				if err != nil {
					return err
				}
				h := handed{task: name, split: seed}
				var results []yardstick.Result
				for _, y := range yardstick.All() {
					r, err := y.Train(task)
					if err != nil {
						return err
					}
					r.Name = y.Name
					results = append(results, r)
				}
				best, _ := yardstick.ToBeat(results)
				h.yard, h.beats = best.Name, best.Test.Accuracy
				if err := h.search(t, b, search.Task{Name: name, Kind: "text", Data: string(ref)}, modules); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, h)
				t.Logf("%s, split %d: best %.2f, refitted %.2f, ten best %.2f, %s %.2f, %+.2f; refitting the three best %+.2f", name, seed,
					100*h.best, 100*h.refitted, 100*h.ten, h.yard, 100*h.beats, 100*(h.best-h.beats), 100*stat.Mean(h.gains, nil))
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	tell := func(name string, of []handed) {
		column := func(f func(handed) float64) (mean, se float64) {
			var v []float64
			for _, h := range of {
				v = append(v, 100*f(h))
			}
			return stat.Mean(v, nil), stat.StdDev(v, nil) / math.Sqrt(float64(len(v)))
		}
		best, _ := column(func(h handed) float64 { return h.best })
		refitted, _ := column(func(h handed) float64 { return h.refitted })
		ten, _ := column(func(h handed) float64 { return h.ten })
		beats, _ := column(func(h handed) float64 { return h.beats })
		ahead, e1 := column(func(h handed) float64 { return h.best - h.beats })
		gain, e2 := column(func(h handed) float64 { return stat.Mean(h.gains, nil) })
		t.Logf("| %s | %d | %.2f | %.2f | %.2f | %.2f | %+.2f ± %.2f | %+.2f ± %.2f |",
			name, len(of), best, refitted, ten, beats, ahead, e1, gain, e2)
	}
	for _, name := range strings.Split(*handedTasks, ",") {
		tell(name, slices.DeleteFunc(slices.Clone(all), func(h handed) bool { return h.task != name }))
	}
	tell("all", all)
}

// search runs the search, and refits.
func (h *handed) search(t *testing.T, b *trainers.Builtin, task search.Task, modules []search.Module) error {
	sp, err := space.Builtin(*handedSpace)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range modules {
		names = append(names, m.Name)
	}
	filled, err := b.Fill(sp, task.Kind, names)
	if err != nil {
		return err
	}
	c := search.Config{Tasks: []search.Task{task}, Space: filled, Modules: modules, Strategy: *handedBy, Seed: h.split, Lag: 1}
	definition, err := strategy.Builtin().Find(c.Strategy)
	if err != nil {
		return err
	}
	if c.Settings, err = definition.Canonical(nil, nil); err != nil {
		return err
	}
	var sources []strategy.Source
	if definition.FromSources {
		if sources, err = recordedSources(&c); err != nil {
			return err
		}
	}
	searcher, err := search.Begin(strategy.Builtin(), c, c.Start(nil, sources))
	if err != nil {
		return err
	}
	type model struct {
		request trainer.Request
		trainer.Result
		validation, test float64
	}
	var models []model
	for trial := range *handedTrials {
		proposal, err := searcher.Ask(trial)
		if err != nil {
			return err
		}
		m := model{}
		if m.request, err = c.Again(search.Trial{Trial: trial, Actions: proposal.Actions}); err != nil {
			return err
		}
		if m.Result, err = b.Run(t.Context(), m.request, func(trainer.Progress) error { return nil }); err != nil {
			return err
		}
		row := search.NewTrial(proposal, m.Outcome, filled.Objective)
		if err := searcher.Tell(row); err != nil {
			return err
		}
		if row.OK() {
			m.validation, m.test = row.Validation, row.Test
			models = append(models, m)
		}
	}
	slices.SortStableFunc(models, func(a, b model) int { return cmp.Compare(b.validation, a.validation) })
	if len(models) < 10 {
		return fmt.Errorf("%d of %d trials have a model", len(models), *handedTrials)
	}
	h.best = models[0].test
	for i, m := range models[:10] {
		if h.ten += m.test / 10; i >= 3 {
			continue
		}
		again, err := b.Refit(t.Context(), m.request, m.Metrics[trainer.Temperature])
		if err != nil {
			return err
		}
		if again.Status != trainer.OK {
			return fmt.Errorf("trial %d is refitted with the status %s: %s", m.request.Trial, again.Status, again.Reason)
		}
		_, test, _ := trainer.Values(again.Metrics, filled.Objective)
		if h.gains = append(h.gains, test-m.test); i == 0 {
			h.refitted = test
		}
	}
	return nil
}

// recordedSources are the recorded trials of the development tasks in a search's space, but
// for its own.
func recordedSources(c *search.Config) ([]strategy.Source, error) {
	set, err := benchmark.Open(c.Space.Name)
	if err != nil {
		return nil, err
	}
	past := search.Config{Space: set.Space}
	for _, name := range set.Development {
		past.Tasks = append(past.Tasks, search.Task{Name: name, Kind: c.Kind()})
	}
	trials, _, err := set.Trials(&past.Space, set.Development)
	if err != nil {
		return nil, err
	}
	sources, _, err := c.SourcesOf([]search.Past{{Name: set.Name, Config: &past, Trials: trials}})
	return sources, err
}
