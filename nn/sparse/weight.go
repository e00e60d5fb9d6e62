package sparse

import (
	"fmt"
	"math"
	"slices"
)

// Weight is what is made of the count of a column in a row.
type Weight string

// The weights. What they take from the training rows is a factor for each column.
const (
	// Binary is 1 where the column occurs.
	Binary Weight = "binary"
	// TF is the count.
	TF Weight = "tf"
	// TFIDF is the count times ln((1+n)/(1+df)) + 1, where df of the n training rows
	// have the column: scikit-learn's smooth idf.
	TFIDF Weight = "tf_idf"
	// LogOdds is, where the column occurs, how much it tells of the classes: the
	// greatest absolute value of LogOdds over them.
	LogOdds Weight = "log_odds"
)

// Weights lists the weights.
var Weights = []Weight{Binary, TF, TFIDF, LogOdds}

// Weighting turns counts into what a model sees.
type Weighting struct {
	Weight Weight
	// Sublinear puts 1 + ln(count) in the place of a count.
	Sublinear bool
	// Normalise brings each row to length 1.
	Normalise bool
}

// Validate reports a weight that there is not.
func (w Weighting) Validate() error {
	if !slices.Contains(Weights, w.Weight) {
		return fmt.Errorf("unknown weight %q (known: %v)", w.Weight, Weights)
	}
	return nil
}

// Columns returns the columns' factors, which are a function of the training rows
// alone: nil where all are 1. Labels, one a row, are needed for LogOdds.
func (w Weighting) Columns(train *Matrix, labels []int32, classes int) []float32 {
	if w.Bytes(train.Columns) == 0 {
		return nil
	}
	out := make([]float32, train.Columns)
	switch w.Weight {
	case TFIDF:
		df := make([]int32, train.Columns)
		for _, id := range train.IDs {
			df[id]++
		}
		for c, n := range df {
			out[c] = float32(math.Log(float64(1+train.Rows())/float64(1+n)) + 1)
		}
	case LogOdds:
		EachOdds(train, labels, classes, func(row []float32) {
			for c, r := range row {
				out[c] = max(out[c], float32(math.Abs(float64(r))))
			}
		})
	}
	return out
}

// Bytes is how much memory Columns takes, the result included, of so many columns.
func (w Weighting) Bytes(columns int) int64 {
	switch w.Weight {
	case TFIDF: // and how many rows have each
		return 2 * 4 * int64(columns)
	case LogOdds: // and a class's ratios, and how many rows of it, and of all, have each
		return 4 * 4 * int64(columns)
	}
	return 0
}

// Apply weighs counts by the columns' factors, nil for none. The result shares the
// columns with m.
func (w Weighting) Apply(m *Matrix, columns []float32) *Matrix {
	return w.ApplyInto(make([]float32, len(m.Values)), m, columns)
}

// ApplyInto is Apply with the room for the values.
func (w Weighting) ApplyInto(values []float32, m *Matrix, columns []float32) *Matrix {
	out := &Matrix{Columns: m.Columns, Offsets: m.Offsets, IDs: m.IDs, Values: values}
	frequencies := w.Weight == TF || w.Weight == TFIDF
	for i := range m.Rows() {
		ids, counts := m.Row(i)
		_, values := out.Row(i)
		for k, n := range counts {
			v := float32(1)
			if frequencies && n != 1 { // of 1 both are 1
				if v = n; w.Sublinear {
					v = float32(1 + math.Log(float64(n)))
				}
			}
			if columns != nil {
				v *= columns[ids[k]]
			}
			values[k] = v
		}
		if w.Normalise {
			normalise(values)
		}
	}
	return out
}

// normalise brings a row to length 1, but for one of zeros.
func normalise(row []float32) {
	sum := 0.0
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return
	}
	norm := math.Sqrt(sum)
	for k, v := range row {
		row[k] = float32(float64(v) / norm)
	}
}

// Odds returns, class after class, each column's log-count ratio (Wang and Manning,
// 2012), that of the class against all others:
//
//	r = ln (p/‖p‖₁ ÷ q/‖q‖₁), p = 1 + rows of the class with the column, q = 1 + other rows with it
//
// It takes columns as there or not, whatever their count.
func Odds(m *Matrix, labels []int32, classes int) []float32 {
	out := make([]float32, 0, classes*m.Columns)
	EachOdds(m, labels, classes, func(row []float32) { out = append(out, row...) })
	return out
}

// EachOdds calls f with a class after the other's log-count ratios, which are f's until
// it returns: of one class at a time, because there may be many, of many columns.
func EachOdds(m *Matrix, labels []int32, classes int, f func(row []float32)) {
	with, all, row := make([]int32, m.Columns), make([]int32, m.Columns), make([]float32, m.Columns)
	rows, total := make([][]int32, classes), make([]int, classes)
	for i, label := range labels {
		ids, _ := m.Row(i)
		for _, id := range ids {
			all[id]++
		}
		total[label] += len(ids)
		rows[label] = append(rows[label], int32(i))
	}
	sum := len(m.IDs)
	for c, n := range total {
		clear(with)
		for _, i := range rows[c] {
			ids, _ := m.Row(int(i))
			for _, id := range ids {
				with[id]++
			}
		}
		base := math.Log(float64(m.Columns+n)) - math.Log(float64(m.Columns+sum-n))
		for id, k := range with {
			row[id] = float32(math.Log(float64(1+k)) - math.Log(float64(1+all[id]-k)) - base)
		}
		f(row)
	}
}
