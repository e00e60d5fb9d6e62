package library

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

// FeaturesRecord is the value of names/features/<key>.
type FeaturesRecord struct {
	Ref store.Ref `json:"ref"`
	// Data and Module reference what they are the features of.
	Data   store.Ref `json:"data"`
	Module store.Ref `json:"module"`
}

// FeaturesKey is the name of the features of a task under a module: a digest of
// all they are a function of.
func FeaturesKey(dataRef, moduleRef store.Ref) string {
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

// StoredFeatures reads features that have been computed before; it is
// store.ErrNotFound where they have not, or are damaged: to compute and to store
// them again repairs them.
func StoredFeatures(ctx context.Context, s store.Store, dataRef, moduleRef store.Ref) (*nnimage.FeatureSet, error) {
	record, err := features.get(ctx, s, FeaturesKey(dataRef, moduleRef))
	if err == nil {
		var b []byte
		if b, err = s.Get(ctx, record.Ref); err == nil {
			return nnimage.DecodeFeatures(b)
		}
	}
	if errors.Is(err, ErrUnreadable) || errors.Is(err, store.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	return nil, fmt.Errorf("features: %w", err)
}

// featuresAnyway are the stored features, or those computed where they were collected or
// are of another instruction set.
func featuresAnyway(ctx context.Context, s store.Store, dataRef, moduleRef store.Ref) (*nnimage.FeatureSet, error) {
	set, err := StoredFeatures(ctx, s, dataRef, moduleRef)
	if errors.Is(err, store.ErrNotFound) {
		return ComputeFeatures(ctx, s, dataRef, moduleRef, nil)
	}
	return set, err
}

// ComputeFeatures computes features, stores them and gives them their name.
func ComputeFeatures(
	ctx context.Context, s store.Store, dataRef, moduleRef store.Ref, progress func(done, total int) error,
) (*nnimage.FeatureSet, error) {
	t, err := open(ctx, s, "image task", dataRef, image.Decode)
	if err != nil {
		return nil, err
	}
	e, err := open(ctx, s, "image module", moduleRef, nnimage.Decode)
	if err != nil {
		return nil, err
	}
	set, err := nnimage.NewFeatureSet(e, t.Train.Images, t.Validation.Images, t.Test.Images, nnimage.FeatureOptions{
		Standardise: true, Task: t.Name, TaskDigest: string(dataRef), Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	record := func(ref store.Ref) FeaturesRecord { return FeaturesRecord{ref, dataRef, moduleRef} }
	_, err = publishObject(ctx, s, features, FeaturesKey(dataRef, moduleRef), set, record, true)
	return set, err
}
