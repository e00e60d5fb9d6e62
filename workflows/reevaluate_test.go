package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tnaml/activities/library"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// A search trains the best models of another again: those that differ, in turn, by the
// objects of before, with seeds and splits of its own, and says so on record.
func TestReevaluation(t *testing.T) {
	f := newFixture(t)
	first := f.must(t, "first", `{"tasks":["tiny"],"strategy":"random","trials":20,"seed":5,"examples":true,"keep_models":3}`)
	config, err := library.ReadConfig(t.Context(), f.store, f.configOf(t, "first"))
	if err != nil {
		t.Fatal(err)
	}
	top, _ := metrics.AccuracyTopN(f.ledger(t, first), 0, 4)
	var mu sync.Mutex
	seen := map[uint64]bool{}
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		if !(trainer.Builtin{}).Reshuffles(r.Settings) || r.Examples || seen[r.Seed] {
			t.Errorf("trial %d: settings %s, examples %v, seed %d", r.Trial, r.Settings, r.Examples, r.Seed)
		}
		seen[r.Seed] = true
		return plain(ctx, r)
	}
	spec := `{"from":"first","reevaluate":{"top":4,"repeats":3}}`
	result := f.must(t, "again", spec)
	if result.Status != "completed" || result.Trials != 12 {
		t.Errorf("%+v", result)
	}
	record, err := library.ReadRecord(t.Context(), f.store, "again")
	if err != nil || record.Reevaluated == nil {
		t.Fatalf("%+v, %v", record, err)
	}
	again, err := library.ReadConfig(t.Context(), f.store, record.Config)
	if err != nil {
		t.Fatal(err)
	}
	if r := record.Reevaluated; r.Search != "first" || r.Config != config.Digest() || r.Task != "tiny" || len(r.Trials) != 4 ||
		again.Strategy != strategy.Fixed || !again.Tasks[0].Same(config.Tasks[0]) || len(record.Origins) > 0 {
		t.Errorf("%+v of %+v", record.Reevaluated, again)
	}
	for i, row := range f.ledger(t, result) {
		if want := top.Trials[i%4]; record.Reevaluated.Trials[i%4] != want.Trial || fmt.Sprint(row.Actions) != fmt.Sprint(want.Actions) {
			t.Errorf("trial %d has %v, want those of trial %d, %v", i, row.Actions, want.Trial, want.Actions)
		}
	}
	for own, want := range map[string]string{
		`{"reevaluate":{"top":4,"repeats":3},"tasks":["tiny"]}`:                   `name it in "from"`,
		`{"from":"first","reevaluate":{"top":1,"repeats":1}}`:                     `"repeats" is 1`,
		`{"from":"first","reevaluate":{"top":4,"repeats":3,"task":"other"}}`:      `no task "other"`,
		`{"from":"first","reevaluate":{"top":4,"repeats":3},"trials":7}`:          `no "trials" of its own`,
		`{"from":"first","reevaluate":{"top":4,"repeats":3},"strategy":"tpe"}`:    `no "strategy" of its own`,
		`{"from":"first","reevaluate":{"top":4,"repeats":3},"parallel":100000}`:   "parallel",
		`{"from":"first","reevaluate":{"top":4,"repeats":3,"guard":"posterior"}}`: "guard",
	} {
		if _, err := f.named(t, "wrong", own); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not say %q", own, err, want)
		}
	}
}

// A re-evaluation trains all its models to the end: neither the budget that ended the
// other search nor its pruner are its own. What goes on from it is more of the same.
func TestReevaluationHasItsOwnBudget(t *testing.T) {
	f := newFixture(t)
	f.train = goals
	first := f.must(t, "first", `{"tasks":["tiny"],"strategy":"random","trials":40,"pruner":"median","budget":{"goal":0.3}}`)
	if first.Trials == 40 || !strings.Contains(first.Reason, "the goal is reached") {
		t.Fatalf("%+v", first)
	}
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		if r.Curve || r.Prune != nil {
			t.Errorf("trial %d may be pruned", r.Trial)
		}
		return plain(ctx, r)
	}
	again := f.must(t, "again", `{"from":"first","reevaluate":{"top":2,"repeats":3}}`)
	if again.Trials != 6 || again.Reason != "" {
		t.Errorf("%d trials: %s", again.Trials, again.Reason)
	}
	o, err := library.GoOn(t.Context(), f.store, "again", []byte(`{"from":"again","trials":8}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]string{"on": `{"from":"again","trials":8}`, "merged": string(o.Spec)} { // as the client has it
		on := f.must(t, name, spec)
		record, err := library.ReadRecord(t.Context(), f.store, name)
		if err != nil || on.Trials != 8 || strings.Contains(string(record.Spec), "reevaluate") || len(record.Origins) != 1 {
			t.Errorf("%s: %+v, %+v, %v", name, on, record, err)
		}
	}
}
