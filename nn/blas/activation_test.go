package blas

import (
	"math"
	"slices"
	"testing"
)

var activations = map[string]func(z, y, d []float32){
	"relu": ReLU, "relu6": ReLU6, "leaky": LeakyReLU, "swish": Swish, "sigmoid": Sigmoid, "tanh": Tanh,
}

// The assembly rounds as the loops do, for every length and kind of number.
func TestActivationsEqualLoops(t *testing.T) {
	levels(t)
	was := active
	defer func() { active = was }()
	var z []float32
	for x := float32(-130); x < 130; x += .0137 {
		z = append(z, x)
	}
	z = append(z, 0, float32(math.Copysign(0, -1)), 6, -6, 88, 88.1, -87, -87.1, 1e-40, -1e-40, 3e38, -3e38,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 44, -43.5)
	for name, f := range activations {
		for _, n := range append([]int{len(z)}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17) {
			in := z[len(z)-n:]
			y, d := make([]float32, n+1), make([]float32, n+1)
			y[n], d[n] = 7, 7
			active = was
			f(in, y[:n], d[:n])
			if y[n] != 7 || d[n] != 7 {
				t.Fatalf("%s wrote beyond the end", name)
			}
			wantY, wantD := make([]float32, n), make([]float32, n)
			active = nil
			f(in, wantY, wantD)
			for i := range n {
				same := func(a, b float32) bool { return sameBits(a, b) || a != a && b != b }
				if !same(y[i], wantY[i]) || !same(d[i], wantD[i]) {
					t.Fatalf("%s(%v) = %v, %v, want %v, %v", name, in[i], y[i], d[i], wantY[i], wantD[i])
				}
			}
			active = was
			same := slices.Clone(in)
			f(same, same, d[:n])
			if !slices.EqualFunc(same, y[:n], func(a, b float32) bool { return sameBits(a, b) || a != a && b != b }) {
				t.Fatalf("%s in place differs", name)
			}
		}
	}
}

func TestAddProduct(t *testing.T) {
	for n := range 40 {
		x, y, z := numbers(n, 1), numbers(n, 2), append(numbers(n, 3), 7)
		was := slices.Clone(z)
		AddProduct(x, y, z[:n])
		for i := range n {
			if want := float64(x[i])*float64(y[i]) + float64(was[i]); math.Abs(float64(z[i])-want) > 2e-7 {
				t.Fatalf("[%d] of %d: %v, want %v", i, n, z[i], want)
			}
		}
		if z[n] != 7 {
			t.Fatal("written beyond the end")
		}
	}
}
