package gc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/workflows"
)

// long runs a search that finds better models for a while, and returns its ledger.
func long(t *testing.T, s store.Store, name string) (*search.Config, []search.Trial) {
	t.Helper()
	run(t, s, name, workflows.SearchWorkflow,
		`{"tasks":["t2"],"strategy":"random","modules":["m1"],"space":"text-small","checkpoint_every":10,"trials":60,"seed":4}`)
	record, err := library.ReadRecord(t.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	trials, err := library.ReadLedger(t.Context(), s, record.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	config, err := library.ReadConfig(t.Context(), s, record.Config)
	if err != nil {
		t.Fatal(err)
	}
	return config, trials
}

// A search that was reset after its end goes on: what it is given from then on is
// held for it, also before its next checkpoint says so.
func TestAResetSearchHoldsItsModels(t *testing.T) {
	s := world(t)
	advance, at := clockOf(s), time.Now()
	long(t, s, "long")
	for _, reset := range []bool{false, true} {
		model, err := s.Put(t.Context(), fmt.Appendf(nil, "model of a trial after a reset: %v", reset))
		if err != nil {
			t.Fatal(err)
		}
		if reset {
			advance(time.Second)
		}
		record, err := library.ReadRecord(t.Context(), s, "long")
		if err != nil {
			t.Fatal(err)
		}
		by := record.Line
		if reset {
			by = "a run that the record has not seen"
		}
		b, err := json.Marshal(library.CachedTrial{Holds: []library.Hold{{Search: "long", Line: by, Since: at, Model: model}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetName(t.Context(), store.Trial, fmt.Sprint("key ", reset), b, ""); err != nil {
			t.Fatal(err)
		}
		advance(2 * gc.DefaultGrace)
		at = at.Add(2 * gc.DefaultGrace)
		collect(t, s, gc.Options{})
		if kept := refs(t, s)[model]; kept != reset {
			t.Errorf("reset %v: kept %v", reset, kept)
		}
		change(t, s, "long", func(r *library.SearchRecord) { r.Told++ }) // now
	}
}

// change changes a search's record.
func change(t *testing.T, s store.Store, name string, change func(*library.SearchRecord)) {
	t.Helper()
	record, err := library.ReadRecord(t.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	change(&record)
	b, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(t.Context(), s, store.Search, name, func([]byte) ([]byte, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
}

// Of a finished search the models of the ten best trials are kept. Those which were
// among the ten best for a while go with the next collection; their rows stay, and
// who asks for such a model is told the way out.
func TestAFinishedSearchKeepsItsBestModels(t *testing.T) {
	s := world(t)
	advance := clockOf(s)
	config, trials := long(t, s, "long")
	top, _ := metrics.AccuracyTopN(trials, 0, search.TopN)
	best := map[store.Ref]bool{}
	for _, trial := range top.Trials {
		best[store.Ref(trial.Model)] = true
	}
	advance(2 * gc.DefaultGrace)
	collect(t, s, gc.Options{})
	there, ever := 0, map[store.Ref]bool{}
	for _, trial := range trials {
		ref := store.Ref(trial.Model)
		if ref == "" || ever[ref] {
			continue
		}
		ever[ref] = true
		kept := refs(t, s)[ref]
		if kept {
			there++
		}
		if kept != best[ref] {
			t.Errorf("trial %d: one of the ten best %v, its model kept %v", trial.Trial, best[ref], kept)
		}
		_, err := library.ExportModel(t.Context(), clone(t, s), "long", config, trial)
		if kept != (err == nil) || !kept && !strings.Contains(err.Error(), "--retrain") {
			t.Errorf("trial %d: kept %v, exported: %v", trial.Trial, kept, err)
		}
	}
	t.Logf("%d of %d models are kept", there, len(ever))
	if len(ever) <= len(best) {
		t.Errorf("only %d models in all: the search says nothing", len(ever))
	}
	openAll(t, s)
}
