package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tnaml/experiments/strict"
	"tnaml/nn/safetensors"
)

// Fixed trains one given architecture again and again, what transfers an
// architecture in place of a controller (§4.3), or several in turn.
const Fixed = "fixed"

var fixedArchitecture = Definition{
	Name:           Fixed,
	Doc:            "one given architecture again and again, or several in turn, with other seeds",
	Defaults:       json.RawMessage(`{"architecture":{}}`),
	FromController: true,
	NeedsSettings:  true,
	Settings:       fixedSettings,
	New:            newFixed,
}

// FixedSettings are the parameters of the strategy "fixed".
type FixedSettings struct {
	// Architecture names the option of every choice of the space, e.g.
	// {"hidden_layers": 2, "activation": "relu", …}; absent: the one that the
	// controller has settled on.
	Architecture map[string]any `json:"architecture"`
	// Architectures are several in its place: the i-th trial has that of number i, from
	// the first again after the last.
	Architectures []map[string]any `json:"architectures,omitempty"`
}

// maxArchitectures bounds the architectures of a search.
const maxArchitectures = 100

func (s *FixedSettings) all() []map[string]any {
	if len(s.Architectures) > 0 {
		return s.Architectures
	}
	return []map[string]any{s.Architecture}
}

func fixedSettings(raw json.RawMessage, from *Pretrained) (json.RawMessage, error) {
	var s FixedSettings
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	if n := len(s.Architectures); n > maxArchitectures || n > 0 && len(s.Architecture) > 0 {
		return nil, fmt.Errorf(`%d "architectures": give "architecture", or up to %d of these in its place`, n, maxArchitectures)
	}
	if s.Architecture == nil && len(s.Architectures) == 0 && from != nil {
		if n := from.Policy.Tasks(); n != 1 && (!from.TaskAgnostic() || n == 0) {
			return nil, fmt.Errorf("the controller has embeddings of %d tasks, so that its final architecture depends on the task: "+
				"start from a task-agnostic one, or give the architecture", n)
		}
		sp := from.Space()
		var err error
		if s.Architecture, err = sp.Values(from.Greedy(0).Actions); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(s.all(), func(a map[string]any) bool { return len(a) == 0 }) {
		return nil, errors.New(`no "architecture": name the option of each choice, or a controller to take it from`)
	}
	var errs []error
	for _, a := range s.all() {
		for _, name := range slices.Sorted(maps.Keys(a)) {
			switch a[name].(type) {
			case string, bool, float64, int64:
			default:
				errs = append(errs, fmt.Errorf("architecture: the option of %q is no text, truth value or number", name))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// fixed proposes given models again and again; the trials of one differ in their seeds
// alone (the second ablation of Wong et al., 2018, §4.3). It has no state.
type fixed struct{ actions [][]int }

func newFixed(s Start) (Strategy, error) {
	var settings FixedSettings
	if err := strict.Unmarshal(s.Settings, &settings); err != nil {
		return nil, err
	}
	f := &fixed{}
	for i, a := range settings.all() {
		actions, err := s.Space.Actions(a)
		if err != nil && len(settings.Architectures) > 0 {
			return nil, fmt.Errorf("architecture %d: %w", i, err)
		}
		if err != nil {
			return nil, fmt.Errorf("architecture: %w", err)
		}
		f.actions = append(f.actions, actions)
	}
	return f, nil
}

func (f *fixed) Ask(trial, _ int) ([]int, float64) {
	return slices.Clone(f.actions[trial%len(f.actions)]), 0
}
func (*fixed) Tell(Told) error             { return nil }
func (*fixed) Put(*safetensors.File)       {}
func (*fixed) Get(*safetensors.File) error { return nil }
