package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
)

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
			if _, err := strategy.ParseSettings(strategy.NAML, s.Settings); err != nil {
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
settings: {controller: {hidden: 9}, policy_gradient: {learning_rate: 0.01}}
pretrain:
  tasks: [a, b]
  trials: 30
transfer:
  tasks: [c, d]
  trials: 10
  budgets: {d: 5}
ablations: [single-architecture]
policy:
  tasks: [c]
  trials: 7
  arms:
    reinforce: {policy_gradient: {method: reinforce}}
    trpo: {policy_gradient: {method: trpo}}
`

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

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		spec string
		want []string
	}{
		{KindPretrain, `{"experiment":"small"}`, []string{"pretrain/transfer/s1 small 30"}},
		{KindPretrain, `{"experiment":"small","seed":7,"trials":5,"controller":"mine","task_embedding":false,"tasks":["a"]}`, []string{"pretrain/no-task-embedding/s7 mine-no-task-embedding 5"}},
		{KindTransfer, `{"experiment":"small","seeds":[3]}`, []string{
			`transfer/c/random/s3 random "" 10`, `transfer/c/naml/s3 naml "" 10`, `transfer/c/transfer/s3 naml "transfer" 10`,
			`transfer/d/random/s3 random "" 5`, `transfer/d/naml/s3 naml "" 5`, `transfer/d/transfer/s3 naml "transfer" 5`,
		}},
		{KindAblation, `{"experiment":"small","ablation":"no-task-embedding","tasks":["c"],"seeds":[1]}`, []string{
			"pretrain/transfer/s1 small 30", "pretrain/no-task-embedding/s1 small-no-task-embedding 30",
			`transfer/c/transfer/s1 naml "transfer" 10`, `transfer/c/no-task-embedding/s1 naml "no-task-embedding" 10`,
		}},
		{KindPolicy, `{"experiment":"small","seeds":[1]}`, []string{`policy/c/reinforce/s1 naml "" 7`, `policy/c/trpo/s1 naml "" 7`}},
		{KindExperiment, `{"experiment":"small","seeds":[1],"tasks":["d"],"arms":["random"],"pretrain_seed":5}`, []string{
			"pretrain/transfer/s5 small 30", "pretrain/no-task-embedding/s5 small-no-task-embedding 30",
			`transfer/d/random/s1 random "" 5`, `transfer/d/single-architecture/s1 fixed "no-task-embedding" 5`,
			`policy/c/reinforce/s1 naml "" 7`, `policy/c/trpo/s1 naml "" 7`,
		}},
	} {
		if got := names(plan(t, c.kind, c.spec)); !slices.Equal(got, c.want) {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.kind, c.spec, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestSettingsOfSteps(t *testing.T) {
	p := plan(t, KindExperiment, `{"experiment":"small"}`)
	for _, s := range p.Pretrain {
		agnostic := strings.Contains(string(s.Settings), `"task_embedding":-1`)
		if agnostic != (s.Arm == study.ArmNoTaskEmbedding) || !strings.Contains(string(s.Settings), `"hidden":9`) || !strings.Contains(string(s.Settings), "0.01") {
			t.Errorf("%s: %s", s.Name(), s.Settings)
		}
	}
	for _, s := range p.Searches {
		text := string(s.Settings)
		switch s.Arm {
		case study.ArmNAML:
			if !strings.Contains(text, `"hidden":9`) {
				t.Errorf("%s: %s", s.Name(), text)
			}
		case study.ArmTransfer:
			if strings.Contains(text, "controller") || !strings.Contains(text, "0.01") {
				t.Errorf("%s takes the shape from its controller: %s", s.Name(), text)
			}
		case study.ArmRandom, study.ArmSingleArchitecture:
			if text != "" {
				t.Errorf("%s: %s", s.Name(), text)
			}
		case "trpo":
			if strings.Contains(text, "learning_rate") || !strings.Contains(text, `"hidden":9`) {
				t.Errorf("%s: %s", s.Name(), text)
			}
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
	for _, c := range []struct {
		e    *Experiment
		kind Kind
		spec string
		want []string
	}{
		{e, KindTransfer, `{"experiment":"small","trails":5,"armz":[],"seeds":"1","trials":0}`, []string{`unknown field "armz"`, `unknown field "trails"`, "known fields: experiment, allow_overlap, arms", `"seeds" is "1": it must be a list of whole numbers`}},
		{e, KindTransfer, `{"experiment":"small","arms":["rnd","random","random"],"tasks":["a",""],"trials":0,"seeds":[1,1],"controller":"a b"}`, []string{`unknown arm "rnd" (known: random, naml, transfer`, `names "random" twice`, `the target "a" is a pretraining task too`, `"allow_overlap"`, `"trials" is 0`, "twice", `"controller" is "a b"`, "empty name"}},
		{e, KindAblation, `{"experiment":"small","ablation":"dropout"}`, []string{`unknown ablation "dropout" (known: no-task-embedding, single-architecture)`}},
		{e, KindAblation, `{"experiment":"small"}`, []string{`no "ablation"`}},
		{e, KindExperiment, `{"experiment":"small","settings":{"baseline":{"decay":7},"x":1}}`, []string{`"settings"`, `"x"`}},
		{e, KindExperiment, `{"experiment":"small","ablations":["x"],"pretrain_trials":-1,"pretrain_tasks":["c"],"lag":0,"trial_timeout":"soon","space":""}`, []string{`unknown ablation "x"`, `"pretrain_trials" is -1`, `target "c"`, `"lag" is 0`, `"trial_timeout"`, `"space"`}},
		{e, KindBenchmark, `{"experiment":"small"}`, []string{`"small" has no "benchmark"`}},
		{policyOnly, KindPretrain, `{"experiment":"policy"}`, []string{`has no "pretrain"`}},
		{policyOnly, KindTransfer, `{"experiment":"policy"}`, []string{`has no "transfer"`}},
		{e, KindPolicy, `{"experiment":"small","arms":["sgd"]}`, []string{`unknown arm "sgd" (known: reinforce, trpo)`}},
		{e, KindPolicy, `[]`, []string{"not a JSON object"}},
		{e, KindPolicy, `null`, []string{"null"}},
		{e, Kind("Search"), `{}`, []string{"unknown kind"}},
	} {
		_, err := MakePlan(c.kind, c.e, []byte(c.spec))
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %q is not in: %v", c.kind, c.spec, want, err)
			}
		}
	}
	if _, err := MakePlan(KindExperiment, e, []byte(`{"experiment":"small","pretrain_tasks":["c"],"allow_overlap":true}`)); err != nil {
		t.Errorf("an overlap that was asked for: %v", err)
	}
	for raw, want := range map[string]string{`{}`: `no "experiment"`, `{"experiment":3}`: "demo", `[`: "not a JSON object", `{"experiment":""}`: "name an experiment"} {
		if _, err := ExperimentOf([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q is not in: %v", raw, want, err)
		}
	}
}

// All that is wrong with a file is told at once, with lines.
func TestParseReportsEverything(t *testing.T) {
	_, err := Parse([]byte(`name: Bad Name
colour: red
space: text
lag: 2
parallel: 3
seeds: [1, 1, -2, x]
trial_timeout: soon
settings:
  baseline: {decay: 9, floor: -1}
pretrain:
  tasks: [a, b, a]
  trials: none
  sed: 4
transfer:
  tasks: [c, b]
  budgets: {z: 3, c: 0}
  arms: [random, magic]
ablations: [no-task-embeddings]
policy:
  tasks: []
  trials: 5
  arms: [ppo]
benchmark: {nights: 0}
name: again
`))
	for _, want := range []string{
		`line 1: the name "Bad Name"`, `line 2: unknown field "colour" of the experiment (known: ablations, allow_overlap`,
		`line 5: "parallel" is 3`, `line 6: "seeds" holds 1 twice`, `line 6: "seeds" holds -2`, `line 6: "seeds" holds x`,
		`line 7: "trial_timeout" is soon`, `line 8: "settings": baseline: decay 9`, `line 11: "tasks" holds "a" twice`,
		`line 12: "trials" is none`, `line 13: unknown field "sed"`, `line 14: "transfer" lacks "trials"`,
		`line 15: the target "b" is a pretraining task too, in line 11`, `line 16: a budget for "z"`, `line 16: "c" is 0`,
		`line 17: unknown arm "magic" (known: random`, `line 18: unknown ablation "no-task-embeddings"`,
		`line 20: "tasks" is empty`, `line 22: "arms" is a list`, `line 23: "nights" is 0`, `line 24: "name" is there twice, in line 1 already`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if n := len(strings.Split(fmt.Sprint(err), "\n")); n > 24 {
		t.Errorf("%d lines for 21 mistakes:\n%v", n, err)
	}
	for text, want := range map[string]string{
		"":                                 "empty",
		"- a\n":                            "must be a mapping",
		"name: x\n":                        "nothing to do",
		"name: x\n  y: [":                  "line",
		"space: x\npolicy:\n  trials: 1\n": `line 1: no "name"`,
		"name: x\ntransfer: {tasks: [a], trials: 1}\n":                                                 `the arm "transfer" starts from a controller`,
		"name: x\ntransfer: {tasks: [a], trials: 1, arms: [random]}\nablations: [no-task-embedding]\n": "line 3: ablations need a controller",
		"name: x\npretrain: {tasks: [a], trials: 1}\n---\nname: y\n":                                   "second document",
		"name: x\npretrain: &p {tasks: [a], trials: 1}\n":                                              "write it out",
		"name: x\npretrain: {tasks: [a], trials: 1}\nbenchmark: {}\n":                                  "line 3: a benchmark needs figures",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q is not in: %v", text, want, err)
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
			if k == KindAblation || k == KindTransfer && e.Pretrain == nil {
				continue
			}
			if _, err := MakePlan(k, e, fmt.Appendf(nil, `{"experiment":%q}`, e.Name)); err != nil && !strings.Contains(err.Error(), "has no") && !strings.Contains(err.Error(), "more than") {
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
