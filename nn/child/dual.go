package child

import (
	"slices"

	kernels "tnaml/nn/blas"
	"tnaml/nn/rng"
)

const (
	// dualPasses is the most passes over the examples, dualTolerance the greatest
	// projected gradient with which they end before.
	dualPasses    = 20
	dualTolerance = .02
	// foldPasses is the number of passes without a fold.
	foldPasses = 4
)

// dual is the problem of a linear tower, of each class against the rest,
//
//	min over w: ½‖w‖² + C Σᵢ kᵢ max(0, 1 − yᵢ w·xᵢ)²
//
// with one more column of ones for the bias and yᵢ = ±1; x are sparse features and, where
// there are such, dense vectors beside them. It is solved by dual coordinate descent (Hsieh, Chang,
// Lin, Keerthi and Sundararajan, 2008, algorithm 1), all classes in one pass. Of two classes there is one problem, class 1 being positive.
type dual struct {
	x             *bags
	labels        []int32
	classes, cols int
	w             []float32 // rows × cols
	bias          []float32 // cols
	alpha         []float32 // examples × cols
	dim           int
	dense         []float32 // examples × dim
	v             []float32 // cols × dim: the weights of the dense part
	// Of each example: ‖x‖² with the bias's column, and 1/(2·C·k).
	square, slack []float32
	score, delta  []float32 // cols
	seed          uint64
}

// newDual lays the problem out; dense is examples × any number of columns, and may be
// empty; weights are k, of each class, nil for ones.
func newDual(x *bags, dense []float32, labels []int32, rows, classes int, cost float64, weights []float32, seed uint64) *dual {
	cols := classes
	if classes == 2 {
		cols = 1
	}
	p := &dual{x: x, labels: labels, classes: classes, cols: cols, seed: seed, w: make([]float32, rows*cols), bias: make([]float32, cols),
		alpha: make([]float32, len(labels)*cols), square: make([]float32, len(labels)), slack: make([]float32, len(labels)),
		score: make([]float32, cols), delta: make([]float32, cols)}
	if len(labels) > 0 {
		p.dense, p.dim = dense, len(dense)/len(labels)
		p.v = make([]float32, cols*p.dim)
	}
	for i, label := range labels {
		_, v := x.row(i)
		sum := squares(squares(1, v), p.denseRow(i))
		k := 1.
		if weights != nil {
			k = float64(weights[label])
		}
		p.square[i], p.slack[i] = float32(sum), float32(1/(2*cost*k))
	}
	return p
}

// squares adds the squares to a sum, one after another.
func squares(sum float64, v []float32) float64 {
	for _, f := range v {
		sum += float64(f) * float64(f) // exact: no rounding for a fused product to leave out
	}
	return sum
}

func (p *dual) denseRow(i int) []float32 { return p.dense[i*p.dim:][:p.dim] }

// row returns a document's ids and weights.
func (b *bags) row(i int) ([]int32, []float32) {
	from, to := b.from[i], b.to[i]
	if b.weights != nil {
		return b.ids[from:to], b.weights[from:to]
	}
	return b.ids[from:to], b.ones[:to-from]
}

// sign is y of an example in a problem.
func (p *dual) sign(i, c int) float32 {
	if p.cols == 1 {
		c = 1
	}
	if int(p.labels[i]) == c {
		return 1
	}
	return -1
}

// scores sets score to an example's products with the weights, bias included.
func (p *dual) scores(i int) {
	ids, v := p.x.row(i)
	if p.cols == 1 {
		sum := float64(p.bias[0])
		for k, id := range ids {
			sum += float64(p.w[id]) * float64(v[k])
		}
		p.score[0] = float32(sum)
	} else {
		kernels.Gather(p.score, p.w, p.cols, ids, v)
		add(p.score, p.bias)
	}
	if p.dim > 0 {
		for c := range p.score {
			p.score[c] += kernels.Dot(p.denseRow(i), p.v[c*p.dim:][:p.dim])
		}
	}
}

// add changes the weights by delta times an example.
func (p *dual) add(i int) {
	ids, v := p.x.row(i)
	add(p.bias, p.delta)
	if p.dim > 0 {
		for c, d := range p.delta {
			if d != 0 {
				kernels.Axpy(d, p.denseRow(i), p.v[c*p.dim:][:p.dim])
			}
		}
	}
	if p.cols == 1 {
		for k, id := range ids {
			p.w[id] += float32(p.delta[0] * v[k])
		}
		return
	}
	kernels.Scatter(p.w, p.cols, ids, v, p.delta)
}

// pass goes over the examples once, in their order, and returns the greatest
// projected gradient.
func (p *dual) pass(order []int32) float32 {
	worst := float32(0)
	for _, n := range order {
		i := int(n)
		p.scores(i)
		alpha := p.alpha[i*p.cols:][:p.cols]
		moved := false
		for c, a := range alpha {
			y := p.sign(i, c)
			g := float32(y*p.score[c]) - 1 + float32(p.slack[i]*a)
			p.delta[c] = 0
			if a == 0 && g >= 0 {
				continue
			}
			worst = max(worst, max(g, -g))
			alpha[c] = max(0, a-g/(p.square[i]+p.slack[i]))
			p.delta[c] = y * (alpha[c] - a)
			moved = moved || p.delta[c] != 0
		}
		if moved {
			p.add(i)
		}
	}
	return worst
}

// solve goes over the examples up to so many times, each time in another order.
func (p *dual) solve(order []int32, passes int, stream string) {
	for pass := range passes {
		g := rng.New(p.seed, stream, uint64(pass))
		for i := len(order) - 1; i > 0; i-- {
			k := g.Uint64N(uint64(i + 1))
			order[i], order[k] = order[k], order[i]
		}
		if p.pass(order) < dualTolerance {
			return
		}
	}
}

// without solves the problem without some examples, the solution of all being the
// start, and sets their logits to what it says of them: each example's are then of
// weights that have not seen it.
func (p *dual) without(held, others []int32, logits []float32) {
	q := *p
	q.w, q.bias, q.alpha, q.v = slices.Clone(p.w), slices.Clone(p.bias), slices.Clone(p.alpha), slices.Clone(p.v)
	for _, i := range held {
		for c := range q.delta {
			q.delta[c] = -q.sign(int(i), c) * q.alpha[int(i)*q.cols+c]
		}
		q.add(int(i))
	}
	q.solve(others, foldPasses, "child/dual/fold")
	for _, i := range held {
		q.scores(int(i))
		q.spread(q.score, logits[int(i)*q.classes:][:q.classes])
	}
}

// spread gives each class its value of the problems'.
func (p *dual) spread(from, to []float32) {
	if copy(to, from) < len(to) {
		to[0], to[1] = -from[0], from[0]
	}
}
