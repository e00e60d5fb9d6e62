package strategy

import (
	"math"
	"slices"
)

// gaussian is the copula's transform Φ⁻¹(F(y)): F is the share of lesser values, kept off
// 0 and 1 by δ = 1/(4 n^¼ √(π ln n)) (Winsorized, Liu, Lafferty, Wasserman, 2009). One
// value alone is in the middle.
func gaussian(y []float64) []float64 {
	n := float64(len(y))
	if n < 2 {
		return make([]float64, len(y))
	}
	delta := 1 / (4 * math.Pow(n, .25) * math.Sqrt(math.Pi*math.Log(n)))
	return quantiles(y, func(less, _ int) float64 { return min(max(float64(less)/n, delta), 1-delta) })
}

// normalScores is the transform by mean ranks less a half, which tells the best of many
// values apart where the copula's takes them together.
func normalScores(y []float64) []float64 {
	return quantiles(y, func(less, equal int) float64 { return (float64(2*less+equal) / 2) / float64(len(y)) })
}

// quantiles are those of the normal distribution at the probability that p gives of how
// many values are less than one, and how many equal to it, itself among them.
func quantiles(y []float64, p func(less, equal int) float64) []float64 {
	out := make([]float64, len(y))
	sorted := slices.Sorted(slices.Values(y))
	for i, v := range y {
		less, equal := among(sorted, v)
		out[i] = math.Sqrt2 * math.Erfinv(2*p(less, equal)-1)
	}
	return out
}

// among says how many of sorted values are less than one, and how many equal to it. It does
// not walk over the equal ones: accuracies of small splits have few values, and where each of
// n trials walks over its equals that is n² steps.
func among(sorted []float64, v float64) (less, equal int) {
	less, _ = slices.BinarySearch(sorted, v)
	equal, _ = slices.BinarySearchFunc(sorted[less:], v, func(s, v float64) int {
		if s <= v {
			return -1
		}
		return 1
	})
	return less, equal
}
