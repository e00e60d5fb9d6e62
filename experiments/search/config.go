package search

import (
	"crypto/sha256"
	"encoding/hex"
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
	if settings, err := ParseSettings(c.Strategy, c.Settings); err != nil {
		bad("strategy %s: %w", c.Strategy, err)
	} else if string(settings) != string(c.Settings) {
		bad("the settings of %s are not in canonical form", c.Strategy)
	}
	if c.Lag < 1 || c.Lag > maxLag {
		bad("a lag of %d: it must lie between 1 and %d", c.Lag, maxLag)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("search configuration: %w", err)
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
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
