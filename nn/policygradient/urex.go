package policygradient

import (
	"math"

	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/safetensors"
)

// urex is under-appreciated reward exploration (Nachum et al., 2017, §4):
// REINFORCE plus a mode-covering term, which makes the policy likely where
// π*(m) ∝ exp(R(m)/τ) is, estimated by self-normalised importance sampling
// among the task's K last episodes. One ascent step along
//
//	A'·∇log π(m) + κ Σ_k (w_k − 1/K) ∇log π(m_k) + w·∇H(π)
//	w = softmax_k(R_k/τ − log π_k(m_k))
//
// log π_k being that of the policy that sampled m_k. The 1/K is the baseline of
// the authors' implementation: with a single episode, or with all of them
// appreciated alike, the term is zero. Their K samples come at once from one
// policy; here they are the last K of the task, one update each. An unranked episode is
// none of them, and has the terms of REINFORCE alone.
type urex struct {
	UREXConfig
	entropy   float64
	optimizer optimizer.Optimizer
	memories  memories
}

func (u *urex) Update(c *controller.Controller, e Episode) error {
	m, err := u.memories.of(c, e)
	if err != nil {
		return err
	}
	c.ZeroGradient()
	if e.Unranked {
		c.Gradient(e.Embedding, e.Actions, e.Advantage, u.entropy)
	} else {
		m.add(e)
		u.gradient(c, m.episodes)
	}
	u.optimizer.Step(c.Parameters())
	return finite(c)
}

// gradient adds the step's direction, for a task's episodes, to the
// controller's gradients; the last episode is the new one.
func (u *urex) gradient(c *controller.Controller, episodes []Episode) {
	for k, weight := range u.weights(episodes) {
		e := episodes[k]
		w, entropy := u.Covering*(weight-1/float64(len(episodes))), 0.0
		if k == len(episodes)-1 {
			w += e.Advantage
			entropy = u.entropy
		}
		c.Gradient(e.Embedding, e.Actions, w, entropy)
	}
}

// weights returns softmax(R/τ − log π).
func (u *urex) weights(episodes []Episode) []float64 {
	w := make([]float64, len(episodes))
	top := math.Inf(-1)
	for k, e := range episodes {
		w[k] = e.Reward/u.Temperature - e.LogProb
		top = max(top, w[k])
	}
	sum := 0.0
	for k := range w {
		w[k] = math.Exp(w[k] - top)
		sum += w[k]
	}
	for k := range w {
		w[k] /= sum
	}
	return w
}

func (u *urex) PutArrays(f *safetensors.File, prefix string) {
	u.optimizer.PutArrays(f, prefix+"optimizer/")
	u.memories.put(f, prefix+"memory/")
}

func (u *urex) GetArrays(f *safetensors.File, prefix string) error {
	if err := u.optimizer.GetArrays(f, prefix+"optimizer/"); err != nil {
		return err
	}
	return u.memories.get(f, prefix+"memory/")
}
