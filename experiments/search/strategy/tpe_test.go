package strategy

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// optunas is what Optuna makes of one history (experiments/bench/optuna_tpe.py).
type optunas struct {
	Name         string                 `json:"name"`
	Options      []int                  `json:"options"`
	Ordinal      []int                  `json:"ordinal"`
	Actions      [][]int                `json:"actions"`
	Rewards      []float64              `json:"rewards"`
	WeightsBelow []float64              `json:"weights_below"`
	WeightsAbove []float64              `json:"weights_above"`
	KernelsBelow map[string][][]float64 `json:"kernels_below"`
	Candidates   [][]int                `json:"candidates"`
	LogL         []float64              `json:"log_l"`
	LogG         []float64              `json:"log_g"`
	Chosen       []int                  `json:"chosen"`
}

// begun is the strategy with a history told; numbers are ordinal.
func (o optunas) begun(t testing.TB) *tpe {
	t.Helper()
	sp := &space.Space{Name: "x"}
	for c, n := range o.Options {
		choice := space.Choice{Name: fmt.Sprint(c), Kind: space.Categorical}
		if slices.Contains(o.Ordinal, c) {
			choice.Kind = space.Ordinal
		}
		for k := range n {
			choice.Options = append(choice.Options, int64(k))
		}
		sp.Choices = append(sp.Choices, choice)
	}
	raw := must(ParseSettings(TPE, json.RawMessage(`{"ordinal":true}`)))(t)
	s := must(newTPE(Start{Seed: 1, Space: sp, Tasks: []string{"other", "x"}, Settings: raw}))(t).(*tpe)
	for i, a := range o.Actions {
		if err := s.Tell(Told{Trial: i, Task: 1, Actions: a, Status: trainer.OK, Reward: o.Rewards[i]}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Weights, kernels and densities are Optuna's, and the same candidate is chosen.
func TestTPEIsOptunas(t *testing.T) {
	const tolerance = 1e-9
	var fixture struct{ Histories []optunas }
	if err := json.Unmarshal(must(os.ReadFile("testdata/optuna_tpe.json"))(t), &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Histories) < 10 {
		t.Fatalf("only %d histories", len(fixture.Histories))
	}
	differ := func(got, want []float64) bool {
		return !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= tolerance })
	}
	for _, want := range fixture.Histories {
		below, above := want.begun(t).estimators(1)
		if differ(below.weights, want.WeightsBelow) || differ(above.weights, want.WeightsAbove) {
			t.Errorf("%s: the weights are %v and %v, Optuna's %v and %v", want.Name, below.weights, above.weights,
				want.WeightsBelow, want.WeightsAbove)
		}
		for name, rows := range want.KernelsBelow {
			var c int
			if _, err := fmt.Sscanf(name, "c%d", &c); err != nil {
				t.Fatal(err)
			}
			if k := &below.kernels[c]; differ(k.prior, rows[len(rows)-1]) {
				t.Errorf("%s: choice %d: the prior is %v, Optuna's %v", want.Name, c, k.prior, rows[len(rows)-1])
			}
			for i, o := range below.observed[c] {
				var row []float64
				for option := range want.Options[c] {
					row = append(row, below.kernels[c].probability(int(o), option))
				}
				if differ(row, rows[i]) {
					t.Errorf("%s: choice %d: the kernel is %v, Optuna's %v", want.Name, c, row, rows[i])
				}
			}
		}
		best := 0
		var l, g []float64
		for i, a := range want.Candidates {
			l, g = append(l, below.logDensity(a)), append(g, above.logDensity(a))
			if l[i]-g[i] > l[best]-g[best] {
				best = i
			}
		}
		if differ(l, want.LogL) || differ(g, want.LogG) {
			t.Errorf("%s: log l and log g are\n%v\n%v\nOptuna's\n%v\n%v", want.Name, l, g, want.LogL, want.LogG)
		}
		if len(want.Candidates) != 24 || !slices.Equal(want.Candidates[best], want.Chosen) {
			t.Errorf("%s: of %d candidates %v is chosen, by Optuna %v", want.Name, len(want.Candidates), want.Candidates[best], want.Chosen)
		}
	}
}

// Candidates are drawn as often as l says: Optuna's draws are of another generator.
func TestTPESamplesItsDensity(t *testing.T) {
	for _, ordinal := range [][]int{nil, {0, 1}} {
		o := optunas{Options: []int{4, 3}, Ordinal: ordinal}
		for i := range 30 {
			g := rng.New(1, "told", uint64(i))
			o.Actions, o.Rewards = append(o.Actions, []int{g.IntN(4), g.IntN(3)}), append(o.Rewards, g.Float64())
		}
		below, _ := o.begun(t).estimators(1)
		const n = 40000
		var counts [4][3]int
		g, sum := rng.New(1, "candidates", 0), 0.
		for range n {
			a := below.sample(g)
			counts[a[0]][a[1]]++
		}
		for i := range counts {
			for j, got := range counts[i] {
				p := math.Exp(below.logDensity([]int{i, j}))
				if want := n * p; math.Abs(float64(got)-want) > 5*math.Sqrt(want*(1-p)) {
					t.Errorf("ordinal %v: %d, %d is drawn %d times, want %.0f", ordinal, i, j, got, want)
				}
				sum += p
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("ordinal %v: the probabilities' sum is %v", ordinal, sum)
		}
	}
}

// It finds what is good: of three choices that matter it gets all right, in fewer
// trials than chance takes; the first trials are random search's kind.
func TestTPELearns(t *testing.T) {
	for _, settings := range []string{`{}`, `{"ordinal":true}`} {
		s := begin(t, TPE, settings, 1)
		right := 0
		s.advance(t, 200, 2, func(told Told) (r float64) {
			for _, c := range []int{3, 4, 6} {
				if told.Actions[c] == 1 {
					r++
				}
			}
			if r == 3 && told.Trial >= 150 {
				right++
			}
			return r
		})
		if right < 10 { // chance gives less than one
			t.Errorf("%s: %d of the last 50 trials are the best", settings, right)
		}
	}
}

func TestTPESettings(t *testing.T) {
	_, err := ParseSettings(TPE, json.RawMessage(`{"startup":-1,"candidates":0}`))
	if !says(err, "startup", "candidates") {
		t.Errorf("%v", err)
	}
}

func BenchmarkTPE(b *testing.B) { benchmarkTrials(b, TPE, `{}`, `{"ordinal":true}`) }

// benchmarkTrials runs searches of 500 trials in a space of twelve choices, and says
// how many trials are done in a second, and how many of the last hundred.
func benchmarkTrials(b *testing.B, name string, settings ...string) {
	b.Helper()
	for _, raw := range settings {
		b.Run(raw, func(b *testing.B) {
			var last time.Duration
			for b.Loop() {
				s := begin(b, name, raw, 1)
				s.advance(b, 400, 1, chance)
				start := time.Now()
				s.advance(b, 500, 1, chance)
				last += time.Since(start)
			}
			b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "trials/s")
			b.ReportMetric(100*float64(b.N)/last.Seconds(), "last-trials/s")
		})
	}
}
