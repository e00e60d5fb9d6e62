package client

import (
	"encoding/json"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"tnaml/activities"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// While features are computed there are no trials to count: how far they are, only their
// activities' heartbeats say.
func TestUnderWay(t *testing.T) {
	beat := func(kind string, details any) *workflowpb.PendingActivityInfo {
		payloads, err := converter.GetDefaultDataConverter().ToPayloads(details)
		if err != nil {
			t.Fatal(err)
		}
		return &workflowpb.PendingActivityInfo{ActivityType: &commonpb.ActivityType{Name: kind}, HeartbeatDetails: payloads}
	}
	got := underWay([]*workflowpb.PendingActivityInfo{
		beat("Features", activities.Images{Done: 12000, Total: 60000}), beat("Features", activities.Images{Done: 1, Total: 3}),
		beat("Trial", trainer.Progress{Step: 1, Steps: 2}), {ActivityType: &commonpb.ActivityType{Name: "Features"}},
	})
	if want := (activities.Images{Done: 12001, Total: 60003}); got != want {
		t.Error(got)
	}
	if got := underWay(nil); got != (activities.Images{}) {
		t.Error(got)
	}
}

// Searches and experiments answer pause, resume and stop with progress of
// different shapes.
func TestAnswered(t *testing.T) {
	for _, c := range []struct {
		answer any
		state  State
		run    bool
	}{
		{workflows.Progress{Name: "n", Status: "paused", Told: 3, Running: 2, Trials: 10, Reason: "lunch"}, Paused, false},
		{workflows.ExperimentProgress{Name: "n", Kind: catalog.KindExperiment, Status: "stopping", Searches: 4, Running: []string{"a", "b"}},
			Working, true},
	} {
		b, err := json.Marshal(c.answer)
		if err != nil {
			t.Fatal(err)
		}
		p, err := answered(b)
		if err != nil || p.State != c.state || (p.Run != nil) != c.run || (p.Search != nil) == c.run {
			t.Errorf("%s: %+v, %v", b, p, err)
		}
		if c.run && (p.Run.Name != "n" || len(p.Run.Running) != 2) || !c.run && (p.Search.Reason != "lunch" || p.Search.Told != 3) {
			t.Errorf("%s: %+v", b, p)
		}
	}
	if _, err := answered([]byte("3")); err == nil {
		t.Error("a number was taken for progress")
	}
}

// A trial's values are written as its objective's, and only those there are.
func TestRowValues(t *testing.T) {
	for metric, tested := range map[string]bool{"validation_log_loss": true, "log_loss": false} {
		l := Ledger{Config: &search.Config{Tasks: []search.Task{{Name: "a"}}}}
		l.Config.Space.Objective = space.Objective{Metric: "log_loss", Direction: space.Minimise}
		l.Trials = []search.Trial{
			{Status: trainer.OK, Validation: .31234, Metrics: map[string]float64{metric: .31234, "test_log_loss": 0}},
			{Trial: 1, Status: trainer.Failed},
			{Trial: 2, Status: trainer.OK, Validation: .3, Metrics: map[string]float64{metric: .3}}, // told without a test value
		}
		want := map[bool]string{true: "0", false: "–"}[tested]
		if r := l.Row(0); r.OnValidation != "0.3123" || r.OnTest != want {
			t.Errorf("%s: %s, %s", metric, r.OnValidation, r.OnTest)
		}
		if r := l.Row(2); r.OnValidation != "0.3" || r.OnTest != "–" {
			t.Errorf("an untested trial has %s, %s", r.OnValidation, r.OnTest)
		}
		if r := l.Row(1); r.OnValidation != "–" || r.OnTest != "–" {
			t.Errorf("a failed trial has %s, %s", r.OnValidation, r.OnTest)
		}
	}
}
