// Package optimizer provides first-order optimisers over named float64
// parameters, for the controller. All of them ascend: a parameter's Gradient is
// that of the objective to be maximised. Child models have their own, Proximal
// Adagrad, fused with their float32 kernels.
package optimizer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/nn/safetensors"
)

// Parameter is a named array with its gradient. Value and Gradient have the
// product of Shape as length.
type Parameter struct {
	Name            string
	Shape           []int
	Value, Gradient []float64
}

// Optimizer changes parameters along their gradients. State is kept for each
// parameter by its name: one that appears later (a new task's embedding)
// starts with fresh state.
type Optimizer interface {
	// Step takes one ascent step. It does not clear the gradients.
	Step(params []Parameter)
	// PutArrays and GetArrays save and restore the state.
	PutArrays(f *safetensors.File, prefix string)
	GetArrays(f *safetensors.File, prefix string) error
}

// Names lists the optimisers, the default first.
func Names() []string { return []string{"adam", "rmsprop", "sgd"} }

// New returns an optimiser by name. clip bounds the norm of the gradient over
// all parameters together; 0 means no bound.
func New(name string, learningRate, clip float64) (Optimizer, error) {
	s := slots{rate: learningRate, clip: clip, state: map[string]*slot{}}
	switch name {
	case "sgd":
		return &sgd{s}, nil
	case "rmsprop":
		return &rmsprop{s}, nil
	case "adam":
		return &adam{s}, nil
	}
	return nil, fmt.Errorf("unknown optimizer %q (known: %s)", name, strings.Join(Names(), ", "))
}

// slot is one parameter's state.
type slot struct {
	steps int64
	// first and second are moving averages of the gradient and its square;
	// nil where the optimiser has none.
	first, second []float64
}

type slots struct {
	rate, clip float64
	state      map[string]*slot
}

// get returns a parameter's state, made anew for an unknown name.
func (s *slots) get(p Parameter, first, second bool) *slot {
	v, ok := s.state[p.Name]
	if !ok {
		v = &slot{}
		if first {
			v.first = make([]float64, len(p.Value))
		}
		if second {
			v.second = make([]float64, len(p.Value))
		}
		s.state[p.Name] = v
	}
	return v
}

// scale is the factor that brings the gradient's norm within the clip.
func (s *slots) scale(params []Parameter) float64 {
	if s.clip <= 0 {
		return 1
	}
	sum := 0.0
	for _, p := range params {
		for _, g := range p.Gradient {
			sum += g * g
		}
	}
	if norm := math.Sqrt(sum); norm > s.clip {
		return s.clip / norm
	}
	return 1
}

func (s *slots) PutArrays(f *safetensors.File, prefix string) {
	for name, v := range s.state { // the container sorts by name
		safetensors.Put(f, prefix+name+".steps", []int64{v.steps})
		if v.first != nil {
			safetensors.Put(f, prefix+name+".first", slices.Clone(v.first))
		}
		if v.second != nil {
			safetensors.Put(f, prefix+name+".second", slices.Clone(v.second))
		}
	}
}

func (s *slots) GetArrays(f *safetensors.File, prefix string) error {
	s.state = map[string]*slot{}
	for _, array := range f.Names() {
		name, ok := strings.CutPrefix(array, prefix)
		if !ok {
			continue
		}
		at := strings.LastIndexByte(name, '.')
		if at < 0 {
			return fmt.Errorf("optimizer: array %q is not a slot", array)
		}
		name, field := name[:at], name[at+1:]
		v := s.state[name]
		if v == nil {
			v = &slot{}
			s.state[name] = v
		}
		var err error
		switch field {
		case "steps":
			var steps []int64
			if steps, _, err = safetensors.Get[int64](f, array, 1); err == nil {
				v.steps = steps[0]
			}
		case "first":
			v.first, err = clone(f, array)
		case "second":
			v.second, err = clone(f, array)
		default:
			err = fmt.Errorf("optimizer: array %q is not a slot", array)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func clone(f *safetensors.File, name string) ([]float64, error) {
	v, _, err := safetensors.Get[float64](f, name, -1)
	return slices.Clone(v), err
}

// sgd is plain gradient ascent: θ += rate·g.
type sgd struct{ slots }

func (o *sgd) Step(params []Parameter) {
	scale := o.rate * o.scale(params)
	for _, p := range params {
		for i, g := range p.Gradient {
			p.Value[i] += scale * g
		}
	}
}

// rmsprop divides by a moving root mean square (Tieleman and Hinton, 2012):
// v ← .9v + .1g²; θ += rate·g/√(v + ε).
type rmsprop struct{ slots }

const (
	rmspropDecay   = 0.9
	rmspropEpsilon = 1e-10 // as TensorFlow's RMSPropOptimizer
)

func (o *rmsprop) Step(params []Parameter) {
	scale := o.scale(params)
	for _, p := range params {
		v := o.get(p, false, true).second
		for i, g := range p.Gradient {
			g *= scale
			v[i] = rmspropDecay*v[i] + (1-rmspropDecay)*g*g
			p.Value[i] += o.rate * g / math.Sqrt(v[i]+rmspropEpsilon)
		}
	}
}

// adam is Adam (Kingma and Ba, 2015): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
// θ += rate·m̂/(√v̂ + ε), with m̂ and v̂ corrected for their start at zero by the
// parameter's own number of steps.
type adam struct{ slots }

const (
	adamBeta1   = 0.9
	adamBeta2   = 0.999
	adamEpsilon = 1e-8
)

func (o *adam) Step(params []Parameter) {
	scale := o.scale(params)
	for _, p := range params {
		s := o.get(p, true, true)
		s.steps++
		rate := o.rate / (1 - math.Pow(adamBeta1, float64(s.steps)))
		root := 1 / math.Sqrt(1-math.Pow(adamBeta2, float64(s.steps)))
		m, v := s.first[:len(p.Value)], s.second[:len(p.Value)]
		value, gradient := p.Value, p.Gradient[:len(p.Value)]
		for i := range value {
			g := gradient[i] * scale
			m[i] = adamBeta1*m[i] + (1-adamBeta1)*g
			v[i] = adamBeta2*v[i] + (1-adamBeta2)*g*g
			value[i] += rate * m[i] / (math.Sqrt(v[i])*root + adamEpsilon)
		}
	}
}
