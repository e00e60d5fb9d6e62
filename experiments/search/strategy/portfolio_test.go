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

// The greedy choice by hand: first the best mean, then what helps most beside it, and
// anew when nothing does.
func TestCoverByHand(t *testing.T) {
	losses := [][]float64{
		{.0, .9, .8}, // 0: the best of the first task
		{.3, .3, .3}, // 1: the best mean
		{.9, .0, .7}, // 2: with 1 it gains .3, as 0 does, and .9 + .0 + .7 is less than 1.7
		{.9, .9, .2}, // 3: gains .1
		{.4, .4, .4}, // 4: never gains
	}
	// 1 (mean .3); 2 and 0 gain .3 each, 2 has less loss itself; 0; 3; then anew: what is left.
	if got := cover(losses, 9); !slices.Equal(got, []int{1, 2, 0, 3, 4}) {
		t.Errorf("%v", got)
	}
	if got := cover(losses, 2); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%v", got)
	}
	if got := cover(nil, 2); got != nil {
		t.Errorf("%v", got)
	}
}

// On small tables each step is the best of all there are, and the list is within
// 1 − 1/e of the best one of its length.
func TestCoverIsGreedy(t *testing.T) {
	for table := range uint64(200) {
		g := rng.New(1, "table", table)
		losses := make([][]float64, 7)
		for i := range losses {
			losses[i] = make([]float64, 4)
			for k := range losses[i] {
				losses[i][k] = g.Float64()
			}
		}
		value := func(set ...int) (sum float64) {
			for k := range 4 {
				least := 1.0
				for _, i := range set {
					least = min(least, losses[i][k])
				}
				sum += least
			}
			return sum
		}
		got := cover(losses, 2)
		first, second, both := 4.0, 4.0, 4.0
		for i := range losses {
			first, second = min(first, value(i)), min(second, value(got[0], i))
			for k := range i {
				both = min(both, value(i, k))
			}
		}
		if value(got[0]) != first || value(got...) != second {
			t.Fatalf("table %d: %v has %v and %v, the best are %v and %v", table, got, value(got[0]), value(got...), first, second)
		}
		if gain, best := 4-second, 4-both; gain < (1-1/math.E)*best {
			t.Errorf("table %d: it gains %v, the best list %v", table, gain, best)
		}
	}
}

func TestNormalisedByHand(t *testing.T) {
	if got := normalised([]float64{5, 1, 3, 5}, byRange); !slices.Equal(got, []float64{0, 1, .5, 0}) {
		t.Errorf("%v", got)
	}
	if got := normalised([]float64{5, 1, 3, 5}, byRank); !slices.Equal(got, []float64{0, .75, .5, 0}) {
		t.Errorf("%v", got)
	}
	for _, by := range []string{byRange, byRank} {
		if got := normalised([]float64{2, 2}, by); !slices.Equal(got, []float64{0, 0}) {
			t.Errorf("%v", got)
		}
	}
}

// Where a configuration was tried its loss is the recorded one, the mean of several;
// where not, it is near to what like ones had.
func TestLossTable(t *testing.T) {
	sp := &space.Space{Choices: []space.Choice{
		{Name: "a", Options: []any{int64(1), int64(2), int64(3)}}, {Name: "b", Options: []any{"x", "y"}},
	}}
	known := func(a, b int, reward float64) Known { return Known{[]int{a, b}, trainer.OK, reward} }
	sources := []Source{
		{Task: "one", Trials: []Known{known(0, 0, 4), known(0, 0, 2), known(1, 0, 0), known(2, 1, 10)}},
		{Task: "two", Trials: []Known{known(2, 1, 0), known(2, 0, 0), known(0, 1, 8), known(0, 1, 8), known(0, 1, 8)}},
	}
	candidates, losses, err := lossTable(Start{Space: sp, Sources: sources}, byRange)
	want := [][]int{{2, 1}, {0, 0}, {1, 0}, {0, 1}, {2, 0}}
	if err != nil || !slices.EqualFunc(candidates, want, slices.Equal) {
		t.Fatalf("%v, %v", candidates, err)
	}
	if losses[0][0] != 0 || math.Abs(losses[1][0]-.7) > 1e-12 || losses[2][0] != 1 ||
		losses[0][1] != 1 || losses[3][1] != 0 || losses[4][1] != 1 {
		t.Errorf("recorded: %v", losses)
	}
	if got := losses[1][1]; got > .5 { // a = 1 was good for the second task, whatever b
		t.Errorf("estimated: %v", got)
	}
}

// The portfolio comes first, and the strategy after it is told of it, unless it learns
// only from its own trials. Of two tasks each entry has two trials.
func TestPortfolioThen(t *testing.T) {
	d := must(Builtin().Find(Portfolio))(t)
	for _, c := range []struct {
		then string
		told bool
	}{{`{"strategy":"random"}`, true}, {`{"strategy":"naml","settings":{"controller":{"hidden":4}}}`, false}} {
		settings := must(d.Canonical(json.RawMessage(`{"size":4,"then":`+c.then+`}`), nil))(t)
		sources := relatedSources(3, 20, true)
		s := must(d.New(Start{Seed: 1, Space: relatedSpace(), Tasks: []string{"x", "y"}, Sources: sources, Settings: settings}))(t)
		p := s.(*portfolio)
		seen := &listener{Strategy: p.then.Strategy}
		p.then.Strategy = seen
		for i := range 12 {
			actions, logProb := s.Ask(i, i%2)
			if i < 8 && (!slices.Equal(actions, p.actions[i/2]) || logProb != 0) {
				t.Errorf("trial %d is %v with %v", i, actions, logProb)
			}
			if err := s.Tell(Told{Trial: i, Task: i % 2, Actions: actions, LogProb: logProb, Status: trainer.OK}); err != nil {
				t.Fatal(err)
			}
		}
		if want := []int{8, 9, 10, 11}; !slices.Equal(seen.asked, want) || len(p.actions) != 4 {
			t.Errorf("%s: asked for %v", c.then, seen.asked)
		} else if (len(seen.told) == 12) != c.told || seen.told[len(seen.told)-1] != 11 {
			t.Errorf("%s: told of %v", c.then, seen.told)
		}
	}
}

// listener notes what a strategy is asked and told.
type listener struct {
	Strategy
	asked, told []int
}

func (l *listener) Ask(trial, task int) ([]int, float64) {
	l.asked = append(l.asked, trial)
	return l.Strategy.Ask(trial, task)
}

func (l *listener) Tell(t Told) error {
	l.told = append(l.told, t.Trial)
	return l.Strategy.Tell(t)
}

func TestNestedSettings(t *testing.T) {
	got := string(must(ParseSettings(Portfolio, json.RawMessage(`{"then":{"strategy":"naml","settings":"paper"}}`)))(t))
	if want := string(must(ParseSettings(NAML, json.RawMessage(`"paper"`)))(t)); !slices.Contains([]string{
		`{"size":30,"normalise":"range","then":{"strategy":"naml","settings":` + want + `}}`,
	}, got) {
		t.Errorf("%s", got)
	}
	for raw, want := range map[string]string{
		`{"then":{"strategy":"box"}}`:                       `then: unknown strategy "box"`,
		`{"then":{"strategy":"random","settings":{"x":1}}}`: `then: strategy random: unknown field "x"`,
		`{"then":{"colour":1}}`:                             "then.colour",
		`{"size":0}`:                                        "size is 0",
		`{"normalise":"z"}`:                                 `"z"`,
	} {
		if _, err := ParseSettings(Portfolio, json.RawMessage(raw)); !says(err, want) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
