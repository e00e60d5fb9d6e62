package godoc

import (
	"math"

	"tnaml/experiments/data/text"
)

// naiveBayes is the validation accuracy of a multinomial naive Bayes
// classifier with Laplace smoothing: how far single words give labels away.
func naiveBayes(t *text.Task) float64 {
	classes, words := len(t.Labels), len(t.Vocabulary)
	counts := make([]float64, classes*words)
	totals, priors := make([]float64, classes), make([]float64, classes)
	for i, l := range t.Train.Labels {
		priors[l]++
		for _, id := range t.Train.IDs[t.Train.Offsets[i]:t.Train.Offsets[i+1]] {
			counts[int(l)*words+int(id)]++
			totals[l]++
		}
	}
	right := 0
	for i, l := range t.Validation.Labels {
		best, bestScore := 0, math.Inf(-1)
		for c := range classes {
			score := math.Log(priors[c])
			for _, id := range t.Validation.IDs[t.Validation.Offsets[i]:t.Validation.Offsets[i+1]] {
				score += math.Log((counts[c*words+int(id)] + 1) / (totals[c] + float64(words)))
			}
			if score > bestScore {
				best, bestScore = c, score
			}
		}
		if best == int(l) {
			right++
		}
	}
	return float64(right) / float64(t.Validation.Len())
}
