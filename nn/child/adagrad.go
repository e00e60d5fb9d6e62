package child

import kernels "tnaml/nn/blas"

// tensor is a trainable array with its Adagrad accumulator and gradient.
type tensor struct {
	value, sum, grad []float32
}

// accumulatorStart is the accumulator's first value, TensorFlow's default.
const accumulatorStart = 0.1

func newTensor(n int) tensor {
	t := tensor{make([]float32, n), make([]float32, n), make([]float32, n)}
	for i := range t.sum {
		t.sum[i] = accumulatorStart
	}
	return t
}

// step updates a dense tensor.
func (t *tensor) step(rate, l1, l2 float32) {
	kernels.Adagrad(t.value, t.sum, t.grad, rate, l1, l2)
}

// maxTokens returns a bound on the number of tokens in a batch of different
// documents: the sizes of the largest documents, a batch of them, summed.
func maxTokens(e *Examples, batch int) int {
	largest := 0
	for i := range e.Len() {
		largest = max(largest, int(e.Offsets[i+1]-e.Offsets[i]))
	}
	documents := make([]int, largest+1) // by size
	for i := range e.Len() {
		documents[e.Offsets[i+1]-e.Offsets[i]]++
	}
	n := 0
	for size := largest; size > 0 && batch > 0; size-- {
		k := min(documents[size], batch)
		n += k * size
		batch -= k
	}
	return n
}
