package activities

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
)

// as has what comes be asked by a line of the workflow's runs.
func (b *bench) as(line string) { b.line = line }

// learned tells a search results up to a number of trials, each a checkpoint, from a position.
func (b *bench) learned(t *testing.T, r *Resolved, name string, pos Position, to int) Position {
	t.Helper()
	in := LearnInput{Name: name, RunID: "first", Config: r.Config, Position: pos, CheckpointEvery: 1}
	for in.Position.Told < to {
		var asked, out LearnOutput
		ask := in
		ask.Results = nil
		b.run(t, b.a.Learn, ask, &asked)
		trial := row(r, asked.Proposals[0], TrialResult{})
		trial.Status = "failed"
		in.Results = []Row{{Trial: trial}}
		b.run(t, b.a.Learn, in, &out)
		in.Position = in.Position.After(in.Results, &out)
	}
	return in.Position
}

// again is the attempt at the checkpoint that made a position's, which wakes up late.
func (b *bench) again(r *Resolved, name string, from, to Position) error {
	in := LearnInput{Name: name, RunID: "first", Config: r.Config, Position: from, CheckpointEvery: 1}
	trials, err := library.ReadLedger(context.Background(), b.store, to.Ledger)
	if err != nil {
		return err
	}
	for _, trial := range trials[from.Told:to.Told] {
		in.Results = append(in.Results, Row{Trial: trial})
	}
	return b.try(b.a.Learn, in, new(LearnOutput))
}

// A process that was asleep in a checkpoint, in a start or in an end, and wakes up when others have gone on, takes
// nothing back: neither of its own line of runs nor of those that a reset has put in its place.
func TestLateAttempts(t *testing.T) {
	b := newBench(t, strategy.Random)
	record := func() library.SearchRecord {
		r, err := library.ReadRecord(t.Context(), b.store, "mine")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	late := func(what string, refused error, try func() error) {
		t.Helper()
		before := recordOf(t, b.store, "mine")
		err := try()
		if after := recordOf(t, b.store, "mine"); !bytes.Equal(before, after) || (refused == nil) != (err == nil) ||
			err != nil && !strings.Contains(err.Error(), refused.Error()) {
			t.Errorf("%s: %v; the record was\n%s\nand is\n%s", what, err, before, after)
		}
	}
	var r Resolved
	b.as("a")
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &r)
	two := b.learned(t, &r, "mine", Position{}, 2)
	three := b.learned(t, &r, "mine", two, 3)
	late("a checkpoint, after its successor's", nil, func() error { return b.again(&r, "mine", Position{}, two) })
	late("a start, after its successor's", library.ErrLate, func() error {
		return b.try(b.a.Resolve, searchOf("mine", "first", "first"), new(Resolved))
	})

	five := b.learned(t, &r, "mine", three, 5)
	if got := record(); got.Told != 5 || got.Line != "a" || len(got.Replaced) > 0 {
		t.Errorf("went on: %+v", got)
	}
	finish := FinishInput{Name: "mine", RunID: "first", Config: r.Config, Position: five, Status: "completed"}
	b.run(t, b.a.Finish, finish, new(Finished))
	if got := record(); !got.Released || got.Status != "completed" || got.Told != 5 {
		t.Errorf("ended: %+v", got)
	}
	late("a checkpoint of a search that has ended", nil, func() error { return b.again(&r, "mine", three, five) })
	late("a start of one that has ended", library.ErrLate, func() error {
		return b.try(b.a.Resolve, searchOf("mine", "first", "first"), new(Resolved))
	})

	b.as("b") // it is reset to after its second trial
	again := b.learned(t, &r, "mine", two, 3)
	if got := record(); got.Told != 3 || got.Released || got.Status != "running" || !got.Ended.IsZero() || got.Ledger != again.Ledger {
		t.Errorf("reset: %+v", got)
	}
	b.as("a")
	late("a checkpoint of the run that was reset", library.ErrLate, func() error { return b.again(&r, "mine", three, five) })
	late("an end of the run that was reset", library.ErrLate, func() error { return b.try(b.a.Finish, finish, new(Finished)) })
	late("how the run that was reset ended", nil, func() error {
		in := finish
		in.RecordOnly = true
		return b.try(b.a.Finish, in, new(Finished))
	})

	b.as("c") // it is reset to before its start
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &r)
	if got := record(); got.Told != 0 || got.Ledger != "" || got.Line != "c" || !slices.Equal(got.Replaced, []string{"a", "b"}) {
		t.Errorf("begun anew: %+v", got)
	}
	b.as("b")
	late("a start of the run that was reset", library.ErrLate, func() error {
		return b.try(b.a.Resolve, searchOf("mine", "first", "first"), new(Resolved))
	})
	for i := range 40 {
		b.as(strings.Repeat("x", i+1))
		b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &r)
	}
	if got := record(); len(got.Replaced) > 20 {
		t.Errorf("it remembers %d lines", len(got.Replaced))
	}
}

// What a search learns after its worker was lost with a workflow task of several checkpoints is what that had learned,
// and is written when it is further; the end of a run holds wherever it is.
func TestRunsGoOnlyForward(t *testing.T) {
	b := newBench(t, strategy.Random)
	var r Resolved
	b.as("a")
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &r)
	two := b.learned(t, &r, "mine", Position{}, 2)
	four := b.learned(t, &r, "mine", two, 4)
	b.reset()
	b.as("a")
	if again := b.learned(t, &r, "mine", Position{}, 2); again.Ledger != two.Ledger {
		t.Errorf("%+v, before %+v", again, two)
	}
	got, err := library.ReadRecord(t.Context(), b.store, "mine")
	if err != nil || got.Told != 4 || got.Ledger != four.Ledger {
		t.Errorf("%+v, %v", got, err)
	}
	b.run(t, b.a.Finish, FinishInput{Name: "mine", RunID: "first", Config: r.Config, Position: two, Status: "canceled"}, new(Finished))
	if got, err = library.ReadRecord(t.Context(), b.store, "mine"); err != nil || got.Told != 2 || got.Status != "canceled" || !got.Released {
		t.Errorf("%+v, %v", got, err)
	}
}

// A search that goes on from another one begins where that stands, also where its start is tried again; and a search
// whose name was given up is another one's.
func TestStartsAreOnTheirOwn(t *testing.T) {
	b := newBench(t, strategy.Random)
	var r, on Resolved
	b.as("a")
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &r)
	three := b.learned(t, &r, "mine", Position{}, 3)
	b.run(t, b.a.Finish, FinishInput{Name: "mine", RunID: "first", Config: r.Config, Position: three, Status: "completed"}, new(Finished))
	from := ResolveInput{Name: "on", RunID: "on", Owner: "on", From: "mine", Spec: []byte(`{"from":"mine","trials":9}`)}
	b.as("on")
	for range 2 { // an attempt whose answer was lost
		b.run(t, b.a.Resolve, from, &on)
	}
	got, err := library.ReadRecord(t.Context(), b.store, "on")
	if err != nil || got.Told != 3 || got.Ledger != three.Ledger || got.Line != "on" || len(got.Replaced) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := b.store.DeleteName(t.Context(), store.Search, "mine"); err != nil {
		t.Fatal(err)
	}
	b.as("anew")
	b.run(t, b.a.Resolve, searchOf("mine", "second", "second"), &r)
	if got, err = library.ReadRecord(t.Context(), b.store, "mine"); err != nil || got.RunID != "second" || len(got.Replaced) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// The ledger of a search that has ended outlives a late checkpoint and two collections.
func TestLateAttemptCostsNoLedger(t *testing.T) {
	b := newBench(t, strategy.Random)
	at := time.Now()
	b.store.SetClock(func() time.Time { return at })
	var r Resolved
	b.as("a")
	b.run(t, b.a.Resolve, searchOf("mine", "first", "first"), &r)
	two := b.learned(t, &r, "mine", Position{}, 2)
	five := b.learned(t, &r, "mine", two, 5)
	b.run(t, b.a.Finish, FinishInput{Name: "mine", RunID: "first", Config: r.Config, Position: five, Status: "completed"}, new(Finished))
	if err := b.again(&r, "mine", Position{}, two); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		at = at.Add(48 * time.Hour)
		plan, err := gc.Survey(t.Context(), b.store, gc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Run(t.Context(), b.store, gc.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if trials, err := library.ReadLedger(t.Context(), b.store, five.Ledger); err != nil || len(trials) != 5 {
		t.Errorf("%d trials, %v", len(trials), err)
	}
}

// The same of experiments' runs.
func TestLateAttemptsOfRuns(t *testing.T) {
	b := newBench(t, strategy.Random)
	yaml := "name: one\ndescription: one task\nspace: text-small\nseeds: [1]\ntransfer: {tasks: [things], trials: 3, arms: [random]}\n"
	if _, err := library.PublishExperiment(t.Context(), b.store, []byte(yaml), false); err != nil {
		t.Fatal(err)
	}
	plan := PlanInput{Kind: catalog.KindExperiment, Name: "night", RunID: "first", Spec: []byte(`{"experiment":"one"}`)}
	record := RecordRunInput{Experiment: "one", Kind: catalog.KindExperiment, Name: "night", RunID: "first", Status: "completed"}
	b.as("a")
	b.run(t, b.a.PlanExperiment, plan, new(library.Planned))
	b.run(t, b.a.RecordRun, record, new(store.Ref))
	entry := func() library.RunEntry {
		e, _, err := library.FindRun(t.Context(), b.store, "one", "night", "first")
		if err != nil {
			t.Fatal(err)
		}
		return *e
	}
	ended := entry()
	// An attempt at the plan that began before is late, whatever it writes.
	early := library.RunEntry{Name: "night", RunID: "first", Fence: library.Fence{Line: "a", Began: ended.Began.Add(-time.Second)}}
	err := library.UpdateRun(t.Context(), b.store, "one", early, func(e *library.RunEntry) { *e = early })
	if got := entry(); !errors.Is(err, library.ErrLate) || got.Status != "completed" || got.Report != ended.Report {
		t.Errorf("%+v, %v", got, err)
	}
	b.as("b") // it is reset to before its start
	b.run(t, b.a.PlanExperiment, plan, new(library.Planned))
	if got := entry(); got.Status != "running" || got.Line != "b" || !slices.Equal(got.Replaced, []string{"a"}) {
		t.Errorf("%+v", got)
	}
	b.as("a")
	for what, err := range map[string]error{
		"a plan": b.try(b.a.PlanExperiment, plan, new(library.Planned)), "an end": b.try(b.a.RecordRun, record, new(store.Ref)),
	} {
		if got := entry(); err == nil || !strings.Contains(err.Error(), library.ErrLate.Error()) || got.Status != "running" || got.Line != "b" {
			t.Errorf("%s of the run that was reset: %+v, %v", what, got, err)
		}
	}
}
