package activities

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/embedding"
	"tnaml/nn/safetensors"
)

// proposalOf is the proposal of a sequence of actions.
func proposalOf(t *testing.T, config *search.Config, actions []int) search.Proposal {
	t.Helper()
	choices, err := config.Space.Values(actions)
	if err != nil {
		t.Fatal(err)
	}
	return search.Proposal{Actions: actions, Choices: choices, Seed: 1}
}

// orderBench has a task whose label is in the order of words, and a module.
func orderBench(t *testing.T) (b *bench, texts, labels []string) {
	t.Helper()
	b = newBench(t, strategy.Random)
	var examples []text.Example
	for i := range 400 {
		form := []string{"not bad but good, number %d", "not good but bad, number %d"}[i%2]
		texts, labels = append(texts, fmt.Sprintf(form, i)), append(labels, []string{"pos", "neg"}[i%2])
		examples = append(examples, text.Example{Text: texts[i], Label: labels[i]})
	}
	built, err := text.Build(examples, data.Options{Name: "order"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), b.store, built, false); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m", Dim: 2, Tokens: []string{"good", "bad"}, Vectors: []float32{1, 0, -1, 0}}
	if _, err := library.PublishModule(t.Context(), b.store, m, true); err != nil {
		t.Fatal(err)
	}
	return b, texts, labels
}

// A task whose label shows in the order of two words alone is learnt by a wide
// tower that sees pairs of tokens, and the exported model predicts as the
// trained one did; from tokens alone nothing can be told.
func TestModelOfNGramsPredicts(t *testing.T) {
	b, texts, labels := orderBench(t)
	var r Resolved
	b.run(t, b.a.Resolve, ResolveInput{Name: "o", Names: library.Names{Tasks: []string{"order"}, Strategy: strategy.Random,
		Space: "text-small", Seed: 1, Lag: 1, KeepModels: 10}}, &r)
	config, err := library.ReadConfig(t.Context(), b.store, r.Config)
	if err != nil {
		t.Fatal(err)
	}
	proposal := proposalOf(t, config, make([]int, len(config.Space.Choices)))
	result, encoded, bundle := exportedModel(t, b, &r, config, proposal)
	bad := make([]int, len(config.Space.Choices))
	bad[len(bad)-1] = 1
	second := proposalOf(t, config, bad)
	second.Trial, second.Seed = 1, 2
	var more TrialResult
	b.run(t, b.a.Trial, r.Request(second), &more)
	ensemble := checkEnsemble(t, b, config, []search.Trial{row(&r, proposal, result), row(&r, second, more)})
	if got, want := ensemble.Predict(texts[:5], nil), bundle.Predict(texts[:5], nil); got[0].Label != want[0].Label || len(got) != 5 {
		t.Errorf("%+v, %+v", got, want)
	}
	checkRight(t, bundle, texts, labels)

	tokens := config.Space
	tokens.Name, tokens.Settings = "tokens", json.RawMessage(`{"wide_ngrams":1}`)
	if err := library.PublishSpace(t.Context(), b.store, &tokens, false); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.a.Resolve, ResolveInput{Name: "p", Names: library.Names{Tasks: []string{"order"}, Strategy: strategy.Random, Space: "tokens",
		Seed: 1, Lag: 1, KeepModels: 10}}, &r)
	b.run(t, b.a.Trial, r.Request(proposal), &result)
	if result.Cost.Cached || result.Metrics["test_accuracy"] > .7 {
		t.Errorf("from tokens alone: %+v", result)
	}

	f, err := safetensors.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := safetensors.Get[int32](f, "ngrams", -1, 2)
	if err != nil {
		t.Fatal(err)
	}
	rows[0] = 1 << 20
	if _, err := exported.Decode(f.Encode()); err == nil || !strings.Contains(err.Error(), "n-gram 0") {
		t.Errorf("an n-gram of an unknown token: %v", err)
	}
	for i := 0; i < len(encoded); i += 101 {
		_, _ = exported.Decode(encoded[:i]) // must not panic
	}
}

// A kept model whose wide tower sees features finds them in new texts, alone and exported.
func TestModelOfFeaturesPredicts(t *testing.T) {
	b, texts, labels := orderBench(t)
	sp, err := space.Builtin("text-small")
	if err != nil {
		t.Fatal(err)
	}
	sp.Name = "features"
	sp.Choice(trainer.FineTune).Options = []any{false}
	for _, c := range []struct {
		name   string
		option any
	}{
		{trainer.WideFeatures, "words2"}, {trainer.WideFeatures, "both"}, {trainer.WideWeighting, "tf_idf"}, {trainer.WideNormalisation, "l2"},
		{trainer.WideSolver, "dual"}, {trainer.WideCost, 1.}, {trainer.WideVectors, .7}, {trainer.WideBayes, .1},
	} {
		if have := sp.Choice(c.name); have != nil {
			have.Options = append(have.Options, c.option)
		} else {
			sp.Choices = append(sp.Choices, space.Choice{Name: c.name, Options: []any{c.option}})
		}
	}
	if err := library.PublishSpace(t.Context(), b.store, sp, false); err != nil {
		t.Fatal(err)
	}
	var r Resolved
	b.run(t, b.a.Resolve, ResolveInput{Name: "o", Names: library.Names{Tasks: []string{"order"}, Strategy: strategy.Random,
		Space: "features", Seed: 1, Lag: 1, KeepModels: 10}}, &r)
	config, err := library.ReadConfig(t.Context(), b.store, r.Config)
	if err != nil {
		t.Fatal(err)
	}
	for option := range 2 {
		actions := make([]int, len(config.Space.Choices))
		actions[len(actions)-7] = option
		proposal := proposalOf(t, config, actions)
		_, encoded, bundle := exportedModel(t, b, &r, config, proposal)
		checkRight(t, bundle, texts, labels)
		f, err := safetensors.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		lines, _, err := safetensors.Get[uint8](f, "features", -1)
		if err != nil {
			t.Fatal(err)
		}
		lines[0] = 'x'
		if _, err := exported.Decode(f.Encode()); err == nil || !strings.Contains(err.Error(), "neither words nor characters") {
			t.Errorf("a damaged feature: %v", err)
		}
	}
}

// exportedModel trains a model of texts whose order matters, checks it, and exports it.
func exportedModel(
	t *testing.T, b *bench, r *Resolved, config *search.Config, proposal search.Proposal,
) (TrialResult, []byte, *exported.Model) {
	t.Helper()
	var result TrialResult
	b.run(t, b.a.Trial, r.Request(proposal), &result)
	if result.Status != trainer.OK || result.Metrics["test_accuracy"] < .95 {
		t.Fatalf("%+v", result)
	}
	checkConfusion(t, b, config, row(r, proposal, result))
	encoded, err := library.ExportModel(t.Context(), b.store, "o", config, row(r, proposal, result))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := exported.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return result, encoded, bundle
}

// checkRight has an exported model predict the 400 texts.
func checkRight(t *testing.T, bundle *exported.Model, texts, labels []string) {
	t.Helper()
	right := 0
	for i, p := range bundle.Predict(texts, nil) {
		if p.Label == labels[i] {
			right++
		}
	}
	if right < 390 {
		t.Errorf("%d of 400 right", right)
	}
}

// checkConfusion evaluates a stored model: what is right of the test split is what the
// trial said.
func checkConfusion(t *testing.T, b *bench, config *search.Config, trial search.Trial) {
	t.Helper()
	c, err := library.TestConfusion(t.Context(), b.store, config, trial)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, class := range c.Classes() {
		right += class.Right
	}
	if n := c.Examples(); n == 0 || math.Abs(float64(right)/float64(n)-trial.Metrics["test_accuracy"]) > 1e-12 {
		t.Errorf("%d of %d right, the trial said %v", right, n, trial.Metrics["test_accuracy"])
	}
	trial.Model = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	if _, err := library.TestConfusion(t.Context(), b.store, config, trial); err == nil || !strings.Contains(err.Error(), "model of trial") {
		t.Errorf("a model that is gone: %v", err)
	}
}

// checkEnsemble chooses ensembles of a task's stored models, the first of which is the
// best, and returns that of all. One of a single model is as good as its trial said.
func checkEnsemble(t *testing.T, b *bench, config *search.Config, trials []search.Trial) *library.Ensemble {
	t.Helper()
	choose := func(config search.Config, trials ...search.Trial) (*library.Ensemble, error) {
		return library.ChooseEnsemble(t.Context(), b.store, "e", &config, trials, trials[0].Task, 10)
	}
	one, err := choose(*config, trials[0])
	if err != nil {
		t.Fatal(err)
	}
	validation, test := one.SingleAccuracy()
	if one.Kept != 1 || len(one.Members) != 1 || one.Members[0].Trial != trials[0].Trial || one.Single.Trial != trials[0].Trial ||
		math.Abs(one.Validation-validation) > 1e-12 || math.Abs(one.Test-test) > 1e-12 || validation != trials[0].Metrics["validation_accuracy"] {
		t.Errorf("of one model: %+v", one)
	}
	all, err := choose(*config, trials...)
	if err != nil {
		t.Fatal(err)
	}
	single, _ := all.SingleAccuracy()
	if all.Kept != len(trials) || all.Validation < single-1e-12 {
		t.Errorf("of all: %+v, the best single %v", all, single)
	}
	elsewhere, none, gone := *config, *config, trials[0]
	elsewhere.Space.Trainer, none.KeepModels, gone.Model = "elsewhere", 0, ""
	if _, err := choose(elsewhere, trials...); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("of another trainer: %v", err)
	}
	if _, err := choose(none, gone); !errors.Is(err, library.ErrNotKept) || !strings.Contains(err.Error(), "--keep-models") {
		t.Errorf("of no kept models: %v", err)
	}
	gone.Model = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	if _, err := choose(*config, gone); !errors.Is(err, library.ErrNotKept) {
		t.Errorf("of a collected model: %v", err)
	}
	gone.Status = trainer.Diverged
	if _, err := choose(*config, gone); err == nil || !strings.Contains(err.Error(), "no trained model") {
		t.Errorf("of failed trials: %v", err)
	}
	return all
}

// What a program left as its model comes out as it is; where it left none, or keeps it
// itself, the error says so.
func TestModelsOfPrograms(t *testing.T) {
	s := store.NewMemory()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "weights", Size: 3, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("abc")); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	ref, err := s.Put(t.Context(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	config := &search.Config{Space: space.Space{Name: "s", Trainer: "mine"}, KeepModels: 10}
	got, err := library.ExportModel(t.Context(), s, "x", config, search.Trial{Trial: 3, Model: string(ref)})
	if err != nil || !bytes.Equal(got, b.Bytes()) || !exported.IsArchive(got) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := exported.Decode(got); err == nil || !strings.Contains(err.Error(), "archive") {
		t.Error(err)
	}
	for model, want := range map[string]string{"": "trial 3 is not kept: the trainer mine left none",
		"models/churn/3":                    "is with the trainer mine, as models/churn/3",
		string(store.RefOf([]byte("gone"))): "is not kept any more"} {
		if _, err := library.ExportModel(t.Context(), s, "x", config, search.Trial{Trial: 3, Model: model}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", model, err)
		}
	}
}
