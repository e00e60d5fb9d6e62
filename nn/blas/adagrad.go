package blas

import "math"

// tiny is the magnitude below which Adagrad's L2 sets a weight to zero. A
// weight without gradient shrinks by a factor a step and ends, without this,
// among the denormal numbers, where it stays (the smallest rounds to itself)
// and slows every product it takes part in.
const tiny = 1e-20

// Adagrad takes one step on a run of weights: Adagrad's rate for each weight
// (Duchi, Hazan and Singer, 2011) in a forward-backward step (Duchi and Singer,
// 2009), as TensorFlow's ProximalAdagradOptimizer has it:
//
//	s += g²,  η = rate/√s,  u = w − η·g
//	w = sign(u)·max(|u| − η·l1, 0)/(1 + η·l2)
//
// The assembly rounds as the loops do. It panics if sum or grad is shorter than
// value.
func Adagrad(value, sum, grad []float32, rate, l1, l2 float32) {
	if len(value) == 0 {
		return
	}
	sum, grad = sum[:len(value)], grad[:len(value)]
	switch {
	case active == nil || l1 > 0 && l2 > 0:
		adagradLoop(value, sum, grad, rate, l1, l2)
	case l1 > 0:
		adagradAssembly(adagradWithL1, value, sum, grad, rate, l1)
	case l2 > 0:
		adagradAssembly(adagradWithL2, value, sum, grad, rate, l2)
	default:
		adagradAssembly(adagradAlone, value, sum, grad, rate, 0)
	}
}

const (
	adagradAlone = iota
	adagradWithL1
	adagradWithL2
)

// adagradLoop is Adagrad in plain Go. Products that go into a sum are converted,
// which forbids the compiler to fuse the two, so that all platforms agree.
func adagradLoop(value, sum, grad []float32, rate, l1, l2 float32) {
	sum, grad = sum[:len(value)], grad[:len(value)]
	switch {
	case l1 > 0:
		for i, w := range value {
			g := grad[i]
			s := sum[i] + float32(g*g)
			sum[i] = s
			eta := rate / Sqrt(s)
			u := w - float32(eta*g)
			t := float32(eta * l1)
			switch {
			case u > t:
				value[i] = (u - t) / (1 + float32(eta*l2))
			case u < -t:
				value[i] = (u + t) / (1 + float32(eta*l2))
			default:
				value[i] = 0
			}
		}
	case l2 > 0:
		for i, w := range value {
			g := grad[i]
			s := sum[i] + float32(g*g)
			sum[i] = s
			eta := rate / Sqrt(s)
			w = (w - float32(eta*g)) / (1 + float32(eta*l2))
			if w < tiny && w > -tiny {
				w = 0
			}
			value[i] = w
		}
	default:
		for i, w := range value {
			g := grad[i]
			s := sum[i] + float32(g*g)
			sum[i] = s
			value[i] = w - float32(rate*g)/Sqrt(s)
		}
	}
}

// Sqrt is √x, rounded correctly.
func Sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
