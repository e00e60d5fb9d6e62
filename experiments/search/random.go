package search

import (
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// random samples every choice uniformly. It has no state.
type random struct {
	seed    uint64
	options []int
}

func (r *random) propose(trial, _ int) ([]int, float64) {
	g := rng.New(r.seed, "search/actions", uint64(trial))
	actions := make([]int, len(r.options))
	for i, n := range r.options {
		actions[i] = g.IntN(n)
	}
	return actions, 0
}

func (*random) learn(int, []int, float64, float64) error { return nil }
func (*random) put(*safetensors.File)                    {}
func (*random) get(*safetensors.File) error              { return nil }
func (*random) controller(*safetensors.File) bool        { return false }
