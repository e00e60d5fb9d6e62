package strategytest

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// trials of the suite's searches.
const trials = 14

func asksValid(t testing.TB, s subject) {
	for _, from := range s.starts(t) {
		c := s.course(t, from)
		proposals := append(c.run(t, trials), c.ahead...)
		for _, p := range proposals {
			if _, err := from.start.Space.Values(p.Actions); err != nil {
				t.Errorf("%s: trial %d: %v", from.name, p.Trial, err)
			}
			if !finite(p.LogProb) || p.LogProb > 0 {
				t.Errorf("%s: trial %d: the log-probability %v", from.name, p.Trial, p.LogProb)
			}
		}
	}
}

func deterministic(t testing.TB, s subject) {
	for _, from := range s.starts(t) {
		a, b := s.course(t, from), s.course(t, from)
		one, other := a.run(t, trials), b.run(t, trials)
		if !reflect.DeepEqual(append(one, a.ahead...), append(other, b.ahead...)) {
			t.Errorf("%s: it asks another time for other trials", from.name)
		}
		if !bytes.Equal(state(a.strategy), state(b.strategy)) {
			t.Errorf("%s: its state is another", from.name)
		}
	}
}

func asksPurely(t testing.TB, s subject) {
	for _, from := range s.starts(t) {
		c := s.course(t, from)
		c.run(t, trials/2)
		before := state(c.strategy)
		if again := state(c.strategy); !bytes.Equal(before, again) {
			t.Errorf("%s: Put gives another state when called again", from.name)
		}
		last := c.ahead[len(c.ahead)-1]
		for range 2 { // the newest again: nothing has been told since
			actions, logProb := c.strategy.Ask(last.Trial, last.Task)
			if !slices.Equal(actions, last.Actions) || logProb != last.LogProb {
				t.Errorf("%s: trial %d is %v (%v) and, asked again, %v (%v)", from.name, last.Trial, last.Actions, last.LogProb, actions, logProb)
			}
		}
		if after := state(c.strategy); !bytes.Equal(before, after) {
			t.Errorf("%s: asking changed the state", from.name)
		}
	}
}

// What it returned and what it was told may be written over.
func ownSlices(t testing.TB, s subject) {
	for _, from := range s.starts(t) {
		plain, c := s.course(t, from), s.course(t, from)
		want := plain.run(t, trials)
		var last strategy.Told
		c.outcome = func(p proposal) strategy.Told { last = made(p); return last }
		var got []proposal
		for c.told < trials {
			actions, _ := c.strategy.Ask(c.told, 0)
			got = append(got, c.run(t, c.told+1)...)
			for i := range actions {
				actions[i], last.Actions[i] = 12345, 12345
			}
			for name := range last.Metrics {
				last.Metrics[name] = math.NaN()
			}
		}
		if !reflect.DeepEqual(want, got) || !bytes.Equal(state(plain.strategy), state(c.strategy)) {
			t.Errorf("%s: what was written into its slices and maps changed it", from.name)
		}
	}
}

func restores(t testing.TB, s subject) {
	for _, from := range s.starts(t) {
		whole := s.course(t, from)
		want := whole.run(t, trials)
		end := state(whole.strategy)
		for _, at := range []int{0, 1, 5, trials - 1} {
			c := s.course(t, from)
			got := c.run(t, at)
			saved := state(c.strategy)
			// Restored, twice over, then run on; the proposals ahead are the search's.
			c.strategy = s.resume(t, from, saved)
			if again := state(c.strategy); !bytes.Equal(saved, again) {
				t.Errorf("%s: after %d trials the state restored is another", from.name, at)
			}
			c.strategy = s.resume(t, from, state(c.strategy))
			got = append(got, c.run(t, trials)...)
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%s: restored after %d trials, it asks for others", from.name, at)
			}
			if !bytes.Equal(end, state(c.strategy)) {
				t.Errorf("%s: restored after %d trials, it learns something else", from.name, at)
			}
		}
		// A state replaces what was learned before it.
		used := s.course(t, from)
		used.run(t, trials/3)
		f, err := safetensors.Decode(end)
		if err != nil {
			t.Fatal(err)
		}
		if err := used.strategy.Get(f); err != nil {
			t.Errorf("%s: a state over another: %v", from.name, err)
		} else if !bytes.Equal(end, state(used.strategy)) {
			t.Errorf("%s: a state over another leaves some of that", from.name)
		}
	}
}

// An empty state is an error for a strategy that has one; whatever is in a
// state, nothing panics.
func refusesStates(t testing.TB, s subject) {
	for _, from := range s.starts(t) {
		c := s.course(t, from)
		c.run(t, 4)
		f, err := safetensors.Decode(state(c.strategy))
		if err != nil {
			t.Fatal(err)
		}
		empty := safetensors.New("state")
		err = s.begin(t, from).Get(empty)
		if has := len(f.Names()) > 0 || len(f.Metadata) > len(empty.Metadata); has && err == nil {
			t.Errorf("%s: an empty state is taken", from.name)
		}
	}
}

// told runs searches whose outcomes are made up by outcome.
func (s subject) told(t testing.TB, what string, outcome func(p proposal) strategy.Told) {
	t.Helper()
	for _, from := range s.starts(t) {
		c := s.course(t, from)
		c.outcome = outcome
		for _, p := range append(c.run(t, trials), c.ahead...) {
			if _, err := from.start.Space.Values(p.Actions); err != nil || !finite(p.LogProb) {
				t.Errorf("%s: %s: trial %d: log-probability %v, %v", from.name, what, p.Trial, p.LogProb, err)
				break
			}
		}
		state(c.strategy)
	}
}

func failures(t testing.TB, s subject) {
	for _, status := range trainer.Statuses()[1:] {
		s.told(t, "all trials "+string(status), func(p proposal) strategy.Told {
			return strategy.Told{Trial: p.Trial, Task: p.Task, Actions: p.Actions, LogProb: p.LogProb, Status: status}
		})
	}
	s.told(t, "every other fails", func(p proposal) strategy.Told {
		told := made(p)
		if p.Trial%2 == 0 {
			told.Status, told.Metrics, told.Reward, told.Steps = trainer.Failed, nil, -3, 0
		}
		return told
	})
}

func rewards(t testing.TB, s subject) {
	for _, scale := range []float64{0, 1e-9, -1e-9, 1e6, -1e6} {
		s.told(t, "small and large", func(p proposal) strategy.Told {
			told := made(p)
			told.Reward *= scale
			return told
		})
	}
}
