package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data/image"
	"tnaml/nn/child"
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

// FeaturesRecord is the value of names/features/<key>.
type FeaturesRecord struct {
	Ref store.Ref `json:"ref"`
	// Data and Module reference what they are the features of; records of earlier
	// versions lack them.
	Data   store.Ref `json:"data,omitempty"`
	Module store.Ref `json:"module,omitempty"`
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
		set, err := storedFeatures(ctx, a.store, dataRef, moduleRef)
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
			if set, err = storedFeatures(ctx, a.store, dataRef, moduleRef); errors.Is(err, store.ErrNotFound) {
				set, err = computeFeatures(ctx, a.store, dataRef, moduleRef, progress)
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

// featuresKey is the name of the features of a task under a module: a digest of
// all they are a function of.
func featuresKey(dataRef, moduleRef store.Ref) string {
	b, err := json.Marshal(struct {
		Version        int
		InstructionSet string
		Data, Module   store.Ref
	}{nnimage.FeaturesVersion, child.InstructionSet(), dataRef, moduleRef})
	if err != nil {
		panic(err) // numbers and strings
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// storedFeatures reads features that have been computed before; it is
// store.ErrNotFound where they have not, or are damaged: to compute and to store
// them again repairs them.
func storedFeatures(ctx context.Context, s store.Store, dataRef, moduleRef store.Ref) (*nnimage.FeatureSet, error) {
	value, _, err := s.GetName(ctx, store.Features, featuresKey(dataRef, moduleRef))
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	var record FeaturesRecord
	if err := json.Unmarshal(value, &record); err != nil {
		return nil, fmt.Errorf("features: %w: their record is not valid", store.ErrNotFound)
	}
	b, err := s.Get(ctx, record.Ref)
	if errors.Is(err, store.ErrCorrupt) {
		return nil, fmt.Errorf("features: %w: %v", store.ErrNotFound, err)
	}
	if err != nil {
		return nil, fmt.Errorf("features %s: %w", record.Ref, err)
	}
	return nnimage.DecodeFeatures(b)
}

// computeFeatures computes features, stores them and gives them their name.
func computeFeatures(ctx context.Context, s store.Store, dataRef, moduleRef store.Ref, progress func(done, total int) error) (*nnimage.FeatureSet, error) {
	b, err := s.Get(ctx, dataRef)
	if err != nil {
		return nil, fmt.Errorf("image task: %w", err)
	}
	t, err := image.Decode(b)
	if err != nil {
		return nil, invalid(err)
	}
	if b, err = s.Get(ctx, moduleRef); err != nil {
		return nil, fmt.Errorf("image module: %w", err)
	}
	e, err := nnimage.Decode(b)
	if err != nil {
		return nil, invalid(err)
	}
	set, err := nnimage.NewFeatureSet(e, t.Train.Images, t.Validation.Images, t.Test.Images, nnimage.FeatureOptions{
		Standardise: true, Task: t.Name, TaskDigest: string(dataRef), Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	ref, err := s.Put(ctx, set.Encode())
	if err != nil {
		return nil, fmt.Errorf("storing features: %w", err)
	}
	value, err := json.Marshal(FeaturesRecord{ref, dataRef, moduleRef})
	if err != nil {
		return nil, err
	}
	return set, store.Update(ctx, s, store.Features, featuresKey(dataRef, moduleRef), func([]byte) ([]byte, error) { return value, nil })
}
