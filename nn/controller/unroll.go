package controller

import (
	"math"

	kernels "tnaml/nn/blas"
)

// workspace holds what one unrolled run computes, for back-propagation.
type workspace struct {
	steps []step
	// dh and dc are the gradients by each layer's state, layers × Hidden.
	dh, dc [][]float64
	// xh and dz hold each layer's inputs and gates' gradients step by step, steps ×
	// (in + Hidden) and steps × 4·Hidden.
	xh, dz [][]float64
	dxh    []float64 // long enough for any layer's [x; h]
	dx     []float64 // input
	dtop   []float64 // Hidden + input
	// tangent is made when a Fisher product is first asked for.
	tangent *tangent
}

// step is one time step.
type step struct {
	cells []cellStep
	// top is [h_L; x_t], the head's input.
	top            []float64
	probs, dlogits []float64
}

// cellStep is one layer at one time step.
type cellStep struct {
	xh    []float64 // [x; h'], the cell's input and previous output, in workspace.xh
	dz    []float64 // in workspace.dz
	gates []float64 // σ(i), σ(f), tanh(g), σ(o), each Hidden
	c     []float64 // cell state
	tanhC []float64
	h     []float64
}

func newWorkspace(cfg Config) workspace {
	w := workspace{
		dxh:  make([]float64, max(cfg.input(), cfg.Hidden)+cfg.Hidden),
		dx:   make([]float64, cfg.input()),
		dtop: make([]float64, cfg.Hidden+cfg.input()),
	}
	steps, in := len(cfg.Options), cfg.input()
	for range cfg.Layers {
		w.dh = append(w.dh, make([]float64, cfg.Hidden))
		w.dc = append(w.dc, make([]float64, cfg.Hidden))
		w.xh = append(w.xh, make([]float64, steps*(in+cfg.Hidden)))
		w.dz = append(w.dz, make([]float64, steps*4*cfg.Hidden))
		in = cfg.Hidden
	}
	for t := range cfg.Options {
		n := cfg.Options[cfg.choice(t)]
		s := step{top: make([]float64, cfg.Hidden+cfg.input()), probs: make([]float64, n), dlogits: make([]float64, n)}
		for l := range cfg.Layers {
			cols := len(w.xh[l]) / steps
			s.cells = append(s.cells, cellStep{
				xh: w.xh[l][t*cols:][:cols], dz: w.dz[l][t*4*cfg.Hidden:][:4*cfg.Hidden], gates: make([]float64, 4*cfg.Hidden),
				c: make([]float64, cfg.Hidden), tanhC: make([]float64, cfg.Hidden), h: make([]float64, cfg.Hidden),
			})
		}
		w.steps = append(w.steps, s)
	}
	return w
}

// forward computes step t's distribution; the steps before t must have been
// computed, with the actions before t.
func (c *Controller) forward(t, task int, actions []int) {
	hidden := c.config.Hidden
	s := &c.work.steps[t]
	x := s.top[hidden:]
	copy(x, c.embedded(t, actions))
	if i := c.taskArray(task); i >= 0 {
		copy(x[c.config.ActionEmbedding:], c.params[i].Value)
	} else {
		clear(x[c.config.ActionEmbedding:])
	}
	in := x
	for l := range s.cells {
		cell := &s.cells[l]
		n := copy(cell.xh, in)
		var before []float64 // the previous cell state, zero at the start
		if t > 0 {
			copy(cell.xh[n:], c.work.steps[t-1].cells[l].h)
			before = c.work.steps[t-1].cells[l].c
		}
		c.apply(c.cells[l], cell.xh, cell.gates)
		i, f, g, o := cell.gates[:hidden], cell.gates[hidden:2*hidden], cell.gates[2*hidden:3*hidden], cell.gates[3*hidden:]
		kernels.Sigmoid64(cell.gates[:2*hidden])
		kernels.Tanh64(g)
		kernels.Sigmoid64(o)
		for k := range hidden {
			cell.c[k] = float64(i[k] * g[k])
		}
		if before != nil {
			for k := range hidden {
				cell.c[k] += float64(f[k] * before[k])
			}
		}
		copy(cell.tanhC, cell.c)
		kernels.Tanh64(cell.tanhC)
		for k := range hidden {
			cell.h[k] = o[k] * cell.tanhC[k]
		}
		in = cell.h
	}
	copy(s.top, in)
	c.apply(c.heads[t], s.top, s.probs)
	softmax(s.probs)
}

// embedded is the embedding of the action before step t.
func (c *Controller) embedded(t int, actions []int) []float64 {
	return c.inputRow(t, actions, c.params[c.inputArray(t)].Value)
}

// inputArray indexes the parameter that holds step t's embedding.
func (c *Controller) inputArray(t int) int {
	if t == 0 {
		return 0
	}
	return c.firstAction + t - 1
}

// inputRow is the row of step t's embedding in an array laid out as that
// parameter: its values, its gradient, or a direction.
func (c *Controller) inputRow(t int, actions []int, of []float64) []float64 {
	if t == 0 {
		return of
	}
	n := c.config.ActionEmbedding
	return of[actions[c.config.choice(t-1)]*n:][:n]
}

// backward propagates the steps' dlogits through time into the gradients.
func (c *Controller) backward(task int, actions []int) {
	hidden, embedding := c.config.Hidden, c.config.ActionEmbedding
	w := &c.work
	for l := range w.dh {
		clear(w.dh[l])
		clear(w.dc[l])
	}
	for t := len(w.steps) - 1; t >= 0; t-- {
		s := &w.steps[t]
		c.addGradient(c.heads[t], s.top, s.dlogits, 1)
		c.applyBack(c.heads[t], s.dlogits, w.dtop)
		copy(w.dx, w.dtop[hidden:])
		from := w.dtop[:hidden] // gradient by the layer's output, besides what comes from step t+1
		for l := len(s.cells) - 1; l >= 0; l-- {
			cell := &s.cells[l]
			dh, dc := w.dh[l], w.dc[l]
			i, f, g, o := cell.gates[:hidden], cell.gates[hidden:2*hidden], cell.gates[2*hidden:3*hidden], cell.gates[3*hidden:]
			di, df, dg, do := cell.dz[:hidden], cell.dz[hidden:2*hidden], cell.dz[2*hidden:3*hidden], cell.dz[3*hidden:]
			for k := range hidden {
				d := dh[k] + from[k]
				do[k] = d * cell.tanhC[k] * o[k] * (1 - o[k])
				e := dc[k] + d*o[k]*(1-cell.tanhC[k]*cell.tanhC[k])
				di[k] = e * g[k] * i[k] * (1 - i[k])
				dg[k] = e * i[k] * (1 - g[k]*g[k])
				df[k] = 0
				if t > 0 {
					df[k] = e * w.steps[t-1].cells[l].c[k] * f[k] * (1 - f[k])
				}
				dc[k] = e * f[k]
			}
			n := len(cell.xh)
			dxh := w.dxh[:n]
			c.applyBack(c.cells[l], cell.dz, dxh)
			copy(dh, dxh[n-hidden:])
			if l > 0 {
				from = dxh[:hidden]
			} else {
				for k, v := range dxh[:n-hidden] {
					w.dx[k] += v
				}
			}
		}
		into := c.inputRow(t, actions, c.params[c.inputArray(t)].Gradient)
		for k := range into {
			into[k] += w.dx[k]
		}
		if i := c.taskArray(task); i >= 0 {
			d := c.params[i].Gradient
			for k := range d {
				d[k] += w.dx[embedding+k]
			}
		}
	}
	for l, a := range c.cells {
		c.addGradient(a, w.xh[l], w.dz[l], len(w.steps))
	}
}

// softmax turns logits into probabilities in place.
func softmax(v []float64) {
	top := v[0]
	for _, x := range v[1:] {
		top = max(top, x)
	}
	sum := 0.0
	for i, x := range v {
		v[i] = math.Exp(x - top)
		sum += v[i]
	}
	for i := range v {
		v[i] /= sum
	}
}
