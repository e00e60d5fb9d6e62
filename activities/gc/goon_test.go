package gc_test

import (
	"testing"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
)

// Who goes on from a search keeps its ledger and costs, also when its name is gone.
func TestWhoGoesOnKeepsTheBeginning(t *testing.T) {
	s := world(t)
	old, err := library.ReadRecord(t.Context(), s, "two")
	if err != nil {
		t.Fatal(err)
	}
	on := old
	on.Name, on.RunID, on.Origins = "further", "another", []library.Origin{{Search: "two", Trials: old.Told}}
	if err := library.StartSearch(t.Context(), s, on); err != nil {
		t.Fatal(err)
	}
	remove(t, s, store.Search, "two")
	clockOf(s)(2 * gc.DefaultGrace)
	collect(t, s, gc.Typed(gc.Options{}))
	ledger, err := library.ReadLedger(t.Context(), s, on.Ledger)
	if err != nil || len(ledger) != old.Told {
		t.Errorf("%d trials of %d, %v", len(ledger), old.Told, err)
	}
	if costs, err := library.ReadCosts(t.Context(), s, on.Costs); err != nil || len(costs) != old.Told {
		t.Errorf("%d costs, %v", len(costs), err)
	}
}
