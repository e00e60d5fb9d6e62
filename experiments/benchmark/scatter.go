package benchmark

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv" // normal scores
)

// scatter says how trials lie about what trees predict of configurations that they have
// not seen, in log-odds: where their middle is, how far off they are, and how much of that
// two trainings of a configuration, and its two splits, have in common.
//
// It is a copula with the margins that were measured (Nelsen, An Introduction to Copulas,
// 2006). A trial has a standard normal score for each split, a sum of the configuration's
// own part and of the training's noise. Its validation deviation is the quantile, at the
// first score's probability, of those that were measured at about this level; the test
// deviation is what follows from that, and a residual, the quantile, at the second score's,
// of those that were measured. So deviations have the shape of what was measured, skewed
// and with collapses as it is, and the best by validation are as lucky as in the record.
type scatter struct {
	middle [outputs]curve
	levels []float64 // of the nodes, ascending
	nodes  []node
}

// node is what has been measured about a level.
type node struct {
	// validation deviations, ascending; the test deviation that follows from each; and the
	// residuals of the test deviations about that, ascending.
	validation []float64
	follows    curve
	residuals  []float64
	// own and noise are the weights of a score's two parts: their squares sum to one.
	own, noise [outputs]float64
	// The correlations of the two scores' own parts and of their noise. The covariances
	// cancel: the residual is of what does not follow.
	ownCorrelation, noiseCorrelation float64
}

const (
	// nodes is at how many levels deviations are looked at, at equal distances in rank.
	nodes = 48
	// nearShare of the trials, and minNear at least, are about a level.
	nearShare, minNear = 0.1, 40
	// nearPairs say how much is noise about a level.
	nearPairs = 40
	// middleShare of the trials are in a window of the regression for the middle.
	middleShare, minMiddle = 0.15, 60
)

// newScatter measures trials y beside what was predicted of them; pairs are trials of one
// configuration.
func newScatter(predicted, y [][outputs]float64, pairs [][2]int) *scatter {
	s := &scatter{}
	n := len(y)
	for k := range outputs {
		x, v := make([]float64, n), make([]float64, n)
		for i := range y {
			x[i], v[i] = predicted[i][k], y[i][k]
		}
		s.middle[k] = localLinear(x, v)
	}
	// In the order of the level from here on.
	level, off := make([]float64, n), make([][outputs]float64, n)
	order, at := make([]int, n), make([]int, n)
	for i := range y {
		m := s.center(predicted[i])
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
		// Of few configurations many trials are at one level: it has one node, of them all.
		v := sorted[rank]
		if len(ranks) > 0 && v == s.levels[len(s.levels)-1] {
			continue
		}
		first, end := equal(sorted, v)
		from, to := window(rank, n, wide(n, nearShare, minNear))
		if from, to = min(from, first), max(to, end); 2*(end-first) >= to-from {
			from, to = first, end
		}
		ranks, s.levels, s.nodes = append(ranks, rank), append(s.levels, v), append(s.nodes, newNode(deviations[from:to]))
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
		from, to := window(pair, len(pairs), nearPairs)
		s.nodes[k].weigh(twice[from:to])
	}
	return s
}

// window is where, of n in order, so many about one of them are. Its size is the same
// everywhere: at the ends it is shifted inward.
func window(at, n, wide int) (from, to int) {
	wide = min(n, wide)
	from = max(0, min(at-wide/2, n-wide))
	return from, from + wide
}

// wide is how many are in a window: a share of n, at least so many of them.
func wide(n int, share float64, least int) int { return min(n, max(least, int(share*float64(n)))) }

// equal is where, in an ascending sample, those that are v are.
func equal(sorted []float64, v float64) (from, to int) {
	from = sort.SearchFloat64s(sorted, v)
	return from, from + sort.Search(len(sorted)-from, func(i int) bool { return sorted[from+i] > v })
}

// newNode makes a node of the deviations about its level.
func newNode(deviations [][outputs]float64) (d node) {
	var test []float64
	for _, v := range deviations {
		d.validation, test = append(d.validation, v[0]), append(test, v[1])
	}
	d.follows = localLinear(d.validation, test)
	for i, v := range d.validation {
		d.residuals = append(d.residuals, test[i]-d.follows.at(v))
	}
	slices.Sort(d.validation)
	slices.Sort(d.residuals)
	return d
}

// scores are the standard normal scores of deviations.
func (d *node) scores(v [outputs]float64) [outputs]float64 {
	return [outputs]float64{
		distuv.UnitNormal.Quantile(probability(d.validation, v[0])),
		distuv.UnitNormal.Quantile(probability(d.residuals, v[1]-d.follows.at(v[0]))),
	}
}

// draw is the deviations of scores that two keys draw.
func (d *node) draw(own, noise uint64) [outputs]float64 {
	a, b := normals(own, d.ownCorrelation), normals(noise, d.noiseCorrelation)
	var p [outputs]float64
	for k := range p {
		p[k] = distuv.UnitNormal.CDF(d.own[k]*a[k] + d.noise[k]*b[k])
	}
	v := quantile(d.validation, p[0])
	return [outputs]float64{v, d.follows.at(v) + quantile(d.residuals, p[1])}
}

// weigh finds the parts of the scores by how much those of two trainings differ. What
// differs on validation need not be followed by test as what does not: a training's luck
// with one split is none with the other.
func (d *node) weigh(pairs [][2][outputs]float64) {
	var squares, differences [outputs]float64
	products := 0.0
	for _, p := range pairs {
		var by [outputs]float64
		for k := range by {
			by[k] = p[1][k] - p[0][k]
			squares[k] += p[0][k]*p[0][k] + p[1][k]*p[1][k]
			differences[k] += by[k] * by[k]
		}
		products += by[0] * by[1]
	}
	for k := range outputs {
		noise := min(1, ratio(differences[k], squares[k])) // none without pairs
		d.own[k], d.noise[k] = math.Sqrt(1-noise), math.Sqrt(noise)
	}
	// Of the noise, in scores, which have a variance of one.
	covariance := ratio(products, math.Sqrt(squares[0]*squares[1]))
	most := min(d.noise[0]*d.noise[1], d.own[0]*d.own[1])
	covariance = max(-most, min(most, covariance))
	d.noiseCorrelation = ratio(covariance, d.noise[0]*d.noise[1])
	d.ownCorrelation = -ratio(covariance, d.own[0]*d.own[1])
}

// ratio is zero of nothing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// probability is the share of an ascending sample that is below v, half of those that are
// v among them, and half a member from 0 and 1 at least.
func probability(sorted []float64, v float64) float64 {
	below, upTo := equal(sorted, v)
	n := float64(len(sorted))
	return max(0.5, min(n-0.5, float64(below+upTo)/2)) / n
}

// center is what is expected where the trees foretell this.
func (s *scatter) center(predicted [outputs]float64) (out [outputs]float64) {
	for k := range out {
		out[k] = s.middle[k].at(predicted[k])
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

// quantile is that of an ascending sample, linear between its members. It reaches the
// ends at 0 and 1 only, so that deviations are some per cent narrower than measured. With
// half a member's probability at either end (Hazen) they are not, but the ten best of the
// paper's tasks come out a tenth of a point too good.
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
	sorted := slices.Sorted(slices.Values(x))
	n := len(x)
	width := wide(n, middleShare, minMiddle)
	var slopes []float64
	for k := range nodes {
		at := sorted[k*(n-1)/(nodes-1)]
		if len(c.x) > 0 && at <= c.x[len(c.x)-1] {
			continue
		}
		distances := make([]float64, n)
		for i := range x {
			distances[i] = math.Abs(x[i] - at)
		}
		reach := slices.Sorted(slices.Values(distances))[width-1]
		var w []float64
		for _, d := range distances {
			if d > 0 {
				d = min(1, d/reach) // 1 where those at this place fill the window
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
	const far = 1e3 // log-odds
	c.x = append(append([]float64{c.x[0] - far}, c.x...), c.x[last]+far)
	c.y = append(append([]float64{c.y[0] - low*far}, c.y...), c.y[last]+high*far)
	return c
}

func (c curve) at(x float64) float64 {
	i := max(1, min(sort.SearchFloat64s(c.x, x), len(c.x)-1))
	return c.y[i-1] + (x-c.x[i-1])/(c.x[i]-c.x[i-1])*(c.y[i]-c.y[i-1])
}
