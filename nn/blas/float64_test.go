package blas

import (
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
)

func numbers64(n int, seed uint64) []float64 {
	r := rng.New(seed, "numbers64", 0)
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// both runs f with the assembly and without.
func both(t *testing.T, f func() []float64) (assembly, loop []float64) {
	levels(t)
	was := active
	defer func() { active = was }()
	assembly = f()
	active = nil
	return assembly, f()
}

func near(a, b []float64, tolerance float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.Abs(x-y) <= tolerance || x != x && y != y })
}

func TestSumsAndDots(t *testing.T) {
	for cols := range 70 {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 12, 31} {
			stride := cols + n%3
			matrix, weights := numbers64(max(1, n*stride+cols), 1), numbers64(3*n+1, 2)
			for _, accumulate := range []bool{false, true} {
				got, want := both(t, func() []float64 {
					y := append(numbers64(cols, 3), 7)
					Sums(y[:cols], matrix, stride, weights, 3, n, accumulate)
					return y
				})
				if !near(got, want, 1e-13) {
					t.Fatalf("sums of %d rows of %d: %v, want %v", n, cols, got, want)
				}
			}
			x := numbers64(cols, 4)
			got, want := both(t, func() []float64 {
				y := append(numbers64(n, 5), 7)
				Dots(y[:n], matrix, stride, x)
				return y
			})
			if !near(got, want, 1e-13) {
				t.Fatalf("products with %d rows of %d: %v, want %v", n, cols, got, want)
			}
		}
	}
}

func TestLogistic(t *testing.T) {
	var z []float64
	for x := -40.; x < 40; x += .0173 {
		z = append(z, x)
	}
	z = append(z, 0, 1e-300, 354, -354, 400, -400, 1e300, -1e300, math.Inf(1), math.Inf(-1), math.NaN())
	for name, f := range map[string]func([]float64){"sigmoid": Sigmoid64, "tanh": Tanh64} {
		for n := range 20 {
			got, want := both(t, func() []float64 {
				v := append(slices.Clone(z[:n]), 7)
				f(v[:n])
				return v
			})
			if !near(got, want, 0) {
				t.Fatalf("%s of %d: %v, want %v", name, n, got, want)
			}
		}
		got, want := both(t, func() []float64 { v := slices.Clone(z); f(v); return v })
		for i, x := range z {
			exact := math.Tanh(x)
			if name == "sigmoid" {
				exact = 1 / (1 + math.Exp(-x))
			}
			if got[i] != want[i] && !(got[i] != got[i] && want[i] != want[i]) {
				t.Errorf("%s(%v) = %v, the loop has %v", name, x, got[i], want[i])
			}
			if math.Abs(got[i]-exact) > 6e-16 || exact != exact && got[i] == got[i] {
				t.Errorf("%s(%v) = %v, want %v", name, x, got[i], exact)
			}
		}
	}
}

func TestAdam(t *testing.T) {
	for n := range 23 {
		got, want := both(t, func() []float64 {
			value, first, second, gradient := numbers64(n, 1), numbers64(n, 2), numbers64(n, 3), numbers64(n, 4)
			for i := range second {
				second[i] *= second[i]
			}
			Adam(value, first, second, gradient, .7, .9, .999, .01, 1.3, 1e-8)
			return slices.Concat(value, first, second)
		})
		if !near(got, want, 0) {
			t.Fatalf("%d weights: %v, want %v", n, got, want)
		}
	}
	// By hand: m = .1·2, v = .001·4, θ += .5·.2/(√(1000·.004) + 0).
	value, first, second := []float64{1}, []float64{0}, []float64{0}
	Adam(value, first, second, []float64{4}, .5, .9, .999, .5, 1000, 0)
	if math.Abs(first[0]-.2) > 1e-15 || math.Abs(second[0]-.004) > 1e-15 || math.Abs(value[0]-1.05) > 1e-12 {
		t.Errorf("%v %v %v", value, first, second)
	}
}
