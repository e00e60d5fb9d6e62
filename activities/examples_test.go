package activities

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// A trial that asks for its examples has them stored and held for its search, whatever
// the trial cache knew before; one that does not ask gets none.
func TestTrialKeepsItsExamples(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	in.Keep = reward(1) // nothing exceeds it
	trial := func() (r TrialResult) {
		t.Helper()
		b.run(t, b.a.Trial, in, &r)
		return r
	}
	plain := trial()
	if plain.Status != trainer.OK || plain.Examples != "" {
		t.Fatalf("not asked for: %+v", plain)
	}
	in.Examples = true
	asked := trial()
	if asked.Cost.Cached || asked.Examples == "" {
		t.Fatalf("a hit without examples: %+v", asked)
	}
	object, err := b.store.Get(t.Context(), store.Ref(asked.Examples))
	if err != nil {
		t.Fatal(err)
	}
	right, err := trainer.DecodeRight(object)
	if err != nil || right.Validation.Share() != asked.Metrics["validation_accuracy"] || right.Test.Share() != asked.Metrics["test_accuracy"] {
		t.Errorf("%+v of %v; %v", right, asked.Metrics, err)
	}
	again := trial()
	if diff := cmp.Diff(asked.Outcome, again.Outcome); diff != "" || !again.Cost.Cached {
		t.Errorf("the cache: %s %+v", diff, again.Cost)
	}
	// A model, wanted later, does not cost the examples.
	in.Keep, in.Examples = nil, false
	if kept := trial(); kept.Model == "" || kept.Examples != "" || kept.Cost.Cached {
		t.Errorf("the model: %+v", kept)
	}
	in.Examples = true
	both := trial()
	if both.Model == "" || both.Examples != asked.Examples || !both.Cost.Cached {
		t.Errorf("both: %+v", both)
	}
	entries, err := b.store.Names(t.Context(), store.Trial, "")
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d records of trials, %v", len(entries), err)
	}
	value, _, err := b.store.GetName(t.Context(), store.Trial, entries[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	var record library.CachedTrial
	if err := json.Unmarshal(value, &record); err != nil {
		t.Fatal(err)
	}
	name := record.Holds[0].Search
	want := []library.Hold{
		{Search: name, Examples: store.Ref(both.Examples)},
		{Search: name, Model: store.Ref(both.Model)},
		{Search: name, Model: store.Ref(both.Model), Examples: store.Ref(both.Examples)},
	}
	for i, h := range record.Holds {
		if h.Line == "" || h.Since.IsZero() {
			t.Errorf("%+v", h)
		}
		record.Holds[i].Line, record.Holds[i].Since = "", time.Time{}
	}
	if diff := cmp.Diff(want, record.Holds); diff != "" {
		t.Error(diff)
	}
}
