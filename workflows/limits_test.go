package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// Once the result is being published, no trial more would be in it.
func TestExtendWhileItFinishes(t *testing.T) {
	f := newFixture(t)
	mended := f.broken("Finish", troubles["away"])
	f.RegisterDelayedCallback(func() {
		if p := f.progress(t); p.Status != "finishing" {
			t.Errorf("while its result is published, it is %s", p.Status)
		}
		f.UpdateWorkflow(workflows.Extend, "u", callback(t, func(err error) {
			if err == nil || !strings.Contains(err.Error(), "finishing") {
				t.Errorf("extended while its result is published: %v", err)
			}
		}), 5)
		mended.Store(true)
	}, 10*time.Minute)
	if r, err := f.run(t, `{"tasks":["tiny"],"trials":12}`); err != nil || r.Trials != 12 {
		t.Fatal(err, r)
	}
	if p := f.progress(t); p.Status != "completed" || p.Trials != p.Told || p.Reason != "" {
		t.Errorf("at the end: %+v", p)
	}
}

// Whoever pauses a search, and whatever fails, says why in few words.
func TestReasonsHaveABound(t *testing.T) {
	long := strings.Repeat("why\n", 1<<18)
	f := newFixture(t)
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		if r.Trial == 7 && f.Now().Before(f.start.Add(36*time.Hour)) {
			return trainer.Outcome{}, temporal.NewNonRetryableApplicationError(long, "X", nil)
		}
		return plain(ctx, r)
	}
	check := func(what string) {
		if p := f.progress(t); p.Status != "paused" || len(p.Reason) > limit.MaxReason || !strings.Contains(p.Reason, "why; why") {
			t.Errorf("%s: %s, with a reason of %d bytes: %.80s", what, p.Status, len(p.Reason), p.Reason)
		}
	}
	f.start = f.Now()
	f.RegisterDelayedCallback(func() {
		check("a trial's error")
		f.UpdateWorkflow(workflows.Pause, "u", callback(t, nil), long)
		check("asked to pause")
	}, 24*time.Hour)
	f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Resume, nil) }, 48*time.Hour)
	if _, err := f.run(t, `{"tasks":["tiny"],"trials":12}`); err != nil {
		t.Fatal(err)
	}

	f = experimentFixture(t)
	f.refuse = func(in activities.ResolveInput) error {
		if len(in.Tasks) > 1 {
			return temporal.NewNonRetryableApplicationError(long, activities.ErrTypeInvalid, nil)
		}
		return nil
	}
	result, err := f.runAs(t, catalog.KindExperiment, "x", `{"experiment":"small","seeds":[1],"arms":["random","transfer"]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, o := range result.Outcomes {
		if o.Status == "failed" {
			failed++
		}
		if len(o.Reason) > limit.MaxNote {
			t.Errorf("%s: a reason of %d bytes", o.Search, len(o.Reason))
		}
	}
	if failed != 3 {
		t.Errorf("%d failed, want the pretraining and two that start from it", failed)
	}
}

// A search under a name that is not free yet hears no signal: what is asked of the
// experiment meanwhile holds for it all the same.
func TestSearchThatWaitsForItsNameHears(t *testing.T) {
	run := func(t *testing.T, ask func(f *fixture)) (result *workflows.ExperimentResult, begun []time.Time) {
		f := experimentFixture(t)
		f.bare()
		f.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ json.RawMessage, _ *workflows.SearchState) (*workflows.SearchResult, error) {
			if begun = append(begun, f.Now()); len(begun) < 4 {
				return nil, &temporal.ChildWorkflowExecutionAlreadyStartedError{}
			}
			return &workflows.SearchResult{Status: "completed", Trials: 12}, nil
		}, workflow.RegisterOptions{Name: workflows.SearchWorkflow})
		f.registerExperiment()
		f.RegisterDelayedCallback(func() { ask(f) }, 20*time.Second)
		result, err := f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","arms":["random"],"seeds":[1],"tasks":["t1"]}`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return result, begun
	}
	result, begun := run(t, func(f *fixture) { f.SignalWorkflow(workflows.Stop, "") })
	if result.Status != "stopped" || result.Outcomes[0].Status != "skipped" || len(begun) > 2 {
		t.Errorf("after a stop: %+v, tried %d times", result, len(begun))
	}
	result, begun = run(t, func(f *fixture) {
		f.SignalWorkflow(workflows.Pause, "")
		f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Resume, "") }, time.Hour)
	})
	if result.Status != "completed" || len(begun) != 4 || begun[2].Sub(begun[1]) < 50*time.Minute {
		t.Errorf("after a pause of an hour: %+v, tried at %v", result, begun)
	}
}

// What cannot be a search is refused by its first step, all that is wrong together and
// in few words.
func TestSearchRefusesTheAbsurd(t *testing.T) {
	var many []string
	for i := range 50_000 {
		many = append(many, fmt.Sprintf(`"t%d"`, i))
	}
	for name, c := range map[string]struct {
		id, spec string
		want     []string
	}{
		"numbers": {"", fmt.Sprintf(
			`{"tasks":["tiny"],"trials":%d,"lag":5000,"trial_timeout":"1000000h","memory_limit_mb":%d,"checkpoint_every":9999}`,
			math.MaxInt64, 1<<62,
		), []string{
			`"trials" is 9223372036854775807`, `"lag" is 5000`, "2,000 steps", `"trial_timeout" is "1000000h"`, "720h",
			`"memory_limit_mb" is 4611686018427387904`, `"checkpoint_every" is 9999`,
		}},
		"50,000 tasks": {"", `{"lag":0,"tasks":[` + strings.Join(many, ",") + `]}`, []string{`"tasks" has 50000 names`, `"lag" is 0`}},
		"names": {"", `{"tasks":["` + strings.Repeat("x", 500) + `","a\nb"],"experiment":"` + strings.Repeat("e", 300) + `","space":"a\u0000b"}`,
			[]string{`"tasks"[0] has 500 bytes`, `"tasks"[1] is "a\nb"`, `"experiment" has 300 bytes`, `"space" is "a\x00b"`}},
		"a long ID":  {strings.Repeat("/", 100), `{"tasks":["tiny"]}`, []string{"the workflow ID", "too long", "255"}},
		"another ID": {"größe", `{"tasks":["tiny"]}`, []string{`the workflow ID "größe"`, "ASCII"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.fail = func(step string, in any) error {
				if r, ok := in.(activities.ResolveInput); !ok || r.Wrong == "" || len(r.Spec) > 64<<10 { // only to be put on record
					t.Errorf("there was a step %s", step)
				}
				return nil
			}
			if c.id != "" {
				f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: c.id, TaskQueue: workflows.TaskQueue})
			}
			began := processorTime(t)
			_, err := f.run(t, c.spec)
			// the SDK's bound for a workflow that does not yield
			if took := processorTime(t) - began; took > time.Second && !instrumented {
				t.Errorf("it took %v of the processor: what needs so much belongs in an activity", took)
			}
			var app *temporal.ApplicationError
			if !errors.As(err, &app) || app.Type() != activities.ErrTypeInvalid || len(app.Message()) > limit.MaxMessage {
				t.Fatalf("%.200v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(app.Message(), w) {
					t.Errorf("%q is not in: %s", w, app.Message())
				}
			}
		})
	}
}

// A search goes on with the defaults that it began with.
func TestSearchKeepsItsDefaults(t *testing.T) {
	f := newFixture(t)
	spec := workflows.DefaultSearchSpec()
	spec.Tasks, spec.CheckpointEvery, spec.HistoryLimit = []string{"tiny"}, 7, 50 // not the defaults, the last not even allowed, of today
	f.fail = func(step string, in any) error {
		if in, ok := in.(activities.LearnInput); ok && in.CheckpointEvery != 7 {
			t.Errorf("the search checkpoints every %d trials, as it did not when it began", in.CheckpointEvery)
		}
		return nil
	}
	var config activities.Resolved
	a := activities.New(f.store, activities.Options{})
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a)
	resolved, err := env.ExecuteActivity(a.Resolve,
		activities.ResolveInput{Name: "default-test-workflow-id", Spec: []byte(`{}`), Names: spec.Names()})
	if err == nil {
		err = resolved.Get(&config)
	}
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.Learn(t.Context(), activities.LearnInput{Config: config.Config, CheckpointEvery: 7})
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.run(t, `{"tasks":["tiny"]}`, &workflows.SearchState{Spec: spec, Resolved: config, Pending: first.Proposals, Trials: 9})
	if err != nil || result.Trials != 9 {
		t.Errorf("%+v, %v", result, err)
	}
}

// A server takes 2 KB of a search attribute, and a name of the UI's may be long.
func TestAttributesHaveABound(t *testing.T) {
	f := newFixture(t)
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("%d-%s", i, strings.Repeat("x", 100)))
	}
	publish(t, f.store, names...)
	f.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(a temporal.SearchAttributes) bool {
		tasks, _ := a.GetKeywordList(workflows.AttributeTasks)
		if s := strings.Join(tasks, `","`); len(s) > 2000 || len(tasks) > 0 && len(s) < 1000 {
			t.Errorf("an attribute of %d bytes, %d tasks", len(s), len(tasks))
		}
		return true
	})).Return(nil)
	if _, err := f.run(t, `{"strategy":"random","trials":3,"tasks":["`+strings.Join(names, `","`)+`"]}`); err != nil {
		t.Fatal(err)
	}
}

// The searches of an experiment need names that can be workflow IDs and records.
func TestExperimentRefusesNames(t *testing.T) {
	f := experimentFixture(t)
	publish(t, f.store, "größe")
	for want, c := range map[string][2]string{
		"give the run a shorter name":                        {strings.Repeat("r", 240), `{"experiment":"small"}`},
		"ASCII letters, digits and punctuation in the names": {"x", `{"experiment":"small","tasks":["größe"]}`},
	} {
		f.resetExperiment(t)
		_, err := f.runAs(t, catalog.KindExperiment, c[0], c[1], nil)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Type() != activities.ErrTypeInvalid || !strings.Contains(app.Message(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		record, err := library.ReadExperiment(t.Context(), f.store, "small")
		if err != nil || len(record.Runs) == 0 || !strings.Contains(record.Runs[len(record.Runs)-1].Reason, want) {
			t.Errorf("the start that failed is not on record: %+v, %v", record.Runs, err)
		}
	}
}

// What an extension leads to is bounded as the budget that one begins with.
func TestExtendHasABound(t *testing.T) {
	f := newFixture(t)
	f.RegisterDelayedCallback(func() {
		f.UpdateWorkflow(workflows.Extend, "u", callback(t, func(err error) {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprint(limit.MaxTrials-12)) {
				t.Errorf("extended beyond the most that a search can have: %v", err)
			}
		}), limit.MaxTrials-11)
		f.SignalWorkflow(workflows.Stop, nil)
	}, 0)
	if _, err := f.run(t, `{"tasks":["tiny"],"trials":12}`); err != nil {
		t.Fatal(err)
	}
}

// processorTime is what this process has used of it: unlike the clock's, it does not grow
// with what else the machine does.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
