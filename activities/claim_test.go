package activities

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// What garbage collection counts on: who passes on a reference has the object in
// the store, though his machine's disk cache could do without.
func TestReferencesPassedOnAreInTheStore(t *testing.T) {
	b := newBench(t, strategy.NAML)
	var end Finished
	b.proposals(t)
	b.run(t, b.a.Finish, FinishInput{Name: "s", Config: b.ref, Status: "stopped"}, &end)
	b.run(t, b.a.PublishController, library.PublishControllerInput{Name: "c", Ref: end.Controller}, new(library.ControllerVersion))
	cached, err := store.NewDiskCache(b.store, t.TempDir(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	config, err := library.ReadConfig(t.Context(), b.store, b.ref)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]store.Ref{"task": store.Ref(config.Tasks[0].Data), "module": store.Ref(config.Modules[0].Data),
		"controller": end.Controller}
	for _, ref := range all {
		if _, err := cached.Get(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if err := b.store.Discard(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	b.serve(New(cached, Options{}))
	in := ResolveInput{Name: "transferred", Names: library.Names{
		Tasks: []string{"things"}, Strategy: strategy.NAML, Space: "text-small", Seed: 1, Lag: 3, Controller: "c",
	}}
	b.run(t, b.a.Resolve, in, new(Resolved))
	there := map[store.Ref]bool{}
	if err := b.store.Blobs(t.Context(), func(b store.Blob) error { there[b.Ref] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for what, ref := range all {
		if !there[ref] {
			t.Errorf("the %s is in the trash alone", what)
		}
	}
	// What is gone for good is told at once, not by the first trial.
	for _, ref := range all {
		if err := b.store.Discard(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	var trash []store.Discarded
	if err := b.store.Trash(t.Context(), func(d store.Discarded) error { trash = append(trash, d); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Purge(t.Context(), trash); err != nil {
		t.Fatal(err)
	}
	in.Controller = ""
	err = b.try(b.a.Resolve, in, new(Resolved))
	if errorType(err) != ErrTypeInvalid || !strings.Contains(err.Error(), `task "things"`) || !strings.Contains(err.Error(), `module "m"`) {
		t.Errorf("%v", err)
	}
}

// Who was given a model is not forgotten, whoever is given it or trains it again.
func TestHoldsStay(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	holds := func() *library.CachedTrial {
		entries, err := b.store.Names(t.Context(), store.Trial, "")
		if err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
		value, _, err := b.store.GetName(t.Context(), store.Trial, entries[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		var c library.CachedTrial
		if err := json.Unmarshal(value, &c); err != nil {
			t.Fatal(err)
		}
		return &c
	}
	b.run(t, b.a.Trial, in, new(TrialResult))
	c := holds()
	first := c.Holds
	if len(first) != 1 || first[0].Search == "" || string(first[0].Model) != c.Outcome.Model {
		t.Fatalf("%+v", c)
	}
	for _, in.Retrain = range []bool{false, false, true} {
		b.run(t, b.a.Trial, in, new(TrialResult))
		after := holds()
		if diff := cmp.Diff(first, after.Holds); diff != "" || after.Outcome.Model != c.Outcome.Model || after.Cost.Cached {
			t.Errorf("%s %+v", diff, after)
		}
	}
}

// A search whose name was removed, and which is reset to go on, has a record that
// leads to all it needs.
func TestRecordOfASearchThatWasRemoved(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := LearnInput{Name: "s", Config: b.ref, CheckpointEvery: 1}
	p := b.proposals(t)[0]
	in.Results = []Row{{Trial: search.Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: trainer.OK, Validation: .5, Test: .5}}}
	remove := func() {
		if err := b.store.DeleteName(t.Context(), store.Search, "s"); err != nil {
			t.Fatal(err)
		}
	}
	check := func(status string) {
		t.Helper()
		r, err := library.ReadRecord(t.Context(), b.store, "s")
		if err != nil || r.Name != "s" || r.Config != b.ref || r.Ledger == "" || r.State == "" || r.Costs == "" || r.Status != status {
			t.Errorf("%+v, %v", r, err)
		}
	}
	remove()
	var out LearnOutput
	b.run(t, b.a.Learn, in, &out)
	check("running")
	remove()
	pos := Position{Ledger: out.Checkpoint.Ledger, State: out.Checkpoint.State, Costs: out.Checkpoint.Costs, Told: out.CheckpointTold,
		Digest: out.Digest}
	b.run(t, b.a.Finish, FinishInput{Name: "s", Config: b.ref, Position: pos, Status: "stopped"}, new(Finished))
	check("stopped")
}
