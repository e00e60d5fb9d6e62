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
	// Data and Module reference what they are the features of; records of earlier
	// versions lack them.
	Data   store.Ref `json:"data,omitempty"`
	Module store.Ref `json:"module,omitempty"`
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
	value, _, err := s.GetName(ctx, store.Features, FeaturesKey(dataRef, moduleRef))
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

// ComputeFeatures computes features, stores them and gives them their name.
func ComputeFeatures(ctx context.Context, s store.Store, dataRef, moduleRef store.Ref, progress func(done, total int) error) (*nnimage.FeatureSet, error) {
	b, err := s.Get(ctx, dataRef)
	if err != nil {
		return nil, fmt.Errorf("image task: %w", err)
	}
	t, err := image.Decode(b)
	if err != nil {
		return nil, Invalid(err)
	}
	if b, err = s.Get(ctx, moduleRef); err != nil {
		return nil, fmt.Errorf("image module: %w", err)
	}
	e, err := nnimage.Decode(b)
	if err != nil {
		return nil, Invalid(err)
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
	return set, store.Update(ctx, s, store.Features, FeaturesKey(dataRef, moduleRef), func([]byte) ([]byte, error) { return value, nil })
}
