package trainer

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/space"
	"tnaml/nn/child"
)

func builtinSpace(t testing.TB, name string) *space.Space {
	t.Helper()
	s, err := space.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// says reports whether an error is there and has all of the words.
func says(err error, words ...string) bool {
	return err != nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(err.Error(), w) })
}

// filled is a built-in space with modules, for the tasks it is made for.
func filled(t testing.TB, sp *space.Space, modules ...string) *space.Space {
	t.Helper()
	kind := "text"
	if sp.Name == "image" {
		kind = "image"
	}
	out, err := Builtin{}.Fill(sp, kind, modules)
	if err != nil {
		t.Fatal(err)
	}
	return &out
}

// childOf is the child model of a sequence of actions.
func childOf(sp *space.Space, actions []int) (child.Config, string, error) {
	choices, err := sp.Values(actions)
	if err != nil {
		return child.Config{}, "", err
	}
	return Builtin{}.Child(choices, sp.Settings)
}

// yamlOf is the text of a built-in space.
func yamlOf(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("../space/builtin/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBuiltinSpacesAreTheTrainers(t *testing.T) {
	for _, name := range space.BuiltinNames() {
		sp, err := Load([]byte(yamlOf(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(builtinSpace(t, name), sp); diff != "" {
			t.Error(diff)
		}
		if err := sp.Join(Check(filled(t, sp, "m"))); err != nil {
			t.Error(err)
		}
	}
}

// The paper's spaces have its own wide tower.
func TestPaperSpaces(t *testing.T) {
	for _, name := range []string{"paper", "paper-small"} {
		e := filled(t, builtinSpace(t, name), "m")
		cfg, _, err := childOf(e, make([]int, len(e.Choices)))
		if err != nil || cfg.WideNGrams > 1 || cfg.WideStart != -1 {
			t.Errorf("%s: %+v %v", name, cfg, err)
		}
	}
}

// twelve is the paper's space with models that see pairs of tokens.
func twelve(t testing.TB) *space.Space {
	t.Helper()
	sp, err := Load([]byte(twelveYAML(t)))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func twelveYAML(t testing.TB) string {
	t.Helper()
	before, after, ok := strings.Cut(yamlOf(t, "paper"), "settings: {wide_ngrams: 1, wide_start: -1}\n")
	if !ok {
		t.Fatal("the paper's space has other settings")
	}
	return strings.Replace(before, "name: paper", "name: text", 1) + "# its settings\n" + after
}

// The reconstruction has the paper's size, "1.1B configurations".
func TestPaperHasThePapersSize(t *testing.T) {
	s := twelve(t)
	expanded := filled(t, s, "h", "g", "f", "e", "d", "c", "b", "a")
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
	if got := filled(t, builtinSpace(t, "image"), "a", "b", "c", "d", "e").Size(); got != 345_744_000 {
		t.Errorf("%d child models of images", got)
	}
}

func TestChildAndDescribe(t *testing.T) {
	e := filled(t, twelve(t), "wiki", "news")
	actions := []int{1, 1, 2, 2, 3, 1, 3, 3, 1, 4, 0, 3}
	cfg, module, err := childOf(e, actions)
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
	if got := Describe(e, actions); got != words {
		t.Errorf("described as %q", got)
	}
	const plain = "news · no hidden layer · deep 0.001 · wide 0.001 L1 1 · 50 steps"
	if got := Describe(e, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0}); got != plain {
		t.Errorf("described as %q", got)
	}
	for _, bad := range [][]int{nil, actions[1:], {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		if _, _, err := childOf(e, bad); err == nil {
			t.Errorf("actions %v were taken", bad)
		}
		if got := Describe(e, bad); !strings.Contains(got, `space "text"`) {
			t.Errorf("actions %v are described as %q", bad, got)
		}
	}
	// Numbers arrive from JSON as float64: the same child.
	choices, err := e.Values(actions)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(choices)
	if err != nil {
		t.Fatal(err)
	}
	var loose map[string]any
	if err := json.Unmarshal(b, &loose); err != nil {
		t.Fatal(err)
	}
	if got, module, err := (Builtin{}).Child(loose, e.Settings); err != nil || module != "wiki" || !cmp.Equal(want, got) {
		t.Errorf("from JSON: %+v, %v", got, err)
	}
	if got := (Builtin{}).Words(loose); got != words {
		t.Errorf("from JSON: %q", got)
	}
}

// Everything wrong with a request's choices is told together.
func TestChildReportsEverything(t *testing.T) {
	e := filled(t, builtinSpace(t, "text-small"), "m")
	good, err := e.Values(make([]int, len(e.Choices)))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change   map[string]any
		settings string
		want     []string
	}{
		"types": {map[string]any{Module: 1., FineTune: "yes", HiddenLayers: 1.5, HiddenSize: "many", Activation: 3.,
			Dropout: true, Steps: nil}, "", []string{
			`choice "module": option 1 must be a module's name`, `choice "fine_tune": option yes must be true or false`,
			`choice "hidden_layers": option 1.5 must be an integer`, `choice "hidden_size": option many must be an integer`,
			`choice "activation": option 3 must be a word`, `choice "dropout": option true must be a number`, `choice "steps": option <nil> must be`,
		}},
		"unknown choices": {map[string]any{"colour": "red", "age": 3.}, "", []string{`unknown choice "age"`, `unknown choice "colour"`}},
		"settings":        {nil, `{"wide_stat":1}`, []string{`unknown field "wide_stat" (known: wide_start, wide_ngrams, reshuffle)`}},
		"values": {map[string]any{Activation: "gelu", Dropout: 1.5, Steps: int64(0)}, `{"wide_ngrams":7}`, []string{
			"gelu", "1.5", "n-grams of up to 7",
		}},
	} {
		choices := map[string]any{}
		for k, v := range good {
			choices[k] = v
		}
		for k, v := range c.change {
			choices[k] = v
		}
		_, _, err := Builtin{}.Child(choices, json.RawMessage(c.settings))
		for _, want := range c.want {
			if !says(err, want) {
				t.Errorf("%s: %q is not in: %v", name, want, err)
			}
		}
	}
	_, _, err = Builtin{}.Child(nil, nil)
	if err == nil || strings.Count(err.Error(), "no choice") != 12 {
		t.Errorf("no choices: %v", err)
	}
}

// Every option of every choice designs a valid child model.
func TestEveryOptionIsAValidChild(t *testing.T) {
	for _, name := range space.BuiltinNames() {
		s := filled(t, builtinSpace(t, name), "m")
		for i, n := range s.Options() {
			for o := range n {
				actions := make([]int, len(s.Choices))
				actions[i] = o
				if _, _, err := childOf(s, actions); err != nil {
					t.Errorf("%s: %s %v: %v", name, s.Choices[i].Name, s.Choices[i].Options[o], err)
				}
			}
		}
	}
}

func TestFill(t *testing.T) {
	b := Builtin{}
	s := twelve(t)
	if _, err := b.Fill(s, "text", nil); !says(err, "module add", "no text module") {
		t.Errorf("no modules: %v", err)
	}
	if _, err := b.Fill(builtinSpace(t, "image"), "image", nil); !says(err, "no image module") {
		t.Errorf("no modules of images: %v", err)
	}
	if _, err := b.Fill(s, "image", []string{"a"}); !says(err, `take the space "image"`) {
		t.Errorf("modules of images tuned: %v", err)
	}
	e := filled(t, s, "b", "a")
	if e.Objective != (space.Objective{Metric: Accuracy, Direction: space.Maximise}) || string(e.Settings) != `{"wide_ngrams":2}` {
		t.Errorf("filled in: %+v %s", e.Objective, e.Settings)
	}
	if s.Objective != (space.Objective{}) || s.Settings != nil {
		t.Error("the space itself was changed")
	}
	if got := b.Modules(e); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("modules %v", got)
	}
	if again := filled(t, e, "b", "a", "c"); !cmp.Equal(e, again) {
		t.Error(cmp.Diff(e, again))
	}
	if got := filled(t, builtinSpace(t, "paper"), "m").Settings; string(got) != `{"wide_start":-1,"wide_ngrams":1}` {
		t.Errorf("the paper's settings are %s", got)
	}
	for metric, direction := range map[string]space.Direction{
		Accuracy: space.Maximise, MacroF1: space.Maximise, LogLoss: space.Minimise, AUC: space.Maximise,
	} {
		sp := *s
		sp.Objective.Metric = metric
		if got := filled(t, &sp, "m").Objective; got != (space.Objective{Metric: metric, Direction: direction}) {
			t.Errorf("%s is %+v", metric, got)
		}
		sp.Objective.Direction = space.Minimise
		if got := filled(t, &sp, "m").Objective.Direction; got != space.Minimise {
			t.Errorf("%s, to be minimised, is to be %s", metric, got)
		}
	}
	s.Choices[0].Options = []any{"a", "zz"}
	if _, err := b.Fill(s, "text", []string{"a", "b"}); !says(err, "no module zz", "a, b") {
		t.Errorf("a missing module: %v", err)
	}
	s.Choices[0].Name = "modul"
	if _, err := b.Fill(s, "text", []string{"a"}); !says(err, `no choice "module"`) {
		t.Errorf("without the choice: %v", err)
	}
	if !b.Takes("text") || !b.Takes("image") || b.Takes("table") || b.Takes("") {
		t.Error("task kinds")
	}
}

// A space may leave the choices out that the paper does not have; with them a model is said in words, and what cannot be is refused.
func TestChoicesBeyondThePapers(t *testing.T) {
	e := filled(t, builtinSpace(t, "text"), "wiki")
	actions := make([]int, len(e.Choices))
	for i, c := range e.Choices {
		if c.Name == WideCost || c.Name == WideVectors {
			actions[i] = 1
		}
	}
	cfg, _, err := childOf(e, actions)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.WideFeatures != child.Words2 || cfg.WideSolver != child.Dual || cfg.WideCost != 1 || cfg.WideShare != .5 ||
		cfg.WideVectors != .7 || cfg.WideBayes != .1 || cfg.WideNormalisation != child.L2 || cfg.WideWeighting != "tf_idf" {
		t.Errorf("%+v", cfg)
	}
	const words = "wiki · no hidden layer · deep 0.03 · wide words2 tf_idf normalised dual C 1 share 0.5 vectors 0.7 bayes 0.1 · 200 steps"
	if got := Describe(e, actions); got != words {
		t.Errorf("described as %q", got)
	}
	attended := map[string]any{Pooling: "attention"}
	for i, c := range e.Choices {
		attended[c.Name] = c.Options[actions[i]]
	}
	if got := (Builtin{}).Words(attended); !strings.HasPrefix(got, "wiki attention · no hidden layer") {
		t.Errorf("described as %q", got)
	}
	more := yamlOf(t, "text") + "  - {name: loss, options: [softmax, squared_hinge]}\n  - {name: class_weights, options: [none, balanced]}\n" +
		"  - {name: pooling, options: [mean, sif, max, attention]}\n"
	if _, err := Load([]byte(more)); err != nil {
		t.Error(err)
	}
	for option, want := range map[string]string{
		"[dual]": `unknown wide solver "sgd"`, "[l2]": `unknown wide normalisation "sgd"`, "[tf_idf, log_odds]": `unknown weight "sgd"`,
		"[words2, both]": `unknown wide features "sgd"`, "[softmax, squared_hinge]": `unknown loss "sgd"`,
		"[none, balanced]": `unknown class weights "sgd"`, "[mean, sif, max, attention]": `unknown pooling "sgd"`,
		"[0.5, 1]": `"wide_share": option sgd must be a number`, "[0, 0.7]": `"wide_vectors": option sgd must be a number`,
	} {
		if _, err := Load([]byte(strings.Replace(more, option, "[sgd]", 1))); !says(err, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	const frozen = "fine_tune, options: [false]"
	_, err = Load([]byte(strings.Replace(more, frozen, "fine_tune, options: [false, true]", 1)))
	for _, option := range []string{`"wide_vectors": option 0.7`, `"pooling": option max`, `"pooling": option attention`} {
		if !says(err, option+" needs a module that stays") {
			t.Errorf("a tuned module: no word of %s: %v", option, err)
		}
	}
	if says(err, "option sif needs") || !strings.Contains(more, frozen) {
		t.Errorf("a tuned module: %v", err)
	}
	if _, err := (Builtin{}).Fill(builtinSpace(t, "text"), "image", []string{"a"}); !says(err, `space "image"`) {
		t.Errorf("a space of texts for images: %v", err)
	}
}

func TestCheckReportsEverything(t *testing.T) {
	text := twelveYAML(t)
	edit := func(pairs ...string) string {
		out := strings.NewReplacer(pairs...).Replace(text)
		if out == text {
			t.Fatalf("%q changes nothing", pairs)
		}
		return out
	}
	for _, c := range []struct {
		name, yaml string
		want       []string
	}{
		{"not YAML", "choices: [", []string{"space:"}},
		{"an unknown field", "name: x\ncolour: red\n", []string{"colour"}},
		{"fields of before", text + "wide_ngrams: 1\n", []string{`line 19: unknown field "wide_ngrams"`}},
		{"no choices", "name: x\n", []string{`"module" is missing`, `"steps" is missing`, "to fix it, give it a single option"}},
		{"an unknown choice", edit("name: dropout", "name: droput"), []string{
			`line 13: unknown choice "droput" (known: module, fine_tune`, `"dropout" is missing`,
		}},
		{"twice", edit("name: dropout", "name: steps"), []string{`"steps" is there twice`, `"dropout" is missing`}},
		{"wrong types", edit("[32,", "[many,", "[false, true]", "[no, 3]", "[0, 1, 2, 3, 5]", "[0, 1.5]"), []string{
			`line 10: choice "hidden_size": option many must`, `line 8: choice "fine_tune": option no must`, `"fine_tune": option 3 must`,
			`line 9: choice "hidden_layers": option 1.5 must be an integer`,
		}},
		{"impossible options", edit("[0, 0.05,", "[1.5, 0.05,", "tanh]", "gelu]", "[0, 1, 2, 3, 5]", "[-1, 1]"), []string{
			`choice "dropout": option 1.5`, `choice "activation": option gelu`, `choice "hidden_layers": option -1`,
		}},
		{"an option twice", edit("[50, 100,", "[50, 50,"), []string{"option 50 is there twice"}},
		{"no options", edit("[none, batch, layer]", "[]"), []string{`"normalisation" has no options`}},
		{"the star not alone", edit(`["*"]`, `["*", a]`), []string{"must stand alone"}},
		{"a module's number", edit(`["*"]`, `[1, 2]`), []string{`choice "module": option 1 must be a module's name`, `option 2 must be`}},
		{"no name", strings.Replace(text, "name: text", "name: \"\"", 1), []string{"no name"}},
		{"an objective", text + "objective: {metric: rmse}\n", []string{
			`line 19: the trainer builtin reports no "rmse" (known: accuracy, macro_f1, log_loss, auc, calibration_error)`,
		}},
		{"settings", text + "settings:\n  wide: 3\n", []string{
			`line 19: settings of the trainer builtin: unknown field "wide" (known: wide_start, wide_ngrams, reshuffle)`,
		}},
		{"settings' types", text + "settings: {wide_start: much}\n", []string{`line 19: settings of the trainer builtin`, "wide_start"}},
		{"both", edit("gelu", "", "relu6", "relu7") + "settings: {wide_start: 11, wide_ngrams: 4}\ncolour: red\n", []string{
			`option relu7`, "wide start of 11", "n-grams of up to 4", "colour",
		}},
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

// The choices may stand in any order.
func TestAnyOrder(t *testing.T) {
	lines := strings.SplitAfter(yamlOf(t, "text-small"), "\n")
	at := slices.Index(lines, "choices:\n") + 1
	slices.Reverse(lines[at : at+12])
	sp, err := Load([]byte(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	if sp.Choices[0].Name != Steps || sp.Choices[11].Name != Module {
		t.Errorf("%v", sp.Choices)
	}
	one, other := filled(t, sp, "m"), filled(t, builtinSpace(t, "text-small"), "m")
	if a, b := Describe(one, make([]int, 12)), Describe(other, make([]int, 12)); a != b {
		t.Errorf("%q and %q", a, b)
	}
	if one.Digest() == other.Digest() {
		t.Error("a controller takes the choices in their order")
	}
}

// What the wide tower sees is the space's own, for all of its child models:
// pairs of tokens, unless it says otherwise.
func TestWideNGrams(t *testing.T) {
	yaml := yamlOf(t, "text-small")
	for line, want := range map[string]int{"": 2, "settings: {wide_ngrams: 1}\n": 0, "settings: {wide_ngrams: 3}\n": 3} {
		s, err := Load([]byte(yaml + line))
		if err != nil {
			t.Fatal(err)
		}
		e := filled(t, s, "m")
		if cfg, _, err := childOf(e, make([]int, len(e.Choices))); err != nil || cfg.WideNGrams != want {
			t.Errorf("%q: %d, %v, want %d", line, cfg.WideNGrams, err, want)
		}
		if plain := builtinSpace(t, "text-small"); plain.Digest() != s.Digest() {
			t.Error("a controller learns about the choices alone")
		}
	}
	for _, n := range []string{"4", "-1"} {
		if _, err := Load([]byte(yaml + "settings: {wide_ngrams: " + n + "}\n")); !says(err, "n-grams of up to "+n) {
			t.Errorf("%v", err)
		}
	}
	// Image models see pixels.
	e := filled(t, builtinSpace(t, "image"), "m")
	if cfg, _, err := childOf(e, make([]int, len(e.Choices))); err != nil || cfg.WideNGrams != 0 {
		t.Errorf("images: %d, %v", cfg.WideNGrams, err)
	}
}

// The start of the wide tower is the space's own, for all of its child models.
func TestWideStart(t *testing.T) {
	yaml := yamlOf(t, "text-small")
	s, err := Load([]byte(yaml + "settings: {wide_start: -1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	e := filled(t, s, "m")
	if cfg, _, err := childOf(e, make([]int, len(e.Choices))); err != nil || cfg.WideStart != -1 {
		t.Errorf("%+v, %v", cfg, err)
	}
	if plain := builtinSpace(t, "text-small"); plain.Digest() != s.Digest() {
		t.Error("a controller learns about the choices alone")
	}
	if _, err := Load([]byte(yaml + "settings: {wide_start: 11}\n")); !says(err, "wide start of 11") {
		t.Errorf("%v", err)
	}
}

// A small rate may be written as 1e-5, and an editor on Windows may have saved
// the file.
func TestSpacesThatPeopleWrite(t *testing.T) {
	yaml := strings.Replace(yamlOf(t, "text-small"), "deep_regularisation, options: [0, 0.0001, 0.001, 0.01]",
		"deep_regularisation, options: [0, 1e-5, 1E-4]", 1)
	for _, text := range []string{yaml, "\ufeff" + yaml, "\ufeff" + strings.ReplaceAll(yaml, "\n", "\r\n")} {
		sp, err := Load([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := sp.Choice(DeepRegularisation).Options; !cmp.Equal(got, []any{0., 1e-5, 1e-4}) || sp.Name != "text-small" {
			t.Errorf("%v of %q", got, sp.Name)
		}
	}
	quoted := strings.Replace(yaml, "1e-5", `"1e-5"`, 1)
	if _, err := Load([]byte(quoted)); !says(err, `option 1e-5 is text`, "must be a number") {
		t.Errorf("in quotes: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range space.BuiltinNames() {
		f.Add([]byte(yamlOf(f, name)))
	}
	f.Add([]byte("name: x\nchoices: [{name: steps, options: [1e400]}]"))
	f.Add([]byte("name: x\ntrainer: table\nsettings: {}\nchoices: [{name: steps, options: [1]}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b)
		if err != nil {
			return
		}
		first := make([]int, len(s.Choices))
		if Describe(s, first) == "" {
			t.Error("its first model has no words")
		}
		if s.TrainerName() != space.DefaultTrainer {
			return
		}
		if _, _, err := childOf(s, first); err != nil {
			t.Errorf("loaded, but its first child model is not valid: %v", err)
		}
	})
}

// Trainers that the program does not bring take what they are given.
func TestOtherTrainers(t *testing.T) {
	sp, err := Load([]byte("name: x\ntrainer: ours\nsettings: {epochs: 3}\nchoices:\n" +
		"- {name: depth, options: [1, 2]}\n- {name: loss, options: [hinge, log]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	ours := Find(sp.TrainerName())
	out, err := ours.Fill(sp, "anything", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := *sp
	want.Objective = space.Objective{Metric: "validation", Direction: space.Maximise}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if ours.Name() != "ours" || !ours.Takes("anything") || !ours.Takes("") || len(ours.Metrics()) != 0 || len(ours.Modules(sp)) != 0 {
		t.Error("what is known of it")
	}
	sp.Objective = space.Objective{Metric: "rmse", Direction: space.Minimise}
	if out, err := ours.Fill(sp, "", nil); err != nil || out.Objective != sp.Objective {
		t.Errorf("%+v, %v", out.Objective, err)
	}
	if got := Describe(sp, []int{1, 0}); got != "depth 2 · loss hinge" {
		t.Errorf("%q", got)
	}
	table := *sp
	table.Trainer = "table"
	if problems := Check(&table); len(problems) != 1 || problems[0].Field != "settings" || !says(problems[0].Err, "has no settings") {
		t.Errorf("%v", problems)
	}
	table.Settings = json.RawMessage(`{}`)
	if problems := Check(&table); len(problems) != 0 {
		t.Errorf("%v", problems)
	}
	if d := Find("table"); !d.Takes("table") || d.Takes("text") || d.Name() != "table" ||
		d.Words(map[string]any{"b": true, "a": 1.}) != "a 1 · b true" {
		t.Error("the table")
	}
}

// Descriptions have a bound, whatever the choices.
func TestWordsAreBounded(t *testing.T) {
	many := map[string]any{}
	for i := range space.MaxChoices {
		many[fmt.Sprintf("choice-%02d", i)] = math.Pi
	}
	got := Find("ours").Words(many)
	if !strings.HasPrefix(got, "choice-00 3.14") || !strings.HasSuffix(got, " more") || len(got) > 200 {
		t.Errorf("%q", got)
	}
	long := Find("ours").Words(map[string]any{"a": strings.Repeat("ü", space.MaxText/2), "b": 1})
	if !strings.HasPrefix(long, "a ü") || !strings.HasSuffix(long, "ü… · and 1 more") || len(long) > 200 {
		t.Errorf("%q", long)
	}
	if got := Find("ours").Words(nil); got != "" {
		t.Errorf("%q", got)
	}
}
