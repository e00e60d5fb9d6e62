package policygradient

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/safetensors"
)

// rspg is the risk-seeking policy gradient (Petersen et al., 2021, §3.3): it
// maximises the mean of the best ε of the rewards in place of that of all,
//
//	∇J = 1/(εN) Σ_i (R_i − R̃)·1[R_i ≥ R̃]·∇log π(m_i)
//
// R̃ being the (1−ε)-quantile of a batch of N rewards; the entropy is that of the
// same best. Here a reward comes alone: the batch is the task's last N rewards,
// and each trial takes its own term's step,
//
//	(R − R̃)/σ·∇log π(m) + w·∇H(π)
//
// or none at all where R < R̃: then nothing changes. A task's σ, the batch's standard
// deviation, at least the baseline's floor, stands for the normalisation of §2.2; all else
// of a baseline goes unread. 1/ε would only make the εN steps
// of a batch as large as one of the batch's. The quantile is a reward of the batch,
// the higher one where it lies between two, as in the authors' implementation, so
// that nothing but entropy is learned from the first 1/ε trials. An unranked episode is
// not of the batch, and changes nothing.
type rspg struct {
	RSPGConfig
	entropy   float64
	floor     float64 // of σ
	optimizer optimizer.Optimizer
	memories  memories
}

func (r *rspg) Update(c *controller.Controller, e Episode) error {
	m, err := r.memories.of(c, e)
	if err != nil {
		return err
	}
	if e.Unranked {
		return nil
	}
	m.add(e)
	advantage := r.advantage(m.episodes)
	if advantage < 0 {
		return nil
	}
	c.ZeroGradient()
	c.Gradient(e.Embedding, e.Actions, advantage, r.entropy)
	r.optimizer.Step(c.Parameters())
	return finite(c)
}

// advantage is (R − R̃)/σ of the last episode.
func (r *rspg) advantage(episodes []Episode) float64 {
	rewards := make([]float64, len(episodes))
	for i, e := range episodes {
		rewards[i] = e.Reward
	}
	last := rewards[len(rewards)-1]
	_, sigma := stat.PopMeanStdDev(rewards, nil)
	slices.Sort(rewards)
	quantile := rewards[int(math.Ceil((1-r.Epsilon)*float64(len(rewards)-1)))]
	return (last - quantile) / max(sigma, r.floor)
}

func (r *rspg) PutArrays(f *safetensors.File, prefix string) {
	r.optimizer.PutArrays(f, prefix+"optimizer/")
	r.memories.put(f, prefix+"memory/")
}

func (r *rspg) GetArrays(f *safetensors.File, prefix string) error {
	if err := r.optimizer.GetArrays(f, prefix+"optimizer/"); err != nil {
		return err
	}
	return r.memories.get(f, prefix+"memory/")
}
