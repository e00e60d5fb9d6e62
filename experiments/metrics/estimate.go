package metrics

import (
	"math"
	"slices"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Estimate is a mean with its uncertainty.
type Estimate struct {
	Mean float64 `json:"mean"`
	// Error is two standard errors of the mean (2 s.e.m.), 2·s/√n with the
	// sample standard deviation s = √(Σ(x−x̄)²/(n−1)); 0 for fewer than two
	// values, where nothing is known of the spread.
	Error float64 `json:"two_sem"`
}

// Mean estimates the mean of values; the zero Estimate if there are none.
func Mean(values []float64) Estimate {
	if len(values) == 0 {
		return Estimate{}
	}
	var total sum
	for _, v := range values {
		total.add(v)
	}
	n := float64(len(values))
	e := Estimate{Mean: total.value() / n}
	if len(values) < 2 {
		return e
	}
	var squares sum
	for _, v := range values {
		d := v - e.Mean
		squares.add(float64(d * d)) // rounded: no fused multiply-add
	}
	if e.Error = 2 * math.Sqrt(squares.value()/(n-1)/n); e.Error <= rounding(e.Mean, e.Mean) {
		e.Error = 0 // the values are equal, their mean is rounded
	}
	return e
}

// Reward is the estimate of an objective's rewards, of which more is better, where
// this one is of its values.
func (e Estimate) Reward(o space.Objective) Estimate {
	return Estimate{trainer.Reward(o, e.Mean), e.Error}
}

// Median is the middle of values, or the mean of the two in the middle; 0 for
// none.
func Median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(n-1)/2] + v[n/2]) / 2
}

// Within reports whether two estimates cannot be told apart by the paper's
// rule ("within ±2 s.e.m.", Table 1): their means differ by no more than the
// larger of their errors.
func (e Estimate) Within(other Estimate) bool {
	return math.Abs(e.Mean-other.Mean) <= max(e.Error, other.Error)+rounding(e.Mean, other.Mean)
}

// rounding is what the means of equal values may differ by, and equal values from theirs.
// Accuracies are fractions of a split's examples, so that two different means of n of them over N
// examples differ by at least 1/(n·N): more than this for all splits there are.
func rounding(a, b float64) float64 { return 1e-12 * max(math.Abs(a), math.Abs(b)) }

// sameMean says that two means are equal, to rounding.
func sameMean(a, b float64) bool {
	d := math.Abs(a - b)
	return a == b || !math.IsInf(d, 0) && d <= rounding(a, b)
}

// Difference is a − b, 0 where that is rounding: signs and ranks would count it in full.
func Difference(a, b float64) float64 {
	if sameMean(a, b) {
		return 0
	}
	return a - b
}

// sum adds numbers in twice the precision of float64 (Neumaier, 1974), so that
// a running sum over a long search, from which models leave again, has the value
// of the sum from scratch. It multiplies nothing, so callers round their
// products first, and no compiler can fuse a multiply-add.
type sum struct{ high, low float64 }

func (s *sum) add(v float64) {
	t := s.high + v
	b := t - s.high
	s.low += (s.high - (t - b)) + (v - b)
	s.high = t
}

func (s *sum) value() float64 { return s.high + s.low }
