package metrics

import (
	"fmt"
	"math"
)

// CosineSimilarity compares the rows of a matrix, e.g. task embeddings (tasks ×
// 25; Figure 1, right): entry (i, k) of the result, rows × rows, is
// ⟨rᵢ, rₖ⟩/(‖rᵢ‖·‖rₖ‖), in [−1, 1]. It is symmetric with ones on the diagonal;
// a zero row has similarity 0 to all, itself included. It panics if the rows
// differ in length.
func CosineSimilarity(matrix [][]float64) [][]float64 {
	unit := make([][]float64, len(matrix))
	for i, row := range matrix {
		if len(row) != len(matrix[0]) {
			panic(fmt.Sprintf("metrics: row %d has %d columns, row 0 has %d", i, len(row), len(matrix[0])))
		}
		unit[i] = normalise(row)
	}
	out := make([][]float64, len(matrix))
	for i := range out {
		out[i] = make([]float64, len(matrix))
		for k := range i {
			c := max(-1, min(1, dot(unit[i], unit[k])))
			out[i][k], out[k][i] = c, c
		}
		if unit[i] != nil {
			out[i][i] = 1
		}
	}
	return out
}

// normalise scales a vector to length 1, by way of its largest element so that
// no square overflows or vanishes; nil for a zero vector.
func normalise(v []float64) []float64 {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(x))
	}
	if largest == 0 {
		return nil
	}
	u := make([]float64, len(v))
	for i, x := range v {
		u[i] = x / largest
	}
	length := math.Sqrt(dot(u, u))
	for i := range u {
		u[i] /= length
	}
	return u
}

func dot(a, b []float64) float64 {
	if a == nil || b == nil {
		return 0
	}
	var s sum
	for i := range a {
		s.add(float64(a[i] * b[i])) // rounded: no fused multiply-add
	}
	return s.value()
}
