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

// sourceModels is what is known of other tasks.
type sourceModels struct {
	// models predict the normal score of a configuration's reward on each source's task.
	models []*trees.Model
	// portfolio is the greedy portfolio, pool the best configurations of each source.
	portfolio, pool [][]int
}

// poolSize is how many configurations of each source the portfolio is chosen from.
const poolSize = 20

func fitSources(features []trees.Feature, sources []rewardedTask, s KindredSettings) (out sourceModels, err error) {
	for k, source := range sources {
		x := source.actions
		m, err := trees.Boost(features, x, normalScores(source.rewards), nil, trees.Options{
			Trees: s.SourceTrees, Depth: s.SourceDepth, Shrinkage: 6 / float64(s.SourceTrees), MinLeaf: 3, Ridge: 3, Seed: uint64(k),
		})
		if err != nil {
			return out, err
		}
		out.models = append(out.models, m)
		value := make([]float64, len(x))
		m.Values(trees.NewRows(features, x), value)
		n := 0
		for _, i := range descending(value) {
			if n < poolSize && !contains(out.pool, x[i]) {
				out.pool = append(out.pool, slices.Clone(x[i]))
				n++
			}
		}
	}
	losses := make([][]float64, len(out.pool))
	column, rows := make([]float64, len(out.pool)), trees.NewRows(features, out.pool)
	for _, m := range out.models {
		m.Values(rows, column)
		for i, v := range column {
			losses[i] = append(losses[i], -v)
		}
	}
	for _, i := range cover(losses, s.Portfolio) {
		out.portfolio = append(out.portfolio, out.pool[i])
	}
	return out, nil
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

func contains(list [][]int, c []int) bool {
	return slices.ContainsFunc(list, func(o []int) bool { return slices.Equal(o, c) })
}

// observed is a trial of the task.
type observed struct {
	actions []int
	reward  float64
}

// target is what was told of a task, and what follows from it.
type target struct {
	history []observed
	seen    map[string]bool
	known   *knowledge
}

func (g *target) add(actions []int, reward float64) {
	g.history = append(g.history, observed{slices.Clone(actions), reward})
	if g.seen == nil {
		g.seen = map[string]bool{}
	}
	g.seen[keyOf(actions)] = true
}

func (g *target) tried(actions []int) bool { return g.seen[keyOf(actions)] }

func keyOf(actions []int) string {
	b := make([]byte, 0, 2*len(actions))
	for _, a := range actions {
		b = append(b, byte(a), byte(a>>8))
	}
	return string(b)
}

// knowledge is what the first n trials say.
type knowledge struct {
	n       int
	sources []*trees.Model
	// A prediction is intercept + Σ weights · sources + residual.
	intercept float64
	weights   []float64
	residual  *trees.Model
	parents   [][]int
}

// learnAt is the number of trials, of n, that are learned from: all of the first 50,
// then every 25th part more.
func learnAt(n int) int {
	if n <= 50 {
		return n
	}
	return n - n%(n/25)
}

// learn fits what the task's trials say of the sources, and a forest to what is left.
func (g *target) learn(t *kindred) *knowledge {
	n := learnAt(len(g.history))
	if g.known != nil && g.known.n == n {
		return g.known
	}
	k := &knowledge{n: n, sources: t.sources.models, weights: make([]float64, len(t.sources.models))}
	g.known = k
	for i := range k.weights {
		k.weights[i] = 1 / float64(len(k.weights))
	}
	var x [][]int
	var rewards []float64
	for _, h := range g.history[:n] {
		x, rewards = append(x, h.actions), append(rewards, h.reward)
	}
	y := normalScores(rewards)
	rows := trees.NewRows(t.features, x)
	if n > 0 {
		k.weigh(rows, y, t.settings.Prior)
	}
	left := k.prior(rows)
	for i, v := range y {
		left[i] = v - left[i]
	}
	var err error
	k.residual, err = trees.Forest(t.features, x, left, nil, trees.Options{Trees: t.settings.Trees, Depth: 10, MinLeaf: 2, Seed: uint64(n)})
	if err != nil {
		panic(err) // rows and values are of one length, and numbers
	}
	means, _ := k.predict(rows)
	for _, i := range descending(means) {
		if len(k.parents) < t.settings.Parents && !contains(k.parents, x[i]) {
			k.parents = append(k.parents, x[i])
		}
	}
	return k
}

// weigh regresses the task's scores on the sources' predictions: ridge regression towards
// equal weights, which count as so many trials.
func (k *knowledge) weigh(x trees.Rows, y []float64, prior float64) {
	n, m := x.Len(), len(k.sources)
	mean := 0.0
	for _, v := range y {
		mean += v / float64(n)
	}
	if m == 0 {
		k.intercept = mean
		return
	}
	f, means, column := mat.NewDense(n, m, nil), make([]float64, m), make([]float64, n)
	for j, s := range k.sources {
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
	k.intercept = mean
	for j, v := range means {
		k.intercept -= k.weights[j] * v
	}
}

// prior is what the sources say.
func (k *knowledge) prior(x trees.Rows) []float64 {
	out, one := make([]float64, x.Len()), make([]float64, x.Len())
	for i := range out {
		out[i] = k.intercept
	}
	for j, s := range k.sources {
		s.Values(x, one)
		for i, v := range one {
			out[i] += k.weights[j] * v
		}
	}
	return out
}

// predict returns the scores expected, and how far the forest's trees are from agreeing.
func (k *knowledge) predict(x trees.Rows) (mean, deviation []float64) {
	mean, deviation = make([]float64, x.Len()), make([]float64, x.Len())
	k.residual.Spread(x, mean, deviation)
	for i, v := range k.prior(x) {
		mean[i] += v
	}
	return mean, deviation
}

// drawSource draws a source by its weight, where that is more than 0; −1 if there is none.
func (k *knowledge) drawSource(r *rand.Rand) int {
	total := 0.0
	for _, w := range k.weights {
		total += max(0, w)
	}
	u := r.Float64() * total
	for j, w := range k.weights {
		if u -= max(0, w); u < 0 {
			return j
		}
	}
	return len(k.weights) - 1
}
