package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/guard"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// judgedLedger is a search of twenty models of which each has ten of twenty examples right.
func judgedLedger(t *testing.T, s store.Store) *Ledger {
	t.Helper()
	l := &Ledger{Name: "x", Config: &search.Config{
		Tasks: []search.Task{{Name: "a"}}, Seed: 1,
		Space: space.Space{Objective: space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise}},
	}}
	for i := range 20 {
		bits := trainer.Bits{N: 20, Packed: make([]byte, 3)}
		for k := range 10 {
			e := (i + k) % 20
			bits.Packed[e/8] |= 1 << (e % 8)
		}
		ref, err := s.Put(t.Context(), (&trainer.Right{Validation: bits, Test: bits}).Encode())
		if err != nil {
			t.Fatal(err)
		}
		l.Trials = append(l.Trials, search.Trial{
			Trial: i, Status: trainer.OK, Reward: .5, Validation: .5, Test: .5, Examples: string(ref),
			Metrics: map[string]float64{"validation_accuracy": .5, "test_accuracy": .5},
		})
	}
	return l
}

// The best of twenty coins is expected to be no more than a coin.
func TestCorrected(t *testing.T) {
	s := store.NewMemory()
	c, l := &Client{Store: s}, judgedLedger(t, s)
	got, err := c.Corrected(t.Context(), l, 0)
	if err != nil || got == nil || got.Models != 20 || got.Accuracy > .45 || got.Accuracy < .2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if say, want := l.Say(l.Trials[0], &guard.Corrected{Models: 20, Accuracy: .3456, Error: .0123}),
		"validation 50.00 % (of 20 models; corrected 34.56 ± 1.23 %), test 50.00 %"; say != want {
		t.Errorf("%q, want %q", say, want)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Corrected(gone, l, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	kept := l.Trials[7].Examples
	// Where it cannot be told there is none, and why is said to who asks for a guard.
	for _, of := range []struct{ name, examples, metric string }{
		{"the same search with --examples", "", trainer.Accuracy},
		{"the same search with --examples", string(store.RefOf([]byte("gone"))), trainer.Accuracy},
		{"the same search with --examples", "examples/churn/17", trainer.Accuracy}, // its trainer's own
		{"its objective is log_loss", kept, "log_loss"},
	} {
		name := of.name
		l.Trials[7].Examples, l.Config.Space.Objective.Metric = of.examples, of.metric
		if got, err := c.Corrected(t.Context(), l, 0); got != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, _, err := c.judged(t.Context(), l, 0); !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%v does not say %q", err, name)
		}
	}
}

// What was trained again chooses by whole rounds, without what failed; a search of another
// of this name is refused, and one that is missing says how to have it.
func TestChosenAgain(t *testing.T) {
	s := store.NewMemory()
	c, l := &Client{Store: s}, judgedLedger(t, s)
	choose := func(want string) *Choice {
		t.Helper()
		got, err := c.Choose(t.Context(), l, 0, Reevaluation)
		if want != "" && !strings.Contains(fmt.Sprint(err), want) || want == "" && err != nil {
			t.Errorf("%v does not say %q", err, want)
		}
		return got
	}
	choose("starter best x --task a --guard reevaluate")
	config, err := library.PutConfig(t.Context(), s, l.Config)
	if err != nil {
		t.Fatal(err)
	}
	var segment search.Segment
	for i, v := range []float64{.6, .9, .5, .8, 0, .7, .6, .9, .5, .1} { // three rounds of three, and a part
		row := search.Trial{Trial: i, Status: trainer.OK, Reward: v, Validation: v}
		if v == 0 {
			row.Status = trainer.Diverged
		}
		segment.Trials = append(segment.Trials, row)
	}
	ledger, err := s.Put(t.Context(), segment.Encode())
	if err != nil {
		t.Fatal(err)
	}
	record := library.SearchRecord{Name: "x-reevaluated", RunID: "r", Owner: "r", Status: "stopped", Config: config, Ledger: ledger,
		Spec:        json.RawMessage(`{"reevaluate":{"top":3,"repeats":4}}`),
		Reevaluated: &library.Reevaluated{Search: "x", Config: l.Config.Digest(), Task: "a", Trials: []int{4, 2, 9}}}
	if err := library.StartSearch(t.Context(), s, record); err != nil {
		t.Fatal(err)
	}
	// The first has .6, .8 and .6; the second has failed once; the third .5, .7 and .5.
	if got := choose(""); got == nil || got.Trial != 4 || got.Of != 2 || got.Repeats != 3 || math.Abs(got.Expected-2./3) > 1e-12 {
		t.Errorf("%+v", got)
	}
	// It is there, and stays what it is: others are refused, and none given is what it has.
	for want, is := range map[[2]int]string{{0, 0}: "", {3, 0}: "", {0, 4}: "", {3, 4}: "", {5, 0}: "not 5, 4 times",
		{3, 2}: "not 3, 2 times"} {
		const has, out = "trains the best 3 models again, 4 times each", "starter remove x-reevaluated"
		name, err := c.Reevaluate(t.Context(), l, 0, want[0], want[1])
		if name != "x-reevaluated" || (err == nil) != (is == "") || err != nil && (!errors.Is(err, ErrUsage) ||
			!strings.Contains(err.Error(), is) || !strings.Contains(err.Error(), has) || !strings.Contains(err.Error(), out)) {
			t.Errorf("%v: %s, %v", want, name, err)
		}
	}
	l.Config.Seed++
	choose("starter remove x-reevaluated")
	if _, err := c.Choose(t.Context(), l, 0, "luck"); !errors.Is(err, ErrUsage) {
		t.Error(err)
	}
}
