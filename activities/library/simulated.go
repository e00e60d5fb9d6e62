package library

import (
	"context"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/nn/safetensors"
)

const simulatedKind = "simulated"

// PutSimulated stores what simulated searches took.
func PutSimulated(ctx context.Context, s store.Store, n *simulate.Night) (store.Ref, error) {
	f := safetensors.New(simulatedKind)
	f.PutJSON("night", n)
	ref, err := s.Put(ctx, f.Encode())
	if err != nil {
		return "", fmt.Errorf("simulated searches: %w", err)
	}
	return ref, nil
}

// ReadSimulated reads what simulated searches took.
func ReadSimulated(ctx context.Context, s store.Store, ref store.Ref) (*simulate.Night, error) {
	return open(ctx, s, "simulated searches", ref, func(b []byte) (*simulate.Night, error) {
		f, err := safetensors.DecodeKind(b, simulatedKind)
		if err != nil {
			return nil, err
		}
		var n simulate.Night
		return &n, f.GetJSON("night", &n)
	})
}
