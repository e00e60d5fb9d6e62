// Package linear is linear classifiers of sparse examples, as others are compared
// with: multinomial naive Bayes, support vector machines by dual coordinate descent,
// and the mixture of both (NBSVM).
package linear

import (
	"errors"
	"fmt"
	"math"

	"tnaml/nn/sparse"
)

// Model gives each class a score, bias + weights · x; the class of an example is that
// of the greatest, the first of equals.
type Model struct {
	Classes, Columns int
	// Weights are Classes × Columns.
	Weights []float64
	Bias    []float64
}

func newModel(classes, columns int) *Model {
	return &Model{classes, columns, make([]float64, classes*columns), make([]float64, classes)}
}

// row is the weights of a class.
func (m *Model) row(class int) []float64 { return m.Weights[class*m.Columns:][:m.Columns] }

// Scores returns the scores of the classes for each example, n × Classes.
func (m *Model) Scores(x *sparse.Matrix) []float64 {
	out := make([]float64, x.Rows()*m.Classes)
	for i := range x.Rows() {
		ids, values := x.Row(i)
		for c := range m.Classes {
			out[i*m.Classes+c] = m.Bias[c] + dot(m.row(c), ids, values)
		}
	}
	return out
}

// Predict returns the class of each example.
func (m *Model) Predict(x *sparse.Matrix) []int32 {
	out, scores := make([]int32, x.Rows()), m.Scores(x)
	for i := range out {
		row := scores[i*m.Classes:][:m.Classes]
		for c, s := range row {
			if s > row[out[i]] {
				out[i] = int32(c)
			}
		}
	}
	return out
}

// dot is the product of weights with an example. It has four sums, so that none waits
// for the one before it.
func dot(w []float64, ids []int32, values []float32) float64 {
	var a, b, c, d float64
	values = values[:len(ids)]
	k := 0
	for ; k+4 <= len(ids); k += 4 {
		a += float64(w[ids[k]] * float64(values[k]))
		b += float64(w[ids[k+1]] * float64(values[k+1]))
		c += float64(w[ids[k+2]] * float64(values[k+2]))
		d += float64(w[ids[k+3]] * float64(values[k+3]))
	}
	for ; k < len(ids); k++ {
		a += float64(w[ids[k]] * float64(values[k]))
	}
	return (a + b) + (c + d)
}

// check reports examples and labels that do not fit together.
func check(x *sparse.Matrix, labels []int32, classes int) error {
	if len(labels) == 0 || len(labels) != x.Rows() {
		return fmt.Errorf("linear model: %d labels for %d examples", len(labels), x.Rows())
	}
	if classes < 2 {
		return errors.New("linear model: fewer than two classes")
	}
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return fmt.Errorf("linear model: example %d has label %d of %d", i, l, classes)
		}
	}
	return nil
}

// Majority always names the class with the most examples, the first of equals.
func Majority(labels []int32, classes, columns int) *Model {
	m := newModel(classes, columns)
	for _, l := range labels {
		m.Bias[l]++
	}
	return m
}

// NaiveBayes is multinomial naive Bayes (Manning, Raghavan and Schütze, 2008, ch. 13)
// of counts or what was made of them, at least 0:
//
//	bias = ln p(c),  weight = ln ((sum of the column in c + alpha) / (sum of all columns in c + alpha·columns))
//
// A class without an example has the bias −∞.
func NaiveBayes(x *sparse.Matrix, labels []int32, classes int, alpha float64) (*Model, error) {
	m, _, err := collect(x, classes, func(see See) (*Fit, error) { return nil, EachNaiveBayes(x, labels, classes, alpha, see) })
	return m, err
}

// EachNaiveBayes is NaiveBayes whose classes are seen, and not kept.
func EachNaiveBayes(x *sparse.Matrix, labels []int32, classes int, alpha float64, see See) error {
	if err := check(x, labels, classes); err != nil {
		return err
	}
	if !(alpha > 0) {
		return fmt.Errorf("naive Bayes: alpha of %v must be positive", alpha)
	}
	examples := make([][]int32, classes)
	for i, l := range labels {
		examples[l] = append(examples[l], int32(i))
	}
	row := make([]float64, x.Columns)
	for c, of := range examples {
		clear(row)
		total := 0.0
		for _, i := range of {
			ids, values := x.Row(int(i))
			for k, id := range ids {
				row[id] += float64(values[k])
				total += float64(values[k])
			}
		}
		all := math.Log(total + float64(alpha*float64(x.Columns)))
		for k, n := range row {
			row[k] = math.Log(n+alpha) - all
		}
		see(c, row, math.Log(float64(len(of))/float64(len(labels))))
	}
	return nil
}
