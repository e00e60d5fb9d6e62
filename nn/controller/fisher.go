package controller

import (
	"fmt"

	kernels "tnaml/nn/blas"
)

// tangent holds the derivatives, along a direction in parameter space, of what
// one time step computes.
type tangent struct {
	h, c   [][]float64 // by layer, of the step before and then of this one
	xh     []float64   // long enough for any layer's [x; h']
	gates  []float64   // 4·Hidden
	top    []float64   // [h_L; x_t]
	logits []float64   // long enough for any choice
}

func newTangent(cfg Config) *tangent {
	longest := 0
	for _, n := range cfg.Options {
		longest = max(longest, n)
	}
	g := &tangent{
		xh:     make([]float64, max(cfg.input(), cfg.Hidden)+cfg.Hidden),
		gates:  make([]float64, 4*cfg.Hidden),
		top:    make([]float64, cfg.Hidden+cfg.input()),
		logits: make([]float64, longest),
	}
	for range cfg.Layers {
		g.h = append(g.h, make([]float64, cfg.Hidden))
		g.c = append(g.c, make([]float64, cfg.Hidden))
	}
	return g
}

// FisherProduct adds weight·F·v to the parameters' gradients, where v holds one
// slice for each of Parameters, in their order, and
//
//	F = Σ_t J_tᵀ·(diag(π_t) − π_t·π_tᵀ)·J_t
//
// J_t being the Jacobian of step t's logits at the given actions. F is the
// Fisher information of the steps' distributions given the actions before
// them, and the Hessian at θ' = θ of the sum of KL(π_θ,t ‖ π_θ',t) (Schulman et
// al., 2015, appendix C). It is exact: J_t·v comes from forward-mode
// differentiation, J_tᵀ from back-propagation.
func (c *Controller) FisherProduct(task int, actions []int, v [][]float64, weight float64) {
	if len(v) != len(c.params) {
		panic(fmt.Sprintf("controller: direction of %d arrays for %d parameters", len(v), len(c.params)))
	}
	c.run(task, actions, nil)
	if c.work.tangent == nil {
		c.work.tangent = newTangent(c.config)
	}
	g := c.work.tangent
	for l := range g.h {
		clear(g.h[l])
		clear(g.c[l])
	}
	for t := range c.config.Options {
		s := &c.work.steps[t]
		u := c.tangentStep(t, task, actions, v)
		mean := 0.0
		for i, p := range s.probs {
			mean += p * u[i]
		}
		for i, p := range s.probs {
			s.dlogits[i] = weight * p * (u[i] - mean)
		}
	}
	c.backward(task, actions)
}

// tangentStep returns J_t·v, the derivative of step t's logits along v. The
// forward run and the tangents of the steps before t must have been computed.
func (c *Controller) tangentStep(t, task int, actions []int, v [][]float64) []float64 {
	hidden := c.config.Hidden
	s, g := &c.work.steps[t], c.work.tangent
	x := g.top[hidden:]
	copy(x, c.inputRow(t, actions, v[c.inputArray(t)]))
	if i := c.taskArray(task); i >= 0 {
		copy(x[c.config.ActionEmbedding:], v[i])
	} else {
		clear(x[c.config.ActionEmbedding:])
	}
	in := x
	for l := range s.cells {
		cell, h, state := &s.cells[l], g.h[l], g.c[l]
		n := copy(g.xh, in)
		copy(g.xh[n:], h)
		c.applyTangent(c.cells[l], v, cell.xh, g.xh[:n+hidden], g.gates)
		for k := range hidden {
			i, f, z, o := cell.gates[k], cell.gates[hidden+k], cell.gates[2*hidden+k], cell.gates[3*hidden+k]
			di := i * (1 - i) * g.gates[k]
			df := f * (1 - f) * g.gates[hidden+k]
			dz := (1 - z*z) * g.gates[2*hidden+k]
			do := o * (1 - o) * g.gates[3*hidden+k]
			d := f*state[k] + di*z + i*dz
			if t > 0 {
				d += df * c.work.steps[t-1].cells[l].c[k]
			}
			state[k] = d
			h[k] = do*cell.tanhC[k] + o*(1-cell.tanhC[k]*cell.tanhC[k])*d
		}
		in = h
	}
	copy(g.top, in)
	logits := g.logits[:len(s.probs)]
	c.applyTangent(c.heads[t], v, s.top, g.top, logits)
	return logits
}

// applyTangent computes the derivative of W·x + b: dW·x + W·dx + db.
func (c *Controller) applyTangent(a affine, v [][]float64, x, dx, dy []float64) {
	copy(dy, v[a.bias])
	kernels.Dots(dy, v[a.weights], len(x), x)
	kernels.Dots(dy, c.params[a.weights].Value, len(dx), dx)
}
