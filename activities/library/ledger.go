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
	trials, err := chain(ctx, s, "ledger: segment", newest, search.DecodeSegment, func(c search.Segment) ([]search.Trial, store.Ref) {
		return c.Trials, store.Ref(c.Previous)
	})
	if err != nil {
		return nil, err
	}
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
	return chain(ctx, s, "costs", costs, DecodeCosts, func(c CostSegment) ([]search.Cost, store.Ref) { return c.Costs, c.Previous })
}

// chain reads the rows of a chain of segments, oldest first; part gives a segment's
// rows and the segment before it.
func chain[S, R any](
	ctx context.Context, s store.Store, what string, newest store.Ref, decode func([]byte) (S, error), part func(S) ([]R, store.Ref),
) ([]R, error) {
	var segments [][]R
	for ref := newest; ref != ""; {
		segment, err := open(ctx, s, what, ref, decode)
		if err != nil {
			return nil, err
		}
		rows, previous := part(segment)
		segments = append(segments, rows)
		ref = previous
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
