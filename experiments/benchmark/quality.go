package benchmark

import (
	"cmp"
	"math"
	"slices"

	"tnaml/experiments/trainer"
)

// Quality says how well a record's surrogate foretells configurations that it has not
// seen, on the validation and the test split.
type Quality struct {
	Task string
	// Rows are the trials, Failed those of them without a result, Pairs those that
	// repeat another one's configuration.
	Rows, Failed, Pairs int
	// R2 is the share of the accuracies' variance that is foretold, by five-fold
	// cross-validation over configurations; Spearman the rank correlation.
	R2, Spearman [outputs]float64
	// Ceiling is the R2 that the training's own noise leaves to a surrogate which knows
	// everything else; 1 where nothing was repeated.
	Ceiling [outputs]float64
}

// Assess measures the quality of a record's surrogate.
func Assess(r *Record) (Quality, error) {
	s, err := Fit(r, FitOptions{})
	if err != nil {
		return Quality{}, err
	}
	q := Quality{Task: r.Task(), Rows: len(r.Rows)}
	var ok []Row
	for _, row := range r.Rows {
		if row.Status == trainer.OK {
			ok = append(ok, row)
		}
	}
	q.Failed = len(r.Rows) - len(ok)
	x, y := s.rows(ok)
	predicted := s.crossValidated(x, y)
	for k := range outputs {
		var told, is []float64
		for i, row := range ok {
			told = append(told, sigmoid(predicted[i][k]))
			is = append(is, [outputs]float64{row.Validation, row.Test}[k])
		}
		wrong, noise := 0.0, 0.0
		for i := range is {
			wrong += (is[i] - told[i]) * (is[i] - told[i]) / float64(len(is))
		}
		all := variance(is)
		pairs := s.pairs(x)
		for _, p := range pairs {
			noise += (is[p[0]] - is[p[1]]) * (is[p[0]] - is[p[1]]) / 2 / float64(len(pairs))
		}
		q.Pairs = len(pairs)
		q.R2[k], q.Ceiling[k] = 1-wrong/all, 1-noise/all
		q.Spearman[k] = correlation(ranks(told), ranks(is))
	}
	return q, nil
}

func variance(v []float64) (out float64) {
	mean := 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		out += (x - mean) * (x - mean) / float64(len(v))
	}
	return out
}

func correlation(a, b []float64) float64 {
	sum := make([]float64, len(a))
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	va, vb := variance(a), variance(b)
	return (variance(sum) - va - vb) / 2 / math.Sqrt(va*vb)
}

// ranks are the places of values, the mean of those of equal ones.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, o := range order[i:j] {
			out[o] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}
