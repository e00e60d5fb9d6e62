package policygradient

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"tnaml/nn/controller"
	"tnaml/nn/safetensors"
)

// trpo is trust region policy optimisation (Schulman et al., 2015): after every
// trial it maximises, over the n last episodes,
//
//	L(θ) = 1/n Σ_k r_k A_k + w·H_k,  r_k = π_θ(m_k)/π_old,k(m_k)
//
// where π_old,k is the policy that sampled m_k, subject to
//
//	1/n Σ_k Σ_t KL(π_present,t ‖ π_θ,t) ≤ δ  (given m_k's actions before t).
//
// The direction x solves (F + λI)x = ∇L by conjugate gradients on exact Fisher
// products; the first length tried is √(2δ/xᵀ(F + λI)x), where the quadratic
// model of the divergence, with the damping, reaches δ; it is shortened by a
// fifth until the divergence is within δ and L has grown (appendix C). If it
// never does, the controller stays as it is.
type trpo struct {
	TRPOConfig
	entropy float64
	memory  memory
	vectors *trpoVectors
	old     [][][]float64 // the present policy's probabilities: episode, step, option
}

// trpoVectors are vectors in parameter space, one slice for each parameter.
type trpoVectors struct{ start, x, r, p [][]float64 }

func (o *trpo) Update(c *controller.Controller, e Episode) error {
	if err := e.fits(c); err != nil {
		return err
	}
	if err := o.memory.fit(c); err != nil {
		return err
	}
	o.memory.add(e)
	params := c.Parameters()
	if o.vectors == nil || len(o.vectors.x) != len(params) {
		o.vectors = &trpoVectors{like(c), like(c), like(c), like(c)}
	}
	v := o.vectors
	c.ZeroGradient()
	before := o.gradient(c)
	for i, p := range params {
		copy(v.r[i], p.Gradient)
	}
	curvature := o.solve(c)
	if !(curvature > 0) {
		return nil // no gradient: nothing to learn from advantages that are all 0
	}
	for i, p := range params {
		copy(v.start[i], p.Value)
	}
	o.remember(c)
	length := math.Sqrt(2 * o.KL / curvature)
	for range o.Backtracks {
		for i, p := range params {
			floats.AddScaledTo(p.Value, v.start[i], length, v.x[i])
		}
		// The comparisons are false for NaN, which ends as a step too long.
		if after, kl := o.objective(c); kl <= o.KL && after > before {
			return nil
		}
		length *= 0.8
	}
	for i, p := range params {
		copy(p.Value, v.start[i])
	}
	return nil
}

// gradient adds ∇L to the controller's gradients and returns L.
func (o *trpo) gradient(c *controller.Controller) float64 {
	n := float64(len(o.memory.episodes))
	sum := 0.0
	for _, e := range o.memory.episodes {
		_, h := c.GradientWeighted(e.Embedding, e.Actions, func(logProb float64) (float64, float64) {
			w := e.ratio(logProb) * e.Advantage
			sum += w
			return w / n, o.entropy / n
		})
		sum += o.entropy * h
	}
	return sum / n
}

// remember keeps the present policy's probabilities.
func (o *trpo) remember(c *controller.Controller) {
	o.old = o.old[:0]
	for _, e := range o.memory.episodes {
		o.old = append(o.old, c.Probabilities(e.Embedding, e.Actions))
	}
}

// objective returns L, and the divergence from the remembered policy.
func (o *trpo) objective(c *controller.Controller) (l, kl float64) {
	for k, e := range o.memory.episodes {
		probs, logProb := c.Probabilities(e.Embedding, e.Actions), 0.0
		for t, now := range probs {
			logProb += math.Log(now[e.Actions[t]])
			for i, p := range o.old[k][t] {
				if p > 0 {
					kl += p * math.Log(p/now[i])
				}
			}
			for _, p := range now {
				if p > 0 {
					l -= o.entropy * p * math.Log(p)
				}
			}
		}
		l += e.ratio(logProb) * e.Advantage
	}
	n := float64(len(o.memory.episodes))
	return l / n, kl / n
}

// solve sets x to the approximate solution of (F + λI)x = g by conjugate
// gradients (Hestenes and Stiefel, 1952), where r holds g, and returns
// xᵀ(F + λI)x. It uses the controller's gradients.
func (o *trpo) solve(c *controller.Controller) (curvature float64) {
	params, v := c.Parameters(), o.vectors
	for i := range params {
		clear(v.x[i])
		copy(v.p[i], v.r[i])
	}
	rr := dot(v.r, v.r)
	least := rr * 1e-10
	for range o.Iterations {
		if rr == 0 || rr < least {
			break
		}
		o.product(c, v.p)
		bend := 0.0
		for i, p := range params {
			bend += floats.Dot(v.p[i], p.Gradient)
		}
		alpha := rr / bend
		curvature += alpha * rr // the conjugate steps' curvatures add: α²·pᵀ(F + λI)p
		for i, p := range params {
			floats.AddScaled(v.x[i], alpha, v.p[i])
			floats.AddScaled(v.r[i], -alpha, p.Gradient)
		}
		next := dot(v.r, v.r)
		for i := range params {
			floats.AddScaledTo(v.p[i], v.r[i], next/rr, v.p[i])
		}
		rr = next
	}
	return curvature
}

// product sets the controller's gradients to (F + λI)·p, F averaged over the
// remembered episodes.
func (o *trpo) product(c *controller.Controller, p [][]float64) {
	c.ZeroGradient()
	for _, e := range o.memory.episodes {
		c.FisherProduct(e.Embedding, e.Actions, p, 1/float64(len(o.memory.episodes)))
	}
	for i, q := range c.Parameters() {
		floats.AddScaled(q.Gradient, o.Damping, p[i])
	}
}

// like returns a zero vector in the space of the controller's parameters.
func like(c *controller.Controller) [][]float64 {
	var out [][]float64
	for _, p := range c.Parameters() {
		out = append(out, make([]float64, len(p.Value)))
	}
	return out
}

func dot(a, b [][]float64) float64 {
	sum := 0.0
	for i := range a {
		sum += floats.Dot(a[i], b[i])
	}
	return sum
}

func (o *trpo) PutArrays(f *safetensors.File, prefix string) { o.memory.put(f, prefix+"memory/") }

func (o *trpo) GetArrays(f *safetensors.File, prefix string) error {
	return o.memory.get(f, prefix+"memory/")
}
