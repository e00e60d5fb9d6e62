package child

import (
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
