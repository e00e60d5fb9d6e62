package child

import (
	"math"
	"strings"
	"testing"
)

// Naive Bayes' weights by hand: three tokens that the tower sees and one that it
// does not, two classes. Documents of class 0: {0, 1}, {0}; of class 1: {1, 2, 3}.
func TestNaiveBayesByHand(t *testing.T) {
	e := &Examples{Offsets: []int32{0, 2, 3, 6}, IDs: []int32{0, 1, 0, 1, 2, 3}, Counts: []float32{5, 1, 1, 1, 2, 1}, Labels: []int32{0, 0, 1}}
	// log p: class 0 has 3 tokens, 3/6, 2/6, 1/6; class 1 has 2, 1/5, 2/5, 2/5.
	half := func(a, b float64) float64 { return (math.Log(a) - math.Log(b)) / 2 }
	want := []float64{half(3./6, 1./5), half(2./6, 2./5), half(1./6, 2./5)}
	w := []float32{9, 9, 9, 9, 9, 9}
	naiveBayes(w, e, 3, 2, .5, 0)
	for i, v := range want {
		for c, sign := range []float64{.5, -.5} {
			if got := float64(w[2*i+c]); math.Abs(got-sign*v) > 1e-6 {
				t.Errorf("token %d, class %d: %v, want %v", i, c, got, sign*v)
			}
		}
	}
	// The last row being an n-gram's, it has half of that.
	naiveBayes(w, e, 2, 2, .5, 0)
	for i, share := range []float64{.5, .5, .25} {
		if got := float64(w[2*i]); math.Abs(got-share*want[i]) > 1e-6 {
			t.Errorf("row %d, two of them tokens: %v, want %v", i, got, share*want[i])
		}
	}
	// One proximal step: .1/√.1 = .316 off, and no change of sign.
	naiveBayes(w, e, 3, 2, 1, .1)
	for i, v := range want {
		shrunk := math.Copysign(max(math.Abs(v)-math.Sqrt(.1), 0), v)
		if got := float64(w[2*i]); math.Abs(got-shrunk) > 1e-6 {
			t.Errorf("token %d: %v after the proximal step, want %v", i, got, shrunk)
		}
	}
	if w[2] != 0 || w[0] == 0 {
		t.Errorf("the step leaves %v", w)
	}
}

// The start is the default's, a given share, or none, and is a part of the
// model's configuration.
func TestWideStart(t *testing.T) {
	d, table := synthetic(200, 60, 3, 12, 8, .5)
	start := func(v float64) []float32 {
		return newNetwork(config(func(c *Config) { c.WideStart = v }), d, table, nil, 1).wide.value
	}
	plain, usual, double := start(-1), start(0), start(2*DefaultWideStart)
	moved := 0
	for i := range plain {
		if plain[i] != 0 {
			t.Fatalf("from zero: %v", plain[i])
		}
		if usual[i] != 0 {
			moved++
		}
		if math.Abs(float64(double[i]-2*usual[i])) > 1e-6 {
			t.Fatalf("weight %d: %v with the default, %v with twice its share", i, usual[i], double[i])
		}
	}
	if moved < len(plain)/2 {
		t.Errorf("%d of %d weights start elsewhere than at zero", moved, len(plain))
	}
	for _, v := range []float64{-.5, 11, math.NaN()} {
		if err := config(func(c *Config) { c.WideStart = v }).Validate(); err == nil || !strings.Contains(err.Error(), "wide start") {
			t.Errorf("%v: %v", v, err)
		}
	}
}

// Few examples, many tokens: from naive Bayes' weights the wide tower is better
// than from zero in as many steps.
func TestNaiveBayesHelpsSmallSets(t *testing.T) {
	d, table := synthetic(120, 400, 3, 12, 4, .8)
	accuracy := func(start float64) (sum float64) {
		for seed := range uint64(5) {
			_, out := train(t, config(func(c *Config) { c.WideStart, c.HiddenLayers, c.Steps = start, 0, 30 }), d, table, seed)
			sum += out.Test.Accuracy / 5
		}
		return sum
	}
	if zero, bayes := accuracy(-1), accuracy(0); bayes <= zero {
		t.Errorf("%v from zero, %v from naive Bayes", zero, bayes)
	}
}
