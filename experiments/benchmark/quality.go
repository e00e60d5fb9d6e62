package benchmark

import (
	"gonum.org/v1/gonum/stat"

	"tnaml/experiments/metrics"
)

// Quality says how well the trees of a record's surrogate foretell configurations that they
// have not seen, on the validation and the test split.
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
	s, ok, err := unfitted(r)
	if err != nil {
		return Quality{}, err
	}
	q := Quality{Task: r.Task(), Rows: len(r.Rows), Failed: len(r.Rows) - len(ok)}
	x, y := s.rows(ok)
	predicted, pairs := s.crossValidated(x, y), s.pairs(x)
	q.Pairs = len(pairs)
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
		all := stat.PopVariance(is, nil)
		for _, p := range pairs {
			noise += (is[p[0]] - is[p[1]]) * (is[p[0]] - is[p[1]]) / 2 / float64(len(pairs))
		}
		q.R2[k], q.Ceiling[k] = 1-wrong/all, 1-noise/all
		ranks := metrics.Ranks([][]float64{told, is})
		q.Spearman[k] = stat.Correlation(ranks[0], ranks[1], nil)
	}
	return q, nil
}
