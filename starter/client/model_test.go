package client

import (
	"fmt"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	"tnaml/nn/embedding"
)

// A model that was not kept is trained again as it was: the object is the same.
func TestRetrainedIsTheSameModel(t *testing.T) {
	s := store.NewMemory()
	var examples []text.Example
	for i := range 400 { // what the validation split teaches, and the training split does not, shows on the test split
		split, word := data.Train, []string{"good", "bad"}[i%2]
		if i >= 200 {
			split, word = []string{data.Validation, data.Test}[i/2%2], []string{"bad odd odd", "good odd odd"}[i%2]
		}
		examples = append(examples, text.Example{Text: fmt.Sprintf("a %s thing, number %d", word, i%23), Label: []string{"pos", "neg"}[i%2],
			Split: split})
	}
	built, err := text.Build(examples, data.Options{Name: "things", MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), s, built, false); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m", Dim: 2, Tokens: []string{"good", "bad"}, Vectors: []float32{1, 0, -1, 0}}
	if _, err := library.PublishModule(t.Context(), s, m, false); err != nil {
		t.Fatal(err)
	}
	config, _, err := library.Pin(t.Context(), s, library.Names{Tasks: []string{"things"}, Strategy: strategy.Random, Space: "text-small",
		Seed: 1, Lag: 3})
	if err != nil {
		t.Fatal(err)
	}
	searcher, err := search.New(*config)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Store: s}
	var rows []search.Trial
	for i := range 3 {
		p, err := searcher.Ask(i)
		if err != nil {
			t.Fatal(err)
		}
		// As a worker is asked.
		result, err := trainers.NewBuiltin(s, memory.New(1<<20)).Run(t.Context(), trainer.Request{
			Trial: i, Task: config.Tasks[0], Choices: p.Choices, Objects: config.Objects(), Settings: config.Space.Settings,
			Seed: p.Seed, Objective: config.Space.Objective, Limits: trainer.Limits{MemoryBytes: 1 << 30},
		}, func(trainer.Progress) error { return nil })
		if err != nil || result.Encode == nil {
			t.Fatalf("%+v, %v", result, err)
		}
		again, err := c.retrain(t.Context(), config, search.NewTrial(p, result.Outcome, config.Space.Objective))
		if err != nil || again != string(store.RefOf(result.Encode())) {
			t.Errorf("trial %d: %s, %v: another model", i, again, err)
		}
		row := search.NewTrial(p, result.Outcome, config.Space.Objective)
		rows = append(rows, row)
	}
	// A refitted one is another, says that it is, and by which value it was chosen; what it
	// says of the test split is its own.
	l := &Ledger{Name: "s", Config: config, Trials: rows}
	changed := false
	for at, was := range rows {
		b, r, err := c.refit(t.Context(), l, at)
		if err != nil {
			t.Fatal(err)
		}
		m, err := exported.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if i := m.Info; !i.Refitted || i.Trial != at || i.Validation != was.Metrics["validation_accuracy"] || r.Refitted == nil ||
			i.Test != r.Refitted.Test || r.Metrics["test_accuracy"] != was.Metrics["test_accuracy"] {
			t.Errorf("%+v of %+v, %+v", i, was, r.Refitted)
		}
		changed = changed || m.Info.Test != was.Metrics["test_accuracy"]
		right := 0
		for i := range built.Test.Len() {
			var words []string
			for _, id := range built.Test.IDs[built.Test.Offsets[i]:built.Test.Offsets[i+1]] {
				words = append(words, built.Vocabulary[id])
			}
			p := m.Predict([]string{strings.Join(words, " ")}, nil)[0]
			if p.Label == built.Labels[built.Test.Labels[i]] {
				right++
			}
		}
		if got := float64(right) / float64(built.Test.Len()); got != m.Info.Test {
			t.Errorf("trial %d: it has %v of the test split right, and says %v", at, got, m.Info.Test)
		}
	}
	if !changed {
		t.Error("no refitted model has another test accuracy than before: nothing is tried")
	}
	l.Trials[0].Status = trainer.Diverged
	if _, _, err := c.refit(t.Context(), l, 0); err == nil || !strings.Contains(err.Error(), "nothing to refit") {
		t.Errorf("a model that there is none of: %v", err)
	}
	config.Space.Trainer = "elsewhere"
	if _, err := c.retrain(t.Context(), config, search.Trial{}); err == nil {
		t.Error("a model of another trainer was trained")
	}
}

// A trial that is named by its number must be of the task that is named beside it.
func TestAPickedTrialIsOfItsTask(t *testing.T) {
	l := &Ledger{Name: "s", Config: &search.Config{Tasks: []search.Task{{Name: "north"}, {Name: "south"}}},
		Trials: []search.Trial{{Trial: 0, Task: 0}, {Trial: 1, Task: 1}}}
	for _, c := range []struct {
		pick Pick
		want string
	}{
		{Pick{Trial: 1}, ""},
		{Pick{Trial: 1, Task: "south"}, ""},
		{Pick{Trial: 1, Task: "north"}, "trial 1 is of the task south, not of north"},
		{Pick{Trial: 1, Task: "east"}, `no task "east" (there are: north, south)`},
		{Pick{Trial: 2}, "there is no trial 2"},
		{Pick{Trial: 2, Task: "north"}, "there is no trial 2"},
		{Pick{Trial: -1}, "several tasks: choose one (north, south)"},
	} {
		at, err := new(Client).picked(t.Context(), l, c.pick)
		if c.want == "" && (err != nil || at != c.pick.Trial) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %d, %v, want %q", c.pick, at, err, c.want)
		}
	}
}
