// Package optimizer provides first-order optimisers over named float64
// parameters, for the controller. All of them ascend: a parameter's Gradient is
// that of the objective to be maximised. Child models have their own, Proximal
// Adagrad, fused with their float32 kernels.
package optimizer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/floats"

	kernels "tnaml/nn/blas"
	"tnaml/nn/safetensors"
)

// Parameter is a named array with its gradient. Value and Gradient have the
// product of Shape as length.
type Parameter struct {
	Name            string
	Shape           []int
	Value, Gradient []float64
	// Rate scales the learning rate of this parameter alone; 0 stands for 1.
	Rate float64
}

// rate is the parameter's own learning rate.
func (p *Parameter) rate(learningRate float64) float64 {
	if p.Rate == 0 {
		return learningRate
	}
	return learningRate * p.Rate
}

// Optimizer changes parameters along their gradients. State is kept for each
// parameter by its name: one that appears later (a new task's embedding)
// starts with fresh state.
//
// Every parameter takes part in every step, one whose gradient is zero too: a
// task that was not drawn still drifts by its momentum, as in the frameworks'
// dense optimisers.
type Optimizer interface {
	// Step takes one ascent step. It does not clear the gradients. It panics
	// where a parameter's length is not that of its saved state.
	Step(params []Parameter)
	// PutArrays and GetArrays save and restore the state: for each parameter
	// the number of its steps, and the slots the optimiser keeps for it.
	PutArrays(f *safetensors.File, prefix string)
	GetArrays(f *safetensors.File, prefix string) error
}

// Names lists the optimisers, the default first.
func Names() []string { return []string{"adam", "rmsprop", "sgd"} }

// New returns an optimiser by name, with the defaults of its Config. clip
// bounds the norm of the gradient over all parameters together; 0 means no
// bound.
func New(name string, learningRate, clip float64) (Optimizer, error) {
	switch name {
	case "sgd":
		return NewSGD(SGDConfig{LearningRate: learningRate, Clip: clip})
	case "rmsprop":
		return NewRMSProp(RMSPropConfig{LearningRate: learningRate, Clip: clip})
	case "adam":
		return NewAdam(AdamConfig{LearningRate: learningRate, Clip: clip})
	}
	return nil, fmt.Errorf("unknown optimizer %q (known: %s)", name, strings.Join(Names(), ", "))
}

// SGDConfig are the parameters of gradient ascent.
type SGDConfig struct {
	LearningRate, Clip float64
	// Momentum is the decay μ of the velocity (Polyak, 1964): v ← μv + g;
	// θ += rate·v. 0 is plain gradient ascent, which keeps no state.
	Momentum float64
}

// NewSGD returns gradient ascent with momentum.
func NewSGD(c SGDConfig) (Optimizer, error) {
	if err := check("sgd", c.LearningRate, c.Clip, setting{"momentum", c.Momentum, 1}); err != nil {
		return nil, err
	}
	return &sgd{slots{clip: c.Clip, first: c.Momentum > 0}, c}, nil
}

// RMSPropConfig are the parameters of RMSProp.
type RMSPropConfig struct {
	LearningRate, Clip float64
	Decay              float64 // 0.9
	Epsilon            float64 // 1e-10, under the root as in TensorFlow
}

// NewRMSProp returns RMSProp, which divides by a moving root mean square
// (Tieleman and Hinton, 2012): v ← ρv + (1−ρ)g²; θ += rate·g/√(v + ε).
func NewRMSProp(c RMSPropConfig) (Optimizer, error) {
	c.Decay = cmp.Or(c.Decay, 0.9)
	c.Epsilon = cmp.Or(c.Epsilon, 1e-10)
	if err := check("rmsprop", c.LearningRate, c.Clip, setting{"decay", c.Decay, 1}, setting{"epsilon", c.Epsilon, math.Inf(1)}); err != nil {
		return nil, err
	}
	return &rmsprop{slots{clip: c.Clip, second: true}, c}, nil
}

// AdamConfig are the parameters of Adam.
type AdamConfig struct {
	LearningRate, Clip float64
	Beta1, Beta2       float64 // 0.9, 0.999
	Epsilon            float64 // 1e-8, outside the root
}

// NewAdam returns Adam (Kingma and Ba, 2015): m ← β₁m + (1−β₁)g;
// v ← β₂v + (1−β₂)g²; θ += rate·m̂/(√v̂ + ε), with m̂ and v̂ corrected for their
// start at zero by the number of steps of the parameter itself, not of the
// optimiser: a parameter that appears late starts like the others did.
func NewAdam(c AdamConfig) (Optimizer, error) {
	c.Beta1 = cmp.Or(c.Beta1, 0.9)
	c.Beta2 = cmp.Or(c.Beta2, 0.999)
	c.Epsilon = cmp.Or(c.Epsilon, 1e-8)
	err := check("adam", c.LearningRate, c.Clip,
		setting{"beta1", c.Beta1, 1}, setting{"beta2", c.Beta2, 1}, setting{"epsilon", c.Epsilon, math.Inf(1)})
	if err != nil {
		return nil, err
	}
	return &adam{slots{clip: c.Clip, first: true, second: true}, c}, nil
}

// setting must lie in [0, below).
type setting struct {
	name         string
	value, below float64
}

func check(name string, rate, clip float64, settings ...setting) error {
	var errs []error
	if !(rate > 0) || math.IsInf(rate, 0) {
		errs = append(errs, fmt.Errorf("%s: learning rate %v must be positive", name, rate))
	}
	if !(clip >= 0) {
		errs = append(errs, fmt.Errorf("%s: clip %v must be positive, or 0 for none", name, clip))
	}
	for _, s := range settings {
		if !(s.value >= 0 && s.value < s.below) {
			errs = append(errs, fmt.Errorf("%s: %s %v must lie in [0, %v)", name, s.name, s.value, s.below))
		}
	}
	return errors.Join(errs...)
}

type sgd struct {
	slots
	SGDConfig
}

func (o *sgd) Step(params []Parameter) {
	scale := o.scale(params)
	if !o.first {
		for _, p := range params {
			floats.AddScaled(p.Value, p.rate(o.LearningRate)*scale, p.Gradient)
		}
		return
	}
	for _, p := range params {
		s := o.get(p)
		s.steps++
		floats.Scale(o.Momentum, s.first)
		floats.AddScaled(s.first, scale, p.Gradient)
		floats.AddScaled(p.Value, p.rate(o.LearningRate), s.first)
	}
}

type rmsprop struct {
	slots
	RMSPropConfig
}

func (o *rmsprop) Step(params []Parameter) {
	scale := o.scale(params)
	for _, p := range params {
		s := o.get(p)
		s.steps++
		v, rate := s.second[:len(p.Gradient)], p.rate(o.LearningRate)
		for i, g := range p.Gradient {
			g *= scale
			v[i] = o.Decay*v[i] + (1-o.Decay)*g*g
			p.Value[i] += rate * g / math.Sqrt(v[i]+o.Epsilon)
		}
	}
}

type adam struct {
	slots
	AdamConfig
}

func (o *adam) Step(params []Parameter) {
	scale := o.scale(params)
	for _, p := range params {
		s := o.get(p)
		s.steps++
		t := float64(s.steps)
		kernels.Adam(p.Value, s.first, s.second, p.Gradient, scale, o.Beta1, o.Beta2,
			p.rate(o.LearningRate)/(1-math.Pow(o.Beta1, t)), 1/(1-math.Pow(o.Beta2, t)), o.Epsilon)
	}
}
