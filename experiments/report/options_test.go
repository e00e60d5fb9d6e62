package report

import (
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
)

// A share is an option's lead only where uniform sampling would not give it: of two
// options in 100 trials more than .5 + 3·√(.25/100) = .65.
func TestLeadingByHand(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		n      int
		want   int
	}{
		{[]float64{.36, .64}, 100, -1}, {[]float64{.34, .66}, 100, 1}, {[]float64{1}, 50, -1},
		{[]float64{.2, .5, .3}, 9, -1}, // 1/3 + 3·√(2/81) = .80
	} {
		if got := leading(c.shares, c.n); got != c.want {
			t.Errorf("%v of %d trials: %d, want %d", c.shares, c.n, got, c.want)
		}
	}
}

// What the page says that a search has settled on is its controller's greedy
// architecture, as `controller show` has it; without a preference, nothing.
func TestGreedyArchitectureInTheReport(t *testing.T) {
	in := Input{Searches: []Search{simulate(t, "s", strategy.NAML, 1, []world{spam}, 60, 0)}}
	sp := &in.Searches[0].Config.Space
	for decided, want := range map[int]string{0: "at each step: no preference yet.", 9: "a preference in 9 of 12, not "} {
		in.Searches[0].Greedy = greedy(sp, decided)
		if got := page(t, in); !strings.Contains(got, want) {
			t.Errorf("%d choices decided: %q is not in the page", decided, want)
		}
	}
	in.Searches[0].Greedy = nil
	if got := page(t, in); strings.Contains(got, "greedy") || strings.Contains(got, "most often at the end") {
		t.Error("a search without a controller has a greedy architecture")
	}
}
