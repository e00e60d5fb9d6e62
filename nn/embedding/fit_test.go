package embedding

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"tnaml/nn/rng"
)

// Where words are means of their n-grams, words that were not there are made
// right by what was fitted to the others, nearly.
func TestFitSubwordFindsGrams(t *testing.T) {
	truth := Subword{Kind: NGrams, MinN: 1, MaxN: 1, Buckets: 64}
	r := rng.New(1, "test/fit", 0)
	for range truth.Buckets * 4 {
		truth.Vectors = append(truth.Vectors, float32(r.NormFloat64()))
	}
	source := &Module{Name: "m", Dim: 4, Tokens: []string{"-"}, Vectors: make([]float32, 4), Subword: &truth}
	l := source.Lookup()
	word := func() string {
		b := make([]byte, 5)
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	m := &Module{Name: "m", Dim: 4}
	seen := map[string]bool{}
	for len(m.Tokens) < 500 {
		w := word()
		v := make([]float32, 4)
		if l.Vector(v, w); !seen[w] {
			seen[w] = true
			m.Tokens, m.Vectors = append(m.Tokens, w), append(m.Vectors, v...)
		}
	}
	before := m.Encode()
	if err := m.FitSubword(Subword{MinN: 1, MaxN: 1, Buckets: 64}); err != nil {
		t.Fatal(err)
	}
	fitted := m.Lookup()
	for range 20 {
		w := word()
		want, got := make([]float32, 4), make([]float32, 4)
		l.Vector(want, w)
		if o := fitted.Vector(got, w); o != Composed || cosine(got, want) < 0.99 {
			t.Errorf("%s is %v, want %v (cosine %.3f)", w, got, want, cosine(got, want))
		}
	}
	again, err := Decode(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.FitSubword(Subword{MinN: 1, MaxN: 1, Buckets: 64}); err != nil || !bytes.Equal(again.Encode(), m.Encode()) {
		t.Errorf("another time, another module: %v", err)
	}
	m.Subword = nil
	if !bytes.Equal(before, m.Encode()) {
		t.Error("the tokens' vectors have changed")
	}
}

func TestFitSubwordRefuses(t *testing.T) {
	pieces := small()
	pieces.Subword = &Subword{Kind: Pieces}
	for want, c := range map[string]struct {
		m *Module
		s Subword
	}{
		"pieces of words":   {pieces, Subword{}},
		"cannot be trained": {small(), Subword{Kind: Pieces}},
		"n-grams of 5 to 4": {small(), Subword{MinN: 5, MaxN: 4}},
	} {
		if err := c.m.FitSubword(c.s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Of GloVe's words, a tenth is held back and made of n-grams fitted to the rest:
// their vectors are much nearer to the true ones than those of other words are.
func TestFitSubwordPublishedVectors(t *testing.T) {
	all := published(t, "embeddings/glove6b_50d_10k/vectors.vec.gz")
	all.Standardise() // or all cosines are high by what all vectors share
	rest := &Module{Name: "rest", Dim: all.Dim}
	var held []int
	for i, token := range all.Tokens {
		if i >= 2000 && i%10 == 0 {
			held = append(held, i)
			continue
		}
		rest.Tokens, rest.Vectors = append(rest.Tokens, token), append(rest.Vectors, all.Vectors[i*all.Dim:][:all.Dim]...)
	}
	if err := rest.FitSubword(Subword{}); err != nil {
		t.Fatal(err)
	}
	l, v := rest.Lookup(), make([]float32, all.Dim)
	var own, others, n float64
	for k, i := range held {
		if l.Vector(v, all.Tokens[i]) != Composed {
			continue // "¥" has no n-gram that another word has
		}
		n++
		own += cosine(v, all.Vectors[i*all.Dim:][:all.Dim])
		others += cosine(v, all.Vectors[held[(k+1)%len(held)]*all.Dim:][:all.Dim])
	}
	if n < 0.95*float64(len(held)) {
		t.Errorf("%v of %d words are made of n-grams", n, len(held))
	}
	own, others = own/n, others/n
	t.Logf("mean cosine with the word's own vector %.3f, with another's %.3f", own, others)
	if own < others+0.2 {
		t.Errorf("mean cosine with the word's own vector %.3f, with another's %.3f", own, others)
	}
}

// Trained by whatever method, a module makes vectors of unseen words when
// asked to, of the length of all others when standardised.
func TestTrainWithSubword(t *testing.T) {
	for _, o := range methods {
		o.Subword, o.Standardise = &Subword{Buckets: 500, MinN: 1}, true
		m, err := Train(groups(), o)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, m.Dim)
		if got := m.Lookup().Vector(v, "a99"); got != Composed || math.Abs(norm(v)-math.Sqrt(float64(m.Dim))) > 1e-4 {
			t.Errorf("%s: %v of length %v", o.Name, got, norm(v))
		}
		if !strings.Contains(m.Source, "n-grams of 1 to 6 in 500 buckets") {
			t.Errorf("source %q", m.Source)
		}
	}
}

// What n-grams fitted to a standardised and weighed module make is like the
// words of it that are rare: of the length that all had before they were weighed.
func TestFitSubwordKeepsTheLength(t *testing.T) {
	plain, err := Train(groups(), TrainOptions{Name: "m", Dim: 8, Seed: 1, Variant: Variant{Standardise: true}})
	if err != nil {
		t.Fatal(err)
	}
	encoded := plain.Encode()
	weighed, err := plain.Derive("w", Variant{Smoothing: 1e-3})
	if err != nil {
		t.Fatal(err)
	}
	fit := Variant{Fit: &Subword{MinN: 1, Buckets: 500}}
	var made [][]float32
	for _, m := range []*Module{plain, weighed} {
		m, err := m.Derive("f", fit)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, m.Dim)
		if got := m.Lookup().Vector(v, "a99"); got != Composed || math.Abs(norm(v)-math.Sqrt(8)) > 1e-4 {
			t.Errorf("%s: %v of length %v, want √8", m.Source, got, norm(v))
		}
		made = append(made, v)
	}
	if c := cosine(made[0], made[1]); c < 0.9999 {
		t.Errorf("weights change the direction of what is made of parts: cosine %v", c)
	}
	// It is the same after the store.
	stored, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stored.Derive("f", fit)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, again.Dim)
	if again.Lookup().Vector(v, "a99"); !slices.Equal(v, made[0]) {
		t.Errorf("%v, want %v", v, made[0])
	}
}

// Where what n-grams make has a length of its own, their scale says nothing, and
// further changes treat it as they treat the words.
func TestChangesOfStandardisedSubwords(t *testing.T) {
	for _, v := range []Variant{{Components: 1}, {Standardise: true}, {Components: 2, Standardise: true}} {
		var made [][]float32
		var lengths []float64
		for _, scale := range []float64{1, 7} {
			variant := Variant{Fit: &Subword{MinN: 1, Buckets: 500}, Standardise: true}
			m, err := Train(groups(), TrainOptions{Name: "m", Dim: 8, Seed: 1, Variant: variant})
			if err != nil {
				t.Fatal(err)
			}
			scaleBy(m.Subword.Vectors, scale)
			if m, err = m.Derive("d", v); err != nil {
				t.Fatal(err)
			}
			out := make([]float32, m.Dim)
			m.Lookup().Vector(out, "a99")
			made, lengths = append(made, out), m.lengths()
		}
		for k := range made[0] {
			if math.Abs(float64(made[0][k]-made[1][k])) > 1e-4 {
				t.Errorf("%+v: %v with n-grams of another scale, %v without", v, made[1], made[0])
				break
			}
		}
		mean := 0.0
		for _, l := range lengths {
			mean += l / float64(len(lengths))
		}
		if math.Abs(norm(made[0])-mean) > 0.01*mean {
			t.Errorf("%+v: length %v of what is made of parts, %v of the words", v, norm(made[0]), mean)
		}
	}
}
