package child

import "fmt"

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
	y, d = y[:len(z)], d[:len(z)]
	switch f {
	case ReLU:
		for i, v := range z {
			if v <= 0 {
				y[i], d[i] = 0, 0
			} else {
				y[i], d[i] = v, 1
			}
		}
	case ReLU6:
		for i, v := range z {
			switch {
			case v <= 0:
				y[i], d[i] = 0, 0
			case v >= 6:
				y[i], d[i] = 6, 0
			default:
				y[i], d[i] = v, 1
			}
		}
	case LeakyReLU:
		for i, v := range z {
			if v > 0 {
				y[i], d[i] = v, 1
			} else {
				y[i], d[i] = leak*v, leak
			}
		}
	case Swish:
		for i, v := range z {
			s := sigmoid32(v)
			w := v * s
			y[i], d[i] = w, s+float32(w*(1-s))
		}
	case Sigmoid:
		for i, v := range z {
			s := sigmoid32(v)
			y[i], d[i] = s, s*(1-s)
		}
	case Tanh:
		for i, v := range z {
			t := float32(2*sigmoid32(2*v)) - 1
			y[i], d[i] = t, 1-float32(t*t)
		}
	default:
		panic(fmt.Sprintf("child: activation %q", f)) // Config.Validate refuses it
	}
}

// leak is leaky_relu's slope below zero, TensorFlow's default.
const leak = 0.2

// drop sets a share of the units to zero in y and d and scales the others up
// (inverted dropout, Srivastava et al., 2014). Which ones is a function of the
// key alone; the share is exact to 1/65536.
func drop(share float64, key uint64, y, d []float32) {
	limit := uint64(share * (1 << 16))
	scale := float32(1 / (1 - float64(limit)/(1<<16)))
	d = d[:len(y)]
	for i := 0; i < len(y); i += 4 {
		bits := mix(key + uint64(i)*golden)
		for k := i; k < min(i+4, len(y)); k++ {
			if bits&0xffff < limit {
				y[k], d[k] = 0, 0
			} else {
				y[k] *= scale
				d[k] *= scale
			}
			bits >>= 16
		}
	}
}
