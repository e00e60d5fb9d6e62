package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/embedding"
	"tnaml/nn/rng"
	"tnaml/workflows"
)

// fixture is a store with a tiny task and module, and a trial that costs
// nothing: everything else in these tests is the real thing.
type fixture struct {
	*testsuite.TestWorkflowEnvironment
	store store.Store
	// train is asked for each trial's outcome.
	train func(ctx context.Context, r trainer.Request) (trainer.Outcome, error)
	// fail, where it is set, may fail a step of a search or an experiment, by its
	// activity's name and input; refuse a search's start, by its input.
	fail   func(step string, in any) error
	refuse func(in activities.ResolveInput) error
	// start is for tests that tell the time.
	start time.Time
	// unserved: no worker serves the trainer.
	unserved bool
	// trouble is what the server says of the steps' attempts.
	trouble string
	// events is the history's length, of tests that count it.
	events int
}

// reward is a made-up trial's accuracy: a function of choices and number.
func reward(trial int, choices map[string]any) float64 {
	r := rng.New(7, "reward", uint64(trial)).Float64()
	for i, name := range slices.Sorted(maps.Keys(choices)) {
		for _, c := range space.Literal(choices[name]) {
			r += float64(int(c)*(i+3)%5) / 60
		}
	}
	return r / 9
}

func plain(_ context.Context, r trainer.Request) (trainer.Outcome, error) {
	v := reward(r.Trial, r.Choices)
	return trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": v, "test_accuracy": v / 2}}, nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{store: store.NewMemory(), train: plain}
	publish(t, f.store, "tiny")
	f.reset(t)
	return f
}

// publish stores a tiny task under each name, and one module.
func publish(t testing.TB, s store.Store, tasks ...string) {
	t.Helper()
	var examples []text.Example
	for i := range 60 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("%s number %d", []string{"good", "bad"}[i%2], i),
			Label: []string{"pos", "neg"}[i%2]})
	}
	for _, name := range tasks {
		built, err := text.Build(examples, data.Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := library.PublishTask(t.Context(), s, built, false); err != nil {
			t.Fatal(err)
		}
	}
	m := &embedding.Module{Name: "m-4", Language: "en", Dim: 4, Tokens: []string{"good", "bad"}, Vectors: []float32{1, 0, 0, 0, -1, 0, 0, 0}}
	if _, err := library.PublishModule(t.Context(), s, m, false); err != nil {
		t.Fatal(err)
	}
}

// bare makes a fresh workflow environment without anything.
func (f *fixture) bare() {
	var suite testsuite.WorkflowTestSuite
	f.TestWorkflowEnvironment = suite.NewTestWorkflowEnvironment()
	f.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: yieldWithin})
	f.SetTestTimeout(testTimeout)
}

// reset makes a fresh workflow environment over the same store.
func (f *fixture) reset(t *testing.T) {
	f.bare()
	a := activities.New(f.store, activities.Options{})
	// On a busy machine an activity takes longer than a heartbeat's time: it says that it
	// lives, as on a worker.
	f.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: yieldWithin, Interceptors: []interceptor.WorkerInterceptor{activities.Attempts(a)},
	})
	f.RegisterWorkflowWithOptions(workflows.Search, workflow.RegisterOptions{Name: workflows.SearchWorkflow})
	step(f, "Resolve", func(ctx context.Context, in activities.ResolveInput) (activities.Resolved, error) {
		if f.refuse != nil {
			if err := f.refuse(in); err != nil {
				return activities.Resolved{}, err
			}
		}
		return a.Resolve(ctx, in)
	})
	step(f, "Learn", a.Learn)
	step(f, "Finish", a.Finish)
	// Trials that a search has left behind are not trained by the next one's trainer.
	train := sync.OnceValue(func() func(context.Context, trainer.Request) (trainer.Outcome, error) { return f.train })
	f.RegisterActivityWithOptions(func(ctx context.Context, in activities.TrialInput) (activities.TrialResult, error) {
		outcome, err := train()(ctx, in.Request)
		return activities.TrialResult{Outcome: outcome, Cost: search.Cost{CPUSeconds: 1}}, err
	}, activity.RegisterOptions{Name: workflows.TrialActivity})
	f.RegisterActivityWithOptions(func(_ context.Context, queue string) (activities.Standing, error) {
		return activities.Standing{Served: queue == "" || !f.unserved, Trouble: f.trouble}, nil
	},
		activity.RegisterOptions{Name: "Served"})
}

// step registers an activity that the fixture may fail.
func step[In, Out any](f *fixture, name string, do func(context.Context, In) (Out, error)) {
	f.RegisterActivityWithOptions(func(ctx context.Context, in In) (out Out, err error) {
		if f.fail != nil {
			if err := f.fail(name, in); err != nil {
				return out, err
			}
		}
		return do(ctx, in)
	}, activity.RegisterOptions{Name: name})
}

// yieldWithin is wide: on a busy machine a workflow that waits for the processor looks
// to the SDK like one that does not yield.
const yieldWithin = time.Minute

// testTimeout is how long nothing may happen in a test: the environment's own 3 s
// are little on a busy machine.
const testTimeout = time.Minute

func (f *fixture) run(t *testing.T, spec string, carried ...any) (*workflows.SearchResult, error) {
	t.Helper()
	if len(carried) == 0 {
		carried = []any{(*workflows.SearchState)(nil)} // the test environment wants every argument
	}
	f.ExecuteWorkflow(workflows.Search, append([]any{json.RawMessage(spec)}, carried...)...)
	if !f.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	var result workflows.SearchResult
	if err := f.GetWorkflowResult(&result); err != nil {
		return nil, err
	}
	return &result, nil
}

func (f *fixture) ledger(t *testing.T, r *workflows.SearchResult) []search.Trial {
	t.Helper()
	trials, err := library.ReadLedger(t.Context(), f.store, r.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	return trials
}

func (f *fixture) progress(t *testing.T) workflows.Progress {
	t.Helper()
	value, err := f.QueryWorkflow(workflows.ProgressQuery)
	if err != nil {
		t.Fatal(err)
	}
	var p workflows.Progress
	if err := value.Get(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSearchCompletes(t *testing.T) {
	for _, strategy := range []string{"random", "naml"} {
		t.Run(strategy, func(t *testing.T) {
			f := newFixture(t)
			result, err := f.run(t, `{"tasks":["tiny"],"trials":33,"checkpoint_every":10,"strategy":"`+strategy+`"}`)
			if err != nil {
				t.Fatal(err)
			}
			config, err := library.ReadConfig(t.Context(), f.store, result.Config)
			if err != nil {
				t.Fatal(err)
			}
			trials := f.ledger(t, result)
			if len(trials) != 33 || result.Trials != 33 || result.Status != "completed" || len(result.Best) != 10 {
				t.Fatalf("got %d trials in the ledger, result %+v", len(trials), result)
			}
			for i, trial := range trials {
				choices, err := config.Space.Values(trial.Actions)
				if err != nil {
					t.Fatal(err)
				}
				if v := reward(i, choices); trial.Trial != i || trial.Validation != v || trial.Reward != v {
					t.Errorf("trial %d: %+v", i, trial)
				}
			}
			record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id")
			if err != nil {
				t.Fatal(err)
			}
			if record.Status != "completed" || record.Ledger != result.Ledger || record.Told != 33 {
				t.Errorf("record %+v", record)
			}
			costs, err := library.ReadCosts(t.Context(), f.store, record.Costs)
			if err != nil || len(costs) != 33 {
				t.Errorf("%d costs, %v", len(costs), err)
			}
			if (strategy == "naml") != (result.Controller != "") {
				t.Errorf("controller %q of strategy %s", result.Controller, strategy)
			}
		})
	}
}

// Arrival order, parallelism and retries must not show in the result.
func TestSearchIsCanonical(t *testing.T) {
	var want *workflows.SearchResult
	for _, c := range []struct {
		name     string
		parallel int
		delay    func(trial int) int // milliseconds
		flaky    bool
	}{
		{"one at a time", 1, func(int) int { return 0 }, false},
		{"four, reversed", 4, func(i int) int { return 4 - i%4 }, false},
		{"three, stragglers", 3, func(i int) int { return i % 7 / 6 * 20 }, false},
		{"four, flaky", 4, func(i int) int { return i * i % 5 }, true},
	} {
		f := newFixture(t)
		var attempts atomic.Int32
		f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
			time.Sleep(time.Duration(c.delay(p.Trial)) * time.Millisecond)
			if c.flaky && attempts.Add(1)%3 == 0 {
				return trainer.Outcome{}, errors.New("lost")
			}
			return plain(ctx, p)
		}
		result, err := f.run(t, fmt.Sprintf(`{"tasks":["tiny"],"trials":40,"checkpoint_every":15,"parallel":%d}`, c.parallel))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if want == nil {
			want = result
		}
		if diff := cmp.Diff(want, result); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// A continued run must go on exactly where the last one drained.
func TestSearchContinuesAsNew(t *testing.T) {
	spec := `{"tasks":["tiny"],"trials":90,"checkpoint_every":15,"history_limit":100}`
	whole := newFixture(t)
	want, err := whole.run(t, strings.Replace(spec, "100", "100000", 1))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	var carried []any
	for runs := 1; ; runs++ {
		// The test environment does not count events: pretend.
		f.SetCurrentHistoryLength(1)
		ended := 0 // in this run
		// Listeners run between the workflow's steps; a trial's goroutine beside
		// them, where it may not change what the workflow reads.
		f.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, err error) {
			if info.ActivityType.Name != workflows.TrialActivity || err != nil {
				return
			}
			if ended++; ended == 25 {
				f.SetCurrentHistoryLength(1000)
			}
		})
		got, err := f.run(t, spec, carried...)
		var again *workflow.ContinueAsNewError
		if errors.As(err, &again) {
			var raw json.RawMessage
			var state workflows.SearchState
			if err := decode(again.Input, &raw, &state); err != nil {
				t.Fatal(err)
			}
			if string(raw) != spec {
				t.Fatalf("the continued run got another spec: %s", raw)
			}
			if state.Position.Told < 25*runs || len(state.Position.Journal) > 15 || len(state.Pending) > 4 {
				t.Fatalf("run %d carried %+v", runs, state)
			}
			carried = []any{&state}
			f.reset(t)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if runs < 3 {
			t.Errorf("only %d runs", runs)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return
	}
}

func TestSearchPausesResumesExtendsStops(t *testing.T) {
	f := newFixture(t)
	f.RegisterDelayedCallback(func() {
		f.UpdateWorkflow(workflows.Pause, "u1", callback(t, nil), "lunch")
	}, 0)
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		if p.Status != "paused" || p.Reason != "lunch" || p.Told >= 50 {
			t.Errorf("after an hour of pause: %+v", p)
		}
		f.UpdateWorkflow(workflows.Extend, "u2", callback(t, func(err error) {
			if err == nil {
				t.Error("extending by 0 was accepted")
			}
		}), 0)
		f.UpdateWorkflow(workflows.Extend, "u3", callback(t, nil), 10)
		f.SignalWorkflow(workflows.Extend, 5)
		f.UpdateWorkflow(workflows.Resume, "u4", callback(t, nil))
	}, time.Hour)
	result, err := f.run(t, `{"tasks":["tiny"],"trials":50}`)
	if err != nil {
		t.Fatal(err)
	}
	if result.Trials != 65 {
		t.Errorf("%d trials, want 50 + 10 + 5", result.Trials)
	}
	if p := f.progress(t); p.Status != "completed" || p.TrialsPerSecond > 0 && p.SecondsLeft > 0 {
		t.Errorf("at the end: %+v", p)
	}

	f = newFixture(t)
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 20 {
			f.SignalWorkflow(workflows.Stop, nil)
		}
		return plain(ctx, p)
	}
	if result, err = f.run(t, `{"tasks":["tiny"],"trials":5000}`); err != nil {
		t.Fatal(err)
	}
	if result.Status != "stopped" || result.Trials < 20 || result.Trials > 40 {
		t.Errorf("after a stop at trial 20: %s with %d trials", result.Status, result.Trials)
	}
	if n := len(f.ledger(t, result)); n != result.Trials {
		t.Errorf("%d trials in the ledger, %d in the result", n, result.Trials)
	}
}

func TestSearchThatMostlyFailsPausesItself(t *testing.T) {
	f := newFixture(t)
	f.train = func(_ context.Context, p trainer.Request) (trainer.Outcome, error) {
		return trainer.Outcome{Status: trainer.Diverged, Reason: "loss is NaN"}, nil
	}
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		if p.Status != "paused" || !strings.Contains(p.Reason, "failed") || !strings.Contains(p.Reason, "loss is NaN") {
			t.Errorf("got %+v", p)
		}
		f.SignalWorkflow(workflows.Stop, nil)
	}, time.Hour)
	result, err := f.run(t, `{"tasks":["tiny"],"trials":500}`)
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed != result.Trials || result.Trials > 30 {
		t.Errorf("%d of %d trials failed", result.Failed, result.Trials)
	}
}

// Trouble with the infrastructure costs no trial: the search pauses, and a
// resume runs the same trial again.
func TestSearchPausesWhereATrialCannotBeRun(t *testing.T) {
	f := newFixture(t)
	var away atomic.Bool
	away.Store(true)
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 6 && away.Load() {
			return trainer.Outcome{}, temporal.NewNonRetryableApplicationError("the task is gone", activities.ErrTypeMissing, nil)
		}
		return plain(ctx, p)
	}
	f.RegisterDelayedCallback(func() {
		if p := f.progress(t); p.Status != "paused" || !strings.Contains(p.Reason, "trial 6 could not be run: the task is gone") {
			t.Errorf("got %+v", p)
		}
		away.Store(false)
		f.SignalWorkflow(workflows.Resume, nil)
	}, 24*time.Hour)
	result, err := f.run(t, `{"tasks":["tiny"],"trials":20}`)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := newFixture(t).run(t, `{"tasks":["tiny"],"trials":20}`); cmp.Diff(want, result) != "" {
		t.Error(cmp.Diff(want, result))
	}
}

// A run whose history is long enough ends when the trials have been told that have ended, and for that
// the one before them that could not be run.
func TestSearchRunsWhatOthersWaitForBeforeItContinues(t *testing.T) {
	f := newFixture(t)
	f.SetCurrentHistoryLength(1)
	var away atomic.Bool
	away.Store(true)
	later := make(chan struct{})
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 8 {
			close(later)
		}
		if p.Trial == 6 && away.Load() {
			<-later
			return trainer.Outcome{}, temporal.NewNonRetryableApplicationError("the task is gone", activities.ErrTypeMissing, nil)
		}
		return plain(ctx, p)
	}
	f.RegisterDelayedCallback(func() {
		if p := f.progress(t); p.Status != "paused" || p.Told != 6 || p.Running != 0 {
			t.Errorf("got %+v", p)
		}
		away.Store(false)
		f.SetCurrentHistoryLength(1000)
		f.SignalWorkflow(workflows.Resume, nil)
	}, 24*time.Hour)
	_, err := f.run(t, `{"tasks":["tiny"],"trials":40,"lag":6,"parallel":6,"history_limit":100}`)
	var again *workflow.ContinueAsNewError
	if !errors.As(err, &again) {
		t.Fatalf("%v; at the end: %+v", err, f.progress(t))
	}
	var raw json.RawMessage
	var state workflows.SearchState
	if err := decode(again.Input, &raw, &state); err != nil {
		t.Fatal(err)
	}
	if told := state.Position.Told; told < 8 || told > 12 || len(state.Results) > 0 {
		t.Errorf("carried on after %d trials with %d results", told, len(state.Results))
	}
}

func TestSearchRefusesBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		spec string
		want []string
	}{
		"unknown field":  {`{"tasks":["tiny"],"trails":5}`, []string{`unknown field "trails"`, "known fields"}},
		"budget of zero": {`{"tasks":["tiny"],"trials":0}`, []string{`"trials" is 0`}},
		"task, space, setting": {`{"tasks":["tinny"],"space":"txt","settings":{"hiden":1}}`,
			[]string{`"tinny"`, "there are: tiny", `"txt"`, "hiden"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.run(t, c.spec)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
			record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id")
			if err != nil || record.Status != "failed" || record.Config != "" || !strings.Contains(record.Reason, c.want[0]) {
				t.Errorf("a refused search left the record %+v, %v", record, err)
			}
		})
	}
}

func TestSearchCancelledKeepsWhatItLearned(t *testing.T) {
	f := newFixture(t)
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 12 {
			f.CancelWorkflow()
		}
		return plain(ctx, p)
	}
	_, err := f.run(t, `{"tasks":["tiny"],"trials":5000,"checkpoint_every":500}`)
	if !temporal.IsCanceledError(errors.Unwrap(err)) {
		t.Errorf("got %v", err)
	}
	record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id")
	if err != nil {
		t.Fatal(err)
	}
	trials, err := library.ReadLedger(t.Context(), f.store, record.Ledger)
	if err != nil || record.Status != "canceled" || len(trials) < 5 {
		t.Errorf("record %+v, %d trials, %v", record, len(trials), err)
	}
}

func TestMultitaskSearch(t *testing.T) {
	f := newFixture(t)
	publish(t, f.store, "other")
	result, err := f.run(t, `{"tasks":["tiny","other"],"trials":60}`)
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]int{}
	for _, trial := range f.ledger(t, result) {
		count[trial.Task]++
	}
	if count[0] < 15 || count[1] < 15 || count[0]+count[1] != 60 {
		t.Errorf("trials per task: %v", count)
	}
	if len(result.Accuracy) != 2 || result.Accuracy[1].Task != "other" {
		t.Errorf("accuracy %+v", result.Accuracy)
	}
}

// callback checks an update's outcome; check sees its error.
func callback(t *testing.T, check func(error)) *testsuite.TestUpdateCallback {
	if check == nil {
		check = func(err error) {
			if err != nil {
				t.Errorf("update: %v", err)
			}
		}
	}
	return &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   check,
		OnComplete: func(_ any, err error) { check(err) },
	}
}

func decode(input *commonpb.Payloads, to ...any) error {
	return converter.GetDefaultDataConverter().FromPayloads(input, to...)
}
