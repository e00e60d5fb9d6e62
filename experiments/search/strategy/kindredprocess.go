package strategy

import (
	"math"
	"slices"

	"tnaml/nn/trees"
)

// kindredProcess is what a task's trials z say of a configuration x:
//
//	z = c + w·m(x) + f(x) + o(x) + noise
//
// m are the values of the other tasks' models, w their weights, a priori normal around 1
// for the model of all tasks and around 0 for each task's own; f is a Gaussian process
// whose kernel falls with the choices in which two configurations differ; o is what each
// configuration has of its own, which others tell nothing of; c is constant.
// (Universal kriging: Rasmussen, Williams, 2006, §2.7, with m as its basis functions and
// c as the one whose prior is vague, but for the doubt, which takes c as known.)
type kindredProcess struct {
	// near is the factor of the kernel of each choice and distance of two options.
	near [][]float64
	// variances are those of the weights, rough of f at a point, own and noise of o and of
	// the noise.
	variances         []float64
	rough, own, noise float64
	x                 [][]int
	m                 [][]float64
	// factor is the lower Cholesky factor of the covariance, a row for each trial.
	factor [][]float64
	// mean, of the trials: c, and how far w is from what was expected; alpha is the
	// inverse covariance times what the mean leaves.
	constant float64
	weights  []float64
	alpha    []float64
	best     float64 // the greatest value
}

// What is expected of a task's trials, in their standard deviations.
const (
	commonSpread = .5 // of the weight of the model of all tasks
	ownSpread    = .6 // of what a configuration has of its own
	noiseSpread  = .3 // of the noise, as noiseTrials trials again would say
	noiseTrials  = 3
	kernelLength = 2 // choices that differ, or ordered ones from end to end, for 1/e
)

func newKindredProcess(features []trees.Feature, s KindredSettings, models int) *kindredProcess {
	p := &kindredProcess{
		variances: make([]float64, models), rough: s.Process * s.Process, own: ownSpread * ownSpread, noise: noiseSpread * noiseSpread,
	}
	for j := range p.variances {
		if p.variances[j] = s.Own * s.Own; j == 0 {
			p.variances[j] = commonSpread * commonSpread
		}
	}
	for _, f := range features {
		near := make([]float64, f.Levels)
		for d := range near {
			apart := min(float64(d), 1)
			if f.Ordered && f.Levels > 1 {
				apart = float64(d) / float64(f.Levels-1)
			}
			near[d] = math.Exp(-apart / kernelLength)
		}
		p.near = append(p.near, near)
	}
	return p
}

// similar is the covariance of f and o.
func (p *kindredProcess) similar(a, b []int) float64 {
	k := 1.0
	for c, near := range p.near {
		k *= near[max(a[c]-b[c], b[c]-a[c])]
	}
	if k == 1 {
		return p.rough + p.own
	}
	return p.rough * k
}

// covariance of two configurations.
func (p *kindredProcess) covariance(a, b []int, ma, mb []float64) float64 {
	k := p.similar(a, b)
	for j, v := range p.variances {
		k += v * ma[j] * mb[j]
	}
	return k
}

// add adds a trial.
func (p *kindredProcess) add(x []int, m []float64) {
	row := make([]float64, len(p.x), len(p.x)+1)
	for i := range row {
		row[i] = p.covariance(p.x[i], x, p.m[i], m)
	}
	solve(p.factor, row)
	rest := p.covariance(x, x, m, m) + p.noise
	for _, v := range row {
		rest -= v * v
	}
	p.x, p.m, p.factor = append(p.x, x), append(p.m, m), append(p.factor, append(row, math.Sqrt(max(rest, 1e-9))))
}

// hear learns the noise of trials that were tried again.
func (p *kindredProcess) hear(x [][]int, z []float64) {
	first := map[string]int{} // of each configuration, a place in sums
	var sums, counts []float64
	squares, again := noiseTrials*p.noise, float64(noiseTrials)
	for i, actions := range x {
		at, ok := first[keyOf(actions)]
		if !ok {
			first[keyOf(actions)] = len(sums)
			sums, counts = append(sums, z[i]), append(counts, 1)
			continue
		}
		d := z[i] - sums[at]/counts[at] // Welford, 1962
		squares += d * d * counts[at] / (counts[at] + 1)
		sums[at], counts[at], again = sums[at]+z[i], counts[at]+1, again+1
	}
	p.noise = max(squares/again, 1e-6)
}

// observe sets the values of all trials.
func (p *kindredProcess) observe(z []float64) {
	p.best = slices.Max(z)
	ones, left := make([]float64, len(z)), slices.Clone(z)
	for i, m := range p.m {
		if ones[i] = 1; len(m) > 0 {
			left[i] -= m[0]
		}
	}
	solve(p.factor, ones)
	solve(p.factor, left)
	sum, weight := 0.0, 0.0
	for i, v := range ones {
		sum, weight = sum+v*left[i], weight+v*v
	}
	p.constant = sum / weight
	for i, v := range ones {
		left[i] -= p.constant * v
	}
	for i := len(left) - 1; i >= 0; i-- {
		row := p.factor[i]
		left[i] /= row[i]
		for k := range i {
			left[k] -= row[k] * left[i]
		}
	}
	p.alpha, p.weights = left, make([]float64, len(p.variances))
	for i, m := range p.m {
		for j, v := range p.variances {
			p.weights[j] += left[i] * v * m[j]
		}
	}
}

// expected is the mean of a configuration's value.
func (p *kindredProcess) expected(x []int, m []float64) float64 {
	v := p.constant
	for j, w := range p.weights {
		v += w * m[j]
	}
	if len(m) > 0 {
		v += m[0]
	}
	for i, a := range p.alpha { // what is believed has none
		v += a * p.similar(p.x[i], x)
	}
	return v
}

// believing is the process with trials in flight, as if each had had the value that is
// expected of it: the "kriging believer" (Ginsbourger, Le Riche, Carraro, "Kriging is
// well-suited to parallelize optimization", 2010). Such values leave the mean as it is,
// also c and w: what they change is the best, and the doubt, which they lower near them.
func (p *kindredProcess) believing(x [][]int, m [][]float64) *kindredProcess {
	out := *p
	for i := range x {
		out.best = max(out.best, p.expected(x[i], m[i]))
		out.add(x[i], m[i])
	}
	return &out
}

// doubt is the standard deviation of what another trial of a configuration gives, if the
// constant is what observe estimates. That of a vague one would add (1 − 1ᵀK⁻¹k)²/(1ᵀK⁻¹1)
// to the variance (R&W, eq. 2.42), K being the trials' covariance with the noise and k that
// with the configuration. It is left out: the doubt is too small while trials are few, the more
// so far from all of them, so that the first trials after the opening venture less than
// expected improvement by all of the variance would have them. The published figures are of
// the search without it.
func (p *kindredProcess) doubt(x []int, m []float64) float64 {
	row := make([]float64, len(p.x))
	for i, at := range p.x {
		row[i] = p.covariance(at, x, p.m[i], m)
	}
	solve(p.factor, row)
	rest := p.covariance(x, x, m, m) + p.noise
	for _, v := range row {
		rest -= v * v
	}
	return math.Sqrt(max(rest, p.noise))
}

// standardised are rewards less their mean, in standard deviations. Those far below the
// median, as of trials that failed, are brought up first.
func standardised(rewards []float64) []float64 {
	n := float64(len(rewards))
	sorted := slices.Sorted(slices.Values(rewards))
	median := sorted[len(sorted)/2]
	spread := median - sorted[len(sorted)/4]
	if spread == 0 {
		spread = (sorted[len(sorted)-1] - median) / 3
	}
	out, mean, squares := make([]float64, len(rewards)), 0.0, 0.0
	for i, r := range rewards {
		out[i] = max(r, median-3*spread)
		mean += out[i] / n
	}
	for i := range out {
		out[i] -= mean
		squares += out[i] * out[i] / n
	}
	for i := range out {
		if squares > 0 {
			out[i] /= math.Sqrt(squares)
		}
		if n < 4 { // of few trials the spread is not known
			out[i] *= (n - 1) / 4
		}
	}
	return out
}
