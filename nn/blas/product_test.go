package blas

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
)

// Products of all shapes around the edges of the pieces, against plain loops in
// float64, on this package's kernels and on gonum's, which are cut.
func TestProduct(t *testing.T) {
	before := blas32.Implementation()
	defer blas32.Use(before)
	sizes := []int{1, 2, 63, 64, 65, 200}
	for _, m := range sizes {
		for _, n := range append(sizes, 192, 193) {
			for _, k := range []int{1, 5, 130} {
				for _, trans := range [][2]bool{{false, false}, {true, false}, {false, true}} {
					beta := float32((m + n + k) % 2)
					a, b, c := numbers(m*k, 1), numbers(k*n, 2), numbers(m*n, 3)
					ma, mb, ta, tb := Matrix(a, m, k), Matrix(b, k, n), blas.NoTrans, blas.NoTrans
					if trans[0] {
						ma, ta = Matrix(a, k, m), blas.Trans
					}
					if trans[1] {
						mb, tb = Matrix(b, n, k), blas.Trans
					}
					want, size := product(trans[0], trans[1], m, n, k, 1, a, ma.Stride, b, mb.Stride, beta, c, n)
					for _, kernels := range []blas.Float32{before, gonum.Implementation{}} {
						blas32.Use(kernels)
						out := slices.Clone(c)
						Product(ta, tb, ma, mb, beta, Matrix(out, m, n))
						for i, got := range out {
							if math.Abs(float64(got)-want[i]) > 1e-6*size[i] {
								t.Fatalf("%T: %d×%d×%d %c%c, beta %v: element %d is %v, want %v", kernels, m, n, k, ta, tb, beta, i, got, want[i])
							}
						}
					}
				}
			}
		}
	}
}

// A basis of the same span, of columns of length 1 that are at right angles.
func TestOrthonormalise(t *testing.T) {
	const n, k = 30, 5
	x := numbers(n*k, 1)
	wide := func() *mat.Dense {
		m := mat.NewDense(n, k, nil)
		m.Apply(func(i, j int, _ float64) float64 { return float64(x[i*k+j]) }, m)
		return m
	}
	span := wide()
	Orthonormalise(x, n, k)
	q := wide()
	var gram, back mat.Dense
	gram.Mul(q.T(), q)
	one := mat.NewDiagDense(k, slices.Repeat([]float64{1}, k))
	if !mat.EqualApprox(&gram, one, 1e-6) {
		t.Errorf("columns are not orthonormal: %v", mat.Formatted(&gram))
	}
	gram.Mul(q.T(), span)
	back.Mul(q, &gram)
	if !mat.EqualApprox(&back, span, 1e-5) {
		t.Error("the basis spans something else")
	}
}

func TestFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if Finite([]float32{1, float32(bad), 2}) {
			t.Errorf("%v is taken for a number", bad)
		}
	}
	if !Finite([]float32{3e38, -3e38, 1e-45}) || !Finite(nil) {
		t.Error("numbers are not taken for numbers")
	}
}
