package guard

import "tnaml/experiments/metrics"

// Again chooses among candidates that were each trained again a number of times, judged by
// other examples each time: values holds what they had, more being better, as many of
// each. The choice has the largest mean, the first of equal ones. What it is expected to
// have on new examples is measured by what the choice did not see: each repeat judges the
// candidate that the others choose (leave-one-out). It takes two repeats at least.
func Again(values [][]float64) (best int, expected metrics.Estimate) {
	sums := make([]float64, len(values))
	for i, v := range values {
		for _, x := range v {
			sums[i] += x
		}
	}
	var left []float64
	others := make([]float64, len(values))
	for r := range values[0] {
		for i, v := range values {
			others[i] = sums[i] - v[r]
		}
		left = append(left, values[Best(others)][r])
	}
	return Best(sums), metrics.Mean(left)
}
