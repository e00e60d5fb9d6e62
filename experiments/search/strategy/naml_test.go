package strategy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// says reports whether an error is there and has all of the words.
func says(err error, words ...string) bool {
	return err != nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(err.Error(), w) })
}

// textSpace is the space text-small with two modules.
func textSpace(t testing.TB) *space.Space {
	t.Helper()
	sp := must(space.Builtin("text-small"))(t)
	out := must(trainer.Find(sp.TrainerName()).Fill(sp, "text", []string{"m-16", "m-64"}))(t)
	return &out
}

// search is the loop around a strategy, as package search has it.
type search struct {
	Strategy
	start Start
	told  int
	ahead []Told
}

// begin starts a strategy with settings in textSpace.
func begin(t testing.TB, name, settings string, tasks int) *search {
	t.Helper()
	d := must(Builtin().Find(name))(t)
	s := &search{start: Start{Seed: 3, Space: textSpace(t), Settings: must(ParseSettings(name, json.RawMessage(settings)))(t)}}
	for i := range tasks {
		s.start.Tasks = append(s.start.Tasks, fmt.Sprintf("task-%d", i))
	}
	s.Strategy = must(d.New(s.start))(t)
	return s
}

// advance goes on to n trials told, with a lag; reward makes up a reward.
func (s *search) advance(t testing.TB, n, lag int, reward func(Told) float64) {
	t.Helper()
	for s.told < n {
		for len(s.ahead) < lag {
			p := Told{Trial: s.told + len(s.ahead), Status: trainer.OK}
			if n := len(s.start.Tasks); n > 1 {
				p.Task = rng.New(s.start.Seed, "search/task", uint64(p.Trial)).IntN(n)
			}
			p.Actions, p.LogProb = s.Ask(p.Trial, p.Task)
			s.ahead = append(s.ahead, p)
		}
		next := s.ahead[0]
		next.Reward = reward(next)
		if err := s.Tell(next); err != nil {
			t.Fatal(err)
		}
		s.ahead = s.ahead[1:]
		s.told++
	}
}

// controller is the object of what was learned.
func (s *search) controller() []byte {
	o := Origin{Space: *s.start.Space, Trials: s.told, Strategy: NAML, Seed: s.start.Seed, Settings: s.start.Settings}
	for _, name := range s.start.Tasks {
		o.Tasks = append(o.Tasks, trainer.Task{Name: name, Kind: "text", Data: "sha256:c"})
	}
	return EncodeController(s.Strategy.(Learner), o)
}

// chance is a reward that the trial alone decides.
func chance(told Told) float64 { return rng.New(9, "reward", uint64(told.Trial)).Float64() }

// pretrained learns a controller on two tasks.
func pretrained(t testing.TB, settings string, trials int) *Pretrained {
	t.Helper()
	s := begin(t, NAML, settings, 2)
	s.advance(t, trials, 1, chance)
	return must(DecodeController(s.controller()))(t)
}

// Two tasks that want opposite options: with task embeddings one controller
// learns both, without it can only learn one or neither (§2.2).
func TestTaskEmbeddingsTellTasksApart(t *testing.T) {
	const choice = 4 // activation, six options
	best := [2]int{0, 5}
	learn := func(embedding int) (probability [2]float64) {
		settings := fmt.Sprintf(`{"controller":{"task_embedding":%d},"policy_gradient":{"learning_rate":0.005,"entropy":0.005}}`, embedding)
		s := begin(t, NAML, settings, 2)
		s.advance(t, 1500, 2, func(told Told) float64 {
			switch told.Actions[choice] {
			case best[told.Task]:
				return .9
			case best[1-told.Task]:
				return .1
			}
			return .5
		})
		policy := s.Strategy.(*naml).policy
		for task := range probability {
			actions := make([]int, len(policy.Config().Options))
			policy.Greedy(task, actions)
			probability[task] = policy.Probabilities(task, actions)[choice][best[task]]
		}
		return probability
	}
	if p := learn(25); p[0] < .8 || p[1] < .8 {
		t.Errorf("with embeddings the tasks' best options have the probabilities %.2f", p)
	} else {
		t.Logf("with embeddings %.2f", p)
	}
	if p := learn(-1); min(p[0], p[1]) > .3 || p[0]+p[1] > 1.0001 {
		t.Errorf("without embeddings they have %.2f", p)
	} else {
		t.Logf("without embeddings %.2f", p)
	}
}

// The averages of §2.2, computed again from the formulas.
func TestBaselineIsThePapers(t *testing.T) {
	s := begin(t, NAML, `{"baseline":{"corrected":false}}`, 2)
	const alpha = 0.01
	var b, variance [2]float64
	var seen [2]bool
	for s.told < 60 {
		var task int
		s.advance(t, s.told+1, 1, func(told Told) float64 {
			r := chance(told)
			if task = told.Task; !seen[task] {
				seen[task], b[task], variance[task] = true, r, 0.01
			}
			b[task] = (1-alpha)*b[task] + alpha*r
			variance[task] = (1-alpha)*variance[task] + alpha*(r-b[task])*(r-b[task])
			return r
		})
		mean, sigma, _ := s.Strategy.(*naml).baseline.Moments(task)
		if d := mean - b[task]; d > 1e-12 || d < -1e-12 {
			t.Fatalf("b is %v, the formula gives %v", mean, b[task])
		}
		if d := sigma*sigma - variance[task]; d > 1e-12 || d < -1e-12 {
			t.Fatalf("σ² is %v, the formula gives %v", sigma*sigma, variance[task])
		}
	}
	if !seen[0] || !seen[1] {
		t.Error("both tasks should have been drawn")
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	p := pretrained(t, ``, 1)
	if err := p.Fits(textSpace(t)); err != nil || p.Differences(textSpace(t)) != nil {
		t.Fatal(err)
	}
	sp := textSpace(t)
	sp.Choices[0].Options = []any{"m-16", "m-128"}
	sp.Choices[3].Options = []any{int64(64), int64(32), int64(128)}
	sp.Choices[5].Name = "weather"
	differ := strings.Join(p.Differences(sp), "\n")
	for _, want := range []string{
		`choice "module": the search lacks m-64, the controller does not know m-128`,
		`choice "hidden_size": the options 64, 32, 128 stand in another order`, `choice "weather" is not among`,
		`choice "normalisation" of the controller`,
	} {
		if !strings.Contains(differ, want) {
			t.Errorf("%q is not in: %s", want, differ)
		}
	}
	if strings.Contains(differ, `"activation"`) {
		t.Errorf("an equal choice is named: %s", differ)
	}
	if err := p.Fits(sp); err != nil {
		t.Errorf("what it can grow into: %v", err)
	}
	sp = textSpace(t)
	sp.Choices[1], sp.Choices[2] = sp.Choices[2], sp.Choices[1]
	if differ := p.Differences(sp); len(differ) != 1 || !strings.Contains(differ[0], "order") || p.Fits(sp) != nil {
		t.Errorf("another order of choices: %q", differ)
	}
	// Nothing in common, neither a choice nor an option of one; another trainer.
	for i := range sp.Choices {
		sp.Choices[i].Name += "-2"
	}
	sp.Choices[0] = space.Choice{Name: "module", Options: []any{"m-1"}}
	if err := p.Fits(sp); !says(err, `"text-small"`, "knows nothing", `choice "module": the search lacks m-16, m-64`) {
		t.Errorf("nothing in common: %v", err)
	}
	sp = textSpace(t)
	sp.Trainer = "other"
	if err := p.Fits(sp); !says(err, "trainer builtin", "for other") {
		t.Errorf("another trainer: %v", err)
	}
	// Names, settings and the objective may differ: the actions mean the same.
	sp = textSpace(t)
	sp.Name, sp.Settings, sp.Objective.Metric = "another", json.RawMessage(`{"wide_ngrams":1}`), trainer.LogLoss
	if err := p.Fits(sp); err != nil {
		t.Errorf("equal choices: %v", err)
	}
}

// A whole number is an option that the controller knows beside others that are not whole.
func TestControllerKnowsWholeNumbers(t *testing.T) {
	p := pretrained(t, ``, 1)
	sp := textSpace(t)
	sizes := &sp.Choices[3]
	known := p.Space().Choices[3].Options
	sizes.Options = append([]any{.5}, sizes.Options...)
	for i, o := range sizes.Options[1:] {
		sizes.Options[i+1] = float64(o.(int64)) // as a choice with .5 among its options reads them
	}
	if got := p.grown(sp)[3].Options; got[0] != -1 || !slices.IsSorted(got) || len(got) != len(known)+1 || got[len(known)] != len(known)-1 {
		t.Errorf("%v of %v it knows at %v", sizes.Options, known, got)
	}
	if differ := p.Differences(sp); len(differ) != 1 || !strings.HasSuffix(differ[0], ": the controller does not know 0.5") {
		t.Error(differ)
	}
	sizes.Options = sizes.Options[1:]
	sp.Choices[0].Options = []any{"m-16"}
	if differ := strings.Join(p.Differences(sp), "\n"); strings.Contains(differ, "hidden_size") {
		t.Errorf("an equal choice is named: %s", differ)
	}
}

func TestDecodeControllerRefuses(t *testing.T) {
	s := begin(t, NAML, `{"controller":{"hidden":2,"layers":1}}`, 2)
	good := s.controller()
	if p := must(DecodeController(good))(t); p.Ref != digest(good) || len(p.Ref) != 71 {
		t.Errorf("reference %s", p.Ref)
	}
	for name, change := range map[string]func(){
		"too few tasks": func() { s.start.Tasks = s.start.Tasks[:1] },
		"another space": func() {
			sp := textSpace(t)
			sp.Choices = sp.Choices[1:]
			s.start.Tasks, s.start.Space = []string{"a", "b"}, sp
		},
	} {
		change()
		if p, err := DecodeController(s.controller()); err == nil {
			t.Errorf("%s: taken as %+v", name, p.Origin)
		}
	}
	if _, err := DecodeController(good[:len(good)-1]); err == nil {
		t.Error("a cut object was taken")
	}
	if _, err := DecodeController(nil); err == nil {
		t.Error("nothing was taken")
	}
}

// A controller of another shape than the settings' is refused, and a state of
// another shape.
func TestNAMLRefusesAnotherShape(t *testing.T) {
	p := pretrained(t, `{"controller":{"hidden":4}}`, 1)
	d := must(Builtin().Find(NAML))(t)
	start := Start{Seed: 1, Space: textSpace(t), Tasks: []string{"x"}, Settings: d.Defaults, Controller: p}
	if _, err := d.New(start); !says(err, "Hidden:4", "Hidden:50") {
		t.Errorf("%v", err)
	}
	start.Settings = must(SettingsFrom(NAML, nil, p))(t)
	if _, err := d.New(start); err != nil {
		t.Error(err)
	}
}

const architecture = `{"module":"m-64","fine_tune":true,"hidden_layers":2.0,"hidden_size":64,"activation":"swish",
	"normalisation":"none","dropout":0.2,"deep_learning_rate":0.03,"deep_regularisation":1e-4,
	"wide_learning_rate":1,"wide_regularisation":0,"steps":200}`

func TestFixedProposesOneArchitecture(t *testing.T) {
	s := begin(t, Fixed, `{"architecture":`+architecture+`}`, 2)
	want := []int{1, 1, 2, 1, 3, 0, 2, 2, 1, 5, 0, 2}
	s.advance(t, 20, 3, func(told Told) float64 {
		if !slices.Equal(told.Actions, want) {
			t.Fatalf("trial %d: %v", told.Trial, told.Actions)
		}
		return 0
	})
	d := must(Builtin().Find(Fixed))(t)
	for raw, want := range map[string][]string{
		`{}`: {"architecture", "each choice"},
		`{"architecture":{"module":"m-1","colour":"red","steps":[1]}}`: {`"steps" is no text`},
		`{"architecture":{"module":"m-1","colour":"red","steps":7}}`: {
			`"module" has no option m-1`, "m-16", `"colour"`, `"steps" has no option 7`, `"dropout"`,
		},
		`{"actions":[1]}`: {"unknown field", "architecture"},
	} {
		settings, err := ParseSettings(Fixed, json.RawMessage(raw))
		if err == nil {
			_, err = d.New(Start{Space: textSpace(t), Settings: settings})
		}
		for _, w := range want {
			if !says(err, w) {
				t.Errorf("%s: %q is not in: %v", raw, w, err)
			}
		}
	}
}

// The architecture of a task-agnostic controller is what it has settled on.
func TestFixedFromAController(t *testing.T) {
	s := begin(t, NAML, `{"controller":{"task_embedding":-1},"policy_gradient":{"learning_rate":0.02}}`, 2)
	s.advance(t, 400, 1, func(told Told) float64 {
		if told.Actions[4] == 3 {
			return 1
		}
		return 0
	})
	p := must(DecodeController(s.controller()))(t)
	settings := must(SettingsFrom(Fixed, nil, p))(t)
	d := must(Builtin().Find(Fixed))(t)
	actions, _ := must(d.New(Start{Space: textSpace(t), Settings: settings}))(t).Ask(0, 0)
	if actions[4] != 3 || !slices.Equal(actions, p.Greedy(0).Actions) {
		t.Errorf("proposed %v, the controller settled on %v", actions, p.Greedy(0).Actions)
	}
	if got := must(SettingsFrom(Fixed, json.RawMessage(`{"architecture":`+architecture+`}`), p))(t); string(got) == string(settings) {
		t.Error("a given architecture was not taken")
	}
	if _, err := SettingsFrom(Fixed, nil, pretrained(t, ``, 1)); !says(err, "depends on the task") {
		t.Errorf("a controller with embeddings of two tasks: %v", err)
	}
}

// Random search draws every option about as often.
func TestRandomIsUniform(t *testing.T) {
	s := begin(t, Random, ``, 1)
	options := s.start.Space.Options()
	counts := make([][]int, len(options))
	for i, n := range options {
		counts[i] = make([]int, n)
	}
	const n = 3000
	s.advance(t, n, 1, func(told Told) float64 {
		for i, a := range told.Actions {
			counts[i][a]++
		}
		return 0
	})
	for i, c := range counts {
		want := float64(n) / float64(options[i])
		for o, got := range c {
			if math.Abs(float64(got)-want) > 5*math.Sqrt(want) {
				t.Errorf("choice %d, option %d: %d times of %d, want about %.0f", i, o, got, n, want)
			}
		}
	}
}
