package child

import (
	"math"
	"slices"

	kernels "tnaml/nn/blas"
	"tnaml/nn/rng"
)

// stackFolds is the number of folds.
const stackFolds = 5

// folds calls f with each fold of so many examples and the others.
func folds(examples int, seed uint64, f func(held, others []int32)) {
	order := make([]int32, examples)
	for i := range order {
		order[i] = int32(i)
	}
	rng.New(seed, "child/folds", 0).Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	n := min(stackFolds, examples)
	var held, others []int32
	for fold := range n {
		held, others = held[:0], others[:0]
		for at, i := range order {
			if at%n == fold {
				held = append(held, i)
			} else {
				others = append(others, i)
			}
		}
		f(held, others)
	}
}

// solveWide sets the wide tower's weights to the solution of the dual problem, or to that
// and naive Bayes' (Config.WideBayes), and the logits on which the deep tower is trained to
// those that the wide one gives documents which it has not seen: of five folds, each under
// the weights of the other four. What the wide tower has learnt by heart would leave the
// deep one nothing to learn, and nothing could be learnt of the share that each should have
// (Wolpert, 1992, "Stacked generalization"). Under the cross-entropy the shares are those
// with which it is least for these logits: the solution gives margins, not logarithms of
// odds. Documents are the training split's vectors, which Config.WideVectors asks for.
//
// (The factors of the weighting log_odds are learnt of all examples, those left out too:
// their logits flatter it.)
func (n *network) solveWide(d *Data, documents []float32, seed uint64) {
	x, labels := wideBags(&d.Train, d.wideRows()), d.Train.Labels
	var dense []float32
	if n.cfg.WideVectors > 0 {
		dense = make([]float32, len(documents))
		unitRows(dense, documents, n.dim, float32(n.cfg.WideVectors))
	}
	p := newDual(x, dense, labels, len(n.wide.value)/n.classes, n.classes, n.cfg.cost(), n.weights, seed)
	order := make([]int32, len(labels))
	for i := range order {
		order[i] = int32(i)
	}
	p.solve(order, dualPasses, "child/dual")
	n.base = make([]float32, len(labels)*n.classes)
	views := [][]float32{n.base}
	var b *bayes
	if n.cfg.WideBayes > 0 {
		b = newBayes(x, d.WordFeatures, labels, len(p.w)/p.cols, n.classes, n.cfg.WideBayes)
		views = append(views, make([]float32, len(n.base)))
	}
	folds(len(labels), seed, func(held, others []int32) {
		p.without(held, others, n.base)
		if b != nil {
			b.without(held, views[1])
		}
	})
	shares := []float64{1}
	if b != nil {
		shares = stackShares(views, labels, n.classes)
	} else if n.cfg.Loss != SquaredHinge {
		shares[0] = logitScale(n.base, labels, n.classes)
	}
	if b != nil && n.cfg.Loss == SquaredHinge && shares[0] > 0 { // margins stay such
		shares[0], shares[1] = 1, shares[1]/shares[0]
	}
	n.share = newTensor(1)
	n.share.value[0] = 1
	if n.cfg.WideShare > 0 {
		n.share.value[0] = float32(n.cfg.WideShare)
	}
	scale := float32(shares[0])
	scaleBy := func(v []float32) {
		for i := range v {
			v[i] *= scale
		}
	}
	for row := range len(p.w) / p.cols {
		p.spread(p.w[row*p.cols:][:p.cols], n.wide.value[row*n.classes:][:n.classes])
	}
	n.wideBias = make([]float32, n.classes)
	p.spread(p.bias, n.wideBias)
	if p.dim > 0 {
		n.vectors = p.vectors(float32(n.cfg.WideVectors))
	}
	scaleBy(n.wide.value)
	scaleBy(n.wideBias)
	scaleBy(n.vectors)
	scaleBy(n.base)
	if b != nil {
		w := make([]float32, len(n.wide.value))
		b.weights(w)
		kernels.Axpy(float32(shares[1]), w, n.wide.value)
		kernels.Axpy(float32(shares[1]), views[1], n.base)
	}
}

// vectors are the weights of unit vectors, dim × classes, where the dense part of the
// problem is as long as scale.
func (p *dual) vectors(scale float32) []float32 {
	out, of := make([]float32, p.dim*p.classes), make([]float32, p.cols)
	for k := range p.dim {
		for c := range of {
			of[c] = scale * p.v[c*p.dim+k]
		}
		p.spread(of, out[k*p.classes:][:p.classes])
	}
	return out
}

// unitRows sets out to the rows brought to a length, but for those of zeros.
func unitRows(out, v []float32, dim int, length float32) {
	for from := 0; from < len(v); from += dim {
		row, to := v[from:][:dim], out[from:][:dim]
		norm := float32(math.Sqrt(squares(0, row)))
		if !(norm > 0) {
			clear(to)
			continue
		}
		for k, x := range row {
			to[k] = length * x / norm
		}
	}
}

// bayes is multinomial naive Bayes of weighted, normalised features (Rennie, Shih, Teevan
// and Karger, 2003, have such weights in it), without the classes' frequencies, which a
// bias learns:
//
//	w(j, c) = ln p(j|c) − mean over classes k of ln p(j|k)
//	p(j|c)  = (α + sum of column j in c) / (sum of all columns in c + α·columns)
type bayes struct {
	x       *bags
	of      []bool // the columns that take part; nil for all
	columns int    // how many do
	labels  []int32
	classes int
	alpha   float64
	sums    []float64 // rows × classes
	total   []float64 // classes
	scratch []float32 // rows × classes
}

func newBayes(x *bags, of []bool, labels []int32, rows, classes int, alpha float64) *bayes {
	b := &bayes{x: x, of: of, columns: rows, labels: labels, classes: classes, alpha: alpha,
		sums: make([]float64, rows*classes), total: make([]float64, classes), scratch: make([]float32, rows*classes)}
	if of != nil {
		b.columns = 0
		for _, in := range of {
			if in {
				b.columns++
			}
		}
	}
	for i := range labels {
		b.count(i, 1)
	}
	return b
}

// count counts an example so many times more.
func (b *bayes) count(i int, times float64) {
	ids, v := b.x.row(i)
	label := int(b.labels[i])
	for k, id := range ids {
		if b.of == nil || b.of[id] {
			much := times * math.Abs(float64(v[k]))
			b.sums[int(id)*b.classes+label] += much
			b.total[label] += much
		}
	}
}

// weights sets w, rows × classes, to naive Bayes' of what is counted.
func (b *bayes) weights(w []float32) {
	base, least, row := make([]float64, b.classes), math.Log(b.alpha), make([]float64, b.classes)
	for c, n := range b.total {
		base[c] = math.Log(max(n, 0) + float64(b.alpha*float64(b.columns)))
	}
	for j := range len(w) / b.classes {
		to := w[j*b.classes:][:b.classes]
		if b.of != nil && !b.of[j] {
			clear(to)
			continue
		}
		mean := 0.
		for c, n := range b.sums[j*b.classes:][:b.classes] {
			row[c] = least
			if n > 0 {
				row[c] = math.Log(n + b.alpha)
			}
			row[c] -= base[c]
			mean += row[c]
		}
		mean /= float64(b.classes)
		for c, v := range row {
			to[c] = float32(v - mean)
		}
	}
}

// without sets the logits of held examples to those of weights that have not seen them.
func (b *bayes) without(held []int32, logits []float32) {
	for _, i := range held {
		b.count(int(i), -1)
	}
	b.weights(b.scratch)
	for _, i := range held {
		b.x.sum(int(i), b.scratch, logits[int(i)*b.classes:][:b.classes])
		b.count(int(i), 1)
	}
}

const (
	// shareSweeps bounds the sweeps over the shares, shareTolerance is how little they
	// change in the last.
	shareSweeps    = 50
	shareTolerance = 1e-3
)

// stackShares returns the factors of the views' logits, each examples × classes, with which
// the cross-entropy of the softmax of their sum is least: from 0 up (Breiman, 1996,
// "Stacked regressions": no view counts against what it says) to 64. Targets are those of
// logitScale, and the first view's factor alone is where it begins; then one factor after
// another takes Newton's step, the cross-entropy being convex in them.
func stackShares(views [][]float32, labels []int32, classes int) []float64 {
	shares, sum := make([]float64, len(views)), make([]float64, len(views[0]))
	move := func(view int, by float64) {
		shares[view] += by
		for i, v := range views[view] {
			sum[i] += float64(by * float64(v))
		}
	}
	move(0, logitScale(views[0], labels, classes))
	rest := 1 / (float64(len(labels)+2) * float64(max(1, classes-1)))
	p := make([]float64, classes)
	for range shareSweeps {
		moved := 0.
		for view, logits := range views {
			slope, curvature := 0., 0.
			for i, label := range labels {
				z, v := sum[i*classes:][:classes], logits[i*classes:][:classes]
				top, total, mean, square, all := slices.Max(z), 0., 0., 0., 0.
				for c, s := range z {
					p[c] = math.Exp(s - top)
					total += p[c]
				}
				for c, f := range v {
					x := float64(f)
					all += x
					mean += float64(p[c] * x)
					square += float64(float64(p[c]*x) * x)
				}
				mean /= total
				own := float64(v[label])
				slope += mean - own + float64(rest*(float64(float64(classes)*own)-all))
				curvature += square/total - float64(mean*mean)
			}
			if curvature <= 0 {
				continue
			}
			s := shares[view]
			next := min(max(s-slope/curvature, 0, s/2-1), 2*s+1, maxLogitScale)
			moved = max(moved, math.Abs(next-s)/(1+s))
			move(view, next-s)
		}
		if moved < shareTolerance {
			break
		}
	}
	return shares
}
