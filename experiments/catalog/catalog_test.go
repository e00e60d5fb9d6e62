package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
)

// strategies are those that there are, in the table's order or in another.
func strategies(sort ...func([]string)) string {
	names := strategy.Builtin().Names()
	for _, by := range sort {
		by(names)
	}
	return strings.Join(names, ", ")
}

func TestBuiltins(t *testing.T) {
	for _, name := range []string{"demo", "image", "nightly", "nlp", "nlp-small", "policy"} {
		if !slices.Contains(BuiltinNames(), name) {
			t.Errorf("there is no %s", name)
		}
	}
	for _, name := range BuiltinNames() {
		e, err := Builtin(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Name != name || e.Description == "" {
			t.Errorf("%s is named %q, described as %q", name, e.Name, e.Description)
		}
		// One field is enough, and what is filled in is taken as it is.
		p, err := MakePlan(KindExperiment, e, fmt.Appendf(nil, `{"experiment":%q}`, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		raw, err := json.Marshal(p.Spec)
		if err != nil {
			t.Fatal(err)
		}
		again, err := MakePlan(KindExperiment, e, raw)
		if err != nil {
			t.Errorf("%s: the filled-in spec is refused: %v", name, err)
			continue
		}
		a, _ := json.Marshal(p)
		b, _ := json.Marshal(again)
		if string(a) != string(b) {
			t.Errorf("%s: the filled-in spec gives another plan", name)
		}
		names := map[string]bool{}
		for _, s := range p.Pretrain {
			names[s.Name()] = true
		}
		for _, s := range p.Searches {
			names[s.Name()] = true
			if err := checkSettings(s.Strategy, s.Settings, s.From != ""); err != nil {
				t.Errorf("%s: %s: %v", name, s.Name(), err)
			}
		}
		if len(names) != len(p.Pretrain)+len(p.Searches) {
			t.Errorf("%s: searches share a name", name)
		}
	}
	if _, err := Builtin("nlpp"); err == nil || !strings.Contains(err.Error(), "nlp-small") {
		t.Errorf("an unknown one: %v", err)
	}
}

// The paper's numbers: 8 and 13 tasks, B of Table 1 left and right.
func TestNLPIsThePapers(t *testing.T) {
	e, err := Builtin("nlp")
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(KindExperiment, e, []byte(`{"experiment":"nlp"}`))
	if err != nil {
		t.Fatal(err)
	}
	paper := []string{"random", "naml", "transfer", "no-task-embedding", "single-architecture"}
	if got := armNames(p.Arms); !slices.Equal(got, paper) || p.Baseline != "random" || p.Against != "transfer" {
		t.Errorf("arms %v, baseline %s, against %s", got, p.Baseline, p.Against)
	}
	if len(p.Pretrain) != 2 || len(p.Pretrain[0].Tasks) != 8 || len(p.Searches) != 13*5 || len(p.Tasks()) != 21 {
		t.Errorf("%d pretrainings of %d tasks, %d searches, %d tasks", len(p.Pretrain), len(p.Pretrain[0].Tasks), len(p.Searches), len(p.Tasks()))
	}
	for _, s := range p.Searches {
		want, fixed := 5000, 500
		switch s.Task {
		case "20_newsgroups":
			want = 2500
		case "brown_corpus":
			want, fixed = 250, 250
		}
		if s.Trials != want || p.FixedBudgets[s.Task] != fixed {
			t.Errorf("%s: %d trials, fixed budget %d", s.Name(), s.Trials, p.FixedBudgets[s.Task])
		}
	}
	// Reduced, no task gets more than asked for.
	p, err = MakePlan(KindTransfer, e, []byte(`{"experiment":"nlp","trials":100,"arms":["random"],"seeds":[4]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Searches {
		if s.Trials != 100 || s.Seed != 4 || p.FixedBudgets[s.Task] != 100 {
			t.Errorf("reduced: %+v", s)
		}
	}
}

const small = `name: small
space: text-small
seeds: [1, 2]
settings: {naml: {controller: {hidden: 9}, policy_gradient: {learning_rate: 0.01}}}
pretrain:
  - tasks: [a, b]
    trials: 30
  - {name: short, tasks: [a], trials: 3, seed: 4, settings: {controller: {hidden: 8}}}
  - {name: named, tasks: [b], trials: 6, controller: other}
transfer:
  tasks: [c, d]
  trials: 10
  budgets: {d: 5}
  arms:
    - default
    - single-architecture
    - {name: trpo, settings: {policy_gradient: {method: trpo}}}
    - {name: brief, from: short, settings: {baseline: {decay: 0.5}}}
    - {name: published, from: "theirs@3"}
`

func armNames(arms []study.Arm) (out []string) {
	for _, a := range arms {
		out = append(out, a.Name)
	}
	return out
}

func plan(t *testing.T, k Kind, spec string) *Plan {
	t.Helper()
	e, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(k, e, []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func names(p *Plan) (out []string) {
	for _, s := range p.Pretrain {
		out = append(out, fmt.Sprintf("%s %s %d", s.Name(), s.Controller, s.Trials))
	}
	for _, s := range p.Searches {
		out = append(out, fmt.Sprintf("%s %s %q %d", s.Name(), s.Strategy, s.From, s.Trials))
	}
	return out
}

// What is set for all of a strategy is set for the ablation too, but for embeddings, which
// it has none of; a pretraining that cannot start is no plan.
func TestSettingsOfAnAblation(t *testing.T) {
	for _, settings := range []string{`"multitask"`, `{"embedding":{"dropout":0.1}}`} {
		e, err := Builtin("nlp-500")
		if err != nil {
			t.Fatal(err)
		}
		p, err := MakePlan(KindExperiment, e, fmt.Appendf(nil, `{"experiment":"nlp-500","settings":{"naml":%s}}`, settings))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range p.Pretrain {
			if _, err := strategy.ParseSettings(step.Strategy, step.Settings); err != nil {
				t.Errorf("%s: %s: %v", settings, step.Pretraining, err)
			}
		}
	}
	e, err := Builtin("nlp-500")
	if err != nil {
		t.Fatal(err)
	}
	e.Pretrain[0].Settings = []byte(`{"baseline":{"decay":7}}`)
	_, err = MakePlan(KindPretrain, e, []byte(`{"experiment":"nlp-500"}`))
	if err == nil || !strings.Contains(err.Error(), `the "settings" of the pretraining "multitask": `) {
		t.Error(err)
	}
}

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		spec string
		want []string
	}{
		{KindPretrain, `{"experiment":"small"}`, []string{
			"pretrain/multitask/s1 small 30", "pretrain/short/s4 small-short 3", "pretrain/named/s1 other 6",
		}},
		{
			KindPretrain, `{"experiment":"small","pretrain_seed":7,"pretrain_trials":5,"controller":"mine",` +
				`"pretrain":["no-task-embedding"],"pretrain_tasks":["a"]}`,
			[]string{"pretrain/no-task-embedding/s7 mine-no-task-embedding 5"},
		},
		{KindTransfer, `{"experiment":"small","seeds":[3],"arms":["random","naml","transfer"]}`, []string{
			`transfer/c/random/s3 random "" 10`, `transfer/c/naml/s3 naml "" 10`, `transfer/c/transfer/s3 naml "small" 10`,
			`transfer/d/random/s3 random "" 5`, `transfer/d/naml/s3 naml "" 5`, `transfer/d/transfer/s3 naml "small" 5`,
		}},
		// What starts from a pretraining starts, without one, from its published controller.
		{KindTransfer, `{"experiment":"small","seeds":[3],"tasks":["d"],"arms":["transfer","single-architecture","brief","published"],` +
			`"controller":"best@2"}`, []string{
			`transfer/d/transfer/s3 naml "best@2" 5`, `transfer/d/single-architecture/s3 fixed "best-no-task-embedding@2" 5`,
			`transfer/d/brief/s3 naml "best-short@2" 5`, `transfer/d/published/s3 naml "theirs@3" 5`,
		}},
		// An ablation: two arms by name, one of which only the shared arms have; only what they start from is learned.
		{KindExperiment, `{"experiment":"small","arms":["transfer","no-task-embedding"],"tasks":["c"],"seeds":[1]}`, []string{
			"pretrain/multitask/s1 small 30", "pretrain/no-task-embedding/s1 small-no-task-embedding 30",
			`transfer/c/transfer/s1 naml "multitask" 10`, `transfer/c/no-task-embedding/s1 naml "no-task-embedding" 10`,
		}},
		{KindExperiment, `{"experiment":"small","seeds":[1],"tasks":["d"],"arms":["random",{"name":"new","from":"named"},"trpo"],` +
			`"pretrain_seed":5}`, []string{
			"pretrain/named/s5 other 6", `transfer/d/random/s1 random "" 5`, `transfer/d/new/s1 naml "named" 5`, `transfer/d/trpo/s1 naml "" 5`,
		}},
		// A list by its name; an arm that is written out replaces the experiment's.
		{KindExperiment, `{"experiment":"small","seeds":[1],"tasks":["d"],"arms":["default"]}`, []string{
			"pretrain/multitask/s1 small 30", `transfer/d/random/s1 random "" 5`, `transfer/d/naml/s1 naml "" 5`,
			`transfer/d/transfer/s1 naml "multitask" 5`,
		}},
		{KindExperiment, `{"experiment":"small","seeds":[1],"tasks":["d"],"arms":[{"name":"naml","strategy":"random"}]}`, []string{
			`transfer/d/naml/s1 random "" 5`,
		}},
	} {
		if got := names(plan(t, c.kind, c.spec)); !slices.Equal(got, c.want) {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.kind, c.spec, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	// A run of some arms still knows of all, and with what they are compared.
	p := plan(t, KindExperiment, `{"experiment":"small","arms":["naml",{"name":"new"}]}`)
	want := []string{"random", "naml", "transfer", "single-architecture", "trpo", "brief", "published", "new"}
	if got := armNames(p.Arms); !slices.Equal(got, want) || p.Baseline != "random" || p.Against != "transfer" {
		t.Errorf("arms %v, baseline %q, against %q", got, p.Baseline, p.Against)
	}
}

func TestSettingsOfSteps(t *testing.T) {
	p := plan(t, KindExperiment, `{"experiment":"small"}`)
	for _, s := range p.Pretrain {
		text := string(s.Settings)
		agnostic := strings.Contains(text, `"task_embedding":-1`)
		hidden := map[bool]string{false: `"hidden":9`, true: `"hidden":8`}[s.Pretraining == "short"]
		if agnostic != (s.Pretraining == "no-task-embedding") || !strings.Contains(text, hidden) || !strings.Contains(text, "0.01") {
			t.Errorf("%s: %s", s.Name(), text)
		}
	}
	for _, s := range p.Searches {
		text := string(s.Settings)
		switch s.Arm {
		case "naml":
			if !strings.Contains(text, `"hidden":9`) {
				t.Errorf("%s: %s", s.Name(), text)
			}
		case "transfer", "brief", "published":
			if strings.Contains(text, "controller") || !strings.Contains(text, "0.01") || strings.Contains(text, "decay") != (s.Arm == "brief") {
				t.Errorf("%s takes the shape from its controller: %s", s.Name(), text)
			}
		case "random", "single-architecture":
			if text != "" {
				t.Errorf("%s: %s", s.Name(), text)
			}
		case "trpo":
			if strings.Contains(text, "learning_rate") || !strings.Contains(text, `"hidden":9`) {
				t.Errorf("%s: %s", s.Name(), text)
			}
		}
	}
	// A run's settings take the place of the experiment's, under those of the arms.
	p = plan(t, KindExperiment, `{"experiment":"small","arms":["trpo","brief"],"settings":{"naml":{"baseline":{"decay":0.1,"floor":0.2}}}}`)
	for i, want := range []string{`{"baseline":{"decay":0.1,"floor":0.2},"policy_gradient":{"method":"trpo"}}`,
		`{"baseline":{"decay":0.5,"floor":0.2}}`} {
		if got := string(p.Searches[i].Settings); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	// A controller that is found by its name must have the shape that its pretraining gives it.
	p = plan(t, KindTransfer, `{"experiment":"small","arms":["brief"]}`)
	if got := string(p.Searches[0].Settings); !strings.Contains(got, `"controller":{"hidden":8}`) {
		t.Errorf("%s", got)
	}
}

// What every run of an experiment would refuse, the experiment does.
func TestExperimentsBounds(t *testing.T) {
	for field, value := range map[string]int{"lag": 5000, "checkpoint_every": 9999, "trial_steps": 2_000_000_000, "keep_models": 500} {
		if _, err := Parse([]byte(fmt.Sprintf("%s: %d\n%s", field, value, small))); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s of %d: %v", field, value, err)
		}
	}
	e, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for timeout, ok := range map[string]bool{"0s": false, "0.01m": false, "1s": true, "0.5m": true, "720h": true, "720h1s": false} {
		if _, err := Parse([]byte("trial_timeout: " + timeout + "\n" + small)); (err == nil) != ok {
			t.Errorf("a trial_timeout of %s: %v", timeout, err)
		}
		if _, err := MakePlan(KindTransfer, e, []byte(`{"experiment":"small","trial_timeout":"`+timeout+`"}`)); (err == nil) != ok {
			t.Errorf("a run's trial_timeout of %s: %v", timeout, err)
		}
	}
}

func TestSpecsRefuse(t *testing.T) {
	e, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	policyOnly, err := Builtin("policy")
	if err != nil {
		t.Fatal(err)
	}
	pretrainOnly, err := Parse([]byte("name: p\npretrain: [{tasks: [a], trials: 3}, {name: q, tasks: [a], trials: 4}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := MakePlan(KindExperiment, pretrainOnly, []byte(`{"experiment":"p"}`)); err != nil || len(p.Pretrain) != 2 ||
		len(p.Searches) != 0 {
		t.Errorf("pretrainings alone: %+v, %v", p, err)
	}
	for _, c := range []struct {
		e    *Experiment
		kind Kind
		spec string
		want []string
	}{
		{e, KindTransfer, `{"experiment":"small","trails":5,"armz":[],"seeds":"1","trials":0}`, []string{
			`unknown field "armz"`, `unknown field "trails"`, "known fields: experiment, allow_overlap, arms",
			`"seeds" is "1": it must be a list of whole numbers`,
		}},
		{e, KindTransfer, `{"experiment":"small","arms":["rnd","random","random"],"tasks":["a",""],"trials":0,"seeds":[1,1],"controller":"a b"}`,
			[]string{
				`unknown arm "rnd" (known: random, naml, transfer`, `names "random" twice`, `the target "a" is a pretraining task too`,
				`"allow_overlap"`, `"trials" is 0`,
				"twice", `"controller" is "a b"`, "empty name",
			}},
		{e, KindExperiment, `{"experiment":"small","arms":[{"name":"X","strategy":"grid","from":"a b"},{"strategy":"random"},` +
			`{"name":"r","strategy":"random","from":"short"},""]}`, []string{
			`the arm's name "X" must be lower-case`, `unknown strategy "grid" (known: ` + strategies() + `)`, `starts from "a b"`,
			`"arms"[1] has an empty name`,
			`the arm "r" starts from "short", but its strategy "random" starts from none`, `"arms"[3] has an empty name`,
		}},
		{e, KindExperiment, `{"experiment":"small","arms":[{"nam":"x"},3]}`, []string{
			`"arms[0]"`, `unknown field "nam"`, "known fields: name, strategy, settings, from, budget.failed, budget.steps", `"arms[1]"`,
		}},
		{e, KindExperiment, `{"experiment":"small","arms":[{"name":"x","settings":{"baseline":{"decay":9}}},{"name":"y","strategy":"fixed"}]}`,
			[]string{
				`the "settings" of the arm "x": baseline: decay 9`, `the "settings" of the arm "y": no "architecture"`,
			}},
		{e, KindTransfer, `{"experiment":"small","budgets":{"e":3,"d":0}}`, []string{
			`"budgets" gives "e" 3 trials, which is no target`, `"budgets" gives "d" 0 trials: it must be at least 1`,
		}},
		{e, KindExperiment, `{"experiment":"small","arms":[]}`, []string{`"arms" is empty (known: random`}},
		{e, KindExperiment, `{"experiment":"small","settings":{"naml":{"baseline":{"decay":7},"x":1}}}`, []string{`"settings"`, `"x"`}},
		{e, KindExperiment, `{"experiment":"small","settings":{"baseline":{"decay":7}}}`, []string{
			`"settings"`, `unknown strategy "baseline" (known: random, naml`,
		}},
		{e, KindExperiment, `{"experiment":"small","arms":["x"],"pretrain_trials":-1,"pretrain_tasks":["c"],"lag":0,` +
			`"trial_timeout":"soon","space":""}`, []string{
			`unknown arm "x"`, `"pretrain_trials" is -1`, `target "c"`, `"lag" is 0`, `"trial_timeout"`, `"space"`,
		}},
		{e, KindPretrain, `{"experiment":"small","pretrain":["x"],"pretrain_tasks":[]}`, []string{
			`unknown pretraining "x" (known: multitask, named, no-task-embedding, short)`, `"pretrain_tasks" is empty`,
		}},
		{e, KindPretrain, `{"experiment":"small","pretrain":[]}`, []string{`"pretrain" is empty`}},
		{e, KindBenchmark, `{"experiment":"small"}`, []string{`"small" has no "benchmark"`}},
		{policyOnly, KindPretrain, `{"experiment":"policy"}`, []string{`has no "pretrain"`}},
		{policyOnly, KindTransfer, `{"experiment":"policy","arms":["transfer"]}`, []string{
			`the arm "transfer" starts from the pretraining "multitask": give "pretrain"`,
		}},
		{pretrainOnly, KindTransfer, `{"experiment":"p"}`, []string{`has no "transfer"`}},
		{policyOnly, KindTransfer, `{"experiment":"policy","arms":["sgd"]}`, []string{
			"unknown arm \"sgd\" (known: random, reinforce, trpo, ppo, urex, naml, transfer, no-task-embedding, " +
				"single-architecture, tpe, evolution, warm-evolution, portfolio, box, copula, kindred, ablations, default, ladder)",
		}},
		{e, KindTransfer, `{"experiment":"small","lag":5000,"trial_timeout":"1000000h","memory_limit_mb":4611686018427387904}`, []string{
			`"lag" is 5000`, "2,000 steps", `"trial_timeout" is "1000000h": it must be at most 720h`, `"memory_limit_mb" is 46`,
		}},
		{e, KindTransfer, `{"lag":0,"tasks":["` + strings.Repeat("x", 200) + `"],"experiment":"small","seeds":[` + list(50_000) + `]}`, []string{
			`"tasks"[0] has 200 bytes`, `"seeds" has 50000 numbers`, `"lag" is 0`,
		}},
		{e, KindTransfer, `{"experiment":"small","arms":["random"],"seeds":[` + list(1000) + `],"tasks":["u","v"]}`, []string{
			"2000 searches, more than 1500",
		}},
		{e, KindTransfer, `{"experiment":"small","arms":[{"name":"x","settings":{"baseline":{"decay":0.5}}}],"seeds":[` + list(1400) +
			`],"tasks":["` + strings.Repeat("long", 32) + `"]}`, []string{"bytes, more than 1700000", "fewer tasks, arms or seeds"}},
		{e, KindTransfer, `[]`, []string{"not a JSON object"}},
		{e, KindTransfer, `null`, []string{"null"}},
		{e, Kind("Search"), `{}`, []string{"unknown kind"}},
	} {
		_, err := MakePlan(c.kind, c.e, []byte(c.spec))
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %q is not in: %v", c.kind, c.spec, want, err)
			}
		}
	}
	if _, err := MakePlan(KindTransfer, e, []byte(`{"experiment":"small","tasks":["c"]}`)); err != nil {
		t.Errorf("fewer tasks, and the experiment's own budget of another: %v", err)
	}
	if _, err := MakePlan(KindExperiment, e, []byte(`{"experiment":"small","pretrain_tasks":["c"],"allow_overlap":true}`)); err != nil {
		t.Errorf("an overlap that was asked for: %v", err)
	}
	for raw, want := range map[string]string{`{}`: `no "experiment"`, `{"experiment":3}`: "demo", `[`: "not a JSON object",
		`{"experiment":""}`: "name an experiment"} {
		if _, err := ExperimentOf([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q is not in: %v", raw, want, err)
		}
	}
}

// All that is wrong with a file is told at once, with lines.
func TestParseReportsEverything(t *testing.T) {
	file := `name: Bad Name
colour: red
space: text
lag: 2
parallel: 3
seeds: [1, 1, -2, x]
trial_timeout: soon
settings: {naml: {baseline: {decay: 9, floor: -1}}, best: {}}
pretrain:
  -
    tasks: [a, b, a]
    trials: none
    sed: 4
  - {name: multitask, tasks: [a], trials: 1, strategy: grid, controller: A}
transfer:
  tasks: [c, b]
  budgets: {z: 3, c: 0}
  arms: [random, magic, random, {name: X, settings: 3}]
  baseline: naml
  against: the-best
benchmark: {nights: 0}
policy: {}
name: again
`
	_, err := Parse([]byte(file))
	// What the first reading has no room for.
	_, rest := Parse([]byte(strings.NewReplacer("colour: red", "description: red", "parallel: 3", "parallel: 1", "[1, 1, -2, x]", "[1, 2]",
		"soon", "30m", "settings: {naml: {baseline: {decay: 9, floor: -1}}, best: {}}", "settings: {}").Replace(file)))
	for _, want := range []string{
		`line 1: the name "Bad Name"`, `line 2: unknown field "colour" of the experiment (known: allow_overlap, benchmark`,
		`line 5: "parallel" is 3`, `line 6: "seeds" holds 1 twice`, `line 6: "seeds" holds -2`, `line 6: "seeds" holds x`,
		`line 7: "trial_timeout" is soon`, `line 8: "settings": baseline: decay 9`,
		`line 8: unknown field "best" of "settings", which are by strategy (known: ` + strategies(slices.Sort) + `)`,
		`line 11: "tasks" holds "a" twice`, `line 12: "trials" is none`, `line 13: unknown field "sed"`,
		`line 14: "pretrain" holds "multitask" twice`,
		`line 14: unknown strategy "grid"`, `line 14: the controller's name "A"`, `line 15: "transfer" lacks "trials"`,
		`line 16: the target "b" is a pretraining task too, in line 11`, `line 17: a budget for "z"`, `line 17: "c" is 0`,
		`line 18: unknown arm "magic" (known: random`, `line 18: "arms" holds "random" twice`, `line 18: the arm's name "X"`,
		`line 18: "settings" is 3`,
		`line 19: "baseline" is "naml", which is none of the arms`, `line 20: "against" is "the-best", which is none`,
		`line 21: "nights" is 0`, `line 22: unknown field "policy"`, `line 23: "name" is there twice, in line 1 already`,
	} {
		if err == nil || !strings.Contains(fmt.Sprint(err, "\n", rest), want) {
			t.Errorf("%q is not in:\n%v\n%v", want, err, rest)
		}
	}
	if n := len(strings.Split(fmt.Sprint(err), "\n")); n != 21 || !strings.Contains(err.Error(), "and 8 problems more") {
		t.Errorf("%d lines for 28 mistakes:\n%v", n, err)
	}
	if n := len(strings.Split(fmt.Sprint(rest), "\n")); n != 20 {
		t.Errorf("%d lines for 20 mistakes:\n%v", n, rest)
	}
	for text, want := range map[string]string{
		"":                                   "the experiment is nothing, it must be a mapping",
		"# comments\n":                       "the experiment is nothing, it must be a mapping",
		"- a\n":                              "must be a mapping",
		"name: x\n":                          "nothing to do",
		"name: x\n  y: [":                    "line",
		"space: x\ntransfer:\n  trials: 1\n": `line 1: no "name"`,
		"name: x\ntransfer: {tasks: [a], trials: 1}\n": `line 2: the arm "transfer" starts from the pretraining "multitask": give "pretrain"`,
		"name: x\ntransfer: {tasks: [a], trials: 1, arms: [random, " +
			"single-architecture]}": `the arm "single-architecture" starts from the pretraining "no-task-embedding"`,
		"name: x\ntransfer: {tasks: [a], trials: 1, arms: []}\n": `line 2: "arms" is empty`,
		"name: x\ntransfer: {tasks: [a], trials: 1, arms: {a: 1}}\n": `line 2: "arms" is a mapping, ` +
			`it must be a list of arms`,
		"name: x\npretrain: {tasks: [a], " +
			"trials: 1}\n": `line 2: "pretrain" is a mapping, it must be a list of pretrainings`,
		"name: x\npretrain: [{tasks: [a], trials: 1}, {tasks: [a], trials: 1}]\n":                   `line 2: the pretraining's name ""`,
		"name: x\npretrain: [{tasks: [a], trials: 1}]\n---\nname: y\n":                              "second document: one experiment a file",
		"name: x\npretrain: &p [{tasks: [a], trials: 1}]\n":                                         "write it out",
		"name: x\npretrain: [{tasks: [a], trials: 1}]\nbenchmark: {}\n":                             "line 3: a benchmark needs figures",
		"name: x\npretrain: [{tasks: [a], trials: 1, settings: {policy_gradient: {method: best}}}]": `line 2: "settings": policy_gradient`,
		"name: x\ntransfer: {tasks: [a], trials: 1, arms: [{name: a, strategy: fixed}]}":            `line 2: "settings": no "architecture"`,
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q is not in: %v", text, want, err)
		}
	}
}

// What is wrong with a file of arms does not depend on the order of its parts.
func TestArmsInAnyOrder(t *testing.T) {
	parts := []string{"lists: {a: [tpe]}\n", "arms: [{name: a, strategy: random}]\n"}
	for _, text := range []string{parts[0] + parts[1], parts[1] + parts[0]} {
		if _, err := ParseArms([]byte(text)); err == nil || !strings.Contains(err.Error(), `the list "a" has the name of an arm`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	for _, name := range BuiltinNames() {
		b, err := BuiltinYAML(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("name: {a: *b}\n? [x]\n: y"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		// What is accepted can be run.
		for _, k := range Kinds() {
			if _, err := MakePlan(k, e, fmt.Appendf(nil, `{"experiment":%q}`, e.Name)); err != nil && !strings.Contains(err.Error(), "has no") &&
				!strings.Contains(err.Error(), "more than") {
				t.Errorf("%s: %v\n%s", k, err, b)
			}
		}
	})
}

func FuzzParseSpec(f *testing.F) {
	e, err := Parse([]byte(small))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"experiment":"small","seeds":[1],"budgets":{"c":1}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, k := range Kinds() {
			if s, err := ParseSpec(k, e, raw); err == nil && s.validate(k, e) != nil {
				t.Errorf("%s accepted an invalid spec %+v", k, s)
			}
		}
	})
}

// list is the numbers below n as JSON.
func list(n int) string {
	b, _ := json.Marshal(slices.Collect(func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}))
	return strings.Trim(string(b), "[]")
}

// What is searched on a recorded benchmark has the settings of all searches, and a run's
// own; everything wrong with it comes together, with its line.
// An arm has a budget and a pruner as a search has them, written out in YAML or JSON, and
// may start from a search's trials, where its strategy learns from such.
func TestArmsWithBounds(t *testing.T) {
	const head = "name: x\ntransfer:\n  tasks: [a, b]\n  trials: 9\n  arms:\n    - random\n"
	e, err := Parse([]byte(head + "    - {name: cut, strategy: tpe, pruner: median, budget: {steps: 1000, goal: 0.9}}\n" +
		"    - {name: old, strategy: kindred, from: Their/Trials_1, pruner: {name: halving, settings: {reduction: 3}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(KindExperiment, e, []byte(`{"experiment":"x","arms":["cut","old",{"name":"mine","strategy":"random",`+
		`"pruner":{"name":"median"},"budget":{"failed":3}}]}`))
	if err != nil || len(p.Searches) != 6 {
		t.Fatalf("%+v, %v", p, err)
	}
	goal := .9
	for i, want := range []SearchStep{
		{Budget: search.Budget{Steps: 1000, Goal: &goal}, Pruner: &pruner.Choice{Name: "median"}},
		{Sources: "Their/Trials_1", Pruner: &pruner.Choice{Name: "halving", Settings: json.RawMessage(`{"reduction":3}`)}},
		{Budget: search.Budget{Failed: 3}, Pruner: &pruner.Choice{Name: "median"}},
	} {
		for _, got := range []SearchStep{p.Searches[i], p.Searches[i+3]} {
			got = SearchStep{Sources: got.Sources, Budget: got.Budget, Pruner: got.Pruner}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
	}
	_, err = Parse([]byte(head + "    - {name: a, strategy: random, budget: {steps: -1, fails: 3}}\n" +
		"    - {name: b, strategy: random, pruner: best}\n" +
		"    - {name: c, strategy: random, from: Their/Trials}\n    - {name: d, strategy: naml, from: Their/Trials}\n" +
		"    - {name: e, strategy: random, budget: 3, pruner: {name: median, settings: {percentile: 900}}}\n"))
	for _, want := range []string{`line 7: "budget": unknown field "fails"`, `line 7: the arm "a": "budget": "steps" is -1`,
		`line 8: the arm "b": "pruner": unknown pruner "best"`, `line 9: the arm "c" starts from "Their/Trials"`,
		`line 10: the arm "d" starts from "Their/Trials": it must be`, `line 11: "budget": not a JSON object`,
		`line 11: the arm "e": "pruner": `} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	// Whatever is of a wrong form is named, with the form that it must have, and no type of Go's.
	for _, c := range [][3]string{
		{"budget", "5", "not a JSON object, but 5: give an object with any of the fields failed, steps, cpu_hours, hours, goal"},
		{"budget", "[1]", "not a JSON object, but [1]"}, {"budget", "{steps: 0}", `"steps" is 0: leave it out`},
		{"budget", "{hours: 0.0}", `"hours" is 0: leave it out`}, {"budget", "{steps: many}", `"steps" is "many": it must be a whole number`},
		{"budget", "{steps: 1.5}", `"steps" is 1.5: it must be a whole number`},
		{"budget", "{goal: high}", `"goal" is "high": it must be a number`},
		{"pruner", "5", "not a JSON object, but 5: give an object with any of the fields name, settings"},
		{"pruner", "[median]", "not a JSON object"},
		{"pruner", "{name: 5}", `"name" is 5: it must be a text`}, {"settings", "5", `"settings" is 5, it must be a mapping`},
		{"strategy", "[tpe]", `"strategy" is a list`}, {"from", "{a: b}", `"from" is a mapping`}, {"name", "5", "5"},
	} {
		field, is, want := c[0], c[1], c[2]
		fields := map[string]string{"name": "m", "strategy": "tpe"}
		fields[field] = is
		text := head + "    - {"
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			text += k + ": " + fields[k] + ", "
		}
		if _, err := Parse([]byte(text + "}\n")); field != "name" && err == nil || err != nil &&
			(!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strconv.Quote(field)) || strings.Contains(err.Error(), "Go ")) {
			t.Errorf("%s: %s: %q is not in: %v", field, is, want, err)
		}
	}
	_, err = Parse([]byte("name: x\ntransfer: {tasks: [a], trials: 1, arms: [random]}\n" +
		"benchmark: {nights: 3, simulate: {tasks: [test], arms: [random, {name: m, strategy: random, pruner: median}]}}\n"))
	if err == nil || !strings.Contains(err.Error(), `line 3: "simulate": the arm "m" has a "budget" or a "pruner"`) {
		t.Error(err)
	}
}

func TestSimulated(t *testing.T) {
	const head = "name: x\nsettings: {naml: {policy_gradient: {entropy: 0.5}}}\ntransfer: {tasks: [a], trials: 1, arms: [random]}\n" +
		"benchmark:\n  nights: 3\n  simulate: "
	const own = "{name: mine, settings: {policy_gradient: {learning_rate: 0.1}}}"
	e, err := Parse([]byte(head + "{tasks: [test, airline], arms: [random, " + own + "]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(KindBenchmark, e, []byte(`{"experiment":"x","lag":7,"settings":{"naml":{"policy_gradient":{"entropy":0.25}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	n := p.Benchmark.Simulate
	const want = `{"policy_gradient":{"entropy":0.25,"learning_rate":0.1}}`
	if len(n.Arms) != 2 || string(n.Arms[1].Settings) != want || n.Lag != 7 || n.Seeds != 500 || n.Share != .75 || n.Set != "paper" {
		t.Errorf("%+v", n)
	}
	if got := string(e.Benchmark.Simulate.Arms[1].Settings); strings.Contains(got, "entropy") || e.Benchmark.Simulate.Lag != 0 {
		t.Errorf("the experiment's own is changed: %s", got)
	}
	if p, err := MakePlan(KindExperiment, e, []byte(`{"experiment":"x"}`)); err != nil || p.Benchmark != nil {
		t.Errorf("an experiment that is no benchmark: %+v, %v", p, err)
	}
	_, err = Parse([]byte(head + "{tasks: [spam], arms: [random, transfer, {name: mine, settings: {lr: 1}}], seeds: 2, trails: 3}\n"))
	for _, want := range []string{`line 6: unknown field "trails"`, `line 6: "simulate": targets: there is no task "spam"`,
		`line 6: "simulate": 2 seeds`,
		`line 6: "simulate": the arm "transfer" starts from`, `line 6: "simulate": the arm "mine": `} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := Parse([]byte(head + "{}\n")); err == nil || !strings.Contains(err.Error(), "no arms") {
		t.Error(err)
	}
}
