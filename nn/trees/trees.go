// Package trees fits ensembles of regression trees on options: features that are
// small whole numbers, in an order that means something or in none. It is what
// strategies and surrogates know a search space by.
package trees

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"tnaml/nn/rng"
)

// Feature is one of the numbers that a row has.
type Feature struct {
	// Levels is how many values there are: 0…Levels−1. Beyond 64 neighbouring ones
	// count as one, where they are ordered, else those that are equal modulo 64.
	Levels int
	// Ordered features are split at a level; of the others any set of levels goes left.
	Ordered bool
}

const maxLevels = 64

// bin is the level as the trees see it.
func (f Feature) bin(level int) int {
	switch {
	case f.Levels <= maxLevels:
		return level
	case f.Ordered:
		return level * maxLevels / f.Levels
	}
	return level % maxLevels
}

// Options say how an ensemble is fitted; zero values are the defaults.
type Options struct {
	// Trees is their number, default 100.
	Trees int
	// Depth is the most splits above a leaf: default 6 of boosted trees, 16 of a forest's.
	Depth int
	// MinLeaf is the least weight of a leaf, default 1.
	MinLeaf float64
	// Features is the share of the features that are tried at a split, default 1 of
	// boosted trees, 1/2 of a forest's.
	Features float64
	// Sample is the share of the rows that a boosted tree sees, default 1. A forest's
	// trees see a bootstrap sample each.
	Sample float64
	// Shrinkage is what of a boosted tree counts, default 0.1.
	Shrinkage float64
	// Ridge is added to a boosted leaf's weight, default 1.
	Ridge float64
	// Seed keys all draws.
	Seed uint64
}

// Model is an ensemble. It is safe for concurrent use.
type Model struct {
	features []Feature
	trees    [][]node
	// A prediction is base + scale · Σ trees.
	base, scale float64
}

// node of a tree; a tree is its nodes, the root first.
type node struct {
	// bits has a bit for each level that goes left, of a leaf it is its value.
	bits uint64
	// next is the left child, the right one stands after it; feature splits, −1 in a leaf.
	next, feature int32
}

func leafOf(value float64) node { return node{bits: math.Float64bits(value), feature: -1} }

// Forest fits a random forest (Breiman, 2001): trees on bootstrap samples, with some of
// the features at each split. x has a row of levels for each y; weights may be nil.
func Forest(features []Feature, x [][]int, y, weights []float64, o Options) (*Model, error) {
	o = o.withDefaults(16, 0.5)
	m, g, err := newGrower(features, x, y, weights, o)
	if err != nil || len(y) == 0 {
		return m, err
	}
	m.scale = 1 / float64(o.Trees)
	for t := range o.Trees {
		r := rng.New(o.Seed, "trees/forest", uint64(t))
		clear(g.weight)
		for range y {
			i := r.IntN(len(y))
			g.weight[i] += g.given(i)
		}
		m.trees = append(m.trees, g.grow(r, y, 0))
	}
	return m, nil
}

// Boost fits gradient-boosted trees for squared error (Friedman, 2001; 2002 where
// Sample is less than 1).
func Boost(features []Feature, x [][]int, y, weights []float64, o Options) (*Model, error) {
	o = o.withDefaults(6, 1)
	m, g, err := newGrower(features, x, y, weights, o)
	if err != nil || len(y) == 0 {
		return m, err
	}
	sum, total := 0.0, 0.0
	for i, v := range y {
		sum, total = sum+g.given(i)*v, total+g.given(i)
	}
	if total > 0 {
		m.base = sum / total
	}
	m.scale = o.Shrinkage
	residual := make([]float64, len(y))
	for i, v := range y {
		residual[i] = v - m.base
	}
	for t := range o.Trees {
		r := rng.New(o.Seed, "trees/boost", uint64(t))
		for i := range y {
			g.weight[i] = g.given(i)
			if o.Sample < 1 && r.Float64() >= o.Sample {
				g.weight[i] = 0
			}
		}
		tree := g.grow(r, residual, o.Ridge)
		m.trees = append(m.trees, tree)
		for i := range residual {
			residual[i] -= m.scale * leaf(tree, g.bins[i])
		}
	}
	return m, nil
}

func (o Options) withDefaults(depth int, features float64) Options {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	if o.Trees == 0 {
		o.Trees = 100
	}
	if o.Depth == 0 {
		o.Depth = depth
	}
	def(&o.MinLeaf, 1)
	def(&o.Features, features)
	def(&o.Sample, 1)
	def(&o.Shrinkage, 0.1)
	def(&o.Ridge, 1)
	return o
}

// grower holds what the trees of an ensemble are grown from.
type grower struct {
	o        Options
	features []Feature
	bins     [][]uint8
	weights  []float64 // given, nil for all 1
	weight   []float64 // the present tree's
	rows     []int32
	order    []int
	ridge    float64
	nodes    []node
}

func newGrower(features []Feature, x [][]int, y, weights []float64, o Options) (*Model, *grower, error) {
	if len(x) != len(y) || weights != nil && len(weights) != len(y) {
		return nil, nil, fmt.Errorf("trees: %d rows, %d values, %d weights", len(x), len(y), len(weights))
	}
	g := &grower{o: o, features: features, weights: weights, weight: make([]float64, len(y)), order: make([]int, len(features))}
	flat := make([]uint8, len(x)*len(features))
	for i, row := range x {
		if len(row) != len(features) {
			return nil, nil, fmt.Errorf("trees: row %d has %d numbers, there are %d features", i, len(row), len(features))
		}
		bins := flat[i*len(features) : (i+1)*len(features)]
		for k, level := range row {
			if level < 0 || level >= features[k].Levels {
				return nil, nil, fmt.Errorf("trees: row %d, feature %d is %d, it has %d levels", i, k, level, features[k].Levels)
			}
			bins[k] = uint8(features[k].bin(level))
		}
		g.bins = append(g.bins, bins)
		if v := y[i] + g.given(i); math.IsNaN(v) || math.IsInf(v, 0) || g.given(i) < 0 {
			return nil, nil, fmt.Errorf("trees: row %d has the value %v and the weight %v", i, y[i], g.given(i))
		}
	}
	return &Model{features: slices.Clone(features)}, g, nil
}

func (g *grower) given(i int) float64 {
	if g.weights == nil {
		return 1
	}
	return g.weights[i]
}

// grow grows a tree on the rows that have a weight.
func (g *grower) grow(r *rand.Rand, y []float64, ridge float64) []node {
	g.rows, g.ridge, g.nodes = g.rows[:0], ridge, append([]node(nil), node{})
	for i, w := range g.weight {
		if w > 0 {
			g.rows = append(g.rows, int32(i))
		}
	}
	g.split(r, y, 0, 0, len(g.rows), g.o.Depth)
	return g.nodes
}

// split makes a node of the rows from…to, and what is below it.
func (g *grower) split(r *rand.Rand, y []float64, at, from, to, depth int) {
	rows := g.rows[from:to]
	sum, total := 0.0, 0.0
	for _, i := range rows {
		sum, total = sum+g.weight[i]*y[i], total+g.weight[i]
	}
	value := 0.0
	if total+g.ridge > 0 {
		value = sum / (total + g.ridge)
	}
	g.nodes[at] = leafOf(value)
	if depth == 0 || total < 2*g.o.MinLeaf || len(rows) < 2 {
		return
	}
	feature, left := g.best(r, y, rows, sum, total)
	if feature < 0 {
		return
	}
	middle := from
	for i := from; i < to; i++ { // stable would cost memory; the order below decides nothing but rounding, the same each time
		if left>>g.bins[g.rows[i]][feature]&1 == 1 {
			g.rows[i], g.rows[middle] = g.rows[middle], g.rows[i]
			middle++
		}
	}
	next := len(g.nodes)
	g.nodes = append(g.nodes, node{}, node{})
	g.nodes[at] = node{left, int32(next), int32(feature)}
	g.split(r, y, next, from, middle, depth-1)
	g.split(r, y, next+1, middle, to, depth-1)
}

// best is the split that lowers the squared error most among some of the features, or
// among the others where those give none; −1 if there is none.
func (g *grower) best(r *rand.Rand, y []float64, rows []int32, sum, total float64) (feature int, left uint64) {
	for i := range g.order {
		g.order[i] = i
	}
	most := int(math.Ceil(g.o.Features * float64(len(g.features))))
	if most < len(g.features) {
		r.Shuffle(len(g.order), func(i, j int) { g.order[i], g.order[j] = g.order[j], g.order[i] })
	}
	feature = -1
	least := sum * sum / total * (1 + 1e-12)
	for tried, k := range g.order {
		if tried >= most && feature >= 0 {
			break
		}
		var sums, totals [maxLevels]float64
		seen := uint64(0)
		for _, i := range rows {
			b, w := g.bins[i][k], g.weight[i]
			sums[b] += w * y[i]
			totals[b] += w
			seen |= 1 << b
		}
		if seen&(seen-1) == 0 {
			continue // one level
		}
		var levels [maxLevels]uint8
		n := 0
		for s := seen; s != 0; s &= s - 1 {
			levels[n] = uint8(bits.TrailingZeros64(s))
			n++
		}
		if !g.features[k].Ordered { // by their means: one of the cuts is the best of all sets (Fisher, 1958)
			slices.SortFunc(levels[:n], func(a, b uint8) int {
				ma, mb := sums[a]/totals[a], sums[b]/totals[b]
				switch {
				case ma < mb:
					return -1
				case ma > mb:
					return 1
				}
				return int(a) - int(b)
			})
		}
		s, t, mask := 0.0, 0.0, uint64(0)
		for _, level := range levels[:n-1] {
			s, t, mask = s+sums[level], t+totals[level], mask|1<<level
			if t < g.o.MinLeaf || total-t < g.o.MinLeaf {
				continue
			}
			if gain := s*s/t + (sum-s)*(sum-s)/(total-t); gain > least {
				least, feature, left = gain, k, mask
				// Levels that no row here has: below a cut those are that are, of options without
				// an order all are where most rows are.
				switch ordered := g.features[k].Ordered; {
				case ordered:
					left = 2<<level - 1
				case t >= total-t:
					left |= ^seen
				}
			}
		}
	}
	return feature, left
}

func leaf(tree []node, bins []uint8) float64 {
	n := tree[0]
	for n.feature >= 0 {
		n = tree[n.next+1-int32(n.bits>>bins[n.feature]&1)]
	}
	return math.Float64frombits(n.bits)
}

// Rows are rows of levels as an ensemble of their features reads them.
type Rows struct {
	n, width int
	bins     []uint8
}

// NewRows makes rows of levels, which must be the features'.
func NewRows(features []Feature, x [][]int) Rows {
	r := Rows{n: len(x), width: len(features), bins: make([]uint8, 0, len(x)*len(features))}
	for _, row := range x {
		for k, level := range row {
			r.bins = append(r.bins, uint8(features[k].bin(level)))
		}
	}
	return r
}

// Len is their number.
func (r Rows) Len() int { return r.n }

func (r Rows) row(i int) []uint8 { return r.bins[i*r.width : (i+1)*r.width] }

// Predict returns the ensemble's value of a row of levels.
func (m *Model) Predict(x []int) float64 {
	var out [1]float64
	m.Values(NewRows(m.features, [][]int{x}), out[:])
	return out[0]
}

// Values writes the ensemble's value of each row into out. Many rows at once are several
// times as fast as one after the other.
func (m *Model) Values(r Rows, out []float64) { m.Spread(r, out, nil) }

// Spread is Values with the standard deviation of a forest's trees, if that is not nil.
func (m *Model) Spread(r Rows, mean, deviation []float64) {
	clear(mean[:r.n])
	if deviation != nil {
		clear(deviation[:r.n])
	}
	for _, t := range m.trees { // a tree stays in the cache while all rows pass through it
		for i := range r.n {
			v := leaf(t, r.row(i))
			mean[i] += v
			if deviation != nil {
				deviation[i] += v * v
			}
		}
	}
	for i := range r.n {
		mean[i] = m.base + m.scale*mean[i]
		if deviation != nil && len(m.trees) > 0 {
			deviation[i] = math.Sqrt(max(0, deviation[i]/float64(len(m.trees))-mean[i]*mean[i]))
		}
	}
}
