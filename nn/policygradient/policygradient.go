// Package policygradient teaches a controller from rewards. Every method is
// behind one interface: one update after every trial.
//
// A method maximises the expected normalised advantage (Baseline) and an
// entropy bonus. One episode is one trial: the whole sequence of actions is a
// single decision with a single reward, so log-probabilities and importance
// ratios are those of the sequence.
package policygradient

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/safetensors"
)

// Episode is one trial as the policy gradient sees it.
type Episode struct {
	// Task numbers what the reward is of: rewards of two tasks are not of one scale.
	Task int
	// Embedding indexes the controller's tasks: whose embedding the actions were
	// sampled with, or controller.NoTask. It learns from them.
	Embedding int
	Actions   []int
	// LogProb is the log-probability of the actions under the policy that
	// sampled them, which is older than the present one by the search's lag.
	LogProb float64
	// Reward is the validation accuracy, Advantage what the baseline made of it.
	Reward, Advantage float64
	// Unranked says that Reward is no final value of the objective but stands for one, as that
	// of a trial that failed, broke a constraint or was stopped early: it was bad when it was
	// told, and later ones may be less. What looks for the best among many rewards leaves such
	// an episode out.
	Unranked bool
}

// Method is a policy gradient. It is not safe for concurrent use.
type Method interface {
	// Update learns from one episode, of which it keeps no reference. An
	// episode that does not fit the controller is an error that changes
	// nothing. A step that makes a parameter not finite is an error too; the
	// controller and the method must then be read from a checkpoint again.
	Update(c *controller.Controller, e Episode) error
	// PutArrays and GetArrays save and restore all of the method's state: what
	// it does next is then the same bit for bit.
	PutArrays(f *safetensors.File, prefix string)
	GetArrays(f *safetensors.File, prefix string) error
}

// New returns a method, to learn from episodes whose advantages are made by such a baseline.
// RSPG makes its own, of the rewards, and takes the baseline's floor.
func New(cfg Config, baseline BaselineConfig) (Method, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, fmt.Errorf("policy gradient: %w", err)
	}
	if baseline, err = baseline.WithDefaults(); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	entropy := *cfg.Entropy
	if cfg.Method == TRPO {
		return &trpo{TRPOConfig: cfg.TRPO, entropy: entropy, memory: memory{size: cfg.TRPO.Memory}}, nil
	}
	o, err := optimizer.New(cfg.Optimizer, cfg.LearningRate, *cfg.Clip)
	if err != nil {
		return nil, fmt.Errorf("policy gradient: %w", err)
	}
	switch cfg.Method {
	case PPO:
		return &ppo{PPOConfig: cfg.PPO, entropy: entropy, optimizer: o, memory: memory{size: cfg.PPO.Memory}}, nil
	case UREX:
		return &urex{UREXConfig: cfg.UREX, entropy: entropy, optimizer: o, memories: memories{size: cfg.UREX.Memory}}, nil
	case PQT:
		return &pqt{PQTConfig: cfg.PQT, entropy: entropy, optimizer: o, queues: memories{size: cfg.PQT.K}}, nil
	case RSPG:
		return &rspg{cfg.RSPG, entropy, baseline.Floor, o, memories{size: cfg.RSPG.Memory}}, nil
	}
	return &reinforce{entropy: entropy, optimizer: o}, nil
}

// reinforce is REINFORCE (Williams, 1992): one ascent step along
// A'·∇ log π(m) + w·∇H(π), the advantage A' normalised for its task (§2.2).
type reinforce struct {
	entropy   float64
	optimizer optimizer.Optimizer
}

func (r *reinforce) Update(c *controller.Controller, e Episode) error {
	if err := e.fits(c); err != nil {
		return err
	}
	c.ZeroGradient()
	c.Gradient(e.Embedding, e.Actions, e.Advantage, r.entropy)
	r.optimizer.Step(c.Parameters())
	return finite(c)
}

func (r *reinforce) PutArrays(f *safetensors.File, prefix string) {
	r.optimizer.PutArrays(f, prefix+"optimizer/")
}

func (r *reinforce) GetArrays(f *safetensors.File, prefix string) error {
	return r.optimizer.GetArrays(f, prefix+"optimizer/")
}

// fits reports what keeps a controller from learning from an episode.
func (e Episode) fits(c *controller.Controller) error {
	options := c.Config().Options
	if e.Task < 0 {
		return fmt.Errorf("policy gradient: episode of task %d", e.Task)
	}
	if e.Embedding < controller.NoTask || e.Embedding >= c.Tasks() {
		return fmt.Errorf("policy gradient: episode of the embedding %d, the controller has %d tasks", e.Embedding, c.Tasks())
	}
	if len(e.Actions) != len(options) {
		return fmt.Errorf("policy gradient: episode of %d actions, the controller has %d choices", len(e.Actions), len(options))
	}
	for t, a := range e.Actions {
		if a < 0 || a >= options[t] {
			return fmt.Errorf("policy gradient: action %d of choice %d, which has %d options", a, t, options[t])
		}
	}
	for _, v := range []struct {
		name  string
		value float64
	}{{"log-probability", e.LogProb}, {"reward", e.Reward}, {"advantage", e.Advantage}} {
		if math.IsNaN(v.value) || math.IsInf(v.value, 0) {
			return fmt.Errorf("policy gradient: the episode's %s is %v", v.name, v.value)
		}
	}
	return nil
}

// ratio is the importance ratio of an episode at the present log-probability.
// It is cut at e²⁰, where it tells no more than "much more likely now", so
// that a product with it stays finite.
func (e Episode) ratio(logProb float64) float64 { return math.Exp(min(logProb-e.LogProb, 20)) }

// finite reports a parameter that has stopped being a number. One sum finds
// it: a parameter that is not finite makes the sum not finite.
func finite(c *controller.Controller) error {
	for _, p := range c.Parameters() {
		if sum := floats.Sum(p.Value); math.IsNaN(sum) || math.IsInf(sum, 0) {
			return fmt.Errorf("policy gradient: the controller's %s is not finite any more: lower learning_rate", p.Name)
		}
	}
	return nil
}
