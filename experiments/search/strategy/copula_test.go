package strategy

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
)

// Of four losses the shares of lesser ones are 0, 1/4, 1/2, 3/4; δ of four is
// 1/(4·4^¼·√(π ln 4)) = .0847.
func TestGaussianByHand(t *testing.T) {
	got := gaussian([]float64{3, -1, 70, 2})
	for i, want := range []float64{0, -1.374085, .674490, -.674490} {
		if math.Abs(got[i]-want) > 1e-6 {
			t.Errorf("value %d is %v, want %v", i, got[i], want)
		}
	}
	if got := gaussian([]float64{7, 7}); got[0] != got[1] {
		t.Errorf("equal ones: %v", got)
	}
	if got := gaussian([]float64{7}); got[0] != 0 {
		t.Errorf("one: %v", got)
	}
	if got := gaussian(nil); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

// The transform keeps the order, whatever the losses' scale, and makes them normal.
func TestGaussianKeepsTheOrder(t *testing.T) {
	y := make([]float64, 300)
	for i := range y {
		y[i] = math.Exp(3 * rng.New(1, "y", uint64(i)).NormFloat64())
	}
	z := gaussian(y)
	scaled := slices.Clone(y)
	for i := range scaled {
		scaled[i] = 1e6*scaled[i] - 4
	}
	if !slices.Equal(z, gaussian(scaled)) {
		t.Error("another scale gives another z")
	}
	var mean, square float64
	for i := range y {
		mean, square = mean+z[i]/300, square+z[i]*z[i]/300
		for k := range y {
			if y[i] < y[k] && z[i] > z[k] {
				t.Fatalf("%v < %v, but %v > %v", y[i], y[k], z[i], z[k])
			}
		}
	}
	if math.Abs(mean) > .05 || math.Abs(square-1) > .2 {
		t.Errorf("mean %v, mean square %v", mean, square)
	}
}

// The model knows which configurations are good for all tasks, and where tasks differ.
func TestCopulaModel(t *testing.T) {
	sp := relatedSpace()
	var sources []Source
	for task, s := range relatedSources(8, 300, false) {
		for i := range s.Trials {
			k := &s.Trials[i]
			// Option 0 of the first choice is best; with options 3 to 5 of the second the tasks agree
			// on nothing else.
			k.Reward = -float64(k.Actions[0])
			if k.Actions[1] > 2 {
				k.Reward += 3 * rng.New(2, "noise", uint64(1000*task+i)).NormFloat64()
			}
		}
		sources = append(sources, s)
	}
	d := must(Builtin().Find(Copula))(t)
	c := must(d.New(Start{Seed: 1, Space: sp, Tasks: []string{"t"}, Sources: sources, Settings: d.Defaults}))(t).(*copula)
	at := func(first, second int) (mean, variance float64) {
		actions := []int{first, second, 3, 3, 3, 3, 3, 3}
		return c.mean.Predict(actions), c.variance.Predict(actions)
	}
	good, quiet := at(0, 1)
	bad, _ := at(5, 1)
	_, loud := at(2, 4)
	if good > bad-1 || loud < 2*quiet {
		t.Errorf("z of good ones %.2f, of bad ones %.2f; variance %.2f where tasks agree, %.2f where not", good, bad, quiet, loud)
	}
	zeros := 0
	for i := range 50 {
		if actions, _ := c.Ask(i, 0); actions[0] < 2 {
			zeros++
		}
	}
	if zeros < 40 {
		t.Errorf("a good option of the first choice in %d of 50 trials", zeros)
	}
	if _, err := ParseSettings(Copula, json.RawMessage(`{"candidates":0}`)); !says(err, "candidates is 0") {
		t.Errorf("%v", err)
	}
}
