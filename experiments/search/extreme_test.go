package search

import (
	"encoding/json"
	"math"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

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
