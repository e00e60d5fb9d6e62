package workflows_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/study"
	"tnaml/workflows"
)

// troubles are the ways in which a store fails a step.
var troubles = map[string]error{
	"away":    errors.New("the store is away"),
	"missing": temporal.NewNonRetryableApplicationError("the store is away: not found", activities.ErrTypeMissing, nil),
	"denied":  temporal.NewNonRetryableApplicationError("the store is away: access denied", activities.ErrTypeDenied, nil),
}

// broken makes an activity fail until it is mended. How a run ended can be recorded.
func (f *fixture) broken(step string, err error) *atomic.Bool {
	var mended atomic.Bool
	f.fail = func(name string, in any) error {
		if in, ok := in.(activities.FinishInput); ok && in.RecordOnly {
			return nil
		}
		if name == step && !mended.Load() {
			return err
		}
		return nil
	}
	return &mended
}

// standsPaused checks that a run, if it is listed at all yet, is listed as paused, and that its page says why.
func (f *fixture) standsPaused(t *testing.T, listed []string) {
	t.Helper()
	if n := len(listed); n > 0 && listed[n-1] != "paused" {
		t.Errorf("it is listed as %v", listed)
	}
	if page := f.page(t); !strings.Contains(page, "**Paused:**") || !strings.Contains(page, "the store is away") {
		t.Errorf("its page says %s", page)
	}
}

// page is what the UI shows on a workflow's page.
func (f *fixture) page(t *testing.T) string {
	t.Helper()
	value, err := f.QueryWorkflow("__temporal_workflow_metadata")
	if err != nil {
		t.Fatal(err)
	}
	var m sdkpb.WorkflowMetadata
	if err := value.Get(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCurrentDetails()
}

// Whatever step of a search fails, the search pauses, says why, and a resume goes on
// as if nothing had been.
func TestSearchPausesAtEveryStep(t *testing.T) {
	const spec = `{"tasks":["tiny"],"trials":12}`
	want, err := newFixture(t).run(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"Resolve", "Learn", "Finish"} {
		for name, trouble := range troubles {
			t.Run(step+" "+name, func(t *testing.T) {
				f := newFixture(t)
				mended, listed := f.broken(step, trouble), f.statuses()
				f.RegisterDelayedCallback(func() {
					if p := f.progress(t); p.Status != "paused" || !strings.Contains(p.Reason, "the store is away") {
						t.Errorf("it is %s: %s", p.Status, p.Reason)
					}
					f.standsPaused(t, *listed)
					mended.Store(true)
					f.SignalWorkflow(workflows.Resume, nil)
				}, 24*time.Hour)
				got, err := f.run(t, spec)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// One that is stopped or cancelled instead ends, and its record, as far as there is
// one, says how.
func TestSearchThatIsStuckEnds(t *testing.T) {
	for _, step := range []string{"Resolve", "Learn", "Finish"} {
		for status, end := range map[string]func(*fixture){
			"stopped":  func(f *fixture) { f.SignalWorkflow(workflows.Stop, nil) },
			"canceled": func(f *fixture) { f.CancelWorkflow() },
		} {
			t.Run(step+" "+status, func(t *testing.T) {
				f := newFixture(t)
				f.broken(step, troubles["missing"])
				listed := f.statuses()
				f.RegisterDelayedCallback(func() { end(f) }, 24*time.Hour)
				_, err := f.run(t, `{"tasks":["tiny"],"trials":12}`)
				want := []string{"running", "paused", status}
				if status == "stopped" {
					meanwhile := map[bool]string{false: "stopping", true: "finishing"}[step == "Finish"]
					want = slices.Insert(want, 2, meanwhile)
				}
				if !slices.Equal(*listed, want) {
					t.Errorf("listed as %v, want %v", *listed, want)
				}
				if canceled := temporal.IsCanceledError(errors.Unwrap(err)); canceled != (status == "canceled") {
					t.Errorf("it ended with %v", err)
				}
				record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id")
				if step == "Resolve" {
					if err == nil {
						t.Errorf("a search that never began has the record %+v", record)
					}
					return
				}
				if err != nil || record.Status != status {
					t.Errorf("record %+v, %v", record, err)
				}
			})
		}
	}
}

// A search that is cancelled while it publishes its result keeps what it learned.
func TestSearchCancelledWhileItFinishes(t *testing.T) {
	f := newFixture(t)
	mended := f.broken("Finish", troubles["away"])
	f.RegisterDelayedCallback(func() {
		mended.Store(true)
		f.CancelWorkflow()
	}, 24*time.Hour)
	if _, err := f.run(t, `{"tasks":["tiny"],"trials":12}`); !temporal.IsCanceledError(errors.Unwrap(err)) {
		t.Errorf("it ended with %v", err)
	}
	record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id")
	if err != nil || record.Status != "canceled" || record.Told != 12 {
		t.Errorf("record %+v, %v", record, err)
	}
}

// One that can never work is on record with the reason, and holds no name.
func TestSearchThatCannotLearnFails(t *testing.T) {
	f := newFixture(t)
	f.broken("Learn", temporal.NewNonRetryableApplicationError("no such thing can be learned", activities.ErrTypeInvalid, nil))
	if _, err := f.run(t, `{"tasks":["tiny"],"trials":12}`); err == nil {
		t.Error("it went on")
	}
	record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id")
	if err != nil || record.Status != "failed" || record.Reason != "no such thing can be learned" || record.Ended.IsZero() {
		t.Errorf("record %+v, %v", record, err)
	}
	if err := library.SearchHeld(t.Context(), f.store, "default-test-workflow-id", "another"); err != nil {
		t.Error(err)
	}
}

// What has ended waits for nothing, though its last step had to.
func TestEndWaitsForNothing(t *testing.T) {
	f := newFixture(t)
	f.broken("Finish", troubles["away"])
	f.trouble = "Finish: attempt 5, last: the store is away"
	f.RegisterDelayedCallback(f.CancelWorkflow, 10*time.Minute)
	if _, err := f.run(t, `{"tasks":["tiny"],"trials":12}`); err == nil {
		t.Error("it came to its end")
	}
	if p := f.progress(t); p.Status != "canceled" || p.Reason != "" {
		t.Errorf("at the end it is %s: %q", p.Status, p.Reason)
	}
	f = experimentFixture(t)
	f.broken("RecordRun", troubles["away"])
	fail := f.fail
	f.fail = func(name string, in any) error {
		if in, ok := in.(activities.RecordRunInput); ok && in.StatusOnly {
			return nil
		}
		return fail(name, in)
	}
	f.trouble = "RecordRun: attempt 5, last: the store is away"
	f.RegisterDelayedCallback(f.CancelWorkflow, 10*time.Minute)
	if _, err := f.runAs(t, catalog.KindPretrain, "x", `{"experiment":"small"}`, nil); err == nil {
		t.Error("it came to its end")
	}
	if p := f.experimentProgress(t); p.Status != "canceled" || p.Reason != "" {
		t.Errorf("at the end the experiment is %s: %q", p.Status, p.Reason)
	}
}

// The steps of an experiment pause it, too.
func TestExperimentPausesAtEveryStep(t *testing.T) {
	const spec = `{"experiment":"small","seeds":[1],"tasks":["t1"],"arms":["random","transfer"]}`
	for _, step := range []string{"PlanExperiment", "PublishController", "RecordRun", "JudgeNight", "Simulate"} {
		for name, trouble := range troubles {
			t.Run(step+" "+name, func(t *testing.T) {
				f := experimentFixture(t)
				mended, listed := f.broken(step, trouble), f.statuses()
				f.RegisterDelayedCallback(func() {
					if p := f.experimentProgress(t); p.Status != "paused" || !strings.Contains(p.Reason, "the store is away") {
						t.Errorf("it is %s: %s", p.Status, p.Reason)
					}
					f.standsPaused(t, *listed)
					mended.Store(true)
					f.SignalWorkflow(workflows.Resume, nil)
				}, 24*time.Hour)
				result, err := f.runAs(t, catalog.KindBenchmark, "night", spec, nil)
				if err != nil {
					t.Fatal(err)
				}
				if result.Status != "passed" || result.Failed != 0 || result.Searches != 3 || len(result.Controllers) != 1 {
					t.Errorf("%+v", result)
				}
			})
		}
	}
}

// An experiment whose controller cannot be published can be given up: what there is
// gets recorded.
func TestExperimentThatIsStuckEnds(t *testing.T) {
	for status, end := range map[string]func(*fixture){
		"stopped":  func(f *fixture) { f.SignalWorkflow(workflows.Stop, "") },
		"canceled": func(f *fixture) { f.CancelWorkflow() },
	} {
		t.Run(status, func(t *testing.T) {
			f := experimentFixture(t)
			f.broken("PublishController", troubles["missing"])
			f.RegisterDelayedCallback(func() { end(f) }, 24*time.Hour)
			_, err := f.runAs(t, catalog.KindExperiment, "x", `{"experiment":"small","seeds":[1],"tasks":["t1"],"arms":["random","transfer"]}`, nil)
			if canceled := err != nil; canceled != (status == "canceled") {
				t.Errorf("it ended with %v", err)
			}
			record, err := library.ReadExperiment(t.Context(), f.store, "small")
			if err != nil || len(record.Runs) != 1 || record.Runs[0].Status != status {
				t.Fatalf("record %+v, %v", record, err)
			}
			report, err := library.ReadReport(t.Context(), f.store, record.Runs[0].Report)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range report.Outcomes {
				if o.Phase == study.Pretrain && (o.Trials != 24 || o.Ledger == "") {
					t.Errorf("the pretraining's outcome is %+v", o)
				}
			}
		})
	}
}
