package policygradient

import (
	"math"
	"testing"

	"tnaml/nn/safetensors"
)

// restored is a baseline of a configuration that goes on from another one's state.
func restored(t *testing.T, from *Baseline, c BaselineConfig) *Baseline {
	t.Helper()
	f := safetensors.New("x")
	from.PutArrays(f, "b/")
	b, err := NewBaseline(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.GetArrays(f, "b/"); err != nil {
		t.Fatal(err)
	}
	return b
}

func told(t *testing.T, c BaselineConfig, rewards ...float64) *Baseline {
	t.Helper()
	b, err := NewBaseline(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rewards {
		b.Advantage(3, r)
	}
	return b
}

// Under another α the averages are those of the weights that the rewards were absorbed
// with: corrected ones are divided by the sum of these.
func TestBaselineForksToAnotherDecay(t *testing.T) {
	early, late, last := []float64{.2, .9, .4}, []float64{.7, .1, .8}, []float64{.5, .6}
	for _, corrected := range []bool{true, false} {
		b := told(t, BaselineConfig{Decay: .1, Corrected: corrected}, early...)
		mean, weight := 0.0, 0.0
		absorb := func(alpha float64, rewards []float64) {
			for _, r := range rewards {
				mean, weight = (1-alpha)*mean+alpha*r, (1-alpha)*weight+alpha
			}
		}
		if !corrected {
			mean, weight = early[0], 1
		}
		absorb(.1, early)
		before, sigma, _ := b.Moments(3)
		b = restored(t, b, BaselineConfig{Decay: .3, Corrected: corrected})
		if m, s, n := b.Moments(3); m != before || s != sigma || n != len(early) {
			t.Errorf("corrected %v: restored under another decay %v, %v after %d, before %v, %v", corrected, m, s, n, before, sigma)
		}
		for _, r := range late {
			b.Advantage(3, r)
		}
		absorb(.3, late)
		b = restored(t, restored(t, b, BaselineConfig{Decay: .5, Corrected: corrected}), BaselineConfig{Decay: .05, Corrected: corrected})
		for _, r := range last {
			b.Advantage(3, r)
		}
		absorb(.05, last)
		if got, _, n := b.Moments(3); math.Abs(got-mean/weight) > 1e-12 || n != 8 {
			t.Errorf("corrected %v: b is %v after %d, want %v", corrected, got, n, mean/weight)
		}
	}
}

// Corrected or not, and from whatever variance: b is what it would be if it had been so
// from the first reward on, and so is what σ began with.
func TestBaselineForksToAnotherStart(t *testing.T) {
	early, late := []float64{0, .9, .4, .6}, []float64{.7, .1}
	configs := []BaselineConfig{
		{Decay: .1, Corrected: true}, {Decay: .1}, {Decay: .1, InitialVariance: new(0.)}, {Decay: .1, InitialVariance: new(.5)},
	}
	for i, from := range configs {
		for k, to := range configs {
			want := told(t, to, append(early, late...)...)
			got := restored(t, told(t, from, early...), to)
			back := restored(t, got, from)
			for _, r := range late {
				got.Advantage(3, r)
			}
			a, s, _ := got.Moments(3)
			b, w, _ := want.Moments(3)
			if math.Abs(a-b) > 1e-12 {
				t.Errorf("%d to %d: b is %v, want %v", i, k, a, b)
			}
			if !from.Corrected && !to.Corrected && math.Abs(s-w) > 1e-12 {
				t.Errorf("%d to %d: σ is %v, want %v", i, k, s, w)
			}
			a, s, _ = back.Moments(3)
			b, w, _ = told(t, from, early...).Moments(3)
			if math.Abs(a-b) > 1e-12 || math.Abs(s-w) > 1e-12 {
				t.Errorf("%d to %d and back: %v and %v, not %v and %v", i, k, a, s, b, w)
			}
		}
	}
}

// Under the configuration that it was saved with it is the same, bit for bit.
func TestBaselineRestored(t *testing.T) {
	rewards := []float64{.31, .12, .87, .55, .43}
	for _, c := range []BaselineConfig{{}, {Corrected: true}, {Decay: .3, InitialVariance: new(0.)}, {Decay: 1, Corrected: true}} {
		whole := told(t, c)
		parts := told(t, c)
		for _, r := range rewards {
			if a, b := whole.Advantage(3, r), parts.Advantage(3, r); a != b {
				t.Errorf("%+v: advantage %v, restored %v", c, a, b)
			}
			parts = restored(t, parts, c)
		}
	}
	f := safetensors.New("x")
	safetensors.Put(f, "b/0", []float64{.5, .1, 3, .5, 1, 0})
	if err := told(t, BaselineConfig{}).GetArrays(f, "b/"); err == nil {
		t.Error("a state without its configuration is taken")
	}
	for _, v := range [][]float64{
		{.5, .1, 3, .5, 2, 0}, {.5, .1, 3, .5, 1, 4}, {.5, .1, 3, math.NaN(), 1, 0}, {.5, -1, 3, .5, 1, 0}, {.5, .1, 0, .5, 1, 0}, {.5, .1, 3},
	} {
		f := safetensors.New("x")
		f.PutJSON("b/config", BaselineConfig{Decay: .1})
		safetensors.Put(f, "b/0", v)
		if err := told(t, BaselineConfig{}).GetArrays(f, "b/"); err == nil {
			t.Errorf("%v is taken", v)
		}
	}
}
