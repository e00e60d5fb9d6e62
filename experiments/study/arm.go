package study

import (
	"bytes"
	"cmp"
	"encoding/json"

	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
)

// Arm is one way of searching the targets of an experiment.
type Arm struct {
	Name     string `json:"name"`
	Strategy string `json:"strategy"`
	// Settings are the strategy's, over the experiment's for that strategy.
	Settings json.RawMessage `json:"settings,omitempty"`
	// From names what the strategy starts from: a pretraining of the experiment,
	// or a published controller as NAME, NAME@VERSION or digest: the controller, the
	// trials that it learned from, or both, as the strategy does; or, for one that learns
	// from trials, a search that has ended, imported ones too. Empty: nothing.
	From string `json:"from,omitempty"`
	// Budget is what else than its number of trials ends each of the arm's searches, Pruner
	// what ends their trials early: as a search has them.
	Budget search.Budget  `json:"budget,omitzero"`
	Pruner *pruner.Choice `json:"pruner,omitempty"`
}

// BaselineOf is the arm that others are measured by where nobody says which:
// the first that searches at random, or none.
func BaselineOf(arms []Arm) string {
	for _, a := range arms {
		if a.Strategy == strategy.Random {
			return a.Name
		}
	}
	return ""
}

// SingleTask is the arm that searches as another one does, from nothing: the
// single-task arm that the paper's speed-up compares transfer with. Of several of its
// strategy it is the one with its settings, else the first. Empty where there is none, or
// where that one starts from nothing itself.
func (s *Study) SingleTask(of string) (name string) {
	other := s.Arm(of)
	for _, a := range s.Arms {
		if a.Strategy != other.Strategy || a.From != "" || other.From == "" {
			continue
		}
		if bytes.Equal(a.Settings, other.Settings) {
			return a.Name
		}
		name = cmp.Or(name, a.Name)
	}
	return name
}

// ReferenceOf is the arm that the others are compared with where nobody says
// which: the first that starts from something learned, else the first.
func ReferenceOf(arms []Arm) string {
	for _, a := range arms {
		if a.From != "" {
			return a.Name
		}
	}
	if len(arms) == 0 {
		return ""
	}
	return arms[0].Name
}
