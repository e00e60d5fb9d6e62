package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/space"
	"tnaml/nn/safetensors"
)

// FixedSettings are the parameters of the strategy "fixed".
type FixedSettings struct {
	// Architecture names the option of every choice of the space, e.g.
	// {"hidden_layers": 2, "activation": "relu", …}.
	Architecture map[string]any `json:"architecture"`
}

// fixed proposes one child model again and again; its trials differ in their
// seeds alone (the second ablation of Wong et al., 2018, §4.3). It has no state.
type fixed struct{ actions []int }

func newFixed(c Config) (*fixed, error) {
	var s FixedSettings
	if err := strict(c.Settings, &s); err != nil {
		return nil, err
	}
	actions, err := actionsOf(&c.Space, s.Architecture)
	return &fixed{actions}, err
}

func (f *fixed) propose(int, int) ([]int, float64)      { return slices.Clone(f.actions), 0 }
func (*fixed) learn(int, []int, float64, float64) error { return nil }
func (*fixed) put(*safetensors.File)                    {}
func (*fixed) get(*safetensors.File) error              { return nil }
func (*fixed) controller(*safetensors.File) bool        { return false }

// actionsOf finds the options of an architecture in a space. Everything wrong
// is reported together.
func actionsOf(sp *space.Space, architecture map[string]any) ([]int, error) {
	var errs []error
	actions := make([]int, len(sp.Choices))
	known := map[string]bool{}
	for i, c := range sp.Choices {
		known[c.Name] = true
		v, ok := architecture[c.Name]
		if !ok {
			errs = append(errs, fmt.Errorf("architecture: no option for the choice %q (there are: %s)", c.Name, list(c.Options)))
			continue
		}
		want := literal(v)
		if actions[i] = slices.IndexFunc(c.Options, func(o any) bool { return literal(o) == want }); actions[i] < 0 {
			errs = append(errs, fmt.Errorf("architecture: choice %q has no option %v (there are: %s)", c.Name, v, list(c.Options)))
		}
	}
	var unknown []string
	for name := range architecture {
		if !known[name] {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		errs = append(errs, fmt.Errorf("architecture: no choice %s in the space %q", strings.Join(unknown, ", "), sp.Name))
	}
	return actions, errors.Join(errs...)
}

// literal is a value as JSON writes it, by which options are compared: an
// integer given as a float is the same option.
func literal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
