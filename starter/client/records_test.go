package client

import (
	"encoding/json"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/study"
)

// A record has the examples of all models, or of none where one's trainer keeps them elsewhere.
func TestRecordWithoutSomeExamples(t *testing.T) {
	s := store.NewMemory()
	c, judged := &Client{Store: s}, judgedLedger(t, s)
	record := library.SearchRecord{Name: "x", RunID: "r", Owner: "r", Status: "completed", Spec: json.RawMessage(`{}`)}
	if err := library.StartSearch(t.Context(), s, record); err != nil {
		t.Fatal(err)
	}
	l := &study.Ledger{Search: "x", Config: *judged.Config, Trials: judged.Trials, Costs: make([]search.Cost, len(judged.Trials))}
	for _, want := range []int{20, 0} {
		r, err := c.record(t.Context(), l, "starter run e")
		if err != nil {
			t.Fatal(err)
		}
		has := 0
		for _, row := range r.Rows {
			if row.Right != nil {
				has++
			}
		}
		if len(r.Rows) != 20 || has != want {
			t.Errorf("%d of %d rows have their examples, want %d", has, len(r.Rows), want)
		}
		l.Trials[7].Examples = "examples/churn/17"
	}
}
