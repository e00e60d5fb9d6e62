package strategy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/nn/policygradient"
)

func TestParseSettings(t *testing.T) {
	full := must(ParseSettings(NAML, nil))(t)
	again := must(ParseSettings(NAML, full))(t)
	if string(full) != string(again) {
		t.Errorf("the canonical form is not a fixed point:\n%s\n%s", full, again)
	}
	for _, want := range []string{`"hidden":50`, `"layers":2`, `"task_embedding":25`, `"action_embedding":25`, `"decay":0.01`} {
		if !strings.Contains(string(full), want) {
			t.Errorf("%s is not in %s", want, full)
		}
	}
	for _, c := range []struct {
		strategy, raw string
		want          []string
	}{
		{Random, `{"seed":1}`, []string{"seed"}},
		{NAML, `{"contoller":{}}`, []string{"contoller", "controller.hidden", "baseline.decay", "policy_gradient.learning_rate"}},
		{NAML, `{"version":2}`, []string{"version"}},
		{NAML, `{"baseline":{"uncorrected":true}}`, []string{"uncorrected"}},
		{NAML, `{"baseline":{"decay":2,"floor":-1},"controller":{"layers":-1}}`, []string{"decay 2", "floor -1", "controller:"}},
		{NAML, `[]`, []string{"settings are a JSON object, or the name of a preset, not []"}},
		{NAML, `paper`, []string{"the name of a preset, not paper"}},
		{NAML, `{} {}`, []string{"after"}},
		{NAML, `{"baseline":{},}`, []string{"settings: invalid character '}'"}},
		{NAML, `{"baseline":7}`, []string{"baseline"}},
		{"genetic", `{}`, []string{"genetic", "random, naml, fixed"}},
	} {
		_, err := ParseSettings(c.strategy, json.RawMessage(c.raw))
		if err == nil {
			t.Errorf("%s was taken", c.raw)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", c.raw, want, err)
			}
		}
	}
}

// The settings called the paper's are the paper's to the letter; ours have a
// name of their own.
func TestPresets(t *testing.T) {
	parse := func(raw string) (s NAMLSettings) {
		t.Helper()
		if err := json.Unmarshal(must(ParseSettings(NAML, json.RawMessage(raw)))(t), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, raw := range []string{`"paper"`, `{"preset":"paper"}`, ` "paper" `} {
		s := parse(raw)
		if s.PolicyGradient.LearningRate != 1e-4 || s.Baseline.Corrected || s.Controller.Hidden != 50 || s.Controller.Layers != 2 ||
			s.Controller.TaskEmbedding != 25 || s.Controller.ActionEmbedding != 25 || s.Baseline.Decay != .01 {
			t.Errorf("%s: %+v", raw, s)
		}
	}
	for _, raw := range []string{``, `null`, `{}`, `"default"`, `{"preset":"default"}`} {
		if s := parse(raw); s.PolicyGradient.LearningRate != 1e-3 || !s.Baseline.Corrected {
			t.Errorf("%s: %+v", raw, s)
		}
	}
	// What stands beside a preset's name is over it, section by section.
	s := parse(`{"preset":"paper","policy_gradient":{"entropy":0.5},"controller":{"hidden":7},"baseline":{"corrected":true}}`)
	if s.PolicyGradient.LearningRate != 1e-4 || *s.PolicyGradient.Entropy != .5 || s.Controller.Hidden != 7 || !s.Baseline.Corrected {
		t.Errorf("%+v", s)
	}
	if s := parse(`{"preset":"paper","policy_gradient":{"learning_rate":0.01}}`); s.PolicyGradient.LearningRate != .01 ||
		s.Baseline.Corrected {
		t.Errorf("%+v", s)
	}
	if s := parse(`"multitask"`); *s.PolicyGradient.Entropy != .03 || s.PolicyGradient.LearningRate != 1e-3 ||
		s.Embedding != (EmbeddingSettings{StartPosterior, 1, 1, 0}) {
		t.Errorf("%+v", s)
	}
	// A method stands for its whole section: the others' settings are not its own.
	if s := parse(`{"preset":"paper","policy_gradient":{"method":"trpo"}}`); s.PolicyGradient.Method != "trpo" || s.Baseline.Corrected {
		t.Errorf("%+v", s)
	}
	// A method of one's own takes the place of the whole section: its fields are others.
	if s := parse(`{"preset":"paper","policy_gradient":{"method":"trpo"}}`); s.PolicyGradient.LearningRate != 0 || s.Baseline.Corrected {
		t.Errorf("%+v", s)
	}
	for raw, want := range map[string]string{
		`"papper"`:                        `strategy naml has no preset "papper" (there are: default, paper, multitask)`,
		`{"preset":"papper"}`:             `no preset "papper" (there are: default, paper, multitask)`,
		`{"preset":7}`:                    "the preset is 7, it must be a name",
		`{"preset":"paper","colour":1}`:   "colour",
		`{"preset":"paper","baseline":7}`: "baseline",
	} {
		if got, err := ParseSettings(NAML, json.RawMessage(raw)); !says(err, want) {
			t.Errorf("%s: %s, %q is not in: %v", raw, got, want, err)
		}
	}
	if _, err := ParseSettings(Random, json.RawMessage(`"paper"`)); !says(err, "(there are: default)") {
		t.Errorf("%v", err)
	}
}

func TestOverlay(t *testing.T) {
	for _, c := range []struct{ under, over, want string }{
		{``, ``, ``}, {`{}`, `null`, ``}, {`{"a":1}`, ``, `{"a":1}`}, {``, `{"a":1}`, `{"a":1}`}, {`{"a":1,"b":2}`, `{"a":3}`, `{"a":3,"b":2}`},
		{`{"c":{"x":1,"y":2}}`, `{"c":{"y":3,"z":4}}`, `{"c":{"x":1,"y":3,"z":4}}`}, {`{"c":{"x":1}}`, `{"c":7}`, `{"c":7}`},
		{`{"g":{"method":"ppo","rate":1}}`, `{"g":{"method":"trpo"}}`, `{"g":{"method":"trpo"}}`},
		{`{"then":{"strategy":"a","settings":{"x":1}}}`, `{"then":{"strategy":"b"}}`, `{"then":{"strategy":"b"}}`},
		{`"paper"`, `{"c":{"x":1}}`, `{"c":{"x":1},"preset":"paper"}`}, {`{"a":1}`, `"paper"`, `"paper"`},
		{`{"a":1}`, `{"preset":"paper","b":2}`, `{"preset":"paper","b":2}`},
		// At every depth.
		{`{"n":{"g":{"rate":1,"x":2},"y":3}}`, `{"n":{"g":{"x":4}}}`, `{"n":{"g":{"rate":1,"x":4},"y":3}}`},
		{`{"n":{"g":{"method":"ppo","rate":1},"y":3}}`, `{"n":{"g":{"method":"trpo"}}}`, `{"n":{"g":{"method":"trpo"},"y":3}}`},
		{`{"then":{"strategy":"a","settings":{"x":1,"y":2}}}`, `{"then":{"settings":{"x":3}}}`,
			`{"then":{"settings":{"x":3,"y":2},"strategy":"a"}}`},
		{`{"then":{"settings":"paper"}}`, `{"then":{"settings":{"x":3}}}`, `{"then":{"settings":{"preset":"paper","x":3}}}`},
		{`{"then":{"settings":{"x":1}}}`, `{"then":{"settings":"paper"}}`, `{"then":{"settings":"paper"}}`},
		{`{"then":{"settings":{"x":1}}}`, `{"then":{"settings":{"preset":"paper"}}}`, `{"then":{"settings":{"preset":"paper"}}}`},
		// The same method, and what it is not told anew.
		{`{"g":{"method":"ppo","rate":1}}`, `{"g":{"method":"ppo","x":2}}`, `{"g":{"method":"ppo","rate":1,"x":2}}`},
		{`{"g":{"rate":1}}`, `{"g":{"method":"ppo"}}`, `{"g":{"method":"ppo"}}`},
		{`{"method":"a","x":1}`, `{"method":"b"}`, `{"method":"b","x":1}`}, // no section
		{`{"c":{"x":1},"d":2}`, `{"c":null,"d":null}`, `{"c":null,"d":null}`},
	} {
		got, err := Overlay(json.RawMessage(c.under), json.RawMessage(c.over))
		if err != nil || string(got) != c.want {
			t.Errorf("%s over %s is %s (%v), want %s", c.over, c.under, got, err, c.want)
		}
	}
	for _, bad := range []string{`[]`, `7`, `{`, `{"a":1}{}`} {
		if got, err := Overlay(json.RawMessage(bad), nil); err == nil {
			t.Errorf("%s under nothing is %s", bad, got)
		}
		if got, err := Overlay(nil, json.RawMessage(bad)); err == nil {
			t.Errorf("%s over nothing is %s", bad, got)
		}
	}
}

// What is not named keeps its value, however deep.
func TestOverlayKeepsNestedSettings(t *testing.T) {
	for _, c := range []struct{ strategy, under, over, want string }{
		{Guided, `{"naml":{"policy_gradient":{"learning_rate":0.01}}}`, `{"naml":{"policy_gradient":{"entropy":0.05}}}`,
			`"learning_rate":0.01,"entropy":0.05`},
		{Portfolio, `{"then":{"strategy":"tpe","settings":{"candidates":100}}}`, `{"then":{"settings":{"startup":5}}}`,
			`"startup":5,"candidates":100`},
	} {
		both := must(Overlay(json.RawMessage(c.under), json.RawMessage(c.over)))(t)
		if got := must(ParseSettings(c.strategy, both))(t); !strings.Contains(string(got), c.want) {
			t.Errorf("%s over %s is %s, without %s", c.over, c.under, got, c.want)
		}
	}
}

// A 0 is never taken for the default: it is what it says, or refused with what to give.
func TestZeroSettings(t *testing.T) {
	for raw, want := range map[string]string{
		`{"policy_gradient":{"entropy":0}}`:                         `"entropy":0,`,
		`{"policy_gradient":{"entropy":null}}`:                      `"entropy":0.01,`,
		`{"policy_gradient":{"clip":0}}`:                            `"clip":0}`,
		`{"policy_gradient":{"method":"ppo","entropy":0,"clip":0}}`: `"entropy":0,"clip":0,`,
		`{"baseline":{"corrected":false,"initial_variance":0}}`:     `"initial_variance":0,`,
		`{"baseline":{"corrected":false}}`:                          `"initial_variance":0.01,`,
		`{"embedding":{"dropout":0}}`:                               `"dropout":0}`,
	} {
		got := must(ParseSettings(NAML, json.RawMessage(raw)))(t)
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is %s, without %s", raw, got, want)
		}
		if again := must(ParseSettings(NAML, got))(t); string(again) != string(got) {
			t.Errorf("%s is %s, and that %s", raw, got, again)
		}
	}
	for _, name := range []string{
		"policy_gradient.learning_rate", "baseline.decay", "baseline.floor", "embedding.scale", "embedding.learning_rate_scale",
		"controller.hidden", "controller.layers", "controller.action_embedding", "controller.task_embedding", "controller.init_scale",
		"ppo.memory", "ppo.epochs", "ppo.ratio", "trpo.memory", "trpo.kl", "trpo.damping", "trpo.iterations", "trpo.backtracks",
		"urex.memory", "urex.temperature", "urex.covering", "pqt.k", "pqt.weight", "rspg.memory", "rspg.epsilon",
	} {
		section, field, _ := strings.Cut(name, ".")
		raw := fmt.Sprintf(`{%q:{%q:0}}`, section, field)
		if slices.Contains(policygradient.Methods(), section) {
			raw = fmt.Sprintf(`{"policy_gradient":{"method":%q,%q:{%q:0}}}`, section, section, field)
		}
		if got, err := ParseSettings(NAML, json.RawMessage(raw)); !says(err, name+`" is 0: leave it out, or give a number above 0`) {
			t.Errorf("%s: %s, %v", raw, got, err)
		}
	}
	if _, err := ParseSettings(NAML, json.RawMessage(`{"controller":{"task_embedding":0}}`)); !says(err, "or -1 for none") {
		t.Error(err)
	}
	for raw, want := range map[string]string{
		`{"policy_gradient":{"entropy":-1}}`:                     "entropy -1 must lie between 0 and 1e+06",
		`{"policy_gradient":{"clip":-1}}`:                        "clip -1 must lie between 0 and 1e+12",
		`{"baseline":{"corrected":false,"initial_variance":-1}}`: "initial_variance -1 must lie between 0 and 1e+24",
		`{"baseline":{"initial_variance":0}}`:                    "they take no initial_variance",
		`{"policy_gradient":{"method":"trpo","clip":0}}`:         "trpo takes no",
	} {
		if got, err := ParseSettings(NAML, json.RawMessage(raw)); !says(err, want) {
			t.Errorf("%s: %s, %v", raw, got, err)
		}
	}
}

// What another method would use is refused, not ignored.
func TestSettingsOfAnotherMethod(t *testing.T) {
	for _, c := range []struct {
		strategy, raw string
		want          []string
	}{
		{Guided, `{"population":50,"sample":3,"mutation":0}`, []string{
			"population is of the method mutations, this one is prior", "sample is of the method mutations", "mutation is of the method mutations"}},
		{Guided, `{"method":"mutations","weight":3,"candidates":9}`, []string{
			"weight is of the method prior, this one is mutations: leave it out", "candidates is of the method prior"}},
		{Guided, `{"method":"other","weight":-1,"population":0}`, []string{`unknown method "other" (known: prior, mutations)`}},
		{Guided, `{"candidates":0,"weight":-1}`, []string{"candidates is 0: it must lie between 1", "weight is -1: it must lie between 0 and"}},
		{Guided, `{"method":"mutations","population":0,"sample":0,"mutation":2}`, []string{
			"population is 0", "sample is 0", "mutation is 2: it must lie between 0 and 1"}},
		{Guided, `{"naml":{"controller":{"task_embedding":-1},"embedding":{"dropout":0.5}}}`, []string{"naml: embedding is set, but"}},
		{NAML, `{"controller":{"task_embedding":-1},"embedding":{"start":"mean"}}`, []string{"no tasks' embeddings", "task_embedding being -1"}},
		{NAML, `{"controller":{"task_embedding":-1},"embedding":{"scale":2}}`, []string{"embedding is set, but"}},
		{NAML, `{"controller":{"task_embedding":-1},"embedding":{"learning_rate_scale":2}}`, []string{"embedding is set, but"}},
		{NAML, `{"preset":"multitask","controller":{"task_embedding":-1}}`, []string{"give null over other settings"}},
		{NAML, `{"policy_gradient":{"method":"rspg"},"baseline":{"decay":0.5,"corrected":false}}`, []string{
			"baseline.decay is 0.5, but rspg reads no more of a baseline than the floor, unless embedding.start is posterior",
			"baseline.corrected is false"}},
		{NAML, `{"preset":"paper","policy_gradient":{"method":"rspg"}}`, []string{"baseline.corrected is false", "give null over other"}},
		{Guided, `{"naml":{"policy_gradient":{"method":"rspg"},"baseline":{"decay":0.5},"embedding":{"start":"mean"}}}`,
			[]string{"naml: baseline.decay is 0.5"}},
	} {
		got, err := ParseSettings(c.strategy, json.RawMessage(c.raw))
		for _, want := range c.want {
			if !says(err, want) {
				t.Errorf("%s %s: %s, %q is not in: %v", c.strategy, c.raw, got, want, err)
			}
		}
	}
	for _, c := range []struct{ strategy, raw, want, without string }{
		{Guided, `{}`, `"weight":10,"candidates":24,"naml"`, "population"},
		{Guided, `{"weight":0}`, `"weight":0,`, "mutation"},
		{Guided, `{"method":"mutations","weight":null,"mutation":0}`, `"population":20,"sample":5,"mutation":0,`, "weight"},
		{Guided, `{"naml":{"controller":{"task_embedding":-1}}}`, `"task_embedding":-1`, `"embedding"`},
		{NAML, `{"controller":{"task_embedding":-1}}`, `"task_embedding":-1`, `"embedding"`},
		{NAML, `{"preset":"multitask","controller":{"task_embedding":-1},"embedding":null}`, `"entropy":0.03`, `"embedding"`},
		{NAML, `{"policy_gradient":{"method":"rspg"},"baseline":{"floor":0.1,"corrected":true}}`,
			`"baseline":{"decay":0.01,"floor":0.1,"corrected":true}`, "initial_variance"},
		{NAML, `{"preset":"paper","policy_gradient":{"method":"rspg"},"baseline":null}`, `"corrected":true`, "initial_variance"},
		{NAML, `{"policy_gradient":{"method":"rspg"},"baseline":{"decay":0.5},"embedding":{"start":"posterior"}}`, `"decay":0.5`, "pqt"},
		{Guided, `{"naml":{"policy_gradient":{"method":"rspg"},"baseline":{"corrected":false}}}`, `"corrected":false`, "pqt"},
	} {
		got := must(ParseSettings(c.strategy, json.RawMessage(c.raw)))(t)
		if !strings.Contains(string(got), c.want) || strings.Contains(string(got), c.without) {
			t.Errorf("%s %s is %s, it must have %s and no %s", c.strategy, c.raw, got, c.want, c.without)
		}
		if again := must(ParseSettings(c.strategy, got))(t); string(again) != string(got) {
			t.Errorf("%s is %s, and that %s", c.raw, got, again)
		}
	}
}

// Numbers from which no search could learn are refused, with their bounds.
func TestAbsurdSettings(t *testing.T) {
	for raw, want := range map[string]string{
		`{"policy_gradient":{"learning_rate":1e300}}`:                                "learning_rate 1e+300 must lie between 1e-12 and 100",
		`{"controller":{"init_scale":1e160}}`:                                        "init_scale 1e+160 must lie between 1e-12 and 100",
		`{"baseline":{"decay":1e-320}}`:                                              "decay 1e-320 must lie between 1e-06 and 1",
		`{"baseline":{"floor":1e-300}}`:                                              "floor 1e-300 must lie between 1e-12 and 1e+12",
		`{"embedding":{"scale":1e300}}`:                                              "scale 1e+300 must lie between 1e-12 and 100",
		`{"embedding":{"learning_rate_scale":1e308}}`:                                "learning_rate_scale 1e+308 must lie between",
		`{"policy_gradient":{"method":"urex","urex":{"temperature":1e-320}}}`:        "urex.temperature 1e-320 must lie between",
		`{"policy_gradient":{"method":"trpo","trpo":{"kl":1e300,"damping":1e-300}}}`: "trpo.kl 1e+300 must lie between",
	} {
		if got, err := ParseSettings(NAML, json.RawMessage(raw)); !says(err, want) {
			t.Errorf("%s: %s, %v", raw, got, err)
		}
	}
	if got, err := ParseSettings(Guided, json.RawMessage(`{"weight":1e308}`)); !says(err, "weight is 1e+308: it must lie between") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestTable(t *testing.T) {
	if got := Builtin().Names(); !slices.Equal(got, []string{Random, NAML, Fixed, TPE, Evolution, Kindred, Copula, Portfolio, Box, Guided}) {
		t.Errorf("%v", got)
	}
	for _, name := range Builtin().Names() {
		if d := must(Builtin().Find(name))(t); d.Name != name {
			t.Errorf("%s is found for %s", d.Name, name)
		}
	}
	known := "random, naml, fixed, tpe, evolution, kindred, copula, portfolio, box, guided"
	if _, err := Builtin().Find("NAML"); !says(err, `unknown strategy "NAML" (known: `+known+`)`) {
		t.Errorf("%v", err)
	}
	changed := Builtin() // a table is the caller's own
	changed[0].Name = "changed"
	if Builtin()[0].Name != Random {
		t.Error("a caller changed the table")
	}
}

func TestSchema(t *testing.T) {
	random := must(Builtin().Find(Random))(t).Schema()
	if len(random) != 2 || random[0].Path != "repeat_every" || random[1].Path != "shared" {
		t.Errorf("random: %+v", random)
	}
	fixed := must(Builtin().Find(Fixed))(t).Schema()
	if len(fixed) != 1 || fixed[0].Path != "architecture" || fixed[0].Type != "object" || string(fixed[0].Default) != "{}" {
		t.Errorf("fixed: %+v", fixed)
	}
	want := []Setting{
		{"baseline.corrected", "boolean", json.RawMessage("true")}, {"baseline.decay", "number", json.RawMessage("0.01")},
		{"controller.hidden", "number", json.RawMessage("50")}, {"controller.task_embedding", "number", json.RawMessage("25")},
		{"policy_gradient.learning_rate", "number", json.RawMessage("0.001")},
		{"policy_gradient.method", "string", json.RawMessage(`"reinforce"`)},
	}
	got := must(Builtin().Find(NAML))(t).Schema()
	for _, w := range want {
		if !slices.ContainsFunc(got, func(s Setting) bool {
			return s.Path == w.Path && s.Type == w.Type && string(s.Default) == string(w.Default)
		}) {
			t.Errorf("%s %s %s is not in %s", w.Path, w.Type, w.Default, must(json.Marshal(got))(t))
		}
	}
	if !slices.IsSortedFunc(got, func(a, b Setting) int { return strings.Compare(a.Path, b.Path) }) {
		t.Errorf("not in order: %v", got)
	}
	all := &Definition{Defaults: json.RawMessage(`{"a":{"b":{"c":null,"d":[1]}},"e":""}`)}
	b := must(json.Marshal(all.Schema()))(t)
	const encoded = `[{"path":"a.b.c","type":"null","default":null},{"path":"a.b.d","type":"list","default":[1]},` +
		`{"path":"e","type":"string","default":""}]`
	if string(b) != encoded {
		t.Errorf("%s", b)
	}
}
