package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
)

// Resolve pins a search to the objects its names stand for now, and records
// that it runs. What the spec names wrongly is reported all together, and recorded as
// the reason why the search failed. A name that another run holds is refused.
func (a *Activities) Resolve(ctx context.Context, in ResolveInput) (Resolved, error) {
	err := library.SearchHeld(ctx, a.store, in.Name, in.Owner)
	if err != nil {
		return Resolved{}, classify(err)
	}
	record := library.SearchRecord{
		Name: in.Name, RunID: in.RunID, Owner: in.Owner, Fence: fence(ctx, in.Line), Spec: in.Spec, Status: "running", Started: now(),
		Namespace: activity.GetInfo(ctx).Namespace,
	}
	out, err := a.resolve(ctx, in, record)
	if errors.Is(err, library.ErrInvalid) {
		record.Status, record.Reason, record.Ended = "failed", limit.Reason(err.Error()), now()
		if failed := library.StartSearch(ctx, a.store, record); failed != nil {
			activity.GetLogger(ctx).Warn("a start that failed is not on record", "search", in.Name, "error", failed)
		}
	}
	return out, classify(err)
}

// now is the time as records have it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func (a *Activities) resolve(ctx context.Context, in ResolveInput, record library.SearchRecord) (Resolved, error) {
	if in.Wrong != "" {
		return Resolved{}, library.Invalid(errors.New(in.Wrong))
	}
	config, begun, err := a.pin(ctx, in, &record)
	if err != nil {
		return Resolved{}, err
	}
	if err := library.ClaimAll(ctx, a.store, config); err != nil {
		return Resolved{}, err
	}
	if record.Config, err = library.PutConfig(ctx, a.store, config); err != nil {
		return Resolved{}, err
	}
	if err := library.StartSearch(ctx, a.store, record); err != nil {
		return Resolved{}, err
	}
	features, err := a.missingFeatures(ctx, config)
	return Resolved{
		Config: record.Config, SpaceDigest: config.Space.Digest(), Trainer: config.Space.TrainerName(), Tasks: config.Tasks,
		Objects: config.Objects(), Settings: config.Space.Settings, Objective: config.Space.Objective, Features: features,
		Constraints: config.Space.Constraints, Curve: config.Pruner != nil, Begun: begun,
	}, err
}

// pin finds a search's configuration: by its names, or by the search that it goes on
// from.
func (a *Activities) pin(ctx context.Context, in ResolveInput, record *library.SearchRecord) (*search.Config, *Begun, error) {
	if in.From == "" {
		config, sources, err := library.Pin(ctx, a.store, in.Names)
		if err != nil || sources == nil {
			return config, nil, err
		}
		if _, err := a.store.Put(ctx, sources.Object); err != nil {
			return nil, nil, fmt.Errorf("sources: %w", err)
		}
		for _, t := range sources.From {
			if record.Sources = append(record.Sources, t); t.LeftOut > 0 {
				activity.GetLogger(ctx).Warn("not all trials can be learned from", "search", in.Name, "source", t.Search, "trials", t.Trials,
					"left_out", t.LeftOut)
			}
		}
		return config, nil, nil
	}
	o, err := library.GoOn(ctx, a.store, in.From, in.Spec)
	if err != nil {
		return nil, nil, err
	}
	if o.Reevaluated != nil {
		record.Spec, record.Reevaluated = o.Spec, o.Reevaluated
		return o.Config, &Begun{Spec: o.Spec}, nil
	}
	begun, err := a.goOn(ctx, o, record)
	return o.Config, begun, err
}

// missingFeatures lists the features of images that a search needs and the store
// lacks (Resolved.Features).
func (a *Activities) missingFeatures(ctx context.Context, config *search.Config) (map[string][]int, error) {
	if config.Kind() != string(data.Image) {
		return nil, nil
	}
	out := map[string][]int{}
	for _, m := range config.Modules {
		for i, t := range config.Tasks {
			_, _, err := a.store.GetName(ctx, store.Features, library.FeaturesKey(store.Ref(t.Data), store.Ref(m.Data)))
			switch {
			case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
				out[m.Name] = append(out[m.Name], i)
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
