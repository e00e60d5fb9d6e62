package workflows_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities"
	"tnaml/experiments/catalog"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// statuses are those that a search is listed with from now on, each once in a row.
func (f *fixture) statuses() *[]string {
	var all []string
	f.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(a temporal.SearchAttributes) bool {
		if s, ok := a.GetKeyword(workflows.AttributeStatus); ok && (len(all) == 0 || all[len(all)-1] != s) {
			all = append(all, s)
		}
		return true
	})).Return(nil)
	return &all
}

// A search whose trainer nobody serves says so, also after a pause, and no more once
// a trial has ended.
func TestSearchWaitsForATrainer(t *testing.T) {
	f := newFixture(t)
	f.unserved = true
	statuses := f.statuses()
	served := make(chan struct{})
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		<-served
		return plain(ctx, r)
	}
	serve := sync.OnceFunc(func() { close(served) })
	defer serve()
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		if p.Status != "waiting" || !strings.Contains(p.Reason, "no worker serves the trainer builtin") {
			t.Errorf("without a worker: %+v", p)
		}
		f.SignalWorkflow(workflows.Pause, "")
		f.SignalWorkflow(workflows.Resume, nil)
	}, 3*time.Second)
	f.RegisterDelayedCallback(serve, 4*time.Second)
	result, err := f.run(t, `{"tasks":["tiny"],"trials":5}`)
	if err != nil || result.Trials != 5 {
		t.Fatalf("%+v, %v", result, err)
	}
	if want := []string{"running", "waiting", "paused", "waiting", "running", "completed"}; !slices.Equal(*statuses, want) {
		t.Errorf("it was %v, want %v", *statuses, want)
	}
}

// It says so, too, while it waits for the features of images.
func TestFeaturesWaitForATrainer(t *testing.T) {
	served := make(chan struct{})
	f := newImageFixture(t, func(activities.FeaturesInput) error {
		<-served
		return nil
	})
	f.unserved = true
	serve := sync.OnceFunc(func() { close(served) })
	defer serve()
	f.RegisterDelayedCallback(func() {
		if p := f.progress(t); p.Status != "waiting" || p.Preparing == "" {
			t.Errorf("without a worker: %+v", p)
		}
		serve()
	}, 3*time.Second)
	if r, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":2}`); err != nil || r.Trials != 2 {
		t.Fatal(err, r)
	}
	if p := f.progress(t); p.Status != "completed" || p.Reason != "" {
		t.Errorf("at the end: %+v", p)
	}
}

// While a step's attempts fail, whatever step it is, a search says so in the line that
// one follows, and no more once it goes on.
func TestSearchSaysWhatFails(t *testing.T) {
	for step, status := range map[string]string{"Resolve": "waiting", "Learn": "waiting", "Trial": "waiting", "Finish": "finishing"} {
		t.Run(step, func(t *testing.T) {
			f := newFixture(t)
			mended := f.broken(step, troubles["away"])
			f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
				if step == "Trial" && r.Trial == 3 && !mended.Load() {
					return trainer.Outcome{}, troubles["away"]
				}
				return plain(ctx, r)
			}
			f.trouble = "it: attempt 5, last: the store is away"
			f.RegisterDelayedCallback(func() {
				if p := f.progress(t); p.Status != status || p.Reason != f.trouble {
					t.Errorf("it is %s: %q", p.Status, p.Reason)
				}
				mended.Store(true)
				f.trouble = ""
			}, 10*time.Minute)
			if _, err := f.run(t, `{"tasks":["tiny"],"trials":6}`); err != nil {
				t.Fatal(err)
			}
			if p := f.progress(t); p.Status != "completed" || p.Reason != "" {
				t.Errorf("at the end it is %s: %q", p.Status, p.Reason)
			}
		})
	}
}

// So does an experiment.
func TestExperimentSaysWhatFails(t *testing.T) {
	for step, status := range map[string]string{"PlanExperiment": "waiting", "PublishController": "waiting", "RecordRun": "finishing"} {
		t.Run(step, func(t *testing.T) {
			f := experimentFixture(t)
			mended := f.broken(step, troubles["away"])
			f.trouble = step + ": attempt 5, last: the store is away"
			f.RegisterDelayedCallback(func() {
				if p := f.experimentProgress(t); p.Status != status || p.Reason != f.trouble {
					t.Errorf("it is %s: %q", p.Status, p.Reason)
				}
				mended.Store(true)
			}, 10*time.Minute)
			if _, err := f.runAs(t, catalog.KindPretrain, "x", `{"experiment":"small"}`, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}
