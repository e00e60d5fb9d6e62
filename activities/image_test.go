package activities

import (
	"bytes"
	stdimage "image"
	"image/color"
	"image/png"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/image"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// stripes are images of 8 × 8 with horizontal or vertical stripes in noise.
func stripes(n int) *image.Set {
	s := &image.Set{Images: nnimage.Images{Height: 8, Width: 8, Channels: 1}, Classes: []string{"across", "down"}, Splits: make([]string, n)}
	r := rng.New(1, "test/stripes", 0)
	for i := range n {
		shift := r.IntN(4)
		for y := range 8 {
			for x := range 8 {
				at := y
				if i%2 == 1 {
					at = x
				}
				v := 70.
				if (at+shift)/2%2 == 0 {
					v = 180
				}
				s.Pixels = append(s.Pixels, uint8(min(max(v+25*r.NormFloat64(), 0), 255)))
			}
		}
		s.Labels = append(s.Labels, int32(i%2))
	}
	return s
}

func newImageBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{store: store.NewMemory()}
	set := stripes(400)
	built, err := image.Build(set, data.Options{Name: "stripes"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), b.store, built, false); err != nil {
		t.Fatal(err)
	}
	patches, err := nnimage.TrainPatches(set.Images, nnimage.PatchOptions{Name: "patches", Centroids: 8, Size: 8, Channels: 1, Patch: 4,
		Samples: 500, Source: "stripes"})
	if err != nil {
		t.Fatal(err)
	}
	pca, err := nnimage.TrainPCA(set.Images, nnimage.PCAOptions{Name: "pca", Components: 6, Size: 8, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []nnimage.Extractor{pca, patches} {
		if _, err := library.PublishImageModule(t.Context(), b.store, e, false); err != nil {
			t.Fatal(err)
		}
	}
	b.reset()
	return b
}

func imageResolve(tasks ...string) ResolveInput {
	return ResolveInput{Name: "s", Names: library.Names{Tasks: tasks, Strategy: strategy.Random, Seed: 1, Lag: 3, KeepModels: 10}}
}

// A search of images from names to predictions: the features are computed once
// and stored, trials share them, the best model is exported and recognises
// image files.
func TestImageSearch(t *testing.T) {
	b := newImageBench(t)
	var r Resolved
	b.run(t, b.a.Resolve, imageResolve("stripes"), &r)
	if want := map[string][]int{"patches": {0}, "pca": {0}}; !reflect.DeepEqual(r.Features, want) {
		t.Fatalf("features %+v", r.Features)
	}
	var f FeaturesResult
	for module, dim := range map[string]int{"patches": 32, "pca": 6} {
		in := FeaturesInput{Task: "stripes", Module: module, Data: store.Ref(r.Tasks[0].Data), ModuleData: store.Ref(r.Objects[module])}
		b.run(t, b.a.Features, in, &f)
		if f != (FeaturesResult{400, dim}) {
			t.Errorf("%s: %+v", module, f)
		}
	}
	b.reset() // another worker finds them in the store
	var again Resolved
	b.run(t, b.a.Resolve, imageResolve("stripes"), &again)
	if len(again.Features) != 0 || again.Config != r.Config {
		t.Errorf("a second search needs %v", again.Features)
	}
	config, err := library.ReadConfig(t.Context(), b.store, r.Config)
	if err != nil || config.Kind() != string(data.Image) || config.Space.Name != "image" {
		t.Fatalf("%v %+v", err, config)
	}
	// patches, two layers of 64, relu, no norm or dropout, 0.1, none, 0.1, none, 400 steps.
	proposal := proposalOf(t, config, []int{0, 0, 2, 1, 0, 0, 0, 4, 0, 4, 0, 3})
	var result, other TrialResult
	in := r.Request(proposal)
	b.run(t, b.a.Trial, in, &result)
	if result.Status != trainer.OK || result.Metrics["test_accuracy"] < .9 || result.Model == "" || result.Cost.Cached {
		t.Fatalf("%+v", result)
	}
	b.reset()
	in.Retrain = true
	b.run(t, b.a.Trial, in, &other)
	if diff := cmp.Diff(result.Outcome, other.Outcome); diff != "" {
		t.Error("another worker gives another result: " + diff)
	}

	checkConfusion(t, b, config, row(&r, proposal, result))
	encoded, err := library.ExportModel(t.Context(), b.store, "s", config, row(&r, proposal, result))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := exported.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	set := stripes(400)
	var pixels []uint8
	for i := range 40 {
		m := stdimage.NewGray(stdimage.Rect(0, 0, 8, 8))
		for k, v := range set.At(i) {
			m.SetGray(k%8, k/8, color.Gray{Y: v})
		}
		var file bytes.Buffer
		if err := png.Encode(&file, m); err != nil {
			t.Fatal(err)
		}
		p, err := bundle.ReadImage(file.Bytes())
		if err != nil || !slices.Equal(p, set.At(i)) {
			t.Fatalf("image %d: %v", i, err)
		}
		pixels = append(pixels, p...)
	}
	predictions, err := bundle.PredictImages(pixels)
	if err != nil || len(predictions) != 40 {
		t.Fatal(err, len(predictions))
	}
	second := proposal
	second.Trial, second.Seed = 1, 2
	var more TrialResult
	b.run(t, b.a.Trial, r.Request(second), &more)
	ensemble := checkEnsemble(t, b, config, []search.Trial{row(&r, proposal, result), row(&r, second, more)})
	if together, err := ensemble.PredictImages(pixels); err != nil || len(together) != 40 || ensemble.About().Image == nil {
		t.Errorf("%d, %v", len(together), err)
	}
	right := 0
	for i, p := range predictions {
		if p.Label == set.Classes[set.Labels[i]] {
			right++
		}
	}
	if right < 36 {
		t.Errorf("%d of 40 right", right)
	}
	if _, err := bundle.ReadImage([]byte("no image")); err == nil || !strings.Contains(err.Error(), "no PNG, JPEG or GIF") {
		t.Errorf("%v", err)
	}
	f2, err := safetensors.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	info := bundle.Info
	info.Image, info.Tokeniser.Version = nil, text.TokeniserVersion
	f2.PutJSON("bundle", info)
	safetensors.Put(f2, "vocabulary", []byte("a\n"))
	if _, err := exported.Decode(f2.Encode()); err == nil || !strings.Contains(err.Error(), "it is one of images") {
		t.Errorf("a model of images that says it is one of texts: %v", err)
	}
	for i := range encoded {
		if i%997 == 0 {
			_, _ = exported.Decode(encoded[:i]) // must not panic
		}
	}
}

// Trials do without the Features activity: they compute what is missing.
func TestImageTrialComputesFeatures(t *testing.T) {
	b := newImageBench(t)
	var r Resolved
	b.run(t, b.a.Resolve, imageResolve("stripes"), &r)
	config, err := library.ReadConfig(t.Context(), b.store, r.Config)
	if err != nil {
		t.Fatal(err)
	}
	var result TrialResult
	b.run(t, b.a.Trial, r.Request(proposalOf(t, config, []int{1, 0, 1, 0, 0, 0, 0, 4, 0, 4, 0, 1})), &result)
	if result.Status != trainer.OK {
		t.Errorf("%+v", result)
	}
	if names, err := b.store.Names(t.Context(), store.Features, ""); err != nil || len(names) != 1 {
		t.Errorf("%v %v", names, err)
	}
}

func TestImageResolveRefuses(t *testing.T) {
	b := newImageBench(t)
	bench := newBench(t, strategy.Random)
	words, _, err := library.LoadTask[*text.Task](t.Context(), bench.store, "things")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), b.store, words, false); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   ResolveInput
		want []string
	}{
		"texts and images": {imageResolve("stripes", "things"), []string{`task "stripes" is of kind image and task "things" of kind text`}},
		"a space that tunes": {func() ResolveInput { in := imageResolve("stripes"); in.Space = "paper"; return in }(),
			[]string{"image modules are frozen", `the space "image"`}},
		"no text module": {imageResolve("things"), []string{"there is no text module"}},
		"unknown module": {func() ResolveInput { in := imageResolve("stripes"); in.Modules = []string{"m"}; return in }(),
			[]string{"no module m", "pca, patches"}},
	} {
		var r Resolved
		err := b.try(b.a.Resolve, c.in, &r)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
	}
}
