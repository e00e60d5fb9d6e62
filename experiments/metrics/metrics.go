// Package metrics measures searches as Wong et al. (2018) do, §4: on the ledger
// alone.
package metrics

import (
	"cmp"
	"math"
	"slices"

	"tnaml/experiments/search"
)

// Estimate is a mean with its uncertainty.
type Estimate struct {
	Mean float64 `json:"mean"`
	// Error is two standard errors of the mean, 2·s/√n with the sample
	// standard deviation s; 0 for fewer than two values.
	Error float64 `json:"two_sem"`
}

// Mean estimates the mean of values.
func Mean(values []float64) Estimate {
	n := float64(len(values))
	if n == 0 {
		return Estimate{}
	}
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / n
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	e := Estimate{Mean: mean}
	if n > 1 {
		e.Error = 2 * math.Sqrt(squares/(n-1)/n)
	}
	return e
}

// Within reports whether two estimates cannot be told apart: their means
// differ by no more than the larger of their errors (the paper's bold face:
// "within 2 s.e.m.").
func (e Estimate) Within(other Estimate) bool {
	return math.Abs(e.Mean-other.Mean) <= max(e.Error, other.Error)
}

// TopN is accuracy-topN: of the N models with the best validation accuracy.
type TopN struct {
	// Trials are the models, best first; ties go to the earlier trial.
	Trials     []search.Trial
	Validation Estimate
	Test       Estimate
}

// better orders trials by validation accuracy, best first, ties by trial.
func better(a, b search.Trial) int {
	return cmp.Or(cmp.Compare(b.Validation, a.Validation), cmp.Compare(a.Trial, b.Trial))
}

// AccuracyTopN measures the N best of a task's trials, or as many as there
// are; false where there is none. Failed trials do not count.
func AccuracyTopN(trials []search.Trial, task, n int) (TopN, bool) {
	var top TopN
	for _, t := range trials {
		if t.Task == task && t.OK() {
			top.insert(t, n)
		}
	}
	top.measure()
	return top, len(top.Trials) > 0
}

// insert keeps the n best.
func (top *TopN) insert(t search.Trial, n int) bool {
	at, _ := slices.BinarySearchFunc(top.Trials, t, better)
	if at >= n {
		return false
	}
	top.Trials = slices.Insert(top.Trials, at, t)
	top.Trials = top.Trials[:min(len(top.Trials), n)]
	return true
}

func (top *TopN) measure() {
	validation, test := make([]float64, len(top.Trials)), make([]float64, len(top.Trials))
	for i, t := range top.Trials {
		validation[i], test[i] = t.Validation, t.Test
	}
	top.Validation, top.Test = Mean(validation), Mean(test)
}

// Point is accuracy-topN after a number of a task's trials.
type Point struct {
	// Trials is the number of the task's trials so far, failed ones included.
	Trials           int
	Validation, Test float64
	// Models is the number of models averaged, at most N.
	Models int
}

// Gap is the overfitting of the search to the validation split (§4.3).
func (p Point) Gap() float64 { return p.Validation - p.Test }

// Curve returns accuracy-topN after each of a task's trials, from the first
// trained model on.
func Curve(trials []search.Trial, task, n int) []Point {
	var top TopN
	var curve []Point
	count := 0
	for _, t := range trials {
		if t.Task != task {
			continue
		}
		count++
		changed := t.OK() && top.insert(t, n)
		switch {
		case len(top.Trials) == 0:
			continue
		case changed:
			top.measure()
		}
		curve = append(curve, Point{count, top.Validation.Mean, top.Test.Mean, len(top.Trials)})
	}
	return curve
}

// TrialsTo returns the number of a task's trials until the validation
// accuracy-topN, of all N models, reaches a value. It never falls again, so the
// first time is well defined; the test accuracy's is not.
func TrialsTo(trials []search.Trial, task, n int, validation float64) (int, bool) {
	for _, p := range Curve(trials, task, n) {
		if p.Models == n && p.Validation >= validation {
			return p.Trials, true
		}
	}
	return 0, false
}

// HoursSaved is the CPU time that a speed-up of S saves on a task that takes
// random search B trials of T hours each: B·T·(1 − 1/S) (§4.1).
func HoursSaved(budget int, hours, speedup float64) float64 {
	return float64(budget) * hours * (1 - 1/speedup)
}

// BreakEven is the number of new tasks after which pretraining on M tasks has
// paid for itself: M/(1 − 1/S) (§4.1).
func BreakEven(tasks int, speedup float64) float64 { return float64(tasks) / (1 - 1/speedup) }

// OptionShares returns how often each option of a choice was taken in a
// sliding window of a task's trials (the paper's width is 100, Figure 4):
// shares[i] holds the options' shares among the trials i−window+1…i.
func OptionShares(trials []search.Trial, task, choice, options, window int) [][]float64 {
	var taken []int
	for _, t := range trials {
		if t.Task == task {
			taken = append(taken, t.Actions[choice])
		}
	}
	counts := make([]int, options)
	var shares [][]float64
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
		shares = append(shares, row)
	}
	return shares
}

// Modal returns, for each choice, the option taken most often among a task's
// last trials (ties: the first), and its share.
func Modal(trials []search.Trial, task int, options []int, last int) (actions []int, shares []float64) {
	var own []search.Trial
	for _, t := range trials {
		if t.Task == task {
			own = append(own, t)
		}
	}
	own = own[max(len(own)-last, 0):]
	for c, n := range options {
		counts := make([]int, n)
		for _, t := range own {
			counts[t.Actions[c]]++
		}
		best := 0
		for k, v := range counts {
			if v > counts[best] {
				best = k
			}
		}
		actions = append(actions, best)
		share := 0.0
		if len(own) > 0 {
			share = float64(counts[best]) / float64(len(own))
		}
		shares = append(shares, share)
	}
	return actions, shares
}

// Cosine is the cosine similarity of two vectors, 0 where one is zero.
func Cosine(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
