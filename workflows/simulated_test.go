package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/workflows"
)

const aNight = `{"experiment":"small","arms":["random"],"seeds":[1],"tasks":["t1"]}`

// lastNight is the report of a benchmark's last run, with its entry.
func (f *fixture) lastNight(t *testing.T) (library.RunEntry, *library.RunReport) {
	t.Helper()
	record, err := library.ReadExperiment(t.Context(), f.store, "small")
	if err != nil {
		t.Fatal(err)
	}
	entry := record.Runs[len(record.Runs)-1]
	report, err := library.ReadReport(t.Context(), f.store, entry.Report)
	if err != nil {
		t.Fatal(err)
	}
	return entry, report
}

// A night searches recorded tasks beside its own, and is compared with the latest before it
// that had the same plan: the same code takes as many trials, and what takes more is a
// regression that says its figures.
func TestSimulatedNights(t *testing.T) {
	f := experimentFixture(t)
	night := func(name, spec string) (*workflows.ExperimentResult, error) {
		f.resetExperiment(t)
		return f.runAs(t, catalog.KindBenchmark, name, spec, nil)
	}
	result, err := night("first", aNight)
	if err != nil || result.Verdict.Simulated == nil || result.Verdict.Simulated.Against != "" ||
		!strings.Contains(result.Verdict.Simulated.Say(), "there is no earlier night of this plan") {
		t.Fatalf("the first night: %+v, %v", result, err)
	}
	// Another plan is another benchmark.
	lagging := strings.Replace(aNight, "{", `{"lag":2,`, 1)
	if result, err = night("other", lagging); err != nil || result.Verdict.Simulated.Against != "" {
		t.Fatalf("another plan: %+v, %v", result, err)
	}
	if result, err = night("second", aNight); err != nil || result.Status != "passed" ||
		result.Verdict.Simulated.Say() != "no slowdown since first" || len(result.Verdict.Simulated.Slowdowns) != 2 ||
		!result.Verdict.Simulated.Slowdowns[0].Unchanged {
		t.Fatalf("the same again: %+v, %v", result, err)
	}
	entry, report := f.lastNight(t)
	if s := report.Simulated; s == nil || s.Against != "first" || len(s.Arms) != 2 || s.Arms[1].Arm != "tpe" || s.Arms[0].Searches != 30 {
		t.Fatalf("%+v", report.Simulated)
	}
	// Of the night that is compared with, one arm was faster.
	f.makeFaster(t)
	_, err = night("third", aNight)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != workflows.ErrTypeRegressed {
		t.Fatalf("a slower night: %v", err)
	}
	for _, want := range []string{"regressed in 0 of", "slower than second in 1 of 2 arms", "simulated · tpe: ",
		"slower: 1.0 before, ratio ", "), p "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if entry, report = f.lastNight(t); entry.Status != "regressed" || report.Simulated.Slowdowns[0].Slower ||
		!report.Simulated.Slowdowns[1].Slower {
		t.Errorf("%+v, %+v", entry, report.Simulated)
	}
	// The alarm sounds once: what is slow now is what the next night is compared with.
	if result, err = night("fourth", aNight); err != nil || result.Verdict.Simulated.Against != "third" {
		t.Errorf("the night after: %+v, %v", result, err)
	}
	s, err := library.ReadStudy(t.Context(), f.store, "small")
	if err != nil || len(s.Runs) != 5 || s.Runs[3].Simulated == nil || s.Runs[3].Simulated.Against != "second" {
		t.Errorf("%+v, %v", s.Runs, err)
	}
}

// makeFaster has the tpe of the last night take one trial on the first task.
func (f *fixture) makeFaster(t *testing.T) {
	t.Helper()
	entry, report := f.lastNight(t)
	past, err := library.ReadSimulated(t.Context(), f.store, store.Ref(report.Simulated.Object))
	if err != nil {
		t.Fatal(err)
	}
	for _, tasks := range past.Took[1] {
		tasks[0] = 1
	}
	ref, err := library.PutSimulated(t.Context(), f.store, past)
	if err != nil {
		t.Fatal(err)
	}
	report.Simulated.Object = string(ref)
	faster, err := library.PutReport(t.Context(), f.store, report)
	if err != nil {
		t.Fatal(err)
	}
	if err := library.UpdateRun(t.Context(), f.store, "small", entry, func(e *library.RunEntry) { e.Report = faster }); err != nil {
		t.Fatal(err)
	}
}

// Nights that are each as fast as the one before, but slower than the first, are told: drift
// is counted from there, until it has been.
func TestSimulatedNightsDrift(t *testing.T) {
	f := experimentFixture(t)
	night := func(name string) (*workflows.ExperimentResult, error) {
		f.resetExperiment(t)
		return f.runAs(t, catalog.KindBenchmark, name, aNight, nil)
	}
	if _, err := night("first"); err != nil {
		t.Fatal(err)
	}
	f.makeFaster(t)
	// The second night is slower in an arm, at once. From the night after it on its drift is
	// counted.
	if _, err := night("second"); err == nil || !strings.Contains(err.Error(), "slower than first in 1 of 2 arms") {
		t.Fatalf("the second night: %v", err)
	}
	result, err := night("third")
	if err != nil {
		t.Fatal(err)
	}
	if v := result.Verdict.Simulated; v.Say() != "no slowdown since second, nor since first" || len(v.Drift) != 1 ||
		v.Drift[0].Arm != "random" || len(v.Bases) != 1 || v.Bases[0].Run != "first" {
		t.Fatalf("the third night: %+v", v)
	}
	if result, err = night("fourth"); err != nil || result.Verdict.Simulated.Bases[0].Run != "first" ||
		result.Verdict.Simulated.Bases[1].Run != "third" {
		t.Fatalf("the fourth night: %+v, %v", result, err)
	}
	// Had the third been faster, the fifth would be no slower than the fourth, but than that.
	entry, report := f.lastNight(t)
	object := report.Simulated.Object
	f.makeFaster(t)
	_, faster := f.lastNight(t)
	report.Simulated.Bases[1].Object, report.Simulated.Object = faster.Simulated.Object, object
	drifting, err := library.PutReport(t.Context(), f.store, report)
	if err != nil {
		t.Fatal(err)
	}
	if err := library.UpdateRun(t.Context(), f.store, "small", entry, func(e *library.RunEntry) { e.Report = drifting }); err != nil {
		t.Fatal(err)
	}
	_, err = night("fifth")
	for _, want := range []string{"simulated searches are slower than third in tpe", "simulated · tpe: ", ", since third"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "than fourth") {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if entry, _ := f.lastNight(t); entry.Status != "regressed" {
		t.Errorf("%+v", entry)
	}
	// It has been told: the next night begins anew. The other arm goes on.
	if result, err = night("sixth"); err != nil || len(result.Verdict.Simulated.Drift) != 1 || len(result.Verdict.Simulated.Bases) != 1 ||
		result.Verdict.Simulated.Bases[0].Run != "first" {
		t.Errorf("the sixth night: %+v, %v", result, err)
	}
}

// What is no benchmark searches no recorded tasks.
func TestOnlyNightsAreSimulated(t *testing.T) {
	f := experimentFixture(t)
	if result, err := f.runAs(t, catalog.KindExperiment, "x", aNight, nil); err != nil || result.Status != "completed" {
		t.Fatal(result, err)
	}
	if _, report := f.lastNight(t); report.Simulated != nil {
		t.Errorf("%+v", report.Simulated)
	}
}

// A night that is cancelled, or stopped, while its simulated searches cannot be run ends
// so: it has not passed.
func TestSimulatedNightThatEnds(t *testing.T) {
	for status, end := range map[string]func(*fixture){
		"stopped":  func(f *fixture) { f.SignalWorkflow(workflows.Stop, "") },
		"canceled": func(f *fixture) { f.CancelWorkflow() },
	} {
		for name, trouble := range map[string]func() error{
			"under way": func() error { return errors.New("the machine is slow") }, // and tried again
			"stuck": func() error {
				return temporal.NewNonRetryableApplicationError("no luck", activities.ErrTypeInvalid, nil)
			},
		} {
			t.Run(status+" "+name, func(t *testing.T) {
				f := experimentFixture(t)
				f.fail = func(step string, _ any) error {
					if step == "Simulate" {
						return trouble()
					}
					return nil
				}
				f.RegisterDelayedCallback(func() {
					p := f.experimentProgress(t)
					if !p.Simulating || name != "stuck" && p.Done != 1 || (p.Status == "paused") != (name == "stuck") {
						t.Errorf("%+v", p)
					}
					end(f)
				}, 30*time.Minute)
				result, err := f.runAs(t, catalog.KindBenchmark, "night", aNight, nil)
				if canceled := temporal.IsCanceledError(errors.Unwrap(err)); canceled != (status == "canceled") ||
					result != nil && result.Status != status {
					t.Errorf("it ended with %+v, %v", result, err)
				}
				if entry, report := f.lastNight(t); entry.Status != status || report.Simulated != nil || report.Verdicts != nil ||
					name != "stuck" && report.Outcomes[0].Status != "completed" {
					t.Errorf("%+v, %+v", entry, report)
				}
			})
		}
	}
}
