package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tnaml/nn/controller"
	"tnaml/nn/policygradient"
)

// The strategies.
const (
	// Random samples every choice uniformly: the paper's baseline (§4).
	Random = "random"
	// NAML is Neural AutoML: a controller learned by policy gradient (§2).
	NAML = "naml"
	// Fixed trains one given architecture again and again: what transfers an
	// architecture in place of a controller (§4.3).
	Fixed = "fixed"
)

// Strategies lists the strategies.
func Strategies() []string { return []string{Random, NAML, Fixed} }

// settingsVersion is the version of NAMLSettings in canonical form. 1, which
// carries no number, had "uncorrected" for "corrected" in some builds.
const settingsVersion = 2

// NAMLSettings are the parameters of the strategy "naml".
type NAMLSettings struct {
	// Version is the canonical form's; a person leaves it out.
	Version int `json:"version"`
	// Controller is the controller's shape; its options come from the space.
	Controller ControllerSettings `json:"controller"`
	// PolicyGradient is how the controller learns.
	PolicyGradient policygradient.Config `json:"policy_gradient"`
	// Baseline is how rewards become advantages (§2.2).
	Baseline policygradient.BaselineConfig `json:"baseline"`
}

// ControllerSettings are the parts of controller.Config that a person sets;
// zero values mean the paper's.
type ControllerSettings struct {
	Hidden          int `json:"hidden"`
	Layers          int `json:"layers"`
	ActionEmbedding int `json:"action_embedding"`
	// TaskEmbedding is its length; −1 is a task-agnostic controller (§4.3).
	TaskEmbedding int     `json:"task_embedding"`
	InitScale     float64 `json:"init_scale"`
}

func (s ControllerSettings) config(options []int) controller.Config {
	return controller.Config{
		Options: options, Hidden: s.Hidden, Layers: s.Layers,
		ActionEmbedding: s.ActionEmbedding, TaskEmbedding: s.TaskEmbedding, InitScale: s.InitScale,
	}
}

// ParseSettings decodes a strategy's parameters over their defaults, checks
// them and returns them as canonical JSON with every default filled in, which
// is part of a search's identity. Unknown fields are refused with the known
// ones; all problems come together.
func ParseSettings(strategy string, raw json.RawMessage) (json.RawMessage, error) {
	raw = orEmpty(raw)
	switch strategy {
	case Random:
		if err := strict(raw, &struct{}{}); err != nil {
			return nil, err
		}
		return json.RawMessage("{}"), nil
	case NAML:
		s, err := decodeNAML(raw)
		if err != nil {
			return nil, err
		}
		return s.canonical()
	case Fixed:
		var s FixedSettings
		if err := strict(raw, &s); err != nil {
			return nil, err
		}
		if len(s.Architecture) == 0 {
			return nil, errors.New(`no "architecture": name the option of each choice, or a controller to take it from`)
		}
		for name, v := range s.Architecture {
			switch v.(type) {
			case string, bool, float64, int64:
			default:
				return nil, fmt.Errorf("architecture: the option of %q is no string, truth value or number", name)
			}
		}
		return json.Marshal(s)
	}
	return nil, fmt.Errorf("unknown strategy %q (known: %s)", strategy, strings.Join(Strategies(), ", "))
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if t := bytes.TrimSpace(raw); len(t) == 0 || string(t) == "null" {
		return json.RawMessage("{}")
	}
	return raw
}

// earlier says that settings are in an earlier version's canonical form.
func earlier(strategy string, raw json.RawMessage) bool {
	var v struct {
		Version    int              `json:"version"`
		Controller *json.RawMessage `json:"controller"`
		Baseline   *json.RawMessage `json:"baseline"`
	}
	// A canonical form of version 1 held everything, as all of them do.
	return strategy == NAML && json.Unmarshal(raw, &v) == nil && v.Version < settingsVersion && v.Controller != nil && v.Baseline != nil
}

// decodeNAML decodes settings of any version, without defaults but the
// baseline's.
func decodeNAML(raw json.RawMessage) (NAMLSettings, error) {
	s := NAMLSettings{Baseline: policygradient.BaselineConfig{Corrected: true}}
	var upgraded struct {
		Version  int                        `json:"version"`
		Baseline map[string]json.RawMessage `json:"baseline"`
	}
	if json.Unmarshal(raw, &upgraded) == nil {
		if upgraded.Version > settingsVersion || upgraded.Version < 0 {
			return s, fmt.Errorf("settings of version %d, this program reads versions up to %d", upgraded.Version, settingsVersion)
		}
		if old, ok := upgraded.Baseline["uncorrected"]; ok && upgraded.Version < settingsVersion {
			var err error
			if raw, err = renameUncorrected(raw, upgraded.Baseline, old); err != nil {
				return s, err
			}
		}
	}
	err := strict(raw, &s)
	s.Version = settingsVersion
	return s, err
}

// renameUncorrected puts "corrected" in the place of its opposite.
func renameUncorrected(raw json.RawMessage, baseline map[string]json.RawMessage, old json.RawMessage) (json.RawMessage, error) {
	var uncorrected bool
	if err := json.Unmarshal(old, &uncorrected); err != nil {
		return nil, errors.New("baseline.uncorrected is no truth value")
	}
	if _, both := baseline["corrected"]; both {
		return nil, errors.New(`baseline has "uncorrected", its earlier name, beside "corrected": leave it out`)
	}
	delete(baseline, "uncorrected")
	baseline["corrected"] = json.RawMessage(strconv.FormatBool(!uncorrected))
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	var err error
	if all["baseline"], err = json.Marshal(baseline); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

func parseNAML(raw json.RawMessage) (NAMLSettings, error) {
	s, err := decodeNAML(raw)
	if err != nil {
		return s, err
	}
	return s.withDefaults()
}

// canonical is the settings as JSON with every default filled in.
func (s NAMLSettings) canonical() (json.RawMessage, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

func (s NAMLSettings) withDefaults() (NAMLSettings, error) {
	if s.PolicyGradient.LearningRate == 0 && firstOrder(s.PolicyGradient.Method) {
		s.PolicyGradient.LearningRate = defaultLearningRate
	}
	var errs []error
	c, err := s.Controller.config([]int{2}).WithDefaults()
	if err != nil {
		errs = append(errs, fmt.Errorf("controller: %w", err))
	}
	s.Controller = ControllerSettings{c.Hidden, c.Layers, c.ActionEmbedding, c.TaskEmbedding, c.InitScale}
	if s.PolicyGradient, err = s.PolicyGradient.WithDefaults(); err != nil {
		errs = append(errs, fmt.Errorf("policy_gradient: %w", err))
	}
	if s.Baseline, err = s.Baseline.WithDefaults(); err != nil {
		errs = append(errs, fmt.Errorf("baseline: %w", err))
	}
	return s, errors.Join(errs...)
}

// defaultLearningRate is ten times the paper's, which does not say with which
// optimiser it used its 1e-4. With Adam and that rate a controller needs some
// 1,800 trials to solve a bandit of the paper's twelve choices, with this one
// 500 (BenchmarkTrialsToOptimum in nn/policygradient): few searches have
// thousands of trials. The paper's is {"policy_gradient":{"learning_rate":1e-4}},
// and its baseline, from the first reward on, {"baseline":{"corrected":false}}.
const defaultLearningRate = 1e-3

// firstOrder reports whether a policy gradient steps by a learning rate of its
// own; for the others the method's default holds.
func firstOrder(method string) bool { return method == "" || method == "reinforce" }

// strict decodes one JSON object without unknown fields.
func strict(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		message := strings.TrimPrefix(err.Error(), "json: ")
		if strings.Contains(message, "unknown field") {
			return fmt.Errorf("%s (known: %s)", message, strings.Join(fields(reflect.TypeOf(v).Elem(), ""), ", "))
		}
		return errors.New(message)
	}
	if d.More() {
		return errors.New("text after the settings' JSON object")
	}
	return nil
}

// fields lists the JSON paths of a struct, nested ones with dots.
func fields(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if f.Type.Kind() == reflect.Struct {
			out = append(out, fields(f.Type, prefix+name+".")...)
		} else {
			out = append(out, prefix+name)
		}
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	slices.Sort(out)
	return out
}
