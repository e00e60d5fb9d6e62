package metrics

import (
	"fmt"
	"math"

	"tnaml/experiments/search"
)

// Window is the paper's width of the sliding window in which option
// probabilities are estimated (Figure 4).
const Window = 100

// OptionProbabilities estimates the probability of each option of a choice from
// a sliding window of a task's trials (Figure 4, right): row i holds the shares
// of the options among the task's trials i … i+window−1, so that there are
// T−window+1 rows of `options` columns for T trials, and none for T < window.
// Failed trials count: they were sampled too. It panics if window < 1.
func OptionProbabilities(trials []search.Trial, task, choice, options, window int) [][]float64 {
	if window < 1 {
		panic(fmt.Sprintf("metrics: a window of %d trials", window))
	}
	var taken []int
	for i := range trials {
		if trials[i].Task == task {
			taken = append(taken, trials[i].Actions[choice])
		}
	}
	counts := make([]int, options)
	var rows [][]float64
	for i, a := range taken {
		counts[a]++
		if i >= window {
			counts[taken[i-window]]--
		}
		if i < window-1 {
			continue
		}
		row := make([]float64, options)
		for k, c := range counts {
			row[k] = float64(c) / float64(window)
		}
		rows = append(rows, row)
	}
	return rows
}

// Moved is how far apart two distributions over options are: the total variation
// distance, from 0 for equal ones to 1 for those without an option in common.
func Moved(from, to []float64) float64 {
	var s sum
	for k := range from {
		s.add(math.Abs(to[k] - from[k]))
	}
	return s.value() / 2
}
