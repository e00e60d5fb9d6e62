package guard

import (
	"math"
	"slices"
	"testing"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

func pack(right ...int) trainer.Bits {
	b := trainer.Bits{N: len(right), Packed: make([]byte, (len(right)+7)/8)}
	for i, v := range right {
		b.Packed[i/8] |= byte(v) << (i % 8)
	}
	return b
}

func near(a, b, margin float64) bool { return math.Abs(a-b) <= margin }

// search makes up a search of 100 models judged by 120 examples, each with a difficulty of
// its own, and the models' true accuracies: most are mediocre, few are good.
func search(seed uint64) (candidates []Candidate, truth []float64) {
	r := rng.New(seed, "guard/test", 0)
	const examples = 120
	difficulty := make([]float64, examples)
	for e := range difficulty {
		difficulty[e] = r.NormFloat64()
	}
	for range 100 {
		skill := .9 - .8*r.ExpFloat64()
		right := make([]int, examples)
		for e, d := range difficulty {
			if skill+r.NormFloat64() > d {
				right[e] = 1
			}
		}
		candidates = append(candidates, Candidate{[]trainer.Bits{pack(right...)}})
		truth = append(truth, .5*math.Erfc(-skill/2)) // P(skill > N(0, 2)) = Φ(skill/√2)
	}
	return candidates, truth
}

// Over many searches the best accuracy is too high by what choosing it brought; both
// estimates are less than half as far off, and the choice is no worse.
func TestGuardsHalveTheGap(t *testing.T) {
	const searches = 24
	var plain, posterior, corrected, truth, chosen float64
	for s := range uint64(searches) {
		candidates, actual := search(s)
		measured := accuracies(candidates)
		expected := Posterior(candidates, 0)
		a, b := Best(measured), Best(expected)
		plain, truth = plain+(measured[a]-actual[a])/searches, truth+actual[a]/searches
		posterior, chosen = posterior+(expected[b]-actual[b])/searches, chosen+actual[b]/searches
		corrected += (Corrected(candidates, 40, s) - actual[a]) / searches
	}
	if plain < .03 || math.Abs(posterior) > plain/2 || math.Abs(corrected) > plain/2 {
		t.Errorf("gap %.4f, of the posterior mean %.4f, corrected %.4f", plain, posterior, corrected)
	}
	if chosen < truth-.002 {
		t.Errorf("the choice has %.4f, without the guard %.4f", chosen, truth)
	}
}

// What is far apart stays, what cannot be told apart becomes one, and a certain value
// moves less than an uncertain one.
func TestMeansByHand(t *testing.T) {
	if m := means([]float64{0, 1}, []float64{1e-6, 1e-6}); !near(m[0], 0, 1e-3) || !near(m[1], 1, 1e-3) {
		t.Errorf("far apart: %v", m)
	}
	if m := means([]float64{0, 1}, []float64{100, 100}); !near(m[0], m[1], .01) || !near(m[0], .5, .01) {
		t.Errorf("not told apart: %v", m)
	}
	// The share w of .6 has 6w = 1 + w/(w + (1 − w)·e^−½), .2198, and the uncertain value
	// is w/(w + (1 − w)·e^−½) = .317 of the way.
	m := means([]float64{.5, .5, .5, .5, .6, .6}, []float64{1e-4, 1e-4, 1e-4, 1e-4, 1e-2, 1e-4})
	if !near(m[4], .5317, 5e-4) || !near(m[5], .6, 1e-3) {
		t.Errorf("an uncertain and a certain value: %v", m)
	}
	if m := means([]float64{.3, .3}, []float64{1, 1}); !slices.Equal(m, []float64{.3, .3}) {
		t.Errorf("equal: %v", m)
	}
}

// By hand: eight examples, of which the second model has four wrong that the first has
// right: the difference ½ squared, less the variance of its mean (8·¼/7/8), halved.
func TestTrainingVarianceByHand(t *testing.T) {
	a, b := pack(1, 1, 1, 1, 1, 1, 1, 1), pack(1, 1, 1, 1, 0, 0, 0, 0)
	if got, want := TrainingVariance([]Candidate{{[]trainer.Bits{a}}, {[]trainer.Bits{a, b}}}), (.25-.25/7)/2; !near(got, want, 1e-12) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := TrainingVariance([]Candidate{{[]trainer.Bits{a, a}}, {[]trainer.Bits{b}}}); got != 0 {
		t.Errorf("of equal models %v", got)
	}
	// A configuration that was trained twice is more certain, and so moves less.
	same := []Candidate{{[]trainer.Bits{a}}, {[]trainer.Bits{b}}, {[]trainer.Bits{b}}, {[]trainer.Bits{b}}}
	once := Posterior(same, .1)[0]
	same[0].Models = []trainer.Bits{a, a}
	if twice := Posterior(same, .1)[0]; twice <= once || once >= 1 {
		t.Errorf("trained once %v, twice %v", once, twice)
	}
}

func TestCorrectedByHand(t *testing.T) {
	right := pack(1, 1, 1, 1, 1)
	if got := Corrected([]Candidate{{[]trainer.Bits{right}}}, 20, 1); got != 1 {
		t.Errorf("of a model that is always right %v", got)
	}
	// Each has half of the examples right: what is drawn more often is left out less.
	var even, odd []int
	for i := range 40 {
		even, odd = append(even, (i+1)%2), append(odd, i%2)
	}
	two := []Candidate{{[]trainer.Bits{pack(even...)}}, {[]trainer.Bits{pack(odd...)}}}
	if got := Corrected(two, 200, 1); got >= .5 || got < .4 {
		t.Errorf("of two halves %v", got)
	}
	if Corrected(two, 50, 3) != Corrected(two, 50, 3) {
		t.Error("equal seeds, different estimates")
	}
	one := []Candidate{{[]trainer.Bits{pack(1)}}}
	if got := Corrected(one, 5, 1); got != 1 { // nothing is ever left out
		t.Errorf("of one example %v", got)
	}
	if Best(nil) != -1 || Best([]float64{1, 2, 2}) != 1 {
		t.Error("the best")
	}
}

// By hand: A is right on the first two of four examples and B on the last two, each sure
// of what it has right and nearly undecided else; C has three right and is sure of its
// mistake. C is first, A + B would have all: with C 3, + A .9+.4, … by the figures below.
func TestEnsembleByHand(t *testing.T) {
	labels := []int32{0, 0, 1, 1}
	p := func(first ...float32) (rows []float32) { // the probability of class 0
		for _, v := range first {
			rows = append(rows, v, 1-v)
		}
		return rows
	}
	a, b, c := p(.9, .9, .55, .55), p(.45, .45, .1, .1), p(.6, .6, .4, .6)
	// C alone has 3 right, A and B have 2 each. C + B: 1.05, 1.05 of 2, .5, .7: all four.
	// C + A has 1.15 for the last, wrong. Nothing is better than all, but log loss: a third
	// model A makes 1.95, 1.95, 1.05, 1.25 of 3, and is taken.
	if got := Ensemble([][]float32{a, b, c}, labels, 2, 1); !slices.Equal(got, []int{0, 0, 1}) {
		t.Errorf("one: %v", got)
	}
	if got := Ensemble([][]float32{a, b, c}, labels, 2, 2); !slices.Equal(got, []int{0, 1, 1}) {
		t.Errorf("two: %v", got)
	}
	if got := Ensemble([][]float32{a, b, c}, labels, 2, 3); !slices.Equal(got, []int{1, 1, 1}) {
		t.Errorf("three: %v", got)
	}
	// A model that never helps is left out again: the best step is the first.
	good, bad := p(.99, .99, .01, .01), p(.01, .01, .99, .99)
	if got := Ensemble([][]float32{bad, good}, labels, 2, 5); got[0] != 0 || got[1] == 0 {
		t.Errorf("%v", got)
	}
	if got := Ensemble(nil, labels, 2, 3); len(got) != 0 {
		t.Errorf("of none %v", got)
	}
}
