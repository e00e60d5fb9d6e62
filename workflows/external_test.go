package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/trainer"
)

// folds publishes external tasks: the folds of a table that is elsewhere.
func (f *fixture) folds(t *testing.T, names ...string) {
	t.Helper()
	for i, name := range names {
		spec := external.Spec{Parameters: json.RawMessage(fmt.Sprintf(`{"table": "sales", "fold": %d}`, i))}
		if _, _, err := library.PublishExternal(t.Context(), f.store, spec, nil, data.Options{Name: name}, false); err != nil {
			t.Fatal(err)
		}
	}
}

const ownSpace = `name: boosting
trainer: %s
objective: {metric: rmse, direction: minimise}
choices:
  - {name: depth, options: [2, 4, 8, 16]}
  - {name: rate, options: [0.3, 0.1, 0.03]}
  - {name: loss, options: [squared, absolute]}
`

// space publishes the space boosting for a trainer.
func (f *fixture) space(t *testing.T, of string) {
	t.Helper()
	sp, err := trainer.Load(fmt.Appendf(nil, ownSpace, of))
	if err != nil {
		t.Fatal(err)
	}
	if err := library.PublishSpace(t.Context(), f.store, sp, true); err != nil {
		t.Fatal(err)
	}
}

// Pretraining on external tasks, and transfer to others, need nothing of a task but its
// name: a trainer that the program does not know gets the parameters.
func TestExperimentOfExternalTasks(t *testing.T) {
	f := newFixture(t)
	f.folds(t, "north", "south", "east")
	f.resetExperiment(t)
	f.space(t, "boost")
	if _, err := library.PublishExperiment(t.Context(), f.store, []byte(`name: folds
space: boosting
checkpoint_every: 10
pretrain: [{tasks: [north, south], trials: 24}]
transfer: {tasks: [east], trials: 12, arms: [{name: transferred, strategy: naml, from: multitask}, random]}
`), false); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]string{}
	f.train = func(_ context.Context, r trainer.Request) (trainer.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.Task.Name] = r.Task.Kind + " " + r.Task.Data + string(r.Task.Parameters)
		return trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"rmse": 10 - reward(r.Trial, r.Choices)}}, nil
	}
	result, err := f.runAs(t, catalog.KindExperiment, "folds-1", `{"experiment":"folds"}`, nil)
	if err != nil || result.Failed != 0 || len(result.Controllers) != 1 || result.Trials != 24+2*12 {
		t.Fatalf("%+v, %v", result, err)
	}
	for i, name := range []string{"north", "south", "east"} {
		if want := fmt.Sprintf(`external {"fold":%d,"table":"sales"}`, i); asked[name] != want {
			t.Errorf("the trainer was asked for %s of %s, want %s", asked[name], name, want)
		}
	}
	// The digest of a search pins the parameters: another fold under the same name is
	// another search.
	digest := func(name string) string {
		config, _, err := library.Pin(t.Context(), f.store, library.Names{Tasks: []string{name}, Strategy: "random", Space: "boosting", Lag: 1})
		if err != nil {
			t.Fatal(err)
		}
		card, err := library.CardOf(t.Context(), f.store, config.Tasks[0])
		if err != nil || card.Kind() != data.External || string(card.External.Parameters) != string(config.Tasks[0].Parameters) {
			t.Errorf("%+v, %v", card, err)
		}
		return config.Digest()
	}
	before := digest("north")
	if _, _, err := library.PublishExternal(t.Context(), f.store, external.Spec{Parameters: json.RawMessage(`{"fold": 9}`)}, nil,
		data.Options{Name: "north"}, true); err != nil {
		t.Fatal(err)
	}
	if digest("north") == before {
		t.Error("the parameters are not in the digest")
	}
	// The card of what the name stood for is that of the search.
	if card, err := library.CardOf(t.Context(), f.store, trainer.Task{Name: "north", Kind: "external",
		Parameters: json.RawMessage(`{"fold":0}`)}); err != nil || string(card.External.Parameters) != `{"fold":0}` {
		t.Errorf("%+v, %v", card, err)
	}
}

// Trainers that the program has take no external tasks, and say so.
func TestExternalTasksAreForOthers(t *testing.T) {
	f := newFixture(t)
	f.folds(t, "north")
	for space, want := range map[string]string{
		"":           "tasks of kind external have no search space of their own",
		"text-small": "for the trainer builtin, which takes no tasks of kind external",
	} {
		f.reset(t)
		_, err := f.run(t, `{"tasks":["north"],"trials":3,"space":"`+space+`"}`)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", space, err)
		}
	}
	f.reset(t)
	if _, err := f.run(t, `{"tasks":["north","tiny"],"trials":3,"space":"text-small"}`); err == nil ||
		!strings.Contains(err.Error(), "one controller designs models of one kind") {
		t.Error(err)
	}
}
