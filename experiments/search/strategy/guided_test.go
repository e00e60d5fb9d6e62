package strategy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"tnaml/nn/controller"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// guidedIn is a search by a method in the space of wells, after so many trials of its own.
func guidedIn(t *testing.T, settings string, trials int) *guided {
	t.Helper()
	raw, err := ParseSettings(Guided, json.RawMessage(settings))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newGuided(Start{Seed: 3, Space: wells(), Tasks: []string{"new"}, Settings: raw})
	if err != nil {
		t.Fatal(err)
	}
	g := s.(*guided)
	for i := range trials {
		actions, logProb := g.Ask(i, 0)
		if want := g.policy.LogProb(0, actions); math.Abs(logProb-want) > 1e-12 {
			t.Fatalf("trial %d has the log-probability %v, the controller says %v", i, logProb, want)
		}
		reward := 0.
		for _, a := range actions {
			reward += float64(a) / 10
		}
		if err := g.Tell(Told{Trial: i, Actions: actions, LogProb: logProb, Reward: reward, Status: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// A trial is the candidate with the largest log l − log g + (β/t)·log π: of the candidates
// that are drawn again here none has more, and with another weight another one wins.
func TestGuidedByAPrior(t *testing.T) {
	const candidates, trials = 30, 12
	won := map[string]bool{}
	for _, weight := range []float64{0, 5, 1e6} {
		g := guidedIn(t, fmt.Sprintf(`{"candidates":%d,"weight":%v}`, candidates, weight), trials)
		got, _ := g.Ask(trials, 0)
		r := rng.New(g.seed, "guided/actions", trials)
		below, above := g.tpe.estimators(0)
		best, most := []int(nil), math.Inf(-1)
		for i := range 2 * candidates {
			actions := make([]int, len(g.options))
			if i%2 == 0 {
				actions = below.sample(r)
			} else {
				g.policy.Sample(r, 0, actions)
			}
			if v := below.logDensity(actions) - above.logDensity(actions) + weight/trials*g.policy.LogProb(0, actions); v > most {
				best, most = actions, v
			}
		}
		if !slices.Equal(got, best) {
			t.Errorf("weight %v: %v, not %v", weight, got, best)
		}
		won[keyOf(got)] = true
	}
	if len(won) < 2 {
		t.Error("the weight makes no difference")
	}
}

// A child has its parent's options, but for those that the controller drew anew: with no
// chance of more, one.
func TestGuidedMutations(t *testing.T) {
	const trials = 20
	g := guidedIn(t, `{"method":"mutations","population":8,"sample":20,"startup":5,"mutation":0}`, trials)
	population, rewards := g.population(0)
	if n := len(rewards); n != 8 || rewards[7] != g.tpe.tasks[0].rewards[trials-1] {
		t.Fatalf("the population has %d", n)
	}
	changed := map[int]int{}
	for trial := trials; trial < trials+400; trial++ {
		child, _ := g.Ask(trial, 0)
		r := rng.New(g.seed, "guided/actions", uint64(trial))
		parent := population[tournament(r, rewards, 20)]
		var differ []int
		for c := range child {
			if child[c] != parent[c] {
				differ = append(differ, c)
			}
		}
		if len(differ) > 1 {
			t.Fatalf("%v of %v: %d choices differ", child, parent, len(differ))
		}
		for _, c := range differ {
			changed[c]++
		}
	}
	if len(changed) != len(g.options) {
		t.Errorf("only the choices %v change", changed)
	}
	all := guidedIn(t, `{"method":"mutations","population":8,"startup":5,"mutation":1}`, trials)
	r := rng.New(all.seed, "guided/actions", trials)
	_, rewards = all.population(0)
	tournament(r, rewards, 5)
	r.IntN(len(all.open))
	for range len(all.open) - 1 {
		r.Float64()
	}
	want := make([]int, len(all.options))
	all.policy.Sample(r, 0, want)
	if got, _ := all.Ask(trials, 0); !slices.Equal(got, want) {
		t.Errorf("all choices anew: %v, not %v", got, want)
	}
}

// What was told under one method is there for the other, and a trial without an embedding
// has the probability that the controller gives it without.
func TestGuidedForks(t *testing.T) {
	g := guidedIn(t, `{"method":"prior"}`, 15)
	f := safetensors.New("state")
	g.Put(f)
	other := guidedIn(t, `{"method":"mutations","population":6}`, 0)
	err := other.Get(f)
	if _, rewards := other.population(0); err != nil || len(rewards) != 6 {
		t.Errorf("%d, %v", len(rewards), err)
	}
	raw, err := ParseSettings(Guided, json.RawMessage(`{"startup":2,"naml":{"embedding":{"dropout":0.5,"start":"random","scale":2}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newGuided(Start{Seed: 3, Space: wells(), Tasks: []string{"a", "b"}, Settings: raw})
	if err != nil {
		t.Fatal(err)
	}
	d := s.(*guided)
	dropped := 0
	for i := range 30 {
		actions, logProb := d.Ask(i, i%2)
		with := i % 2
		if d.dropped(i) {
			with = controller.NoTask
			dropped++
		}
		if want := d.policy.LogProb(with, actions); math.Abs(logProb-want) > 1e-12 {
			t.Errorf("trial %d: %v, not %v", i, logProb, want)
		}
		if err := d.Tell(Told{Trial: i, Task: i % 2, Actions: actions, LogProb: logProb, Reward: float64(actions[0]), Status: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	if dropped < 5 || dropped > 25 {
		t.Errorf("%d trials without an embedding", dropped)
	}
}

// The first trials are the controller's own, from which it learns as by itself.
func TestGuidedBeginsAsTheController(t *testing.T) {
	for _, method := range []string{GuidedPrior, GuidedMutations} {
		g := guidedIn(t, fmt.Sprintf(`{"method":%q,"startup":6}`, method), 0)
		raw, err := json.Marshal(g.settings.NAML)
		if err != nil {
			t.Fatal(err)
		}
		n, err := newNAML(Start{Seed: 3, Space: wells(), Tasks: []string{"new"}, Settings: raw})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			a, p := g.Ask(i, 0)
			b, q := n.Ask(i, 0)
			if i < 6 && (!slices.Equal(a, b) || p != q) {
				t.Fatalf("%s: trial %d: %v, not %v", method, i, a, b)
			}
			for _, s := range []Strategy{g, n} {
				if err := s.Tell(Told{Trial: i, Actions: b, LogProb: q, Reward: float64(i % 3), Status: "ok"}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
