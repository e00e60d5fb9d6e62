package child

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/safetensors"
	"tnaml/nn/sparse"
)

func TestRoundTrip(t *testing.T) {
	d, table := synthetic(120, 40, 3, 10, 6, .5)
	for _, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
		for _, tune := range []bool{false, true} {
			m, out := train(t, config(func(c *Config) { c.Normalisation, c.FineTune = norm, tune }), d, table, 1)
			if got := m.Evaluate(&d.Test); got != out.Test {
				t.Errorf("%+v when asked, %+v when trained", got, out.Test)
			}
			want := m.Predict(&d.Test)
			for i := 0; i < len(want); i += 3 {
				if s := want[i] + want[i+1] + want[i+2]; math.Abs(float64(s)-1) > 1e-5 {
					t.Fatalf("probabilities sum to %v", s)
				}
			}
			back, err := DecodeModel(m.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if !back.Detached() {
				t.Errorf("tuned %v: it has the module's table", tune)
			}
			if err := back.Attach(&Table{Dim: 5}); err == nil {
				t.Error("a table of another shape was taken")
			}
			if err := back.Attach(table); err != nil || back.Detached() {
				t.Fatal(err)
			}
			if string(back.Encode()) != string(m.Encode()) {
				t.Errorf("tuned %v: it is encoded differently", tune)
			}
			if diff := cmp.Diff(want, back.Predict(&d.Test)); diff != "" {
				t.Error(diff)
			}
			alone, err := DecodeModel(back.EncodeAlone())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, alone.Predict(&d.Test)); diff != "" {
				t.Error(diff)
			}
			if alone.Classes() != 3 || alone.Vocabulary() != 40 || alone.Config().Normalisation != norm {
				t.Errorf("shape %+v", alone.header)
			}
		}
	}
}

// A model's weights of vectors and of tokens, and its features' factors, are there where its configuration says so, and only there.
func TestDecodeWhatIsConfigured(t *testing.T) {
	d, table := synthetic(60, 14, 3, 5, 4, .5)
	d = withFeatures(d)
	const vectors, tokens, columns = "wide/vectors", "token/weights", "wide/columns"
	for _, c := range []struct {
		name    string
		there   bool
		length  float64
		pooling Pooling
		weight  sparse.Weight
	}{
		{vectors, false, 0, Mean, ""}, {vectors, true, .7, Mean, ""}, {tokens, true, 0, SIF, ""}, {tokens, true, 0, Attention, ""},
		{tokens, false, 0, Max, ""}, {columns, false, 0, Mean, sparse.TF}, {columns, true, 0, Mean, sparse.TFIDF},
		{columns, true, 0, Mean, sparse.LogOdds},
	} {
		name := c.name
		m, _ := train(t, config(func(f *Config) {
			f.WideFeatures, f.WideSolver, f.WideVectors, f.Pooling, f.WideWeighting = Both, Dual, c.length, c.pooling, c.weight
		}), d, table, 1)
		f, err := safetensors.Decode(m.EncodeAlone())
		if err != nil {
			t.Fatal(err)
		}
		if f.Has(name) != c.there {
			t.Fatalf("%+v: %v", c, f.Names())
		}
		changed := safetensors.New(kind)
		changed.Metadata = f.Metadata
		for _, other := range f.Names() {
			if v, shape, err := safetensors.Get[float32](f, other); err == nil && other != name {
				safetensors.Put(changed, other, v, shape...)
			}
		}
		known, _, err := safetensors.Get[uint8](f, "known")
		if err != nil {
			t.Fatal(err)
		}
		safetensors.Put(changed, "known", known)
		if !c.there {
			safetensors.Put(changed, name, make([]float32, 12), 12)
		}
		if _, err := DecodeModel(changed.Encode()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A file whose configuration pools tokens that the model has none of, or tunes what must stay,
// is no model: it would predict something else, or panic.
func TestDecodeRefusesPoolingOfNothing(t *testing.T) {
	d, table := synthetic(60, 14, 3, 5, 4, .5)
	of, _, err := Train(config(nil), d, &Table{Dim: table.Dim}, 1, Options{Documents: Embed(d, table)})
	if err != nil {
		t.Fatal(err)
	}
	tuned, _ := train(t, config(func(c *Config) { c.FineTune = true }), d, table, 1)
	for _, p := range []Pooling{Max, Attention} {
		for name, m := range map[string]*Model{"of given vectors": of, "tuned": tuned} {
			changed := *m
			if changed.Cfg.Pooling = p; p == Attention {
				changed.tokens = make([]float32, m.NVocabulary)
			}
			if _, err := DecodeModel(changed.Encode()); err == nil || !strings.Contains(err.Error(), "pooling") {
				t.Errorf("%s, %s: %v", name, p, err)
			}
		}
	}
}

// Numbers that a trained model cannot have, and with which no document, or not every one,
// has probabilities: deviations and weights of tokens that are not positive, and a temperature next to none.
func TestDecodeRefusesWhatDividesByNothing(t *testing.T) {
	d, table := synthetic(60, 14, 3, 5, 4, .5)
	m, _ := train(t, config(func(c *Config) { c.HiddenLayers, c.Normalisation, c.Pooling = 1, BatchNorm, SIF }), d, table, 1)
	for want, edit := range map[string]func(*Model){
		`"layer/0/deviation": number 2 is 0`:  func(m *Model) { m.layers[0].deviation[2] = 0 },
		`"layer/0/deviation": number 2 is -1`: func(m *Model) { m.layers[0].deviation[2] = -1 },
		`"token/weights": number 3 is -1`:     func(m *Model) { m.tokens[3] = -1 },
		"token 3 has a vector and the weight": func(m *Model) { m.tokens[3], m.known[3] = 0, true },
		"impossible shape":                    func(m *Model) { m.Temperature = 1e-300 },
	} {
		changed := *m
		changed.layers, changed.tokens, changed.known = slices.Clone(m.layers), slices.Clone(m.tokens), slices.Clone(m.known)
		changed.layers[0].deviation = slices.Clone(m.layers[0].deviation)
		edit(&changed)
		if _, err := DecodeModel(changed.EncodeAlone()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		stored, err := DecodeModel(changed.Encode())
		if err == nil {
			err = stored.Attach(&Table{Dim: table.Dim, Vectors: table.Vectors, Known: changed.known})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("stored: %v, want %q", err, want)
		}
	}
	// A token without a vector may have none: that is what attention gives it.
	m.tokens[3], m.known = 0, slices.Clone(m.known)
	m.known[3] = false
	if _, err := DecodeModel(m.EncodeAlone()); err != nil {
		t.Error(err)
	}
}

// A model of images sees pixels: one that says that it sees something of texts too would
// look for it in images, and panic.
func TestDecodeRefusesImagesWithTexts(t *testing.T) {
	d, table, vectors := syntheticImages(40, 12, 2, 3)
	m, _, err := Train(config(nil), d, table, 1, Options{Documents: vectors})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeModel(m.EncodeAlone()); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*header){
		"features": func(h *header) { h.Features, h.Cfg.WideFeatures = 1, Words1 },
		"n-grams":  func(h *header) { h.NGrams = 1 },
		"tokens":   func(h *header) { h.NVocabulary, h.WideVocabulary = 1, 1 },
	} {
		changed := *m
		edit(&changed.header)
		changed.wide = make([]float32, 2)
		const want = "a model of images, of 12 pixels, whose wide tower"
		if _, err := DecodeModel(changed.EncodeAlone()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeModel(f *testing.F) {
	d, table := synthetic(20, 10, 2, 3, 2, .1)
	for _, tune := range []bool{false, true} {
		m, _, err := Train(config(func(c *Config) { c.FineTune, c.Normalisation, c.HiddenSize = tune, BatchNorm, 2 }), d, table, 1, Options{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Encode())
		f.Add(m.EncodeAlone())
	}
	for _, p := range []Pooling{Max, Attention} {
		cfg := config(func(c *Config) { c.Pooling, c.HiddenSize, c.WideSolver, c.WideVectors = p, 2, Dual, .7 })
		m, _, err := Train(cfg, d, table, 1, Options{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.EncodeAlone())
	}
	extra := safetensors.New(kind)
	safetensors.Put(extra, "vocabulary", []byte("a\n"))
	f.Add(extra.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeModel(b)
		if err != nil || m.Detached() {
			return
		}
		if m.Vocabulary() > 0 {
			m.Predict(&Examples{Offsets: []int32{0, 1, 1}, IDs: []int32{0}, Counts: []float32{1}, Labels: []int32{0, 0}})
		}
	})
}
