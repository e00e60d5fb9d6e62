package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/space"
)

// maxLag bounds the proposals that a state holds.
const maxLag = 4096

// Validate reports everything wrong with a configuration together.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if len(c.Tasks) == 0 {
		bad("no tasks")
	}
	for i, t := range c.Tasks {
		if t.Name == "" || t.Data == "" {
			bad("task %d lacks a name or its data", i)
		}
		if slices.ContainsFunc(c.Tasks[:i], func(o Task) bool { return o.Name == t.Name }) {
			bad("task %q is there twice", t.Name)
		}
	}
	if err := c.Space.Validate(); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, c.validateModules()...)
	}
	if err := c.validateSettings(); err != nil {
		errs = append(errs, err)
	}
	if c.Controller != "" && c.Strategy != NAML {
		bad("a controller for the strategy %s, which starts from none", c.Strategy)
	}
	if c.Lag < 1 || c.Lag > maxLag {
		bad("a lag of %d: it must lie between 1 and %d", c.Lag, maxLag)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("search configuration: %w", err)
	}
	return nil
}

// validateSettings checks the settings, which must be in canonical form unless
// an earlier version made them: those stay as they are, for they are part of a
// search's identity.
func (c *Config) validateSettings() error {
	settings, err := ParseSettings(c.Strategy, c.Settings)
	if err != nil {
		return fmt.Errorf("strategy %s: %w", c.Strategy, err)
	}
	if !earlier(c.Strategy, c.Settings) && string(settings) != string(c.Settings) {
		return fmt.Errorf("the settings of %s are not in canonical form", c.Strategy)
	}
	if c.Strategy == Fixed {
		if _, err := newFixed(*c); err != nil {
			return fmt.Errorf("strategy %s: %w", c.Strategy, err)
		}
	}
	return nil
}

func (c *Config) validateModules() (errs []error) {
	for _, choice := range c.Space.Choices {
		if choice.Name != space.Module {
			continue
		}
		if len(choice.Options) != len(c.Modules) {
			return []error{fmt.Errorf("%d modules for %d options of the module choice", len(c.Modules), len(choice.Options))}
		}
		for i, m := range c.Modules {
			if choice.Options[i] != any(m.Name) || m.Data == "" {
				errs = append(errs, fmt.Errorf("module option %v has no object", choice.Options[i]))
			}
		}
	}
	return errs
}

// Digest identifies the search: equal digests, equal ledgers. "sha256:" and 64
// hex digits.
func (c *Config) Digest() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // scalars and canonical JSON
	}
	return digest(b)
}
