package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
)

// Resolve pins a search to the objects its names stand for now, and records
// that it runs. What the spec names wrongly is reported all together.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) (Resolved, error) {
	config, err := a.resolve(ctx, in)
	if err != nil {
		return Resolved{}, classify(err)
	}
	ref, err := library.PutConfig(ctx, a.store, config)
	if err != nil {
		return Resolved{}, classify(err)
	}
	err = library.UpdateRecord(ctx, a.store, in.Name, func(r *library.SearchRecord) {
		*r = library.SearchRecord{Name: in.Name, RunID: in.RunID, Spec: in.Spec, Config: ref, Status: "running"}
	})
	if err != nil {
		return Resolved{}, classify(err)
	}
	features, err := a.missingFeatures(ctx, config)
	if err != nil {
		return Resolved{}, classify(err)
	}
	return Resolved{Config: ref, SpaceDigest: config.Space.Digest(), Features: features}, nil
}

// missingFeatures lists the features of images that a search needs and the store
// lacks.
func (a *Activities) missingFeatures(ctx context.Context, config *search.Config) ([]FeaturesInput, error) {
	if config.Modality != data.Image {
		return nil, nil
	}
	var out []FeaturesInput
	for _, t := range config.Tasks {
		for _, m := range config.Modules {
			in := FeaturesInput{Task: t.Name, Module: m.Name, Data: store.Ref(t.Data), ModuleData: store.Ref(m.Data)}
			_, _, err := a.store.GetName(ctx, store.Features, library.FeaturesKey(in.Data, in.ModuleData))
			switch {
			case errors.Is(err, store.ErrNotFound):
				out = append(out, in)
			case err != nil:
				return nil, fmt.Errorf("features of %s under %s: %w", t.Name, m.Name, err)
			}
		}
	}
	return out, nil
}

func (a *Activities) resolve(ctx context.Context, in ResolveInput) (*search.Config, error) {
	var wrong []error
	config := &search.Config{Strategy: in.Strategy, Seed: in.Seed, Lag: in.Lag}
	// fault sorts an error: the spec's own are collected, the store's end it.
	fault := func(err error) error {
		if errors.Is(err, store.ErrNotFound) {
			wrong = append(wrong, err)
			return nil
		}
		return err
	}
	cards := map[string]*data.Card{}
	for _, name := range in.Tasks {
		record, err := library.Dataset(ctx, a.store, name)
		if err != nil {
			if err := fault(err); err != nil {
				return nil, err
			}
			continue
		}
		cards[name] = &record.Card
		config.Tasks = append(config.Tasks, search.Task{Name: name, Data: string(record.Ref)})
	}
	modality, err := modalityOf(in.Tasks, cards)
	if err != nil {
		wrong = append(wrong, err)
	}
	config.Modality = modality
	var from *search.Pretrained
	if in.Controller != "" {
		p, _, err := library.LoadController(ctx, a.store, in.Controller)
		if err := fault(err); err != nil {
			return nil, err
		}
		from = p
	}
	switch {
	case from != nil:
		if in.Strategy == search.NAML {
			config.Controller = from.Ref
		}
		config.Settings, err = search.TransferSettings(in.Strategy, in.Settings, from)
	case in.Controller == "":
		config.Settings, err = search.ParseSettings(in.Strategy, in.Settings)
	}
	if err != nil {
		wrong = append(wrong, fmt.Errorf("settings of %s: %w", in.Strategy, err))
	}
	catalogue, err := library.Modules(ctx, a.store)
	if err != nil {
		return nil, err
	}
	catalogue = ofModality(catalogue, config.Modality)
	modules := catalogue
	names := in.Modules
	if len(names) == 0 && from != nil {
		names = from.Modules()
	}
	if len(names) > 0 {
		chosen, err := chooseModules(catalogue, names)
		if err != nil {
			wrong = append(wrong, err)
		} else {
			modules = chosen
		}
	}
	if in.Space == "" && from != nil {
		in.Space = from.Origin.SpaceName
	}
	if in.Space == "" {
		in.Space = string(config.Modality) // the built-in spaces are named so
	}
	sp, err := library.LoadSpace(ctx, a.store, in.Space)
	if err != nil {
		wrong = append(wrong, err)
	} else if err := checkSpace(sp, in.Space, config.Modality, modules); err != nil {
		wrong = append(wrong, err)
	} else if config.Space, config.Modules, err = expand(sp, modules); err != nil {
		wrong = append(wrong, fmt.Errorf("space %q: %w", in.Space, err))
	} else if from != nil {
		if err := from.Fits(&config.Space); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return nil, invalid(errors.Join(wrong...))
	}
	if err := config.Validate(); err != nil {
		return nil, invalid(err)
	}
	return config, a.claimAll(ctx, config)
}

// claimAll claims what a configuration needs. What is gone is reported together.
func (a *Activities) claimAll(ctx context.Context, config *search.Config) error {
	var gone []error
	check := func(err error, what, name, wayOut string) error {
		if errors.Is(err, store.ErrNotFound) {
			gone = append(gone, fmt.Errorf("%s %q: its %w: %s", what, name, err, wayOut))
			return nil
		}
		return err
	}
	for _, t := range config.Tasks {
		if err := check(library.Claim(ctx, a.store, store.Ref(t.Data)), "task", t.Name, "import it again"); err != nil {
			return err
		}
	}
	for _, m := range config.Modules {
		if err := check(library.Claim(ctx, a.store, store.Ref(m.Data)), "module", m.Name, "add it again, or remove its name"); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		return invalid(errors.Join(gone...))
	}
	return nil
}

// modalityOf is that of all tasks; tasks of several are an error. Tasks without a
// card are left out.
func modalityOf(names []string, cards map[string]*data.Card) (data.Kind, error) {
	first := ""
	for _, name := range names {
		c := cards[name]
		switch {
		case c == nil:
		case first == "":
			first = name
		case c.Kind() != cards[first].Kind():
			return cards[first].Kind(), fmt.Errorf("task %q is of %ss and task %q of %ss: one controller designs models of one kind", first, cards[first].Kind(), name, c.Kind())
		}
	}
	if first == "" {
		return data.Text, nil
	}
	return cards[first].Kind(), nil
}

// ofModality leaves out the modules of other modalities.
func ofModality(catalogue []library.ModuleRecord, m data.Kind) []library.ModuleRecord {
	return slices.DeleteFunc(catalogue, func(r library.ModuleRecord) bool { return r.Kind != m })
}

// checkSpace refuses a space that tasks of a modality cannot be searched in.
func checkSpace(sp *space.Space, name string, m data.Kind, modules []library.ModuleRecord) error {
	switch {
	case m == data.Image && sp.Tunes():
		return fmt.Errorf("space %q offers to fine-tune the module, but image modules are frozen: take the space \"image\", or one in which %s has the option false alone", name, space.FineTune)
	case len(modules) == 0 && sp.AllModules():
		return fmt.Errorf("there is no %s module to choose from: add one with `starter module add`, or make the catalogue's with `starter module build`", m)
	}
	return nil
}

// chooseModules picks modules of the catalogue by name.
func chooseModules(catalogue []library.ModuleRecord, names []string) ([]library.ModuleRecord, error) {
	var out []library.ModuleRecord
	var missing, known []string
	for _, m := range catalogue {
		known = append(known, m.Name)
		if slices.Contains(names, m.Name) {
			out = append(out, m)
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no module %s of the tasks' kind in the store (there are: %s)", strings.Join(missing, ", "), strings.Join(known, ", "))
	}
	return out, nil
}

// expand fills in the catalogue's modules and finds the objects behind them.
func expand(sp *space.Space, catalogue []library.ModuleRecord) (space.Space, []search.Module, error) {
	names := make([]string, len(catalogue))
	refs := make(map[string]store.Ref, len(catalogue))
	for i, m := range catalogue {
		names[i] = m.Name
		refs[m.Name] = m.Ref
	}
	expanded, err := sp.Expand(names)
	if err != nil {
		return space.Space{}, nil, err
	}
	var modules []search.Module
	for _, choice := range expanded.Choices {
		if choice.Name != space.Module {
			continue
		}
		for _, o := range choice.Options {
			name := fmt.Sprint(o)
			modules = append(modules, search.Module{Name: name, Data: string(refs[name])})
		}
	}
	return expanded, modules, nil
}

// config returns a search's configuration from the worker's memory.
func (a *Activities) config(ctx context.Context, ref store.Ref) (*search.Config, error) {
	return cached(ctx, a, "search configuration", ref, func(b []byte) (*search.Config, int64, error) {
		c, err := library.DecodeConfig(b)
		return c, int64(len(b)), err
	})
}
