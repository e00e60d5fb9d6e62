package guard

import "math"

// Ensemble chooses models whose mean prediction is the best on the validation examples:
// greedy selection with replacement (Caruana, Niculescu-Mizil, Crew and Ksikes, 2004,
// "Ensemble selection from libraries of models"). It starts with nothing and adds, size
// times, the model after which the mean of the predicted probabilities has the most
// examples right, of equal ones the one with the least log loss, then the earlier. The
// result is how often each model is in the ensemble, up to the best of these steps.
// Predictions are models × (examples × classes), a row of probabilities an example;
// labels are the examples' classes.
func Ensemble(predictions [][]float32, labels []int32, classes, size int) []int {
	sum := make([]float64, len(labels)*classes)
	times, best := make([]int, len(predictions)), make([]int, len(predictions))
	most, least := -1, math.Inf(1)
	for range size {
		chosen, right, loss := -1, -1, math.Inf(1)
		for m, p := range predictions {
			if r, l := judge(sum, p, labels, classes); r > right || r == right && l < loss {
				chosen, right, loss = m, r, l
			}
		}
		if chosen < 0 {
			break
		}
		times[chosen]++
		for i, p := range predictions[chosen] {
			sum[i] += float64(p)
		}
		if right > most || right == most && loss < least {
			most, least = right, loss
			copy(best, times)
		}
	}
	return best
}

// judge counts the examples that a sum of probabilities with one more model has right,
// and sums their log loss; a class is the first of the most probable.
func judge(sum []float64, more []float32, labels []int32, classes int) (right int, loss float64) {
	for e, label := range labels {
		row := sum[e*classes : (e+1)*classes]
		add := more[e*classes : (e+1)*classes]
		total, top, at := 0.0, -1.0, 0
		for c := range row {
			v := row[c] + float64(add[c])
			total += v
			if v > top {
				top, at = v, c
			}
		}
		if at == int(label) {
			right++
		}
		loss -= math.Log(max(1e-12, (row[label]+float64(add[label]))/total))
	}
	return right, loss
}
