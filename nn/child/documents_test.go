package child

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A model whose deep tower takes given vectors is the one that a frozen module's means
// give, bit for bit: the vectors alone decide. It is stored, read and used without a table.
func TestVectorsOfTextsWithoutTokens(t *testing.T) {
	d, table := synthetic(300, 60, 3, 8, 5, .2)
	cfg := config(func(c *Config) { c.Steps = 40 })
	cfg.FineTune = false
	documents := Embed(d, table)
	want, outcome, err := Train(cfg, d, table, 7, Options{})
	if err != nil || outcome.Status != OK {
		t.Fatal(outcome, err)
	}
	alone := &Table{Dim: table.Dim}
	m, got, err := Train(cfg, d, alone, 7, Options{Documents: documents})
	if err != nil || cmp.Diff(outcome, got) != "" {
		t.Fatalf("%v %s", err, cmp.Diff(outcome, got))
	}
	if !m.TakesVectors() || m.Detached() || want.TakesVectors() {
		t.Error("the model does not know what it takes")
	}
	of := want.Predict(&d.Test)
	for name, b := range map[string][]byte{"stored": m.Encode(), "alone": m.EncodeAlone()} {
		again, err := DecodeModel(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p := again.PredictFrom(&d.Test, documents.Test); !again.TakesVectors() || !slices.Equal(p, of) {
			t.Errorf("%s: other probabilities", name)
		}
	}
	cfg.FineTune = true
	if _, _, err := Train(cfg, d, alone, 7, Options{Documents: documents}); err == nil {
		t.Error("vectors of documents were tuned")
	}
	cfg.FineTune = false
	if _, _, err := Train(cfg, d, alone, 7, Options{}); err == nil {
		t.Error("there were no vectors")
	}
	short := *documents
	short.Test = short.Test[1:]
	if _, _, err := Train(cfg, d, alone, 7, Options{Documents: &short}); err == nil {
		t.Error("too few vectors")
	}
}

// Smooth inverse frequency by hand: of ten tokens in training and validation texts three
// are of the first kind, seven of the second, none of the third.
func TestSIFByHand(t *testing.T) {
	e := Examples{Offsets: []int32{0, 2}, IDs: []int32{0, 1}, Counts: []float32{1, 4}, Labels: []int32{0}}
	v := Examples{Offsets: []int32{0, 2}, IDs: []int32{0, 1}, Counts: []float32{2, 3}, Labels: []int32{0}}
	test := Examples{Offsets: []int32{0, 2}, IDs: []int32{1, 2}, Counts: []float32{1, 1}, Labels: []int32{0}}
	d := &Data{Train: e, Validation: v, Test: test, Classes: 2, Vocabulary: 3}
	table := &Table{Dim: 1, Vectors: []float32{1, 2, 4}, Known: []bool{true, true, true}}
	a, b, c := .001/.301, .001/.701, 1.
	want := []float64{(a + 4*b*2) / (a + 4*b), (2*a + 3*b*2) / (2*a + 3*b), (b*2 + c*4) / (b + c)}
	got := EmbedBy(d, table, SIF)
	for i, x := range []float32{got.Train[0], got.Validation[0], got.Test[0]} {
		if math.Abs(float64(x)-want[i]) > 1e-6 {
			t.Errorf("split %d: %v, want %v", i, x, want[i])
		}
	}
}
