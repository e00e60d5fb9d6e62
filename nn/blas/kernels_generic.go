//go:build !amd64 || noasm

package blas

import "gonum.org/v1/gonum/blas/gonum"

// choose returns nil: gonum's kernels stay.
func choose() *level { return nil }

func axpy(alpha float32, x, y []float32) { gonum.Implementation{}.Saxpy(len(x), alpha, x, 1, y, 1) }

func add(x, y []float32) {
	for i, v := range x {
		y[i] += v
	}
}

func mul(x, y []float32) {
	for i, v := range x {
		y[i] *= v
	}
}

func addProduct(x, y, z []float32) {
	for i, v := range x {
		z[i] += float32(v * y[i])
	}
}

func activateAssembly(int, []float32, []float32, []float32) { panic(unreachable) }

const unreachable = "blas: no assembly on this processor"

func dot([]float32, []float32) float32 { panic(unreachable) }

func adagradAssembly(int, []float32, []float32, []float32, float32, float32) { panic(unreachable) }

func packRows([]float32, int, []float32, int, int) { panic(unreachable) }

func transpose8(*float32, int, *float32, int, int) { panic(unreachable) }

func prefetchLines(*float32, int) {}

func sums64([]float64, []float64, int, []float64, int, int, bool) { panic(unreachable) }

func dots64([]float64, []float64, int, []float64) { panic(unreachable) }

func logisticAssembly([]float64, float64, float64, float64) { panic(unreachable) }

func adamAssembly([]float64, []float64, []float64, []float64, float64, float64, float64, float64, float64, float64) {
	panic(unreachable)
}

func biasReLU6Assembly([]float32, int, int, []float32) { panic(unreachable) }

func depthwiseAssembly([]float32, []float32, int, int, []float32, float32) { panic(unreachable) }

func normaliseAssembly([]float32, float32) { panic(unreachable) }

func triangleAssembly([]float32, []float32, []float32, float32) { panic(unreachable) }
