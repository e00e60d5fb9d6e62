// Package guard chooses a search's final model, and says how good it is, when the same
// validation examples have judged many models: the best of them owes a part of its
// accuracy to having been chosen by it (meta-overfitting). It works on which examples
// models have right, which trials keep, and trains nothing.
package guard

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"tnaml/experiments/trainer"
)

// Best is the model with the largest value, the first of equal ones; −1 of none.
func Best(values []float64) int {
	best := -1
	for i, v := range values {
		if best < 0 || v > values[best] {
			best = i
		}
	}
	return best
}

// Accuracies are the models' shares of examples that they have right.
func Accuracies(models []trainer.Bits) []float64 {
	out := make([]float64, len(models))
	for i, m := range models {
		out[i] = m.Share()
	}
	return out
}

// Posterior returns each model's expected accuracy, given that of all, judged by the same
// examples: the mean of its posterior distribution where the models' true accuracies are
// draws of one distribution, and what was measured is normal around them. That
// distribution is the one of maximum likelihood, whatever its shape (Kiefer and Wolfowitz,
// 1956; fitted by expectation–maximisation as by Jiang and Zhang, 2009). The variance of a
// measurement is that of the examples, beside the best quarter of the models: what an
// example does to all of them alike takes no part in choosing.
func Posterior(models []trainer.Bits) []float64 {
	measured := Accuracies(models)
	if len(models) < 2 {
		return measured
	}
	usual := reference(models, measured)
	variances := make([]float64, len(models))
	for i, m := range models {
		variances[i] = max(spread(m, usual), 1e-8)
	}
	return means(measured, variances)
}

// reference is the mean of the best quarter of the models, two at least, for each
// example.
func reference(models []trainer.Bits, measured []float64) []float64 {
	order := make([]int, len(models))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(measured[b], measured[a]) })
	order = order[:max(2, len(order)/4)]
	mean := make([]float64, models[0].N)
	for _, i := range order {
		for e := range mean {
			if models[i].Has(e) {
				mean[e] += 1 / float64(len(order))
			}
		}
	}
	return mean
}

// spread is the variance of the mean difference between a model and others.
func spread(m trainer.Bits, others []float64) float64 {
	n, total, squares := float64(len(others)), 0.0, 0.0
	for e, o := range others {
		d := -o
		if m.Has(e) {
			d++
		}
		total += d
		squares += d * d
	}
	return max(0, squares-total*total/n) / max(1, n-1) / n
}

const (
	points     = 200
	iterations = 300
)

// means are the posterior means under the distribution of maximum likelihood on a grid.
func means(measured, variances []float64) []float64 {
	low, high := slices.Min(measured), slices.Max(measured)
	if low == high {
		return slices.Clone(measured)
	}
	at, weight := make([]float64, points), make([]float64, points)
	for k := range at {
		at[k], weight[k] = low+(high-low)*float64(k)/(points-1), 1./points
	}
	likelihood := make([][]float64, len(measured))
	for i, y := range measured {
		likelihood[i] = make([]float64, points)
		for k, x := range at {
			likelihood[i][k] = math.Exp(-(y - x) * (y - x) / 2 / variances[i])
		}
	}
	next := make([]float64, points)
	for range iterations {
		clear(next)
		for _, l := range likelihood {
			part := 1 / (floats.Dot(weight, l) * float64(len(likelihood)))
			floats.AddScaled(next, part, l)
		}
		floats.Mul(weight, next)
	}
	out := make([]float64, len(measured))
	for i, l := range likelihood {
		total, mean := 0.0, 0.0
		for k, w := range weight {
			total += w * l[k]
			mean += w * l[k] * at[k]
		}
		out[i] = mean / total
	}
	return out
}
