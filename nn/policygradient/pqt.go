package policygradient

import (
	"slices"

	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/safetensors"
)

// pqt is priority queue training (Abolafia et al., 2018, §3): REINFORCE, and with
// it the log-likelihood of the K best architectures so far is maximised, each of
// them once in the queue. One ascent step along
//
//	A'·∇log π(m) + λ/|Q| Σ_{q∈Q} ∇log π(m_q) + w·∇H(π)
//
// after every trial, m itself in the queue where it is among the best. Theirs come
// in batches, of one task; here each task has a queue, as rewards of two tasks are
// not comparable, and an architecture counts with its best reward, since rewards are noisy.
// Unranked episodes are in no queue.
type pqt struct {
	PQTConfig
	entropy   float64
	optimizer optimizer.Optimizer
	queues    memories // best first; of equal ones the older first
}

func (p *pqt) Update(c *controller.Controller, e Episode) error {
	q, err := p.queues.of(c, e)
	if err != nil {
		return err
	}
	if !e.Unranked {
		q.enqueue(e)
	}
	c.ZeroGradient()
	p.gradient(c, e, q.episodes)
	p.optimizer.Step(c.Parameters())
	return finite(c)
}

// gradient adds the step's direction to the controller's gradients.
func (p *pqt) gradient(c *controller.Controller, e Episode, queue []Episode) {
	c.Gradient(e.Embedding, e.Actions, e.Advantage, p.entropy)
	for _, q := range queue {
		c.Gradient(q.Embedding, q.Actions, p.Weight/float64(len(queue)), 0)
	}
}

// enqueue puts an episode, whose actions are copied, into a queue of the size best
// by reward.
func (m *memory) enqueue(e Episode) {
	if i := slices.IndexFunc(m.episodes, func(q Episode) bool { return slices.Equal(q.Actions, e.Actions) }); i >= 0 {
		if m.episodes[i].Reward >= e.Reward {
			return
		}
		m.episodes = slices.Delete(m.episodes, i, i+1)
	}
	at := len(m.episodes)
	for at > 0 && m.episodes[at-1].Reward < e.Reward {
		at--
	}
	if at == m.size {
		return
	}
	e.Actions = slices.Clone(e.Actions)
	m.episodes = slices.Insert(m.episodes, at, e)
	m.episodes = m.episodes[:min(len(m.episodes), m.size)]
}

func (p *pqt) PutArrays(f *safetensors.File, prefix string) {
	p.optimizer.PutArrays(f, prefix+"optimizer/")
	p.queues.put(f, prefix+"queue/")
}

func (p *pqt) GetArrays(f *safetensors.File, prefix string) error {
	if err := p.optimizer.GetArrays(f, prefix+"optimizer/"); err != nil {
		return err
	}
	return p.queues.get(f, prefix+"queue/")
}
