package benchmark

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv" // normal scores
)

// scatter says how trials lie about what trees foretell of configurations that they have
// not seen, in log-odds: where their middle is, how far off they are, and how much of that
// two trainings of a configuration, and its two splits, have in common.
//
// Nothing is drawn that was not measured. A trial has a standard normal score for each
// split, a sum of the configuration's own part and of the training's noise. Its validation
// deviation is the quantile, at the first score's probability, of those that were measured
// at about this level; the test deviation is what follows from that, and a remainder, the
// quantile, at the second score's, of those that were measured (a copula: Nelsen, An
// Introduction to Copulas, 2006). So deviations have the shape of what was measured, skewed
// and with collapses as it is, and the best by validation are as lucky as in the record.
type scatter struct {
	middle [outputs]curve
	levels []float64 // of the nodes, ascending
	nodes  []node
}

// node is what has been measured about a level.
type node struct {
	// validation deviations, ascending; the test deviation that follows from each; and by
	// how much the test deviations are off that, ascending.
	validation []float64
	follows    curve
	remains    []float64
	// own and noise are the weights of a score's two parts: their squares sum to one.
	own, noise [outputs]float64
	// The correlations of the two scores' own parts and of their noise, which cancel.
	ownTogether, noiseTogether float64
}

const (
	// nodes is at how many levels deviations are looked at, at equal distances in rank.
	nodes = 48
	// nearShare of the trials, and minNear at least, are about a level.
	nearShare, minNear = 0.1, 40
	// pairShare of the pairs, and minPairs at least, say how much is noise.
	pairShare, minPairs = 0.33, 40
	// middleShare of the trials are in a window of the regression for the middle.
	middleShare, minMiddle = 0.15, 60
)

// newScatter measures trials y beside what was foretold of them; pairs are trials of one
// configuration.
func newScatter(foretold, y [][outputs]float64, pairs [][2]int) *scatter {
	s := &scatter{}
	n := len(y)
	for k := range outputs {
		x, v := make([]float64, n), make([]float64, n)
		for i := range y {
			x[i], v[i] = foretold[i][k], y[i][k]
		}
		s.middle[k] = localLinear(x, v)
	}
	// In the order of the level from here on.
	level, off := make([]float64, n), make([][outputs]float64, n)
	order, at := make([]int, n), make([]int, n)
	for i := range y {
		m := s.center(foretold[i])
		level[i], off[i], order[i] = m[0]+m[1], [outputs]float64{y[i][0] - m[0], y[i][1] - m[1]}, i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(level[a], level[b]) })
	sorted, deviations := make([]float64, n), make([][outputs]float64, n)
	for rank, i := range order {
		sorted[rank], deviations[rank], at[i] = level[i], off[i], rank
	}
	var ranks []int
	for k := range min(nodes, n) {
		rank := k * (n - 1) / max(1, min(nodes, n)-1)
		from, to := window(rank, n, nearShare, minNear)
		ranks, s.levels, s.nodes = append(ranks, rank), append(s.levels, sorted[rank]), append(s.nodes, newNode(deviations[from:to]))
	}
	// The scores of two trainings of a configuration, in the order of the level.
	pairs = slices.SortedStableFunc(slices.Values(pairs), func(a, b [2]int) int { return cmp.Compare(at[a[0]], at[b[0]]) })
	var twice [][2][outputs]float64
	for _, p := range pairs {
		d := &s.nodes[nearest(s.levels, level[p[0]])]
		twice = append(twice, [2][outputs]float64{d.scores(off[p[0]]), d.scores(off[p[1]])})
	}
	for k, rank := range ranks {
		pair := sort.Search(len(pairs), func(i int) bool { return at[pairs[i][0]] >= rank })
		from, to := window(pair, len(pairs), pairShare, minPairs)
		s.nodes[k].weigh(twice[from:to])
	}
	return s
}

// window is the part of n in order that is about one of them: a share, at least so many,
// and near the ends no more on one side than keeps that number.
func window(at, n int, share float64, least int) (from, to int) {
	wide := min(n, max(least, int(share*float64(n))))
	from = max(0, min(at-wide/2, n-wide))
	return from, from + wide
}

// newNode makes a node of the deviations about its level.
func newNode(deviations [][outputs]float64) (d node) {
	var test []float64
	for _, v := range deviations {
		d.validation, test = append(d.validation, v[0]), append(test, v[1])
	}
	d.follows = localLinear(d.validation, test)
	for i, v := range d.validation {
		d.remains = append(d.remains, test[i]-d.follows.at(v))
	}
	slices.Sort(d.validation)
	slices.Sort(d.remains)
	return d
}

// scores are the standard normal scores of deviations.
func (d *node) scores(v [outputs]float64) [outputs]float64 {
	return [outputs]float64{
		distuv.UnitNormal.Quantile(share(d.validation, v[0])),
		distuv.UnitNormal.Quantile(share(d.remains, v[1]-d.follows.at(v[0]))),
	}
}

// draw is the inverse, of scores that two keys draw.
func (d *node) draw(own, noise uint64) [outputs]float64 {
	a, b := normals(own, d.ownTogether), normals(noise, d.noiseTogether)
	var p [outputs]float64
	for k := range p {
		p[k] = distuv.UnitNormal.CDF(d.own[k]*a[k] + d.noise[k]*b[k])
	}
	v := quantile(d.validation, p[0])
	return [outputs]float64{v, d.follows.at(v) + quantile(d.remains, p[1])}
}

// weigh finds how much of the scores is the configuration's own, by how much those of two
// trainings differ. What differs on validation need not be followed by test as what does
// not is: a training's luck with one split is none with the other.
func (d *node) weigh(pairs [][2][outputs]float64) {
	var squares, apart [outputs]float64
	together := 0.0
	for _, p := range pairs {
		var by [outputs]float64
		for k := range by {
			by[k] = p[1][k] - p[0][k]
			squares[k] += p[0][k]*p[0][k] + p[1][k]*p[1][k]
			apart[k] += by[k] * by[k]
		}
		together += by[0] * by[1]
	}
	for k := range outputs {
		noise := min(1, ratio(apart[k], squares[k])) // none without pairs
		d.own[k], d.noise[k] = math.Sqrt(1-noise), math.Sqrt(noise)
	}
	// In scores, which have a variance of one.
	covariance := ratio(together, math.Sqrt(squares[0]*squares[1]))
	most := min(d.noise[0]*d.noise[1], d.own[0]*d.own[1])
	covariance = max(-most, min(most, covariance))
	d.noiseTogether = ratio(covariance, d.noise[0]*d.noise[1])
	d.ownTogether = -ratio(covariance, d.own[0]*d.own[1])
}

// ratio is zero of nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// share is which of an ascending sample are below v, half of those that are v among them,
// kept from zero and from all.
func share(sorted []float64, v float64) float64 {
	below, n := sort.SearchFloat64s(sorted, v), len(sorted)
	upTo := below + sort.Search(n-below, func(i int) bool { return sorted[below+i] > v })
	return max(0.5, min(float64(n)-0.5, float64(below+upTo)/2)) / float64(n)
}

// center is what is expected where the trees foretell this.
func (s *scatter) center(foretold [outputs]float64) (out [outputs]float64) {
	for k := range out {
		out[k] = s.middle[k].at(foretold[k])
	}
	return out
}

// draw is a deviation about a center: own is the configuration's key, noise the training's.
func (s *scatter) draw(center [outputs]float64, own, noise uint64) [outputs]float64 {
	return s.nodes[nearest(s.levels, center[0]+center[1])].draw(own, noise)
}

// normals are two standard normal numbers that a key draws.
func normals(key uint64, correlation float64) [outputs]float64 {
	const half = 1 << 32
	a := distuv.UnitNormal.Quantile((float64(key>>32) + 0.5) / half)
	b := distuv.UnitNormal.Quantile((float64(key%half) + 0.5) / half)
	return [outputs]float64{a, correlation*a + math.Sqrt(1-correlation*correlation)*b}
}

// nearest is the place of the level that is next to v.
func nearest(levels []float64, v float64) int {
	i := sort.SearchFloat64s(levels, v)
	if i == len(levels) || i > 0 && v-levels[i-1] <= levels[i]-v {
		i--
	}
	return i
}

// quantile is that of an ascending sample, linear between its members.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-1)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// curve is linear between its knots, and goes on with the slope at its ends, of no more
// than one: where the trees foretell more than they ever did, some of that is their luck.
type curve struct{ x, y []float64 }

// localLinear is the regression of y on x by weighted straight lines through the
// neighbourhood of each knot (Cleveland, "Robust Locally Weighted Regression", 1979,
// without its robustness: the collapses are part of what is expected).
func localLinear(x, y []float64) (c curve) {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	n := len(x)
	width := min(n, max(minMiddle, int(middleShare*float64(n))))
	var slopes []float64
	for k := range nodes {
		at := sorted[k*(n-1)/(nodes-1)]
		if len(c.x) > 0 && at <= c.x[len(c.x)-1] {
			continue
		}
		far := slices.Clone(x)
		for i := range far {
			far[i] = math.Abs(x[i] - at)
		}
		slices.Sort(far)
		reach := far[width-1]
		var w []float64
		for i := range x {
			d := 0.0
			if reach > 0 {
				d = min(1, math.Abs(x[i]-at)/reach)
			}
			w = append(w, math.Pow(1-d*d*d, 3))
		}
		value, slope := stat.Mean(y, w), 0.0
		if stat.PopVariance(x, w) > 1e-12 {
			value, slope = stat.LinearRegression(x, y, w, false)
			value += slope * at
		}
		c.x, c.y, slopes = append(c.x, at), append(c.y, value), append(slopes, slope)
	}
	// A knot far out on either side carries the slope on.
	last := len(c.x) - 1
	low, high := max(0, min(1, slopes[0])), max(0, min(1, slopes[last]))
	const far = 1e3
	c.x = append(append([]float64{c.x[0] - far}, c.x...), c.x[last]+far)
	c.y = append(append([]float64{c.y[0] - low*far}, c.y...), c.y[last]+high*far)
	return c
}

func (c curve) at(x float64) float64 {
	i := max(1, min(sort.SearchFloat64s(c.x, x), len(c.x)-1))
	share := (x - c.x[i-1]) / (c.x[i] - c.x[i-1])
	return c.y[i-1] + share*(c.y[i]-c.y[i-1])
}
