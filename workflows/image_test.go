package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/trainer"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
	"tnaml/workflows"
)

// newImageFixture has an image task and two modules. features stands in for the
// activity.
func newImageFixture(t *testing.T, features func(activities.FeaturesInput) error) *fixture {
	t.Helper()
	f := &fixture{store: newFixture(t).store, train: plain}
	s := &image.Set{Images: nnimage.Images{Height: 4, Width: 4, Channels: 1}, Classes: []string{"a", "b"}}
	r := rng.New(1, "test", 0)
	for i := range 40 {
		for range 16 {
			s.Pixels = append(s.Pixels, uint8(r.IntN(256)))
		}
		s.Labels, s.Splits = append(s.Labels, int32(i%2)), append(s.Splits, "")
	}
	built, err := image.Build(s, data.Options{Name: "noise"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), f.store, built, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		e, err := nnimage.TrainPCA(s.Images, nnimage.PCAOptions{Name: name, Components: len(name), Size: 4, Channels: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := library.PublishImageModule(t.Context(), f.store, e, true); err != nil {
			t.Fatal(err)
		}
	}
	f.reset(t)
	f.registerFeatures(features)
	return f
}

func (f *fixture) registerFeatures(features func(activities.FeaturesInput) error) {
	f.RegisterActivityWithOptions(func(_ context.Context, in activities.FeaturesInput) (activities.FeaturesResult, error) {
		return activities.FeaturesResult{}, features(in)
	}, activity.RegisterOptions{Name: "Features"})
}

// The features of a task under each module are there before its first trial.
func TestFeaturesBeforeTrials(t *testing.T) {
	var order []string
	f := newImageFixture(t, func(in activities.FeaturesInput) error {
		order = append(order, in.Task+" "+in.Module)
		return nil
	})
	train := f.train
	f.train = func(ctx context.Context, p trainer.Request) (trainer.Outcome, error) {
		order = append(order, "trial")
		return train(ctx, p)
	}
	r, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":3,"lag":1}`)
	if err != nil || r.Trials != 3 {
		t.Fatal(err, r)
	}
	if want := []string{"noise one", "noise two", "trial", "trial", "trial"}; !slices.Equal(order, want) {
		t.Errorf("%v", order)
	}
	if p := f.progress(t); p.Preparing != "" {
		t.Errorf("still %s", p.Preparing)
	}
}

// Where a run's history is long enough before the first trial, the next run computes the features that
// are left, and no others.
func TestFeaturesContinueAsNew(t *testing.T) {
	var f *fixture
	var order []string
	var preparing string
	features := func(in activities.FeaturesInput) error {
		order = append(order, in.Module)
		f.SetCurrentHistoryLength(1000)
		return nil
	}
	f = newImageFixture(t, features)
	f.SetCurrentHistoryLength(1)
	spec := `{"tasks":["noise"],"strategy":"random","trials":3,"lag":1,"history_limit":100}`
	_, err := f.run(t, spec)
	var again *workflow.ContinueAsNewError
	if !errors.As(err, &again) {
		t.Fatalf("%v after %v", err, order)
	}
	var raw json.RawMessage
	var state workflows.SearchState
	if err := decode(again.Input, &raw, &state); err != nil {
		t.Fatal(err)
	}
	if state.Prepared != 1 || len(state.Resolved.Features) != 1 || len(state.Pending) > 0 || string(raw) != spec ||
		state.Line != "default-test-run-id" {
		t.Errorf("carried on with %+v", state)
	}
	state.Line = "another one" // in the test environment all runs have one ID
	f.reset(t)
	f.registerFeatures(func(in activities.FeaturesInput) error {
		order, preparing = append(order, in.Module), f.progress(t).Preparing
		return nil
	})
	f.SetCurrentHistoryLength(1)
	if r, err := f.run(t, spec, &state); err != nil || r.Trials != 3 {
		t.Fatal(err, r)
	}
	if !slices.Equal(order, []string{"one", "two"}) || !strings.Contains(preparing, "1 of 2 done") {
		t.Errorf("%v, %q", order, preparing)
	}
	if record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id"); err != nil || record.Line != "another one" {
		t.Errorf("%+v, %v", record, err)
	}
	if p := f.progress(t); p.Preparing != "" {
		t.Errorf("still %s", p.Preparing)
	}
}

// A search that continues as new while features are computed is listed as what it is: paused, or stopping.
func TestFeaturesContinueAsTheyStood(t *testing.T) {
	for _, c := range []struct {
		how, then string
		want      []string
	}{
		{workflows.Pause, workflows.Resume, []string{"paused", "running", "completed"}},
		{workflows.Stop, "", []string{"stopping", "stopped"}},
	} {
		var f *fixture
		f = newImageFixture(t, func(activities.FeaturesInput) error {
			f.SetCurrentHistoryLength(1000)
			if c.how == workflows.Pause {
				f.SignalWorkflow(c.how, "lunch")
			}
			return nil
		})
		f.SetCurrentHistoryLength(1)
		spec := `{"tasks":["noise"],"strategy":"random","trials":3,"lag":1,"history_limit":100}`
		_, err := f.run(t, spec)
		var again *workflow.ContinueAsNewError
		var raw json.RawMessage
		var state workflows.SearchState
		if !errors.As(err, &again) {
			t.Fatal(err)
		}
		if err := decode(again.Input, &raw, &state); err != nil {
			t.Fatal(err)
		}
		state.Stop = c.how == workflows.Stop // as one that comes at the last moment has it
		f.reset(t)
		f.registerFeatures(func(activities.FeaturesInput) error { return nil })
		f.SetCurrentHistoryLength(1)
		listed := f.statuses()
		if c.then != "" {
			f.RegisterDelayedCallback(func() { f.SignalWorkflow(c.then, nil) }, time.Hour)
		}
		if _, err := f.run(t, spec, &state); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*listed, c.want) {
			t.Errorf("%s: listed as %v, want %v", c.how, *listed, c.want)
		}
	}
}

// Features that workers die of pause the search, which says so, and not after a hundred of them; a resume tries again.
func TestFeaturesThatWorkersDieOf(t *testing.T) {
	tries, paused := 0, false
	f := newImageFixture(t, func(in activities.FeaturesInput) error {
		if tries++; tries <= 10 {
			return silent("worker x")
		}
		return nil
	})
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		paused = p.Status == "paused" && strings.Contains(p.Reason, "the features of noise under one") && strings.Contains(p.Reason, "10 times")
		f.SignalWorkflow(workflows.Resume, nil)
	}, 24*time.Hour)
	f.SetStartWorkflowOptions(client.StartWorkflowOptions{WorkflowRunTimeout: 48 * time.Hour})
	if r, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":2,"lag":1}`); err != nil || r.Trials != 2 {
		t.Fatal(err, r)
	}
	if !paused || tries != 12 {
		t.Errorf("paused %v after %d attempts", paused, tries)
	}
}

// A pause holds back the features that have not begun.
func TestPauseBetweenFeatures(t *testing.T) {
	var begun []time.Time
	var f *fixture
	f = newImageFixture(t, func(activities.FeaturesInput) error {
		begun = append(begun, f.Now())
		if len(begun) == 1 {
			f.SignalWorkflow(workflows.Pause, "lunch")
		}
		return nil
	})
	f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Resume, nil) }, time.Hour)
	if r, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":2,"lag":1}`); err != nil || r.Trials != 2 {
		t.Fatal(err, r)
	}
	if len(begun) != 2 || begun[1].Sub(begun[0]) < 50*time.Minute {
		t.Errorf("features begun at %v, with a pause of an hour between", begun)
	}
}

// The time that features take is not the search's, with a pause in it or without.
func TestFeaturesUseNoHours(t *testing.T) {
	for _, paused := range []bool{false, true} {
		tries := 0
		f := newImageFixture(t, func(activities.FeaturesInput) error {
			if tries++; tries < 40 { // a minute apart
				return errors.New("away")
			}
			return nil
		})
		begins := f.Now()
		if paused {
			f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Pause, "lunch") }, 20*time.Minute)
			f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Resume, nil) }, time.Hour)
		}
		f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "pictures", WorkflowRunTimeout: 24 * time.Hour})
		r, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":2,"lag":1,"budget":{"hours":0.25}}`)
		if err != nil {
			t.Fatal(err)
		}
		record, err := library.ReadRecord(t.Context(), f.store, "pictures")
		if err != nil || r.Trials != 2 || !strings.Contains(r.Reason, "2 trials") || record.Seconds > 60 || f.Now().Sub(begins) < 30*time.Minute {
			t.Errorf("paused %v: %d trials, %q; %v seconds of %s, %v", paused, r.Trials, r.Reason, record.Seconds, f.Now().Sub(begins), err)
		}
	}
}

// What cannot be computed ends the search before it has cost anything.
func TestFeaturesFail(t *testing.T) {
	f := newImageFixture(t, func(activities.FeaturesInput) error {
		return temporal.NewNonRetryableApplicationError("the module is damaged", activities.ErrTypeInvalid, nil)
	})
	_, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":3}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !strings.Contains(app.Message(), "the module is damaged") {
		t.Errorf("%v", err)
	}
	if record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id"); err != nil || record.Status != "failed" ||
		record.Told != 0 {
		t.Errorf("record %+v, %v", record, err)
	}
}

// A search that is cancelled while features are computed says so in its record.
func TestFeaturesCancelled(t *testing.T) {
	var f *fixture
	f = newImageFixture(t, func(activities.FeaturesInput) error {
		f.CancelWorkflow()
		return nil
	})
	if _, err := f.run(t, `{"tasks":["noise"],"strategy":"random","trials":3}`); !temporal.IsCanceledError(errors.Unwrap(err)) {
		t.Errorf("%v", err)
	}
	if record, err := library.ReadRecord(t.Context(), f.store, "default-test-workflow-id"); err != nil || record.Status != "canceled" {
		t.Errorf("record %+v, %v", record, err)
	}
}

// A search of texts is as it was: no features, and texts and images do not mix.
func TestTextsNeedNoFeatures(t *testing.T) {
	f := newImageFixture(t, func(activities.FeaturesInput) error {
		t.Error("features of a text")
		return nil
	})
	if _, err := f.run(t, `{"tasks":["tiny"],"strategy":"random","trials":2}`); err != nil {
		t.Error(err)
	}
	f.reset(t)
	_, err := f.run(t, `{"tasks":["tiny","noise"]}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !strings.Contains(app.Message(), "one controller designs models of one kind") {
		t.Errorf("%v", err)
	}
}
