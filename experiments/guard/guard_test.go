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
func search(seed uint64) (models []trainer.Bits, truth []float64) {
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
		models = append(models, pack(right...))
		truth = append(truth, .5*math.Erfc(-skill/2)) // P(skill > N(0, 2)) = Φ(skill/√2)
	}
	return models, truth
}

// Over many searches the best accuracy is too high by what choosing it brought; the
// estimates are less than half as far off, and the choice is no worse.
func TestGuardsHalveTheGap(t *testing.T) {
	const searches = 24
	var plain, posterior, corrected, bbc, truth, chosen float64
	for s := range uint64(searches) {
		models, actual := search(s)
		measured, expected := Accuracies(models), Posterior(models)
		a, b := Best(measured), Best(expected)
		plain, truth = plain+(measured[a]-actual[a])/searches, truth+actual[a]/searches
		posterior, chosen = posterior+(expected[b]-actual[b])/searches, chosen+actual[b]/searches
		c := Correct(models, 40, s)
		corrected, bbc = corrected+(c.Accuracy-actual[a])/searches, bbc+(c.BBC-actual[a])/searches
	}
	if most := plain / 2; plain < .03 || math.Abs(posterior) > most || math.Abs(corrected) > most || math.Abs(bbc) > most {
		t.Errorf("gap %.4f, of the posterior mean %.4f, corrected %.4f, BBC %.4f", plain, posterior, corrected, bbc)
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

// By hand: of the 27 draws of three examples, A (right on two) is chosen in the 20 with
// the third at most once. Left out are, in the eight without the third, it and in two
// of these another: ½ + ½; in six with it once another one: 6; in the other six nothing;
// B, chosen in seven, is wrong on all left out: 7 of 21. Taken as they were measured, A
// seems ⅓ better than it is in eight draws, B in six, and ⅔ in one: 16/3 of 27.
func TestCorrectedByHand(t *testing.T) {
	a, b := pack(1, 1, 0), pack(0, 0, 1)
	s := newBootstrap([]trainer.Bits{a, b}, []float64{2. / 3, 1. / 3})
	for i := range 27 {
		var times [3]uint16
		for _, e := range []int{i % 3, i / 3 % 3, i / 9} {
			times[e]++
		}
		s.add(times[:])
	}
	got := s.result()
	want := Corrected{Models: 2, Accuracy: 2./3 - 16./81, Error: 2 * math.Sqrt(38./81*43/81/3), BBC: 1. / 3}
	if !near(got.Accuracy, want.Accuracy, 1e-12) || !near(got.BBC, want.BBC, 1e-12) || !near(got.Error, want.Error, 1e-12) || got.Models != 2 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// One model has nothing to be chosen from, equal seeds give equal estimates, and what
// cannot be drawn is left as it is.
func TestCorrectedAtTheEdges(t *testing.T) {
	if got := Correct([]trainer.Bits{pack(1, 1, 1, 1, 0)}, 20, 1); got.Accuracy != .8 || got.BBC >= 1 || got.BBC <= .5 {
		t.Errorf("of one model %+v", got)
	}
	models, _ := search(1)
	if a, b := Correct(models, 20, 3), Correct(models, 20, 3); a != b || a == Correct(models, 20, 4) {
		t.Errorf("%+v, again %+v", a, b)
	}
	for _, m := range []trainer.Bits{{}, pack(1)} {
		if got := Correct([]trainer.Bits{m, m}, 5, 1); got.Accuracy != m.Share() || got.BBC != m.Share() || got.Error != 0 {
			t.Errorf("of %d examples %+v", m.N, got)
		}
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
