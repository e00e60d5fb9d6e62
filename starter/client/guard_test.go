package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

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
	l.Trials[7].Examples = string(store.RefOf([]byte("gone")))
	if _, err := c.Corrected(t.Context(), l, 0); err == nil || !strings.Contains(err.Error(), "trial 7") {
		t.Errorf("an object that is gone: %v", err)
	}
	// Where it cannot be told there is none, and why is said to who asks for a guard.
	for name, change := range map[string]func(){
		"the same search with --examples": func() { l.Trials[7].Examples = "" },
		"its objective is log_loss": func() {
			l.Trials[7].Examples = kept
			l.Config.Space.Objective = space.Objective{Metric: "log_loss", Direction: space.Minimise}
		},
	} {
		change()
		if got, err := c.Corrected(t.Context(), l, 0); got != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, _, err := c.judged(t.Context(), l, 0); !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%v does not say %q", err, name)
		}
		l.Config.Space.Objective, l.Trials[7].Examples = space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise}, kept
	}
}
