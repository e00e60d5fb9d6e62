package child

import (
	"fmt"

	kernels "tnaml/nn/blas"
)

// activate computes y = f(z) and d = f'(z), elementwise; z and y may be the
// same slice. NaN gives NaN, so that it reaches the loss.
//
//	relu        max(0, z)
//	relu6       min(max(0, z), 6)
//	leaky_relu  max(0.2·z, z)
//	swish       z·σ(z)
//	sigmoid     σ(z)
//	tanh        2σ(2z) − 1
func activate(f Activation, z, y, d []float32) {
	switch f {
	case ReLU:
		kernels.ReLU(z, y, d)
	case ReLU6:
		kernels.ReLU6(z, y, d)
	case LeakyReLU:
		kernels.LeakyReLU(z, y, d)
	case Swish:
		kernels.Swish(z, y, d)
	case Sigmoid:
		kernels.Sigmoid(z, y, d)
	case Tanh:
		kernels.Tanh(z, y, d)
	default:
		panic(fmt.Sprintf("child: activation %q", f)) // Config.Validate refuses it
	}
}

// drop sets a share of the units to zero in y and d and scales the others up
// (inverted dropout, Srivastava et al., 2014). Which ones is a function of the
// key alone; the share is exact to 1/65536.
func drop(share float64, key uint64, y, d []float32) {
	limit := uint64(share * (1 << 16))
	scale := float32(1 / (1 - float64(limit)/(1<<16)))
	keep := [2]float32{scale, 0} // by whether the bits lie below the limit
	d = d[:len(y)]
	for i := 0; i < len(y); i += 4 {
		bits := mix(key + uint64(i)*golden)
		for k := i; k < min(i+4, len(y)); k++ {
			factor := keep[(bits&0xffff-limit)>>63]
			y[k] *= factor
			d[k] *= factor
			bits >>= 16
		}
	}
}
