package child

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withEmpty empties every seventh document of each split.
func withEmpty(d *Data) *Data {
	out := *d
	for _, e := range []*Examples{&out.Train, &out.Validation, &out.Test} {
		from := *e
		*e = Examples{Offsets: []int32{0}, Labels: from.Labels}
		for i := range from.Labels {
			if low, high := from.Offsets[i], from.Offsets[i+1]; i%7 != 4 {
				e.IDs, e.Counts = append(e.IDs, from.IDs[low:high]...), append(e.Counts, from.Counts[low:high]...)
			}
			e.Offsets = append(e.Offsets, int32(len(e.IDs)))
		}
	}
	return &out
}

var poolings = []Pooling{Mean, SIF, Max, Attention}

// Every derivative of a query, and of the layers above what is pooled, is that of central
// differences.
func TestGradientsOfPooling(t *testing.T) {
	d, table := synthetic(12, 14, 3, 5, 4, .5)
	d = withEmpty(d)
	for _, p := range poolings {
		for layers := range 3 {
			for _, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
				cfg := config(func(c *Config) {
					c.Pooling, c.HiddenLayers, c.HiddenSize, c.BatchSize, c.Normalisation = p, layers, 5, 9, norm
				})
				checkGradients(t, fmt.Sprintf("%s, %d layers, %s", p, layers, norm), cfg, d, table, EmbedBy(d, table, p).Train)
			}
		}
	}
}

// The largest values of a document's vectors, whatever their sign; unknown tokens have none.
func TestMaxByHand(t *testing.T) {
	e := Examples{Offsets: []int32{0, 3, 3, 4}, IDs: []int32{0, 1, 2, 2}, Counts: []float32{1, 9, 1, 1}, Labels: make([]int32, 3)}
	table := &Table{Dim: 2, Vectors: []float32{-3, 5, -1, 4, 7, 7}, Known: []bool{true, true, false}}
	if got, want := EmbedBy(&Data{Train: e}, table, Max).Train, []float32{-1, 5, 0, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A query learns which tokens tell: those that every text has in numbers hide the others
// from the mean.
func TestAttentionFindsWhatTells(t *testing.T) {
	const vocabulary, dim = 40, 8
	d, table := synthetic(600, vocabulary, 2, 16, dim, 1)
	for id := range vocabulary { // the first dimension marks what is told below
		table.Vectors[id*dim], table.Known[id] = 0, true
		if id < 2 {
			table.Vectors[id*dim], table.Vectors[id*dim+1] = 2, float32(2*id-1)
		}
	}
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
		from := *e
		*e = Examples{Offsets: []int32{0}, Labels: from.Labels}
		for i, label := range from.Labels { // token 0 or 1 says the label, once
			e.IDs, e.Counts = append(e.IDs, label), append(e.Counts, 1)
			for k := from.Offsets[i]; k < from.Offsets[i+1]; k++ {
				if id := from.IDs[k]; id > 1 {
					e.IDs, e.Counts = append(e.IDs, id), append(e.Counts, from.Counts[k])
				}
			}
			e.Offsets = append(e.Offsets, int32(len(e.IDs)))
		}
	}
	d.WideVocabulary = 0
	accuracy := map[Pooling]float64{}
	for _, p := range []Pooling{Mean, Attention} {
		_, out := train(t, config(func(c *Config) {
			c.Pooling, c.HiddenLayers, c.Steps, c.BatchSize, c.DeepLearningRate = p, 0, 400, 50, .3
		}), d, table, 1)
		accuracy[p] = out.Test.Accuracy
	}
	if accuracy[Attention] < .95 || accuracy[Mean] > .85 {
		t.Errorf("%v", accuracy)
	}
}

// A model says the same after a round trip, of each document whatever is beside it, and
// what its training measured.
func TestPooledModels(t *testing.T) {
	d, table := synthetic(300, 60, 3, 12, 8, .4)
	d = withEmpty(d)
	for _, p := range poolings {
		for _, solved := range []bool{false, true} {
			name := fmt.Sprintf("%s, solved wide tower %v", p, solved)
			cfg := config(func(c *Config) {
				if c.Pooling = p; solved {
					c.WideSolver, c.WideVectors = Dual, .7
				} else {
					c.Dropout, c.Normalisation = .2, BatchNorm
				}
			})
			m, out := train(t, cfg, d, table, 1)
			if out.Test.Accuracy < .75 {
				t.Errorf("%s: %+v", name, out.Test)
			}
			if _, again := train(t, cfg, d, table, 1); cmp.Diff(out, again) != "" {
				t.Errorf("%s: two outcomes of one seed", name)
			}
			if got := m.Evaluate(&d.Test); got != out.Test {
				t.Errorf("%s: %+v, in training %+v", name, got, out.Test)
			}
			alone, err := DecodeModel(m.EncodeAlone())
			if err != nil {
				t.Fatal(err)
			}
			stored, err := DecodeModel(m.Encode())
			if err == nil {
				err = stored.Attach(table)
			}
			if err != nil {
				t.Fatal(err)
			}
			want := m.Predict(&d.Test)
			for _, m := range []*Model{alone, stored} {
				if diff := cmp.Diff(want, m.Predict(&d.Test)); diff != "" {
					t.Errorf("%s: after a round trip %s", name, diff)
				}
			}
			var w Workspace
			for i := range 20 {
				one := Data{Validation: d.Test, Classes: 3}
				e := one.gather([]int{i})
				got := make([]float32, 3)
				if m.PredictInto(&w, got, &e, nil); !slices.Equal(got, want[3*i:3*i+3]) {
					t.Fatalf("%s: document %d alone: %v, among others %v", name, i, got, want[3*i:3*i+3])
				}
			}
		}
	}
}

// Of vectors that no tokens make up there is nothing to pool.
func TestPoolingOfGivenVectors(t *testing.T) {
	d, table := synthetic(60, 14, 3, 5, 4, .5)
	o, alone := Options{Documents: Embed(d, table)}, &Table{Dim: table.Dim}
	_, want, err := Train(config(nil), d, alone, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range poolings {
		m, out, err := Train(config(func(c *Config) { c.Pooling = p }), d, alone, 1, o)
		if err != nil || cmp.Diff(want, out) != "" {
			t.Fatalf("%s: %v, %+v", p, err, out)
		}
		back, err := DecodeModel(m.Encode())
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if v := o.Documents.Test; !slices.Equal(back.PredictFrom(&d.Test, v), m.PredictFrom(&d.Test, v)) {
			t.Errorf("%s: it predicts otherwise after a round trip", p)
		}
	}
}

func TestPoolingRefuses(t *testing.T) {
	d, table := synthetic(30, 14, 3, 5, 4, .5)
	for _, p := range []Pooling{Max, Attention} {
		cfg := config(func(c *Config) { c.Pooling, c.FineTune = p, true })
		if _, _, err := Train(cfg, d, table, 1, Options{}); err == nil || !strings.Contains(err.Error(), "module that stays") {
			t.Errorf("%s of a tuned module: %v", p, err)
		}
	}
}

// A task without a token has a model that can be read back, whatever pools what is not there.
func TestPoolingWithoutVocabulary(t *testing.T) {
	d, _ := synthetic(60, 14, 3, 5, 4, .5)
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
		*e = Examples{Offsets: make([]int32, e.Len()+1), Labels: e.Labels}
	}
	d.Vocabulary, d.WideVocabulary = 0, 0
	for _, p := range poolings {
		m, _ := train(t, config(func(c *Config) { c.Pooling = p }), d, &Table{Dim: 4}, 1)
		if _, err := DecodeModel(m.Encode()); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// Models that weigh tokens by themselves share the documents' mean vectors.
func TestDocumentsOfPoolings(t *testing.T) {
	for p, want := range map[Pooling]Pooling{
		"": Mean, Mean: Mean, SIF: SIF, Max: Max, Attention: Mean,
	} {
		if got := p.Documents(); got != want {
			t.Errorf("pooling %q: documents by %q, want %q", p, got, want)
		}
	}
}
