package strategy

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"tnaml/experiments/space"
	"tnaml/nn/trees"
)

// featuresOf is the space as regression trees see it: choices whose options are numbers
// in order are ordered.
func featuresOf(sp *space.Space) []trees.Feature {
	var out []trees.Feature
	for _, c := range sp.Choices {
		inOrder := c.Kind == space.Ordinal || c.Kind == "" && ordered(c.Options)
		out = append(out, trees.Feature{Levels: len(c.Options), Ordered: inOrder})
	}
	return out
}

// ordered says that options are numbers, each more than the one before, or each less.
func ordered(options []any) bool {
	var v []float64
	for _, o := range options {
		switch n := o.(type) {
		case float64:
			v = append(v, n)
		case int64:
			v = append(v, float64(n))
		case int:
			v = append(v, float64(n))
		default:
			return false
		}
	}
	down := slices.Clone(v)
	slices.Reverse(down)
	return slices.IsSorted(v) || slices.IsSorted(down)
}

// descending is the order of values, the greatest first, equal ones as they stand.
func descending(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[b], v[a]) })
	return order
}

// keyOf tells configurations apart.
func keyOf(actions []int) string {
	b := make([]byte, 0, 2*len(actions))
	for _, a := range actions {
		b = append(b, byte(a), byte(a>>8))
	}
	return string(b)
}

// knowledge is what the first n trials of a task say of the sources.
type knowledge struct {
	n       int
	models  []*trees.Model
	weights []float64
}

// learnAt is the number of trials, of n, that are learned from: all of the first 50,
// then every 25th part more.
func learnAt(n int) int {
	if n <= 50 {
		return n
	}
	return n - n%(n/25)
}

// learn weighs the sources by a task's trials.
func (k *kindred) learn(task int) *knowledge {
	p := &k.parzen.tasks[task]
	n := learnAt(len(p.rewards))
	if known := k.known[task]; known != nil && known.n == n {
		return known
	}
	known := &knowledge{n: n, models: k.models, weights: make([]float64, len(k.models))}
	for i := range known.weights {
		known.weights[i] = 1 / float64(len(known.weights))
	}
	if n > 0 && len(k.models) > 0 {
		known.weigh(trees.NewRows(k.features, p.actions[:n]), normalScores(p.rewards[:n]), k.settings.Ridge)
	}
	k.known[task] = known
	return known
}

// weigh regresses the task's scores on the sources' predictions: ridge regression towards
// equal weights, which count as so many trials.
func (k *knowledge) weigh(x trees.Rows, y []float64, prior float64) {
	n, m := x.Len(), len(k.models)
	mean := 0.0
	for _, v := range y {
		mean += v / float64(n)
	}
	f, means, column := mat.NewDense(n, m, nil), make([]float64, m), make([]float64, n)
	for j, s := range k.models {
		s.Values(x, column)
		f.SetCol(j, column)
		for _, v := range column {
			means[j] += v / float64(n)
		}
	}
	left := mat.NewVecDense(n, nil)
	for i := range n {
		v := y[i] - mean
		for j := range m {
			c := f.At(i, j) - means[j]
			f.Set(i, j, c)
			v -= k.weights[j] * c
		}
		left.SetVec(i, v)
	}
	var gram mat.SymDense
	gram.SymOuterK(1, f.T())
	for j := range m {
		gram.SetSym(j, j, gram.At(j, j)+prior+1e-6)
	}
	var chol mat.Cholesky
	var right, step mat.VecDense
	right.MulVec(f.T(), left)
	if chol.Factorize(&gram) && chol.SolveVecTo(&step, &right) == nil {
		for j := range m {
			k.weights[j] += step.AtVec(j)
		}
	}
}

// says is the weighted sum of what the sources' models say.
func (k *knowledge) says(x trees.Rows) []float64 {
	out, one := make([]float64, x.Len()), make([]float64, x.Len())
	for j, m := range k.models {
		m.Values(x, one)
		for i, v := range one {
			out[i] += k.weights[j] * v
		}
	}
	return out
}

// drawSource draws a source by its weight, where that is more than 0; −1 if there is none.
func (k *knowledge) drawSource(r *rand.Rand) int {
	total := 0.0
	for _, w := range k.weights {
		total += max(0, w)
	}
	return draw(r, len(k.weights), func(j int) float64 { return max(0, k.weights[j]) / total })
}
