package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/starter/cli/spec"
	"tnaml/starter/cli/terminal"
)

// armForm is [NAME=]STRATEGY[:PRESET][@PRETRAINING].
var armForm = regexp.MustCompile(`^(?:([^=:@]+)=)?([^=:@]+)(?::([^=:@]+))?(?:@([^=:@]+))?$`)

// none is the pretraining of an arm that starts from nothing.
const none = "none"

// arms finds a plan's arms and pretrainings.
func (a app) arms(ctx context.Context, w *simulate.World, o options, p *simulate.Plan) error {
	var errs []error
	own := &catalog.Arms{}
	if o.armsFile != "" {
		b, err := terminal.ReadSpec(ctx, o.armsFile)
		if err == nil {
			own, err = catalog.ParseArms(b)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--arms %s: %w", o.armsFile, err))
		}
	}
	for _, pre := range slices.Concat(own.Pretrainings, catalog.SharedArms().Pretrainings) {
		if slices.ContainsFunc(p.Pretrainings, func(o simulate.Pretraining) bool { return o.Name == pre.Name }) {
			continue // the file's stands for the one that all share
		}
		one := simulate.Pretraining{Name: pre.Name, Strategy: pre.Strategy, Settings: pre.Settings, Tasks: pre.Tasks, Trials: pre.Trials}
		if one.Trials == 0 {
			one.Trials = o.pretrainTrials
		}
		p.Pretrainings = append(p.Pretrainings, one)
	}
	if o.chosen || len(own.Arms) == 0 {
		for _, item := range o.strategies {
			found, err := named(w.Strategies, own, item, p.Pretrainings[0].Name)
			if err != nil {
				errs = append(errs, fmt.Errorf("--strategies: %w", err))
			}
			p.Arms = append(p.Arms, found...)
		}
	} else {
		found, err := of(own.Arms)
		if err != nil {
			errs = append(errs, fmt.Errorf("--arms %s: %w", o.armsFile, err))
		}
		p.Arms = found
	}
	for _, s := range o.settings {
		if err := set(ctx, p, s); err != nil {
			errs = append(errs, fmt.Errorf("--settings %s: %w", terminal.Cut(s, 60), err))
		}
	}
	return errors.Join(errs...)
}

// named are the arms that an item of --strategies means. What learns from other tasks'
// trials starts from a pretraining, unless the item says from which or from none.
func named(table strategy.Table, own *catalog.Arms, item, pretraining string) ([]simulate.Arm, error) {
	if found := own.Named(item); found != nil {
		return of(found)
	}
	m := armForm.FindStringSubmatch(item)
	if m == nil {
		return nil, fmt.Errorf("%q is no arm: it must be [NAME=]STRATEGY[:PRESET][@PRETRAINING]", item)
	}
	d, err := slices.Concat(table, strategy.Table{{Name: simulate.Oracle}}).Find(m[2])
	if err != nil {
		if found := catalog.SharedArms().Named(item); found != nil {
			return of(found)
		}
		return nil, err
	}
	arm := simulate.Arm{Name: item, Strategy: d.Name, From: m[4]}
	if m[1] != "" {
		arm.Name = m[1]
	}
	if m[3] != "" {
		arm.Settings = []byte(`"` + strings.Trim(m[3], `"\`) + `"`)
	}
	switch {
	case arm.From == none:
		arm.From = ""
	case arm.From == "" && d.FromSources:
		arm.From = pretraining
	}
	return []simulate.Arm{arm}, nil
}

// of are arms of the catalogue.
func of(arms []study.Arm) ([]simulate.Arm, error) {
	var errs []error
	out := make([]simulate.Arm, len(arms))
	for i, a := range arms {
		var err error
		out[i], err = catalog.Simulated(a)
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// set changes the settings of an arm or a pretraining: NAME=SETTINGS.
func set(ctx context.Context, p *simulate.Plan, s string) error {
	name, text, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("it must be NAME=SETTINGS")
	}
	raw, err := spec.Settings(ctx, text)
	if err != nil {
		return err
	}
	found := false
	var names []string
	change := func(of string, settings *json.RawMessage) error {
		names = append(names, of)
		if of != name {
			return nil
		}
		found = true
		*settings, err = strategy.Overlay(*settings, raw)
		return err
	}
	for i := range p.Arms {
		if err := change(p.Arms[i].Name, &p.Arms[i].Settings); err != nil {
			return err
		}
	}
	for i := range p.Pretrainings {
		if err := change(p.Pretrainings[i].Name, &p.Pretrainings[i].Settings); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no arm or pretraining %q (there are: %s)", name, strings.Join(names, ", "))
	}
	return nil
}
