package blas

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Orthonormalise replaces the columns of an n × k matrix by an orthonormal basis
// of their span, by Householder reflections in float64.
func Orthonormalise(x []float32, n, k int) {
	a := blas64.General{Rows: n, Cols: k, Stride: k, Data: make([]float64, n*k)}
	for i, v := range x {
		a.Data[i] = float64(v)
	}
	tau, work := make([]float64, k), make([]float64, 1)
	lapack64.Geqrf(a, tau, work, -1)
	work = make([]float64, int(work[0]))
	lapack64.Geqrf(a, tau, work, len(work))
	lapack64.Orgqr(a, tau, work[:1], -1)
	work = make([]float64, max(len(work), int(work[0])))
	lapack64.Orgqr(a, tau, work, len(work))
	for i, v := range a.Data {
		x[i] = float32(v)
	}
}
