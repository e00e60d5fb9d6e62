package search

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/space"
	"tnaml/nn/child"
)

// pretrained learns a controller on two tasks.
func pretrained(t testing.TB, settings string, trials int) []byte {
	t.Helper()
	c := testConfig(t, NAML, 2, 1)
	c.Settings = must(ParseSettings(NAML, json.RawMessage(settings)))(t)
	s := must(New(c))(t)
	advance(t, s, trials)
	b, err := s.Controller()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// transferConfig is a search for a third task that starts from a controller.
func transferConfig(t testing.TB, controller []byte, settings string) Config {
	t.Helper()
	p := must(DecodeController(controller))(t)
	c := testConfig(t, NAML, 1, 2)
	c.Tasks[0].Name = "new"
	c.Controller = p.Ref
	c.Settings = must(TransferSettings(NAML, json.RawMessage(settings), p))(t)
	return c
}

func TestTransferReloadsWeightsAndAddsAnEmbedding(t *testing.T) {
	for name, settings := range map[string]string{"task embeddings": ``, "task-agnostic": `{"controller":{"task_embedding":-1}}`, "another shape": `{"controller":{"hidden":7,"layers":1}}`} {
		t.Run(name, func(t *testing.T) {
			b := pretrained(t, settings, 20)
			p := must(DecodeController(b))(t)
			if p.Origin.Trials != 20 || len(p.Origin.Tasks) != 2 || p.Origin.Strategy != NAML || p.Origin.Seed != 3 || p.TaskAgnostic() != (name == "task-agnostic") || !slices.Equal(p.Modules(), []string{"m-16", "m-64"}) {
				t.Fatalf("origin %+v", p.Origin)
			}
			c := transferConfig(t, b, `{"policy_gradient":{"learning_rate":0.01}}`)
			s := must(NewFrom(c, b))(t)
			policy := s.strategy.(*naml).policy
			if policy.Tasks() != 1 {
				t.Fatalf("%d tasks", policy.Tasks())
			}
			shared := policy.Parameters()
			if !p.TaskAgnostic() {
				shared = shared[:len(shared)-1]
			}
			for i, q := range shared {
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
				if slices.Equal(embedding, must(NewFrom(other, b))(t).strategy.(*naml).policy.TaskEmbedding(0)) {
					t.Error("the new embedding does not depend on the seed")
				}
				before := slices.Clone(embedding)
				advance(t, s, 5)
				if slices.Equal(before, s.strategy.(*naml).policy.TaskEmbedding(0)) {
					t.Error("the new embedding does not learn")
				}
			} else {
				advance(t, s, 5)
			}
			if slices.Equal(shared[1].Value, p.Policy.Parameters()[1].Value) {
				t.Error("the weights do not learn jointly")
			}
			// A fresh baseline: it knows the new search's rewards alone.
			if _, _, n := s.strategy.(*naml).baseline.Moments(0); n != 5 {
				t.Errorf("the baseline has seen %d rewards", n)
			}
			// A restore needs the checkpoint alone.
			want := advance(t, s, 9)
			s = must(NewFrom(c, b))(t)
			advance(t, s, 5)
			s = must(Restore(c, s.Checkpoint("")))(t)
			if diff := cmp.Diff(want, advance(t, s, 9)); diff != "" {
				t.Error(diff)
			}
			again, err := s.Controller()
			if err != nil {
				t.Fatal(err)
			}
			if q := must(DecodeController(again))(t); q.Origin.From != p.Ref || q.Origin.Tasks[0].Name != "new" {
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
	if _, err := NewFrom(c, pretrained(t, ``, 4)); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("another controller: %v", err)
	}
	if _, err := NewFrom(testConfig(t, NAML, 1, 1), b); err == nil {
		t.Error("a controller that was not asked for")
	}
	random := testConfig(t, Random, 1, 1)
	random.Controller = c.Controller
	if err := random.Validate(); err == nil || !strings.Contains(err.Error(), "starts from none") {
		t.Errorf("random search with a controller: %v", err)
	}
	if _, err := NewFrom(c, must(New(testConfig(t, NAML, 1, 1)))(t).Checkpoint("")); err == nil || !strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("a checkpoint for a controller: %v", err)
	}
	p := must(DecodeController(b))(t)
	_, err := TransferSettings(NAML, json.RawMessage(`{"controller":{"hidden":9,"task_embedding":-1}}`), p)
	for _, want := range []string{"controller.hidden is 9", "is 50", "controller.task_embedding is -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := TransferSettings(Random, nil, p); err == nil {
		t.Error("random search from a controller")
	}
}

func TestFitsNamesEveryDifference(t *testing.T) {
	p := must(DecodeController(pretrained(t, ``, 1)))(t)
	fresh := func() *space.Space { c := testConfig(t, Random, 1, 1); return &c.Space }
	if err := p.Fits(fresh()); err != nil {
		t.Fatal(err)
	}
	sp := fresh()
	sp.Choices[0].Options = []any{"m-16", "m-128"}
	sp.Choices[3].Options = []any{int64(64), int64(32), int64(128)}
	sp.Choices[5].Name = "weather"
	err := p.Fits(sp)
	for _, want := range []string{`"text-small"`, `choice "module": the search lacks m-64, the controller does not know m-128`, `choice "hidden_size": the options 64, 32, 128 stand in another order`, `choice "weather" is not among`, `choice "normalisation" of the controller`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), `"activation"`) {
		t.Errorf("an equal choice is named: %v", err)
	}
	sp = fresh()
	sp.Choices[1], sp.Choices[2] = sp.Choices[2], sp.Choices[1]
	if err := p.Fits(sp); err == nil || !strings.Contains(err.Error(), "order") {
		t.Errorf("another order of choices: %v", err)
	}
	p.Origin.Choices = nil // as earlier versions wrote them
	if err := p.Fits(sp); err == nil || !strings.Contains(err.Error(), p.Origin.Space) {
		t.Errorf("without choices: %v", err)
	}
}

func TestFixedProposesOneArchitecture(t *testing.T) {
	c := testConfig(t, Fixed, 2, 3)
	s := must(New(c))(t)
	want := []int{1, 1, 2, 1, 3, 0, 2, 2, 1, 5, 0, 2}
	for i, p := range advance(t, s, 20) {
		if !slices.Equal(p.Actions, want) {
			t.Fatalf("trial %d: %v", i, p.Actions)
		}
	}
	for raw, want := range map[string][]string{
		`{}`: {"architecture", "each choice"},
		`{"architecture":{"module":"m-1","colour":"red","steps":[1]}}`: {`"steps" is no string`},
		`{"architecture":{"module":"m-1","colour":"red","steps":7}}`:   {`"module" has no option m-1`, "m-16", `"colour"`, `"steps" has no option 7`, `"dropout"`},
		`{"actions":[1]}`: {"unknown field", "architecture"},
	} {
		c := testConfig(t, Fixed, 1, 1)
		settings, err := ParseSettings(Fixed, json.RawMessage(raw))
		if err == nil {
			c.Settings = settings
			err = c.Validate()
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in: %v", raw, w, err)
			}
		}
	}
}

// The architecture of a task-agnostic controller is what it has settled on.
func TestFixedFromAController(t *testing.T) {
	c := testConfig(t, NAML, 2, 1)
	c.Settings = must(ParseSettings(NAML, json.RawMessage(`{"controller":{"task_embedding":-1},"policy_gradient":{"learning_rate":0.02}}`)))(t)
	s := must(New(c))(t)
	for s.Told() < 400 {
		p := must(s.Ask(s.Told()))(t)
		r := Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: child.OK}
		if p.Actions[4] == 3 {
			r.Validation = 1
		}
		if err := s.Tell(r); err != nil {
			t.Fatal(err)
		}
	}
	b, _ := s.Controller()
	p := must(DecodeController(b))(t)
	settings := must(TransferSettings(Fixed, nil, p))(t)
	f := testConfig(t, Fixed, 1, 1)
	f.Settings = settings
	proposal := must(must(New(f))(t).Ask(0))(t)
	if proposal.Actions[4] != 3 || !slices.Equal(proposal.Actions, p.Architecture(0)) {
		t.Errorf("proposed %v, the controller settled on %v", proposal.Actions, p.Architecture(0))
	}
	if got := must(TransferSettings(Fixed, json.RawMessage(`{"architecture":`+testArchitecture+`}`), p))(t); string(got) == string(settings) {
		t.Error("a given architecture was not taken")
	}
	several := must(DecodeController(pretrained(t, ``, 1)))(t)
	if _, err := TransferSettings(Fixed, nil, several); err == nil || !strings.Contains(err.Error(), "depends on the task") {
		t.Errorf("a controller with embeddings of two tasks: %v", err)
	}
}

// Two tasks that want opposite options: with task embeddings one controller
// learns both, without it can only learn one or neither (§2.2).
func TestTaskEmbeddingsTellTasksApart(t *testing.T) {
	const choice = 4 // activation, six options
	best := [2]int{0, 5}
	learn := func(embedding int) (probability [2]float64) {
		c := testConfig(t, NAML, 2, 2)
		c.Settings = must(ParseSettings(NAML, fmt.Appendf(nil, `{"controller":{"task_embedding":%d},"policy_gradient":{"learning_rate":0.005,"entropy":0.005}}`, embedding)))(t)
		s := must(New(c))(t)
		for s.Told() < 1500 {
			p := must(s.Ask(s.Told()))(t)
			r := Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: child.OK, Validation: .5}
			switch p.Actions[choice] {
			case best[p.Task]:
				r.Validation = .9
			case best[1-p.Task]:
				r.Validation = .1
			}
			if err := s.Tell(r); err != nil {
				t.Fatal(err)
			}
		}
		policy := s.strategy.(*naml).policy
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

// Searches that earlier versions began can be gone on with: their settings are
// read in the form, and with the digest, that they were stored with.
func TestEarlierSettingsStayReadable(t *testing.T) {
	c := testConfig(t, NAML, 1, 1)
	for name, v := range map[string]struct {
		raw       string
		corrected bool
	}{
		"uncorrected false": {`{"controller":{"hidden":50,"layers":2,"action_embedding":25,"task_embedding":25,"init_scale":0.1},"policy_gradient":{"method":"reinforce","optimizer":"adam","learning_rate":0.001,"entropy":0.01,"clip":50},"baseline":{"decay":0.01,"floor":0.001,"uncorrected":false}}`, true},
		"uncorrected true":  {`{"controller":{"hidden":50,"layers":2,"action_embedding":25,"task_embedding":25,"init_scale":0.1},"policy_gradient":{"method":"reinforce","optimizer":"adam","learning_rate":0.001,"entropy":0.01,"clip":50},"baseline":{"decay":0.01,"floor":0.001,"initial_variance":0.01,"uncorrected":true}}`, false},
		"corrected":         {`{"controller":{"hidden":50,"layers":2,"action_embedding":25,"task_embedding":25,"init_scale":0.1},"policy_gradient":{"method":"reinforce","optimizer":"adam","learning_rate":0.001,"entropy":0.01,"clip":50},"baseline":{"decay":0.01,"floor":0.001,"corrected":true}}`, true},
	} {
		old := c
		old.Settings = json.RawMessage(v.raw)
		if err := old.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := must(New(old))(t)
		want := advance(t, s, 4)
		b := must(New(old))(t).Checkpoint("")
		if diff := cmp.Diff(want, advance(t, must(Restore(old, b))(t), 4)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		parsed := must(parseNAML(old.Settings))(t)
		if parsed.Baseline.Corrected != v.corrected || parsed.Version != settingsVersion {
			t.Errorf("%s: %+v", name, parsed)
		}
		if canonical := must(ParseSettings(NAML, old.Settings))(t); !strings.Contains(string(canonical), `"version":2`) || strings.Contains(string(canonical), "uncorrected") {
			t.Errorf("%s: canonical form %s", name, canonical)
		}
	}
	for raw, want := range map[string]string{
		`{"version":3}`: "version 3",
		`{"version":2,"baseline":{"uncorrected":true}}`:      "uncorrected",
		`{"baseline":{"uncorrected":true,"corrected":true}}`: "beside",
		`{"baseline":{"uncorrected":3}}`:                     "no truth value",
	} {
		if _, err := ParseSettings(NAML, json.RawMessage(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q is not in: %v", raw, want, err)
		}
	}
}

// The averages of §2.2, computed again from the formulas.
func TestBaselineIsThePapers(t *testing.T) {
	c := testConfig(t, NAML, 2, 1)
	c.Settings = must(ParseSettings(NAML, json.RawMessage(`{"baseline":{"corrected":false}}`)))(t)
	s := must(New(c))(t)
	const alpha = 0.01
	var b, variance [2]float64
	var seen [2]bool
	for s.Told() < 60 {
		p := must(s.Ask(s.Told()))(t)
		r := result(p)
		if !seen[p.Task] {
			seen[p.Task], b[p.Task], variance[p.Task] = true, r.Validation, 0.01
		}
		b[p.Task] = (1-alpha)*b[p.Task] + alpha*r.Validation
		variance[p.Task] = (1-alpha)*variance[p.Task] + alpha*(r.Validation-b[p.Task])*(r.Validation-b[p.Task])
		if err := s.Tell(r); err != nil {
			t.Fatal(err)
		}
		mean, sigma, _ := s.strategy.(*naml).baseline.Moments(p.Task)
		if d := mean - b[p.Task]; d > 1e-12 || d < -1e-12 {
			t.Fatalf("b is %v, the formula gives %v", mean, b[p.Task])
		}
		if d := sigma*sigma - variance[p.Task]; d > 1e-12 || d < -1e-12 {
			t.Fatalf("σ² is %v, the formula gives %v", sigma*sigma, variance[p.Task])
		}
	}
	if !seen[0] || !seen[1] {
		t.Error("both tasks should have been drawn")
	}
}

func FuzzDecodeController(f *testing.F) {
	f.Add(pretrained(f, `{"controller":{"hidden":2,"layers":1,"action_embedding":2,"task_embedding":2}}`, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeController(b)
		if err != nil {
			return
		}
		c := testConfig(t, NAML, 1, 1)
		if p.Fits(&c.Space) != nil {
			return
		}
		c.Controller = p.Ref
		settings, err := TransferSettings(NAML, nil, p)
		if err != nil {
			return
		}
		c.Settings = settings
		if _, err := NewFrom(c, b); err != nil {
			t.Error(err)
		}
	})
}
