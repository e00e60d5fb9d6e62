package child

import (
	"gonum.org/v1/gonum/blas/blas32"

	kernels "tnaml/nn/blas"
)

// normalise sets h.z to the normalised h.y, and h.y to gain∘h.z + bias. Batch
// normalisation (Ioffe and Szegedy, 2015) takes mean and variance of each unit
// over the batch, layer normalisation (Ba, Kiros and Hinton, 2016) of each
// example over the units.
func (h *hidden) normalise(kind Normalisation, batch int) {
	if kind == BatchNorm {
		h.batchStatistics(batch)
		inverse := h.inverse[:h.out]
		for b := range batch {
			y, z := h.y[b*h.out:][:h.out], h.z[b*h.out:][:h.out]
			kernels.Mul(inverse, z)
			affine(z, h.gain.value, h.bias.value, y)
		}
		return
	}
	for b := range batch {
		y, z := h.y[b*h.out:][:h.out], h.z[b*h.out:][:h.out]
		h.inverse[b] = layerNorm(y, z, h.gain.value, h.bias.value, h.ones)
	}
}

// affine sets y to gain∘z + bias.
func affine(z, gain, bias, y []float32) {
	copy(y, bias)
	kernels.AddProduct(gain, z, y)
}

// batchStatistics sets h.sums[0] to the units' means over the batch, h.sums[1]
// to their variances, h.inverse to 1/√(variance + ε) and h.z to y − mean.
func (h *hidden) batchStatistics(batch int) {
	mean, variance := h.sums[0], h.sums[1]
	columnSums(h.y, batch, h.out, mean)
	scale := 1 / float32(batch)
	for k := range mean {
		mean[k] = float32(mean[k] * scale)
	}
	clear(variance)
	for b := range batch {
		z := h.z[b*h.out:][:h.out]
		copy(z, h.y[b*h.out:])
		kernels.Axpy(-1, mean, z)
		kernels.AddProduct(z, z, variance)
	}
	for k := range variance {
		variance[k] = float32(variance[k] * scale)
		h.inverse[k] = 1 / kernels.Sqrt(variance[k]+Epsilon)
	}
}

// layerNorm normalises one example: z = (y − mean)/σ, y = gain∘z + bias. It
// returns 1/σ. ones are as many ones.
func layerNorm(y, z, gain, bias, ones []float32) float32 {
	z = z[:len(y)]
	scale := 1 / float32(len(y))
	mean := float32(kernels.Dot(y, ones) * scale)
	copy(z, y)
	kernels.Axpy(-mean, ones, z)
	inverse := 1 / kernels.Sqrt(float32(kernels.Dot(z, z)*scale)+Epsilon)
	blas32.Scal(inverse, blas32.Vector{N: len(z), Inc: 1, Data: z})
	affine(z, gain, bias, y)
	return inverse
}

// normaliseBack turns dz, the gradient by gain∘ẑ + bias, into that by the
// linear map's output, and sets the gain's gradient. With g = gain∘dz and means
// over what was normalised: (g − mean(g) − ẑ·mean(g∘ẑ))/σ.
func (h *hidden) normaliseBack(kind Normalisation, dz []float32, batch int) {
	gain, out := h.gain.value, h.out
	products := h.gain.grad
	clear(products)
	for b := range batch {
		kernels.AddProduct(dz[b*out:][:out], h.z[b*out:], products)
	}
	if kind == BatchNorm {
		// Σ d is the bias's gradient; the gain is common to a unit.
		scale := 1 / float32(batch)
		mean, slope, factor := h.sums[0], h.sums[1], h.inverse[:out]
		for k := range mean {
			mean[k], slope[k] = float32(-scale*h.bias.grad[k]), float32(-scale*products[k])
			factor[k] *= gain[k]
		}
		for b := range batch {
			d := dz[b*out:][:out]
			kernels.AddProduct(h.z[b*out:][:out], slope, d)
			kernels.Add(mean, d)
			kernels.Mul(factor, d)
		}
		return
	}
	scale := 1 / float32(out)
	for b := range batch {
		d, z := dz[b*out:][:out], h.z[b*out:][:out]
		kernels.Mul(gain, d)
		mean := kernels.Dot(d, h.ones)
		slope := kernels.Dot(d, z)
		kernels.Axpy(-float32(mean*scale), h.ones, d)
		kernels.Axpy(-float32(slope*scale), z, d)
		blas32.Scal(h.inverse[b], blas32.Vector{N: out, Inc: 1, Data: d})
	}
}
