package gc_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// The examples of a search's trials are kept as long as its ledger, however few models
// are; before they are in it, the trial cache holds them for the search.
func TestExamplesStayWithTheLedger(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	run(t, s, "recorded", workflows.SearchWorkflow, `{"tasks":["t2"],"strategy":"random","modules":["m1"],"space":"text-small",`+
		`"trials":9,"seed":5,"keep_models":0,"examples":true,"checkpoint_every":4}`)
	record, err := library.ReadRecord(t.Context(), s, "recorded")
	if err != nil {
		t.Fatal(err)
	}
	trials, err := library.ReadLedger(t.Context(), s, record.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	held, err := s.Put(t.Context(), (&trainer.Right{}).Encode())
	if err != nil {
		t.Fatal(err)
	}
	holds := fmt.Appendf(nil, `{"holds":[{"search":"paused","examples":"%s"}]}`, held)
	if _, err := s.SetName(t.Context(), store.Trial, "key", holds, ""); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(library.SearchRecord{Name: "paused", Config: record.Config, Status: "running"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetName(t.Context(), store.Search, "paused", b, ""); err != nil {
		t.Fatal(err)
	}
	kept := func() (n int, heldToo bool) {
		advance(2 * gc.DefaultGrace)
		collect(t, s, gc.Options{})
		there := refs(t, s)
		for _, trial := range trials {
			if trial.OK() && there[store.Ref(trial.Examples)] {
				n++
			}
		}
		return n, there[held]
	}
	ok := 0
	for _, trial := range trials {
		if trial.OK() {
			ok++
		}
		if trial.Model != "" {
			t.Errorf("trial %d: the model %s is kept", trial.Trial, trial.Model)
		}
	}
	if n, heldToo := kept(); ok == 0 || n != ok || !heldToo {
		t.Errorf("of %d trials' examples %d are kept; those held %v", ok, n, heldToo)
	}
	remove(t, s, store.Search, "recorded")
	remove(t, s, store.Search, "paused")
	remove(t, s, store.Search, "two") // which may have the same ones right
	if n, heldToo := kept(); n != 0 || heldToo {
		t.Errorf("of a search that was removed, the examples of %d trials are kept; those held %v", n, heldToo)
	}
}
