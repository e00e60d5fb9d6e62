package library

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
)

// Origin is a search that another one went on from, and after how many trials.
type Origin struct {
	Search string `json:"search"`
	Trials int    `json:"trials"`
}

// Onward is how a search goes on from another one.
type Onward struct {
	// From is the other's record, Old its configuration.
	From SearchRecord
	Old  *search.Config
	// Trials and Costs are the other's, of one whose ledger is the beginning of the new one's.
	Trials []search.Trial
	Costs  []search.Cost
	// Spec is the new search's: the other's, with what it says of its own. Config is
	// Old too, or, where the strategy is to be set otherwise, has a Fork.
	Spec   json.RawMessage
	Config *search.Config
	// Reevaluated says that the search takes none of the other's trials, but trains its
	// best models again.
	Reevaluated *Reevaluated
}

// onward are the fields of a search's spec that may be others where it goes on from
// another one. All else is part of what it is.
var onward = []string{"from", "trials", "budget", "settings", "experiment", "parallel", "checkpoint_every", "trial_timeout", "trial_steps",
	"memory_limit_mb", "examples", "retrain", "history_limit"}

// GoOn finds out how a search with a spec of its own goes on from another one, which
// has ended, or will be left where its last checkpoint is. What is wrong is ErrInvalid.
func GoOn(ctx context.Context, s store.Store, from string, own json.RawMessage) (*Onward, error) {
	record, err := ReadRecord(ctx, s, from)
	if errors.Is(err, store.ErrNotFound) {
		return nil, Invalid(fmt.Errorf(`"from": %w`, err))
	}
	if err != nil {
		return nil, err
	}
	if record.Config == "" || record.Ledger == "" || record.Told == 0 {
		return nil, Invalid(fmt.Errorf("search %q has no trials on record to go on from", from))
	}
	if record.Status == Imported {
		return nil, Invalid(fmt.Errorf("the trials of %q were imported, no search ran them: start from them with --sources %s", from, from))
	}
	o := &Onward{From: record}
	if o.Old, err = ReadConfig(ctx, s, record.Config); err != nil {
		return nil, err
	}
	if r, err := reevaluation(own); err != nil || r != nil {
		if err == nil {
			err = o.reevaluate(ctx, s, own, *r)
		}
		return o, err
	}
	config := *o.Old
	o.Config = &config
	controller, err := o.controller(ctx, s, own)
	if err != nil {
		return nil, err
	}
	if err := o.merge(own, controller); err != nil {
		return nil, Invalid(err)
	}
	if o.Trials, err = ReadLedger(ctx, s, record.Ledger); err != nil {
		return nil, err
	}
	if o.Costs, err = ReadCosts(ctx, s, record.Costs); err != nil {
		return nil, err
	}
	if len(o.Trials) != record.Told || len(o.Costs) != record.Told {
		return nil, Invalid(fmt.Errorf("search %q: its record says %d trials, its ledger has %d and %d costs",
			from, record.Told, len(o.Trials), len(o.Costs)))
	}
	if err := o.checkBudget(); err != nil {
		return nil, Invalid(err)
	}
	return o, nil
}

// controller is the one that the other search started from and learned on, which settings
// of its own are held against; nil where there is none, or no settings.
func (o *Onward) controller(ctx context.Context, s store.Store, own json.RawMessage) (*strategy.Pretrained, error) {
	var spec struct{ Settings json.RawMessage }
	if err := json.Unmarshal(own, &spec); err != nil || spec.Settings == nil || o.Old.Controller == "" {
		return nil, nil // what is wrong with the spec, merge says
	}
	from, err := ReadController(ctx, s, store.Ref(o.Old.Controller))
	if err != nil {
		return nil, err
	}
	return from.For(&o.Old.Space)
}

// checkBudget refuses a budget that the other search has used up: no trial would be run.
func (o *Onward) checkBudget() error {
	var spec struct {
		Budget search.Budget `json:"budget"`
	}
	if err := json.Unmarshal(o.Spec, &spec); err != nil {
		return fmt.Errorf("search spec: %w", err)
	}
	used, objective := search.Used{Seconds: o.From.Seconds, Best: make([]*float64, len(o.Config.Tasks))}, o.Config.Space.Objective
	for i, t := range o.Trials {
		used = used.Tell(t, objective)
		used.CPUSeconds += o.Costs[i].CPUSeconds
	}
	if err := spec.Budget.Unreachable(objective); err != nil {
		return err
	}
	if wrong := spec.Budget.UsedUp(used, objective); wrong != nil {
		return fmt.Errorf("a search that goes on from another one counts what that one, %s, has used: %w", o.From.Name, errors.Join(wrong...))
	}
	return nil
}

// merge puts what a search says of its own over what the other one said, which started
// from a controller or nil.
func (o *Onward) merge(own json.RawMessage, from *strategy.Pretrained) error {
	fields, given := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(o.From.Spec, &fields); err != nil || len(fields) == 0 {
		return fmt.Errorf("search %q has no spec on record", o.From.Name)
	}
	if err := json.Unmarshal(own, &given); err != nil {
		return fmt.Errorf("search spec: %w", err)
	}
	var kept []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(onward, name) && !equal(given[name], fields[name]) {
			kept = append(kept, fmt.Sprintf("%q", name))
		}
	}
	if len(kept) > 0 {
		return fmt.Errorf("a search that goes on from another one keeps its %s: leave it out, or start a search of its own "+
			"(it may have others of: %s)", strings.Join(kept, ", "), strings.Join(onward[1:], ", "))
	}
	if settings := given["settings"]; settings != nil {
		both, err := o.fork(fields["settings"], settings, from)
		if err != nil {
			return err
		}
		given["settings"] = both
	}
	delete(fields, "budget")     // it may have ended the other one
	delete(fields, "reevaluate") // it has been done: these are more trials of the same
	maps.Copy(fields, given)
	var trials int
	if err := json.Unmarshal(fields["trials"], &trials); err != nil || trials <= o.From.Told {
		return fmt.Errorf(`search %q has %d trials: give "trials", the budget with those, of more than %d (--trials +50 for 50 more)`,
			o.From.Name, o.From.Told, o.From.Told)
	}
	if err := o.checkParallel(fields); err != nil {
		return err
	}
	var err error
	o.Spec, err = json.Marshal(fields)
	return err
}

// checkParallel checks what the spec alone could not be held against.
func (o *Onward) checkParallel(fields map[string]json.RawMessage) error {
	var parallel int
	if raw := fields["parallel"]; raw != nil {
		if err := json.Unmarshal(raw, &parallel); err != nil || parallel > o.Old.Lag {
			return fmt.Errorf(`"parallel" is %s: it must be at most the "lag" of search %q, %d`, raw, o.From.Name, o.Old.Lag)
		}
	}
	return nil
}

// fork sets the strategy otherwise, where that is asked for: by a search's own settings
// over those that were given to the other one, which it returns.
func (o *Onward) fork(given, own json.RawMessage, from *strategy.Pretrained) (json.RawMessage, error) {
	d, err := strategy.Builtin().Find(o.Old.Strategy)
	if err != nil {
		return nil, err
	}
	// What was given leaves open what follows from other settings, and the canonical form
	// says it. That one counts only where what was given does not give it again: where an
	// architecture was taken from a controller.
	if again, err := d.Canonical(given, from); err != nil || !bytes.Equal(again, o.Old.Settings) {
		given = o.Old.Settings
	}
	var both, settings json.RawMessage
	given, err = d.Spoken(given, o.Old.Settings)
	if err == nil {
		both, err = strategy.Overlay(given, own)
	}
	if err == nil {
		settings, err = d.Canonical(both, from)
	}
	if err == nil {
		err = d.CheckFork(o.Old.Settings, settings)
	}
	if err != nil {
		return nil, fmt.Errorf("settings of %s: %w", d.Name, err)
	}
	if !bytes.Equal(settings, o.Old.Settings) {
		o.Config.Settings, o.Config.Fork = settings, &search.Fork{Config: string(o.From.Config), Trials: o.From.Told}
	}
	return both, nil
}

// equal says that two fields have the same value; one that is absent is empty.
func equal(a, b json.RawMessage) bool {
	value := func(raw json.RawMessage) (v any) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // a seed has 64 bits
		_ = d.Decode(&v)
		if list, ok := v.([]any); ok && len(list) == 0 || v == "" || v == false || v == json.Number("0") {
			return nil
		}
		return v
	}
	return reflect.DeepEqual(value(a), value(b))
}
