package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
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
