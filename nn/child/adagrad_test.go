package child

import (
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
)

// The assembly and the plain loop give the same bits, for every length and
// every kind of number.
func TestAdagradVectorEqualsScalar(t *testing.T) {
	if adagradVector(make([]float32, 8), make([]float32, 8), make([]float32, 8), 1, 0) == 0 {
		t.Skip("this build has no assembly: there is nothing to compare")
	}
	special := []float32{
		0, float32(math.Copysign(0, -1)), 1e-45, -1e-39, 1e-21, -1e-21, 1e-20, -1e-20, 3e38, -3e38,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	}
	r := rng.New(1, "adagrad", 0)
	draw := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			if v[i] = float32(r.NormFloat64()); r.IntN(4) == 0 {
				v[i] = special[r.IntN(len(special))]
			}
		}
		return v
	}
	same := func(a, b []float32) bool {
		return slices.EqualFunc(a, b, func(x, y float32) bool {
			return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
		})
	}
	for n := range 70 {
		for _, l2 := range []float32{0, 1e-4, .7, 1e30} {
			value, grad, sum := draw(n), draw(n), draw(n)
			for i := range sum {
				sum[i] = max(sum[i], accumulatorStart)
			}
			wantValue, wantSum, wantGrad := slices.Clone(value), slices.Clone(sum), slices.Clone(grad)
			adagradScalar(wantValue, wantSum, wantGrad, .3, l2)
			proximalAdagrad(value, sum, grad, .3, 0, l2)
			if !same(value, wantValue) || !same(sum, wantSum) || !same(grad, wantGrad) {
				t.Fatalf("%d weights, l2 %v:\n%v\n%v", n, l2, value, wantValue)
			}
		}
	}
}

// A weight without gradient ends at zero under L2, not among the denormals, and
// a NaN stays one.
func TestShrinksToZero(t *testing.T) {
	for _, n := range []int{3, 8} { // the loop, the assembly
		value, sum, grad := make([]float32, n), make([]float32, n), make([]float32, n)
		fill(value, -1)
		fill(sum, accumulatorStart)
		value[1] = float32(math.NaN())
		for range 400 {
			proximalAdagrad(value, sum, grad, .1, 0, 1)
		}
		for i, v := range value {
			if i == 1 && v == v || i != 1 && v != 0 {
				t.Errorf("of %d weights, %d ended at %v", n, i, v)
			}
		}
	}
}

// Rows that are not touched keep their values, and a row's gradient starts at
// zero each time it is touched.
func TestSparse(t *testing.T) {
	s := newSparse([]float32{1, 1, 2, 2, 3, 3}, 2, 5)
	copy(s.gradient(2), []float32{1, 0})
	copy(s.gradient(0), []float32{0, -1})
	if !slices.Equal(s.gradient(2), []float32{1, 0}) {
		t.Error("a touched row lost its gradient")
	}
	s.step(.1, 0, .5)
	if s.value[2] != 2 || s.value[3] != 2 || s.sum[2] != accumulatorStart {
		t.Errorf("an untouched row moved: %v", s.value)
	}
	for i, g := range []float64{1, 0} {
		eta := .1 / math.Sqrt(.1+g*g)
		if want := (3 - eta*g) / (1 + .5*eta); math.Abs(float64(s.value[4+i])-want) > 1e-6 {
			t.Errorf("row 2: %v, want %v at %d", s.value[4:], want, i)
		}
	}
	if g := s.gradient(2); g[0] != 0 || g[1] != 0 {
		t.Errorf("gradient of the last step: %v", g)
	}
}

// maxTouched against the largest documents by sorting; no batch touches more.
func TestMaxTouched(t *testing.T) {
	r := rng.New(1, "sizes", 0)
	for range 50 {
		e := Examples{Offsets: []int32{0}}
		var sizes []int
		for range r.IntN(30) {
			size := r.IntN(6)
			sizes = append(sizes, size)
			e.Offsets = append(e.Offsets, e.Offsets[len(e.Offsets)-1]+int32(size))
			e.Labels = append(e.Labels, 0)
		}
		slices.Sort(sizes)
		slices.Reverse(sizes)
		batch, want := 1+r.IntN(40), 0
		for _, size := range sizes[:min(batch, len(sizes))] {
			want += size
		}
		if got := maxTouched(&e, batch); got != want {
			t.Fatalf("%v in batches of %d: %d, want %d", sizes, batch, got, want)
		}
	}
}
