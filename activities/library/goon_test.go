package library

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
)

// onwardFrom is a search of a strategy that was given settings, none where that is empty,
// and has told 20 trials, to go on from.
func onwardFrom(t *testing.T, name, given string, from *strategy.Pretrained) *Onward {
	t.Helper()
	settings, err := strategy.SettingsFrom(name, json.RawMessage(given), from)
	if err != nil {
		t.Fatal(err)
	}
	spec := `{"tasks":["things"],"trials":20}`
	if given != "" {
		spec = fmt.Sprintf(`{"tasks":["things"],"trials":20,"settings":%s}`, given)
	}
	old := &search.Config{Strategy: name, Settings: settings, Lag: 1}
	config := *old
	return &Onward{From: SearchRecord{Name: "first", Config: "sha256:x", Told: 20, Spec: json.RawMessage(spec)}, Old: old, Config: &config}
}

// Settings go over what was given to the other search: what follows from these follows
// from the new ones, and what was not named stays.
func TestForkedSettings(t *testing.T) {
	for _, c := range []struct {
		strategy, given, own string
		with                 []string
	}{
		{strategy.Evolution, ``, `{"population":10}`, []string{`{"population":10,"sample":5,"warm":-1}`}},
		{strategy.NAML, `"paper"`, `{"baseline":{"corrected":true}}`,
			[]string{`"learning_rate":0.0001`, `"baseline":{"decay":0.01,"floor":0.001,"corrected":true}`}},
		{strategy.NAML, `{"preset":"paper","policy_gradient":{"entropy":0.5}}`, `{"policy_gradient":{"clip":0}}`,
			[]string{`"learning_rate":0.0001,"entropy":0.5,"clip":0}`}},
		{strategy.NAML, `{"policy_gradient":{"method":"ppo","learning_rate":0.01}}`, `{"policy_gradient":{"method":"ppo","entropy":0}}`,
			[]string{`"learning_rate":0.01,"entropy":0,`}},
		{strategy.NAML, `{"policy_gradient":{"learning_rate":0.01}}`, `{"policy_gradient":{"method":"reinforce","entropy":0}}`,
			[]string{`"method":"reinforce","optimizer":"adam","learning_rate":0.01,"entropy":0,`}},
		{strategy.NAML, `{"policy_gradient":{"learning_rate":0.01}}`, `{"policy_gradient":{"method":"ppo"}}`,
			[]string{`"method":"ppo","optimizer":"adam","learning_rate":0.0001`}},
		{strategy.Portfolio, `{"then":{"settings":{"candidates":100}}}`, `{"then":{"strategy":"tpe","settings":{"startup":5}}}`,
			[]string{`"startup":5,"candidates":100`}},
		{strategy.Guided, `{"naml":{"policy_gradient":{"learning_rate":0.01}}}`,
			`{"method":"mutations","naml":{"policy_gradient":{"entropy":0.05}}}`,
			[]string{`"population":20,"sample":5,"mutation":0.2`, `"learning_rate":0.01,"entropy":0.05`}},
		{strategy.Portfolio, `{"then":{"settings":{"candidates":100}}}`, `{"then":{"settings":{"startup":5}}}`,
			[]string{`"startup":5,"candidates":100`}},
	} {
		o := onwardFrom(t, c.strategy, c.given, nil)
		if err := o.merge(fmt.Appendf(nil, `{"trials":50,"settings":%s}`, c.own), nil); err != nil {
			t.Errorf("%s %s, forked to %s: %v", c.strategy, c.given, c.own, err)
			continue
		}
		for _, with := range c.with {
			if !strings.Contains(string(o.Config.Settings), with) || o.Config.Fork == nil {
				t.Errorf("%s %s, forked to %s, is %s, without %s", c.strategy, c.given, c.own, o.Config.Settings, with)
			}
		}
		// What is on record as given gives the same again.
		var spec struct{ Settings json.RawMessage }
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			t.Fatal(err)
		}
		if again, err := strategy.ParseSettings(c.strategy, spec.Settings); err != nil || string(again) != string(o.Config.Settings) {
			t.Errorf("the record's settings %s are %s, not %s, %v", spec.Settings, again, o.Config.Settings, err)
		}
	}
	for _, c := range []struct {
		strategy, given, own string
		want                 []string
	}{
		{strategy.Portfolio, ``, `{"size":10,"normalise":"rank"}`, []string{
			"settings of portfolio", `"size"`, `"normalise"`, "start a new search"}},
		{strategy.Evolution, `{"warm":20}`, `{"population":10}`, []string{"warm is 20"}},
		{strategy.Guided, `{"weight":3}`, `{"method":"mutations"}`, []string{"weight is of the method prior", "null"}},
		{strategy.NAML, `{"baseline":{"corrected":false,"initial_variance":1}}`, `{"baseline":{"corrected":true}}`,
			[]string{"initial_variance"}},
	} {
		o := onwardFrom(t, c.strategy, c.given, nil)
		err := o.merge(fmt.Appendf(nil, `{"trials":50,"settings":%s}`, c.own), nil)
		if err == nil || slices.ContainsFunc(c.want, func(w string) bool { return !strings.Contains(err.Error(), w) }) {
			t.Errorf("%s %s, forked to %s: %q is not in: %v", c.strategy, c.given, c.own, c.want, err)
		}
	}
	same := onwardFrom(t, strategy.NAML, `"paper"`, nil)
	if err := same.merge([]byte(`{"trials":50,"settings":{"policy_gradient":{"entropy":0.01}}}`), nil); err != nil || same.Config.Fork != nil {
		t.Errorf("the same settings are a fork, %v", err)
	}
}

// A search that started from a controller keeps its shape, and one whose architecture was
// taken from a controller keeps that.
func TestForkedSettingsFromAController(t *testing.T) {
	s := filled(t)
	names := Names{Tasks: []string{"things"}, Strategy: strategy.NAML, Space: "text", Seed: 1, Lag: 1,
		Settings: json.RawMessage(`{"controller":{"hidden":7,"task_embedding":3}}`)}
	config, _, err := Pin(t.Context(), s, names)
	if err != nil {
		t.Fatal(err)
	}
	searcher, err := search.New(*config)
	if err != nil {
		t.Fatal(err)
	}
	from, err := strategy.DecodeController(searcher.Controller())
	if err != nil {
		t.Fatal(err)
	}
	o := onwardFrom(t, strategy.NAML, ``, from)
	ref, err := s.Put(t.Context(), searcher.Controller())
	if err != nil {
		t.Fatal(err)
	}
	o.Old.Controller, o.Old.Space = string(ref), config.Space
	if none, err := o.controller(t.Context(), s, []byte(`{"trials":50}`)); none != nil || err != nil {
		t.Errorf("a controller is read for nothing, %v", err)
	}
	if from, err = o.controller(t.Context(), s, []byte(`{"settings":{}}`)); err != nil || from == nil {
		t.Fatal(err)
	}
	if err := o.merge([]byte(`{"trials":50,"settings":{"policy_gradient":{"entropy":0.5}}}`), from); err != nil {
		t.Fatal(err)
	}
	if got := string(o.Config.Settings); !strings.Contains(got, `"hidden":7`) || !strings.Contains(got, `"entropy":0.5`) {
		t.Error(got)
	}
	o = onwardFrom(t, strategy.NAML, ``, from)
	err = o.merge([]byte(`{"trials":50,"settings":{"controller":{"hidden":9}}}`), from)
	if err == nil || !strings.Contains(err.Error(), "controller.hidden is 9, the pretrained controller's is 7") {
		t.Error(err)
	}
	o = onwardFrom(t, strategy.Fixed, ``, from)
	architecture := string(o.Old.Settings)
	err = o.merge([]byte(`{"trials":50,"settings":{}}`), nil)
	if err != nil || string(o.Config.Settings) != architecture || o.Config.Fork != nil {
		t.Errorf("%s, %v", o.Config.Settings, err)
	}
}
