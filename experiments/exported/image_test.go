package exported

import (
	"strings"
	"testing"

	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// ofImages is an encoded model of grey images of 2 × 2 and of no weights; edit changes its
// file's "model", and says how many rows the wide tower has.
func ofImages(t *testing.T, wide int, deviation float32, edit func(map[string]any)) []byte {
	t.Helper()
	pixels := []uint8{1, 2, 3, 4, 5, 6, 7, 9, 9, 1, 1, 0}
	images := nnimage.Images{Height: 2, Width: 2, Channels: 1, Pixels: pixels}
	pca, err := nnimage.TrainPCA(images, nnimage.PCAOptions{Components: 1, Size: 2, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	shape := map[string]any{"dim": 1, "classes": 2, "pixels": 4, "config": child.Config{HiddenSize: 1, Activation: child.ReLU,
		Normalisation: child.NoNorm, DeepLearningRate: .1, WideLearningRate: .1, Steps: 1}}
	edit(shape)
	f := safetensors.New("model")
	f.PutJSON("model", shape)
	f.PutJSON("bundle", Info{Labels: []string{"a", "b"}, Image: &ImageSize{2, 2, 1}})
	put := func(name string, rows int) { safetensors.Put(f, name, make([]float32, 2*rows), rows, 2) }
	put("out/weights", 1)
	put("wide", wide)
	put("pixels", shape["pixels"].(int))
	safetensors.Put(f, "out/bias", make([]float32, 2))
	safetensors.Put(f, "image-module", pca.Encode())
	safetensors.Put(f, "feature-mean", make([]float32, 1))
	safetensors.Put(f, "feature-deviation", []float32{deviation})
	return f.Encode()
}

// A model of images that could not predict is an error where it is read, and no panic later.
func TestImagesThatCannotBe(t *testing.T) {
	m, err := Decode(ofImages(t, 0, 1, func(map[string]any) {}))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := m.PredictImages([]uint8{1, 2, 3, 4}); err != nil || p[0].Probabilities[0] != .5 {
		t.Errorf("%v, %v", p, err)
	}
	for _, c := range []struct {
		want      string
		wide      int
		deviation float32
		edit      func(map[string]any)
	}{
		{"wide tower sees 1 features of texts", 1, 1, func(s map[string]any) {
			cfg := s["config"].(child.Config)
			cfg.WideFeatures = child.Words1
			s["config"], s["features"] = cfg, 1
		}},
		{"wide tower sees 1 features of texts", 1, 1, func(s map[string]any) { s["ngrams"] = 1 }},
		{"wide tower sees 1 features of texts", 1, 1, func(s map[string]any) { s["vocabulary"], s["wide_vocabulary"] = 1, 1 }},
		{"deviation 0 is 0", 0, 0, func(map[string]any) {}},
		{"a model of 1 pixels and 1 features", 0, 1, func(s map[string]any) { s["pixels"] = 1 }},
	} {
		if _, err := Decode(ofImages(t, c.wide, c.deviation, c.edit)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
