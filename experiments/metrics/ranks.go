package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Ranks ranks methods on each task: scores and result are tasks × methods, more is
// better, rank 1 is the best, and scores that are equal to rounding share the mean of
// their ranks. It panics if the tasks have different numbers of methods.
func Ranks(scores [][]float64) [][]float64 {
	out := make([][]float64, len(scores))
	for i, row := range scores {
		if len(row) != len(scores[0]) {
			panic(fmt.Sprintf("metrics: task %d has %d scores, task 0 has %d", i, len(row), len(scores[0])))
		}
		out[i], _ = midranks(row, func(a, b float64) int { return cmp.Compare(b, a) }, sameMean)
	}
	return out
}

// midranks ranks values from 1, in the order of compare; ties holds Σ(t³ − t) over the
// groups of t equal ones.
func midranks(values []float64, compare func(a, b float64) int, equal func(a, b float64) bool) (ranks []float64, ties float64) {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(values[a], values[b]) })
	ranks = make([]float64, len(values))
	for i := 0; i < len(order); {
		k := i + 1
		first := values[order[i]]
		for k < len(order) && equal(values[order[k]], first) {
			k++
		}
		for _, at := range order[i:k] {
			ranks[at] = float64(i+1+k) / 2
		}
		t := float64(k - i)
		ties += t*t*t - t
		i = k
	}
	return ranks, ties
}

// MeanRanks is the mean rank of each method over the tasks.
func MeanRanks(scores [][]float64) []float64 {
	if len(scores) == 0 {
		return nil
	}
	means := make([]float64, len(scores[0]))
	for _, row := range Ranks(scores) {
		for k, r := range row {
			means[k] += r
		}
	}
	for k := range means {
		means[k] /= float64(len(scores))
	}
	return means
}

// alike says that the sizes of two differences are equal but for what subtracting loses:
// 0.3 − 0.2 and 0.2 − 0.1 are not the same number.
func alike(a, b float64) bool {
	d := math.Abs(a - b)
	return a == b || !math.IsInf(d, 0) && d <= 1e-9*max(a, b)
}

// maxExact is up to how many differences Wilcoxon counts all signs.
const maxExact = 25

// Wilcoxon is the signed-rank test of paired differences, two-sided: w is the lesser of
// the sums of the ranks of positive and negative differences, p the probability of one
// so small where either sign is as likely. Zeros are left out, as by Wilcoxon (1945);
// equal sizes, to rounding, share their mean rank. Of up to 25 differences that are not
// zero p is exact, over all signs of the ranks there are, ties included; of more it is
// that of the normal distribution with the variance corrected for ties. Without a
// difference p is 1.
func Wilcoxon(d []float64) (w, p float64) {
	var sizes []float64
	var positive []bool
	for _, v := range d {
		if v != 0 {
			sizes, positive = append(sizes, math.Abs(v)), append(positive, v > 0)
		}
	}
	if len(sizes) == 0 {
		return 0, 1
	}
	ranks, ties := midranks(sizes, cmp.Compare[float64], alike)
	plus := 0.0
	for i, r := range ranks {
		if positive[i] {
			plus += r
		}
	}
	n := float64(len(sizes))
	w = min(plus, n*(n+1)/2-plus)
	if len(sizes) <= maxExact {
		return w, signedRanks(ranks, w)
	}
	variance := (n*(n+1)*(2*n+1) - ties/2) / 24
	z := (w - n*(n+1)/4) / math.Sqrt(variance)
	return w, min(1, 2*distuv.UnitNormal.CDF(z))
}

// signedRanks is the probability that one of the sums is at most w, of all signs of the
// ranks. Ranks are halves: ways[s] counts the signs with a sum of s/2.
func signedRanks(ranks []float64, w float64) float64 {
	total := len(ranks) * (len(ranks) + 1)
	ways := make([]float64, total+1)
	ways[0] = 1
	for _, r := range ranks {
		step := int(2 * r)
		for s := total; s >= step; s-- {
			ways[s] += ways[s-step]
		}
	}
	below := 0.0
	for s := 0; s <= int(2*w); s++ {
		below += ways[s]
	}
	return min(1, 2*math.Ldexp(below, -len(ranks)))
}

// Holm adjusts the p values of several tests so that the chance that any true null
// hypothesis is rejected is at most the level that they are compared with (Holm, 1979);
// in the order given.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	out := make([]float64, len(p))
	largest := 0.0
	for i, at := range order {
		largest = max(largest, min(1, float64(len(p)-i)*p[at]))
		out[at] = largest
	}
	return out
}

// NemenyiDifference is the critical difference of mean ranks over tasks: two of so many
// methods that are less apart are not told apart at the level alpha, q·√(k(k+1)/6n),
// where q·√2 is the quantile of the studentized range with infinite degrees of freedom
// (Nemenyi, 1963; Demšar, 2006, §3.2.2). It panics for fewer than two methods.
func NemenyiDifference(methods, tasks int, alpha float64) float64 {
	if methods < 2 || tasks < 1 || !(alpha > 0 && alpha < 1) {
		panic(fmt.Sprintf("metrics: a critical difference of %d methods on %d tasks at the level %v", methods, tasks, alpha))
	}
	low, high := 0.0, 100.0
	for range 60 {
		if q := (low + high) / 2; studentizedRange(q, methods) < 1-alpha {
			low = q
		} else {
			high = q
		}
	}
	k := float64(methods)
	return high / math.Sqrt2 * math.Sqrt(k*(k+1)/(6*float64(tasks)))
}

// studentizedRange is the probability that k standard normal variables have a range of
// at most q, k·∫φ(z)(Φ(z) − Φ(z−q))^(k−1)dz, by the trapezoidal rule, which is exact to
// rounding for a smooth function that vanishes at both ends.
func studentizedRange(q float64, k int) float64 {
	const from, steps, step = -9, 360, .05
	total := 0.0
	for i := range steps {
		z := from + step*float64(i)
		inside := distuv.UnitNormal.CDF(z) - distuv.UnitNormal.CDF(z-q)
		total += distuv.UnitNormal.Prob(z) * math.Pow(inside, float64(k-1))
	}
	return float64(k) * step * total
}

// Groups are the largest groups of two or more methods whose mean ranks are less than a
// critical difference apart: the bars of a critical-difference diagram. Methods are
// indices into ranks, best first, and so are the groups.
func Groups(ranks []float64, difference float64) [][]int {
	order := make([]int, len(ranks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ranks[a], ranks[b]) })
	var out [][]int
	reached := 0
	for i := range order {
		k := i + 1
		for k < len(order) && ranks[order[k]]-ranks[order[i]] < difference {
			k++
		}
		if k-i > 1 && k > reached {
			out, reached = append(out, order[i:k:k]), k
		}
	}
	return out
}
