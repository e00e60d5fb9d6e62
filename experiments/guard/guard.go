// Package guard chooses a search's final model, and says how good it is, when the same
// validation examples have judged many models: the best of them owes a part of its
// accuracy to having been chosen by it (meta-overfitting). It works on which examples
// models have right, which trials keep, and trains nothing.
package guard

import (
	"math"
	"slices"

	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// Candidate is a trained configuration: which validation examples its model has right
// and, where it was trained again with other seeds, those models. All models of all
// candidates were judged by the same examples.
type Candidate struct{ Models []trainer.Bits }

// Accuracy is the mean over the models.
func (c Candidate) Accuracy() float64 {
	total := 0.0
	for _, m := range c.Models {
		total += m.Share()
	}
	return total / float64(len(c.Models))
}

// Best is the candidate with the largest value, the first of equal ones; −1 of none.
func Best(values []float64) int {
	best := -1
	for i, v := range values {
		if best < 0 || v > values[best] {
			best = i
		}
	}
	return best
}

// Posterior returns each candidate's expected accuracy, given that of all: the mean of
// its posterior distribution where the candidates' true accuracies are draws of one
// distribution, and what was measured is normal around them. That distribution is the
// one of maximum likelihood, whatever its shape (Kiefer and Wolfowitz, 1956; fitted by
// expectation–maximisation as by Jiang and Zhang, 2009). The variance of a candidate's
// measurement is that of the examples, beside the best quarter of the candidates: what an
// example does to all of them alike takes no part in choosing. To it comes training, the
// variance of accuracy between trainings of a configuration (TrainingVariance), where
// the configuration is to be trained again; 0 judges the very models.
func Posterior(candidates []Candidate, training float64) []float64 {
	n := len(candidates)
	measured, variances := make([]float64, n), make([]float64, n)
	for i, c := range candidates {
		measured[i] = c.Accuracy()
	}
	if n < 2 {
		return measured
	}
	usual := reference(candidates, measured)
	for i, c := range candidates {
		variances[i] = max(spread(c, usual)+training/float64(len(c.Models)), 1e-8)
	}
	return means(measured, variances)
}

// reference is the mean of the best quarter of the candidates, two at least, for each
// example.
func reference(candidates []Candidate, measured []float64) []float64 {
	order := make([]int, len(candidates))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case measured[a] > measured[b]:
			return -1
		case measured[a] < measured[b]:
			return 1
		}
		return 0
	})
	order = order[:max(2, len(order)/4)]
	mean := make([]float64, candidates[0].Models[0].N)
	for _, i := range order {
		addTo(mean, candidates[i], 1/float64(len(order)))
	}
	return mean
}

// addTo adds a candidate's mean over its models, times a weight.
func addTo(sum []float64, c Candidate, weight float64) {
	weight /= float64(len(c.Models))
	for _, m := range c.Models {
		for e := range sum {
			if m.Has(e) {
				sum[e] += weight
			}
		}
	}
}

// spread is the variance of the mean difference between a candidate and others.
func spread(c Candidate, others []float64) float64 {
	difference := make([]float64, len(others))
	addTo(difference, c, 1)
	n, total, squares := float64(len(others)), 0.0, 0.0
	for e, o := range others {
		difference[e] -= o
		total += difference[e]
	}
	for _, d := range difference {
		squares += (d - total/n) * (d - total/n)
	}
	return squares / max(1, n-1) / n
}

// TrainingVariance estimates the variance of accuracy between trainings of one
// configuration, from the candidates with several models: that of their differences,
// less what the examples make of it; 0 where there are none.
func TrainingVariance(candidates []Candidate) float64 {
	total, pairs := 0.0, 0
	for _, c := range candidates {
		for i, a := range c.Models {
			for _, b := range c.Models[:i] {
				other := make([]float64, b.N)
				addTo(other, Candidate{[]trainer.Bits{b}}, 1)
				d := a.Share() - b.Share()
				total += (d*d - spread(Candidate{[]trainer.Bits{a}}, other)) / 2
				pairs++
			}
		}
	}
	return max(0, total/float64(max(1, pairs)))
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
			total := 0.0
			for k, w := range weight {
				total += w * l[k]
			}
			for k, w := range weight {
				next[k] += w * l[k] / total / float64(len(likelihood))
			}
		}
		weight, next = next, weight
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

// Corrected estimates the accuracy of the candidate with the best validation accuracy
// without the luck of having been chosen: each replicate draws the examples with
// replacement, chooses by those drawn, and measures the choice on those left out
// (BBC; Tsamardinos, Greasidou and Borboudakis, 2018, "Bootstrapping the out-of-sample
// predictions for efficient and accurate cross-validation"). It is a little too low, since
// a replicate has fewer different examples to choose by.
func Corrected(candidates []Candidate, replicates int, seed uint64) float64 {
	n := candidates[0].Models[0].N
	var stream rng.Stream
	times, out := make([]uint16, n), 0.0
	total, used := 0.0, 0
	for b := range replicates {
		clear(times)
		r := stream.At(seed, "guard/corrected", uint64(b))
		for range n {
			times[r.IntN(n)]++
		}
		left := 0
		for _, k := range times {
			if k == 0 {
				left++
			}
		}
		if left == 0 {
			continue
		}
		best := -1.0
		for _, c := range candidates {
			in, outside := 0.0, 0.0
			for _, m := range c.Models {
				drawn, rest := 0, 0
				for e, k := range times {
					if bit := int(m.Packed[e/8] >> (e % 8) & 1); k == 0 {
						rest += bit
					} else {
						drawn += bit * int(k)
					}
				}
				in, outside = in+float64(drawn)/float64(len(c.Models)), outside+float64(rest)/float64(len(c.Models))
			}
			if in > best {
				best, out = in, outside/float64(left)
			}
		}
		total, used = total+out, used+1
	}
	if used == 0 {
		return candidates[Best(accuracies(candidates))].Accuracy()
	}
	return total / float64(used)
}

func accuracies(candidates []Candidate) (out []float64) {
	for _, c := range candidates {
		out = append(out, c.Accuracy())
	}
	return out
}
