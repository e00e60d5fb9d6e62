package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/exchange"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

const small = `name: small
space: text-small
seeds: [1, 2]
checkpoint_every: 10
pretrain: [{tasks: [p1, p2], trials: 24}]
transfer:
  tasks: [t1, t2]
  trials: 12
  arms: [ablations, {name: urex, settings: {policy_gradient: {method: urex}}}]
benchmark: {nights: 5, tolerance: 3, accuracy: 0.02, cost: 0.5, simulate: {tasks: [sms_spam], arms: [random, tpe], trials: 10, seeds: 30}}
`

// experimentFixture has the experiment "small" and its tasks.
func experimentFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	publish(t, f.store, "p1", "p2", "t1", "t2")
	if _, err := library.PublishExperiment(t.Context(), f.store, []byte(small), false); err != nil {
		t.Fatal(err)
	}
	f.resetExperiment(t)
	return f
}

func (f *fixture) resetExperiment(t *testing.T) {
	f.reset(t)
	f.registerExperiment()
}

func (f *fixture) registerExperiment() {
	a := activities.New(f.store, activities.Options{})
	for name, w := range kinds {
		f.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: string(name)})
	}
	step(f, "PlanExperiment", a.PlanExperiment)
	step(f, "PublishController", a.PublishController)
	step(f, "RecordRun", a.RecordRun)
	step(f, "JudgeNight", a.JudgeNight)
	step(f, "Simulate", a.Simulate)
}

var kinds = map[catalog.Kind]any{
	catalog.KindPretrain: workflows.Pretrain, catalog.KindTransfer: workflows.Transfer,
	catalog.KindExperiment: workflows.Experiment, catalog.KindBenchmark: workflows.Benchmark,
}

// runAs runs a workflow of experiments under a name.
func (f *fixture) runAs(
	t *testing.T, kind catalog.Kind, id, spec string, carried *workflows.ExperimentState,
) (*workflows.ExperimentResult, error) {
	t.Helper()
	f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue})
	f.ExecuteWorkflow(string(kind), json.RawMessage(spec), carried)
	if !f.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	var result workflows.ExperimentResult
	if err := f.GetWorkflowResult(&result); err != nil {
		return nil, err
	}
	return &result, nil
}

func (f *fixture) experimentProgress(t *testing.T) workflows.ExperimentProgress {
	t.Helper()
	value, err := f.QueryWorkflow(workflows.ProgressQuery)
	if err != nil {
		t.Fatal(err)
	}
	var p workflows.ExperimentProgress
	if err := value.Get(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

func names(outcomes []library.Outcome) []string {
	var out []string
	for _, o := range outcomes {
		out = append(out, o.Search)
	}
	slices.Sort(out)
	return out
}

func TestPretrainPublishesAController(t *testing.T) {
	f := experimentFixture(t)
	result, err := f.runAs(t, catalog.KindPretrain, "first", `{"experiment":"small"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != "completed" || len(result.Outcomes) != 1 || result.Outcomes[0].Search != "small/first/pretrain/multitask/s1" ||
		result.Trials != 24 {
		t.Fatalf("result %+v", result)
	}
	p, v, err := library.LoadController(t.Context(), f.store, "small")
	if err != nil {
		t.Fatal(err)
	}
	if v.Version != 1 || v.Trials != 24 || v.Seed != 1 || !slices.Equal(v.Tasks, []string{"p1", "p2"}) || v.Space != p.Space().Digest() ||
		v.Experiment != "small" || v.Ref != result.Outcomes[0].Controller || v.TaskAgnostic {
		t.Errorf("version %+v", v)
	}
	// Again: the same controller, no new version. Another seed: a new one.
	f.resetExperiment(t)
	if _, err := f.runAs(t, catalog.KindPretrain, "second", `{"experiment":"small"}`, nil); err != nil {
		t.Fatal(err)
	}
	f.resetExperiment(t)
	result, err = f.runAs(t, catalog.KindPretrain, "third", `{"experiment":"small","pretrain_seed":9,"pretrain":["multitask"]}`, nil)
	if err != nil || result.Controllers[0].Full() != "small@2" {
		t.Errorf("%+v, %v", result, err)
	}
	f.resetExperiment(t)
	result, err = f.runAs(t, catalog.KindPretrain, "agnostic", `{"experiment":"small","pretrain":["no-task-embedding"]}`, nil)
	if err != nil || result.Controllers[0].Full() != "small-no-task-embedding@1" || !result.Controllers[0].TaskAgnostic {
		t.Errorf("%+v, %v", result, err)
	}
	if first, err := library.FindController(t.Context(), f.store, "small@1"); err != nil || first.Ref != v.Ref {
		t.Errorf("the first version: %+v, %v", first, err)
	}
	record, err := library.ReadExperiment(t.Context(), f.store, "small")
	if err != nil || len(record.Runs) != 4 || record.YAML == "" || record.Runs[2].Name != "third" || record.Runs[2].Status != "completed" {
		t.Errorf("record %+v, %v", record, err)
	}
}

func TestExperimentRunsEverything(t *testing.T) {
	f := experimentFixture(t)
	var most, now atomic.Int32
	f.SetOnChildWorkflowStartedListener(func(*workflow.Info, workflow.Context, converter.EncodedValues) {
		most.Store(max(most.Load(), now.Add(1)))
	})
	f.SetOnChildWorkflowCompletedListener(func(*workflow.Info, converter.EncodedValue, error) { now.Add(-1) })
	result, err := f.runAs(t, catalog.KindExperiment, "small-1", `{"experiment":"small","concurrency":3}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	// 2 pretrainings, 2 tasks × 6 arms × 2 seeds.
	if result.Status != "completed" || result.Searches != 26 || result.Failed != 0 || result.Trials != 2*24+24*12 ||
		len(result.Controllers) != 2 {
		t.Fatalf("result %+v", result)
	}
	if most.Load() > 3 {
		t.Errorf("%d searches at once", most.Load())
	}
	s, err := library.ReadStudy(t.Context(), f.store, "small")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Ledgers) != 26 || len(s.Cards) != 4 || len(s.Runs) != 1 || s.Runs[0].Type != "Experiment" || s.FixedBudgets["t1"] != 12 {
		t.Errorf("study: %d ledgers, %d cards, runs %+v", len(s.Ledgers), len(s.Cards), s.Runs)
	}
	for _, l := range s.Ledgers {
		if len(l.Trials) != l.Budget || l.Status != "completed" || len(l.Costs) != l.Budget {
			t.Errorf("%s: %d trials of %d, %s", l.Search, len(l.Trials), l.Budget, l.Status)
		}
		transferred := l.Arm == "transfer" || l.Arm == "no-task-embedding"
		if l.Phase == study.Transfer && transferred != (l.Config.Controller != "") {
			t.Errorf("%s starts from %q", l.Search, l.Config.Controller)
		}
		if l.Phase == study.Pretrain && (l.TaskEmbeddings != nil) != (l.Arm == "multitask") {
			t.Errorf("%s has %d task embeddings", l.Search, len(l.TaskEmbeddings))
		}
		if l.Strategy != l.Config.Strategy || (l.Strategy == strategy.Fixed) != (l.Arm == "single-architecture") {
			t.Errorf("%s searches with %q, its search with %q", l.Search, l.Strategy, l.Config.Strategy)
		}
		if (l.Arm == "urex") != strings.Contains(string(l.Config.Settings), `"method":"urex"`) {
			t.Errorf("%s has the settings %s", l.Search, l.Config.Settings)
		}
		if l.Arm == "single-architecture" {
			for _, trial := range l.Trials {
				if !slices.Equal(trial.Actions, l.Trials[0].Actions) {
					t.Errorf("%s: several architectures", l.Search)
				}
			}
			if l.FromName != "small-no-task-embedding@1" {
				t.Errorf("%s is from %q", l.Search, l.FromName)
			}
		}
	}
	if s.Baseline != "random" || s.Against != "transfer" || len(s.Arms) != 6 || s.Arm("urex").Strategy != strategy.NAML {
		t.Errorf("arms %+v, baseline %q, against %q", s.Arms, s.Baseline, s.Against)
	}
	for _, row := range s.Table() {
		if len(row.Cells) != 6 || row.Cells[0].Arm != "random" || row.Cells[0].Seeds != 2 || row.Cell("transfer").Compared != 2 {
			t.Errorf("row %+v", row)
		}
	}
	// Re-run with an edited spec: a sibling in the same record, shared searches
	// once.
	f.resetExperiment(t)
	again, err := f.runAs(t, catalog.KindExperiment, "small-2",
		`{"experiment":"small","arms":["transfer","no-task-embedding"],"seeds":[2,3],"tasks":["t1"]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"small-2/pretrain/multitask/s1", "small-2/pretrain/no-task-embedding/s1",
		"small-2/transfer/t1/no-task-embedding/s2", "small-2/transfer/t1/no-task-embedding/s3",
		"small-2/transfer/t1/transfer/s2", "small-2/transfer/t1/transfer/s3",
	}
	if got := names(again.Outcomes); again.Searches != len(want) || !slices.Equal(got, want) {
		t.Errorf("ablation: %d searches, %v, want %v", again.Searches, got, want)
	}
	s, err = library.ReadStudy(t.Context(), f.store, "small")
	if err != nil || len(s.Runs) != 2 || len(s.Ledgers) != 26+2 {
		t.Errorf("with its sibling: %d runs, %d ledgers, %v", len(s.Runs), len(s.Ledgers), err)
	}
	if s, err = library.ReadStudy(t.Context(), f.store, "small", "small-2"); err != nil || len(s.Ledgers) != 6 {
		t.Errorf("the sibling alone: %d ledgers, %v", len(s.Ledgers), err)
	}
	if _, err := library.ReadStudy(t.Context(), f.store, "small", "small-3"); err == nil ||
		!strings.Contains(err.Error(), "small-1, small-2") {
		t.Errorf("an unknown run: %v", err)
	}
}

// A transfer starts from what was published; an arm that fails does not sink
// the others.
func TestTransfer(t *testing.T) {
	f := experimentFixture(t)
	_, err := f.runAs(t, catalog.KindTransfer, "early", `{"experiment":"small"}`, nil)
	if err == nil || !strings.Contains(err.Error(), `controller "small": not found`) || !strings.Contains(err.Error(), "Pretrain") {
		t.Fatalf("without a controller: %v", err)
	}
	f.resetExperiment(t)
	if _, err := f.runAs(t, catalog.KindPretrain, "pre", `{"experiment":"small"}`, nil); err != nil {
		t.Fatal(err)
	}
	f.resetExperiment(t)
	f.refuse = func(in activities.ResolveInput) error {
		if in.Strategy == strategy.NAML && in.Controller == "" {
			return temporal.NewNonRetryableApplicationError("no luck", activities.ErrTypeInvalid, nil)
		}
		return nil
	}
	result, err := f.runAs(t, catalog.KindTransfer, "tr",
		`{"experiment":"small","tasks":["t1"],"seeds":[5],"arms":["random","naml","transfer"]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != "completed" || result.Searches != 3 || result.Failed != 1 {
		t.Errorf("result %+v", result)
	}
	for _, o := range result.Outcomes {
		if failed := o.Arm == "naml"; failed != (o.Status == "failed") || failed != (o.Reason == "no luck") {
			t.Errorf("%s: %s, %q", o.Search, o.Status, o.Reason)
		}
		if (o.Arm == "transfer") != (o.FromName == "small@1") {
			t.Errorf("%s is from %q", o.Search, o.FromName)
		}
	}
	// An arm of one's own, from a published controller, beside one from a pretraining.
	f.resetExperiment(t)
	f.refuse = nil
	own := `{"experiment":"small","tasks":["t1"],"seeds":[6],"arms":["no-task-embedding",{"name":"own","from":"small@1",` +
		`"settings":{"baseline":{"decay":0.5}}}]}`
	if result, err = f.runAs(t, catalog.KindExperiment, "own", own, nil); err != nil || result.Searches != 3 || result.Failed != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	s, err := library.ReadStudy(t.Context(), f.store, "small", "own")
	if err != nil || len(s.Ledgers) != 3 || s.Ledgers[2].FromName != "small@1" ||
		!strings.Contains(string(s.Ledgers[2].Config.Settings), `"decay":0.5`) {
		t.Errorf("study %+v, %v", s, err)
	}
	// All arms of the experiment are known, in its order, and the new one behind them.
	if s, err = library.ReadStudy(t.Context(), f.store, "small"); err != nil || len(s.Arms) != 7 || s.Arms[6].From != "small@1" ||
		s.Arms[0].Name != "random" {
		t.Errorf("arms %+v, %v", s.Arms, err)
	}
	// A controller of another shape than the pretraining gives it is refused.
	f.resetExperiment(t)
	bad := fmt.Sprintf(`{"experiment":"small","arms":["no-task-embedding"],"controller":%q}`, s.Ledgers[len(s.Ledgers)-1].From)
	if _, err = f.runAs(t, catalog.KindTransfer, "bad", bad, nil); err == nil ||
		!strings.Contains(err.Error(), "controller.task_embedding is -1") {
		t.Errorf("a controller with task embeddings: %v", err)
	}
}

// Arms end their trials and searches early, and start from trials that no search ran.
func TestArmsWithBoundsAndImportedTrials(t *testing.T) {
	f := experimentFixture(t)
	f.train = goals
	im := library.Import{Name: "Theirs", Space: "text-small", Task: "elsewhere", Now: time.Unix(1e9, 0)}
	names := []string{"module", "fine_tune", "hidden_layers", "hidden_size", "activation", "normalisation", "dropout", "deep_learning_rate",
		"deep_regularisation", "wide_learning_rate", "wide_regularisation", "steps"}
	_, err := library.ImportTrials(t.Context(), f.store, im, func(sp *space.Space) (*exchange.Imported, error) {
		text := strings.Join(names, ",") + ",validation_accuracy\n"
		for i := range 20 {
			actions := make([]int, len(sp.Choices))
			for k, c := range sp.Choices {
				actions[k] = i * (k + 1) % len(c.Options)
			}
			choices, err := sp.Values(actions)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				text += fmt.Sprint(choices[name]) + ","
			}
			text += fmt.Sprintf("0.%d\n", 50+i)
		}
		return exchange.Read(strings.NewReader(text), "csv", exchange.Options{Space: sp, Task: im.Task})
	})
	if err != nil {
		t.Fatal(err)
	}
	spec := `{"experiment":"small","tasks":["t1"],"seeds":[1],"trials":30,"arms":["random",` +
		`{"name":"cut","strategy":"random","pruner":"median"},{"name":"short","strategy":"random","budget":{"failed":2}},` +
		`{"name":"old","strategy":"kindred","from":"Theirs"}]}`
	result, err := f.runAs(t, catalog.KindExperiment, "bounds", spec, nil)
	if err != nil || result.Searches != 4 || result.Failed != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, o := range result.Outcomes {
		record, err := library.ReadRecord(t.Context(), f.store, o.Search)
		if err != nil {
			t.Fatal(err)
		}
		pruned := 0
		trials, err := library.ReadLedger(t.Context(), f.store, record.Ledger)
		for _, trial := range trials {
			if trial.Status == trainer.Pruned {
				pruned++
			}
		}
		want := 30
		if o.Arm == "short" {
			want = 11 // trials 3 and 10 fail
		}
		if err != nil || len(trials) != want || o.Trials != want || (o.Arm == "cut") != (pruned > 0) ||
			(o.Arm == "short") != (record.Reason != "") {
			t.Errorf("%s: %d trials, %d pruned, %q, %v", o.Arm, len(trials), pruned, record.Reason, err)
		}
		taken := []library.Taken{{Search: "Theirs", Trials: 20}}
		if (o.Arm == "old") != cmp.Equal(taken, record.Sources) || (o.Arm == "old") != (o.Sources == "Theirs") {
			t.Errorf("%s starts from %+v, %q", o.Arm, record.Sources, o.Sources)
		}
	}
	f.resetExperiment(t)
	spec = `{"experiment":"small","arms":[{"name":"old","strategy":"kindred","from":"Nobodys"}]}`
	_, err = f.runAs(t, catalog.KindExperiment, "none", spec, nil)
	if err == nil || !strings.Contains(err.Error(), `the arm "old" starts from "Nobodys", which is no controller`) ||
		!strings.Contains(err.Error(), "not found") {
		t.Error(err)
	}
}

func refuseThePretraining(in activities.ResolveInput) error {
	if slices.Contains(in.Tasks, "p1") {
		return temporal.NewNonRetryableApplicationError("the shelf is full", activities.ErrTypeInvalid, nil)
	}
	return nil
}

func TestExperimentWithoutItsController(t *testing.T) {
	f := experimentFixture(t)
	f.refuse = refuseThePretraining
	result, err := f.runAs(t, catalog.KindExperiment, "x",
		`{"experiment":"small","seeds":[1],"tasks":["t1"],"arms":["random","naml","transfer"]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range result.Outcomes {
		failed := o.Phase == study.Pretrain || o.Arm == "transfer"
		if failed != (o.Status == "failed") || failed && !strings.Contains(o.Reason, "the shelf is full") {
			t.Errorf("%s: %s, %q", o.Search, o.Status, o.Reason)
		}
	}
	f.resetExperiment(t)
	_, err = f.runAs(t, catalog.KindPretrain, "y", `{"experiment":"small"}`, nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != workflows.ErrTypeAllFailed || !strings.Contains(err.Error(), "the shelf is full") {
		t.Errorf("nothing came to its end: %v", err)
	}
	record, err := library.ReadExperiment(t.Context(), f.store, "small")
	if err != nil || record.Runs[1].Status != "failed" {
		t.Errorf("record %+v, %v", record, err)
	}
}

func TestExperimentRefusesBadInput(t *testing.T) {
	for spec, want := range map[string][]string{
		`{"experiment":"smal"}`: {`"smal"`, "nlp-small", "small"},
		`{}`:                    {`no "experiment"`},
		`{"experiment":"small","trails":3,"armz":1}`:               {`unknown field "trails"`, `unknown field "armz"`, "known fields"},
		`{"experiment":"small","tasks":["t9","t8"],"space":"txt"}`: {`there is no task "t9", "t8"`, `"txt"`},
		`{"experiment":"small","modules":["m-9"]}`:                 {"no module m-9", "m-4"},
		`{"experiment":"small","tasks":["p1"]}`:                    {`"p1" is a pretraining task too`, "allow_overlap"},
	} {
		f := experimentFixture(t)
		_, err := f.runAs(t, catalog.KindExperiment, "bad", spec, nil)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || !app.NonRetryable() {
			t.Errorf("%s: %v", spec, err)
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", spec, w, err)
			}
		}
		experiment, err := catalog.ExperimentOf([]byte(spec))
		if err != nil {
			continue // there is nothing to record it under
		}
		record, err := library.ReadExperiment(t.Context(), f.store, experiment)
		if err != nil || len(record.Runs) != 1 || record.Runs[0].Status != "failed" || record.Runs[0].Report != "" ||
			!strings.Contains(record.Runs[0].Reason, want[0]) {
			t.Errorf("%s: a refused run left the record %+v, %v", spec, record, err)
		}
	}
}

// A controller grows into another space of its trainer.
func TestExperimentInAnotherSpace(t *testing.T) {
	f := experimentFixture(t)
	if _, err := f.runAs(t, catalog.KindPretrain, "pre", `{"experiment":"small"}`, nil); err != nil {
		t.Fatal(err)
	}
	f.resetExperiment(t)
	if _, err := f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","space":"text","arms":["transfer"]}`, nil); err != nil {
		t.Errorf("another space: %v", err)
	}
}

func TestExperimentPausesResumesStops(t *testing.T) {
	f := experimentFixture(t)
	var paused atomic.Int32
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 5 && paused.CompareAndSwap(0, 1) {
			f.SignalWorkflow(workflows.Pause, "lunch")
		}
		return plain(ctx, p)
	}
	f.RegisterDelayedCallback(func() {
		p := f.experimentProgress(t)
		if p.Status != "paused" || p.Reason != "lunch" || p.Done == p.Searches || len(p.Running) == 0 {
			t.Errorf("after an hour of pause: %+v", p)
		}
		f.UpdateWorkflow(workflows.Resume, "u1", callback(t, nil))
	}, time.Hour)
	result, err := f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","arms":["random","naml"]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != "completed" || result.Trials != 8*12 {
		t.Errorf("result %+v", result)
	}

	f = experimentFixture(t)
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 3 && paused.CompareAndSwap(1, 2) {
			f.SignalWorkflow(workflows.Stop, nil)
		}
		return plain(ctx, p)
	}
	if result, err = f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","arms":["random"],"trials":5000,"concurrency":1}`,
		nil); err != nil {
		t.Fatal(err)
	}
	if result.Status != "stopped" || result.Outcomes[0].Status != "stopped" || result.Outcomes[0].Trials > 30 ||
		result.Outcomes[1].Status != "skipped" || len(result.Outcomes) != 4 {
		t.Errorf("stopped: %+v", result)
	}
	if s, err := library.ReadStudy(t.Context(), f.store, "small"); err != nil || len(s.Ledgers) != 1 ||
		len(s.Ledgers[0].Trials) != result.Trials {
		t.Errorf("study of a stopped run: %+v, %v", s, err)
	}
}

func TestExperimentCancelled(t *testing.T) {
	f := experimentFixture(t)
	var once atomic.Bool
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		if p.Trial == 14 && once.CompareAndSwap(false, true) {
			f.CancelWorkflow()
		}
		return plain(ctx, p)
	}
	_, err := f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","arms":["random"],"trials":5000,"concurrency":1}`, nil)
	if !temporal.IsCanceledError(errors.Unwrap(err)) {
		t.Errorf("got %v", err)
	}
	record, err := library.ReadExperiment(t.Context(), f.store, "small")
	if err != nil || record.Runs[0].Status != "canceled" {
		t.Fatalf("record %+v, %v", record, err)
	}
	report, err := library.ReadReport(t.Context(), f.store, record.Runs[0].Report)
	if err != nil || len(report.Outcomes) != 4 || report.Outcomes[0].Status != "canceled" || report.Outcomes[3].Status != "skipped" {
		t.Errorf("report %+v, %v", report, err)
	}
	// What the search had learned is there.
	if s, err := library.ReadStudy(t.Context(), f.store, "small"); err != nil || len(s.Ledgers) != 1 || len(s.Ledgers[0].Trials) < 10 {
		t.Errorf("study %+v, %v", s, err)
	}
}

func TestExperimentContinuesAsNew(t *testing.T) {
	spec := `{"experiment":"small","concurrency":2,"history_limit":100}`
	whole := experimentFixture(t)
	want, err := whole.runAs(t, catalog.KindExperiment, "x", strings.Replace(spec, "100", "100000", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := experimentFixture(t)
	var carried *workflows.ExperimentState
	for runs := 1; ; runs++ {
		f.SetCurrentHistoryLength(1) // the test environment does not count events
		ended := 0
		f.SetOnChildWorkflowCompletedListener(func(*workflow.Info, converter.EncodedValue, error) {
			if ended++; ended == 9 {
				f.SetCurrentHistoryLength(1000)
			}
		})
		got, err := f.runAs(t, catalog.KindExperiment, "x", spec, carried)
		var again *workflow.ContinueAsNewError
		if errors.As(err, &again) {
			var raw json.RawMessage
			carried = &workflows.ExperimentState{}
			if err := decode(again.Input, &raw, carried); err != nil {
				t.Fatal(err)
			}
			if string(raw) != spec || len(carried.Outcomes) < 9*runs {
				t.Fatalf("run %d carried %s, %d outcomes", runs, raw, len(carried.Outcomes))
			}
			f.resetExperiment(t)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if runs < 3 {
			t.Errorf("only %d runs", runs)
		}
		if diff := cmp.Diff(names(want.Outcomes), names(got.Outcomes)); diff != "" {
			t.Error(diff)
		}
		for _, o := range got.Outcomes {
			i := slices.IndexFunc(want.Outcomes, func(w library.Outcome) bool { return w.Search == o.Search })
			if diff := cmp.Diff(want.Outcomes[i], o); diff != "" {
				t.Error(diff)
			}
		}
		return
	}
}

// Equal nights pass; a night whose trials are worse fails, after it is
// recorded, and names what is worse.
func TestBenchmark(t *testing.T) {
	f := experimentFixture(t)
	spec := `{"experiment":"small","arms":["random","naml","transfer"],"retrain":true}`
	for night := range 3 {
		f.resetExperiment(t)
		result, err := f.runAs(t, catalog.KindBenchmark, fmt.Sprintf("nightly-%d", night), spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != "passed" || result.Verdict.Nights != night || result.Verdict.Figures == 0 {
			t.Errorf("night %d: %+v", night, result.Verdict)
		}
	}
	f.resetExperiment(t)
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		trial, err := plain(ctx, p)
		trial.Metrics["test_accuracy"] /= 2
		return trial, err
	}
	_, err := f.runAs(t, catalog.KindBenchmark, "nightly-3", spec, nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != workflows.ErrTypeRegressed || !strings.Contains(err.Error(), "t1 · naml: test accuracy-top10") ||
		strings.Contains(err.Error(), "validation accuracy") {
		t.Errorf("a worse night: %v", err)
	}
	record, err := library.ReadExperiment(t.Context(), f.store, "small")
	if err != nil || record.Runs[3].Status != "regressed" {
		t.Fatalf("record %+v, %v", record, err)
	}
	report, err := library.ReadReport(t.Context(), f.store, record.Runs[3].Report)
	if err != nil || len(study.Regressions(report.Verdicts)) == 0 || len(report.Figures) == 0 || len(report.Outcomes) == 0 {
		t.Errorf("report %+v, %v", report, err)
	}
	if s, err := library.ReadStudy(t.Context(), f.store, "small"); err != nil || len(s.Verdicts) == 0 {
		t.Errorf("study without verdicts, %v", err)
	}
	// A search that fails is no passed night either.
	f.resetExperiment(t)
	f.train = plain
	f.refuse = func(in activities.ResolveInput) error {
		if in.Strategy == strategy.Random && in.Controller == "" {
			return temporal.NewNonRetryableApplicationError("no luck", activities.ErrTypeInvalid, nil)
		}
		return nil
	}
	if _, err = f.runAs(t, catalog.KindBenchmark, "nightly-4", spec, nil); err == nil || !strings.Contains(err.Error(), "no luck") ||
		!strings.Contains(err.Error(), "is missing") {
		t.Errorf("a night with failures: %v", err)
	}
}

// A search of the same name that has not yet ended, as after a reset, is
// waited for.
func TestExperimentWaitsForASearchOfItsName(t *testing.T) {
	f := experimentFixture(t)
	f.bare()
	calls := 0
	f.RegisterWorkflowWithOptions(func(workflow.Context, json.RawMessage, *workflows.SearchState) (*workflows.SearchResult, error) {
		if calls++; calls < 4 {
			return nil, &temporal.ChildWorkflowExecutionAlreadyStartedError{}
		}
		return &workflows.SearchResult{Status: "completed", Trials: 12}, nil
	}, workflow.RegisterOptions{Name: workflows.SearchWorkflow})
	f.registerExperiment()
	result, err := f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","arms":["random"],"seeds":[1],"tasks":["t1"]}`, nil)
	if err != nil || result.Trials != 12 || calls != 4 {
		t.Errorf("%+v, %d calls, %v", result, calls, err)
	}
}

func TestRegisteredNamesAreTheKinds(t *testing.T) {
	for _, k := range catalog.Kinds() {
		if kinds[k] == nil {
			t.Errorf("no workflow for %s", k)
		}
	}
}
