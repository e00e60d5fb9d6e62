//go:build !noasm && !gccgo && !safe

package child

import "unsafe"

// adagradVector takes the steps of proximalAdagrad without l1 for the leading
// weights, a multiple of 4, and returns their number.
func adagradVector(value, sum, grad []float32, rate, l2 float32) int {
	n := len(value) &^ 3
	if n == 0 {
		return 0
	}
	_, _ = sum[n-1], grad[n-1]
	v, s, g := unsafe.SliceData(value), unsafe.SliceData(sum), unsafe.SliceData(grad)
	if l2 > 0 {
		adagradShrinkBlocks(v, s, g, n, rate, l2)
	} else {
		adagradBlocks(v, s, g, n, rate)
	}
	return n
}

//go:noescape
func adagradBlocks(value, sum, grad *float32, n int, rate float32)

//go:noescape
func adagradShrinkBlocks(value, sum, grad *float32, n int, rate, l2 float32)
