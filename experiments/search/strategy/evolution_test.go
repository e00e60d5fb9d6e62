package strategy

import (
	"encoding/json"
	"slices"
	"testing"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// differences counts the choices at which two configurations differ.
func differences(a, b []int) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// Every child has one choice changed of a parent among the newest trials told, the
// oldest are dead; the first population is random.
func TestEvolutionIsRegularised(t *testing.T) {
	for _, lag := range []int{1, 4} {
		s := begin(t, Evolution, `{"population":6,"sample":3}`, 1)
		var told [][]int
		youngest, oldest := 0, 0
		s.advance(t, 400, lag, func(p Told) float64 {
			told = append(told, p.Actions)
			if p.Trial < 6 {
				return chance(p)
			}
			known := told[:p.Trial-lag+1] // when it was asked
			at := len(known) - 1
			for at >= 0 && differences(known[at], p.Actions) != 1 {
				at--
			}
			if at < max(0, len(known)-6) {
				t.Fatalf("lag %d: trial %d, %v, is no child of %v", lag, p.Trial, p.Actions, known[max(0, len(known)-6):])
			}
			if at == len(known)-1 {
				youngest++
			}
			if at == len(known)-6 {
				oldest++
			}
			return chance(p)
		})
		if youngest == 0 || oldest == 0 {
			t.Errorf("lag %d: %d are children of the youngest, %d of the oldest", lag, youngest, oldest)
		}
		if p := s.Strategy.(*evolution).living[0]; len(p.rewards) != 6 || !slices.EqualFunc(p.actions, told[394:], slices.Equal) {
			t.Errorf("lag %d: the population is %v, the newest are %v", lag, p.actions, told[394:])
		}
	}
}

// Of a population of n the k-th worst wins a tournament of s with the probability
// (k/n)ˢ − ((k−1)/n)ˢ: the sample is drawn with replacement and its best wins.
func TestEvolutionsTournament(t *testing.T) {
	rewards := []float64{.3, .1, .5, .2, .4}
	byRank := []int{1, 3, 0, 4, 2}
	const draws, sample = 50000, 3
	var counts [5]float64
	for i := range draws {
		counts[tournament(rng.New(1, "tournament", uint64(i)), rewards, sample)]++
	}
	below := 0.
	for k, i := range byRank {
		share := float64(k+1) / 5
		upTo := share * share * share
		if got, want := counts[i]/draws, upTo-below; got < want-.01 || got > want+.01 {
			t.Errorf("the one of rank %d from below wins %.3f of the tournaments, want %.3f", k+1, got, want)
		}
		below = upTo
	}
}

// A mutation takes every choice that has other options equally often, and every other
// option of it.
func TestEvolutionsMutation(t *testing.T) {
	e := &evolution{options: []int{1, 2, 5}, open: []int{1, 2}}
	const n = 20000
	counts := map[[3]int]int{}
	for i := range n {
		counts[[3]int(e.mutated(rng.New(1, "mutation", uint64(i)), []int{0, 1, 3}))]++
	}
	want := map[[3]int]float64{{0, 0, 3}: .5, {0, 1, 0}: .125, {0, 1, 1}: .125, {0, 1, 2}: .125, {0, 1, 4}: .125}
	if len(counts) != len(want) {
		t.Errorf("%v", counts)
	}
	for child, share := range want {
		if got := float64(counts[child]) / n; got < share-.015 || got > share+.015 {
			t.Errorf("%v: %.3f of the children, want %.3f", child, got, share)
		}
	}
}

// The first population is every task's best, then every task's second best, each
// configuration once, and the rest of it random; restored without the sources the
// search goes on with it.
func TestEvolutionStartsFromOtherTasks(t *testing.T) {
	sp := &space.Space{Name: "x", Choices: []space.Choice{{Name: "a", Options: []any{1, 2, 3, 4, 5, 6, 7}}}}
	ok := func(action int, reward float64) Known { return Known{[]int{action}, trainer.OK, reward} }
	sources := []Source{
		{"one", []Known{ok(0, .1), ok(1, .3), {[]int{6}, trainer.Failed, .9}, ok(2, .2)}},
		{"none", nil},
		{"two", []Known{ok(1, 30), ok(3, 20), ok(4, 20), ok(5, -1)}},
	}
	start := func(settings string, sources []Source) *evolution {
		raw := must(ParseSettings(Evolution, json.RawMessage(settings)))(t)
		return must(newEvolution(Start{Seed: 1, Space: sp, Tasks: []string{"x"}, Settings: raw, Sources: sources}))(t).(*evolution)
	}
	want := [][]int{{1}, {2}, {3}, {0}, {4}, {5}}
	for settings, n := range map[string]int{`{}`: 6, `{"warm":2}`: 2, `{"population":3}`: 3, `{"warm":0}`: 0} {
		e := start(settings, sources)
		f := safetensors.New("state")
		e.Put(f)
		restored := start(settings, nil)
		if err := restored.Get(f); err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			got, _ := e.Ask(i, 0)
			again, _ := restored.Ask(i, 0)
			cold, _ := start(settings, nil).Ask(i, 0)
			if i < n {
				cold = want[i]
			}
			if !slices.Equal(got, cold) || !slices.Equal(again, got) {
				t.Errorf("%s: trial %d is %v, restored %v, want %v", settings, i, got, again, cold)
			}
		}
	}
}

func TestEvolutionSettings(t *testing.T) {
	_, err := ParseSettings(Evolution, json.RawMessage(`{"population":0,"sample":0,"warm":-2}`))
	if !says(err, "population", "sample", "warm") {
		t.Errorf("%v", err)
	}
	if got := string(must(ParseSettings(Evolution, json.RawMessage(`{"population":7}`)))(t)); got != `{"population":7,"sample":5,"warm":-1}` {
		t.Error(got)
	}
}

func BenchmarkEvolution(b *testing.B) { benchmarkTrials(b, Evolution, `{}`) }
