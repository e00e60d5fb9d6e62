package strategy

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// relatedSpace has choices with an order and without.
func relatedSpace() *space.Space {
	sp := &space.Space{Name: "related", Trainer: "none"}
	for k := range 8 {
		c := space.Choice{Name: string(rune('a' + k)), Kind: space.Categorical}
		if k%2 == 0 {
			c.Kind = space.Ordinal
		}
		for a := range 6 {
			c.Options = append(c.Options, int64(a))
		}
		sp.Choices = append(sp.Choices, c)
	}
	return sp
}

// worths remembers what was drawn: a draw costs more than all else here.
var worths = map[string]map[int]float64{"all": {}, "own": {}, "pairs": {}}

// related is a family of tasks: what an option is worth, alone and with its neighbour,
// is the same for all but for a part of the task's own, and each task has a scale.
func related(task uint64, actions []int) float64 {
	worth := func(stream string, index, k, a, b int) float64 {
		at := ((index*8+k)*6+a)*6 + b
		if _, ok := worths[stream][at]; !ok {
			worths[stream][at] = rng.New(11, stream, uint64(at)).NormFloat64()
		}
		return worths[stream][at]
	}
	sum := 0.0
	for k, a := range actions {
		sum += worth("all", 0, k, a, 0) + .4*worth("own", int(task), k, a, 0)
		if k > 0 {
			sum += .5 * worth("pairs", 0, k, actions[k-1], a)
		}
	}
	return sum * (1 + float64(task%5)*20)
}

// relatedSources are random trials of the family's first tasks, where same says so of
// the same configurations; a tenth fails.
func relatedSources(tasks, trials int, same bool) (out []Source) {
	sp := relatedSpace()
	for t := range tasks {
		s := Source{Task: string(rune('A' + t))}
		for i := range trials {
			g := rng.New(12, "trials", uint64(i))
			if !same {
				g = rng.New(13, "trials", uint64(t*trials+i))
			}
			k := Known{Status: trainer.OK}
			for _, n := range sp.Options() {
				k.Actions = append(k.Actions, g.IntN(n))
			}
			k.Reward = related(uint64(t), k.Actions)
			if i%10 == 7 {
				k.Status, k.Reward = trainer.Diverged, 1e9 // what is told of a failure is not looked at
			}
			s.Trials = append(s.Trials, k)
		}
		out = append(out, s)
	}
	return out
}

// relatedBest is the best reward among the first n trials, the mean over targets, each
// brought to a mean of 0 and a deviation of 1 by random configurations.
func relatedBest(t testing.TB, name, settings string, sources []Source, n int) float64 {
	t.Helper()
	const targets = 8
	sum := 0.0
	for target := range uint64(targets) {
		task := 100 + target
		d := must(Builtin().Find(name))(t)
		s := must(d.New(Start{
			Seed: 1000 + target, Space: relatedSpace(), Tasks: []string{"target"}, Sources: sources,
			Settings: must(d.Canonical(json.RawMessage(settings), nil))(t),
		}))(t)
		best := math.Inf(-1)
		for i := range n {
			actions, logProb := s.Ask(i, 0)
			reward := related(task, actions)
			best = max(best, reward)
			if err := s.Tell(Told{Trial: i, Actions: actions, LogProb: logProb, Status: trainer.OK, Reward: reward}); err != nil {
				t.Fatal(err)
			}
		}
		var mean, square float64
		const draws = 500
		for i := range uint64(draws) {
			g := rng.New(14, "scale", i)
			actions := make([]int, 8)
			for k := range actions {
				actions[k] = g.IntN(6)
			}
			r := related(task, actions)
			mean, square = mean+r/draws, square+r*r/draws
		}
		sum += (best - mean) / math.Sqrt(square-mean*mean) / targets
	}
	return sum
}

// What other tasks know helps: in ten trials each strategy finds what random search
// does not find in a hundred.
func TestSourcesHelp(t *testing.T) {
	random := relatedBest(t, Random, "", nil, 100)
	for _, c := range []struct{ name, settings string }{
		{Portfolio, `{}`}, {Portfolio, `{"normalise":"rank"}`}, {Copula, `{"candidates":2000}`},
		{Box, `{"inner":{"strategy":"copula","settings":{"candidates":2000}}}`},
	} {
		for _, same := range []bool{false, true} {
			got := relatedBest(t, c.name, c.settings, relatedSources(6, 150, same), 10)
			t.Logf("%s %s, same configurations %t: %.2f in 10 trials, random search %.2f in 100", c.name, c.settings, same, got, random)
			if got < random {
				t.Errorf("%s %s: %.2f in 10 trials, random search has %.2f in 100", c.name, c.settings, got, random)
			}
		}
	}
	// A box is wide: with random search in it, it is better at the same number of trials.
	sources := relatedSources(6, 150, false)
	if box, plain := relatedBest(t, Box, "", sources, 30), relatedBest(t, Random, "", nil, 30); box < plain+.1 {
		t.Errorf("box: %.2f, random search %.2f", box, plain)
	}
}

// Without other tasks, these strategies are what they fall back on.
func TestWithoutSources(t *testing.T) {
	ask := func(name string) (out [][]int) {
		d := must(Builtin().Find(name))(t)
		s := must(d.New(Start{Seed: 3, Space: relatedSpace(), Tasks: []string{"a"}, Settings: d.Defaults}))(t)
		for i := range 20 {
			actions, _ := s.Ask(i, 0)
			out = append(out, actions)
		}
		return out
	}
	for _, name := range []string{Portfolio, Box} {
		if !slices.EqualFunc(ask(name), ask(TPE), slices.Equal) {
			t.Errorf("%s without sources is not tpe, which is within", name)
		}
	}
	seen := map[int]int{}
	for _, actions := range ask(Copula) {
		for _, a := range actions {
			seen[a]++
		}
	}
	for a := range 6 {
		if n := seen[a]; n < 10 || n > 45 { // 160 draws: 27 ± 5
			t.Errorf("copula without sources has option %d %d times of 160", a, n)
		}
	}
}

func TestRewarded(t *testing.T) {
	got := rewarded([]Source{
		{Task: "none"}, {Task: "failed", Trials: []Known{{Actions: []int{0}, Status: trainer.Failed}}},
		{Task: "some", Trials: []Known{
			{[]int{0}, trainer.Failed, 0}, {[]int{1}, trainer.OK, -3}, {[]int{2}, trainer.Diverged, -2}, {[]int{0}, trainer.OK, -4},
		}},
	})
	if len(got) != 1 || !slices.Equal(got[0].rewards, []float64{-4, -3, -4, -4}) || len(got[0].actions) != 4 {
		t.Errorf("%+v", got)
	}
}

// What was pruned had an early value, which counts as the worst final one at most; no
// failure is better, and only what ended well is among the best.
func TestRewardedOfPrunedTrials(t *testing.T) {
	source := Source{Task: "some", Trials: []Known{
		{[]int{0}, trainer.Pruned, -1}, // better early than the others at their end
		{[]int{1}, trainer.OK, -3}, {[]int{2}, trainer.Failed, 0}, {[]int{3}, trainer.Pruned, -9}, {[]int{4}, trainer.OK, -2},
		{[]int{5}, trainer.Infeasible, -5}, // less than the worst of the time
	}}
	got := rewarded([]Source{{Task: "pruned", Trials: source.Trials[:1]}, source})
	if len(got) != 1 || !slices.Equal(got[0].rewards, []float64{-3, -3, -9, -9, -2, -9 - 7./2}) {
		t.Fatalf("%+v", got)
	}
	if best := got[0].best(6); !slices.Equal(best, []int{4, 1}) {
		t.Errorf("the best are %v", best)
	}
	sp := &space.Space{Choices: []space.Choice{{Name: "a", Kind: space.Categorical, Options: []any{"0", "1", "2", "3", "4", "5"}}}}
	if in := bounds(sp, []Source{source}, 6); !slices.Equal(in[0], []int{1, 4}) {
		t.Errorf("in the box are %v", in)
	}
	if warm := bestOfEach([]Source{source}, 6); len(warm) != 2 || warm[0][0] != 4 || warm[1][0] != 1 {
		t.Errorf("warm are %v", warm)
	}
}

// BenchmarkSources measures a search of 500 trials with its start, from 8 tasks of 1,000
// trials each.
func BenchmarkSources(b *testing.B) {
	for _, c := range []struct {
		name, strategy, settings string
		same                     bool
	}{
		{"portfolio, shared configurations", Portfolio, "", true}, {"portfolio", Portfolio, "", false}, {"box", Box, "", false},
		{"copula", Copula, "", false}, {"copula, gp", Copula, `{"method":"gp"}`, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			const trials = 500
			sources := relatedSources(8, 1000, c.same)
			d := must(Builtin().Find(c.strategy))(b)
			settings := must(d.Canonical(json.RawMessage(c.settings), nil))(b)
			for b.Loop() {
				s := must(d.New(Start{Seed: 1, Space: relatedSpace(), Tasks: []string{"t"}, Sources: sources, Settings: settings}))(b)
				for i := range trials {
					actions, _ := s.Ask(i, 0)
					if err := s.Tell(Told{Trial: i, Actions: actions, Status: trainer.OK, Reward: float64(actions[0])}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(trials*float64(b.N)/b.Elapsed().Seconds(), "trials/s")
		})
	}
}
