package activities

import (
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// A search starts from a copy of other searches' trials; what is wrong with their names
// is told together.
func TestResolveSources(t *testing.T) {
	b := newBench(t, strategy.Random) // its search "s" runs, of the task things
	config, err := library.ReadConfig(t.Context(), b.store, b.ref)
	if err != nil {
		t.Fatal(err)
	}
	config.Tasks[0].Name, config.Tasks[0].Data = "others", string(store.RefOf([]byte("others")))
	searcher, err := search.New(*config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		p, err := searcher.Ask(i)
		if err != nil {
			t.Fatal(err)
		}
		o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": float64(i%5) / 5}}
		if err := searcher.Tell(search.NewTrial(p, o, config.Space.Objective)); err != nil {
			t.Fatal(err)
		}
	}
	put := func(object []byte) store.Ref {
		t.Helper()
		ref, err := b.store.Put(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	past := library.SearchRecord{Name: "past", Owner: "o", Status: "stopped", Told: 12, Ledger: put(searcher.Segment(""))}
	if past.Config, err = library.PutConfig(t.Context(), b.store, config); err != nil {
		t.Fatal(err)
	}
	if err := library.StartSearch(t.Context(), b.store, past); err != nil {
		t.Fatal(err)
	}
	names := library.Names{Tasks: []string{"things"}, Strategy: strategy.Random, Space: "text-small", Seed: 1, Lag: 1,
		Sources: []string{"pasd", "s"}}
	err = b.try(b.a.Resolve, ResolveInput{Name: "new", Names: names}, new(Resolved))
	for _, want := range []string{`search "pasd": not found`, "past", `search "s" has not ended`, "random learns from no trials"} {
		if err == nil || !strings.Contains(err.Error(), want) || errorType(err) != ErrTypeInvalid {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	names.Strategy, names.Sources = strategy.Kindred, []string{"past"}
	var r Resolved
	b.run(t, b.a.Resolve, ResolveInput{Name: "new", Names: names}, &r)
	got, err := library.ReadConfig(t.Context(), b.store, r.Config)
	if err != nil {
		t.Fatal(err)
	}
	object, err := b.store.Get(t.Context(), store.Ref(got.Sources))
	if err != nil {
		t.Fatal(err)
	}
	_, sources, err := strategy.DecodeSources(object, &got.Space)
	if err != nil || len(sources) != 1 || sources[0].Task != "others" || len(sources[0].Trials) != 12 {
		t.Errorf("%+v, %v", sources, err)
	}
	record, err := library.ReadRecord(t.Context(), b.store, "new")
	if err != nil || len(record.Sources) != 1 || record.Sources[0] != (library.Taken{Search: "past", Trials: 12}) {
		t.Errorf("%+v, %v", record.Sources, err)
	}
	// The other search may go.
	if err := b.store.DeleteName(t.Context(), store.Search, "past"); err != nil {
		t.Fatal(err)
	}
	b.reset()
	b.run(t, b.a.Learn, LearnInput{Name: "new", Config: r.Config, CheckpointEvery: 4}, new(LearnOutput))
}
