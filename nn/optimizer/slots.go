package optimizer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"

	"tnaml/nn/safetensors"
)

// slot is one parameter's state.
type slot struct {
	steps int64
	// first and second are moving averages of the gradient and its square;
	// nil where the optimiser has none.
	first, second []float64
}

// slots is what the optimisers have in common.
type slots struct {
	clip          float64
	first, second bool // which averages the optimiser keeps
	state         map[string]*slot
}

// get returns a parameter's state, made anew for an unknown name.
func (s *slots) get(p Parameter) *slot {
	v := s.state[p.Name]
	if v == nil {
		v = &slot{}
		if s.first {
			v.first = make([]float64, len(p.Value))
		}
		if s.second {
			v.second = make([]float64, len(p.Value))
		}
		if s.state == nil {
			s.state = map[string]*slot{}
		}
		s.state[p.Name] = v
	}
	if n := max(len(v.first), len(v.second)); n != len(p.Value) {
		panic(fmt.Sprintf("optimizer: %s has %d elements, its saved state %d", p.Name, len(p.Value), n))
	}
	return v
}

// scale is the factor that brings the gradient's norm within the clip.
func (s *slots) scale(params []Parameter) float64 {
	if s.clip == 0 {
		return 1
	}
	sum := 0.0
	for _, p := range params {
		sum += floats.Dot(p.Gradient, p.Gradient)
	}
	if norm := math.Sqrt(sum); norm > s.clip {
		return s.clip / norm
	}
	return 1
}

func (s *slots) PutArrays(f *safetensors.File, prefix string) {
	for name, v := range s.state { // the container sorts by name
		safetensors.Put(f, prefix+name+".steps", []int64{v.steps})
		if s.first {
			safetensors.Put(f, prefix+name+".first", slices.Clone(v.first))
		}
		if s.second {
			safetensors.Put(f, prefix+name+".second", slices.Clone(v.second))
		}
	}
}

func (s *slots) GetArrays(f *safetensors.File, prefix string) error {
	state := map[string]*slot{}
	for _, array := range f.Names() {
		rest, ok := strings.CutPrefix(array, prefix)
		if !ok {
			continue
		}
		name, isSteps := strings.CutSuffix(rest, ".steps")
		if !isSteps {
			// An average is read with its count; one alone, or one that this
			// optimiser does not keep, is another optimiser's.
			name, field := rest, ""
			if at := strings.LastIndexByte(rest, '.'); at >= 0 {
				name, field = rest[:at], rest[at+1:]
			}
			if !f.Has(prefix+name+".steps") || !(field == "first" && s.first || field == "second" && s.second) {
				return fmt.Errorf("optimizer: array %q is none of this optimizer's: was another one used before?", array)
			}
			continue
		}
		v := &slot{}
		steps, _, err := safetensors.Get[int64](f, array, 1)
		if err != nil {
			return fmt.Errorf("optimizer: %w", err)
		}
		if v.steps = steps[0]; v.steps < 1 {
			return fmt.Errorf("optimizer: %s has taken %d steps", name, v.steps)
		}
		if s.first {
			if v.first, err = average(f, prefix+name+".first", math.Inf(-1)); err != nil {
				return err
			}
		}
		if s.second {
			if v.second, err = average(f, prefix+name+".second", 0); err != nil {
				return err
			}
		}
		if s.first && s.second && len(v.first) != len(v.second) {
			return fmt.Errorf("optimizer: %s has averages of %d and %d elements", name, len(v.first), len(v.second))
		}
		state[name] = v
	}
	s.state = state
	return nil
}

// average reads a copy of an array of finite numbers of at least least.
func average(f *safetensors.File, name string, least float64) ([]float64, error) {
	v, _, err := safetensors.Get[float64](f, name, -1)
	if err != nil {
		return nil, fmt.Errorf("optimizer: %w", err)
	}
	for _, x := range v {
		if !(x >= least) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("optimizer: array %q holds %v", name, x)
		}
	}
	return slices.Clone(v), nil
}
