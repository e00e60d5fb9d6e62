package activities

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/store"
	nnimage "tnaml/nn/image"
)

// FeaturesInput asks for the features of an image task under a module.
type FeaturesInput struct {
	// Task and Module are their names, for people.
	Task   string `json:"task"`
	Module string `json:"module"`
	// Data and ModuleData reference their objects.
	Data       store.Ref `json:"data"`
	ModuleData store.Ref `json:"module_data"`
}

// FeaturesResult says what features there are.
type FeaturesResult struct {
	// Images is the number of images, Dim the length of a vector.
	Images int `json:"images"`
	Dim    int `json:"dim"`
}

// Images is the progress of computing features, as its heartbeat carries it.
type Images struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// Features computes the features of an image task under a module, once: they
// are kept in the store for all trials of all searches. It uses all cores.
func (a *Activities) Features(ctx context.Context, in FeaturesInput) (FeaturesResult, error) {
	beat := startHeartbeat(ctx)
	defer beat.stop()
	alive := aliveCheck(ctx)
	set, err := a.features(ctx, in.Data, in.ModuleData, func(done, total int) error {
		beat.set(Images{done, total})
		return alive()
	})
	if err != nil {
		return FeaturesResult{}, classify(fmt.Errorf("features of %s under %s: %w", in.Task, in.Module, err))
	}
	return FeaturesResult{(len(set.Train) + len(set.Validation) + len(set.Test)) / set.Dim, set.Dim}, nil
}

// features returns the features of an image task under a module, standardised:
// from the worker's memory, else from the store, else computed and stored.
func (a *Activities) features(ctx context.Context, dataRef, moduleRef store.Ref, progress func(done, total int) error) (*nnimage.FeatureSet, error) {
	v, err := a.cache.get(ctx, "features "+string(dataRef)+" "+string(moduleRef), func(ctx context.Context) (any, int64, error) {
		set, err := library.StoredFeatures(ctx, a.store, dataRef, moduleRef)
		if errors.Is(err, store.ErrNotFound) {
			// One at a time: each takes all cores, and the task's images in memory.
			select {
			case a.extracting <- struct{}{}:
				defer func() { <-a.extracting }()
			case <-ctx.Done():
				return nil, 0, ctx.Err()
			}
			// Another worker may have computed them meanwhile: searches of one
			// experiment ask for the same ones in the same order.
			if set, err = library.StoredFeatures(ctx, a.store, dataRef, moduleRef); errors.Is(err, store.ErrNotFound) {
				set, err = library.ComputeFeatures(ctx, a.store, dataRef, moduleRef, progress)
			}
		}
		if err != nil {
			return nil, 0, err
		}
		return set, int64(4 * (len(set.Train) + len(set.Validation) + len(set.Test))), nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*nnimage.FeatureSet), nil
}
