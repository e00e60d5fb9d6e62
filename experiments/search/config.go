package search

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/data/external"
	"tnaml/experiments/limit"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// proposalBytes bounds a proposal of the space as JSON.
func (c *Config) proposalBytes() int {
	const fixed = 600 // numbers, names of fields, the summary
	n := fixed
	for _, choice := range c.Space.Choices {
		longest := 0
		for _, o := range choice.Options {
			longest = max(longest, len(space.Literal(o)))
		}
		n += len(choice.Name) + longest + len(`"":,1000,`)
	}
	if c.Pruner != nil {
		n += trainer.MaxCurve * 20 // a usual number and its step
	}
	return n
}

// Validate reports everything wrong with a configuration together.
func (c *Config) Validate() error { return c.validate(strategy.Builtin()) }

func (c *Config) validate(table strategy.Table) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if len(c.Tasks) == 0 {
		bad("no tasks")
	}
	parameters := 0
	for _, t := range c.Tasks {
		parameters += len(t.Parameters)
	}
	if parameters > limit.MaxParameters {
		bad("the tasks' parameters have %d bytes together, more than %d: attach files to the tasks for what is longer", parameters,
			limit.MaxParameters)
	}
	def := trainer.Find(c.Space.TrainerName())
	for i, t := range c.Tasks {
		if !t.Whole() {
			bad("task %d lacks a name or its data", i)
		}
		p, err := external.Canonical(t.Parameters)
		if err != nil || !bytes.Equal(p, t.Parameters) || t.Kind != string(data.External) && p != nil {
			bad("task %q: its parameters are not an external task's in canonical form", t.Name)
		}
		if slices.ContainsFunc(c.Tasks[:i], func(o Task) bool { return o.Name == t.Name }) {
			bad("task %q is there twice", t.Name)
		}
		if !def.Takes(t.Kind) {
			bad("task %q is of kind %s, which the trainer %s does not take", t.Name, t.Kind, def.Name())
		}
	}
	if problems := trainer.Check(&c.Space); len(problems) > 0 {
		errs = append(errs, c.Space.Join(problems))
	} else {
		errs = append(errs, c.validateModules(def)...)
	}
	if c.Space.Objective.Metric == "" || c.Space.Objective.Direction == "" {
		bad("the space's objective is not filled in")
	}
	if f := c.Fork; f != nil && (f.Config == "" || f.Trials < 1) {
		bad("a fork after %d trials of %q", f.Trials, f.Config)
	}
	if err := c.validateSettings(table); err != nil {
		errs = append(errs, fmt.Errorf("strategy %s: %w", c.Strategy, err))
	}
	if most := min(limit.MaxLag, limit.MaxProposals/max(1, c.proposalBytes())); c.Lag < 1 || c.Lag > most {
		bad("a lag of %d: it must lie between 1 and %d, that so many proposals of this space go into one message", c.Lag, most)
	}
	if c.Pruner != nil {
		canonical, err := c.Pruner.Canonical()
		if err != nil {
			errs = append(errs, err)
		} else if string(canonical.Settings) != string(c.Pruner.Settings) {
			bad("the pruner's settings are not in canonical form")
		}
	}
	if c.KeepModels < 0 || c.KeepModels > limit.MaxKeepModels {
		bad("%d models to keep of each task: between 0 and %d can be", c.KeepModels, limit.MaxKeepModels)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("search configuration: %w", err)
	}
	return nil
}

// validateSettings checks the settings, which must be in canonical form: they are
// part of a search's identity.
func (c *Config) validateSettings(table strategy.Table) error {
	d, err := table.Find(c.Strategy)
	if err != nil {
		return err
	}
	if c.Controller != "" && !d.Continues {
		return errors.New("it goes on from no controller")
	}
	if c.Sources != "" && !d.FromSources {
		return errors.New("it learns from no trials of other tasks")
	}
	settings, err := d.Canonical(c.Settings, nil)
	if err != nil {
		return err
	}
	if string(settings) != string(c.Settings) {
		return errors.New("its settings are not in canonical form")
	}
	if c.Controller != "" {
		return nil // what else there is to check needs the controller
	}
	_, err = d.New(c.Start(nil, nil))
	return err
}

// drawSeed keys every draw of the search: by its seed and its tasks' names, so that
// searches of other tasks draw independently. What else tells searches apart is
// left out on purpose: those of one task and seed are paired. They train their i-th
// model under the same seed, whichever strategy proposes it, and of one strategy
// they start from the same weights and draw the same numbers for their i-th
// proposal.
func (c *Config) drawSeed() uint64 {
	names := []string{"search"}
	for _, t := range c.Tasks {
		names = append(names, t.Name)
	}
	return rng.Derive(c.Seed, strings.Join(names, "/"), 0)
}

// TrialSeed is the seed of a trial's request.
func (c *Config) TrialSeed(trial int) uint64 { return trialSeed(c.drawSeed(), trial) }

// trialSeed keys a trial's draws.
func trialSeed(drawSeed uint64, trial int) uint64 {
	return rng.Derive(drawSeed, "search/trial", uint64(trial))
}

// Again is the request for the model of a ledger's row: what gave the row gives it
// again.
func (c *Config) Again(t Trial) (trainer.Request, error) {
	choices, err := c.Space.Values(t.Actions)
	return trainer.Request{
		Trial: t.Trial, Task: c.Tasks[t.Task], Choices: choices, Objects: c.Objects(), Settings: c.Space.Settings,
		Seed: c.TrialSeed(t.Trial), Objective: c.Space.Objective, Constraints: c.Space.Constraints,
	}, err
}

// Start is what the strategy starts from.
func (c *Config) Start(from *strategy.Pretrained, sources []strategy.Source) strategy.Start {
	s := strategy.Start{Seed: c.drawSeed(), Space: &c.Space, Settings: c.Settings, Controller: from, Sources: sources}
	for _, t := range c.Tasks {
		s.Tasks = append(s.Tasks, t.Name)
	}
	return s
}

func (c *Config) validateModules(def trainer.Definition) (errs []error) {
	names := def.Modules(&c.Space)
	if len(names) != len(c.Modules) {
		return []error{fmt.Errorf("%d modules for %d that the space offers", len(c.Modules), len(names))}
	}
	for i, m := range c.Modules {
		if names[i] != m.Name || m.Data == "" {
			errs = append(errs, fmt.Errorf("module option %v has no object", names[i]))
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
