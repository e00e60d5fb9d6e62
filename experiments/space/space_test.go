package space

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/child"
)

func TestBuiltinsAreValid(t *testing.T) {
	if diff := cmp.Diff([]string{"image", "paper", "paper-small", "text", "text-small"}, BuiltinNames()); diff != "" {
		t.Fatal(diff)
	}
	for _, name := range BuiltinNames() {
		s, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != name {
			t.Errorf("file %s holds the space %s", name, s.Name)
		}
	}
	if _, err := Builtin("txt"); err == nil || !strings.Contains(err.Error(), "text-small") {
		t.Errorf("an unknown space must list the known ones: %v", err)
	}
}

// The paper's spaces are those of texts with its own wide tower: a controller
// of the one proposes for the other.
func TestPaperSpaces(t *testing.T) {
	for name, of := range map[string]string{"paper": "text", "paper-small": "text-small"} {
		s := builtinSpace(t, name)
		if s.Digest() != builtinSpace(t, of).Digest() {
			t.Errorf("%s has other choices than %s", name, of)
		}
		e, err := s.Expand([]string{"m"})
		if err != nil {
			t.Fatal(err)
		}
		cfg, _, err := e.Child(make([]int, len(e.Choices)))
		if err != nil || cfg.WideNGrams > 1 || cfg.WideStart != -1 {
			t.Errorf("%s: %+v %v", name, cfg, err)
		}
	}
}

// The reconstruction has the paper's size, "1.1B configurations".
func TestTextHasThePapersSize(t *testing.T) {
	s := builtinSpace(t, "text")
	expanded, err := s.Expand([]string{"h", "g", "f", "e", "d", "c", "b", "a"})
	if err != nil {
		t.Fatal(err)
	}
	if got := expanded.Size(); got != 1_106_380_800 {
		t.Errorf("%d child models", got)
	}
	if diff := cmp.Diff([]int{8, 2, 5, 5, 6, 3, 7, 8, 7, 8, 7, 7}, expanded.Options()); diff != "" {
		t.Error(diff)
	}
	if expanded.Choices[0].Options[0] != "a" || s.Choices[0].Options[0] != "*" {
		t.Error("modules are sorted in the expanded space, and the original is left alone")
	}
	if s.Digest() == expanded.Digest() {
		t.Error("the modules are part of the digest")
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

func TestJSONRoundTripKeepsTypesAndDigest(t *testing.T) {
	for _, name := range BuiltinNames() {
		s := builtinSpace(t, name)
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
	}
}

// A digest is stored in every controller: it must not drift.
func TestDigestIsStable(t *testing.T) {
	s := Space{Name: "x", Choices: []Choice{{Name: Dropout, Options: []any{0.0, .5}}, {Name: Steps, Options: []any{int64(50)}}}}
	const want = "sha256:044e60877b5fe7e9148e5518a5e4c3d7fbb9144824f80b3fdbb1cab1c437e2cc"
	if got := s.Digest(); got != want {
		t.Errorf("digest %s", got)
	}
	s.Name, s.Description = "y", "z"
	if got := s.Digest(); got != want {
		t.Error("name and description are not part of the digest")
	}
}

func TestChildAndDescribe(t *testing.T) {
	s := builtinSpace(t, "text")
	e, err := s.Expand([]string{"wiki", "news"})
	if err != nil {
		t.Fatal(err)
	}
	actions := []int{1, 1, 2, 2, 3, 1, 3, 3, 1, 4, 0, 3}
	cfg, module, err := e.Child(actions)
	if err != nil {
		t.Fatal(err)
	}
	want := child.Config{
		FineTune: true, HiddenLayers: 2, HiddenSize: 128, Activation: child.Swish, Normalisation: child.BatchNorm, Dropout: .2,
		DeepLearningRate: .03, DeepRegularisation: .0001, WideLearningRate: .1, WideRegularisation: 0, Steps: 400,
		WideNGrams: DefaultWideNGrams,
	}
	if diff := cmp.Diff(want, cfg); diff != "" || module != "wiki" {
		t.Errorf("module %s, %s", module, diff)
	}
	const words = "wiki tuned · 2x128 swish batch norm · dropout 0.2 · deep 0.03 L2 0.0001 · wide 0.1 · 400 steps"
	if got := e.Describe(actions); got != words {
		t.Errorf("described as %q", got)
	}
	for _, bad := range [][]int{nil, actions[1:], {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if _, _, err := e.Child(bad); err == nil {
			t.Errorf("actions %v were taken", bad)
		}
	}
}

// Every option of every choice designs a valid child model.
func TestEveryOptionIsAValidChild(t *testing.T) {
	for _, name := range BuiltinNames() {
		s, err := builtinSpace(t, name).Expand([]string{"m"})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range s.Options() {
			for o := range n {
				actions := make([]int, len(s.Choices))
				actions[i] = o
				if _, _, err := s.Child(actions); err != nil {
					t.Errorf("%s: %s %v: %v", name, s.Choices[i].Name, s.Choices[i].Options[o], err)
				}
			}
		}
	}
}

func TestExpandErrors(t *testing.T) {
	s := builtinSpace(t, "text")
	if _, err := s.Expand(nil); err == nil || !strings.Contains(err.Error(), "module add") {
		t.Errorf("no modules: %v", err)
	}
	s.Choices[0].Options = []any{"a", "zz"}
	if _, err := s.Expand([]string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "zz") || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("a missing module: %v", err)
	}
}

func TestLoadReportsEverything(t *testing.T) {
	text, err := builtin.ReadFile("builtin/text.yaml")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(string(text)) }
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		{"not YAML", "choices: [", []string{"space:"}},
		{"an unknown field", "name: x\ncolour: red\n", []string{"colour"}},
		{"no choices", "name: x\n", []string{`"module" is missing`, `"steps" is missing`}},
		{"an unknown choice", edit("name: dropout", "name: droput"), []string{`unknown choice "droput"`, `"dropout" is missing`}},
		{"twice", edit("name: dropout", "name: steps"), []string{`"steps" is there twice`, `"dropout" is missing`}},
		{"wrong types", edit("[32,", "[many,", "[false, true]", "[no, 3]"), []string{`"hidden_size": option many must`, `"fine_tune": option no must`, `"fine_tune": option 3 must`}},
		{"impossible options", edit("[0, 0.05,", "[1.5, 0.05,", "tanh]", "gelu]", "[0, 1, 2, 3, 5]", "[-1, 1]"), []string{"1.5", "gelu", "-1"}},
		{"an option twice", edit("[50, 100,", "[50, 50,"), []string{"option 50 is there twice"}},
		{"no options", edit("[none, batch, layer]", "[]"), []string{`"normalisation" has no options`}},
		{"the star not alone", edit(`["*"]`, `["*", a]`), []string{"must stand alone"}},
		{"out of order", edit("name: module, options: [\"*\"]", "name: fine_tune, options: [true]", "name: fine_tune, options: [false, true]", `name: module, options: ["*"]`), []string{"in the order"}},
		{"no name", strings.Replace(string(text), "name: text", "name: \"\"", 1), []string{"no name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load([]byte(c.yaml))
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range BuiltinNames() {
		b, _ := builtin.ReadFile("builtin/" + name + ".yaml")
		f.Add(b)
	}
	f.Add([]byte("name: x\nchoices: [{name: steps, options: [1e400]}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b)
		if err != nil {
			return
		}
		if _, _, err := s.Child(make([]int, len(s.Choices))); err != nil {
			t.Errorf("loaded, but its first child model is not valid: %v", err)
		}
	})
}

// What the wide tower sees is the space's own, for all of its child models:
// pairs of tokens, unless it says otherwise.
func TestWideNGrams(t *testing.T) {
	yaml, err := builtin.ReadFile("builtin/text-small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]int{"": 2, "wide_ngrams: 1\n": 0, "wide_ngrams: 3\n": 3} {
		s, err := Load(append(slices.Clone(yaml), line...))
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.Expand([]string{"m"})
		if err != nil {
			t.Fatal(err)
		}
		if cfg, _, err := e.Child(make([]int, len(e.Choices))); err != nil || cfg.WideNGrams != want {
			t.Errorf("%q: %d, %v, want %d", line, cfg.WideNGrams, err, want)
		}
		if plain := builtinSpace(t, "text-small"); plain.Digest() != s.Digest() {
			t.Error("a controller learns about the choices alone")
		}
	}
	for _, n := range []string{"4", "-1"} {
		if _, err := Load(append(slices.Clone(yaml), "wide_ngrams: "+n+"\n"...)); err == nil || !strings.Contains(err.Error(), "n-grams of up to "+n) {
			t.Errorf("%v", err)
		}
	}
	// A search that began before there were n-grams goes on as it began.
	e, err := builtinSpace(t, "text-small").Expand([]string{"m"})
	if err != nil {
		t.Fatal(err)
	}
	e.WideNGrams = 0
	if cfg, _, err := e.Child(make([]int, len(e.Choices))); err != nil || cfg.WideNGrams != 0 {
		t.Errorf("a search of before: %d, %v", cfg.WideNGrams, err)
	}
	// So do image models, whose results the trial cache has.
	e, err = builtinSpace(t, "image").Expand([]string{"m"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg, _, err := e.Child(make([]int, len(e.Choices))); err != nil || cfg.WideNGrams != 0 {
		t.Errorf("images: %d, %v", cfg.WideNGrams, err)
	}
}

// The start of the wide tower is the space's own, for all of its child models.
func TestWideStart(t *testing.T) {
	yaml, err := builtin.ReadFile("builtin/text-small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Load(append(yaml, "wide_start: -1\n"...))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Expand([]string{"m"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg, _, err := e.Child(make([]int, len(e.Choices))); err != nil || cfg.WideStart != -1 {
		t.Errorf("%+v, %v", cfg, err)
	}
	if plain := builtinSpace(t, "text-small"); plain.Digest() != s.Digest() {
		t.Error("a controller learns about the choices alone")
	}
	if _, err := Load(append(yaml, "wide_start: 11\n"...)); err == nil || !strings.Contains(err.Error(), "wide start of 11") {
		t.Errorf("%v", err)
	}
}
