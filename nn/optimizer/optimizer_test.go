package optimizer

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/safetensors"
)

func params(v, g []float64) []Parameter {
	return []Parameter{{Name: "p", Shape: []int{len(v)}, Value: slices.Clone(v), Gradient: g}}
}

func must(o Optimizer, err error) Optimizer {
	if err != nil {
		panic(err)
	}
	return o
}

// Two steps of each, by hand, ascending from 1.
func TestHandComputed(t *testing.T) {
	for _, c := range []struct {
		name      string
		optimizer Optimizer
		gradients []float64
		want      []float64 // after one step, after two
	}{
		{"sgd", must(New("sgd", .1, 0)), []float64{3, 1}, []float64{1.3, 1.4}},
		{"sgd, clipped", must(New("sgd", .1, 1.5)), []float64{3, 1}, []float64{1.15, 1.25}},
		// velocity 3, then .5·3 + 1 = 2.5
		{"sgd, momentum", must(NewSGD(SGDConfig{LearningRate: .1, Momentum: .5})), []float64{3, 1}, []float64{1.3, 1.55}},
		// velocity 1.5, then .75 + 1 = 1.75: it is the gradient that is clipped
		{"sgd, momentum, clipped", must(NewSGD(SGDConfig{LearningRate: .1, Momentum: .5, Clip: 1.5})), []float64{3, 1}, []float64{1.15, 1.325}},
		// v = .1·9 = .9, then .9·.9 + .1·1 = .91
		{"rmsprop", must(New("rmsprop", .1, 0)), []float64{3, 1}, []float64{1 + .3/math.Sqrt(.9), 1 + .3/math.Sqrt(.9) + .1/math.Sqrt(.91)}},
		// v = .5·9 = 4.5, then 2.25 + .5 = 2.75; ε .25 under the root
		{"rmsprop, settings", must(NewRMSProp(RMSPropConfig{LearningRate: .1, Decay: .5, Epsilon: .25})), []float64{3, 1},
			[]float64{1 + .3/math.Sqrt(4.75), 1 + .3/math.Sqrt(4.75) + .1/math.Sqrt(3)}},
		// A constant gradient's corrected moments are g and g²: steps of the rate.
		{"adam", must(New("adam", .1, 0)), []float64{3, 3}, []float64{1.1, 1.2}},
		// m = 1.5, m̂ = 3; v = 2.25, v̂ = 9; step .1·3/(3+1) = .075.
		// m = 1.25, m̂ = 1.25/.75 = 5/3; v = 1.9375, v̂ = 1.9375/.4375 = 31/7.
		{"adam, settings", must(NewAdam(AdamConfig{LearningRate: .1, Beta1: .5, Beta2: .75, Epsilon: 1})), []float64{3, 1},
			[]float64{1.075, 1.075 + .1*(5./3)/(math.Sqrt(31./7)+1)}},
	} {
		p := params([]float64{1}, []float64{0})
		for i, want := range c.want {
			p[0].Gradient[0] = c.gradients[i]
			c.optimizer.Step(p)
			if got := p[0].Value[0]; math.Abs(got-want) > 1e-8 {
				t.Errorf("%s, step %d: %v, want %v", c.name, i+1, got, want)
			}
		}
	}
}

// The clip bounds the norm over all parameters together, and keeps directions.
func TestClipIsGlobal(t *testing.T) {
	p := append(params([]float64{0}, []float64{3}), Parameter{Name: "q", Shape: []int{1}, Value: []float64{0}, Gradient: []float64{4}})
	must(New("sgd", 1, 1)).Step(p)
	if math.Abs(p[0].Value[0]-.6) > 1e-12 || math.Abs(p[1].Value[0]-.8) > 1e-12 {
		t.Errorf("%v, %v", p[0].Value, p[1].Value)
	}
}

func fresh(name string) Optimizer {
	if name == "momentum" {
		return must(NewSGD(SGDConfig{LearningRate: .1, Clip: 1, Momentum: .9}))
	}
	return must(New(name, .1, 1))
}

func TestStateRoundTrip(t *testing.T) {
	for _, name := range append(Names(), "momentum") {
		grad := func(i int) []float64 { return []float64{math.Sin(float64(i)), 1 / float64(i+1)} }
		whole, half := fresh(name), fresh(name)
		a, b := params([]float64{1, 2}, nil), params([]float64{1, 2}, nil)
		for i := range 6 {
			a[0].Gradient, b[0].Gradient = grad(i), grad(i)
			whole.Step(a)
			half.Step(b)
			f := safetensors.New("test")
			half.PutArrays(f, "x/")
			f, err := safetensors.Decode(f.Encode())
			if err != nil {
				t.Fatal(err)
			}
			half = fresh(name)
			if err := half.GetArrays(f, "x/"); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(a[0].Value, b[0].Value); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A parameter that appears later has its own count of steps.
func TestLateParameter(t *testing.T) {
	o := must(New("adam", .1, 0))
	p := params([]float64{0}, []float64{1})
	for range 10 {
		o.Step(p)
	}
	p = append(p, Parameter{Name: "q", Shape: []int{1}, Value: []float64{0}, Gradient: []float64{5}})
	o.Step(p)
	if got := p[1].Value[0]; math.Abs(got-.1) > 1e-6 {
		t.Errorf("first step of a late parameter is %v", got)
	}
}

func TestConfigs(t *testing.T) {
	if _, err := New("lion", 1, 0); err == nil || !strings.Contains(err.Error(), "adam, rmsprop, sgd") {
		t.Error(err)
	}
	for _, c := range []struct {
		make func() (Optimizer, error)
		want []string
	}{
		{func() (Optimizer, error) { return New("sgd", 0, math.NaN()) }, []string{"learning rate 0", "clip NaN"}},
		{func() (Optimizer, error) { return NewSGD(SGDConfig{LearningRate: 1, Momentum: 1}) }, []string{"momentum 1"}},
		{func() (Optimizer, error) { return NewRMSProp(RMSPropConfig{LearningRate: math.Inf(1), Decay: 2}) },
			[]string{"learning rate +Inf", "decay 2"}},
		{func() (Optimizer, error) {
			return NewAdam(AdamConfig{LearningRate: -1, Clip: -1, Beta1: 1, Beta2: -1, Epsilon: -1})
		},
			[]string{"learning rate -1", "clip -1", "beta1 1", "beta2 -1", "epsilon -1"}},
	} {
		o, err := c.make()
		if o != nil {
			t.Errorf("%v comes with an optimizer", err)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	}
}

// State that is not this optimiser's is refused, and the old state kept.
func TestStateThatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		name string
		put  func(f *safetensors.File)
		want string
	}{
		{"sgd", func(f *safetensors.File) {
			safetensors.Put(f, "x/p.steps", []int64{1})
			safetensors.Put(f, "x/p.first", []float64{1})
		}, "was another one used"},
		{"adam", func(f *safetensors.File) { safetensors.Put(f, "x/p.third", []float64{1}) }, "x/p.third"},
		{"adam", func(f *safetensors.File) { safetensors.Put(f, "x/p.first", []float64{1}) }, "x/p.first"},
		{"adam", func(f *safetensors.File) { safetensors.Put(f, "x/p.steps", []int64{1}) }, "x/p.first"},
		{"adam", func(f *safetensors.File) { safetensors.Put(f, "x/p.steps", []int64{0}) }, "taken 0 steps"},
		{"adam", func(f *safetensors.File) {
			safetensors.Put(f, "x/p.steps", []int64{1})
			safetensors.Put(f, "x/p.first", []float64{1})
			safetensors.Put(f, "x/p.second", []float64{1, 2})
		}, "1 and 2 elements"},
		{"rmsprop", func(f *safetensors.File) {
			safetensors.Put(f, "x/p.steps", []int64{1})
			safetensors.Put(f, "x/p.second", []float64{-1})
		}, "holds -1"},
	} {
		o := must(New(c.name, .1, 0))
		f := safetensors.New("test")
		c.put(f)
		if err := o.GetArrays(f, "x/"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q is not in: %v", c.name, c.want, err)
		}
	}
	defer func() {
		if v, ok := recover().(string); !ok || !strings.Contains(v, "p has 2 elements, its saved state 1") {
			t.Errorf("panic: %v", v)
		}
	}()
	o := must(New("adam", .1, 0))
	o.Step(params([]float64{1}, []float64{1}))
	o.Step(params([]float64{1, 2}, []float64{1, 2}))
}

func TestNoAllocation(t *testing.T) {
	for _, name := range append(Names(), "momentum") {
		o := fresh(name)
		p := params(make([]float64, 100), make([]float64, 100))
		if n := testing.AllocsPerRun(10, func() { o.Step(p) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzGetArrays(f *testing.F) {
	for i, name := range Names() {
		o := fresh(name)
		o.Step(params([]float64{1, 2}, []float64{3, 4}))
		file := safetensors.New("x")
		o.PutArrays(file, "x/")
		for other := range Names() {
			f.Add(file.Encode(), (i+other)%len(Names()))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, which int) {
		file, err := safetensors.Decode(b)
		if err != nil || which < 0 || which >= len(Names()) {
			return
		}
		o := fresh(Names()[which])
		if o.GetArrays(file, "x/") != nil {
			return
		}
		// What was taken is written as it was read.
		back := safetensors.New("x")
		o.PutArrays(back, "x/")
		for _, name := range back.Names() {
			if !file.Has(name) {
				t.Errorf("%s came from nowhere", name)
			}
		}
	})
}

// A parameter's own rate scales its steps, whatever the optimiser, and nothing else.
func TestRates(t *testing.T) {
	for _, name := range Names() {
		o := must(New(name, .01, 0))
		p := append(params([]float64{1}, []float64{3}), Parameter{Name: "q", Value: []float64{1}, Gradient: []float64{3}, Rate: 5})
		for range 3 {
			o.Step(p)
		}
		if got, want := p[1].Value[0]-1, 5*(p[0].Value[0]-1); math.Abs(got-want) > 1e-12 || got == 0 {
			t.Errorf("%s: a step of %v at five times the rate of %v", name, got, want/5)
		}
	}
}
