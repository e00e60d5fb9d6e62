package embedding

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckByHand(t *testing.T) {
	m := &Module{Name: "m", Dim: 2, Tokens: []string{"a", "b", "c"}, Vectors: []float32{1, 0, 1, 1, 0, 1}}
	got := m.Check([]Triple{{"a", "b", "c"}, {"a", "c", "b"}, {"a", "b", "d"}, {"a", "c", "c"}})
	want := Checked{Right: 1, Of: 3, Wrong: []Triple{{"a", "c", "b"}, {"a", "c", "c"}}, Missing: []Triple{{"a", "b", "d"}}}
	if diff := cmp.Diff(want, got); diff != "" || got.Share() != 1./3 {
		t.Errorf("%v %s", got.Share(), diff)
	}
	if (Checked{}).Share() != 0 || Triples("xx") != nil {
		t.Error("a check of nothing")
	}
}

// A module trained on real text ranks nearly all triples right, a random one
// half of them.
func TestTrainedModulesPassCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("trains modules on real text: left out with -short")
	}
	for _, c := range []struct {
		language, corpus string
		limit            int
		share            float64
		o                []TrainOptions
	}{
		{"en", "corpora/imdb_unsup.txt.gz", 8000, 0.85, []TrainOptions{
			{Name: "sgns", Method: SGNS, Dim: 50, LearningRate: 0.05},
			{Name: "sgns-subword", Method: SGNS, Dim: 50, LearningRate: 0.05, Subword: &Subword{}},
			{Name: "svd", Method: SVD, Dim: 50},
		}},
		{"es", "corpora/spanish_news_small.txt.gz", 1 << 30, 0.75, []TrainOptions{
			{Name: "es-sgns", Method: SGNS, Dim: 50, LearningRate: 0.05, Epochs: 10, MinCount: 3},
			{Name: "es-sgns-subword", Method: SGNS, Dim: 50, LearningRate: 0.05, Epochs: 10, MinCount: 3, Subword: &Subword{}},
			{Name: "es-svd", Method: SVD, Dim: 50, MinCount: 3},
		}},
	} {
		text := lines(t, c.limit, c.corpus)
		for _, o := range c.o {
			o.Seed = 1
			m, err := Train(text, o)
			if err != nil {
				t.Fatal(err)
			}
			got := m.Check(Triples(c.language))
			t.Logf("%s: %d of %d right, wrong %v, missing %v", o.Name, got.Right, got.Of, got.Wrong, got.Missing)
			if got.Share() < c.share || got.Of < len(Triples(c.language))*3/4 {
				t.Errorf("%s: %d of %d right", o.Name, got.Right, got.Of)
			}
		}
	}
}
