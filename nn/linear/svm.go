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
