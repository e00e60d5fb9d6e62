package main_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/encoding/protojson"

	"tnaml/activities/library"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/table"
	"tnaml/experiments/trainer"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
	"tnaml/workflows"
)

var recordTo = flag.String("record", "", "record the histories of worker/host/testdata anew, in this directory")

const tinyExperiment = `name: tiny
space: knobs
concurrency: 3
checkpoint_every: 5
lag: 2
pretrain: [{tasks: [knobs], trials: 6}]
transfer: {tasks: [levers], trials: 5, arms: [random, naml, transfer]}
benchmark:
  {nights: 3, tolerance: 0.1, accuracy: 0.001, cost: 1000, simulate: {tasks: [sms_spam], arms: [random], trials: 5, seeds: 30}}
`

// recording is a way through a workflow, as the replay test of worker/host wants
// one for each path.
type recording struct {
	name string // of the file: the workflow's type and what happens to it
	// what is started, on which specification
	spec any
	// before is run to its end first; store is the trouble that do can begin; trainers
	// are the worker's, empty for all.
	before   any
	store    *trouble
	trainers string
	// do is what happens meanwhile.
	do func(t *testing.T, r *recorder, run client.WorkflowRun)
}

type recorder struct {
	*bench
	proxy   *proxy
	trouble *trouble
	crew    []*process
}

var table12 = spec{"tasks": []string{"knobs"}, "space": "knobs", "trials": 12, "lag": 3, "checkpoint_every": 5}

var (
	endless = merged(table12, spec{"trials": 100_000})
	trained = spec{"tasks": []string{"words"}, "space": "tiny", "trials": 8, "lag": 2, "checkpoint_every": 4}
	tiny    = spec{"experiment": "tiny"}
	// broad takes long enough to be met in the middle.
	broad = spec{"experiment": "tiny", "pretrain_trials": 300, "trials": 300}
)

var recordings = []recording{
	{name: "Search.completed", spec: table12},
	{name: "Search.trained", spec: trained},
	{name: "Search.pruned", spec: merged(trained, spec{"trials": 24, "pruner": "halving"})},
	{name: "Search.budget", spec: merged(trained, spec{"trials": 1000, "budget": spec{"steps": 300}})},
	{name: "Search.goes-on", before: table12, spec: spec{"from": "before", "trials": 20}},
	{name: "Search.refused", spec: spec{"tasks": []string{}}},
	{name: "Search.unresolved", spec: spec{"tasks": []string{"nothing"}}},
	{name: "Search.features", spec: spec{"tasks": []string{"noise"}, "modules": []string{"pca-0"}, "strategy": "random", "trials": 3,
		"lag": 1}},
	// Its history is long enough before the first trial.
	{name: "Search.features-continued", spec: spec{"tasks": []string{"noise"}, "strategy": "random", "trials": 3, "lag": 1,
		"history_limit": 100}},
	{name: "Search.extended", spec: endless, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.update(t, run, workflows.Extend, 10)
		r.update(t, run, workflows.Stop)
	}},
	{name: "Search.paused", spec: endless, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.update(t, run, workflows.Pause, "a test")
		r.until(t, run, "quiet", func(p workflows.Progress) bool { return p.Running == 0 })
		r.update(t, run, workflows.Resume)
		r.told(t, run, 10)
		r.update(t, run, workflows.Stop)
	}},
	{name: "Search.signals", spec: endless, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		for _, s := range []struct {
			name     string
			argument any
		}{{workflows.Pause, "a test"}, {workflows.Resume, nil}, {workflows.Extend, 7}, {workflows.Stop, nil}} {
			if err := r.client.SignalWorkflow(t.Context(), run.GetID(), "", s.name, s.argument); err != nil {
				t.Error(err)
			}
		}
	}},
	{name: "Search.canceled", spec: endless, do: cancelled},
	{name: "Search.canceled-paused", spec: endless, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.update(t, run, workflows.Pause, "a test")
		r.until(t, run, "quiet", func(p workflows.Progress) bool { return p.Running == 0 })
		cancelled(t, r, run)
	}},
	{name: "Search.reset", spec: table12, do: resetHalfway},
	{name: "Search.reevaluates", before: table12, spec: spec{"from": "before", "reevaluate": spec{"top": 3, "repeats": 2}}},
	// What is in flight as the time is over has no part in it.
	{name: "Search.hours", spec: merged(endless, spec{"budget": spec{"hours": 3. / 3600}})},
	{name: "Search.late", spec: spec{"tasks": []string{"words"}, "space": "slow", "strategy": "random", "trials": 2, "lag": 1,
		"trial_timeout": "1s"}, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.until(t, run, "paused", func(p workflows.Progress) bool { return p.Status == "paused" })
		r.update(t, run, workflows.Stop)
	}},
	{name: "Search.continued", spec: merged(table12, spec{"trials": 60, "history_limit": 100})},
	// Most of its trials fail: it pauses itself, and is stopped.
	{name: "Search.failing", spec: merged(table12, spec{"tasks": []string{"holes"}, "trials": 100}),
		do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
			r.until(t, run, "paused", func(p workflows.Progress) bool { return p.Status == "paused" })
			r.update(t, run, workflows.Stop)
		}},
	{name: "Search.killed", spec: trained, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.told(t, run, 2)
		r.crew[0].kill()
		r.worker(t, "heir")
	}},
	{name: "Search.unserved", spec: table12, trainers: "builtin", do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.until(t, run, "waiting", func(p workflows.Progress) bool { return p.Status == "waiting" })
		r.worker(t, "other")
	}},
	// Its own worker cannot learn for a while: any other may.
	{name: "Search.learned-elsewhere", spec: merged(table12, spec{"trials": 400, "checkpoint_every": 1}),
		store: &trouble{every: 1, lasts: 15 * time.Second, act: refused(503, "SlowDown")},
		do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
			r.told(t, run, 3)
			r.proxy.begin(r.trouble)
			time.Sleep(r.trouble.lasts)
			r.update(t, run, workflows.Stop)
		}},
	// The first trial's lease ends, and it is asked again; the search continues as new with trials that nobody has told.
	{name: "Search.asked", spec: spec{"tasks": []string{"knobs"}, "space": "asked", "trials": 30, "lag": 4, "checkpoint_every": 5,
		"trial_timeout": "2s", "history_limit": 100}, do: askAndTell},
	// The store does not let it work on, in its trials, learning, or in its last step.
	{name: "Search.trial-refused", spec: merged(trained, spec{"trials": 20, "checkpoint_every": 100}), store: denied, do: untilPaused(2)},
	{name: "Search.learn-refused", spec: merged(table12, spec{"trials": 400, "checkpoint_every": 1}), store: denied, do: untilPaused(3)},
	{name: "Search.finish-refused", spec: merged(table12, spec{"trials": 50, "checkpoint_every": 500}), store: denied, do: untilPaused(3)},

	{name: "Experiment.completed", spec: tiny},
	{name: "Experiment.refused", spec: spec{"experiment": "none"}},
	{name: "Experiment.paused", spec: broad, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.update(t, run, workflows.Pause, "a test")
		time.Sleep(time.Second)
		r.update(t, run, workflows.Resume)
		time.Sleep(time.Second)
		r.update(t, run, workflows.Stop)
	}},
	{name: "Experiment.signals", spec: broad, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		for _, name := range []string{workflows.Pause, workflows.Resume, workflows.Stop} {
			if err := r.client.SignalWorkflow(t.Context(), run.GetID(), "", name, nil); err != nil {
				t.Error(err)
			}
		}
	}},
	{name: "Experiment.canceled", spec: broad, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.children(t, run, 1)
		cancelled(t, r, run)
	}},
	{name: "Experiment.all-failed", spec: spec{"experiment": "tiny", "arms": []string{"random", "naml"}, "trials": 5000},
		do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
			for _, child := range r.children(t, run, 2) {
				if err := r.client.CancelWorkflow(t.Context(), child, ""); err != nil {
					t.Error(err)
				}
			}
		}},
	{name: "Experiment.reset", spec: merged(tiny, spec{"arms": []string{"random"}}), do: resetHalfway},
	// Its first search is terminated. Somebody else's search has the second one's name: it waits for
	// that one's end, and then cannot have its record. The third is well.
	{name: "Experiment.failed-search", spec: spec{"experiment": "tiny", "arms": []string{"random"}, "seeds": []int{1, 2, 3}, "trials": 1000,
		"concurrency": 1}, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		first := r.children(t, run, 1)[0]
		second, ok := strings.CutSuffix(first, "1")
		if !ok {
			t.Fatalf("the first search is %s", first)
		}
		other := r.startAs(t, workflows.SearchWorkflow, second+"2", endless)
		r.told(t, other, 3)
		if err := r.client.TerminateWorkflow(t.Context(), first, "", "a test"); err != nil {
			t.Error(err)
		}
		r.event(t, run, enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED)
		r.update(t, other, workflows.Stop)
	}},
	{name: "Experiment.continued", spec: spec{"experiment": "tiny", "history_limit": 100, "seeds": []int{1, 2, 3, 4, 5, 6, 7, 8},
		"trials": 3, "concurrency": 2}},
	{name: "Pretrain.completed", spec: tiny},
	{name: "Transfer.completed", spec: spec{"experiment": "tiny", "arms": []string{"random", "naml"}}},
	{name: "Benchmark.passed", spec: tiny},
	// A night of one trial is worse than one of a hundred.
	{name: "Benchmark.regressed", before: spec{"experiment": "tiny", "trials": 100}, spec: spec{"experiment": "tiny", "trials": 1}},
	{name: "Benchmark.canceled", spec: spec{"experiment": "tiny-long"}, do: func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.activity(t, run, "Simulate")
		cancelled(t, r, run)
	}},
	{name: "Collect.completed", spec: spec{"grace": "0s"}},
	{name: "Collect.dry", spec: spec{"dry_run": true}},
	{name: "Collect.refused", spec: spec{"grace": "soon"}},
}

// denied is a store that takes objects, and no names any more: one that took nothing
// would not be asked for long, as its workers stop working (host.Options).
var denied = &trouble{every: 1, of: func(r *http.Request) bool { return writes(r) && strings.Contains(r.URL.Path, "/names/") },
	act: refused(403, "AccessDenied")}

// untilPaused lets the store refuse all writes from some trial on until the search
// has paused itself, and resumes it.
func untilPaused(trials int) func(t *testing.T, r *recorder, run client.WorkflowRun) {
	return func(t *testing.T, r *recorder, run client.WorkflowRun) {
		r.told(t, run, trials)
		r.proxy.begin(r.trouble)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = r.end(t, run, nil)
		}()
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			select {
			case <-ended:
				return
			default:
			}
			if p, ok := r.progress(t.Context(), run); ok && p.Status == "paused" {
				break
			}
		}
		r.proxy.begin(nil)
		r.update(t, run, workflows.Resume)
		r.update(t, run, workflows.Stop)
		<-ended
	}
}

// askAndTell asks for trials, two at a time, and tells the later one first, until the
// search takes no more. The first that it asks for it forgets.
func askAndTell(t *testing.T, r *recorder, run client.WorkflowRun) {
	update := func(name string, arg, answer any) error {
		handle, err := r.client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), UpdateName: name, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err != nil {
			return err
		}
		return handle.Get(t.Context(), answer)
	}
	for forgotten := false; ; {
		var asked workflows.Asked
		err := update(workflows.AskUpdate, workflows.Ask{Count: 2}, &asked)
		var app *temporal.ApplicationError
		switch {
		case errors.As(err, &app) && app.Type() == workflows.RefusedNow:
			time.Sleep(100 * time.Millisecond)
			continue
		case err != nil: // it has ended
			return
		case !forgotten:
			forgotten = true
			continue
		}
		slices.Reverse(asked.Trials)
		for _, a := range asked.Trials {
			told := fmt.Sprintf(`{"trial":%d,"state":"complete","metrics":{"gain":%v}}`, a.Trial, float64(a.Seed%100)/100)
			if err := update(workflows.TellUpdate, json.RawMessage(told), nil); err != nil {
				t.Error(err)
			}
		}
	}
}

// resetHalfway goes on from the middle of a run, once that is over.
func resetHalfway(t *testing.T, r *recorder, run client.WorkflowRun) {
	if err := r.end(t, run, nil); err != nil {
		t.Error(err)
	}
	var steps []int64
	for events := r.client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false,
		enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			steps = append(steps, event.GetEventId())
		}
	}
	_, err := r.client.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: r.namespace, Reason: "a test", RequestId: run.GetRunID(), WorkflowTaskFinishEventId: steps[len(steps)/2],
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func cancelled(t *testing.T, r *recorder, run client.WorkflowRun) {
	if err := r.client.CancelWorkflow(t.Context(), run.GetID(), ""); err != nil {
		t.Error(err)
	}
}

// children waits for an experiment's searches in flight and names them.
func (r *recorder) children(t *testing.T, run client.WorkflowRun, n int) []string {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		d, err := r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range d.GetPendingChildren() {
			if c.GetRunId() != "" { // it has started
				names = append(names, c.GetWorkflowId())
			}
		}
		if len(names) >= n {
			return names
		}
	}
	t.Fatal("no searches start")
	return nil
}

// event waits until a run's history has one of a type.
func (r *recorder) event(t *testing.T, run client.WorkflowRun, kind enumspb.EventType) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		for events := r.client.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			if event, err := events.Next(); err != nil {
				t.Fatal(err)
			} else if event.GetEventType() == kind {
				return
			}
		}
	}
	t.Fatalf("%s: never %v", run.GetID(), kind)
}

// activity waits until one of a run's is under way.
func (r *recorder) activity(t *testing.T, run client.WorkflowRun, name string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		d, err := r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range d.GetPendingActivities() {
			if a.GetActivityType().GetName() == name && a.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
				return
			}
		}
	}
	t.Fatalf("no %s starts", name)
}

// A recording of another's name would be lost under it.
func TestRecordingsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, rec := range recordings {
		if seen[rec.name] || rec.name == "" {
			t.Errorf("there are two recordings %q", rec.name)
		}
		seen[rec.name] = true
	}
}

// The histories that the replay test of worker/host replays are recorded by
//
//	go test ./worker -run TestRecord -record host/testdata -timeout 30m
//
// where those of an earlier version are replaced; with a row's name (-run
// TestRecord/all/Search.paused) it is that one alone. Which paths lack a history that
// test says.
func TestRecord(t *testing.T) {
	if *recordTo == "" {
		t.Skip("records with -record DIRECTORY")
	}
	a := stacktest.Shared(t)
	dir := t.TempDir()
	t.Run("all", func(t *testing.T) {
		for _, rec := range recordings {
			t.Run(rec.name, func(t *testing.T) {
				t.Parallel()
				r := &recorder{proxy: newProxy(t, a.S3Endpoint), trouble: rec.store}
				r.bench = newBench(t, a, a, r.proxy.URL)
				r.more(t)
				r.crew = []*process{r.worker(t, "worker-1", "TNAML_WORKER_TRAINERS="+rec.trainers)}
				r.crew[0].ready(t)
				kind, _, _ := strings.Cut(rec.name, ".")
				if rec.before != nil {
					if err := r.end(t, r.start(t, kind, "before", rec.before), nil); err != nil {
						t.Error(err)
					}
				}
				if s, ok := rec.spec.(spec); ok && s["from"] != nil {
					rec.spec = merged(s, spec{"from": fmt.Sprint(r.queue, "/", s["from"])})
				}
				run := r.start(t, kind, rec.name, rec.spec)
				if rec.do != nil {
					rec.do(t, r, run)
				}
				_ = r.end(t, run, nil) // some are to fail
				r.save(t, run, dir, rec.name)
			})
		}
	})
	if t.Failed() {
		t.Fatal("nothing is recorded: the old histories stay")
	}
	old, _ := filepath.Glob(filepath.Join(*recordTo, "*.json*"))
	fresh, _ := filepath.Glob(filepath.Join(dir, "*"))
	var errs []error
	for _, name := range old { // those that nothing records any more
		base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(name), ".json.gz"), "-last")
		if !slices.ContainsFunc(recordings, func(r recording) bool { return r.name == base }) {
			errs = append(errs, os.Remove(name))
		}
	}
	for _, name := range fresh {
		b, err := os.ReadFile(name)
		errs = append(errs, err, os.WriteFile(filepath.Join(*recordTo, filepath.Base(name)), b, 0o644))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d histories in %s", len(fresh), *recordTo)
}

// more stores what only some of the recordings need.
func (r *recorder) more(t *testing.T) {
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(library.PublishExperiment(t.Context(), r.store, []byte(tinyExperiment), true))
	r.slow(t, 20_000_000)
	sp, err := library.LoadSpace(t.Context(), r.store, "knobs")
	check(nil, err)
	sp.Name, sp.Trainer = "asked", trainer.External{}.Name()
	check(nil, library.PublishSpace(t.Context(), r.store, sp, true))
	long := strings.NewReplacer("name: tiny", "name: tiny-long", "trials: 5, seeds: 30", "trials: 1000, seeds: 10000")
	check(library.PublishExperiment(t.Context(), r.store, []byte(long.Replace(tinyExperiment)), true))
	row := table.Row{Choices: map[string]any{}, Metrics: map[string]float64{"validation_gain": .5, "test_gain": .5}}
	for _, knob := range []string{"knob_0", "knob_1", "knob_2", "knob_3", "knob_4", "knob_5"} {
		row.Choices[knob] = int64(1)
	}
	holes, err := table.Build(table.Recorded{Metrics: []string{"validation_gain", "test_gain"}, Rows: []table.Row{row}},
		data.Options{Name: "holes"})
	check(nil, err)
	check(library.PublishTask(t.Context(), r.store, holes, true))
	s := &image.Set{Images: nnimage.Images{Height: 4, Width: 4, Channels: 1}, Classes: []string{"a", "b"}}
	g := rng.New(1, "test", 0)
	for i := range 40 {
		for range 16 {
			s.Pixels = append(s.Pixels, uint8(g.IntN(256)))
		}
		s.Labels, s.Splits = append(s.Labels, int32(i%2)), append(s.Splits, "")
	}
	noise, err := image.Build(s, data.Options{Name: "noise"})
	check(nil, err)
	check(library.PublishTask(t.Context(), r.store, noise, true))
	for i := range 25 {
		m, err := nnimage.TrainPCA(s.Images, nnimage.PCAOptions{Name: fmt.Sprint("pca-", i), Components: 3 + i%10, Size: 4, Channels: 1})
		check(nil, err)
		check(library.PublishImageModule(t.Context(), r.store, m, true))
	}
}

// save writes a workflow's history: its first run's, and where it has continued as
// new its last run's too.
func (r *recorder) save(t *testing.T, run client.WorkflowRun, dir, name string) {
	t.Helper()
	d, err := r.client.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
	if err != nil {
		t.Fatal(err)
	}
	last := d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	runs := map[string]string{name: run.GetRunID()}
	if last != run.GetRunID() {
		runs[name+"-last"] = last
	}
	for name, id := range runs {
		var history historypb.History
		for events := r.client.GetWorkflowHistory(t.Context(), run.GetID(), id, false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
			event, err := events.Next()
			if err != nil {
				t.Fatal(err)
			}
			history.Events = append(history.Events, event)
		}
		text, err := protojson.Marshal(&history)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, name+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		_, err = z.Write(text)
		if err := errors.Join(err, z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
