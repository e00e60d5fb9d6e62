package strategy

import (
	"encoding/json"
	"slices"

	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

var hillClimber = Definition{
	Name:     "climber",
	Doc:      "the best model of the task so far, with one choice drawn anew",
	Defaults: json.RawMessage(`{"restart":0.1}`),
	Settings: func(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
		s := climberSettings{Restart: .1}
		if err := strict.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		return json.Marshal(s)
	},
	New: func(s Start) (Strategy, error) {
		c := &climber{seed: s.Seed, options: s.Space.Options(), Best: make([]climbed, len(s.Tasks))}
		return c, strict.Unmarshal(s.Settings, &c.settings)
	},
}

type climberSettings struct {
	// Restart is the share of trials that are drawn anew as a whole.
	Restart float64 `json:"restart"`
}

type climber struct {
	seed     uint64
	options  []int
	settings climberSettings
	Best     []climbed
}

type climbed struct {
	Actions []int
	Reward  float64
}

func (c *climber) Ask(trial, task int) ([]int, float64) {
	g := rng.New(c.seed, "climber/actions", uint64(trial))
	actions := slices.Clone(c.Best[task].Actions)
	if actions == nil || g.Float64() < c.settings.Restart {
		actions = make([]int, len(c.options))
		for i, n := range c.options {
			actions[i] = g.IntN(n)
		}
		return actions, 0
	}
	at := g.IntN(len(actions))
	actions[at] = g.IntN(c.options[at])
	return actions, 0
}

func (c *climber) Tell(t Told) error {
	if b := &c.Best[t.Task]; b.Actions == nil || t.Reward > b.Reward {
		*b = climbed{slices.Clone(t.Actions), t.Reward}
	}
	return nil
}

func (c *climber) Put(f *safetensors.File) { f.PutJSON("climber", c.Best) }

func (c *climber) Get(f *safetensors.File) error {
	c.Best = nil
	return f.GetJSON("climber", &c.Best)
}
