// Package policygradient teaches a controller from rewards. Every method is
// behind one interface: one update after every trial.
package policygradient

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/safetensors"
)

// Episode is one trial as the policy gradient sees it.
type Episode struct {
	// Task indexes the controller's tasks.
	Task    int
	Actions []int
	// LogProb is the log-probability of the actions under the policy that
	// sampled them, which is older than the present one by the search's lag.
	LogProb float64
	// Reward is the validation accuracy, Advantage what the baseline made of it.
	Reward, Advantage float64
}

// Method is a policy gradient.
type Method interface {
	// Update learns from one episode. A step that would make a parameter
	// not finite is an error.
	Update(c *controller.Controller, e Episode) error
	// PutArrays and GetArrays save and restore the method's state.
	PutArrays(f *safetensors.File, prefix string)
	GetArrays(f *safetensors.File, prefix string) error
}

// Config chooses a method and its parameters; zero values mean the defaults.
type Config struct {
	// Method is "reinforce".
	Method string `json:"method"`
	// Optimizer is "adam", "rmsprop" or "sgd"; the paper does not say which it
	// used.
	Optimizer string `json:"optimizer"`
	// LearningRate is the paper's 1e-4 by default.
	LearningRate float64 `json:"learning_rate"`
	// Entropy is the weight of the policy's entropy, summed over the choices in
	// nats, against an advantage in standard deviations. The paper uses entropy
	// regularisation without giving a weight; the default is 0.01 (Abolafia et
	// al., 2018). A negative number means 0.
	Entropy float64 `json:"entropy"`
	// Clip bounds the norm of the whole gradient; 0 means the default, 50
	// (Abolafia et al., 2018), a negative number no bound.
	Clip float64 `json:"clip"`
}

// Methods lists the methods, the default first.
func Methods() []string { return []string{"reinforce"} }

// WithDefaults fills in the defaults and reports everything that is wrong.
func (c Config) WithDefaults() (Config, error) {
	if c.Method == "" {
		c.Method = Methods()[0]
	}
	if c.Optimizer == "" {
		c.Optimizer = optimizer.Names()[0]
	}
	if c.LearningRate == 0 {
		c.LearningRate = 1e-4
	}
	if c.Entropy == 0 {
		c.Entropy = 0.01
	}
	if c.Clip == 0 {
		c.Clip = 50
	}
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !slices.Contains(Methods(), c.Method) {
		bad("unknown method %q (known: %s)", c.Method, strings.Join(Methods(), ", "))
	}
	if !slices.Contains(optimizer.Names(), c.Optimizer) {
		bad("unknown optimizer %q (known: %s)", c.Optimizer, strings.Join(optimizer.Names(), ", "))
	}
	if !(c.LearningRate > 0) || math.IsInf(c.LearningRate, 0) {
		bad("learning_rate %v must be positive", c.LearningRate)
	}
	if math.IsNaN(c.Entropy) || math.IsInf(c.Entropy, 0) {
		bad("entropy %v must be a number", c.Entropy)
	}
	if math.IsNaN(c.Clip) {
		bad("clip %v must be a number", c.Clip)
	}
	return c, errors.Join(errs...)
}

// New returns a method.
func New(cfg Config) (Method, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, fmt.Errorf("policy gradient: %w", err)
	}
	o, err := optimizer.New(cfg.Optimizer, cfg.LearningRate, max(cfg.Clip, 0))
	if err != nil {
		return nil, fmt.Errorf("policy gradient: %w", err)
	}
	return &reinforce{entropy: max(cfg.Entropy, 0), optimizer: o}, nil
}

// reinforce is REINFORCE (Williams, 1992): one ascent step along
// A'·∇ log π(m) + w·∇H(π), the advantage A' normalised for its task (§2.2).
type reinforce struct {
	entropy   float64
	optimizer optimizer.Optimizer
}

func (r *reinforce) Update(c *controller.Controller, e Episode) error {
	c.ZeroGradient()
	c.Gradient(e.Task, e.Actions, e.Advantage, r.entropy)
	r.optimizer.Step(c.Parameters())
	return finite(c)
}

func (r *reinforce) PutArrays(f *safetensors.File, prefix string) {
	r.optimizer.PutArrays(f, prefix+"optimizer/")
}

func (r *reinforce) GetArrays(f *safetensors.File, prefix string) error {
	return r.optimizer.GetArrays(f, prefix+"optimizer/")
}

// finite reports a parameter that has stopped being a number. One sum finds
// it: a parameter that is not finite makes the sum not finite.
func finite(c *controller.Controller) error {
	for _, p := range c.Parameters() {
		sum := 0.0
		for _, v := range p.Value {
			sum += v
		}
		if math.IsNaN(sum) || math.IsInf(sum, 0) {
			return fmt.Errorf("the controller's %s is not finite any more: lower learning_rate", p.Name)
		}
	}
	return nil
}
