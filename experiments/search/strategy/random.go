package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// Random samples every choice uniformly: the paper's baseline (§4).
const Random = "random"

var randomSearch = Definition{
	Name:     Random,
	Doc:      "every option of every choice with equal probability",
	Defaults: defaultsOf(randomSettings),
	Settings: randomSettings,
	New:      newRandom,
}

// RandomSettings are the parameters of the strategy "random".
type RandomSettings struct {
	// Shared, where it is not 0, keys the draws in place of the search's seed and tasks:
	// searches that share it try the same configurations, whatever their tasks, as a
	// recorded benchmark needs it.
	Shared uint64 `json:"shared"`
	// RepeatEvery, n, makes the last of every n trials one of the configuration of the
	// first of them, trained from another seed: what the training's own noise is. 0: none.
	RepeatEvery int `json:"repeat_every"`
}

func randomSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	var s RandomSettings
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	if s.RepeatEvery < 0 || s.RepeatEvery == 1 {
		return nil, fmt.Errorf("repeat_every is %d: it must be 0, for none, or at least 2", s.RepeatEvery)
	}
	return json.Marshal(s)
}

// defaultsOf are a strategy's settings with nothing set.
func defaultsOf(settings func(json.RawMessage, *Pretrained) (json.RawMessage, error)) json.RawMessage {
	b, err := settings(json.RawMessage("{}"), nil)
	if err != nil {
		panic(err) // the defaults are valid
	}
	return b
}

func newRandom(s Start) (Strategy, error) {
	var settings RandomSettings
	if err := strict.Unmarshal(s.Settings, &settings); err != nil {
		return nil, err
	}
	r := &random{seed: s.Seed, stream: "random/actions", every: settings.RepeatEvery, options: s.Space.Options()}
	if len(s.Tasks) > 1 && settings.RepeatEvery > 0 {
		return nil, errors.New("repeat_every is for searches of one task")
	}
	if settings.Shared != 0 {
		r.seed, r.stream = settings.Shared, "random/shared"
	}
	return r, nil
}

// random has no state.
type random struct {
	seed    uint64
	stream  string
	every   int
	options []int
}

func (r *random) Ask(trial, _ int) ([]int, float64) {
	if r.every > 0 && trial%r.every == r.every-1 {
		trial -= r.every - 1
	}
	if r.every > 0 {
		trial -= trial / r.every // the configuration's own number
	}
	return uniform(rng.New(r.seed, r.stream, uint64(trial)), r.options), 0
}

// uniform draws every option with equal probability.
func uniform(g *rand.Rand, options []int) []int {
	actions := make([]int, len(options))
	for i, n := range options {
		actions[i] = g.IntN(n)
	}
	return actions
}

func (*random) Tell(Told) error             { return nil }
func (*random) Put(*safetensors.File)       {}
func (*random) Get(*safetensors.File) error { return nil }
