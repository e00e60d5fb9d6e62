package trainers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/table"
	"tnaml/experiments/data/text"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/experiments/trainer/trainertest"
	"tnaml/nn/embedding"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
)

func newBuiltin(s store.Store) *Builtin { return NewBuiltin(s, memory.New(1<<30)) }

// imageStore is a store with the image task "noise" and the module "pca".
func imageStore(t *testing.T) (s *store.Memory, task, module store.Ref) {
	t.Helper()
	s = store.NewMemory()
	const n = 200
	set := &image.Set{Images: nnimage.Images{Height: 8, Width: 8, Channels: 1}, Classes: []string{"dark", "light"}, Splits: make([]string, n)}
	r := rng.New(1, "test/noise", 0)
	for i := range n {
		for range 64 {
			set.Pixels = append(set.Pixels, uint8(100*(i%2)+r.IntN(100)))
		}
		set.Labels = append(set.Labels, int32(i%2))
	}
	built, err := image.Build(set, data.Options{Name: "noise"})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = library.PublishTask(t.Context(), s, built, false); err != nil {
		t.Fatal(err)
	}
	pca, err := nnimage.TrainPCA(set.Images, nnimage.PCAOptions{Name: "pca", Components: 6, Size: 8, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	if module, err = library.PublishImageModule(t.Context(), s, pca, false); err != nil {
		t.Fatal(err)
	}
	return s, task, module
}

// featuresAsked is a store that tells when features are looked up.
type featuresAsked struct {
	store.Store
	asked chan struct{}
}

func (s *featuresAsked) GetName(ctx context.Context, kind store.Kind, name string) ([]byte, store.Version, error) {
	value, version, err := s.Store.GetName(ctx, kind, name)
	if kind == store.Features {
		s.asked <- struct{}{}
	}
	return value, version, err
}

// What another worker has computed while this one was busy is not computed again.
func TestFeaturesOfAnotherWorker(t *testing.T) {
	s, task, module := imageStore(t)
	asked := &featuresAsked{s, make(chan struct{}, 2)}
	b := newBuiltin(asked)
	b.extracting <- struct{}{} // busy
	done := make(chan error)
	go func() {
		_, err := b.Features(t.Context(), task, module, func(int, int) error {
			t.Error("computed again")
			return nil
		})
		done <- err
	}()
	<-asked.asked
	if _, err := library.ComputeFeatures(t.Context(), s, task, module, nil); err != nil {
		t.Fatal(err)
	}
	<-b.extracting
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// damagedBlob is a store in which one object has been damaged.
type damagedBlob struct {
	store.Store
	ref      store.Ref
	repaired bool
}

func (s *damagedBlob) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	if ref == s.ref && !s.repaired {
		return nil, fmt.Errorf("object %s: %w", ref, store.ErrCorrupt)
	}
	return s.Store.Get(ctx, ref)
}

func (s *damagedBlob) Put(ctx context.Context, data []byte) (store.Ref, error) {
	ref, err := s.Store.Put(ctx, data)
	s.repaired = s.repaired || ref == s.ref
	return ref, err
}

// Damaged features are computed again.
func TestFeaturesDamaged(t *testing.T) {
	s, task, module := imageStore(t)
	want, err := library.ComputeFeatures(t.Context(), s, task, module, nil)
	if err != nil {
		t.Fatal(err)
	}
	damaged := &damagedBlob{Store: s, ref: store.RefOf(want.Encode())}
	got, err := newBuiltin(damaged).Features(t.Context(), task, module, nil)
	if err != nil || !damaged.repaired {
		t.Fatalf("repaired %v, %v", damaged.repaired, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// textStore is a store with the task "things" and the module "m".
func textStore(t *testing.T) (s *store.Memory, task, module store.Ref) {
	t.Helper()
	s = store.NewMemory()
	var examples []text.Example
	for i := range 120 {
		examples = append(examples, text.Example{
			Text: fmt.Sprintf("a %s thing, number %d", []string{"good", "bad"}[i%2], i), Label: []string{"pos", "neg"}[i%2],
		})
	}
	built, err := text.Build(examples, data.Options{Name: "things"})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = library.PublishTask(t.Context(), s, built, false); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m", Dim: 4, Tokens: []string{"good", "bad", "thing"},
		Vectors: []float32{1, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0}}
	if module, err = library.PublishModule(t.Context(), s, m, false); err != nil {
		t.Fatal(err)
	}
	return s, task, module
}

func builtinSpace(t *testing.T, name string) *space.Space {
	t.Helper()
	sp, err := space.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// The trainers that we bring keep the contract.
func TestTrainersKeepTheContract(t *testing.T) {
	choices := map[string]any{
		trainer.Module: "m", trainer.FineTune: false, trainer.HiddenLayers: int64(1), trainer.HiddenSize: int64(32),
		trainer.Activation: "relu", trainer.Normalisation: "batch", trainer.Dropout: .1, trainer.DeepLearningRate: .1,
		trainer.DeepRegularisation: 0., trainer.WideLearningRate: .1, trainer.WideRegularisation: 0., trainer.Steps: int64(50),
	}
	t.Run("builtin, texts", func(t *testing.T) {
		s, task, module := textStore(t)
		trainertest.Exercise(t, newBuiltin(s), trainertest.Fixture{
			Space: builtinSpace(t, "text-small"), Catalogue: []string{"m"}, Model: true, OverMemory: true, OverSteps: true, Progress: true,
			Curve: true,
			Request: trainer.Request{
				Task: trainer.Task{Name: "things", Kind: "text", Data: string(task)}, Choices: choices,
				Objects: map[string]string{"m": string(module)}, Seed: 3,
			},
		})
	})
	t.Run("builtin, images", func(t *testing.T) {
		s, task, module := imageStore(t)
		images := maps.Clone(choices)
		images[trainer.Module] = "pca"
		trainertest.Exercise(t, newBuiltin(s), trainertest.Fixture{
			Space: builtinSpace(t, "image"), Catalogue: []string{"pca"}, Model: true, OverMemory: true, OverSteps: true, Progress: true, Curve: true,
			Request: trainer.Request{
				Task: trainer.Task{Name: "noise", Kind: "image", Data: string(task)}, Choices: images,
				Objects: map[string]string{"pca": string(module)}, Seed: 3,
			},
		})
	})
	t.Run("table", func(t *testing.T) {
		s := store.NewMemory()
		recorded := table.Recorded{Metrics: []string{"validation_gain", "test_gain"}}
		for i, knob := range []string{"left", "right"} {
			for size := range 2 {
				recorded.Rows = append(recorded.Rows, table.Row{
					Choices: map[string]any{"knob": knob, "size": float64(size + 1)},
					Metrics: map[string]float64{"validation_gain": float64(3 + i - size), "test_gain": float64(2 + i - size)},
					Curves:  map[string][][2]float64{"validation_gain": {{10, 1}, {20, 2.5}, {40, float64(3 + i - size)}}},
				})
			}
		}
		built, err := table.Build(recorded, data.Options{Name: "knobs"})
		if err != nil {
			t.Fatal(err)
		}
		ref, err := library.PublishTask(t.Context(), s, built, false)
		if err != nil {
			t.Fatal(err)
		}
		sp := &space.Space{
			Name: "knobs", Trainer: "table", Objective: space.Objective{Metric: "gain"},
			Choices: []space.Choice{{Name: "knob", Options: []any{"left", "right"}}, {Name: "size", Options: []any{int64(1), int64(2)}}},
		}
		trainertest.Exercise(t, NewTable(s, memory.New(1<<20)), trainertest.Fixture{
			Space: sp, Curve: true, OverSteps: true,
			Request: trainer.Request{
				Task: trainer.Task{Name: "knobs", Kind: "table", Data: string(ref)}, Choices: map[string]any{"knob": "right", "size": int64(2)},
				Seed: 3,
			},
		})
	})
}

// What a child model cannot be trained on is the trial's own failure: on every worker
// it would be refused again.
func TestInputErrorsAreOutcomes(t *testing.T) {
	s, task, module := imageStore(t)
	sp, err := trainer.Builtin{}.Fill(builtinSpace(t, "image"), "image", []string{"pca"})
	if err != nil {
		t.Fatal(err)
	}
	choices, err := sp.Values(make([]int, len(sp.Choices)))
	if err != nil {
		t.Fatal(err)
	}
	choices[trainer.FineTune] = true
	r, err := newBuiltin(s).Run(t.Context(), trainer.Request{
		Task: trainer.Task{Name: "noise", Kind: "image", Data: string(task)}, Choices: choices, Settings: sp.Settings,
		Objects: map[string]string{"pca": string(module)}, Seed: 1,
	}, func(trainer.Progress) error { return nil })
	if err != nil || r.Status != trainer.Failed || !strings.Contains(r.Reason, "cannot be fine-tuned") {
		t.Errorf("%+v, %v", r.Outcome, err)
	}
}

// firstOf asks for the model of a built-in space's first options, with the module "m".
func firstOf(t *testing.T, name string, task, module store.Ref) trainer.Request {
	t.Helper()
	sp, err := trainer.Builtin{}.Fill(builtinSpace(t, name), "text", []string{"m"})
	if err != nil {
		t.Fatal(err)
	}
	choices, err := sp.Values(make([]int, len(sp.Choices)))
	if err != nil {
		t.Fatal(err)
	}
	return trainer.Request{
		Task: trainer.Task{Name: "things", Kind: "text", Data: string(task)}, Choices: choices, Settings: sp.Settings,
		Objects: map[string]string{"m": string(module)}, Seed: 1,
	}
}

// With reshuffle a trial's validation split is a function of its seed, the test split is
// everyone's, and of the validation examples, which are its own, no bits are kept.
func TestReshuffle(t *testing.T) {
	s, task, module := textStore(t)
	b, request := newBuiltin(s), firstOf(t, "text-small", task, module)
	request.Examples = true
	run := func(settings string, seed uint64) trainer.Result {
		request.Settings, request.Seed = []byte(settings), seed
		r, err := b.Run(t.Context(), request, func(trainer.Progress) error { return nil })
		if err != nil || r.Status != trainer.OK {
			t.Fatalf("%+v, %v", r.Outcome, err)
		}
		return r
	}
	loss := func(r trainer.Result) float64 { return r.Metrics["validation_"+trainer.LogLoss] }
	plain, first := run(`{}`, 1), run(`{"reshuffle":true}`, 1)
	if again := run(`{"reshuffle":true}`, 1); !cmp.Equal(again.Outcome, first.Outcome) {
		t.Errorf("not a function of the request: %s", cmp.Diff(again.Outcome, first.Outcome))
	}
	if loss(first) == loss(plain) || loss(run(`{"reshuffle":true}`, 2)) == loss(first) {
		t.Error("equal validation splits")
	}
	if n := first.Right.Validation.N; n != 0 || first.Right.Test.N != plain.Right.Test.N || plain.Right.Validation.N == 0 {
		t.Errorf("bits of %d validation and %d test examples", n, first.Right.Test.N)
	}
	if right, err := trainer.DecodeRight(first.Right.Encode()); err != nil || right.Validation.N != 0 {
		t.Errorf("%+v, %v", right, err)
	}
}

// A model is refitted by what the validation examples teach it too: examples of a kind that
// only they have are then known. It takes the temperature that is given, and it is a function
// of the request.
func TestRefit(t *testing.T) {
	s := store.NewMemory()
	var examples []text.Example
	for i := range 400 { // "odd" is said by the last quarter alone
		split, word := data.Train, []string{"good", "bad"}[i%2]
		if i >= 300 {
			split, word = []string{data.Validation, data.Test}[i/2%2], []string{"bad", "good"}[i%2]+" odd"
		}
		examples = append(examples, text.Example{
			Text: fmt.Sprintf("a %s thing, number %d", word, i), Label: []string{"pos", "neg"}[i%2], Split: split,
		})
	}
	built, err := text.Build(examples, data.Options{Name: "things", MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	task, err := library.PublishTask(t.Context(), s, built, false)
	if err != nil {
		t.Fatal(err)
	}
	module, err := library.PublishModule(t.Context(), s, &embedding.Module{
		Name: "m", Dim: 3, Tokens: []string{"good", "bad", "odd"}, Vectors: []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"text", "paper", "text-small"} {
		b, r := newBuiltin(s), firstOf(t, name, task, module)
		before, err := b.Run(t.Context(), r, func(trainer.Progress) error { return nil })
		if err != nil || before.Status != trainer.OK {
			t.Fatalf("%s: %+v, %v", name, before.Outcome, err)
		}
		got, err := b.Refit(t.Context(), r, 1.5)
		if err != nil || got.Status != trainer.OK || got.Encode == nil {
			t.Fatalf("%s: %+v, %v", name, got.Outcome, err)
		}
		const on = "test_" + trainer.LogLoss
		if !(got.Metrics[on] < before.Metrics[on]) || got.Metrics[trainer.Temperature] != 1.5 {
			t.Errorf("%s: %v after, %v before; the temperature %v", name, got.Metrics[on], before.Metrics[on], got.Metrics[trainer.Temperature])
		}
		if again, err := newBuiltin(s).Refit(t.Context(), r, 1.5); err != nil || !bytes.Equal(again.Encode(), got.Encode()) {
			t.Errorf("%s: another model, %v", name, err)
		}
		if after, err := b.Run(t.Context(), r, func(trainer.Progress) error { return nil }); err != nil ||
			!cmp.Equal(after.Outcome, before.Outcome) {
			t.Errorf("%s: the trial itself comes out otherwise: %s", name, cmp.Diff(before.Outcome, after.Outcome))
		}
		// Whether its trial drew a validation split of its own makes no difference.
		drawn := r
		drawn.Settings = []byte(strings.Replace(string(r.Settings), "{", `{"reshuffle":true,`, 1))
		if same, err := b.Refit(t.Context(), drawn, 1.5); err != nil || same.Encode == nil || !bytes.Equal(same.Encode(), got.Encode()) {
			t.Errorf("%s: with reshuffle another model: %+v, %v", name, same.Outcome, err)
		}
		// Nor does a constraint that it breaks, or what its trial had to exceed.
		bound, keep := -1., 2.
		drawn = r
		drawn.Constraints, drawn.Keep = []space.Constraint{{Metric: trainer.Parameters, Max: &bound}}, &keep
		if same, err := b.Refit(t.Context(), drawn, 1.5); err != nil || same.Encode == nil {
			t.Errorf("%s: a bound: %+v, %v", name, same.Outcome, err)
		}
		if none, err := b.Refit(t.Context(), r, 0); err != nil || none.Status != trainer.Failed {
			t.Errorf("%s: no temperature: %+v, %v", name, none.Outcome, err)
		}
	}
}

// All metrics of the built-in trainer are there, and any may be the objective.
func TestBuiltinReportsItsMetrics(t *testing.T) {
	s, task, module := textStore(t)
	request := firstOf(t, "text-small", task, module)
	quiet := func(trainer.Progress) error { return nil }
	r, err := newBuiltin(s).Run(t.Context(), request, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range (trainer.Builtin{}).Metrics() {
		o := space.Objective{Metric: m.Name, Direction: m.Direction}
		if out := r.Checked(o); out.Status != trainer.OK {
			t.Errorf("%s: %+v", m.Name, out)
		}
		if _, _, tested := trainer.Values(r.Metrics, o); !tested {
			t.Errorf("%s is not measured on the test split", m.Name)
		}
		// A pruner sees each on its way too.
		request.Objective, request.Curve = o, true
		if out, err := newBuiltin(s).Run(t.Context(), request, quiet); err != nil || len(out.Curve) != 2 || out.Curve[0].Step != 25 {
			t.Errorf("the curve of %s is %v, %v", m.Name, out.Curve, err)
		}
	}
	if r.Steps != 50 || r.Metrics["parameters"] <= 0 {
		t.Errorf("%+v", r.Outcome)
	}
}
