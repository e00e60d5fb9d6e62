package blas

import "math"

// Each activation sets y = f(z) and d = f′(z), d as long as z; y may be z.
// Nothing hides a NaN. The assembly rounds as these loops do: products that go
// into a sum are converted, which forbids the compiler to fuse the two.

// ReLU is max(z, 0).
func ReLU(z, y, d []float32) {
	if activate(kindReLU, z, y, d) {
		return
	}
	y, d = y[:len(z)], d[:len(z)]
	for i, v := range z {
		if v <= 0 {
			y[i], d[i] = 0, 0
		} else {
			y[i], d[i] = v, 1
		}
	}
}

// ReLU6 is min(max(z, 0), 6).
func ReLU6(z, y, d []float32) {
	if activate(kindReLU6, z, y, d) {
		return
	}
	y, d = y[:len(z)], d[:len(z)]
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
}

// Leak is LeakyReLU's slope below zero, TensorFlow's default.
const Leak = 0.2

// LeakyReLU is max(z/5, z).
func LeakyReLU(z, y, d []float32) {
	if activate(kindLeakyReLU, z, y, d) {
		return
	}
	y, d = y[:len(z)], d[:len(z)]
	for i, v := range z {
		if v > 0 {
			y[i], d[i] = v, 1
		} else {
			y[i], d[i] = Leak*v, Leak
		}
	}
}

// Swish is z·σ(z) (Ramachandran, Zoph and Le, 2017).
func Swish(z, y, d []float32) {
	if activate(kindSwish, z, y, d) {
		return
	}
	y, d = y[:len(z)], d[:len(z)]
	for i, v := range z {
		s := sigmoid(v)
		w := v * s
		y[i], d[i] = w, s+float32(w*(1-s))
	}
}

// Sigmoid is σ(z) = 1/(1 + e⁻ᶻ).
func Sigmoid(z, y, d []float32) {
	if activate(kindSigmoid, z, y, d) {
		return
	}
	y, d = y[:len(z)], d[:len(z)]
	for i, v := range z {
		s := sigmoid(v)
		y[i], d[i] = s, s*(1-s)
	}
}

// Tanh is 2σ(2z) − 1.
func Tanh(z, y, d []float32) {
	if activate(kindTanh, z, y, d) {
		return
	}
	y, d = y[:len(z)], d[:len(z)]
	for i, v := range z {
		t := float32(2*sigmoid(2*v)) - 1
		y[i], d[i] = t, 1-float32(t*t)
	}
}

func sigmoid(x float32) float32 { return 1 / (1 + Exp(-x)) }

// Exp is eˣ with a relative error below 2·10⁻⁷ on [−87, 88], 0 below and +Inf
// above: x = n·ln 2 + r, a polynomial in r (Cephes' expf, Moshier, 1992), and n
// added to the exponent. All platforms agree.
func Exp(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > 88:
		return float32(math.Inf(1))
	case x < -87:
		return 0
	}
	n := float32(x * 1.44269504088896341)
	if n >= 0 {
		n = float32(int32(n + 0.5))
	} else {
		n = float32(int32(n - 0.5))
	}
	r := x - float32(n*0.693359375)
	r -= float32(n * -2.12194440e-4)
	p := float32(1.9875691500e-4)
	p = float32(p*r) + 1.3981999507e-3
	p = float32(p*r) + 8.3334519073e-3
	p = float32(p*r) + 4.1665795894e-2
	p = float32(p*r) + 1.6666665459e-1
	p = float32(p*r) + 5.0000001201e-1
	p = float32(float32(p*r)*r) + r + 1
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

// The kinds of activations that assembly may have.
const (
	kindReLU = iota
	kindReLU6
	kindLeakyReLU
	kindSwish
	kindSigmoid
	kindTanh
)

// activate runs the assembly and reports whether there is one.
func activate(kind int, z, y, d []float32) bool {
	if active == nil {
		return false
	}
	if len(z) > 0 {
		activateAssembly(kind, z, y[:len(z)], d[:len(z)])
	}
	return true
}
