package library

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tnaml/activities/store"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// Reevaluate asks for a search's best models to be trained again.
type Reevaluate struct {
	// Task is the models' task; a search of one needs none.
	Task string `json:"task,omitempty"`
	// Top is the number of models, the best on the validation split that differ in a choice.
	Top int `json:"top"`
	// Repeats is how often each is trained.
	Repeats int `json:"repeats"`
}

// maxTop and maxRepeats bound what is trained again.
const (
	maxTop     = 50
	maxRepeats = 100
)

// Validate reports everything wrong with it together.
func (r *Reevaluate) Validate() error {
	var errs []error
	if r.Top < 2 || r.Top > maxTop {
		errs = append(errs, fmt.Errorf(`"reevaluate": "top" is %d: between 2 and %d models can be compared`, r.Top, maxTop))
	}
	if r.Repeats < 2 || r.Repeats > maxRepeats {
		errs = append(errs, fmt.Errorf(`"reevaluate": "repeats" is %d: each can be trained between 2 and %d times`, r.Repeats, maxRepeats))
	}
	return errors.Join(errs...)
}

// Reevaluated is what a search trains again.
type Reevaluated struct {
	Search string `json:"search"`
	// Config is the digest of the configuration that search has: a later one of its name is
	// another.
	Config string `json:"config"`
	Task   string `json:"task"`
	// Trials are the models', best first: the i-th trial trains that of number i again, from
	// the first again after the last.
	Trials []int `json:"trials"`
}

// reevaluation is what a search's own spec says of it; nil: nothing.
func reevaluation(own json.RawMessage) (*Reevaluate, error) {
	var spec struct {
		Reevaluate json.RawMessage `json:"reevaluate"`
	}
	if err := json.Unmarshal(own, &spec); err != nil {
		return nil, Invalid(fmt.Errorf("search spec: %w", err))
	}
	if len(spec.Reevaluate) == 0 || string(spec.Reevaluate) == "null" {
		return nil, nil
	}
	var r Reevaluate
	if err := strict.Unmarshal(spec.Reevaluate, &r); err != nil {
		return nil, Invalid(fmt.Errorf(`"reevaluate": %w`, err))
	}
	if err := r.Validate(); err != nil {
		return nil, Invalid(err)
	}
	return &r, nil
}

// reevaluate makes the search that trains the other's best models again: by the same
// objects, whatever their names lead to now, with draws of its own.
func (o *Onward) reevaluate(ctx context.Context, s store.Store, own json.RawMessage, r Reevaluate) error {
	trials, err := ReadLedger(ctx, s, o.From.Ledger)
	if err != nil {
		return err
	}
	search.FillRewards(o.Old, trials)
	if err := o.choose(trials, r); err != nil {
		return Invalid(err)
	}
	if err := o.respecify(own, r); err != nil {
		return Invalid(err)
	}
	return nil
}

// choose finds the models and makes the configuration.
func (o *Onward) choose(trials []search.Trial, r Reevaluate) error {
	at := slices.IndexFunc(o.Old.Tasks, func(t search.Task) bool { return t.Name == r.Task || r.Task == "" && len(o.Old.Tasks) == 1 })
	if at < 0 {
		return fmt.Errorf(`"reevaluate": search %q has no task %q: name one of it in "task"`, o.From.Name, r.Task)
	}
	o.Reevaluated = &Reevaluated{Search: o.From.Name, Config: o.Old.Digest(), Task: o.Old.Tasks[at].Name}
	var settings strategy.FixedSettings
	seen := map[string]bool{}
	top, _ := metrics.AccuracyTopN(trials, at, max(1, len(trials)))
	for _, t := range top.Trials {
		key := fmt.Sprint(t.Actions)
		if seen[key] || len(o.Reevaluated.Trials) == r.Top {
			continue
		}
		seen[key] = true
		choices, err := o.Old.Space.Values(t.Actions)
		if err != nil {
			return err
		}
		settings.Architectures = append(settings.Architectures, choices)
		o.Reevaluated.Trials = append(o.Reevaluated.Trials, t.Trial)
	}
	if n := len(o.Reevaluated.Trials); n < 2 {
		return fmt.Errorf("search %q has %d different models of task %q: there is nothing to choose", o.From.Name, n, o.Reevaluated.Task)
	}
	config := search.Config{
		Tasks: o.Old.Tasks[at : at+1], Space: o.Old.Space, Modules: o.Old.Modules, Strategy: strategy.Fixed, Lag: o.Old.Lag,
		Seed: rng.Derive(o.Old.Seed, "library/reevaluate", 0),
	}
	d, err := strategy.Builtin().Find(strategy.Fixed)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	if config.Settings, err = d.Canonical(raw, nil); err != nil {
		return err
	}
	if config.Space.TrainerName() == space.DefaultTrainer {
		if config.Space.Settings, err = (trainer.Builtin{}).Reshuffled(config.Space.Settings); err != nil {
			return err
		}
	}
	o.Config = &config
	return config.Validate()
}

// respecify puts what makes the search over what the other one said; of its own it may say
// how it runs.
func (o *Onward) respecify(own json.RawMessage, r Reevaluate) error {
	fields, given := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(o.From.Spec, &fields), json.Unmarshal(own, &given)); err != nil {
		return fmt.Errorf("search spec: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		allowed := name == "reevaluate" || slices.Contains(onward, name) && name != "settings" && name != "trials"
		if !allowed && !equal(given[name], fields[name]) {
			return fmt.Errorf("a search that trains models again has no %q of its own", name)
		}
	}
	delete(fields, "budget") // it may have ended the other one
	maps.Copy(fields, given)
	for _, name := range []string{"controller", "sources", "examples", "pruner"} { // each model is trained to its end
		delete(fields, name)
	}
	for name, v := range map[string]any{
		"tasks": []string{o.Reevaluated.Task}, "strategy": o.Config.Strategy, "settings": o.Config.Settings, "seed": o.Config.Seed,
		"trials": len(o.Reevaluated.Trials) * r.Repeats, "keep_models": 0, "from": o.From.Name, "reevaluate": r, "lag": o.Config.Lag,
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		fields[name] = raw
	}
	if err := o.checkParallel(fields); err != nil {
		return err
	}
	var err error
	o.Spec, err = json.Marshal(fields)
	return err
}
