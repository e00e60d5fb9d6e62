package blas

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BenchmarkGemm measures products as child models have them, in GFLOPS on one
// core, beside gonum's.
func BenchmarkGemm(b *testing.B) {
	type multiplier interface {
		Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int)
	}
	for _, shape := range [][3]int{{100, 128, 256}, {100, 256, 256}, {100, 128, 64}, {100, 256, 13}, {100, 512, 512}, {512, 512, 512}} {
		m, k, n := shape[0], shape[1], shape[2]
		for _, form := range []struct {
			name   string
			tA, tB blas.Transpose
		}{{"NN", blas.NoTrans, blas.NoTrans}, {"TN", blas.Trans, blas.NoTrans}, {"NT", blas.NoTrans, blas.Trans}} {
			impl := map[string]multiplier{"gonum": gonum.Implementation{}}
			for _, l := range available() {
				impl[l.name] = Implementation{level: l}
			}
			for _, name := range []string{"avx512", "avx2", "gonum"} {
				if impl[name] == nil {
					continue
				}
				b.Run(fmt.Sprintf("%dx%dx%d/%s/%s", m, k, n, form.name, name), func(b *testing.B) {
					x, y, z := numbers(m*k, 1), numbers(k*n, 2), make([]float32, m*n)
					lda, ldb := k, n
					if form.tA == blas.Trans {
						lda = m
					}
					if form.tB == blas.Trans {
						ldb = k
					}
					for b.Loop() {
						impl[name].Sgemm(form.tA, form.tB, m, n, k, 1, x, lda, y, ldb, 0, z, n)
					}
					b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
				})
			}
		}
	}
}

// BenchmarkGather measures sums of 100 random rows of a table of 10,000 × 128.
func BenchmarkGather(b *testing.B) {
	table, weights, ids := numbers(10000*128, 1), numbers(100, 2), make([]int32, 100)
	for i := range ids {
		ids[i] = int32(i * 7919 % 10000)
	}
	dst := make([]float32, 128)
	for b.Loop() {
		Gather(dst, table, 128, ids, weights)
	}
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkExchange measures what skip-gram does with 36 random rows of a table
// of 10,000 × 128: products, and the exchange.
func BenchmarkExchange(b *testing.B) {
	table, weights, ids := numbers(10000*128, 1), make([]float32, 36), make([]int32, 36)
	for i := range ids {
		ids[i] = int32(i * 7919 % 10000)
	}
	src, dst := numbers(128, 2), make([]float32, 128)
	for b.Loop() {
		RowDots(weights, table, 128, ids, src)
		clear(weights)
		Exchange(dst, table, 128, ids, weights, src)
	}
	b.ReportMetric(36*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkAdagrad measures the optimiser's step on 65,536 weights.
func BenchmarkAdagrad(b *testing.B) {
	value, sum, grad := numbers(1<<16, 1), numbers(1<<16, 2), numbers(1<<16, 3)
	for i := range sum {
		sum[i] = 1
	}
	for name, l := range map[string][2]float32{"plain": {}, "l1": {1e-4, 0}, "l2": {0, 1e-4}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Adagrad(value, sum, grad, .01, l[0], l[1])
			}
			b.ReportMetric(float64(len(value))*float64(b.N)/b.Elapsed().Seconds(), "weights/s")
		})
	}
}
