package library

import (
	"context"
	"fmt"
	"slices"

	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/nn/safetensors"
)

// ReadLedger reads a search's trials, in order, by walking the chain of
// segments back from the newest. An empty reference is an empty ledger.
func ReadLedger(ctx context.Context, s store.Store, newest store.Ref) ([]search.Trial, error) {
	var segments [][]search.Trial
	for ref := newest; ref != ""; {
		b, err := s.Get(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("ledger: segment %s: %w", ref, err)
		}
		segment, err := search.DecodeSegment(b)
		if err != nil {
			return nil, fmt.Errorf("ledger: segment %s: %w", ref, err)
		}
		segments = append(segments, segment.Trials)
		ref = store.Ref(segment.Previous)
	}
	slices.Reverse(segments)
	trials := slices.Concat(segments...)
	for i, t := range trials {
		if t.Trial != i {
			return nil, fmt.Errorf("ledger of segment %s: trial %d stands at place %d", newest, t.Trial, i)
		}
	}
	return trials, nil
}

// ReadCosts reads what a search's trials took, in order, from the chain of
// cost segments.
func ReadCosts(ctx context.Context, s store.Store, costs store.Ref) ([]search.Cost, error) {
	var segments [][]search.Cost
	for ref := costs; ref != ""; {
		b, err := s.Get(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("costs %s: %w", ref, err)
		}
		segment, err := DecodeCosts(b)
		if err != nil {
			return nil, fmt.Errorf("costs %s: %w", ref, err)
		}
		segments = append(segments, segment.Costs)
		ref = segment.Previous
	}
	slices.Reverse(segments)
	return slices.Concat(segments...), nil
}

// CostSegment holds the costs of the trials between two checkpoints.
type CostSegment struct {
	Previous store.Ref     `json:"previous,omitempty"`
	Costs    []search.Cost `json:"costs"`
}

func (c CostSegment) Encode() []byte {
	f := safetensors.New("costs")
	f.PutJSON("segment", c)
	return f.Encode()
}

// DecodeCosts reads a cost segment's object.
func DecodeCosts(b []byte) (CostSegment, error) {
	var c CostSegment
	f, err := safetensors.Decode(b)
	if err != nil {
		return c, err
	}
	return c, f.GetJSON("segment", &c)
}
