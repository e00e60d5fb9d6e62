package linear

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// SVM says how support vector machines are trained: what they minimise is ½‖w‖² and C times
// the sum over the examples of ξ², where ξ = max(0, 1 − y·score).
type SVM struct {
	// C weighs the loss against the weights' length; 0 means 1.
	C float64
	// Tolerance is how far apart the greatest and the least projected gradient of the
	// dual may lie in the end; 0 means 0.001.
	Tolerance float64
	// Passes bounds the passes over the examples; 0 means 1000.
	Passes int
	// Seed is of the order of the examples.
	Seed uint64
	// Beta is the part of its own weights that an NBSVM keeps; 0 means 0.25.
	Beta float64
}

func (o SVM) filled() (SVM, error) {
	if o.C == 0 {
		o.C = 1
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-3
	}
	if o.Passes == 0 {
		o.Passes = 1000
	}
	if o.Beta == 0 {
		o.Beta = .25
	}
	var errs []error
	if !(o.C > 0) || math.IsInf(o.C, 0) || !(o.Tolerance > 0) || o.Passes < 0 {
		errs = append(errs, fmt.Errorf("support vector machine: C of %v, tolerance of %v and %d passes must be positive", o.C,
			o.Tolerance, o.Passes))
	}
	if !(o.Beta > 0 && o.Beta <= 1) {
		errs = append(errs, fmt.Errorf("support vector machine: beta of %v must lie in (0, 1]", o.Beta))
	}
	return o, errors.Join(errs...)
}

// Fit is how training ended, over all of a model's machines.
type Fit struct {
	// Passes is the number of passes over the examples, together.
	Passes int
	// Converged says that none was stopped by the bound on them.
	Converged bool
	// duals are the machines' variables.
	duals [][]float64
}

// Train trains a machine for each class against all others, or one for two classes. Its
// bias is the weight of a column that is always 1, which the length includes, as in
// LIBLINEAR. From is how another such model, of another C, was trained on the same
// examples, to begin with, or nil.
func (o SVM) Train(x *sparse.Matrix, labels []int32, classes int, from *Fit) (*Model, *Fit, error) {
	o, err := o.filled()
	if err != nil {
		return nil, nil, err
	}
	if err := check(x, labels, classes); err != nil {
		return nil, nil, err
	}
	return o.train(x, labels, classes, from, nil)
}

// TrainNB trains an NBSVM (Wang and Manning, 2012): each column's presence counts
// as much as its log-count ratio r, and the machine's weights w and bias b are
// interpolated with naive Bayes', brought to the weights' mean magnitude m = ‖w‖₁/columns:
//
//	score = β·b + (1 − β)·m·ln (n/n') + (β·w + (1 − β)·m) · (r ∘ presence)
//
// for a class of n examples against n' others. The paper leaves b as it is, which on classes
// of different sizes leaves little but b. X is taken as there or not, whatever its
// values: so must be what is predicted.
func (o SVM) TrainNB(x *sparse.Matrix, labels []int32, classes int, from *Fit) (*Model, *Fit, error) {
	o, err := o.filled()
	if err != nil {
		return nil, nil, err
	}
	if err := check(x, labels, classes); err != nil {
		return nil, nil, err
	}
	odds := sparse.Odds(x, labels, classes)
	m, fit, err := o.train(x, labels, classes, from, odds)
	if err != nil {
		return nil, nil, err
	}
	examples := make([]int, classes)
	for _, l := range labels {
		examples[l]++
	}
	for c, n := range examples {
		w, mean := m.row(c), 0.0
		for _, v := range w {
			mean += math.Abs(v)
		}
		mean *= (1 - o.Beta) / float64(len(w))
		// Of two classes the machine is class 1's, and r of class 0 is that of class 1
		// with the other sign, as the score is: the sign of the mean is right for both.
		r := odds[c*x.Columns:]
		for k, v := range w {
			w[k] = (float64(o.Beta*v) + mean) * float64(r[k])
		}
		prior := math.Log(float64(max(n, 1))) - math.Log(float64(max(len(labels)-n, 1)))
		m.Bias[c] = float64(o.Beta*m.Bias[c]) + float64(mean*prior)
	}
	return m, fit, nil
}

// train trains the machines; the values of x are replaced by the class's of scale, if
// there are such.
func (o SVM) train(x *sparse.Matrix, labels []int32, classes int, from *Fit, scale []float32) (*Model, *Fit, error) {
	m, fit := newModel(classes, x.Columns), &Fit{Converged: true}
	p := problem{x: x, y: make([]float64, len(labels)), square: make([]float64, len(labels)), order: make([]int32, len(labels))}
	if scale != nil {
		p.x = &sparse.Matrix{Columns: x.Columns, Offsets: x.Offsets, IDs: x.IDs, Values: make([]float32, len(x.IDs))}
	}
	first := 0
	if classes == 2 {
		first = 1
	}
	for c := first; c < classes; c++ {
		for i, l := range labels {
			p.y[i] = -1
			if int(l) == c {
				p.y[i] = 1
			}
		}
		if scale != nil {
			for k, id := range x.IDs {
				p.x.Values[k] = scale[c*x.Columns+int(id)]
			}
		}
		p.w, p.alpha = m.row(c), make([]float64, len(labels))
		if n := c - first; from != nil && n < len(from.duals) && len(from.duals[n]) == len(labels) {
			copy(p.alpha, from.duals[n])
		}
		passes, converged := p.solve(o, rng.Derive(o.Seed, "linear/svm", uint64(c)))
		m.Bias[c] = p.bias
		fit.Passes, fit.Converged = fit.Passes+passes, fit.Converged && converged
		fit.duals = append(fit.duals, p.alpha)
	}
	if classes == 2 {
		m.Bias[0] = -m.Bias[1]
		sign := -1.0
		if scale != nil { // the scale of class 0 has the other sign already
			sign = 1
		}
		for k, v := range m.row(1) {
			m.row(0)[k] = sign * v
		}
	}
	return m, fit, nil
}

// problem is one machine under way: the dual variables of its examples, and the
// weights that they make.
type problem struct {
	x      *sparse.Matrix
	y      []float64 // 1 or −1
	alpha  []float64
	w      []float64
	bias   float64
	square []float64 // of the examples' length, the bias's column included
	order  []int32
}

// diagonal is what the loss adds to the dual's diagonal.
func (o SVM) diagonal() float64 { return 1 / (2 * o.C) }

// solve is dual coordinate descent with shrinking (Hsieh et al., 2008, algorithm 3): it
// minimises ½ αᵀ(Q + D)α − Σα, 0 ≤ α, one variable after another, in an order drawn
// anew for each pass.
func (p *problem) solve(o SVM, seed uint64) (passes int, converged bool) {
	diagonal := o.diagonal()
	p.bias = 0
	clear(p.w)
	for i := range p.y {
		p.order[i] = int32(i)
		_, values := p.x.Row(i)
		p.square[i] = 1
		for _, v := range values {
			p.square[i] += float64(v) * float64(v)
		}
		if p.alpha[i] > 0 {
			p.add(i, p.alpha[i]*p.y[i])
		}
	}
	active, above := p.order, math.Inf(1)
	var stream rng.Stream
	for passes = range o.Passes {
		r := stream.At(seed, "linear/svm/pass", uint64(passes))
		r.Shuffle(len(active), func(i, j int) { active[i], active[j] = active[j], active[i] })
		most, least := math.Inf(-1), math.Inf(1)
		for k := 0; k < len(active); k++ {
			i := int(active[k])
			ids, values := p.x.Row(i)
			a := p.alpha[i]
			g := p.y[i]*(p.bias+dot(p.w, ids, values)) - 1 + float64(diagonal*a)
			projected := g
			if a == 0 {
				if g > above {
					active[k], active[len(active)-1] = active[len(active)-1], active[k]
					active = active[:len(active)-1]
					k--
					continue
				}
				projected = min(g, 0)
			}
			most, least = max(most, projected), min(least, projected)
			if math.Abs(projected) > 1e-12 {
				p.alpha[i] = max(a-g/(p.square[i]+diagonal), 0)
				p.add(i, (p.alpha[i]-a)*p.y[i])
			}
		}
		if most-least <= o.Tolerance {
			if len(active) == len(p.order) {
				return passes + 1, true
			}
			active, above = p.order, math.Inf(1) // what was shrunk may be wrong by now
			continue
		}
		if above = most; above <= 0 {
			above = math.Inf(1)
		}
	}
	return passes + 1, false
}

// add adds so much of an example to the weights.
func (p *problem) add(i int, much float64) {
	p.bias += much
	ids, values := p.x.Row(i)
	for k, id := range ids {
		p.w[id] += float64(much * float64(values[k]))
	}
}

// Grid is the values of C from least to most, each so many times the one before.
func Grid(least, most, times float64) []float64 {
	var out []float64
	for c := least; c <= most; c *= times {
		out = append(out, c)
	}
	return slices.Clip(out)
}
