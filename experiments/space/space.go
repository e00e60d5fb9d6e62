package space

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/nn/child"
)

// AllModules is the module option that stands for the whole catalogue.
const AllModules = "*"

// choice is what the program knows of a choice: the type of its options and
// what an option does to a child model.
type choice struct {
	name string
	kind string // of the options, for people
	// coerce turns a decoded YAML or JSON scalar into the option's Go type.
	coerce func(any) (any, bool)
	// apply sets the option; nil for the module, which is not the child's own.
	apply func(*child.Config, any)
}

// choices are the choices of a text space, in their order.
var choices = []choice{
	{Module, "a module's name", asString, nil},
	{FineTune, "true or false", asBool, func(c *child.Config, v any) { c.FineTune = v.(bool) }},
	{HiddenLayers, "an integer", asInt, func(c *child.Config, v any) { c.HiddenLayers = int(v.(int64)) }},
	{HiddenSize, "an integer", asInt, func(c *child.Config, v any) { c.HiddenSize = int(v.(int64)) }},
	{Activation, "a word", asString, func(c *child.Config, v any) { c.Activation = child.Activation(v.(string)) }},
	{Normalisation, "a word", asString, func(c *child.Config, v any) { c.Normalisation = child.Normalisation(v.(string)) }},
	{Dropout, "a number", asFloat, func(c *child.Config, v any) { c.Dropout = v.(float64) }},
	{DeepLearningRate, "a number", asFloat, func(c *child.Config, v any) { c.DeepLearningRate = v.(float64) }},
	{DeepRegularisation, "a number", asFloat, func(c *child.Config, v any) { c.DeepRegularisation = v.(float64) }},
	{WideLearningRate, "a number", asFloat, func(c *child.Config, v any) { c.WideLearningRate = v.(float64) }},
	{WideRegularisation, "a number", asFloat, func(c *child.Config, v any) { c.WideRegularisation = v.(float64) }},
	{Steps, "an integer", asInt, func(c *child.Config, v any) { c.Steps = int(v.(int64)) }},
}

// plain is a child model that is valid whichever one option is changed: the
// background against which each option is checked.
func plain() child.Config {
	return child.Config{
		HiddenLayers: 1, HiddenSize: 8, Activation: child.ReLU, Normalisation: child.NoNorm,
		DeepLearningRate: .1, WideLearningRate: .1, Steps: 1,
	}
}

func asString(v any) (any, bool) { s, ok := v.(string); return s, ok && s != "" }

func asBool(v any) (any, bool) { b, ok := v.(bool); return b, ok }

func asInt(v any) (any, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case uint64:
		return int64(v), v <= math.MaxInt64
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case json.Number:
		i, err := v.Int64()
		return i, err == nil
	}
	return nil, false
}

func asFloat(v any) (any, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return nil, false
}

func known(name string) *choice {
	for i := range choices {
		if choices[i].name == name {
			return &choices[i]
		}
	}
	return nil
}

// normalise gives the options their choice's Go type. An option of another
// type is an error.
func (c *Choice) normalise() error {
	k := known(c.Name)
	if k == nil {
		return nil // Validate reports it
	}
	var errs []error
	for i, o := range c.Options {
		v, ok := k.coerce(o)
		if !ok {
			errs = append(errs, fmt.Errorf("choice %q: option %d is %v, it must be %s", c.Name, i+1, o, k.kind))
			continue
		}
		c.Options[i] = v
	}
	return errors.Join(errs...)
}

// UnmarshalJSON decodes a choice with its options in their Go types, so that a
// space is equal to itself after a round trip.
func (c *Choice) UnmarshalJSON(b []byte) error {
	type raw Choice
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var r raw
	if err := d.Decode(&r); err != nil {
		return err
	}
	*c = Choice(r)
	return c.normalise()
}

// Validate reports everything wrong with a space together: choices missing,
// unknown, twice or out of order; options missing, twice, or such as no child
// model can have.
func (s *Space) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if s.Name == "" {
		bad("the space has no name")
	}
	cfg := plain()
	cfg.WideStart, cfg.WideNGrams = s.WideStart, s.WideNGrams
	if err := cfg.Validate(); err != nil {
		errs = append(errs, err)
	}
	want := make([]string, len(choices))
	for i, k := range choices {
		want[i] = k.name
	}
	got := make([]string, len(s.Choices))
	for i, c := range s.Choices {
		got[i] = c.Name
		switch {
		case known(c.Name) == nil:
			bad("unknown choice %q (known: %s)", c.Name, strings.Join(want, ", "))
		case slices.Contains(got[:i], c.Name):
			bad("choice %q is there twice", c.Name)
		default:
			errs = append(errs, c.validate()...)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			bad("choice %q is missing; to fix it, give it a single option", name)
		}
	}
	if len(errs) == 0 && !slices.Equal(got, want) {
		bad("the choices must stand in the order in which the controller takes them: %s", strings.Join(want, ", "))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("space %q: %w", s.Name, err)
	}
	return nil
}

func (c Choice) validate() (errs []error) {
	k := known(c.Name)
	if len(c.Options) == 0 {
		return []error{fmt.Errorf("choice %q has no options", c.Name)}
	}
	for i, o := range c.Options {
		v, ok := k.coerce(o)
		if !ok || v != o {
			errs = append(errs, fmt.Errorf("choice %q: option %v must be %s", c.Name, o, k.kind))
			continue
		}
		if slices.Contains(c.Options[:i], o) {
			errs = append(errs, fmt.Errorf("choice %q: option %v is there twice", c.Name, o))
		}
		if k.apply != nil {
			cfg := plain()
			k.apply(&cfg, o)
			if err := cfg.Validate(); err != nil {
				errs = append(errs, fmt.Errorf("choice %q: option %v: %w", c.Name, o, err))
			}
		}
	}
	if c.Name == Module && len(c.Options) > 1 && slices.Contains(c.Options, any(AllModules)) {
		errs = append(errs, fmt.Errorf("choice %q: %q stands for all modules and must stand alone", Module, AllModules))
	}
	return errs
}

// Digest identifies what the controller learns about: a hash over the choices
// and their options, not over name and description. "sha256:" and 64 hex digits.
func (s *Space) Digest() string {
	b, err := json.Marshal(s.Choices)
	if err != nil {
		panic(err) // scalars
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Options returns the number of options of each choice, in order.
func (s *Space) Options() []int {
	n := make([]int, len(s.Choices))
	for i, c := range s.Choices {
		n[i] = len(c.Options)
	}
	return n
}

// Size returns the number of child models in the space, or MaxUint64 where
// there are more.
func (s *Space) Size() uint64 {
	size := uint64(1)
	for _, c := range s.Choices {
		n := uint64(len(c.Options))
		if n != 0 && size > math.MaxUint64/n {
			return math.MaxUint64
		}
		size *= n
	}
	return size
}

// AllModules reports whether the module choice stands for the whole catalogue.
func (s *Space) AllModules() bool { return s.has(Module, AllModules) }

// Tunes reports whether some child model of the space fine-tunes its module.
func (s *Space) Tunes() bool { return s.has(FineTune, true) }

// has reports whether a choice has an option.
func (s *Space) has(choice string, option any) bool {
	return slices.ContainsFunc(s.Choices, func(c Choice) bool { return c.Name == choice && slices.Contains(c.Options, option) })
}

// Expand returns the space with the module option "*" replaced by all modules
// of a catalogue, sorted, and WideNGrams filled in. It is an error when the catalogue is empty or lacks a
// module that the space names.
func (s *Space) Expand(catalogue []string) (Space, error) {
	out := Space{Name: s.Name, Description: s.Description, WideStart: s.WideStart, WideNGrams: s.NGrams(), Choices: make([]Choice, len(s.Choices))}
	for i, c := range s.Choices {
		out.Choices[i] = Choice{Name: c.Name, Options: slices.Clone(c.Options)}
		if c.Name != Module {
			continue
		}
		if len(catalogue) == 0 {
			return Space{}, errors.New("there is no embedding module to choose from; add one with `starter module add`, or let `starter demo` make some")
		}
		sorted := slices.Sorted(slices.Values(catalogue))
		if len(c.Options) == 1 && c.Options[0] == any(AllModules) {
			out.Choices[i].Options = make([]any, len(sorted))
			for k, name := range sorted {
				out.Choices[i].Options[k] = name
			}
			continue
		}
		var missing []string
		for _, o := range c.Options {
			if name, ok := o.(string); !ok || !slices.Contains(sorted, name) {
				missing = append(missing, fmt.Sprint(o))
			}
		}
		if len(missing) > 0 {
			return Space{}, fmt.Errorf("no module %s in the catalogue (there are: %s)", strings.Join(missing, ", "), strings.Join(sorted, ", "))
		}
	}
	return out, nil
}

// Child returns the child model that a sequence of actions designs, one option
// a choice, and the name of its module. Actions that do not fit are an error.
func (s *Space) Child(actions []int) (cfg child.Config, module string, err error) {
	if err := s.check(actions); err != nil {
		return cfg, "", err
	}
	for i, c := range s.Choices {
		k := known(c.Name)
		if k == nil {
			return cfg, "", fmt.Errorf("space %q: unknown choice %q", s.Name, c.Name)
		}
		o, ok := k.coerce(c.Options[actions[i]])
		if !ok {
			return cfg, "", fmt.Errorf("space %q: choice %q: option %v must be %s", s.Name, c.Name, c.Options[actions[i]], k.kind)
		}
		if k.apply == nil {
			module = o.(string)
		} else {
			k.apply(&cfg, o)
		}
	}
	cfg.WideStart = s.WideStart
	if s.WideNGrams > 1 { // else the child model, and its identity, is that of before there were n-grams
		cfg.WideNGrams = s.WideNGrams
	}
	return cfg, module, cfg.Validate()
}

// NGrams returns the length of the longest n-grams that the wide tower of searches
// to come sees.
func (s *Space) NGrams() int {
	if s.WideNGrams == 0 {
		return DefaultWideNGrams
	}
	return s.WideNGrams
}

func (s *Space) check(actions []int) error {
	if len(actions) != len(s.Choices) {
		return fmt.Errorf("space %q: %d actions for %d choices", s.Name, len(actions), len(s.Choices))
	}
	for i, a := range actions {
		if n := len(s.Choices[i].Options); a < 0 || a >= n {
			return fmt.Errorf("space %q: choice %q has no option %d of %d", s.Name, s.Choices[i].Name, a, n)
		}
	}
	return nil
}

// Describe says in a few words what child model the actions design, e.g.
// "wiki-128 tuned · 2x128 swish batch · dropout 0.2 · deep 0.03 L2 0.0001 · wide 0.1 L1 0 · 400 steps".
func (s *Space) Describe(actions []int) string {
	cfg, module, err := s.Child(actions)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(module)
	if cfg.FineTune {
		b.WriteString(" tuned")
	}
	if cfg.HiddenLayers == 0 {
		b.WriteString(" · no hidden layer")
	} else {
		fmt.Fprintf(&b, " · %dx%d %s", cfg.HiddenLayers, cfg.HiddenSize, cfg.Activation)
		if cfg.Normalisation != child.NoNorm {
			fmt.Fprintf(&b, " %s norm", cfg.Normalisation)
		}
		if cfg.Dropout > 0 {
			fmt.Fprintf(&b, " · dropout %v", cfg.Dropout)
		}
	}
	fmt.Fprintf(&b, " · deep %v", cfg.DeepLearningRate)
	if cfg.DeepRegularisation > 0 {
		fmt.Fprintf(&b, " L2 %v", cfg.DeepRegularisation)
	}
	fmt.Fprintf(&b, " · wide %v", cfg.WideLearningRate)
	if cfg.WideRegularisation > 0 {
		fmt.Fprintf(&b, " L1 %v", cfg.WideRegularisation)
	}
	fmt.Fprintf(&b, " · %d steps", cfg.Steps)
	return b.String()
}
