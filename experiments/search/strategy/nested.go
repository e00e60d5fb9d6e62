package strategy

import (
	"encoding/json"
	"fmt"
)

// Nested is the strategy that another one hands trials to.
type Nested struct {
	Strategy string `json:"strategy"`
	// Settings are its own, over its defaults.
	Settings json.RawMessage `json:"settings"`
}

// canonical fills in what is absent: tpe, so that what stands around it is tried with an
// optimiser, and the strategy's defaults.
func (n Nested) canonical() (Nested, error) {
	if n.Strategy == "" {
		n.Strategy = TPE
	}
	d, err := nestable().Find(n.Strategy)
	if err != nil {
		return n, err
	}
	if n.Settings, err = d.Canonical(n.Settings, nil); err != nil {
		return n, fmt.Errorf("strategy %s: %w", n.Strategy, err)
	}
	return n, nil
}

// nested is a strategy within another, in that one's space or in one of its own.
type nested struct {
	Strategy
	// onPolicy strategies are told only of the trials that they asked.
	onPolicy bool
}

// start starts the strategy as its own search would start, but for what s says.
func (n Nested) start(s Start) (nested, error) {
	d, err := nestable().Find(n.Strategy)
	if err != nil {
		return nested{}, err
	}
	s.Settings = n.Settings
	if !d.FromSources {
		s.Sources = nil
	}
	inner, err := d.New(s)
	if err != nil {
		return nested{}, fmt.Errorf("strategy %s: %w", n.Strategy, err)
	}
	return nested{inner, d.OnPolicy}, nil
}
