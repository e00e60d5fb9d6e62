package activities

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/search"
)

// Resolve pins a search to the objects its names stand for now, and records
// that it runs. What the spec names wrongly is reported all together.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) (Resolved, error) {
	out, err := a.resolve(ctx, in)
	return out, classify(err)
}

func (a *Activities) resolve(ctx context.Context, in ResolveInput) (Resolved, error) {
	config, err := library.Pin(ctx, a.store, in.Names)
	if err != nil {
		return Resolved{}, err
	}
	if err := library.ClaimAll(ctx, a.store, config); err != nil {
		return Resolved{}, err
	}
	ref, err := library.PutConfig(ctx, a.store, config)
	if err != nil {
		return Resolved{}, err
	}
	err = library.UpdateRecord(ctx, a.store, in.Name, func(r *library.SearchRecord) {
		*r = library.SearchRecord{Name: in.Name, RunID: in.RunID, Spec: in.Spec, Config: ref, Status: "running"}
	})
	if err != nil {
		return Resolved{}, err
	}
	features, err := a.missingFeatures(ctx, config)
	return Resolved{
		Config: ref, SpaceDigest: config.Space.Digest(), Trainer: config.Space.TrainerName(), Tasks: config.Tasks,
		Objects: config.Objects(), Settings: config.Space.Settings, Objective: config.Space.Objective, Features: features,
	}, err
}

// missingFeatures lists the features of images that a search needs and the store
// lacks.
func (a *Activities) missingFeatures(ctx context.Context, config *search.Config) ([]FeaturesInput, error) {
	if config.Kind() != string(data.Image) {
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

// config returns a search's configuration from the worker's memory.
func (a *Activities) config(ctx context.Context, ref store.Ref) (*search.Config, error) {
	return memory.Of(ctx, a.memory, "search configuration "+string(ref), func(ctx context.Context) (*search.Config, int64, error) {
		b, err := a.store.Get(ctx, ref)
		if err != nil {
			return nil, 0, fmt.Errorf("search configuration %s: %w", ref, err)
		}
		c, err := library.DecodeConfig(b)
		if err != nil {
			return nil, 0, library.Invalid(fmt.Errorf("search configuration %s: %w", ref, err))
		}
		return c, int64(len(b)), nil
	})
}
