package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/client"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// named runs a search under a name.
func (f *fixture) named(t *testing.T, name, spec string) (*workflows.SearchResult, error) {
	t.Helper()
	f.reset(t)
	f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: name})
	return f.run(t, spec)
}

// must is named for a search that must succeed.
func (f *fixture) must(t *testing.T, name, spec string) *workflows.SearchResult {
	t.Helper()
	r, err := f.named(t, name, spec)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// sometimes is a trainer of which every seventh trial fails.
func sometimes(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
	if r.Trial%7 == 3 {
		return trainer.Outcome{Status: trainer.Failed, Reason: "it was the seventh"}, nil
	}
	return plain(ctx, r)
}

// lose makes a search's state one that has been collected.
func lose(t *testing.T, s store.Store, name string) {
	t.Helper()
	err := store.Update(t.Context(), s, store.Search, name, func(old []byte) ([]byte, error) {
		var r library.SearchRecord
		if err := json.Unmarshal(old, &r); err != nil {
			return nil, err
		}
		r.State = store.RefOf([]byte("collected"))
		return json.Marshal(r)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// k trials and N − k more, in another search, are N trials, bit for bit: rows, figures
// and controller.
func TestSearchGoesOnFromAnother(t *testing.T) {
	for _, c := range []struct {
		strategy string
		lost     bool
	}{{"random", false}, {"naml", false}, {"naml", true}} {
		t.Run(fmt.Sprint(c.strategy, " state lost ", c.lost), func(t *testing.T) {
			f := newFixture(t)
			f.train = sometimes
			spec := func(trials int) string {
				return fmt.Sprintf(`{"tasks":["tiny"],"strategy":%q,"trials":%d,"checkpoint_every":15,"seed":5}`, c.strategy, trials)
			}
			want := f.must(t, "whole", spec(60))
			f.must(t, "first", spec(17))
			before, err := library.ReadRecord(t.Context(), f.store, "first")
			if err != nil {
				t.Fatal(err)
			}
			if c.lost {
				lose(t, f.store, "first")
			}
			f.must(t, "second", `{"from":"first","trials":41}`)
			p := f.progress(t)
			if p.From != "first" || p.Told != 41 || p.Trials != 41 || len(p.Tasks) != 1 || p.Seed != 5 || p.Strategy != c.strategy {
				t.Errorf("progress: %+v", p)
			}
			got := f.must(t, "third", `{"from":"second","trials":60,"checkpoint_every":7}`)
			if diff := cmp.Diff(f.ledger(t, want), f.ledger(t, got)); diff != "" {
				t.Errorf("the ledger differs: %s", diff)
			}
			got.Ledger, got.Costs = want.Ledger, want.Costs // their segments have other boundaries
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the result differs: %s", diff)
			}
			record, err := library.ReadRecord(t.Context(), f.store, "third")
			if diff := cmp.Diff([]library.Origin{{Search: "first", Trials: 17}, {Search: "second", Trials: 41}}, record.Origins); err != nil ||
				diff != "" {
				t.Errorf("%v, %s", err, diff)
			}
			whole, err := library.ReadRecord(t.Context(), f.store, "whole")
			if err != nil || record.State != whole.State {
				t.Errorf("the state is %s, of the whole search %s, %v", record.State, whole.State, err)
			}
			costs, err := library.ReadCosts(t.Context(), f.store, record.Costs)
			if err != nil || len(costs) != 60 || costs[59].Trial != 59 {
				t.Errorf("%d costs, %v", len(costs), err)
			}
			after, err := library.ReadRecord(t.Context(), f.store, "first")
			if before.State = after.State; cmp.Diff(before, after) != "" || err != nil {
				t.Errorf("the first search changed: %s, %v", cmp.Diff(before, after), err)
			}
		})
	}
}

// One that is paused while it looks up what it goes on from is listed so when it has found it.
func TestPausedBeforeItGoesOn(t *testing.T) {
	f := newFixture(t)
	f.must(t, "first", `{"tasks":["tiny"],"strategy":"random","trials":10}`)
	f.reset(t)
	paused := false
	f.refuse = func(activities.ResolveInput) error {
		if !paused {
			f.SignalWorkflow(workflows.Pause, "lunch")
			paused = true
			return errors.New("the store is away") // for a second
		}
		return nil
	}
	f.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "second"})
	listed := f.statuses()
	f.RegisterDelayedCallback(func() {
		if want := []string{"running", "paused"}; !slices.Equal(*listed, want) || f.progress(t).Before != 10 {
			t.Errorf("listed as %v, want %v", *listed, want)
		}
		f.SignalWorkflow(workflows.Resume, nil)
	}, time.Hour)
	if r, err := f.run(t, `{"from":"first","trials":12}`); err != nil || r.Trials != 12 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What goes on keeps what it is by; its strategy may be set otherwise where its state
// has a place.
func TestSearchIsForked(t *testing.T) {
	f := newFixture(t)
	f.must(t, "first", `{"tasks":["tiny"],"trials":20,"checkpoint_every":15}`)
	other := `{"from":"first","trials":50,"checkpoint_every":10,"settings":{"policy_gradient":{"learning_rate":0.02}}}`
	want := f.must(t, "fork", other)
	plainly := f.must(t, "on", `{"from":"first","trials":50,"checkpoint_every":10}`)
	a, b := f.ledger(t, want), f.ledger(t, plainly)
	if diff := cmp.Diff(a[:20], b[:20]); diff != "" {
		t.Errorf("what was told before differs: %s", diff)
	}
	if cmp.Diff(a, b) == "" || want.Controller == plainly.Controller || want.Config == plainly.Config {
		t.Error("the fork is not another search")
	}
	config, err := library.ReadConfig(t.Context(), f.store, want.Config)
	if err != nil || config.Fork == nil || *config.Fork != (search.Fork{Config: string(f.configOf(t, "first")), Trials: 20}) {
		t.Fatalf("%+v, %v", config, err)
	}
	// Forked again after its state was lost, it is told anew: first under the old
	// settings, then under the new.
	lose(t, f.store, "fork")
	kept := f.must(t, "long", `{"from":"fork","trials":60}`)
	f.must(t, "half", strings.Replace(other, `"trials":50`, `"trials":60`, 1))
	half, err := library.ReadRecord(t.Context(), f.store, "half")
	if err != nil || kept.Controller != half.Controller {
		t.Errorf("a fork told anew has the controller %s, want %s, %v", kept.Controller, half.Controller, err)
	}

	for spec, want := range map[string][]string{
		`{"from":"frist"}`:                           {`search "frist"`, "first"},
		`{"from":"first"}`:                           {"20 trials", `"trials"`, "more than 20"},
		`{"from":"first","trials":30,"tasks":["x"]}`: {`"tasks"`, "keeps"},
		`{"from":"first","trials":30,"lag":2,"seed":7,"space":"text"}`:                  {`"lag"`, `"seed"`, `"space"`, "keeps"},
		`{"from":"first","trials":30,"settings":{"controller":{"hidden":7}}}`:           {"controller.hidden", "settings", "new search"},
		`{"from":"first","trials":30,"settings":{"policy_gradient":{"method":"trpo"}}}`: {"settings", "policy_gradient/optimizer"},
		`{"from":"first","trials":30,"settings":{"policy_gradient":{"colour":"red"}}}`:  {"colour"},
		`{"from":"first","trials":30,"parallel":30}`:                                    {`"parallel" is 30`},
	} {
		_, err := f.named(t, "bad", spec)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", spec, w, err)
			}
		}
		// It is on record with its reason, and holds no name.
		record, err := library.ReadRecord(t.Context(), f.store, "bad")
		if err != nil || record.Status != "failed" || record.Reason == "" || record.Ended.IsZero() {
			t.Errorf("%s: the record is %+v, %v", spec, record, err)
		}
		if err := library.SearchHeld(t.Context(), f.store, "bad", "another"); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func (f *fixture) configOf(t *testing.T, name string) store.Ref {
	t.Helper()
	r, err := library.ReadRecord(t.Context(), f.store, name)
	if err != nil {
		t.Fatal(err)
	}
	return r.Config
}
