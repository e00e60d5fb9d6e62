// Package strategy holds the search strategies: what proposes trials and learns
// from their outcomes. One table lists them, each is one file.
package strategy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// Strategy proposes trials and learns from them. Its state is a function of how
// it started and of what it was asked and told, in order. It is not safe for concurrent
// use.
type Strategy interface {
	// Ask returns the options of a trial, an index for each choice of the space, and
	// the log-probability with which they were drawn, 0 where that means nothing. Trials
	// are asked in their order; to ask for the newest again changes nothing.
	Ask(trial, task int) (actions []int, logProb float64)
	// Tell takes the outcome of a trial asked earlier. Trials are told in their
	// order.
	Tell(t Told) error
	// Put and Get save and restore the state, every bit of it.
	Put(f *safetensors.File)
	Get(f *safetensors.File) error
}

// Learner is a strategy that learns a controller, which others can start from.
type Learner interface {
	Strategy
	// PutController writes the controller's weights.
	PutController(f *safetensors.File)
}

// Told is what a strategy learns of a trial. All of it is a function of the
// trial's request.
type Told struct {
	Trial, Task int
	Actions     []int
	LogProb     float64
	Status      trainer.Status
	// Reward is the objective, more being better. Of a trial that was pruned it is what that
	// had reached, or the worst of its task's trials before it that ended well, if that is
	// less; of one that failed it is the worst of the objective among those before it, 0 while
	// there is none; of an infeasible one it is less than the worst of those before it and its
	// own. It does not change with the trials that follow, and so it may be more than theirs:
	// who compares trials with each other does so by their Status too (effective).
	Reward  float64
	Metrics map[string]float64
	// Steps is the number of training steps taken.
	Steps int
}

// Start is what a strategy starts from.
type Start struct {
	// Seed keys the search's draws, and is another for other tasks. A strategy's
	// streams have its name before their own: two strategies draw independently, two
	// searches of one strategy, with other settings, from the same numbers.
	Seed  uint64
	Space *space.Space
	// Tasks names the tasks, in order.
	Tasks []string
	// Settings are in canonical form.
	Settings json.RawMessage
	// Controller is the pretrained one to start from, nil for none.
	Controller *Pretrained
	// Sources are the trials of other tasks to learn from, where the strategy does
	// (Definition.FromSources). They are there when a search starts, and not when its
	// state is restored: Put saves what is still needed of them.
	Sources []Source
}

// Definition is a row of the table.
type Definition struct {
	Name string
	// Doc says what the strategy does, in a sentence.
	Doc string
	// Presets are named settings; "default" are those with nothing set.
	Presets []Preset
	// Defaults is an example of the settings in canonical form, all defaults filled
	// in: their schema.
	Defaults json.RawMessage
	// FromController says that it can start from a pretrained controller, Continues
	// that the controller's weights are then its own state, as for NAML; where not,
	// the settings take from the controller what they need of it.
	FromController, Continues bool
	// FromSources says that it learns from the trials of other tasks.
	FromSources bool
	// OnPolicy says that it learns only from trials that it asked itself, so that it is
	// told of no others where it runs within another strategy.
	OnPolicy bool
	// NeedsSettings says that without settings, or a controller, it cannot start.
	NeedsSettings bool
	// Settings decodes settings over their defaults, checks them and returns them in
	// canonical form. from is nil without a controller.
	Settings func(raw json.RawMessage, from *Pretrained) (json.RawMessage, error)
	New      func(s Start) (Strategy, error)
	// OfStart says, of settings before and after in canonical form, what is another of
	// what only a search's start reads: a search that goes on cannot change it. nil: the
	// strategy reads all of its settings as it goes.
	OfStart func(old, now json.RawMessage) []string
}

// Preset is a named setting of a strategy.
type Preset struct {
	Name string
	Doc  string
	// Settings are what it sets; the rest has its defaults.
	Settings json.RawMessage
}

// DefaultPreset names the settings with nothing set.
const DefaultPreset = "default"

// Table lists strategies by name.
type Table []Definition

// Builtin is the table of the strategies that the program has.
func Builtin() Table { return append(nestable(), Table{portfolioSearch, boxSearch, guidedSearch}...) }

// nestable lists those that others can hand trials to (Nested): all that nest none.
func nestable() Table {
	return Table{randomSearch, neuralAutoML, fixedArchitecture, treeParzen, regularisedEvolution, kindredTasks, copulaSearch}
}

// Names lists the strategies.
func (t Table) Names() []string {
	var out []string
	for _, d := range t {
		out = append(out, d.Name)
	}
	return out
}

// Find returns a strategy by its name.
func (t Table) Find(name string) (*Definition, error) {
	for i := range t {
		if t[i].Name == name {
			return &t[i], nil
		}
	}
	return nil, fmt.Errorf("unknown strategy %q (known: %s)", name, strings.Join(t.Names(), ", "))
}

// Canonical decodes a strategy's settings over their defaults, checks them and
// returns them as canonical JSON with every default filled in, which is part of a
// search's identity. raw is nothing, an object, or a preset's name; an object may
// name a preset as "preset", and sets what differs from it. All problems come
// together.
func (d *Definition) Canonical(raw json.RawMessage, from *Pretrained) (json.RawMessage, error) {
	if from != nil && !d.FromController {
		return nil, fmt.Errorf("strategy %s starts from no controller", d.Name)
	}
	raw, err := d.overPreset(raw)
	if err != nil {
		return nil, err
	}
	return d.Settings(raw, from)
}

// overPreset replaces a preset's name by what it sets.
func (d *Definition) overPreset(raw json.RawMessage) (json.RawMessage, error) {
	own, err := object(raw)
	if err != nil || own["preset"] == nil {
		return join(own, err)
	}
	name := ""
	if json.Unmarshal(own["preset"], &name) != nil {
		return nil, fmt.Errorf("the preset is %s, it must be a name", own["preset"])
	}
	delete(own, "preset")
	known := []string{DefaultPreset}
	for _, p := range d.Presets {
		if known = append(known, p.Name); p.Name == name {
			under, err := object(p.Settings)
			if err != nil {
				return nil, err
			}
			return overlay(under, own)
		}
	}
	if name != DefaultPreset {
		return nil, fmt.Errorf("strategy %s has no preset %q (there are: %s)", d.Name, name, strings.Join(known, ", "))
	}
	return join(own, nil)
}

// Overlay puts the fields of one settings object over another's, section within section:
// {"naml":{"policy_gradient":{"entropy":0.05}}} keeps all other settings. A section that
// names another method or strategy than the one beneath does, or one where that names none,
// takes its place whole, since the other fields depend on that; the settings themselves are
// no section. A preset replaces all that is under it, and null stands for the default.
// Nothing over nothing is nil.
func Overlay(under, over json.RawMessage) (json.RawMessage, error) {
	a, err := object(under)
	if err != nil {
		return nil, err
	}
	b, err := object(over)
	if err != nil {
		return nil, err
	}
	if len(a)+len(b) == 0 {
		return nil, nil
	}
	if b["preset"] != nil {
		return over, nil
	}
	return overlay(a, b)
}

func overlay(under, over map[string]json.RawMessage) (json.RawMessage, error) {
	for name, value := range over {
		a, b := section(name, under[name]), section(name, value)
		if a == nil || b == nil || replaces(a, b) {
			under[name] = value
			continue
		}
		both, err := overlay(a, b)
		if err != nil {
			return nil, err
		}
		under[name] = both
	}
	return json.Marshal(under)
}

// section decodes a section, nil for what is none. The settings of a strategy within
// another may be a preset's name.
func section(name string, raw json.RawMessage) (fields map[string]json.RawMessage) {
	if name == "settings" && len(raw) > 0 && raw[0] == '"' {
		return map[string]json.RawMessage{"preset": raw}
	}
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	return fields
}

// kinds are the fields that a section's other fields depend on.
var kinds = []string{"method", "strategy"}

// replaces says that a section takes the place of the one beneath.
func replaces(under, over map[string]json.RawMessage) bool {
	return over["preset"] != nil || slices.ContainsFunc(kinds, func(kind string) bool {
		return over[kind] != nil && !bytes.Equal(over[kind], under[kind])
	})
}

// object decodes settings: nothing, an object, or a preset's name.
func object(raw json.RawMessage) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return out, nil
	}
	if raw[0] == '"' {
		return map[string]json.RawMessage{"preset": raw}, nil
	}
	if raw[0] != '{' {
		return nil, fmt.Errorf("settings are a JSON object, or the name of a preset, not %.40s", raw)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if string(out["preset"]) == "null" {
		delete(out, "preset")
	}
	return out, nil
}

func join(own map[string]json.RawMessage, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(own)
}

// ParseSettings is Canonical of a strategy of the built-in table.
func ParseSettings(name string, raw json.RawMessage) (json.RawMessage, error) {
	return SettingsFrom(name, raw, nil)
}

// SettingsFrom is ParseSettings for a search that starts from a pretrained
// controller: its shape is the controller's, and settings that ask for another
// are an error.
func SettingsFrom(name string, raw json.RawMessage, from *Pretrained) (json.RawMessage, error) {
	d, err := Builtin().Find(name)
	if err != nil {
		return nil, err
	}
	return d.Canonical(raw, from)
}
