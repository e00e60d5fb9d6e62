package policygradient

import (
	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/safetensors"
)

// ppo is proximal policy optimisation with the clipped surrogate objective
// (Schulman et al., 2017, eq. 7) over the n last episodes:
//
//	L(θ) = 1/n Σ_k min(r_k A_k, clip(r_k, 1−ε, 1+ε) A_k) + w·H_k
//	r_k  = π_θ(m_k)/π_old,k(m_k)
//
// where π_old,k is the policy that sampled m_k and H_k the entropy along m_k.
// After every trial it takes Epochs steps up L, so that an episode takes part
// in Memory·Epochs steps before it is forgotten.
type ppo struct {
	PPOConfig
	entropy   float64
	optimizer optimizer.Optimizer
	memory    memory
}

func (p *ppo) Update(c *controller.Controller, e Episode) error {
	if err := e.fits(c); err != nil {
		return err
	}
	if err := p.memory.fit(c); err != nil {
		return err
	}
	p.memory.add(e)
	for range p.Epochs {
		c.ZeroGradient()
		p.gradient(c)
		p.optimizer.Step(c.Parameters())
		if err := finite(c); err != nil {
			return err
		}
	}
	return nil
}

// gradient adds ∇L to the controller's gradients.
func (p *ppo) gradient(c *controller.Controller) {
	n := float64(len(p.memory.episodes))
	for _, e := range p.memory.episodes {
		c.GradientWeighted(e.Embedding, e.Actions, func(logProb float64) (float64, float64) {
			r := e.ratio(logProb)
			if clipped(r, e.Advantage, p.Ratio) {
				return 0, p.entropy / n
			}
			return r * e.Advantage / n, p.entropy / n // ∇r = r ∇log π
		})
	}
}

// objective returns L.
func (p *ppo) objective(c *controller.Controller) float64 {
	sum := 0.0
	for _, e := range p.memory.episodes {
		r := e.ratio(c.LogProb(e.Embedding, e.Actions))
		sum += min(r*e.Advantage, min(max(r, 1-p.Ratio), 1+p.Ratio)*e.Advantage) + p.entropy*c.Entropy(e.Embedding, e.Actions)
	}
	return sum / float64(len(p.memory.episodes))
}

// clipped says whether the clipped branch is the smaller one, which does not
// depend on the ratio.
func clipped(ratio, advantage, epsilon float64) bool {
	return advantage > 0 && ratio > 1+epsilon || advantage < 0 && ratio < 1-epsilon
}

func (p *ppo) PutArrays(f *safetensors.File, prefix string) {
	p.optimizer.PutArrays(f, prefix+"optimizer/")
	p.memory.put(f, prefix+"memory/")
}

func (p *ppo) GetArrays(f *safetensors.File, prefix string) error {
	if err := p.optimizer.GetArrays(f, prefix+"optimizer/"); err != nil {
		return err
	}
	return p.memory.get(f, prefix+"memory/")
}
