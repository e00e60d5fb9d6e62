package gc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
	"tnaml/workflows"
)

const small = `name: small
space: text-small
seeds: [1]
checkpoint_every: 4
pretrain: [{tasks: [p1, p2], trials: 12}]
transfer: {tasks: [t1], trials: 11, arms: [default, no-task-embedding]}
benchmark: {simulate: {tasks: [sms_spam], arms: [random], trials: 5, seeds: 30}}
`

// world is a store with all that the program writes, made by the program's own
// workflows and activities: tasks, modules, controllers, searches of texts and of
// images, an experiment with a run.
func world(t *testing.T) *store.Memory {
	t.Helper()
	built.once.Do(func() { built.store = build(t) })
	if built.store == nil {
		t.Fatal("the store could not be built")
	}
	return clone(t, built.store)
}

var built struct {
	once  sync.Once
	store *store.Memory
}

func build(t *testing.T) *store.Memory {
	s := store.NewMemory()
	r := rng.New(1, "gc/world", 0)
	for _, name := range []string{"p1", "p2", "t1", "t2", "spare"} {
		var examples []text.Example
		for i := range 60 {
			examples = append(examples, text.Example{Text: fmt.Sprintf("%s %s number %d", name, []string{"good", "bad"}[i%2], i),
				Label: []string{"pos", "neg"}[i%2]})
		}
		made, err := text.Build(examples, data.Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := library.PublishTask(t.Context(), s, made, false); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"m1", "m2"} {
		m := &embedding.Module{Name: name, Language: "en", Dim: 4, Tokens: []string{"good", "bad"},
			Vectors: []float32{1, 0, 0, float32(i), -1, 0, 0, 0}}
		if _, err := library.PublishModule(t.Context(), s, m, false); err != nil {
			t.Fatal(err)
		}
	}
	set := &image.Set{Images: nnimage.Images{Height: 8, Width: 8, Channels: 1}, Classes: []string{"bright", "dark"}}
	for i := range 80 {
		for range 64 {
			set.Pixels = append(set.Pixels, uint8(100*(i%2)+r.IntN(100)))
		}
		set.Labels, set.Splits = append(set.Labels, int32(1-i%2)), append(set.Splits, "")
	}
	pictures, err := image.Build(set, data.Options{Name: "pictures"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), s, pictures, false); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"pca", "pca-2"} {
		pca, err := nnimage.TrainPCA(set.Images, nnimage.PCAOptions{Name: name, Components: 4 + i, Size: 8, Channels: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := library.PublishImageModule(t.Context(), s, pca, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := library.PublishExperiment(t.Context(), s, []byte(small), false); err != nil {
		t.Fatal(err)
	}
	const searching = `"space":"text-small","checkpoint_every":4,"trials":11`
	run(t, s, "alone", workflows.SearchWorkflow, `{"tasks":["t2"],"strategy":"random","modules":["m1"],`+searching+`}`)
	run(t, s, "again", workflows.SearchWorkflow, `{"tasks":["t2"],"strategy":"random","modules":["m1"],`+searching+`}`)
	run(t, s, "two", workflows.SearchWorkflow, `{"tasks":["t2","spare"],"strategy":"naml","examples":true,`+searching+`}`)
	run(t, s, "pictures", workflows.SearchWorkflow, `{"tasks":["pictures"],"strategy":"random","modules":["pca"],`+
		`"checkpoint_every":4,"trials":3}`)
	run(t, s, "small-1", string(catalog.KindBenchmark), `{"experiment":"small"}`)
	run(t, s, "transferred", workflows.SearchWorkflow, `{"tasks":["spare"],"strategy":"naml","controller":"small",`+searching+`}`)
	sourced(t, s)
	outside(t, s)
	return s
}

// sourced is a search that starts from the trials of the search "alone".
func sourced(t *testing.T, s store.Store) {
	t.Helper()
	record, err := library.ReadRecord(t.Context(), s, "alone")
	if err != nil {
		t.Fatal(err)
	}
	c, err := library.ReadConfig(t.Context(), s, record.Config)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := s.Put(t.Context(), strategy.EncodeSources(&c.Space, []strategy.Source{{Task: "t2"}}))
	if err != nil {
		t.Fatal(err)
	}
	c.Sources = string(ref)
	record = library.SearchRecord{Name: "sourced", Owner: "o", Status: "completed", State: record.State, Released: true}
	if record.Config, err = library.PutConfig(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	if err := library.StartSearch(t.Context(), s, record); err != nil {
		t.Fatal(err)
	}
}

// What is attached to external tasks.
const attached, unused = "depth,rate\n", "something else"

// outside are external tasks, two with something attached, and a search of them.
func outside(t *testing.T, s store.Store) {
	t.Helper()
	for name, object := range map[string]string{"bare": "", "attached": attached, "unused": unused} {
		spec := external.Spec{Parameters: json.RawMessage(`{"table":"` + name + `"}`)}
		if object != "" {
			spec.Attached = &data.Attached{Name: "x.csv", Files: 1}
		}
		if _, _, err := library.PublishExternal(t.Context(), s, spec, []byte(object), data.Options{Name: name}, false); err != nil {
			t.Fatal(err)
		}
	}
	sp := &space.Space{Name: "own", Trainer: "own", Choices: []space.Choice{{Name: "depth", Options: []any{int64(1), int64(2)}}}}
	if err := library.PublishSpace(t.Context(), s, sp, false); err != nil {
		t.Fatal(err)
	}
	c, _, err := library.Pin(t.Context(), s, library.Names{Tasks: []string{"bare", "attached"}, Strategy: "random", Space: "own", Lag: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := library.ClaimAll(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	record := library.SearchRecord{Name: "outside", Owner: "o", Status: "completed", Released: true}
	if record.Config, err = library.PutConfig(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	if err := library.StartSearch(t.Context(), s, record); err != nil {
		t.Fatal(err)
	}
	plan, err := library.PlanRemoval(t.Context(), s, store.Dataset, []string{"attached", "unused"}, nil)
	if err != nil || len(plan) != 2 || !slices.Equal(plan[0].KeptBy, []string{"outside"}) || len(plan[1].KeptBy) > 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}

// run runs a workflow with the real activities.
func run(t *testing.T, s store.Store, id, kind, spec string) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	a := activities.New(s, activities.Options{})
	// With the heartbeats of a worker (worker/host): the environment gives up what is silent, as the server does.
	env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout:     time.Minute,
		Interceptors:                 []interceptor.WorkerInterceptor{activities.Attempts(a)},
		MaxHeartbeatThrottleInterval: activities.HeartbeatEvery,
	})
	env.RegisterActivity(a)
	env.OnActivity("Served", mock.Anything, mock.Anything).Return(true, nil).Maybe() // asks a server, of which there is none
	env.RegisterWorkflowWithOptions(workflows.Search, workflow.RegisterOptions{Name: workflows.SearchWorkflow})
	env.RegisterWorkflowWithOptions(workflows.Benchmark, workflow.RegisterOptions{Name: workflows.BenchmarkWorkflow})
	env.SetTestTimeout(2 * time.Minute)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue})
	env.ExecuteWorkflow(kind, json.RawMessage(spec), nil)
	if err := env.GetWorkflowError(); err != nil || !env.IsWorkflowCompleted() {
		t.Fatalf("%s: %v", id, err)
	}
}

// kinds are in the order in which a clone has them written: a search's record ends
// what its trials hold.
var kinds = []store.Kind{store.Trial, store.Dataset, store.Module, store.Controller, store.Space, store.Experiment, store.Search,
	store.Features, store.Yardstick}

func names(t *testing.T, s store.Store, kind store.Kind) (out []string) {
	t.Helper()
	entries, err := s.Names(t.Context(), kind, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}

func refs(t *testing.T, s store.Store) map[store.Ref]bool {
	t.Helper()
	out := map[store.Ref]bool{}
	if err := s.Blobs(t.Context(), func(b store.Blob) error { out[b.Ref] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func inTrash(t *testing.T, s store.Store) map[store.Ref]bool {
	t.Helper()
	out := map[store.Ref]bool{}
	if err := s.Trash(t.Context(), func(d store.Discarded) error { out[d.Ref] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// clone copies names and blobs.
func clone(t *testing.T, from store.Store) *store.Memory {
	t.Helper()
	to := store.NewMemory()
	for ref := range refs(t, from) {
		b, err := from.Get(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range kinds {
		for _, name := range names(t, from, kind) {
			v, _, err := from.GetName(t.Context(), kind, name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := to.SetName(t.Context(), kind, name, v, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// watched notes which blobs are read.
type watched struct {
	store.Store
	mu   sync.Mutex
	read map[store.Ref]bool
}

func (w *watched) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	w.mu.Lock()
	w.read[ref] = true
	w.mu.Unlock()
	return w.Store.Get(ctx, ref)
}

// openAll opens everything that the names promise, by the program's own readers,
// and returns the blobs that this took.
func openAll(t *testing.T, s store.Store) map[store.Ref]bool {
	t.Helper()
	ctx := t.Context()
	w := &watched{Store: s, read: map[store.Ref]bool{}}
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	get := func(what string, ref string) {
		t.Helper()
		if ref != "" {
			_, err := w.Get(ctx, store.Ref(ref))
			check(what, err)
		}
	}
	for _, name := range names(t, s, store.Dataset) {
		record, err := library.Dataset(ctx, w, name)
		check(name, err)
		get(name, string(record.Ref))
		if e := record.Card.External; e != nil && e.Attached != nil {
			get(name, e.Attached.Ref)
		}
	}
	for _, name := range names(t, s, store.Module) {
		record, err := library.Module(ctx, w, name)
		check(name, err)
		get(name, string(record.Ref))
	}
	for _, name := range names(t, s, store.Controller) {
		_, _, err := library.LoadController(ctx, w, name)
		check(name, err)
	}
	search := func(name string, configRef, checkpoint, costs, controller store.Ref, models []store.Ref) {
		config, err := library.ReadConfig(ctx, w, configRef)
		check(name, err)
		trials, err := library.ReadLedger(ctx, w, checkpoint)
		check(name, err)
		paid, err := library.ReadCosts(ctx, w, costs)
		check(name, err)
		if len(trials) != len(paid) || len(trials) == 0 && checkpoint != "" {
			t.Fatalf("%s: %d trials, %d costs", name, len(trials), len(paid))
		}
		for _, k := range config.Tasks {
			get(name, k.Data)
			_, err := library.CardOf(ctx, w, k)
			check(name, err)
		}
		for _, m := range config.Modules {
			get(name, m.Data)
		}
		get(name, config.Controller)
		get(name, config.Sources)
		get(name, string(controller))
		exported := 0
		for _, trial := range trials {
			if slices.Contains(models, store.Ref(trial.Model)) {
				_, err := library.ExportModel(ctx, w, name, config, trial)
				check(name, err)
				exported++
			}
			get(name, trial.Examples)
		}
		if exported < len(models) {
			t.Fatalf("%s: %d of the models %v are in the ledger", name, exported, models)
		}
	}
	for _, name := range names(t, s, store.Search) {
		record, err := library.ReadRecord(ctx, w, name)
		check(name, err)
		search(name, record.Config, record.Ledger, record.Costs, record.Controller, record.Models)
		get(name, string(record.State))
	}
	for _, name := range names(t, s, store.Experiment) {
		_, err := library.ReadStudy(ctx, w, name)
		check(name, err)
		record, err := library.ReadExperiment(ctx, w, name)
		check(name, err)
		for _, e := range record.Runs {
			report, err := library.ReadReport(ctx, w, e.Report)
			check(name, err)
			for _, o := range report.Outcomes {
				search(o.Search, o.Config, o.Ledger, o.Costs, o.Controller, nil)
				get(o.Search, string(o.From))
			}
			for _, v := range report.Plan.Controllers {
				get(name, string(v.Ref))
			}
			_, err = library.ReadSimulated(ctx, w, store.Ref(report.Simulated.Object))
			check(name, err)
		}
	}
	return w.read
}

// difference names what only one of two sets has.
func difference(t *testing.T, s store.Store, a, b map[store.Ref]bool) (out []string) {
	t.Helper()
	for ref := range maps.Keys(a) {
		if !b[ref] {
			head, _ := s.Peek(t.Context(), ref, gc.Peek)
			out = append(out, gc.KindOf(head)+" "+string(ref))
		}
	}
	slices.Sort(out)
	return out
}

// clockOf gives a store a clock that a test moves.
func clockOf(s *store.Memory) (advance func(time.Duration)) {
	var mu sync.Mutex
	at := time.Now()
	s.SetClock(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return at
	})
	return func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(d)
	}
}

func collect(t *testing.T, s store.Store, o gc.Options) *gc.Plan {
	t.Helper()
	p, err := gc.Survey(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context(), s, o); err != nil {
		t.Fatal(err)
	}
	return p
}
