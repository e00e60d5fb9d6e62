package blas

// BiasReLU6 sets a block of rows, each cols elements, stride apart, to
// min(max(y + bias[row], 0), 6), a row for each number of bias. The assembly
// rounds as the loop does. It panics if y is too short or stride below cols.
func BiasReLU6(y []float32, stride, cols int, bias []float32) {
	if len(bias) == 0 || cols <= 0 {
		return
	}
	y = y[:(len(bias)-1)*stride+cols]
	switch {
	case stride < cols:
		panic("blas: short stride")
	case active != nil:
		biasReLU6Assembly(y, stride, cols, bias)
	default:
		biasReLU6Loop(y, stride, cols, bias)
	}
}

func biasReLU6Loop(y []float32, stride, cols int, bias []float32) {
	for r, b := range bias {
		row := y[r*stride:][:cols]
		for i, v := range row {
			row[i] = clamp6(v + b)
		}
	}
}

// clamp6 is min(max(v, 0), 6) without the care those take of NaN and of zeros'
// signs; a NaN passes.
func clamp6(v float32) float32 {
	switch {
	case v <= 0:
		return 0
	case v >= 6:
		return 6
	}
	return v
}

// Depthwise computes one channel of a 3 × 3 convolution with bias and ReLU6,
// from a map of side × side to (side/stride)²:
//
//	dst[y,x] = min(max(Σᵢⱼ w[i,j]·src[stride·y+i−p, stride·x+j−p] + bias, 0), 6)
//
// With stride 1 the map is padded by a zero on all sides (p = 1), with stride 2
// at the bottom and the right only (p = 0), and its side must be even. Weights
// are nine, row by row, and must be finite. The assembly rounds as the loop
// does. dst must not overlap src. It panics at other strides, sides and lengths.
func Depthwise(dst, src []float32, side, stride int, weights []float32, bias float32) {
	if side < 1 || stride != 1 && stride != 2 || side%stride != 0 || len(weights) != 9 ||
		len(src) != side*side || len(dst) != len(src)/(stride*stride) {
		panic("blas: a depthwise convolution of mismatched sizes")
	}
	if active != nil {
		depthwiseAssembly(dst, src, side, stride, weights, bias)
		return
	}
	depthwiseLoop(dst, src, side, stride, weights, bias)
}

// depthwiseLoop is Depthwise in plain Go. Products that go into a sum are
// converted, which forbids the compiler to fuse the two.
func depthwiseLoop(dst, src []float32, side, stride int, w []float32, bias float32) {
	to, pad := side/stride, 2-stride
	for y := range to {
		d := dst[y*to:][:to]
		clear(d)
		for i := range 3 {
			sy := stride*y + i - pad
			if sy < 0 || sy >= side {
				continue
			}
			row := src[sy*side:][:side]
			w0, w1, w2 := w[3*i], w[3*i+1], w[3*i+2]
			x := 0
			if pad == 1 {
				d[0] += depthwiseEdge(row, -1, w0, w1, w2)
				x = 1
			}
			for ; stride*x+2-pad < side; x++ {
				v := row[stride*x-pad:][:3]
				d[x] += float32(w0*v[0]) + float32(w1*v[1]) + float32(w2*v[2])
			}
			for ; x < to; x++ {
				d[x] += depthwiseEdge(row, stride*x-pad, w0, w1, w2)
			}
		}
		for x, v := range d {
			d[x] = clamp6(v + bias)
		}
	}
}

// depthwiseEdge is the sum of three columns of a row, from x on, of which some
// are outside.
func depthwiseEdge(row []float32, x int, w ...float32) (sum float32) {
	for j, w := range w {
		if at := x + j; at >= 0 && at < len(row) {
			sum += float32(w * row[at])
		}
	}
	return sum
}
