package strategy_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/search/strategy/strategytest"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/policygradient"
)

// Every strategy of the table keeps the contract.
func TestConformance(t *testing.T) {
	for _, d := range strategy.Builtin() {
		t.Run(d.Name, func(t *testing.T) {
			f := strategytest.Fixture{}
			switch {
			case d.NeedsSettings:
				f.SettingsIn = lastOptions
			case d.Name == strategy.NAML:
				f.SettingsIn = small("reinforce")
			case d.Name == strategy.Guided:
				f.SettingsIn = smallGuided(strategy.GuidedPrior)
			}
			strategytest.Exercise(t, d, f)
		})
	}
}

// So do all methods of learning of the strategy naml.
func TestMethods(t *testing.T) {
	if testing.Short() {
		t.Skip("they take their time")
	}
	d, err := strategy.Builtin().Find(strategy.NAML)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range policygradient.Methods()[1:] {
		t.Run(method, func(t *testing.T) { strategytest.Exercise(t, *d, strategytest.Fixture{SettingsIn: small(method)}) })
	}
}

// So does the strategy naml with all that its tasks' embeddings can do.
func TestEmbeddings(t *testing.T) {
	d, err := strategy.Builtin().Find(strategy.NAML)
	if err != nil {
		t.Fatal(err)
	}
	settings := json.RawMessage(`{"controller":{"hidden":4,"action_embedding":3,"task_embedding":2,"init_scale":0.8},
		"embedding":{"dropout":0.3}}`)
	settings, err = strategy.ParseSettings(strategy.NAML, settings)
	if err != nil {
		t.Fatal(err)
	}
	sp, tasks := strategytest.ControllerSpace(), []string{"a", "b", "c"}
	s, err := d.New(strategy.Start{Seed: 1, Space: sp, Tasks: tasks, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	o := strategy.Origin{Space: *sp, Strategy: strategy.NAML, Settings: settings}
	for _, name := range tasks {
		o.Tasks = append(o.Tasks, trainer.Task{Name: name, Data: "sha256:" + name})
	}
	from, err := strategy.DecodeController(strategy.EncodeController(s.(strategy.Learner), o))
	if err != nil {
		t.Fatal(err)
	}
	strategytest.Exercise(t, *d, strategytest.Fixture{
		SettingsIn: func(*space.Space) json.RawMessage { return settings }, Controller: from,
		Transfer: json.RawMessage(`{"embedding":{"start":"posterior","learning_rate_scale":10}}`),
	})
}

// So does the Gaussian process of the strategy copula.
func TestCopulaProcess(t *testing.T) {
	d, err := strategy.Builtin().Find(strategy.Copula)
	if err != nil {
		t.Fatal(err)
	}
	strategytest.Exercise(t, *d, strategytest.Fixture{SettingsIn: func(*space.Space) json.RawMessage {
		return json.RawMessage(`{"method":"gp","candidates":50}`)
	}})
}

// So does the strategy guided with its other method.
func TestGuidedMutations(t *testing.T) {
	d, err := strategy.Builtin().Find(strategy.Guided)
	if err != nil {
		t.Fatal(err)
	}
	strategytest.Exercise(t, *d, strategytest.Fixture{SettingsIn: smallGuided(strategy.GuidedMutations)})
}

// smallGuided are settings of the strategy guided that leave its startup soon.
func smallGuided(method string) func(*space.Space) json.RawMessage {
	own := map[string]string{strategy.GuidedPrior: `"candidates":4`, strategy.GuidedMutations: `"population":5`}[method]
	return func(*space.Space) json.RawMessage {
		return fmt.Appendf(nil, `{"method":%q,"startup":3,%s,"naml":{"controller":{"hidden":6,"action_embedding":4}}}`, method, own)
	}
}

// small are settings of the strategy naml for a small controller.
func small(method string) func(*space.Space) json.RawMessage {
	return func(*space.Space) json.RawMessage {
		return fmt.Appendf(nil, `{"controller":{"hidden":6,"action_embedding":4,"task_embedding":3},"policy_gradient":{"method":%q}}`, method)
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
