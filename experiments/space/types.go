// Package space is the search space as data: an ordered list of typed choices,
// each with its options. It knows no choice by name: what an option does to a
// model is its trainer's (package trainer).
package space

import (
	"encoding/json"
	"slices"
)

// Space is a search space.
type Space struct {
	Name string `json:"name"`
	// Description says where the options come from.
	Description string `json:"description,omitempty"`
	// Trainer names what turns the choices into a model; empty means
	// DefaultTrainer.
	Trainer string `json:"trainer,omitempty"`
	// Settings are the trainer's, the same for all trials: one JSON object in
	// canonical form, or none.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Objective is what a search in this space optimises.
	Objective Objective `json:"objective,omitzero"`
	// Constraints are what a model must keep to be any good, whatever its objective.
	Constraints []Constraint `json:"constraints,omitempty"`
	Choices     []Choice     `json:"choices"`
}

// DefaultTrainer trains the child models of nn/child.
const DefaultTrainer = "builtin"

// Choice is one design decision with its options.
type Choice struct {
	Name string `json:"name"`
	// Kind says whether the options have an order; empty: numbers that rise or fall have.
	Kind Kind `json:"kind,omitempty"`
	// Options are of one type: string, bool, int64, or float64 where not all
	// numbers are whole.
	Options []any `json:"options"`
}

// Kind is a kind of choice.
type Kind string

// The kinds.
const (
	// Categorical options have no order.
	Categorical Kind = "categorical"
	// Ordinal options stand in their order, which a strategy may use.
	Ordinal Kind = "ordinal"
)

// Objective is the metric that a search optimises.
type Objective struct {
	// Metric is its name; empty: the trainer's first.
	Metric string `json:"metric,omitempty"`
	// Direction is Maximise or Minimise; empty: as the trainer says of the
	// metric, else Maximise.
	Direction Direction `json:"direction,omitempty"`
}

// Constraint bounds a metric. At least one of Min and Max is there.
type Constraint struct {
	// Metric is named as that of an objective: its value on the validation split, or the
	// metric of that very name.
	Metric string   `json:"metric"`
	Min    *float64 `json:"min,omitempty"`
	Max    *float64 `json:"max,omitempty"`
}

// Direction says which values of a metric are better.
type Direction string

// The directions.
const (
	Maximise Direction = "maximise"
	Minimise Direction = "minimise"
)

// Ordered says that the options stand in an order, as the kind says, or else as numbers
// each of which is more than the one before, or each less: places in a list that goes up
// and down tell nothing of how far apart its options are.
func (c *Choice) Ordered() bool {
	if c.Kind != "" {
		return c.Kind == Ordinal
	}
	values := make([]float64, len(c.Options))
	for i, o := range c.Options {
		var ok bool
		if values[i], ok = number(o); !ok {
			return false
		}
	}
	up := slices.IsSorted(values)
	slices.Reverse(values)
	return len(values) > 0 && (up || slices.IsSorted(values))
}

// TrainerName is the space's trainer.
func (s *Space) TrainerName() string {
	if s.Trainer == "" {
		return DefaultTrainer
	}
	return s.Trainer
}

// Choice returns the choice of a name, or nil.
func (s *Space) Choice(name string) *Choice {
	for i := range s.Choices {
		if s.Choices[i].Name == name {
			return &s.Choices[i]
		}
	}
	return nil
}
