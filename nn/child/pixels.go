package child

import (
	"math"

	"gonum.org/v1/gonum/blas"

	kernels "tnaml/nn/blas"
)

// pixels is the wide tower of an image model: a linear layer from the pixels
// straight to the logits, in the place of the one from one-hot tokens.
//
// A pixel of value v among n enters as (v/127.5 − 1)/√n: an image is then a
// vector of length at most 1, and a step of the optimiser moves the logits as
// much whatever the size of the images.
type pixels struct {
	n      int       // values of an image
	scale  []float32 // by the value of a pixel, 256
	weight tensor    // n × classes
	x      []float32 // batch × n
}

func pixelScale(n int) []float32 {
	scale := make([]float32, 256)
	norm := 1 / math.Sqrt(float64(max(n, 1)))
	for v := range scale {
		scale[v] = float32((float64(v)/127.5 - 1) * norm)
	}
	return scale
}

// newPixels makes the tower with weights of zero; nil where there are no pixels.
func newPixels(n, classes, batch int) *pixels {
	if n == 0 {
		return nil
	}
	return &pixels{n: n, scale: pixelScale(n), weight: newTensor(n * classes), x: make([]float32, batch*n)}
}

// lookUp turns pixels into the tower's inputs.
func lookUp(scale []float32, v []uint8, x []float32) {
	table := (*[256]float32)(scale)
	x = x[:len(v)]
	for i, b := range v {
		x[i] = table[b]
	}
}

// addPixels adds the tower's part to the logits, rows × classes, from its inputs,
// rows × n, and weights.
func addPixels(logits, x, weights []float32, rows, n, classes int) {
	kernels.Product(blas.NoTrans, blas.NoTrans, kernels.Matrix(x, rows, n), kernels.Matrix(weights, n, classes),
		1, kernels.Matrix(logits, rows, classes))
}

// forward adds the tower's part to the logits, rows × classes.
func (p *pixels) forward(e *Examples, rows []int32, logits []float32, classes int) {
	for place, i := range rows {
		lookUp(p.scale, e.Pixels[int(i)*p.n:][:p.n], p.x[place*p.n:])
	}
	addPixels(logits, p.x, p.weight.value, len(rows), p.n, classes)
}

// backward sets the gradient from the logits'.
func (p *pixels) backward(dlogits []float32, batch, classes int) {
	kernels.Product(blas.Trans, blas.NoTrans, kernels.Matrix(p.x, batch, p.n), kernels.Matrix(dlogits, batch, classes),
		0, kernels.Matrix(p.weight.grad, p.n, classes))
}
