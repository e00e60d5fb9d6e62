package search

import (
	"encoding/json"
	"math"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// At the bounds of its settings a search goes on, or ends with an error that says what to
// lower: nothing in its state is no number.
func TestExtremeSettings(t *testing.T) {
	for _, settings := range []string{
		`{"policy_gradient":{"learning_rate":100}}`, `{"policy_gradient":{"learning_rate":100,"optimizer":"sgd","clip":0}}`,
		`{"controller":{"init_scale":100},"embedding":{"scale":100,"learning_rate_scale":1e6}}`, `{"policy_gradient":{"entropy":1e6}}`,
		`{"policy_gradient":{"method":"urex","urex":{"temperature":1e-12,"covering":1e6}}}`, `{"baseline":{"floor":1e-12,"decay":1e-6}}`,
		`{"policy_gradient":{"method":"trpo","trpo":{"kl":1e6,"damping":1e-12}}}`, `{"policy_gradient":{"method":"pqt","pqt":{"weight":1e6}}}`,
		`{"baseline":{"corrected":false,"initial_variance":1e24,"decay":1e-6}}`,
	} {
		t.Run(settings, func(t *testing.T) {
			c := testConfig(t, strategy.NAML, 1, 2)
			c.Settings = must(strategy.ParseSettings(strategy.NAML, json.RawMessage(settings)))(t)
			s := must(New(c))(t)
			for i := range 30 {
				p := must(s.Ask(i))(t)
				o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": float64(i%7) / 7}}
				if err := s.Tell(NewTrial(p, o, accuracy)); err != nil {
					if !says(err, "strategy naml", "learning_rate") {
						t.Error(err)
					}
					return
				}
				must(Restore(c, s.State()))(t)
			}
		})
	}
}

// A strategy whose log-probability is no number proposes nothing: a state could not hold it.
func TestProposalsWithoutAProbability(t *testing.T) {
	lost := strategy.Table{{
		Name:     "lost",
		Settings: func(json.RawMessage, *strategy.Pretrained) (json.RawMessage, error) { return nil, nil },
		New: func(s strategy.Start) (strategy.Strategy, error) {
			return &lostStrategy{choices: len(s.Space.Choices)}, nil
		},
	}}
	c := testConfig(t, strategy.Random, 1, 2)
	c.Strategy, c.Settings = "lost", nil
	s := must(NewOf(lost, c, From{}))(t)
	err := s.Tell(result(must(s.Ask(0))(t)))
	if !says(err, "strategy lost: trial 2", "is -Inf", "lower policy_gradient.learning_rate") {
		t.Error(err)
	}
}

// lostStrategy knows the probability of two proposals.
type lostStrategy struct {
	strategy.Strategy
	choices int
}

func (l *lostStrategy) Ask(trial, _ int) ([]int, float64) {
	return make([]int, l.choices), math.Log(float64(2 - trial))
}

func (l *lostStrategy) Tell(strategy.Told) error { return nil }

// Metrics of any size that the trainers' contract lets pass are learned from: a
// trial of an exploding model must not leave a search that cannot go on.
func TestExtremeRewards(t *testing.T) {
	for _, settings := range []string{`"default"`, `"paper"`, `{"policy_gradient":{"method":"ppo"}}`, `{"policy_gradient":{"method":"trpo"}}`,
		`{"policy_gradient":{"method":"urex"}}`} {
		t.Run(settings, func(t *testing.T) {
			c := testConfig(t, strategy.NAML, 1, 2)
			c.Settings = must(strategy.ParseSettings(strategy.NAML, json.RawMessage(settings)))(t)
			s := must(New(c))(t)
			extremes := []float64{.5, math.MaxFloat64, -math.MaxFloat64, .6, 1e100, .7, -1e100, trainer.MaxMetric, .5, -trainer.MaxMetric, .6}
			for i := range 40 {
				p := must(s.Ask(i))(t)
				o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": extremes[i%len(extremes)]}}
				if err := s.Tell(NewTrial(p, o.Checked(accuracy), accuracy)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Restore(c, s.State()); err != nil {
				t.Error(err)
			}
		})
	}
}
