package strategytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"tnaml/experiments/conformance"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/nn/safetensors"
)

// counter is a strategy that keeps the contract, as small as one with a state
// and settings can be: it goes through the options, further by each success.
type counter struct {
	options []int
	stride  int
	at      int64
}

type counterSettings struct {
	Stride int `json:"stride"`
}

func counterRow() strategy.Definition {
	return strategy.Definition{
		Name: "counter", Doc: "goes through the options", Defaults: json.RawMessage(`{"stride":1}`),
		Presets: []strategy.Preset{{Name: "fast", Doc: "in threes", Settings: json.RawMessage(`{"stride":3}`)}},
		Settings: func(raw json.RawMessage, _ *strategy.Pretrained) (json.RawMessage, error) {
			s := counterSettings{Stride: 1}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(raw, &fields); err != nil {
				return nil, err
			}
			for name := range fields {
				if name != "stride" {
					return nil, errors.New("unknown setting " + name + " (known: stride)")
				}
			}
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, err
			}
			return json.Marshal(s)
		},
		New: func(s strategy.Start) (strategy.Strategy, error) { return newCounter(s) },
	}
}

func newCounter(s strategy.Start) (*counter, error) {
	var settings counterSettings
	if err := json.Unmarshal(s.Settings, &settings); err != nil {
		return nil, err
	}
	return &counter{s.Space.Options(), settings.Stride, 0}, nil
}

func (c *counter) Ask(trial, task int) ([]int, float64) {
	actions := make([]int, len(c.options))
	for i, n := range c.options {
		actions[i] = (int(c.at) + c.stride*trial + task + i) % n
	}
	return actions, 0
}

func (c *counter) Tell(t strategy.Told) error {
	if t.Reward > 0 {
		c.at++
	}
	return nil
}

func (c *counter) Put(f *safetensors.File) { safetensors.Put(f, "at", []int64{c.at}, 1) }

func (c *counter) Get(f *safetensors.File) error {
	at, _, err := safetensors.Get[int64](f, "at", 1)
	if err != nil {
		return err
	}
	c.at = at[0]
	return nil
}

func TestCounterKeepsTheContract(t *testing.T) { Exercise(t, counterRow(), Fixture{}) }

// broken is the counter with a part changed.
type broken struct {
	*counter
	ask  func(c *counter, trial, task int) ([]int, float64)
	tell func(c *counter, t strategy.Told) error
	put  func(c *counter, f *safetensors.File)
	get  func(c *counter, f *safetensors.File) error
}

func (b *broken) Ask(trial, task int) ([]int, float64) {
	if b.ask != nil {
		return b.ask(b.counter, trial, task)
	}
	return b.counter.Ask(trial, task)
}

func (b *broken) Tell(t strategy.Told) error {
	if b.tell != nil {
		return b.tell(b.counter, t)
	}
	return b.counter.Tell(t)
}

func (b *broken) Put(f *safetensors.File) {
	if b.put != nil {
		b.put(b.counter, f)
		return
	}
	b.counter.Put(f)
}

func (b *broken) Get(f *safetensors.File) error {
	if b.get != nil {
		return b.get(b.counter, f)
	}
	return b.counter.Get(f)
}

// Each way of breaking the contract is caught, by the rule that it breaks.
func TestBrokenStrategiesAreCaught(t *testing.T) {
	calls := 0
	row := func(change func(d *strategy.Definition)) strategy.Definition {
		d := counterRow()
		change(&d)
		return d
	}
	run := func(b broken) strategy.Definition {
		return row(func(d *strategy.Definition) {
			d.New = func(s strategy.Start) (strategy.Strategy, error) {
				c, err := newCounter(s)
				out := b
				out.counter = c
				return &out, err
			}
		})
	}
	loose := func(raw json.RawMessage, _ *strategy.Pretrained) (json.RawMessage, error) { return raw, nil }
	kept := map[*counter][]int{}
	all := slices.Concat(settingsRules, runRules)
	caught := map[string]bool{}
	for name, c := range map[string]struct {
		row  strategy.Definition
		rule string
	}{
		"no doc":  {row(func(d *strategy.Definition) { d.Doc = "" }), "it says what it is"},
		"no name": {row(func(d *strategy.Definition) { d.Name = "two words" }), "it says what it is"},
		"growing settings": {row(func(d *strategy.Definition) {
			d.Settings = func(raw json.RawMessage, _ *strategy.Pretrained) (json.RawMessage, error) {
				s := counterSettings{}
				err := json.Unmarshal(raw, &s)
				return fmt.Appendf(nil, `{"stride":%d}`, s.Stride+1), err
			}
		}), "settings have one canonical form"},
		"anything set":   {row(func(d *strategy.Definition) { d.Settings = loose }), "bad settings are refused"},
		"a preset's doc": {row(func(d *strategy.Definition) { d.Presets[0].Doc = "" }), "presets are settings"},
		"a preset's typo": {row(func(d *strategy.Definition) {
			d.Presets[0].Settings = json.RawMessage(`{"strid":3}`)
		}), "presets are settings"},
		"other defaults": {row(func(d *strategy.Definition) { d.Defaults = json.RawMessage(`{"stride":2}`) }), "defaults are settings"},
		"from a controller": {row(func(d *strategy.Definition) {
			d.FromController = true
			settings := d.Settings
			d.Settings = func(raw json.RawMessage, from *strategy.Pretrained) (json.RawMessage, error) {
				if from != nil {
					return json.RawMessage(`{"stride": 9}`), nil
				}
				return settings(raw, nil)
			}
		}), "a controller comes where it can"},
		"too few actions": {run(broken{ask: func(c *counter, trial, task int) ([]int, float64) {
			actions, _ := c.Ask(trial, task)
			return actions[1:], 0
		}}), "it asks what the space has"},
		"a probability": {run(broken{ask: func(c *counter, trial, task int) ([]int, float64) {
			actions, _ := c.Ask(trial, task)
			return actions, .5
		}}), "it asks what the space has"},
		"a count of its own": {run(broken{ask: func(c *counter, trial, task int) ([]int, float64) {
			calls++
			return c.Ask(trial+calls%5, task)
		}}), "one start, one course"},
		"it counts asks": {run(broken{ask: func(c *counter, trial, task int) ([]int, float64) {
			c.at++
			return c.Ask(trial, task)
		}}), "asking changes nothing"},
		"it keeps actions": {run(broken{tell: func(c *counter, t strategy.Told) error {
			if old := kept[c]; old != nil && old[0] > 1000 {
				c.at += 2
			}
			kept[c] = t.Actions
			return c.Tell(t)
		}}), "slices are the caller's own"},
		"it saves nothing": {run(broken{
			put: func(*counter, *safetensors.File) {}, get: func(*counter, *safetensors.File) error { return nil },
		}), "saving and restoring changes nothing"},
		"it adds states": {run(broken{get: func(c *counter, f *safetensors.File) error {
			before := c.at
			err := c.Get(f)
			c.at += before
			return err
		}}), "saving and restoring changes nothing"},
		"it forgets its sources": {row(func(d *strategy.Definition) {
			d.FromSources = true
			d.New = func(s strategy.Start) (strategy.Strategy, error) {
				c, err := newCounter(s)
				c.stride += len(s.Sources)
				return c, err
			}
		}), "saving and restoring changes nothing"},
		"any state": {run(broken{get: func(c *counter, f *safetensors.File) error {
			_ = c.Get(f)
			return nil
		}}), "a state that is none is refused"},
		"no failures": {run(broken{tell: func(c *counter, t strategy.Told) error {
			if t.Metrics == nil {
				return errors.New("no metrics")
			}
			return c.Tell(t)
		}}), "failures are told"},
		"rewards to 1": {run(broken{tell: func(c *counter, t strategy.Told) error {
			if math.Abs(t.Reward) > 1 {
				return errors.New("a reward above 1")
			}
			return c.Tell(t)
		}}), "rewards have any size"},
	} {
		f := Fixture{SettingsIn: func(*space.Space) json.RawMessage { return nil }}
		if c.row.FromController {
			f.Controller = controller(t)
		}
		got := conformance.Broken(t.Context(), all, subject{c.row, f})
		if len(got[c.rule]) == 0 {
			t.Errorf("%s: %q was not reported, but: %v", name, c.rule, got)
		}
		caught[c.rule] = true
	}
	for _, r := range all {
		if !caught[r.Name] {
			t.Errorf("nothing here breaks the rule %q", r.Name)
		}
	}
}
