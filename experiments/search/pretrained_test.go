package search

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/search/strategy"
	"tnaml/nn/policygradient"
	"tnaml/nn/safetensors"
)

// pretrained learns a controller on two tasks.
func pretrained(t testing.TB, settings string, trials int) []byte {
	t.Helper()
	c := testConfig(t, strategy.NAML, 2, 1)
	c.Settings = must(strategy.ParseSettings(strategy.NAML, json.RawMessage(settings)))(t)
	s := must(New(c))(t)
	advance(t, s, trials)
	return s.Controller()
}

// policyOf is the controller of a search, as its object has it.
func policyOf(t testing.TB, s *Searcher) *strategy.Pretrained {
	t.Helper()
	return must(strategy.DecodeController(s.Controller()))(t)
}

// rewardsSeen is the number of a task's rewards in a search's baseline, as its
// state has it.
func rewardsSeen(t testing.TB, s *Searcher, task int) int {
	t.Helper()
	var settings strategy.NAMLSettings
	if err := json.Unmarshal(s.config.Settings, &settings); err != nil {
		t.Fatal(err)
	}
	b := must(policygradient.NewBaseline(settings.Baseline))(t)
	if err := b.GetArrays(must(safetensors.Decode(s.State()))(t), "baseline/"); err != nil {
		t.Fatal(err)
	}
	_, _, n := b.Moments(task)
	return n
}

// transferConfig is a search for a third task that starts from a controller.
func transferConfig(t testing.TB, controller []byte, settings string) Config {
	t.Helper()
	p := must(strategy.DecodeController(controller))(t)
	c := testConfig(t, strategy.NAML, 1, 2)
	c.Tasks[0].Name = "new"
	c.Controller = p.Ref
	c.Settings = must(strategy.SettingsFrom(strategy.NAML, json.RawMessage(settings), p))(t)
	return c
}

func TestTransferReloadsWeightsAndAddsAnEmbedding(t *testing.T) {
	for name, settings := range map[string]string{
		"task embeddings": ``, "task-agnostic": `{"controller":{"task_embedding":-1}}`, "another shape": `{"controller":{"hidden":7,"layers":1}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := pretrained(t, settings, 20)
			p := must(strategy.DecodeController(b))(t)
			if p.Origin.Trials != 20 || len(p.Origin.Tasks) != 2 || p.Origin.Strategy != strategy.NAML || p.Origin.Seed != 3 ||
				p.TaskAgnostic() != (name == "task-agnostic") || !slices.Equal(p.Modules(), []string{"m-16", "m-64"}) {
				t.Fatalf("origin %+v", p.Origin)
			}
			if diff := cmp.Diff(filled(t), *p.Space()); diff != "" {
				t.Errorf("the controller's space: %s", diff)
			}
			c := transferConfig(t, b, `{"policy_gradient":{"learning_rate":0.01}}`)
			s := must(NewFrom(c, From{Controller: b}))(t)
			policy := policyOf(t, s).Policy
			if policy.Tasks() != 1 {
				t.Fatalf("%d tasks", policy.Tasks())
			}
			// Of a task-agnostic controller all parameters are shared, else all but the
			// tasks' embeddings, which are the last.
			shared := len(policy.Parameters())
			if !p.TaskAgnostic() {
				shared--
			}
			for i, q := range policy.Parameters()[:shared] {
				if !slices.Equal(q.Value, p.Policy.Parameters()[i].Value) {
					t.Errorf("%s is not the pretrained one", q.Name)
				}
			}
			if !p.TaskAgnostic() {
				embedding := policy.TaskEmbedding(0)
				for i, e := range p.TaskEmbeddings() {
					if slices.Equal(embedding, e) {
						t.Errorf("the new task has the embedding of task %d", i)
					}
				}
				other := c
				other.Seed++
				if slices.Equal(embedding, policyOf(t, must(NewFrom(other, From{Controller: b}))(t)).Policy.TaskEmbedding(0)) {
					t.Error("the new embedding does not depend on the seed")
				}
				advance(t, s, 5)
				if slices.Equal(embedding, policyOf(t, s).Policy.TaskEmbedding(0)) {
					t.Error("the new embedding does not learn")
				}
			} else {
				advance(t, s, 5)
			}
			if slices.Equal(policyOf(t, s).Policy.Parameters()[1].Value, p.Policy.Parameters()[1].Value) {
				t.Error("the weights do not learn jointly")
			}
			// A fresh baseline: it knows the new search's rewards alone.
			if n := rewardsSeen(t, s, 0); n != 5 {
				t.Errorf("the baseline has seen %d rewards", n)
			}
			// A restore needs the state alone.
			want := advance(t, s, 9)
			s = must(NewFrom(c, From{Controller: b}))(t)
			advance(t, s, 5)
			s = must(Restore(c, s.State()))(t)
			if diff := cmp.Diff(want, advance(t, s, 9)); diff != "" {
				t.Error(diff)
			}
			if q := policyOf(t, s); q.Origin.From != p.Ref || q.Origin.Tasks[0].Name != "new" {
				t.Errorf("origin after the transfer: %+v", q.Origin)
			}
		})
	}
}

func TestTransferRefuses(t *testing.T) {
	b := pretrained(t, ``, 3)
	c := transferConfig(t, b, ``)
	if _, err := New(c); err == nil {
		t.Error("a search began without its controller")
	}
	if _, err := NewFrom(c, From{Controller: pretrained(t, ``, 4)}); !says(err, "digest") {
		t.Errorf("another controller: %v", err)
	}
	if _, err := NewFrom(testConfig(t, strategy.NAML, 1, 1), From{Controller: b}); err == nil {
		t.Error("a controller that was not asked for")
	}
	random := testConfig(t, strategy.Random, 1, 1)
	random.Controller = c.Controller
	if err := random.Validate(); !says(err, "goes on from no controller") {
		t.Errorf("random search with a controller: %v", err)
	}
	if _, err := NewFrom(c, From{Controller: must(New(testConfig(t, strategy.NAML, 1, 1)))(t).State()}); !says(err, `"state"`) {
		t.Errorf("a state for a controller: %v", err)
	}
	other := c
	other.Space.Choices = slices.Clone(c.Space.Choices)
	for i := range other.Space.Choices {
		other.Space.Choices[i].Name += "-2"
	}
	other.Space.Trainer = "none"
	if _, err := NewFrom(other, From{Controller: b}); !says(err, "trainer builtin", "for none") {
		t.Errorf("another space: %v", err)
	}
	other.Space.Choices = c.Space.Choices // by their digest the spaces are one
	if _, err := NewFrom(other, From{Controller: b}); !says(err, "trainer builtin", "for none") {
		t.Errorf("the same choices of another trainer: %v", err)
	}
	p := must(strategy.DecodeController(b))(t)
	_, err := strategy.SettingsFrom(strategy.NAML, json.RawMessage(`{"controller":{"hidden":9,"task_embedding":-1}}`), p)
	for _, want := range []string{"controller.hidden is 9", "is 50", "controller.task_embedding is -1"} {
		if !says(err, want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := strategy.SettingsFrom(strategy.Random, nil, p); !says(err, "starts from no controller") {
		t.Errorf("random search from a controller: %v", err)
	}
}

// A controller grows into a space with a module and a choice more, an option less and
// two choices in another order: what it knows it keeps, the search learns, is restored,
// and what it publishes is a controller of that space.
func TestTransferIntoALargerSpace(t *testing.T) {
	b := pretrained(t, `{"controller":{"hidden":7,"layers":1}}`, 60)
	p := must(strategy.DecodeController(b))(t)
	c := transferConfig(t, b, `{"policy_gradient":{"learning_rate":0.01},"embedding":{"start":"posterior"}}`)
	choices := slices.Clone(c.Space.Choices)
	choices[0].Options = []any{"m-16", "m-32", "m-64"}
	c.Modules = append(slices.Clone(c.Modules), c.Modules[0])
	c.Modules[1].Name, c.Modules[2].Name = "m-32", "m-64"
	choices[1], choices[2] = choices[2], choices[1]
	last := len(choices) - 1
	choices[last].Options = choices[last].Options[1:]
	c.Space.Choices = choices
	s := must(NewFrom(c, From{Controller: b}))(t)
	grown := policyOf(t, s)
	is, was := grown.Greedy(0), p.Policy.Probabilities(0, make([]int, len(choices)))
	if now := must(p.For(&c.Space))(t).Policy.Probabilities(0, make([]int, len(choices)))[0]; now[0]/now[2]-was[0][0]/was[0][1] > 1e-12 ||
		now[0]/now[2]-was[0][0]/was[0][1] < -1e-12 || len(is.Actions) != len(choices) {
		t.Errorf("the modules' probabilities are %v, were %v", now, was[0])
	}
	if diff := cmp.Diff(c.Space, *grown.Space()); diff != "" || len(grown.Policy.Config().Order) != len(choices) {
		t.Errorf("%+v: %s", grown.Policy.Config(), diff)
	}
	advance(t, s, 5)
	state := s.State()
	want := advance(t, s, 30)
	if slices.Equal(grown.Policy.Parameters()[1].Value, policyOf(t, s).Policy.Parameters()[1].Value) {
		t.Error("it does not learn")
	}
	if diff := cmp.Diff(want, advance(t, must(Restore(c, state))(t), 30)); diff != "" {
		t.Error(diff)
	}
	// It goes on from there, in the old space too.
	again := transferConfig(t, s.Controller(), ``)
	if back := must(NewFrom(again, From{Controller: s.Controller()}))(t); len(policyOf(t, back).Policy.Config().Order) != 0 {
		t.Errorf("back in the old order it has the order %v", policyOf(t, back).Policy.Config().Order)
	}
}

func FuzzDecodeController(f *testing.F) {
	f.Add(pretrained(f, `{"controller":{"hidden":2,"layers":1,"action_embedding":2,"task_embedding":2}}`, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := strategy.DecodeController(b)
		if err != nil {
			return
		}
		c := testConfig(t, strategy.NAML, 1, 1)
		if p.Fits(&c.Space) != nil {
			return
		}
		c.Controller = p.Ref
		settings, err := strategy.SettingsFrom(strategy.NAML, nil, p)
		if err != nil {
			return
		}
		c.Settings = settings
		if _, err := NewFrom(c, From{Controller: b}); err != nil {
			t.Error(err)
		}
	})
}
