package benchmark

import (
	"cmp"
	"slices"

	"tnaml/nn/rng"
)

// trees are gradient-boosted oblivious decision trees (Prokhorenkova et al., "CatBoost",
// 2018) of categories: each level of a tree asks one question of all, whether the
// option of one choice is among some, so that the answers' bits are the leaf's number.
// Leaves hold a value for each of the outputs, which share the questions.
type trees struct {
	base [outputs]float64
	// answers has of each choice and option a byte for every tree, in words: the bits of
	// the questions to which it says yes. Those of a configuration are joined by or.
	answers [][][]uint64
	leaves  [][1 << depth][outputs]float32
}

// outputs are the validation and the test split.
const outputs = 2

// What the trees are like, chosen by cross-validation on development tasks.
const (
	depth     = 4
	boosts    = 300
	rate      = 0.06 // learning rate
	ridge     = 1.0  // that pulls leaves to zero, in rows
	rowShare  = 0.7  // of the rows that a tree sees
	askShare  = 0.5  // of the choices that a level considers
	treesWord = 8    // trees in a word of answers
)

// feature is what trees know of a choice.
type feature struct {
	options int
	ordered bool
}

// sums are a group of rows: how many, and the sums of their residuals.
type sums struct {
	n   float64
	sum [outputs]float64
}

func (s *sums) add(o sums) {
	s.n += o.n
	for k := range outputs {
		s.sum[k] += o.sum[k]
	}
}

// score is what a leaf of these rows takes off the squared error.
func (s sums) score() float64 {
	out := 0.0
	for _, v := range s.sum {
		out += v * v
	}
	return out / (s.n + ridge)
}

// growTrees fits trees to rows x of options and their targets y.
func growTrees(features []feature, x [][]uint8, y [][outputs]float64) *trees {
	t := &trees{answers: make([][][]uint64, len(features)), leaves: make([][1 << depth][outputs]float32, boosts)}
	for c, f := range features {
		t.answers[c] = make([][]uint64, f.options)
		for o := range t.answers[c] {
			t.answers[c][o] = make([]uint64, (boosts+treesWord-1)/treesWord)
		}
	}
	left := slices.Clone(y) // what is still to be explained
	for k := range outputs {
		for i := range y {
			t.base[k] += y[i][k] / float64(len(y))
		}
		for i := range left {
			left[i][k] -= t.base[k]
		}
	}
	g := grower{features: features, x: x, left: left, leaf: make([]uint8, len(x))}
	for b := range boosts {
		g.grow(t, b)
	}
	return t
}

// grower holds what the growing of a tree needs.
type grower struct {
	features []feature
	x        [][]uint8
	left     [][outputs]float64
	leaf     []uint8 // of each row, so far
	rows     []int   // that the tree sees
	cells    []sums  // of each leaf and option
}

func (g *grower) grow(t *trees, b int) {
	r := rng.New(0, "benchmark/trees", uint64(b))
	g.rows = g.rows[:0]
	for i := range g.x {
		if g.leaf[i] = 0; r.Float64() < rowShare {
			g.rows = append(g.rows, i)
		}
	}
	for level := range depth {
		best, at, set := 0.0, -1, uint64(0)
		for c := range g.features {
			if r.Float64() >= askShare {
				continue
			}
			if gain, options := g.ask(c, 1<<level); gain > best {
				best, at, set = gain, c, options
			}
		}
		if at < 0 {
			continue
		}
		for o := range t.answers[at] {
			t.answers[at][o][b/treesWord] |= set >> o & 1 << (b%treesWord*8 + level)
		}
		for i, row := range g.x {
			g.leaf[i] |= uint8(set >> row[at] & 1 << level)
		}
	}
	var totals [1 << depth]sums
	for _, i := range g.rows {
		totals[g.leaf[i]].add(sums{1, g.left[i]})
	}
	for l, s := range totals {
		for k := range outputs {
			t.leaves[b][l][k] = float32(rate * s.sum[k] / (s.n + ridge))
		}
	}
	for i := range g.left {
		for k := range outputs {
			g.left[i][k] -= float64(t.leaves[b][g.leaf[i]][k])
		}
	}
}

// ask finds the best question about a choice for so many leaves: those of its first
// options in their order, where they have none in that of their mean residuals.
func (g *grower) ask(c, leaves int) (gain float64, set uint64) {
	f := g.features[c]
	g.cells = append(g.cells[:0], make([]sums, leaves*f.options)...)
	for _, i := range g.rows {
		g.cells[int(g.leaf[i])*f.options+int(g.x[i][c])].add(sums{1, g.left[i]})
	}
	var order [maxOptions]int
	var mean [maxOptions]float64
	for o := range f.options {
		var all sums
		for l := range leaves {
			all.add(g.cells[l*f.options+o])
		}
		for _, v := range all.sum {
			mean[o] += v / (all.n + ridge)
		}
		order[o] = o
	}
	if !f.ordered {
		slices.SortStableFunc(order[:f.options], func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
	}
	var yes, no [1 << depth]sums
	before := 0.0
	for l := range leaves {
		for o := range f.options {
			no[l].add(g.cells[l*f.options+o])
		}
		before += no[l].score()
	}
	asked := uint64(0)
	for _, o := range order[:f.options-1] {
		asked |= 1 << o
		after := 0.0
		for l := range leaves {
			s := g.cells[l*f.options+o]
			yes[l].add(s)
			no[l].add(sums{-s.n, [outputs]float64{-s.sum[0], -s.sum[1]}})
			after += yes[l].score() + no[l].score()
		}
		if after-before > gain {
			gain, set = after-before, asked
		}
	}
	return gain, set
}

// predict returns the outputs for a configuration.
func (t *trees) predict(x []uint8) [outputs]float64 {
	var words [(boosts + treesWord - 1) / treesWord]uint64
	for c, o := range x {
		for w, v := range t.answers[c][o] {
			words[w] |= v
		}
	}
	out := t.base
	for b := range t.leaves {
		leaf := &t.leaves[b][uint8(words[b/treesWord]>>(b%treesWord*8))]
		for k := range outputs {
			out[k] += float64(leaf[k])
		}
	}
	return out
}
