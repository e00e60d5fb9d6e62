package blas

import "math"

// The controller's kernels are in float64 and one for all instruction sets, so
// that its proposals are the same on AVX2 and AVX-512.

// Sums sets y, or adds to it where accumulate is set, the sum over i of
// weights[i·step] times row i of a matrix with rows stride apart. There are n
// rows of len(y) elements. It panics where a slice is short.
func Sums(y, matrix []float64, stride int, weights []float64, step, n int, accumulate bool) {
	cols := len(y)
	if cols == 0 {
		return
	}
	if n > 0 && (stride < cols || len(matrix) < (n-1)*stride+cols || step < 1 || len(weights) < (n-1)*step+1) {
		panic("blas: short matrix or weights")
	}
	if active == nil || n == 0 {
		if !accumulate {
			clear(y)
		}
		for i := range n {
			w := weights[i*step]
			for k, v := range matrix[i*stride:][:cols] {
				y[k] += float64(w * v)
			}
		}
		return
	}
	sums64(y, matrix, stride, weights, step, n, accumulate)
}

// Dots adds to each element of y the product of its row of a matrix, rows
// stride apart, with x. It panics where the matrix is short.
func Dots(y, matrix []float64, stride int, x []float64) {
	if len(y) == 0 || len(x) == 0 {
		return
	}
	if stride < len(x) || len(matrix) < (len(y)-1)*stride+len(x) {
		panic("blas: short matrix")
	}
	if active == nil {
		for r := range y {
			s := 0.0
			for k, v := range matrix[r*stride:][:len(x)] {
				s += float64(v * x[k])
			}
			y[r] += s
		}
		return
	}
	dots64(y, matrix, stride, x)
}

// Sigmoid64 sets v to σ(v) = 1/(1 + e⁻ᵛ), to within a few units in the last place.
func Sigmoid64(v []float64) { logisticAll(v, 0, 1, -1) }

// Tanh64 sets v to tanh(v) = 1 − 2/(1 + e²ᵛ), to within rounding of 1: an
// activation does not need relative accuracy near 0.
func Tanh64(v []float64) { logisticAll(v, 1, -2, 2) }

// logisticAll sets v to a + b/(1 + exp(c·v)). The assembly gives the loop's bits.
func logisticAll(v []float64, a, b, c float64) {
	if len(v) == 0 {
		return
	}
	if active != nil {
		logisticAssembly(v, a, b, c)
		return
	}
	for i, x := range v {
		v[i] = a + b/(1+exp64(float64(c*x)))
	}
}

// The parts of ln 2, and 1/i!, the coefficients of eˣ: on |x| ≤ ln 2/2 fourteen
// of them leave 4·10⁻¹⁸.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

var exponentials = func() (c [14]float64) {
	c[0] = 1
	for i := 1; i < len(c); i++ {
		c[i] = c[i-1] / float64(i)
	}
	return c
}()

// exp64 is eˣ for x cut to ±708.
func exp64(x float64) float64 {
	x = max(min(x, 708), -708)
	k := math.RoundToEven(float64(x * math.Log2E))
	r := math.FMA(-k, ln2High, x)
	r = math.FMA(-k, ln2Low, r)
	p := exponentials[len(exponentials)-1]
	for i := len(exponentials) - 2; i >= 0; i-- {
		p = math.FMA(p, r, exponentials[i])
	}
	if x != x {
		return x
	}
	return float64(p * math.Float64frombits(uint64(int64(k)+1023)<<52))
}

// Adam takes one ascent step of Adam (Kingma and Ba, 2015) on a run of weights,
// g = scale·gradient:
//
//	m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  θ += rate·m/(√(correction·v) + ε)
//
// with the corrections for the start at zero in rate and correction. The
// assembly rounds as the loop does. It panics if a slice is shorter than value.
func Adam(value, first, second, gradient []float64, scale, beta1, beta2, rate, correction, epsilon float64) {
	n := len(value)
	first, second, gradient = first[:n], second[:n], gradient[:n]
	i := 0
	if active != nil && n >= 4 {
		i = n &^ 3
		adamAssembly(value[:i], first, second, gradient, scale, beta1, beta2, rate, correction, epsilon)
	}
	for ; i < n; i++ {
		g := float64(scale * gradient[i])
		m := float64(beta1*first[i]) + float64((1-beta1)*g)
		v := float64(beta2*second[i]) + float64(float64((1-beta2)*g)*g)
		first[i], second[i] = m, v
		value[i] += float64(rate*m) / (math.Sqrt(float64(correction*v)) + epsilon)
	}
}
