package study

import (
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
)

// The best kept model of each task; what was not kept, or is of another trainer, is
// none.
func TestBestKeptByHand(t *testing.T) {
	of := func(name, trainer string, rewards ...float64) Candidate {
		l := ledger(Transfer, "a", "naml", 1, rewards...)
		for i := range l.Trials {
			l.Trials[i].Task = i % 2
			if i != 3 {
				l.Trials[i].Model = "sha256:m"
			}
		}
		return Candidate{name, &search.Config{Tasks: []search.Task{{Name: "a"}, {Name: "b"}}, Space: space.Space{Trainer: trainer}}, l.Trials}
	}
	got := BestKept([]Candidate{of("one", "", .5, .6, .7, .9), of("two", "", .7, .61), of("three", "table", .99, .99), {Search: "failed"}})
	if len(got) != 2 || got[0].Search != "one" || got[0].Trial.Trial != 2 || got[1].Search != "two" || got[1].Trial.Trial != 1 {
		t.Errorf("%+v", got)
	}
}

// Models that were measured on a test split, and of which every one fails it, are not
// untested ones.
func TestAllZeroIsTested(t *testing.T) {
	l := ledger(Transfer, "a", "naml", 1, ramp(10, .5)...)
	for i := range l.Trials {
		l.Trials[i].Test, l.Trials[i].Metrics["test_accuracy"] = 0, 0
	}
	s := &Study{Ledgers: []Ledger{l}}
	if !s.Tested() {
		t.Error("values of 0 on the test split are taken for none")
	}
	delete(l.Trials[3].Metrics, "test_accuracy") // which is no value of 0
	if of := s.Untested(); s.Tested() || of == nil || of.Search != l.Search {
		t.Errorf("one model has no test value: tested %v, untested %+v", s.Tested(), of)
	}
	for i := range l.Trials {
		delete(l.Trials[i].Metrics, "test_accuracy")
	}
	if s.Tested() || s.Untested() != nil {
		t.Error("tested by nothing")
	}
}
