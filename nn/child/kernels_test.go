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
)

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
