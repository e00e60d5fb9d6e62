package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/starter/cli/spec"
	"tnaml/starter/cli/terminal"
)

// armForm is [NAME=]ARM[:PRESET][@PRETRAINING].
var armForm = regexp.MustCompile(`^(?:([^=:@]+)=)?([^=:@]+)(?::([^=:@]+))?(?:@([^=:@]+))?$`)

// none is the pretraining of an arm that starts from nothing.
const none = "none"

// armsOf reads the arms and pretrainings that flags name.
type armsOf struct {
	strategies strategy.Table
	own        *catalog.Arms // of the file
	plan       *simulate.Plan
	// unread are the names of arms that are wrong, which has been told.
	unread []string
	errs   []error
}

func (r *armsOf) bad(flag string, err error) {
	r.errs = append(r.errs, fmt.Errorf("%s: %w", flag, err))
}

// arms finds a plan's arms and pretrainings, and the names of arms that are wrong. Where the
// file cannot be read there are neither: what names something of it cannot be told from what
// is wrong.
func (a app) arms(ctx context.Context, w *simulate.World, o options, p *simulate.Plan) (unread []string, err error) {
	r := &armsOf{strategies: w.Strategies, own: &catalog.Arms{}, plan: p}
	file := "--arms " + o.armsFile
	if o.armsFile != "" {
		b, err := terminal.ReadSpec(ctx, o.armsFile)
		if err == nil {
			r.own, err = catalog.ParseArms(b)
		}
		if err != nil {
			return slices.Concat(o.strategies, []string{o.against, o.baseline}), fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, pre := range slices.Concat(r.own.Pretrainings, catalog.SharedArms().Pretrainings) {
		if slices.ContainsFunc(p.Pretrainings, func(o simulate.Pretraining) bool { return o.Name == pre.Name }) {
			continue // the file's stands for the one that all share
		}
		one := simulate.Pretraining{Name: pre.Name, Strategy: pre.Strategy, Settings: pre.Settings, Tasks: pre.Tasks, Trials: pre.Trials}
		one.Trials = cmp.Or(one.Trials, o.pretrainTrials)
		p.Pretrainings = append(p.Pretrainings, one)
	}
	switch {
	case o.chosen || o.armsFile == "":
		for i, item := range o.strategies {
			if slices.Contains(o.strategies[:i], item) {
				r.bad("--strategies", fmt.Errorf("%q is there twice", item))
				continue
			}
			r.add("--strategies", r.named(item))
		}
	case len(r.own.Arms) == 0:
		r.bad(file, errors.New("it has no arms: name some with --strategies"))
	default:
		found, err := of(r.own.Arms)
		if err != nil {
			r.bad(file, err)
		}
		r.add(file, found)
	}
	for _, s := range o.settings {
		if err := r.set(ctx, s); err != nil {
			r.bad("--settings "+terminal.Cut(s, 60), err)
		}
	}
	return r.unread, errors.Join(r.errs...)
}

// add adds arms to the plan. One that is of two lists is there once.
func (r *armsOf) add(flag string, arms []simulate.Arm) {
	for _, arm := range arms {
		same := func(other simulate.Arm) bool { return other.Name == arm.Name }
		switch i := slices.IndexFunc(r.plan.Arms, same); {
		case i < 0:
			r.plan.Arms = append(r.plan.Arms, arm)
		case !reflect.DeepEqual(r.plan.Arms[i], arm):
			r.bad(flag, fmt.Errorf("there are two arms %q that differ, one from %s, one from %s: give one another name, as NAME=ARM", arm.Name,
				cmp.Or(r.plan.Arms[i].From, "nothing"), cmp.Or(arm.From, "nothing")))
		}
	}
}

// named are the arms that an item of --strategies means. What learns from other tasks'
// trials starts from a pretraining, unless the item says from which or from none.
func (r *armsOf) named(item string) []simulate.Arm {
	arms, err := r.read(item)
	if err != nil {
		name, _, _ := strings.Cut(item, "=")
		r.unread = append(r.unread, name)
		r.bad("--strategies", err)
	}
	return arms
}

func (r *armsOf) read(item string) ([]simulate.Arm, error) {
	m := armForm.FindStringSubmatch(item)
	if m == nil {
		return nil, fmt.Errorf("%q is no arm: it must be [NAME=]ARM[:PRESET][@PRETRAINING]", item)
	}
	found, isList, err := r.base(m[2])
	if err != nil || isList && item == m[2] {
		return found, err
	}
	if isList {
		return nil, fmt.Errorf("%q is a list of arms: it has neither a name of its own, nor a preset or a pretraining", m[2])
	}
	arm := found[0]
	if arm.Name = item; m[1] != "" {
		arm.Name = m[1]
		if err := limit.Name("the name of "+m[2], m[1]); err != nil {
			return nil, err
		}
	}
	if m[3] != "" {
		if arm.Settings, err = json.Marshal(m[3]); err != nil {
			return nil, err
		}
	}
	switch m[4] {
	case "":
	case none:
		arm.From = ""
	default:
		arm.From = m[4]
	}
	return []simulate.Arm{arm}, nil
}

// base is what a name stands for: an arm or a list of arms of the file, a strategy, or an
// arm or a list of those that all share, one of a strategy's name saying whether it starts
// from nothing. Of a list of the file each member is such a name.
func (r *armsOf) base(name string) (arms []simulate.Arm, isList bool, err error) {
	if members, ok := r.own.Lists[name]; ok {
		var errs []error
		for _, m := range members {
			if _, nested := r.own.Lists[m]; nested {
				errs = append(errs, fmt.Errorf("the list %q: %q is a list itself", name, m))
				continue
			}
			found, nested, err := r.base(m)
			if nested && err == nil {
				err = fmt.Errorf("%q is a list itself", m)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("the list %q: %w", name, err))
			}
			arms = append(arms, found...)
		}
		return arms, true, errors.Join(errs...)
	}
	if found := r.own.Named(name); found != nil {
		arms, err = of(found)
		return arms, false, err
	}
	if d, err := slices.Concat(r.strategies, strategy.Table{{Name: simulate.Oracle}}).Find(name); err == nil {
		arm := simulate.Arm{Name: name, Strategy: d.Name}
		if same := catalog.SharedArms().Named(name); d.FromSources && !(len(same) == 1 && same[0].From == "") {
			arm.From = r.plan.Pretrainings[0].Name
		}
		return []simulate.Arm{arm}, false, nil
	}
	shared := catalog.SharedArms()
	if found := shared.Named(name); found != nil {
		_, isList = shared.Lists[name]
		arms, err = of(found)
		return arms, isList, err
	}
	lists := slices.Concat(slices.Sorted(maps.Keys(r.own.Lists)), slices.Sorted(maps.Keys(shared.Lists)))
	return nil, false, fmt.Errorf("unknown strategy or arm %q (strategies: %s; arms: %s; lists of arms: %s)", name,
		strings.Join(append(r.strategies.Names(), simulate.Oracle), ", "), strings.Join(armNames(r.own, shared), ", "),
		strings.Join(lists, ", "))
}

// armNames are the names of arms that are no strategies.
func armNames(of ...*catalog.Arms) (out []string) {
	for _, arms := range of {
		for _, a := range arms.Arms {
			if a.Name != a.Strategy && !slices.Contains(out, a.Name) {
				out = append(out, a.Name)
			}
		}
	}
	return out
}

// of are arms of the catalogue, those that can be simulated.
func of(arms []study.Arm) (out []simulate.Arm, err error) {
	var errs []error
	for _, a := range arms {
		arm, err := catalog.Simulated(a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, arm)
	}
	return out, errors.Join(errs...)
}

// set changes the settings of an arm or a pretraining: NAME=SETTINGS.
func (r *armsOf) set(ctx context.Context, s string) error {
	name, text, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("it must be NAME=SETTINGS")
	}
	raw, err := spec.Settings(ctx, text)
	if err == nil && raw == nil {
		err = errors.New("it has no settings: give JSON, the name of a preset, or @FILE")
	}
	if err != nil {
		return err
	}
	found := slices.Contains(r.unread, name)
	var names []string
	change := func(of string, settings *json.RawMessage) error {
		if names = append(names, of); of != name {
			return nil
		}
		found = true
		*settings, err = strategy.Overlay(*settings, raw)
		return err
	}
	for i := range r.plan.Arms {
		if err := change(r.plan.Arms[i].Name, &r.plan.Arms[i].Settings); err != nil {
			return err
		}
	}
	for i := range r.plan.Pretrainings {
		if err := change(r.plan.Pretrainings[i].Name, &r.plan.Pretrainings[i].Settings); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no arm or pretraining %q (there are: %s)", name, strings.Join(names, ", "))
	}
	return nil
}
