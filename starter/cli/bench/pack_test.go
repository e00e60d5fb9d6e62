package bench

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/benchmark"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/nn/embedding"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

const recording = `name: recording
space: text-small
memory_limit_mb: 512
keep_models: 0
examples: true
checkpoint_every: 4
transfer: {tasks: [a, b], trials: 12, budgets: {b: 6}, arms: [{name: recorded, strategy: random, settings: {shared: 1, repeat_every: 11}}]}
`

// recordedIn is a store with a run of the experiment recording.
func recordedIn(t *testing.T) store.Store {
	t.Helper()
	s := store.NewMemory()
	for _, name := range []string{"a", "b"} {
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
	m := &embedding.Module{Name: "m", Language: "en", Dim: 2, Tokens: []string{"good", "bad"}, Vectors: []float32{1, 0, -1, 0}}
	if _, err := library.PublishModule(t.Context(), s, m, false); err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishExperiment(t.Context(), s, []byte(recording), false); err != nil {
		t.Fatal(err)
	}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	env.RegisterActivity(activities.New(s, activities.Options{}))
	env.OnActivity("Served", mock.Anything, mock.Anything).Return(true, nil).Maybe()
	env.RegisterWorkflowWithOptions(workflows.Search, workflow.RegisterOptions{Name: workflows.SearchWorkflow})
	env.RegisterWorkflowWithOptions(workflows.Experiment, workflow.RegisterOptions{Name: workflows.ExperimentWorkflow})
	env.SetTestTimeout(2 * time.Minute)
	env.SetStartWorkflowOptions(sdk.StartWorkflowOptions{ID: "recording-1", TaskQueue: workflows.TaskQueue})
	env.ExecuteWorkflow(string(catalog.KindExperiment), json.RawMessage(`{"experiment":"recording"}`), nil)
	if err := env.GetWorkflowError(); err != nil || !env.IsWorkflowCompleted() {
		t.Fatal(err)
	}
	return s
}

// What an experiment has recorded so far, ended or not, is written as files that hold
// all of it; a file that holds more is left, unless it is to be replaced.
func TestPack(t *testing.T) {
	s := recordedIn(t)
	dir := filepath.Join(t.TempDir(), "new", "records")
	var out strings.Builder
	app := &terminal.App{Process: terminal.Process{Stdout: &out, Stderr: &out}}
	pack := func(p packing) error {
		p.dir = dir
		return p.run(t.Context(), app, &client.Client{Store: s}, "recording")
	}
	read := func(task string) *benchmark.Record {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, task+benchmark.Suffix))
		if err != nil {
			t.Fatal(err)
		}
		r, err := benchmark.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := pack(packing{tasks: []string{"a", "c"}}); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("a task that was not searched: %v", err)
	}
	if err := pack(packing{}); err != nil {
		t.Fatal(err)
	}
	r := read("a")
	p := r.Provenance
	if len(r.Rows) != 12 || p.MemoryBytes != 512<<20 || p.Command != "starter run recording" ||
		!strings.HasSuffix(p.Trainer, p.InstructionSet) ||
		p.InstructionSet == "" || len(read("b").Rows) != 6 {
		t.Errorf("%d and %d rows, %+v", len(r.Rows), len(read("b").Rows), p)
	}
	for _, row := range r.Rows {
		if row.Right == nil || row.Right.Validation.Share() != row.Validation || row.Right.Test.Share() != row.Test || row.CPUSeconds <= 0 {
			t.Errorf("%+v", row)
		}
	}
	// The run goes on, and one of its searches has recorded less than the file.
	record, err := library.ReadExperiment(t.Context(), s, "recording")
	if err != nil {
		t.Fatal(err)
	}
	entry := record.Runs[0]
	_, report, err := library.FindRun(t.Context(), s, "recording", entry.Name, entry.RunID)
	if err != nil {
		t.Fatal(err)
	}
	report.Outcomes = []library.Outcome{}
	ref, err := library.PutReport(t.Context(), s, report)
	if err != nil {
		t.Fatal(err)
	}
	open := func(e *library.RunEntry) { e.Status, e.Report = "running", ref }
	if err := library.UpdateRun(t.Context(), s, "recording", entry, open); err != nil {
		t.Fatal(err)
	}
	const name = "recording-1/transfer/a/recorded/s1"
	whole, err := library.ReadRecord(t.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	half, err := earlier(t, s, whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := library.UpdateRecord(t.Context(), s, name, library.Writer{RunID: whole.RunID, Config: whole.Config},
		func(r *library.SearchRecord) { *r = half }); err != nil {
		t.Fatal(err)
	}
	if err := pack(packing{}); err == nil || !strings.Contains(err.Error(), "holds 12 trials, the experiment has 8; --overwrite") {
		t.Error(err)
	}
	if n := len(read("a").Rows); n != 12 {
		t.Errorf("%d rows are left", n)
	}
	if err := pack(packing{tasks: []string{"a"}, overwrite: true}); err != nil || len(read("a").Rows) != 8 {
		t.Errorf("%d rows, %v", len(read("a").Rows), err)
	}
	if !strings.Contains(out.String(), "8 trials") {
		t.Error(out.String())
	}
}

// earlier is a search's record as of the checkpoint before the last.
func earlier(t *testing.T, s store.Store, r library.SearchRecord) (library.SearchRecord, error) {
	t.Helper()
	b, err := s.Get(t.Context(), r.Ledger)
	if err != nil {
		return r, err
	}
	segment, err := search.DecodeSegment(b)
	if err != nil {
		return r, err
	}
	if b, err = s.Get(t.Context(), r.Costs); err != nil {
		return r, err
	}
	costs, err := library.DecodeCosts(b)
	r.Status, r.Ledger, r.Costs, r.Told = "running", store.Ref(segment.Previous), costs.Previous, r.Told-len(segment.Trials)
	return r, err
}
