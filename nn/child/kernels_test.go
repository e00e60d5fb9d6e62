package child

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"

	kernels "tnaml/nn/blas"
	"tnaml/nn/rng"
)

// Products of all shapes around the edges of the pieces, against plain loops in
// float64.
func TestGemm(t *testing.T) {
	r := rng.New(1, "gemm", 0)
	sizes := []int{1, 2, 63, 64, 65, 200}
	for _, m := range sizes {
		for _, n := range append(sizes, 192, 193) {
			for _, k := range []int{1, 5, 130} {
				for _, trans := range [][2]blas.Transpose{{blas.NoTrans, blas.NoTrans}, {blas.Trans, blas.NoTrans}, {blas.NoTrans, blas.Trans}} {
					a, b, c := draw(r.NormFloat64, m*k), draw(r.NormFloat64, k*n), draw(r.NormFloat64, m*n)
					ma, mb := matrix(a, m, k), matrix(b, k, n)
					ai, al, bl, bj := k, 1, n, 1
					if trans[0] == blas.Trans {
						ma, ai, al = matrix(a, k, m), 1, m
					}
					if trans[1] == blas.Trans {
						mb, bl, bj = matrix(b, n, k), 1, k
					}
					gemm(trans[0], trans[1], ma, mb, matrix(c, m, n))
					for i := range m {
						for j := range n {
							var want, size float64
							for l := range k {
								p := float64(a[i*ai+l*al]) * float64(b[l*bl+j*bj])
								want += p
								size += math.Abs(p)
							}
							if got := float64(c[i*n+j]); math.Abs(got-want) > 1e-6*size {
								t.Fatalf("%d×%d×%d %c%c: element %d, %d is %v, want %v", m, k, n, trans[0], trans[1], i, j, got, want)
							}
						}
					}
				}
			}
		}
	}
}

func draw(f func() float64, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(f())
	}
	return v
}

type namedKernels struct{ gonum.Implementation }

func (namedKernels) InstructionSet() string { return "fast" }

type otherKernels struct{ gonum.Implementation }

func TestInstructionSetFollowsTheKernels(t *testing.T) {
	before := blas32.Implementation()
	defer blas32.Use(before)
	if kernels.Vectors() != "none" && InstructionSet() != "amd64-fma" {
		t.Errorf("%s kernels, but %q", kernels.Vectors(), InstructionSet())
	}
	for _, c := range []struct {
		kernels blas.Float32
		want    string
	}{
		{gonum.Implementation{}, "gonum-" + runtime.GOARCH},
		{namedKernels{}, "fast"},
		{otherKernels{}, "child.otherKernels-" + runtime.GOARCH},
	} {
		blas32.Use(c.kernels)
		if got := InstructionSet(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%T: %q, want %q", c.kernels, got, c.want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	v := []float32{1000, 1001, -1000}
	top, total := softmax(v)
	e := math.Exp(-1)
	if top != 1001 || math.Abs(float64(total)-1-e) > 1e-6 || v[2] != 0 || math.Abs(float64(v[0])-e/(1+e)) > 1e-6 {
		t.Errorf("softmax %v, maximum %v, sum %v", v, top, total)
	}
}

func TestFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if finite([]float32{1, float32(bad), 2}) {
			t.Errorf("%v is taken for a number", bad)
		}
	}
	if !finite([]float32{3e38, -3e38, 1e-45}) || !finite(nil) {
		t.Error("numbers are not taken for numbers")
	}
}

// Activations and their derivatives against differences of the reference, out to
// where they saturate; NaN is not hidden.
func TestActivations(t *testing.T) {
	for _, f := range []Activation{ReLU, ReLU6, LeakyReLU, Swish, Sigmoid, Tanh} {
		for x := -100.03; x < 100; x += .05 {
			z := []float32{float32(x)}
			y, d := make([]float32, 1), make([]float32, 1)
			activate(f, z, y, d)
			const h = 1e-6
			want := function(f, float64(z[0]))
			slope := (function(f, float64(z[0])+h) - function(f, float64(z[0])-h)) / (2 * h)
			if math.Abs(float64(y[0])-want) > 1e-6*(1+math.Abs(want)) || math.Abs(float64(d[0])-slope) > 1e-6 {
				t.Fatalf("%s(%v) = %v with slope %v, want %v and %v", f, x, y[0], d[0], want, slope)
			}
		}
		v := []float32{float32(math.NaN())}
		if activate(f, v, v, make([]float32, 1)); v[0] == v[0] {
			t.Errorf("%s hides NaN", f)
		}
	}
}
