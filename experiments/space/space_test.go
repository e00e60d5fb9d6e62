package space

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltinsAreValid(t *testing.T) {
	if diff := cmp.Diff([]string{"image", "paper", "paper-small", "text", "text-small"}, BuiltinNames()); diff != "" {
		t.Fatal(diff)
	}
	for _, name := range BuiltinNames() {
		s := builtinSpace(t, name)
		if s.Name != name {
			t.Errorf("file %s holds the space %s", name, s.Name)
		}
		if s.TrainerName() != DefaultTrainer || s.Description == "" {
			t.Errorf("%s is for the trainer %s: %q", name, s.TrainerName(), s.Description)
		}
	}
	if _, err := Builtin("txt"); err == nil || !strings.Contains(err.Error(), "text-small") {
		t.Errorf("an unknown space must list the known ones: %v", err)
	}
}

// A folded description is one line.
func TestDescription(t *testing.T) {
	const want = "The twelve choices of Wong et al. (2018), §4, with child models as theirs: the wide tower sees tokens alone and " +
		"starts from zero. Their grid is not public; " +
		"this is a reconstruction of its size: with eight modules 8·2·5·5·6·3·7·8·7·8·7·7 = 1,106,380,800 child models."
	if got := builtinSpace(t, "paper").Description; got != want {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]string{
		"description: plain": "plain", "description: >\n  one\n  two\n\n  three\n": "one two\nthree", "description: |-\n  one\n  two": "one\ntwo",
		"description: \"  in quotes \"": "in quotes", "description: ''": "",
	} {
		if got := load(t, small+text+"\n").Description; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The paper's small space is that of texts with its own wide tower: a controller
// of the one proposes for the other.
func TestPaperSpaces(t *testing.T) {
	if builtinSpace(t, "paper-small").Digest() != builtinSpace(t, "text-small").Digest() {
		t.Error("paper-small has other choices than text-small")
	}
}

func builtinSpace(t *testing.T, name string) *Space {
	t.Helper()
	s, err := Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// load reads a space for no trainer in particular.
func load(t testing.TB, text string) *Space {
	t.Helper()
	s, err := Load([]byte(text), (*Space).Validate)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// small is a space of one choice, to which fields can be added.
const small = "name: x\nchoices:\n  - {name: c, options: [1, 2]}\n"

func TestJSONRoundTripKeepsTypesAndDigest(t *testing.T) {
	spaces := []*Space{load(t, typed)}
	for _, name := range BuiltinNames() {
		spaces = append(spaces, builtinSpace(t, name))
	}
	for _, s := range spaces {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Space
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*s, back); diff != "" {
			t.Error(diff)
		}
		if s.Digest() != back.Digest() {
			t.Error("digest changed")
		}
		if yaml := load(t, string(b)); !cmp.Equal(s, yaml) { // JSON is YAML
			t.Error(cmp.Diff(s, yaml))
		}
	}
}

// A digest is stored in every controller: it must not drift.
func TestDigestIsStable(t *testing.T) {
	s := Space{Name: "x", Choices: []Choice{{Name: "dropout", Options: []any{0.0, .5}}, {Name: "steps", Options: []any{int64(50)}}}}
	const want = "sha256:044e60877b5fe7e9148e5518a5e4c3d7fbb9144824f80b3fdbb1cab1c437e2cc"
	if got := s.Digest(); got != want {
		t.Errorf("digest %s", got)
	}
	s.Name, s.Description = "y", "z"
	s.Trainer, s.Settings, s.Objective = "other", json.RawMessage(`{"a":1}`), Objective{"loss", Minimise}
	s.Choices[0].Kind = Categorical
	if got := s.Digest(); got != want {
		t.Error("names, trainer, settings, objective and kinds are not part of the digest")
	}
	s.Choices[0].Options[1] = .6
	if s.Digest() == want {
		t.Error("options are part of the digest")
	}
}

// typed has options of every type, with everything that a space can say.
const typed = `
name: 混合/x_1.b-2
description: a bit of everything
trainer: our-trainer
settings: {epochs: 3, rate: 1e-5, nested: {list: [a, 2, true, null, .5]}, word: "1e-5"}
objective: {metric: rmse, direction: minimise}
choices:
  - {name: depth, options: [1, 2, 8]}
  - {name: rate, options: [1, 0.5, 1e-5]}
  - {name: rate.log10, kind: ordinal, options: [-3, -2.5, 0]}
  - {name: shape/kind, options: [linear, "2", "1e-5", "true", "null", "~", "日本 語"]}
  - {name: bias, options: [true, false]}
  - {name: size, kind: ordinal, options: [small, large]}
  - {name: group, kind: categorical, options: [7, 3, 9007199254740991, -9007199254740991]}
  - {name: wide, options: [1, 18446744073709551615]}
  - {name: hex, options: [0x1F, 0o17, +1, -0]}
`

func TestLoad(t *testing.T) {
	s := load(t, typed)
	want := &Space{
		Name: "混合/x_1.b-2", Description: "a bit of everything", Trainer: "our-trainer",
		Settings:  json.RawMessage(`{"epochs":3,"nested":{"list":["a",2,true,null,0.5]},"rate":0.00001,"word":"1e-5"}`),
		Objective: Objective{"rmse", Minimise},
		Choices: []Choice{
			{Name: "depth", Options: []any{int64(1), int64(2), int64(8)}},
			{Name: "rate", Options: []any{1., .5, 1e-5}},
			{Name: "rate.log10", Kind: Ordinal, Options: []any{-3., -2.5, 0.}},
			{Name: "shape/kind", Options: []any{"linear", "2", "1e-5", "true", "null", "~", "日本 語"}},
			{Name: "bias", Options: []any{true, false}},
			{Name: "size", Kind: Ordinal, Options: []any{"small", "large"}},
			{Name: "group", Kind: Categorical, Options: []any{int64(7), int64(3), int64(1<<53 - 1), int64(1 - 1<<53)}},
			{Name: "wide", Options: []any{1., 18446744073709551615.}},
			{Name: "hex", Options: []any{int64(31), int64(15), int64(1), int64(0)}},
		},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	var ordered []bool
	for i := range s.Choices {
		ordered = append(ordered, s.Choices[i].Ordered())
	}
	if !slices.Equal(ordered, []bool{true, true, true, false, false, true, false, true, true}) {
		t.Errorf("ordered: %v", ordered)
	}
	if s.TrainerName() != "our-trainer" || s.Choice("size") != &s.Choices[5] || s.Choice("none") != nil || (&Choice{}).Ordered() {
		t.Error("names")
	}
}

// Without a kind numbers have an order where they rise or fall.
func TestOrdered(t *testing.T) {
	for _, c := range []struct {
		kind    Kind
		options []any
		want    bool
	}{
		{"", []any{1.0, 2.5}, true}, {"", []any{int64(3), int64(2), int64(0)}, true}, {"", []any{int64(7)}, true},
		{"", []any{int64(128), int64(64), int64(256)}, false}, {Ordinal, []any{int64(128), int64(64), int64(256)}, true},
		{Categorical, []any{int64(1), int64(2)}, false}, {"", []any{"a", "b"}, false}, {"", []any{false, true}, false}, {"", nil, false},
	} {
		if got := (&Choice{Kind: c.kind, Options: c.options}).Ordered(); got != c.want {
			t.Errorf("%q %v: %v", c.kind, c.options, got)
		}
	}
}

// A whole number is one option, whatever type the others beside it give it.
func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{int64(1), 1., true}, {1, json.Number("1"), true}, {0., math.Copysign(0, -1), true}, {"a", "a", true}, {true, true, true},
		{int64(1), 1.5, false}, {int64(1), "1", false}, {int64(1), true, false}, {"true", true, false}, {nil, nil, false},
		{[]any{1}, []any{1}, false}, {"a", map[string]any{}, false},
	} {
		if Same(c.a, c.b) != c.want || Same(c.b, c.a) != c.want {
			t.Errorf("%T %v and %T %v: %v", c.a, c.a, c.b, c.b, !c.want)
		}
	}
	s := Space{Name: "x", Choices: []Choice{{Name: "c", Options: []any{int64(1), .5, 1.}}}}
	if got := s.Validate(); len(got) != 1 || got[0].Option != 2 {
		t.Errorf("an option that is there twice: %v", got)
	}
	if got, err := s.Actions(map[string]any{"c": []any{1}}); err == nil {
		t.Errorf("a list is the option %v", got)
	}
}

// The whole of YAML's way to write a space reads as the flow style does.
func TestLoadBlockStyle(t *testing.T) {
	const block = `# a comment
---
"name": x
settings:
  epochs: 3
choices:
- name: 'c'      # another
  kind: ordinal
  options:
  - 1
  - 2
-
  options: [on, off, yes, no]
  name: words
...
`
	got := load(t, "\ufeff"+strings.ReplaceAll(block, "\n", "\r\n"))
	want := &Space{Name: "x", Settings: json.RawMessage(`{"epochs":3}`), Choices: []Choice{
		{Name: "c", Kind: Ordinal, Options: []any{int64(1), int64(2)}}, {Name: "words", Options: []any{"on", "off", "yes", "no"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// manyChoices is a space of n choices of two options, one a line from line 3 on.
func manyChoices(n int) string {
	var b strings.Builder
	b.WriteString("name: many\nchoices:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {name: choice-%d, options: [%d, x%d]}\n", i, i, i)
	}
	return strings.ReplaceAll(b.String(), ", x", ", 1")
}

func TestNumbersOfChoices(t *testing.T) {
	for n, size := range map[int]uint64{1: 2, 12: 1 << 12, 40: 1 << 40, 63: 1 << 63, 64: math.MaxUint64} {
		s := load(t, manyChoices(n))
		if got := s.Size(); got != size || len(s.Choices) != n || len(s.Options()) != n {
			t.Errorf("%d choices: %d models, want %d", len(s.Choices), got, size)
		}
		actions := make([]int, n)
		actions[n-1] = 1
		values, err := s.Values(actions)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := s.Actions(values); err != nil || !slices.Equal(back, actions) {
			t.Errorf("%v, %v", back, err)
		}
	}
	for n, want := range map[int]string{
		0: `line 2: "choices" is nothing, it must be a list`, 65: "line 2: 65 choices: there must be 1 to 64",
	} {
		if _, err := Load([]byte(manyChoices(n)), (*Space).Validate); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d choices: %v", n, err)
		}
	}
}

func TestValuesAndActions(t *testing.T) {
	s := load(t, typed)
	values, err := s.Values([]int{2, 1, 0, 2, 1, 0, 2, 1, 0})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"depth": int64(8), "rate": .5, "rate.log10": -3., "shape/kind": "1e-5", "bias": false, "size": "small",
		"group": int64(1<<53 - 1), "wide": 18446744073709551615., "hex": int64(31),
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Error(diff)
	}
	for _, bad := range [][]int{nil, {0}, make([]int, 10), {3, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0, -1}} {
		if v, err := s.Values(bad); err == nil {
			t.Errorf("actions %v give %v", bad, v)
		}
	}
	// The options' values find them again, also as JSON hands them on.
	var loose map[string]any
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &loose); err != nil {
		t.Fatal(err)
	}
	for _, v := range []map[string]any{values, loose} {
		if got, err := s.Actions(v); err != nil || !slices.Equal(got, []int{2, 1, 0, 2, 1, 0, 2, 1, 0}) {
			t.Errorf("%v, %v", got, err)
		}
	}
	delete(loose, "bias")
	loose["size"], loose["colour"], loose["age"], loose["shape/kind"] = "huge", "red", 7, 2
	_, err = s.Actions(loose)
	for _, want := range []string{
		`no option for the choice "bias" (there are: true, false)`, `choice "size" has no option huge (there are: small, large)`,
		`choice "shape/kind" has no option 2`, `no choice "age", "colour" in the space`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// All that is wrong is told together, each with its line.
func TestLoadReportsEverything(t *testing.T) {
	long := strings.Repeat("n", 65)
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		{"not YAML", "name: x\nchoices: [", []string{"space: line 2: not valid YAML"}},
		{"nothing", "", []string{"space: line 1: the space is nothing, it must be a mapping"}},
		{"a list", "- a\n", []string{"line 1: the space is a list, it must be a mapping"}},
		{"a second document", small + "---\nname: y\n", []string{"line 5: a second document: one space a file"}},
		{"an unknown field", small + "colour: red\n", []string{
			`line 4: unknown field "colour" of the space (known: choices, constraints, description, name, objective, settings, trainer)`,
		}},
		{"a field twice", small + "name: y\n", []string{`line 4: "name" is there twice, in line 1 already`}},
		{"no name", strings.TrimPrefix(small, "name: x\n"), []string{"line 1: the space has no name"}},
		{"an empty name", strings.Replace(small, "x", `""`, 1), []string{"line 1: the space has no name"}},
		{"a number for a name", strings.Replace(small, "x", "7", 1), []string{`line 1: "name" is 7, it must be text`}},
		{"no choices", "name: x\n", []string{"line 1: 0 choices: there must be 1 to 64"}},
		{"an empty list of choices", "name: x\nchoices: []\n", []string{"line 2: 0 choices: there must be 1 to 64"}},
		{"choices by name", "name: x\nchoices: {a: [1, 2]}\n", []string{`line 2: "choices" is a mapping, it must be a list of choices`}},
		{"no choice", "name: x\nchoices:\n- {name: a, options: [1]}\n- steps\n", []string{`line 4: a choice is steps, it must be a mapping`}},
		{"an unknown field of a choice", "name: x\nchoices:\n- name: a\n  values: [1]\n  options: [1]\n", []string{
			`line 4: unknown field "values" of a choice (known: kind, name, options)`,
		}},
		{"no options", "name: x\nchoices:\n- {name: a, options: []}\n- {name: b}\n- {name: c, options: 3}\n", []string{
			`line 3: choice "a" has no options`, `line 4: choice "b" has no options`, `line 5: "options" is 3, it must be a list`,
		}},
		{"names", "name: x\ntrainer: a b\nobjective: {metric: \"r\\tmse\"}\nchoices:\n" +
			"- {name: \"\", options: [1]}\n- {name: a b, options: [1]}\n" +
			"- {name: " + long + ", options: [1]}\n- {options: [1]}\n- {name: a*, options: [1]}\n", []string{
			`line 2: the trainer's name "a b": it must have 1 to 64 letters`, `line 3: the objective's metric "r\tmse": it must`,
			`line 5: choice "": it must have 1 to 64 letters, digits, '_', '-', '.' or '/', without blanks`, `line 6: choice "a b": it must`,
			`line 7: choice "` + long + `": it must`, `line 8: choice "": it must`, `line 9: choice "a*": it must`,
		}},
		{"twice", "name: x\nchoices:\n- {name: a, options: [1]}\n" +
			"- {name: b, options: [1, 2,\n    1.0, 2]}\n- {name: a, options: [x, \"x\"]}\n", []string{
			`line 5: choice "b": option 1 is there twice`, `line 5: choice "b": option 2 is there twice`, `line 6: choice "a" is there twice`,
			`line 6: choice "a": option x is there twice`,
		}},
		{"kinds", "name: x\nchoices:\n- {name: a, kind: nominal, options: [1]}\n- {name: b, kind: 3, options: [1]}\n", []string{
			`line 3: choice "a": the kind is "nominal": it must be categorical or ordinal`, `line 4: "kind" is 3, it must be text`,
		}},
		{"mixed types", "name: x\nchoices:\n- name: a\n  options:\n  - 1\n  - one\n  - true\n  - 2.5\n- {name: b, options: [x, 2]}\n", []string{
			`line 6: choice "a": option one is text, the first one is a number: all must be of one type`,
			`line 7: choice "a": option true is a truth value, the first one is a number`,
			`line 9: choice "b": option 2 is a number, the first one is text`,
		}},
		{"no scalars", "name: x\nchoices:\n- name: a\n  options:\n  - [1]\n  - {b: 1}\n  - null\n  -\n", []string{
			`line 5: choice "a": option 1 is a list, it must be text, a number or a truth value`, `line 6: choice "a": option 2 is a mapping`,
			`line 7: choice "a": option 3 is nothing`, `choice "a": option 4 is nothing`,
		}},
		{"text", "name: x\nchoices:\n- name: a\n  options:\n  - \"\"\n  - " + strings.Repeat("a", 201) + "\n  - \"a\\nb\"\n  - fine\n", []string{
			`line 5: choice "a": option 1 must be text of 1 to 200 bytes, without control characters`, `line 6: choice "a": option 2 must be text`,
			`line 7: choice "a": option 3 must be text`,
		}},
		{"numbers", "name: x\nchoices:\n- {name: a, options: [.inf, 1]}\n- {name: b, options: [1, -.inf, .nan]}\n", []string{
			`line 3: choice "a": option +Inf is no finite number`, `line 4: choice "b": option -Inf`, `line 4: choice "b": option NaN`,
		}},
		{"too many options", "name: x\nchoices:\n- {name: a, options: [" + strings.TrimSuffix(strings.Repeat("1, ", 1001), ", ") + "]}\n",
			[]string{`line 3: choice "a": 1001 options: there can be 1000`}},
		{"settings", small + "settings: [1]\n", []string{"line 4: the settings are no mapping"}},
		{"a word for settings", small + "settings: many\n", []string{"line 4: the settings are no mapping"}},
		{"large settings", small + "settings:\n  a: " + strings.Repeat("a", 17<<10) + "\n", []string{
			"line 4: the settings have 17416 bytes, more than 16384",
		}},
		{"settings without end", small + "settings: {a: .nan}\n", []string{`line 4: "settings"`}},
		{"objective", small + "objective: accuracy\n", []string{`line 4: "objective" is accuracy, it must be a mapping`}},
		{"a direction", small + "objective:\n  metric: a\n  direction: max\n", []string{
			`line 4: the objective's direction is "max": it must be maximise or minimise`,
		}},
		{"an unknown field of the objective", small + "objective: {name: a}\n", []string{
			`line 4: unknown field "name" of "objective" (known: direction, metric)`,
		}},
		{"several at once", "colour: red\ntrainer: 7\nchoices:\n" +
			"- {name: a, options: [1, x]}\n- {name: a, options: []}\nobjective: {direction: up}\n", []string{
			`line 1: unknown field "colour"`, `line 1: the space has no name`, `line 2: "trainer" is 7`, `line 4: choice "a": option x`,
			`line 5: choice "a" is there twice`, `line 5: choice "a" has no options`, `line 6: the objective's direction is "up"`,
		}},
		{"an anchor", "name: &n x\nchoices:\n- {name: *n, options: [1]}\n", []string{
			"line 1: anchor: write it out", `line 1: "name" is nothing`, "line 3: alias: write it out", `line 3: "name" is nothing`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load([]byte(c.yaml), (*Space).Validate)
			if err == nil {
				t.Fatal("it was taken")
			}
			t.Log(err)
			if !strings.HasPrefix(err.Error(), "space: line ") {
				t.Errorf("no line: %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(c.want) {
				t.Errorf("%d problems are told, there are %d: %v", got, len(c.want), err)
			}
		})
	}
}

// What the trainer finds is told with the rest, at the lines it speaks of.
func TestLoadAsksTheTrainer(t *testing.T) {
	check := func(s *Space) []Problem {
		return append(s.Validate(), In("settings", "no such setting"), InChoice(1, 1, "no such option"), InChoice(0, -1, "no such choice"),
			In("objective", "no such metric"), InChoice(7, 0, "out of the list"), InChoice(1, 7, "out of the options"))
	}
	_, err := Load([]byte("name: x\nsettings: {a: 1}\nchoices:\n"+
		"- {name: a, options: [1]}\n- name: b\n  options:\n  - 1\n  - 2\ntrainer: ''\nobjectiv: 1\n"), check)
	want := "space: line 1: no such metric\nline 2: no such setting\nline 3: out of the list\n" +
		"line 4: no such choice\nline 5: out of the options\n" +
		"line 8: no such option\n" +
		`line 10: unknown field "objectiv" of the space (known: choices, constraints, description, name, objective, settings, trainer)`
	if fmt.Sprint(err) != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// A space that does not come from a file is checked by the same rules.
func TestValidate(t *testing.T) {
	s := Space{Name: "x", Settings: json.RawMessage("null"), Choices: []Choice{
		{Name: "a\xff", Options: []any{"x\xff", int32(3)}}, {Name: "b", Options: []any{math.NaN(), math.Inf(1)}},
	}}
	err := s.Join(s.Validate())
	for _, want := range []string{
		`space "x": `, "the settings are no mapping", `choice "a\xff": it must`, "option 1 must be text", `option 2 is a mapping`,
		"option NaN is no finite number", "option +Inf is no finite number",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if s.Join(nil) != nil {
		t.Error("nothing is wrong")
	}
	var c Choice
	for _, bad := range []string{`{"name":"a","values":[1]}`, `{"name":3}`, `{"options":3}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &c); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range BuiltinNames() {
		b, _ := builtin.ReadFile("builtin/" + name + ".yaml")
		f.Add(b)
	}
	f.Add([]byte(typed))
	f.Add([]byte(small + "settings: {a: [1e400, 0x1, \"b\"]}\nobjective: {metric: a}\n"))
	f.Add([]byte("name: x\nchoices: [{name: steps, options: [1e400]}]"))
	f.Add([]byte("name: x\nchoices: [{name: steps, options: [-0, 0, 1e-5, 18446744073709551616]}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b, (*Space).Validate)
		if err != nil {
			return
		}
		if problems := s.Validate(); len(problems) > 0 {
			t.Errorf("loaded, but not valid: %v", s.Join(problems))
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Space
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*s, back); diff != "" || back.Digest() != s.Digest() {
			t.Errorf("JSON makes another space of it: %s", diff)
		}
		last := s.Options()
		for i := range last {
			last[i]--
		}
		for _, actions := range [][]int{make([]int, len(last)), last} {
			values, err := s.Values(actions)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Actions(values); err != nil || !slices.Equal(got, actions) {
				t.Errorf("actions %v are found again as %v, %v", actions, got, err)
			}
		}
	})
}
