package search

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Trials of another search are taken over by the names of choices and the values of
// options, with rewards by the objective of who learns from them.
func TestSourcesOf(t *testing.T) {
	past := func(name string, change func(*Config)) Past {
		c := &Config{Tasks: []Task{{Name: "a", Data: "A"}, {Name: "b", Data: "B"}}}
		c.Space = space.Space{Name: "past", Trainer: "t", Choices: []space.Choice{
			{Name: "depth", Options: []any{1, 2, 4}}, {Name: "loss", Options: []any{"x", "y"}},
		}, Objective: space.Objective{Metric: "accuracy", Direction: space.Maximise}}
		if change != nil {
			change(c)
		}
		ok := func(i, task int, accuracy float64, actions ...int) Trial {
			return Trial{Trial: i, Task: task, Actions: actions, Status: trainer.OK, Validation: accuracy, Reward: accuracy,
				Metrics: map[string]float64{"validation_accuracy": accuracy, "validation_loss": 1 - accuracy}}
		}
		trials := []Trial{
			ok(0, 0, .5, 0, 0), ok(1, 1, .75, 2, 1), {Trial: 2, Task: 1, Actions: []int{1, 0}, Status: trainer.Failed, Reward: .75},
			ok(3, 1, .25, 1, 0), ok(4, 0, 1, 2, 0),
		}
		trials[4].Metrics = map[string]float64{"validation_accuracy": 1}
		return Past{name, c, trials}
	}
	of := func(metric, direction string, options ...any) *Config {
		return &Config{Tasks: []Task{{Name: "new", Data: "N"}}, Space: space.Space{Name: "own", Trainer: "t", Choices: []space.Choice{
			{Name: "loss", Options: []any{"y", "x"}}, {Name: "depth", Options: options},
		}, Objective: space.Objective{Metric: metric, Direction: space.Direction(direction)}}}
	}
	own := of("accuracy", string(space.Maximise), 4, 2, 8, 1)
	sources, taken, err := own.SourcesOf([]Past{past("one", nil)})
	want := []strategy.Source{
		{Task: "a", Trials: []strategy.Known{{Actions: []int{1, 3}, Status: trainer.OK, Reward: .5},
			{Actions: []int{1, 0}, Status: trainer.OK, Reward: 1}}},
		{Task: "b", Trials: []strategy.Known{{Actions: []int{0, 0}, Status: trainer.OK, Reward: .75},
			{Actions: []int{1, 1}, Status: trainer.Failed, Reward: .75}, {Actions: []int{1, 1}, Status: trainer.OK, Reward: .25}}},
	}
	if diff := cmp.Diff(want, sources); diff != "" || err != nil || taken[0] != 5 {
		t.Errorf("%s; %v, %v", diff, taken, err)
	}
	// External tasks with one object and other parameters are different ones.
	for parameters, n := range map[string]int{`{"fold":1}`: 5, `{"fold":2}`: 3} {
		own = of("accuracy", string(space.Maximise), 4, 2, 8, 1)
		own.Tasks[0].Data, own.Tasks[0].Parameters = "A", json.RawMessage(parameters)
		folds := past("one", func(c *Config) { c.Tasks[0].Parameters = json.RawMessage(`{"fold":2}`) })
		if _, taken, err := own.SourcesOf([]Past{folds}); err != nil || taken[0] != n {
			t.Errorf("%s: %v, %v", parameters, taken, err)
		}
	}
	// Of two searches that know a task, it is one source; the search's own tasks are none,
	// whatever they are called, and an option that it lacks leaves out the trial.
	own = of("loss", string(space.Minimise), 1, 2)
	own.Tasks[0].Data = "A"
	sources, taken, err = own.SourcesOf([]Past{past("one", nil), past("two", nil)})
	known := []strategy.Known{{Actions: []int{1, 1}, Status: trainer.Failed}, {Actions: []int{1, 1}, Status: trainer.OK, Reward: -.75}}
	known[0].Reward = -.25 // of a trial before it, which is left out
	want = []strategy.Source{{Task: "b", Trials: append(known, known...)}}
	if diff := cmp.Diff(want, sources); diff != "" || err != nil || taken[0] != 2 || taken[1] != 2 {
		t.Errorf("%s; %v, %v", diff, taken, err)
	}
	_, _, err = own.SourcesOf([]Past{
		past("wide", func(c *Config) { c.Space.Choices[0].Name = "width" }),
		past("foreign", func(c *Config) { c.Space.Trainer = "u" }),
		past("same", func(c *Config) { c.Tasks[0].Name, c.Tasks[1].Name = "new", "new" }),
	})
	if !says(err, `"wide"`, `has the choice "width" more`, `lacks the choice "depth"`, `"foreign"`, "of the trainer u",
		`"same"`, "none of its 5 trials") {
		t.Error(err)
	}
}

// A whole number is the same option beside others that are not whole.
func TestSourcesOfWholeNumbers(t *testing.T) {
	config := func(task string, options string) *Config {
		c := &Config{Tasks: []Task{{Name: task, Data: task}}}
		sp := `{"name":"x","trainer":"t","choices":[{"name":"rate","options":` + options + `}]}`
		if err := json.Unmarshal([]byte(sp), &c.Space); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for old, own := range map[string]string{`[1, 2]`: `[0.5, 2, 1]`, `[0.25, 2, 1]`: `[4, 1, 2]`} {
		past := Past{"old", config("a", old), nil}
		for i := range past.Config.Space.Options()[0] {
			past.Trials = append(past.Trials, Trial{Trial: i, Actions: []int{i}, Status: trainer.OK})
		}
		sources, taken, err := config("b", own).SourcesOf([]Past{past})
		if err != nil || taken[0] != 2 {
			t.Errorf("%s in %s: %v are taken of %d, %v, %v", old, own, taken, len(past.Trials), sources, err)
		}
	}
}

// Of too many trials each source keeps its share, evenly spread.
func TestThin(t *testing.T) {
	var sources []strategy.Source
	for _, n := range []int{900, 100, 1} {
		s := strategy.Source{}
		for i := range n {
			s.Trials = append(s.Trials, strategy.Known{Reward: float64(i) / float64(n)})
		}
		sources = append(sources, s)
	}
	thin(sources, 101)
	if a, b, c := sources[0].Trials, sources[1].Trials, sources[2].Trials; len(a) != 90 || len(b) != 10 || len(c) != 1 ||
		a[45].Reward != .5 || b[5].Reward != .5 {
		t.Errorf("%d, %d, %d", len(a), len(b), len(c))
	}
}
