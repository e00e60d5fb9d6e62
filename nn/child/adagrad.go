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
// documents, given where each begins and the last ends: the sizes of the largest
// documents, a batch of them, summed.
func maxTokens(offsets []int32, batch int) int {
	largest := int32(0)
	for i := 1; i < len(offsets); i++ {
		largest = max(largest, offsets[i]-offsets[i-1])
	}
	documents := make([]int, largest+1) // by size
	for i := 1; i < len(offsets); i++ {
		documents[offsets[i]-offsets[i-1]]++
	}
	n := 0
	for size := int(largest); size > 0 && batch > 0; size-- {
		k := min(documents[size], batch)
		n += k * size
		batch -= k
	}
	return n
}
