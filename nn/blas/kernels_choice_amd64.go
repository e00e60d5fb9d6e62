//go:build !noasm

package blas

import (
	"golang.org/x/sys/cpu"
	"gonum.org/v1/gonum/blas/gonum"
)

// choose returns the widest kernels that this processor runs.
func choose() *level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return nil
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL:
		return avx512
	default:
		return avx2
	}
}

var (
	avx512 = &level{
		name: "avx512", lanes: 16,
		tiles: []tile{
			{12, [2][2]gemmKernel{{gemm512x12x1N, gemm512x12x2N}, {gemm512x12x1T, gemm512x12x2T}}},
			{8, [2][2]gemmKernel{{gemm512x8x1N, gemm512x8x2N}, {gemm512x8x1T, gemm512x8x2T}}},
			{4, [2][2]gemmKernel{{gemm512x4x1N, gemm512x4x2N}, {gemm512x4x1T, gemm512x4x2T}}},
			{2, [2][2]gemmKernel{{gemm512x2x1N, gemm512x2x2N}, {gemm512x2x1T, gemm512x2x2T}}},
			{1, [2][2]gemmKernel{{gemm512x1x1N, gemm512x1x2N}, {gemm512x1x1T, gemm512x1x2T}}},
		},
		gather: []func(gatherScatter){
			func(g gatherScatter) { gather512x1(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x2(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x3(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x4(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x5(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x6(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x7(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x8(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x9(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x10(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x11(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x12(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x13(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x14(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x15(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather512x16(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
		},
		scatter: []func(gatherScatter){
			func(g gatherScatter) { scatter512x1(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x2(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x3(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x4(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x5(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x6(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x7(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x8(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x9(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x10(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x11(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x12(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x13(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x14(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x15(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter512x16(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
		},
		exchange: []func(gatherScatter){
			func(g gatherScatter) {
				exchange512x1(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x2(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x3(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x4(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x5(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x6(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x7(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange512x8(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
		},
		dots:   rowDots512,
		mask:   func(n int) *int32 { return &masks512[n] },
		mask16: func(n int) *int32 { return &masks512[n] },
	}
	avx2 = &level{
		name: "avx2", lanes: 8,
		tiles: []tile{
			{6, [2][2]gemmKernel{{gemm2x6x1N, gemm2x6x2N}, {gemm2x6x1T, gemm2x6x2T}}},
			{4, [2][2]gemmKernel{{gemm2x4x1N, gemm2x4x2N}, {gemm2x4x1T, gemm2x4x2T}}},
			{2, [2][2]gemmKernel{{gemm2x2x1N, gemm2x2x2N}, {gemm2x2x1T, gemm2x2x2T}}},
			{1, [2][2]gemmKernel{{gemm2x1x1N, gemm2x1x2N}, {gemm2x1x1T, gemm2x1x2T}}},
		},
		gather: []func(gatherScatter){
			func(g gatherScatter) { gather2x1(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x2(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x3(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x4(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x5(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x6(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x7(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x8(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x9(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x10(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x11(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
			func(g gatherScatter) { gather2x12(g.vector, g.table, g.stride, g.ids, g.weights, g.n, g.mask) },
		},
		scatter: []func(gatherScatter){
			func(g gatherScatter) { scatter2x1(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x2(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x3(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x4(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x5(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x6(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x7(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x8(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x9(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x10(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x11(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
			func(g gatherScatter) { scatter2x12(g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask) },
		},
		exchange: []func(gatherScatter){
			func(g gatherScatter) {
				exchange2x1(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange2x2(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange2x3(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange2x4(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange2x5(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
			func(g gatherScatter) {
				exchange2x6(g.sum, g.table, g.stride, g.ids, g.weights, g.n, g.vector, g.mask)
			},
		},
		dots:   rowDots2,
		mask:   mask2,
		mask16: func(n int) *int32 { return &masks16[16-n] },
	}
)

// masks512 holds for n the n lowest bits; masks2 from 8 − n on n lanes of ones
// and then zeros, as masks16 does from 16 − n on.
var (
	masks512 = func() (m [17]int32) {
		for n := range m {
			m[n] = 1<<n - 1
		}
		return m
	}()
	masks2  = [17]int32{-1, -1, -1, -1, -1, -1, -1, -1}
	masks16 = [33]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}
)

func mask2(n int) *int32 { return &masks2[8-n] }

func axpy(alpha float32, x, y []float32) {
	if active == nil {
		gonum.Implementation{}.Saxpy(len(x), alpha, x, 1, y, 1)
		return
	}
	axpyAVX2(len(x), alpha, &x[0], &y[0])
}

func add(x, y []float32) {
	if active == nil {
		for i, v := range x {
			y[i] += v
		}
		return
	}
	addAVX2(len(x), &x[0], &y[0])
}

func mul(x, y []float32) {
	if active == nil {
		for i, v := range x {
			y[i] *= v
		}
		return
	}
	mulAVX2(len(x), &x[0], &y[0])
}

func dot(x, y []float32) float32 { return dotAVX2(len(x), &x[0], &y[0]) }

func adagradAssembly(kind int, value, sum, grad []float32, rate, l float32) {
	n, v, s, g := len(value), &value[0], &sum[0], &grad[0]
	mask := mask2(n % 8)
	switch kind {
	case adagradWithL1:
		adagradL1(n, v, s, g, rate, l, mask)
	case adagradWithL2:
		adagradL2(n, v, s, g, rate, l, mask)
	default:
		adagradPlain(n, v, s, g, rate, 0, mask)
	}
}

// packRows packs k rows of a full panel's width.
func packRows(panel []float32, width int, b []float32, ldb, k int) {
	to := &panel[:k*width][0]
	switch width {
	case 8:
		pack8(to, &b[0], ldb, k)
	case 16:
		pack16(to, &b[0], ldb, k)
	default:
		pack32(to, &b[0], ldb, k)
	}
}

func addProduct(x, y, z []float32) {
	if active == nil {
		for i, v := range x {
			z[i] += float32(v * y[i])
		}
		return
	}
	addProductAVX2(len(x), &x[0], &y[0], &z[0], mask2(len(x)%8))
}

func activateAssembly(kind int, z, y, d []float32) {
	n, from, to, slope := len(z), &z[0], &y[0], &d[0]
	mask := mask2(n % 8)
	switch kind {
	case kindReLU:
		reluAVX2(n, from, to, slope, mask)
	case kindReLU6:
		relu6AVX2(n, from, to, slope, mask)
	case kindLeakyReLU:
		leakyReLUAVX2(n, from, to, slope, mask)
	case kindSwish:
		swishAVX2(n, from, to, slope, mask)
	case kindSigmoid:
		sigmoidAVX2(n, from, to, slope, mask)
	default:
		tanhAVX2(n, from, to, slope, mask)
	}
}

// masks64 holds from 4 − n on n lanes of 64 ones and then zeros.
var masks64 = [9]int64{-1, -1, -1, -1}

func mask64(n int) *int64 { return &masks64[4-n] }

var rowSums64 = [...]func(dst, matrix *float64, stride int, weights *float64, step, n int, accumulate bool, mask *int64){
	rowSums64x1, rowSums64x2, rowSums64x3, rowSums64x4, rowSums64x5, rowSums64x6, rowSums64x7, rowSums64x8,
}

func sums64(y, matrix []float64, stride int, weights []float64, step, n int, accumulate bool) {
	for from := 0; from < len(y); {
		vectors := min(len(rowSums64), (len(y)-from+3)/4)
		cols := min(len(y)-from, 4*vectors)
		rowSums64[vectors-1](&y[from], &matrix[from], stride, &weights[0], step, n, accumulate, mask64(cols-4*(vectors-1)))
		from += cols
	}
}

func dots64(y, matrix []float64, stride int, x []float64) {
	mask := mask64(len(x) % 4)
	r := 0
	for ; r+4 <= len(y); r += 4 {
		dots64x4(&y[r], &matrix[r*stride], stride, &x[0], len(x), mask)
	}
	for ; r < len(y); r++ {
		dots64x1(&y[r], &matrix[r*stride], stride, &x[0], len(x), mask)
	}
}

func logisticAssembly(v []float64, a, b, c float64) {
	logistic64(len(v), &v[0], a, b, c, mask64(len(v)%4))
}

func adamAssembly(value, first, second, gradient []float64, scale, beta1, beta2, rate, correction, epsilon float64) {
	adam64(len(value), &value[0], &first[0], &second[0], &gradient[0], scale, beta1, beta2, rate, correction, epsilon)
}

func biasReLU6Assembly(y []float32, stride, cols int, bias []float32) {
	biasReLU6AVX2(&y[0], stride, len(bias), cols, &bias[0], mask2(cols%8))
}

// onesBetween is eight lanes of ones between eight of zeros on either side.
var onesBetween = [24]int32{8: -1, 9: -1, 10: -1, 11: -1, 12: -1, 13: -1, 14: -1, 15: -1}

func depthwiseAssembly(dst, src []float32, side, stride int, w []float32, bias float32) {
	if stride == 1 {
		depthwise1AVX2(&dst[0], &src[0], side, &w[0], bias, &onesBetween[8])
	} else {
		depthwise2AVX2(&dst[0], &src[0], side, &w[0], bias, &onesBetween[8])
	}
}

func normaliseAssembly(x []float32, floor float32) {
	normaliseAVX2(len(x), &x[0], float32(len(x)), floor, mask2(len(x)%8))
}

func triangleAssembly(sums, dots, norms []float32, square float32) {
	triangleAVX2(len(dots), &sums[0], &dots[0], &norms[0], square, float32(len(dots)), mask2(len(dots)%8))
}
