package strategy_test

import (
	"encoding/json"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/search/strategy/strategytest"
	"tnaml/experiments/space"
)

// Every strategy of the table keeps the contract.
func TestConformance(t *testing.T) {
	for _, d := range strategy.Builtin() {
		t.Run(d.Name, func(t *testing.T) {
			f := strategytest.Fixture{}
			if d.NeedsSettings {
				f.SettingsIn = lastOptions
			}
			strategytest.Exercise(t, d, f)
		})
	}
}

// lastOptions are settings of the strategy fixed: the last option of each choice.
func lastOptions(sp *space.Space) json.RawMessage {
	actions := sp.Options()
	for i := range actions {
		actions[i]--
	}
	values, err := sp.Values(actions)
	if err != nil {
		panic(err)
	}
	b, err := json.Marshal(strategy.FixedSettings{Architecture: values})
	if err != nil {
		panic(err)
	}
	return b
}
