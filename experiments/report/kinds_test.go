package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/space"
)

// Searches are repetitions of each other only where all but their seed is equal:
// a mean over seeds, and wins, mix no kinds.
func TestKindsByHand(t *testing.T) {
	with := func(seed uint64, settings string) Search {
		s := made("naml", "a", seed, 20, always(.8))
		s.Config.Settings = json.RawMessage(settings)
		return s
	}
	v := view1(t,
		with(1, `{"entropy":0.01,"pg":{"method":"ppo"}}`), with(2, `{"entropy":0.01,"pg":{"method":"ppo"}}`),
		with(1, `{"entropy":0.01,"pg":{"method":"reinforce","rate":3}}`), transferred(with(1, `{}`)), made("random", "a", 1, 20, always(.7)),
	)
	var got []string
	for _, a := range v.Tasks[0].Arms {
		got = append(got, a.Strategy)
	}
	want := []string{"naml, pg.method ppo", "naml, pg.method ppo", "naml, pg.method reinforce, pg.rate 3", "naml, transferred", "random"}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	if n := len(v.Tasks[0].Strategies); n != 4 {
		t.Errorf("%d curves over seeds", n)
	}
}

// Whatever the configuration says sets searches apart.
func TestKindsByConfiguration(t *testing.T) {
	most := 50.
	for want, change := range map[string]func(c *search.Config){
		"naml": func(*search.Config) {},
		"naml, pruner.name halving, pruner.settings.reduction 4": func(c *search.Config) {
			c.Pruner = &pruner.Choice{Name: "halving", Settings: []byte(`{"reduction":4}`)}
		},
		"naml, constraint.latency ms.max 50": func(c *search.Config) {
			c.Space.Constraints = []space.Constraint{{Metric: "latency_ms", Max: &most}}
		},
		"naml, trainer ours":      func(c *search.Config) { c.Space.Trainer = "ours" },
		"naml, trainer.epochs 50": func(c *search.Config) { c.Space.Settings = []byte(`{"epochs":50}`) },
		"naml, sources yes":       func(c *search.Config) { c.Sources = "sha256:1234567890" },
		"naml, forked after 3":    func(c *search.Config) { c.Fork = &search.Fork{Config: "x", Trials: 3} },
		"naml, lag 9":             func(c *search.Config) { c.Lag = 9 },
	} {
		one, other := made("naml", "a", 1, 20, always(.8)), made("naml", "a", 2, 20, always(.8))
		change(&other.Config)
		got, err := named([]Search{one, other})
		if err != nil || got[1].Strategy != want {
			t.Errorf("%v, %q and %q, want %q", err, got[0].Strategy, got[1].Strategy, want)
		}
	}
}
