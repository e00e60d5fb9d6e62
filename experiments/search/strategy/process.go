package strategy

import (
	"math"

	"tnaml/nn/trees"
)

// process is a Gaussian process on configurations (Rasmussen, Williams, 2006, algorithm
// 2.1): a constant mean, the Matérn 5/2 kernel of the distance d, d² the sum over the
// choices of their options' squared distances (from 0 to 1 by their places where they
// have an order, else 0 or 1), and noise. Length and noise are those of a small grid with
// the greatest likelihood, the scale the best with them.
type process struct {
	features []trees.Feature
	length   float64
	noise    float64 // its variance over the scale's
	x        [][]int
	// factor is the lower Cholesky factor of the kernel's matrix, a row for each x.
	factor [][]float64
	// white is factor⁻¹ (y − mean).
	white []float64
	mean  float64
	scale float64 // the variance
}

var (
	processLengths = []float64{.5, 1, 2, 4, 8}
	processNoises  = []float64{.01, .1, 1}
)

// kernel of two configurations, 1 of equal ones.
func (p *process) kernel(a, b []int) float64 {
	sum := 0.0
	for k, f := range p.features {
		switch d := float64(a[k] - b[k]); {
		case d != 0 && f.Ordered:
			d /= float64(f.Levels - 1)
			sum += d * d
		case d != 0:
			sum++
		}
	}
	d := math.Sqrt(5*sum) / p.length
	return (1 + d + d*d/3) * math.Exp(-d)
}

// add adds configurations, which takes (number of x)² steps each.
func (p *process) add(x ...[]int) {
	for _, at := range x {
		row := p.against(at)
		rest := 1 + p.noise
		for _, v := range row {
			rest -= v * v
		}
		p.x, p.factor = append(p.x, at), append(p.factor, append(row, math.Sqrt(max(rest, 1e-12))))
	}
}

// against is factor⁻¹ of the kernel of all x with one.
func (p *process) against(at []int) []float64 {
	out := make([]float64, len(p.x), len(p.x)+1)
	for i, x := range p.x {
		out[i] = p.kernel(x, at)
	}
	solve(p.factor, out)
	return out
}

// solve replaces v by factor⁻¹ v, of a lower triangle's rows.
func solve(factor [][]float64, v []float64) {
	for i := range v {
		row := factor[i]
		v[i] = (v[i] - dot(row[:i], v[:i])) / row[i]
	}
}

// dot is the scalar product of two of one length, in four sums that do not wait for each
// other: assembly would add in another order on some processors.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return s0 + s1 + (s2 + s3)
}

// observe sets the values of all x, and returns their log-likelihood but for a constant.
func (p *process) observe(y []float64) float64 {
	n := float64(len(y))
	p.mean = 0
	for _, v := range y {
		p.mean += v / n
	}
	p.white = make([]float64, len(y))
	for i, v := range y {
		p.white[i] = v - p.mean
	}
	solve(p.factor, p.white)
	likelihood := 0.0
	p.scale = 0
	for i, v := range p.white {
		p.scale += v * v / n
		likelihood -= math.Log(p.factor[i][i])
	}
	p.scale = max(p.scale, 1e-12)
	return likelihood - n/2*math.Log(p.scale)
}

// fitProcess chooses length and noise for the values of configurations.
func fitProcess(features []trees.Feature, x [][]int, y []float64) *process {
	var best *process
	most := math.Inf(-1)
	for _, length := range processLengths {
		for _, noise := range processNoises {
			p := &process{features: features, length: length, noise: noise}
			p.add(x...)
			if likelihood := p.observe(y); best == nil || likelihood > most {
				best, most = p, likelihood
			}
		}
	}
	return best
}

// predict returns mean and standard deviation of a configuration's value, without noise.
func (p *process) predict(at []int) (mean, sigma float64) {
	mean = p.mean
	rest := 1.0
	for i, v := range p.against(at) {
		mean += v * p.white[i]
		rest -= v * v
	}
	return mean, math.Sqrt(p.scale * max(rest, 1e-12))
}
