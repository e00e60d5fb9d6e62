package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

// Hours end a search on which nobody calls, whatever their number is as a fraction.
func TestHoursEndASearchThatNothingMoves(t *testing.T) {
	for _, hours := range []float64{0.29, 1.13, 2.5} {
		f := askedFixture(t)
		f.RegisterDelayedCallback(func() { f.UpdateWorkflow(workflows.Stop, "s", callback(t, nil)) }, 24*time.Hour)
		spec := strings.Replace(fmt.Sprintf(askedSpec, 100_000), "naml", "random", 1)
		r, err := f.run(t, strings.TrimSuffix(strings.TrimSpace(spec), "}")+fmt.Sprintf(`,"budget":{"hours":%g}}`, hours))
		if err != nil || r.Status != "completed" || r.Reason != fmt.Sprintf("the budget of %g hours is used up", hours) {
			t.Errorf("%g hours: %+v, %v", hours, r, err)
		}
	}
}

// What a search is extended by that has not looked up yet which one it goes on from is not lost.
func TestExtendedBeforeItGoesOn(t *testing.T) {
	f := newFixture(t)
	f.must(t, "first", `{"tasks":["tiny"],"strategy":"random","trials":10}`)
	f.reset(t)
	mended := f.broken("Resolve", troubles["missing"])
	f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "second"})
	f.RegisterDelayedCallback(func() {
		f.SignalWorkflow(workflows.Extend, 5)
		f.SignalWorkflow(workflows.Extend, map[string]int{"failed": 4, "trials": 2})
		mended.Store(true)
		f.SignalWorkflow(workflows.Resume, nil)
	}, 24*time.Hour)
	r, err := f.run(t, `{"from":"first","trials":12,"budget":{"failed":3}}`)
	if p := f.progress(t); err != nil || r.Trials != 19 || p.Budget.Failed != 7 {
		t.Errorf("%+v, %v, %+v", r, err, p.Budget)
	}
}

// A stop is one, whatever comes with it: the UI's form sends something.
func TestExperimentStopsWhateverComesWithIt(t *testing.T) {
	f := experimentFixture(t)
	f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Pause, "lunch") }, 0)
	f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Stop, map[string]any{}) }, time.Hour)
	f.RegisterDelayedCallback(func() { f.SignalWorkflow(workflows.Stop, nil) }, 24*time.Hour)
	began := f.Now()
	r, err := f.runAs(t, catalog.KindTransfer, "tr", `{"experiment":"small","arms":["random"]}`, nil)
	if took := f.Now().Sub(began); err != nil || r.Status != "stopped" || took > 2*time.Hour {
		t.Errorf("after %s: %+v, %v", took, r, err)
	}
}

// An extension that comes as a signal and cannot be is not passed over in silence: why is shown
// until there is one that can.
func TestRefusedExtensionIsShown(t *testing.T) {
	f := newFixture(t)
	at := func(after time.Duration, do func()) { f.RegisterDelayedCallback(do, after) }
	at(0, func() { f.UpdateWorkflow(workflows.Pause, "u", callback(t, nil), "lunch") })
	at(time.Minute, func() { f.SignalWorkflow(workflows.Extend, map[string]int{"failed": 4}) })
	at(2*time.Minute, func() {
		p := f.progress(t)
		if !strings.Contains(p.Refused, `no bound "failed"`) || p.Status != "paused" || p.Reason != "lunch" || p.Trials != 20 {
			t.Errorf("refused: %+v", p)
		}
		f.SignalWorkflow(workflows.Extend, 5)
	})
	at(3*time.Minute, func() {
		if p := f.progress(t); p.Refused != "" || p.Trials != 25 {
			t.Errorf("extended: %+v", p)
		}
		f.SignalWorkflow(workflows.Resume, nil)
	})
	if result, err := f.run(t, `{"tasks":["tiny"],"trials":20}`); err != nil || result.Trials != 25 {
		t.Errorf("%+v, %v", result, err)
	}
}
