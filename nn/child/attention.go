package child

import (
	"math"

	kernels "tnaml/nn/blas"
)

// attention pools token vectors by one learnt query q (Yang et al., 2016, without their
// hidden layer): the weight of the token x in a document's sum is in proportion to how
// often it occurs times exp(q·x). With q = 0, as it starts, that is the mean.
type attention struct {
	query tensor // dim
	// Of the batch: the documents' weights, one after another, and room for one.
	weights []float32
	starts  []int
	slopes  []float32
	spare   []float32 // dim
}

func newAttention(dim int) *attention {
	return &attention{query: newTensor(dim), spare: make([]float32, dim)}
}

// attend sets x to document i's pooled token vectors, and weights to those of its tokens.
func attend(b *bags, i int, table, query, weights, x []float32) {
	ids := b.ids[b.from[i]:b.to[i]]
	if len(ids) == 0 {
		clear(x)
		return
	}
	weights = weights[:len(ids)]
	kernels.RowDots(weights, table, len(x), ids, query)
	top := float32(math.Inf(-1))
	for k := range weights {
		top = max(top, weights[k])
	}
	total := float32(0)
	for k, n := range b.weights[b.from[i]:b.to[i]] {
		weights[k] = float32(n * kernels.Exp(weights[k]-top))
		total += weights[k]
	}
	for k := range weights {
		weights[k] /= total
	}
	kernels.Gather(x, table, len(x), ids, weights)
}

// leastAttention bounds from below how much a token counts in proportion to the one that
// counts most, as the exponent of e: the weights of a document of such alone must be numbers.
const leastAttention = -60

// tokenWeights are how much each token of a vocabulary counts: what a model keeps of the
// query.
func (a *attention) tokenWeights(t *Table) []float32 {
	out, top := make([]float32, len(t.Known)), float32(math.Inf(-1))
	for id, known := range t.Known {
		if known {
			out[id] = kernels.Dot(t.Vectors[id*t.Dim:][:t.Dim], a.query.value)
			top = max(top, out[id])
		}
	}
	for id, known := range t.Known {
		if known {
			out[id] = kernels.Exp(max(leastAttention, out[id]-top))
		}
	}
	return out
}

// turn lays out a batch.
func (a *attention) turn(b *bags, rows []int32) {
	a.starts = a.starts[:0]
	n, longest := 0, 0
	for _, i := range rows {
		a.starts = append(a.starts, n)
		tokens := int(b.to[i] - b.from[i])
		n, longest = n+tokens, max(longest, tokens)
	}
	a.weights, a.slopes = grow(a.weights, n), grow(a.slopes, longest)
}

// backward sets the query's gradient from those of the documents' vectors, d. With weights
// a and the vector h it is Σ a(t)·(d·x(t) − d·h)·x(t).
func (a *attention) backward(b *bags, rows []int32, table, d []float32) {
	g := a.query.grad
	clear(g)
	dim := len(g)
	for place, i := range rows {
		ids := b.ids[b.from[i]:b.to[i]]
		if len(ids) == 0 {
			continue
		}
		weights, slopes := a.weights[a.starts[place]:][:len(ids)], a.slopes[:len(ids)]
		kernels.RowDots(slopes, table, dim, ids, d[place*dim:][:dim])
		mean := float32(0)
		for k, w := range weights {
			mean += float32(w * slopes[k])
		}
		for k, w := range weights {
			slopes[k] = w * (slopes[k] - mean)
		}
		kernels.Gather(a.spare, table, dim, ids, slopes)
		add(g, a.spare)
	}
}
