package metrics

import (
	"cmp"
	"slices"
)

// Confusion counts how a model classifies the examples of a split.
type Confusion struct {
	Labels []string `json:"labels"`
	// Counts holds a row for each label and a column for each prediction, in the
	// order of Labels.
	Counts [][]int `json:"counts"`
}

// NewConfusion counts predictions, the class of each example, against the labels.
func NewConfusion(labels []string, truth, predicted []int32) Confusion {
	c := Confusion{Labels: labels, Counts: make([][]int, len(labels))}
	for k := range c.Counts {
		c.Counts[k] = make([]int, len(labels))
	}
	for i, k := range truth {
		c.Counts[k][predicted[i]]++
	}
	return c
}

// Examples is the number of examples.
func (c Confusion) Examples() (n int) {
	for _, row := range c.Counts {
		for _, v := range row {
			n += v
		}
	}
	return n
}

// Accuracy is the share of the examples whose class is the predicted one.
func (c Confusion) Accuracy() float64 {
	right := 0
	for k, row := range c.Counts {
		right += row[k]
	}
	return ratio(right, c.Examples())
}

// Class is how well one class is told from the others.
type Class struct {
	Label string `json:"label"`
	// Examples are those of the class, Predicted those that the model takes for it,
	// Right both.
	Examples  int `json:"examples"`
	Predicted int `json:"predicted"`
	Right     int `json:"right"`
}

// Precision is Right/Predicted, Recall Right/Examples, F1 their harmonic mean,
// 2·Right/(Examples + Predicted); 0 where there is nothing to divide by.
func (c Class) Precision() float64 { return ratio(c.Right, c.Predicted) }

// Recall is Right/Examples.
func (c Class) Recall() float64 { return ratio(c.Right, c.Examples) }

// F1 is 2·Right/(Examples + Predicted).
func (c Class) F1() float64 { return ratio(2*c.Right, c.Examples+c.Predicted) }

func ratio(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Classes sums rows and columns, in the order of Labels.
func (c Confusion) Classes() []Class {
	out := make([]Class, len(c.Labels))
	for k, row := range c.Counts {
		out[k].Label, out[k].Right = c.Labels[k], row[k]
		for j, v := range row {
			out[k].Examples += v
			out[j].Predicted += v
		}
	}
	return out
}

// Pair is a number of examples of one class that were taken for another.
type Pair struct {
	Label     string `json:"label"`
	Predicted string `json:"predicted"`
	Count     int    `json:"count"`
}

// Pairs returns the n most frequent mistakes, ties in the order of Labels.
func (c Confusion) Pairs(n int) []Pair {
	var out []Pair
	for k, row := range c.Counts {
		for j, v := range row {
			if j != k && v > 0 {
				out = append(out, Pair{c.Labels[k], c.Labels[j], v})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Pair) int { return cmp.Compare(b.Count, a.Count) })
	return out[:min(n, len(out))]
}
