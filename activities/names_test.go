package activities

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
)

// searchOf asks for a search of the bench's task.
func searchOf(name, runID, owner string) ResolveInput {
	return ResolveInput{Name: name, RunID: runID, Owner: owner, Spec: []byte(`{"tasks":["things"]}`),
		Names: library.Names{Tasks: []string{"things"}, Strategy: strategy.Random, Space: "text-small", Seed: 1, Lag: 3}}
}

func recordOf(t *testing.T, s store.Store, name string) []byte {
	t.Helper()
	value, _, err := s.GetName(t.Context(), store.Search, name)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// A name belongs to the run that took it, also when it has ended: another one of the
// same workflow ID is refused, and nothing of it is written.
func TestNameOfAFinishedSearchIsNotTaken(t *testing.T) {
	b := newBench(t, strategy.Random)
	var first Resolved
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &first)
	var end Finished
	b.run(t, b.a.Finish, FinishInput{Name: "mine", RunID: "first", Config: first.Config, Status: "completed"}, &end)
	before := recordOf(t, b.store, "mine")

	other := LearnInput{Name: "mine", RunID: "second", Config: b.ref, CheckpointEvery: 1}
	var asked LearnOutput
	b.run(t, b.a.Learn, other, &asked)
	other.Results = []Row{{Trial: row(&first, asked.Proposals[0], TrialResult{})}}
	other.Results[0].Trial.Status = "failed"
	for what, err := range map[string]error{
		"a start":      b.try(b.a.Resolve, searchOf("mine", "second", "second"), &Resolved{}),
		"a bad start":  b.try(b.a.Resolve, ResolveInput{Name: "mine", RunID: "second", Owner: "second"}, &Resolved{}),
		"a checkpoint": b.try(b.a.Learn, other, &LearnOutput{}),
		"an end":       b.try(b.a.Finish, FinishInput{Name: "mine", RunID: "second", Config: b.ref, Status: "failed"}, &Finished{}),
	} {
		if errorType(err) != ErrTypeInvalid {
			t.Errorf("%s of another run: %v", what, err)
			continue
		}
		for _, want := range []string{`"mine"`, "run first", "completed on 20", "starter remove mine", "another workflow ID"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s of another run: %q is not in: %v", what, want, err)
			}
		}
	}
	if after := recordOf(t, b.store, "mine"); !bytes.Equal(before, after) {
		t.Errorf("the finished search's record was\n%s\nand is\n%s", before, after)
	}
	// The run itself may be reset to before its start, and who gives the name up may
	// have it again.
	b.as("reset")
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &first)
	if err := b.store.DeleteName(t.Context(), store.Search, "mine"); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.a.Resolve, searchOf("mine", "second", "second"), &first)
}

// An experiment that is reset, or tries a search again, has its searches' names.
func TestOwnersTakeTheirNamesAgain(t *testing.T) {
	b := newBench(t, strategy.Random)
	var r Resolved
	b.run(t, b.a.Resolve, searchOf("e/x", "child 1", "e, 1"), &r)
	b.run(t, b.a.Resolve, searchOf("e/x", "child 2", "e, 1"), &r)
	if err := b.try(b.a.Resolve, searchOf("e/x", "child 3", "e, 2"), &r); errorType(err) != ErrTypeInvalid {
		t.Errorf("another experiment's: %v", err)
	}
	record, err := library.ReadRecord(t.Context(), b.store, "e/x")
	if err != nil || record.RunID != "child 2" || record.Owner != "e, 1" || record.Started.IsZero() {
		t.Errorf("%+v, %v", record, err)
	}
}

// A start that fails is on record with its reason, and holds no name.
func TestFailedStart(t *testing.T) {
	b := newBench(t, strategy.Random)
	bad := searchOf("mine", "first", "first")
	bad.Tasks = []string{"thing"}
	if err := b.try(b.a.Resolve, bad, &Resolved{}); errorType(err) != ErrTypeInvalid {
		t.Fatal(err)
	}
	record, err := library.ReadRecord(t.Context(), b.store, "mine")
	if err != nil || record.Status != "failed" || !strings.Contains(record.Reason, `"thing"`) || record.Ended.IsZero() || record.Spec == nil {
		t.Errorf("%+v, %v", record, err)
	}
	bad.Wrong, bad.RunID = "search spec: no such field", "second"
	if err := b.try(b.a.Resolve, bad, &Resolved{}); errorType(err) != ErrTypeInvalid || !strings.Contains(err.Error(), "no such field") {
		t.Fatal(err)
	}
	b.run(t, b.a.Resolve, searchOf("mine", "third", "third"), &Resolved{})
	record, err = library.ReadRecord(t.Context(), b.store, "mine")
	if err != nil || record.Status != "running" || record.Reason != "" || record.RunID != "third" {
		t.Errorf("%+v, %v", record, err)
	}
}

// The same of experiments' runs, whichever experiment the name's holder is of.
func TestNamesOfRuns(t *testing.T) {
	b := newBench(t, strategy.Random)
	for _, name := range []string{"one", "two"} {
		yaml := "name: " + name + "\ndescription: one task\nspace: text-small\nseeds: [1]\n" +
			"transfer: {tasks: [things], trials: 3, arms: [random]}\n"
		if _, err := library.PublishExperiment(t.Context(), b.store, []byte(yaml), false); err != nil {
			t.Fatal(err)
		}
	}
	plan := func(experiment, runID string) error {
		return b.try(b.a.PlanExperiment, PlanInput{Kind: catalog.KindExperiment, Name: "night", RunID: runID,
			Spec: []byte(`{"experiment":"` + experiment + `"}`)}, &library.Planned{})
	}
	if err := plan("none", "zeroth"); errorType(err) != ErrTypeInvalid {
		t.Errorf("an experiment that there is not: %v", err)
	}
	bad := b.try(b.a.PlanExperiment, PlanInput{Kind: catalog.KindExperiment, Name: "night", RunID: "bad",
		Spec: []byte(`{"experiment":"one","tasks":["nothing"]}`)}, &library.Planned{})
	record, err := library.ReadExperiment(t.Context(), b.store, "one")
	if bad == nil || err != nil || len(record.Runs) != 1 || record.Runs[0].Status != "failed" ||
		!strings.Contains(record.Runs[0].Reason, `"nothing"`) {
		t.Fatalf("a start that failed: %v, %+v, %v", bad, record, err)
	}
	if study, err := library.ReadStudy(t.Context(), b.store, "one"); err != nil || len(study.Ledgers) != 0 {
		t.Errorf("%+v, %v", study, err)
	}
	for range 2 { // an attempt whose answer was lost
		if err := plan("one", "first"); err != nil {
			t.Fatal(err)
		}
	}
	// A run that is reset to before its start has the plan that it is given then.
	if err := library.UpdateRun(t.Context(), b.store, "one", library.RunEntry{Name: "night", RunID: "first"}, func(e *library.RunEntry) {
		e.Status, e.Ended, e.Report = "completed", now(), "an old report"
	}); err != nil {
		t.Fatal(err)
	}
	if err := plan("one", "first"); err != nil {
		t.Fatal(err)
	}
	if _, report, err := library.FindRun(t.Context(), b.store, "one", "night", "first"); err != nil || report.Plan.Experiment != "one" {
		t.Errorf("the plan of a run that was reset: %v", err)
	}
	if record, err = library.ReadExperiment(t.Context(), b.store, "one"); err != nil || record.Runs[0].Status != "running" ||
		!record.Runs[0].Ended.IsZero() {
		t.Errorf("a run that was reset: %+v, %v", record.Runs, err)
	}
	for _, experiment := range []string{"one", "two"} {
		err := plan(experiment, "second")
		if errorType(err) != ErrTypeInvalid || !strings.Contains(err.Error(), "starter experiment remove one --run night") {
			t.Errorf("%s: %v", experiment, err)
		}
	}
	if record, err = library.ReadExperiment(t.Context(), b.store, "one"); err != nil || len(record.Runs) != 1 ||
		record.Runs[0].RunID != "first" {
		t.Errorf("%+v, %v", record, err)
	}
	if record, err = library.ReadExperiment(t.Context(), b.store, "two"); err != nil || len(record.Runs) != 0 {
		t.Errorf("%+v, %v", record, err)
	}
	if _, err := library.ReadExperiment(t.Context(), b.store, "none"); err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// A record of the trial cache that cannot be read costs the trial's work, not who holds
// what: it is left as it is.
func TestUnreadableTrialIsLeft(t *testing.T) {
	for name, spoil := range map[string]func(s *store.Memory, key string) error{
		"bits flipped": func(s *store.Memory, key string) error { s.DamageName(store.Trial, key); return nil },
		"a record of another time": func(s *store.Memory, key string) error {
			return store.Update(t.Context(), s, store.Trial, key, func([]byte) ([]byte, error) { return []byte(`{"holds":"all"}`), nil })
		},
	} {
		b := newBench(t, strategy.Random)
		in := b.resolved.Request(b.proposals(t)[0])
		var first, second TrialResult
		b.run(t, b.a.Trial, in, &first)
		entries, err := b.store.Names(t.Context(), store.Trial, "")
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
		key := entries[0].Name
		if err := spoil(b.store, key); err != nil {
			t.Fatal(err)
		}
		before, _, _ := b.store.GetName(t.Context(), store.Trial, key)
		b.run(t, b.a.Trial, in, &second)
		if second.Cost.Cached || second.Model != first.Model || second.Status != first.Status {
			t.Errorf("%s: %+v, before %+v", name, second, first)
		}
		if after, _, _ := b.store.GetName(t.Context(), store.Trial, key); !bytes.Equal(before, after) {
			t.Errorf("%s: the record was\n%s\nand is\n%s", name, before, after)
		}
	}
}

// A search's damaged record keeps others from its name, and says so.
func TestDamagedRecordHoldsItsName(t *testing.T) {
	b := newBench(t, strategy.Random)
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &Resolved{})
	b.store.DamageName(store.Search, "mine")
	for _, owner := range []string{"first", "second"} {
		if err := b.try(b.a.Resolve, searchOf("mine", owner, owner), &Resolved{}); err == nil || !strings.Contains(err.Error(), "corrupt") {
			t.Errorf("%v", err)
		}
	}
	all, err := library.Searches(t.Context(), b.store)
	if !errors.Is(err, library.ErrUnreadable) || len(all) != 1 || all[0].Name != "s" {
		t.Errorf("the list is %+v, %v", all, err)
	}
	removals, err := library.PlanRemoval(t.Context(), b.store, store.Search, []string{"mine"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := library.Remove(t.Context(), b.store, removals); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.a.Resolve, searchOf("mine", "second", "second"), &Resolved{})
}
