package strategy

import (
	"encoding/json"

	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Random samples every choice uniformly: the paper's baseline (§4).
const Random = "random"

var randomSearch = Definition{
	Name:     Random,
	Doc:      "every option of every choice with equal probability",
	Defaults: json.RawMessage("{}"),
	Settings: func(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
		return json.RawMessage("{}"), strict.Unmarshal(raw, &struct{}{})
	},
	New: func(s Start) (Strategy, error) { return &random{seed: s.Seed, options: s.Space.Options()}, nil },
}

// random has no state.
type random struct {
	seed    uint64
	options []int
}

func (r *random) Ask(trial, _ int) ([]int, float64) {
	g := rng.New(r.seed, "random/actions", uint64(trial))
	actions := make([]int, len(r.options))
	for i, n := range r.options {
		actions[i] = g.IntN(n)
	}
	return actions, 0
}

func (*random) Tell(Told) error             { return nil }
func (*random) Put(*safetensors.File)       {}
func (*random) Get(*safetensors.File) error { return nil }
