package space

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a space may be: its choices travel with every trial, and a
// history must stay small.
const (
	MaxChoices = 64
	// MaxOptions is that of one choice.
	MaxOptions = 1000
	// MaxName bounds the name of a choice, and MaxText an option that is text, in
	// bytes.
	MaxName = 64
	MaxText = 200
	// MaxConstraints is that of a space, maxBound that of a constraint's bounds.
	MaxConstraints = 16
	maxBound       = 1e30
	// maxSettings bounds the trainer's settings, in bytes.
	maxSettings = 16 << 10
)

// Problem is something wrong with a space, and where.
type Problem struct {
	// Field is the space's field that it is about.
	Field string
	// Choice and Option are indices where Field is "choices", −1 for the field
	// or the choice as a whole.
	Choice, Option int
	Err            error
}

// In is a problem of a field as a whole.
func In(field string, format string, a ...any) Problem {
	return Problem{Field: field, Choice: -1, Option: -1, Err: fmt.Errorf(format, a...)}
}

// InChoice is a problem of a choice, or of one of its options (−1: none).
func InChoice(choice, option int, format string, a ...any) Problem {
	return Problem{Field: "choices", Choice: choice, Option: option, Err: fmt.Errorf(format, a...)}
}

// Join makes one error of all that is wrong with a space, nil of nothing.
func (s *Space) Join(problems []Problem) error {
	var errs []error
	for _, p := range problems {
		errs = append(errs, p.Err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("space %q: %w", s.Name, err)
	}
	return nil
}

// normalise gives options their Go types: numbers of a choice are int64 where
// all of them are whole, else float64. What is no scalar stays, and is a problem
// of Validate.
func (c *Choice) normalise() {
	whole, numbers := true, len(c.Options) > 0
	values := make([]float64, len(c.Options))
	for i, o := range c.Options {
		f, ok := number(o)
		values[i] = f
		numbers = numbers && ok
		whole = whole && f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	for i, f := range values {
		switch {
		case numbers && whole:
			c.Options[i] = int64(f)
		case numbers:
			c.Options[i] = f
		default:
			if f, ok := number(c.Options[i]); ok {
				c.Options[i] = f
			}
		}
	}
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
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
	return 0, false
}

// UnmarshalJSON decodes a choice with its options in their Go types, so that a
// space is equal to itself after a round trip.
func (c *Choice) UnmarshalJSON(b []byte) error {
	type raw Choice
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.DisallowUnknownFields()
	var r raw
	if err := d.Decode(&r); err != nil {
		return err
	}
	*c = Choice(r)
	c.normalise()
	return nil
}

// Validate reports what is wrong with a space whatever its trainer, all of it
// together.
func (s *Space) Validate() []Problem {
	var out []Problem
	if s.Name == "" {
		out = append(out, In("name", "the space has no name"))
	}
	if !validName(s.TrainerName()) {
		out = append(out, In("trainer", "the trainer's name %q: %s", s.Trainer, nameRule))
	}
	if n := len(s.Settings); n > maxSettings {
		out = append(out, In("settings", "the settings have %d bytes, more than %d", n, maxSettings))
	} else if n > 0 {
		var object map[string]any
		if json.Unmarshal(s.Settings, &object) != nil || object == nil {
			out = append(out, In("settings", "the settings are no mapping"))
		}
	}
	if m := s.Objective.Metric; m != "" && !validName(m) {
		out = append(out, In("objective", "the objective's metric %q: %s", m, nameRule))
	} else if ofTest(m) {
		out = append(out, In("objective", "the objective %q: a search must not learn from the test split", m))
	}
	switch s.Objective.Direction {
	case "", Maximise, Minimise:
	default:
		out = append(out, In("objective", "the objective's direction is %q: it must be %s or %s", s.Objective.Direction, Maximise, Minimise))
	}
	out = append(out, s.validateConstraints()...)
	if n := len(s.Choices); n < 1 || n > MaxChoices {
		return append(out, In("choices", "%d choices: there must be 1 to %d", n, MaxChoices))
	}
	for i := range s.Choices {
		out = append(out, s.validateChoice(i)...)
	}
	return out
}

func (s *Space) validateConstraints() (out []Problem) {
	bad := func(format string, a ...any) { out = append(out, In("constraints", format, a...)) }
	if n := len(s.Constraints); n > MaxConstraints {
		bad("%d constraints: there can be %d", n, MaxConstraints)
	}
	for _, c := range s.Constraints {
		switch {
		case !validName(c.Metric):
			bad("a constraint's metric %q: %s", c.Metric, nameRule)
			continue
		case ofTest(c.Metric):
			bad("the constraint on %q: a search must not learn from the test split", c.Metric)
		case c.Min == nil && c.Max == nil:
			bad("the constraint on %q has neither min nor max", c.Metric)
		case c.Min != nil && c.Max != nil && *c.Min > *c.Max:
			bad("the constraint on %q: its min %v is above its max %v", c.Metric, *c.Min, *c.Max)
		}
		for _, v := range []*float64{c.Min, c.Max} {
			if v != nil && !(math.Abs(*v) <= maxBound) {
				bad("the constraint on %q: %v must be a number of at most %v in size", c.Metric, *v, maxBound)
			}
		}
	}
	return out
}

const nameRule = "it must have 1 to 64 letters, digits, '_', '-', '.' or '/', without blanks"

func validName(name string) bool {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./", r)
	})
}

func (s *Space) validateChoice(i int) (out []Problem) {
	c := &s.Choices[i]
	bad := func(option int, format string, a ...any) {
		out = append(out, InChoice(i, option, "choice %q: "+format, append([]any{c.Name}, a...)...))
	}
	if !validName(c.Name) {
		bad(-1, "%s", nameRule)
	}
	if c.Name != "" && slices.ContainsFunc(s.Choices[:i], func(o Choice) bool { return o.Name == c.Name }) {
		out = append(out, InChoice(i, -1, "choice %q is there twice", c.Name))
	}
	switch c.Kind {
	case "", Categorical, Ordinal:
	default:
		bad(-1, "the kind is %q: it must be %s or %s", c.Kind, Categorical, Ordinal)
	}
	if n := len(c.Options); n == 0 {
		out = append(out, InChoice(i, -1, "choice %q has no options", c.Name))
	} else if n > MaxOptions {
		bad(-1, "%d options: there can be %d", n, MaxOptions)
		return out
	}
	seen := map[any]bool{}
	for k, o := range c.Options {
		switch v := o.(type) {
		case string:
			if v == "" || len(v) > MaxText || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
				bad(k, "option %d must be text of 1 to %d bytes, without control characters", k+1, MaxText)
			}
		case float64:
			if math.IsNaN(v) || math.IsInf(v, 0) {
				bad(k, "option %v is no finite number", v)
			}
		case bool, int64:
		default:
			bad(k, "option %d is %s, it must be text, a number or a truth value", k+1, kindOf(o))
			continue
		}
		if a, b := kindOf(c.Options[0]), kindOf(o); a != b {
			bad(k, "option %v is %s, the first one is %s: all must be of one type", o, b, a)
		} else if seen[plain(o)] {
			bad(k, "option %v is there twice", o)
		}
		seen[plain(o)] = true
	}
	return out
}

// kindOf names a type for people.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "a truth value"
	case int64, float64:
		return "a number"
	case nil:
		return "nothing"
	case []any:
		return "a list"
	}
	return "a mapping"
}

// Digest identifies what a controller learns about: a hash over the names and
// options of the choices. "sha256:" and 64 hex digits.
func (s *Space) Digest() string {
	type part struct {
		Name    string `json:"name"`
		Options []any  `json:"options"`
	}
	parts := make([]part, len(s.Choices))
	for i, c := range s.Choices {
		parts[i] = part{c.Name, c.Options}
	}
	b, err := json.Marshal(parts)
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

// Size returns the number of models in the space, or MaxUint64 where there are
// more.
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

// Check reports actions that do not fit: there must be an option of each choice.
func (s *Space) Check(actions []int) error {
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

// Values returns the options that a sequence of actions takes, one a choice, by
// the choices' names. Actions that do not fit are an error.
func (s *Space) Values(actions []int) (map[string]any, error) {
	if err := s.Check(actions); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(actions))
	for i, a := range actions {
		out[s.Choices[i].Name] = s.Choices[i].Options[a]
	}
	return out, nil
}

// Actions finds the options of a choice each in the space: the inverse of
// Values. Everything wrong is reported together.
func (s *Space) Actions(values map[string]any) ([]int, error) {
	var errs []error
	actions := make([]int, len(s.Choices))
	for i, c := range s.Choices {
		v, ok := values[c.Name]
		if !ok {
			errs = append(errs, fmt.Errorf("no option for the choice %q (there are: %s)", c.Name, List(c.Options)))
			continue
		}
		if actions[i] = Index(c.Options, v); actions[i] < 0 {
			errs = append(errs, fmt.Errorf("choice %q has no option %v (there are: %s)", c.Name, v, List(c.Options)))
		}
	}
	var unknown []string
	for name := range values {
		if s.Choice(name) == nil {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		errs = append(errs, fmt.Errorf("no choice %s in the space %q", strings.Join(unknown, ", "), s.Name))
	}
	return actions, errors.Join(errs...)
}

// Same says that two options are the same one. Numbers are by their value: whether a whole
// one is an int64 or a float64 depends on the choice's other options alone.
func Same(a, b any) bool { return plain(a) == plain(b) }

// Index finds an option among others, −1 where none is the same.
func Index(options []any, option any) int {
	return slices.IndexFunc(options, func(o any) bool { return Same(o, option) })
}

// plain is an option as == compares it with others; what is no scalar is none.
func plain(option any) any {
	if f, ok := number(option); ok {
		return f
	}
	switch option.(type) {
	case string, bool:
		return option
	}
	return math.NaN() // which nothing is equal to
}

// Literal is an option as JSON writes it.
func Literal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// List writes options for people.
func List(options []any) string {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = fmt.Sprint(o)
	}
	return strings.Join(words, ", ")
}

// ofTest says that a metric is one of the test split.
func ofTest(metric string) bool { return metric == "test" || strings.HasPrefix(metric, "test_") }
