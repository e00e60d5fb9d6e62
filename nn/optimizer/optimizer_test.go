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
	return []Parameter{{"p", []int{len(v)}, slices.Clone(v), g}}
}

// Two steps of each, by hand, ascending along a constant gradient.
func TestHandComputed(t *testing.T) {
	for _, c := range []struct {
		name string
		clip float64
		want []float64 // after one step, after two
	}{
		{"sgd", 0, []float64{1 + .1*3, 1 + .2*3}},
		{"sgd", 1.5, []float64{1 + .1*1.5, 1 + .2*1.5}},
		// v = .1·9 = .9, then .9·.9 + .9 = 1.71
		{"rmsprop", 0, []float64{1 + .1*3/math.Sqrt(.9), 1 + .1*3/math.Sqrt(.9) + .1*3/math.Sqrt(1.71)}},
		// A constant gradient's corrected moments are g and g²: steps of the rate.
		{"adam", 0, []float64{1.1, 1.2}},
	} {
		o, err := New(c.name, .1, c.clip)
		if err != nil {
			t.Fatal(err)
		}
		p := params([]float64{1}, []float64{3})
		for i, want := range c.want {
			o.Step(p)
			if got := p[0].Value[0]; math.Abs(got-want) > 1e-8 {
				t.Errorf("%s, clip %v, step %d: %v, want %v", c.name, c.clip, i+1, got, want)
			}
		}
	}
}

func TestStateRoundTrip(t *testing.T) {
	for _, name := range Names() {
		grad := func(i int) []float64 { return []float64{math.Sin(float64(i)), 1 / float64(i+1)} }
		whole, _ := New(name, .1, 1)
		a := params([]float64{1, 2}, nil)
		half, _ := New(name, .1, 1)
		b := params([]float64{1, 2}, nil)
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
			half, _ = New(name, .1, 1)
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
	o, _ := New("adam", .1, 0)
	p := params([]float64{0}, []float64{1})
	for range 10 {
		o.Step(p)
	}
	p = append(p, Parameter{"q", []int{1}, []float64{0}, []float64{5}})
	o.Step(p)
	if got := p[1].Value[0]; math.Abs(got-.1) > 1e-6 {
		t.Errorf("first step of a late parameter is %v", got)
	}
}

func TestUnknown(t *testing.T) {
	if _, err := New("lion", 1, 0); err == nil || !strings.Contains(err.Error(), "adam, rmsprop, sgd") {
		t.Error(err)
	}
	f := safetensors.New("x")
	safetensors.Put(f, "x/p.third", []float64{1})
	o, _ := New("adam", 1, 0)
	if err := o.GetArrays(f, "x/"); err == nil {
		t.Error("a slot that does not exist was taken")
	}
}
