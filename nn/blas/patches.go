package blas

// Normalise brings x to mean 0 and, but for floor, variance 1:
// x = (x − mean)/√(variance + floor), as contrast normalisation of image patches
// has it (Coates, Ng and Lee, 2011, §3.2). The assembly rounds as the loop does.
func Normalise(x []float32, floor float32) {
	switch {
	case len(x) == 0:
	case active != nil:
		normaliseAssembly(x, floor)
	default:
		normaliseLoop(x, floor)
	}
}

// normaliseLoop is Normalise in plain Go, its sums in eight interleaved lanes.
func normaliseLoop(x []float32, floor float32) {
	var lanes [8]float32
	for i, v := range x {
		lanes[i%8] += v
	}
	mean := sumLanes(lanes) / float32(len(x))
	lanes = [8]float32{}
	for i, v := range x {
		v -= mean
		x[i] = v
		lanes[i%8] += float32(v * v)
	}
	scale := 1 / Sqrt(sumLanes(lanes)/float32(len(x))+floor)
	for i := range x {
		x[i] *= scale
	}
}

func sumLanes(l [8]float32) float32 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

// Triangle adds the "triangle" activations of a vector z of squared length
// square to sums (Coates, Ng and Lee, 2011, §3.2.2), dots being its products with
// centroids and norms their squared lengths:
//
//	dₖ = √max(0, square + norms[k] − 2·dots[k]),  sums[k] += max(0, mean(d) − dₖ)
//
// dots become the distances d. The assembly rounds as the loop does. It panics
// if sums or norms is shorter than dots.
func Triangle(sums, dots, norms []float32, square float32) {
	sums, norms = sums[:len(dots)], norms[:len(dots)]
	switch {
	case len(dots) == 0:
	case active != nil:
		triangleAssembly(sums, dots, norms, square)
	default:
		triangleLoop(sums, dots, norms, square)
	}
}

// triangleLoop is Triangle in plain Go, its sum in eight interleaved lanes.
func triangleLoop(sums, dots, norms []float32, square float32) {
	var lanes [8]float32
	for k, v := range dots {
		d := square + norms[k] - (v + v)
		if d <= 0 {
			d = 0
		}
		d = Sqrt(d)
		dots[k] = d
		lanes[k%8] += d
	}
	mean := sumLanes(lanes) / float32(len(dots))
	for k, d := range dots {
		if v := mean - d; !(v <= 0) { // not v > 0, which would hide a NaN
			sums[k] += v
		}
	}
}
