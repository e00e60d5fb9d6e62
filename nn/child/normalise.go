package child

// normalise sets h.z to the normalised h.y, and h.y to gain∘h.z + bias. Batch
// normalisation (Ioffe and Szegedy, 2015) takes mean and variance of each unit
// over the batch, layer normalisation (Ba, Kiros and Hinton, 2016) of each
// example over the units.
func (h *hidden) normalise(kind Normalisation, batch int) {
	if kind == BatchNorm {
		h.batchStatistics(batch)
		mean, inverse := h.sums[0], h.inverse[:h.out]
		for b := range batch {
			y, z := h.y[b*h.out:][:h.out], h.z[b*h.out:][:h.out]
			for k := range y {
				z[k] = (y[k] - mean[k]) * inverse[k]
				y[k] = float32(h.gain.value[k]*z[k]) + h.bias.value[k]
			}
		}
		return
	}
	for b := range batch {
		y, z := h.y[b*h.out:][:h.out], h.z[b*h.out:][:h.out]
		h.inverse[b] = layerNorm(y, z, h.gain.value, h.bias.value)
	}
}

// batchStatistics sets h.sums[0] to the units' means over the batch, h.sums[1]
// to their variances and h.inverse to 1/√(variance + ε).
func (h *hidden) batchStatistics(batch int) {
	mean, variance := h.sums[0], h.sums[1]
	columnSums(h.y, batch, h.out, mean)
	scale := 1 / float32(batch)
	for k := range mean {
		mean[k] = float32(mean[k] * scale)
	}
	clear(variance)
	for b := range batch {
		y := h.y[b*h.out:][:h.out]
		for k := range variance {
			d := y[k] - mean[k]
			variance[k] += float32(d * d)
		}
	}
	for k := range variance {
		variance[k] = float32(variance[k] * scale)
		h.inverse[k] = 1 / sqrt32(variance[k]+epsilon)
	}
}

// layerNorm normalises one example: z = (y − mean)/σ, y = gain∘z + bias. It
// returns 1/σ.
func layerNorm(y, z, gain, bias []float32) float32 {
	z, gain, bias = z[:len(y)], gain[:len(y)], bias[:len(y)]
	var mean, variance float32
	for _, v := range y {
		mean += v
	}
	scale := 1 / float32(len(y))
	mean = float32(mean * scale)
	for _, v := range y {
		d := v - mean
		variance += float32(d * d)
	}
	inverse := 1 / sqrt32(float32(variance*scale)+epsilon)
	for k, v := range y {
		z[k] = (v - mean) * inverse
		y[k] = float32(gain[k]*z[k]) + bias[k]
	}
	return inverse
}

// normaliseBack turns dz, the gradient by gain∘ẑ + bias, into that by the
// linear map's output, and sets the gain's gradient. With g = gain∘dz and means
// over what was normalised: (g − mean(g) − ẑ·mean(g∘ẑ))/σ.
func (h *hidden) normaliseBack(kind Normalisation, dz []float32, batch int) {
	gain, out := h.gain.value, h.out
	products := h.sums[1]
	clear(products)
	for b := range batch {
		d, z := dz[b*out:][:out], h.z[b*out:][:out]
		for k := range products {
			products[k] += float32(d[k] * z[k])
		}
	}
	copy(h.gain.grad, products)
	if kind == BatchNorm {
		// Σ d is the bias's gradient; the gain is common to a unit.
		scale := 1 / float32(batch)
		for b := range batch {
			d, z := dz[b*out:][:out], h.z[b*out:][:out]
			for k := range d {
				d[k] = gain[k] * h.inverse[k] * (d[k] - float32(scale*(h.bias.grad[k]+float32(z[k]*products[k]))))
			}
		}
		return
	}
	scale := 1 / float32(out)
	for b := range batch {
		d, z := dz[b*out:][:out], h.z[b*out:][:out]
		var sum, product float32
		for k := range d {
			d[k] = float32(d[k] * gain[k])
			sum += d[k]
			product += float32(d[k] * z[k])
		}
		sum = float32(sum * scale)
		product = float32(product * scale)
		inverse := h.inverse[b]
		for k := range d {
			d[k] = (d[k] - sum - float32(z[k]*product)) * inverse
		}
	}
}
