package controller

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// grownTest is a controller of three choices, two tasks.
func grownTest(t testing.TB) *Controller {
	return newTest(t, Config{Options: []int{3, 2, 4}, Hidden: 5, ActionEmbedding: 3, TaskEmbedding: 2, InitScale: .8}, 2)
}

func encoded(c *Controller) []byte {
	f := safetensors.New("x")
	c.PutArrays(f, "c/")
	return f.Encode()
}

func TestGrowIntoTheSame(t *testing.T) {
	c := grownTest(t)
	same := []Grown{{0, []int{0, 1, 2}}, {1, []int{0, 1}}, {2, []int{0, 1, 2, 3}}}
	if !bytes.Equal(encoded(c), encoded(c.Grow(same))) {
		t.Error("another controller")
	}
	// There and back: the order it learned in is kept, and is none when it is the actions'.
	turned := c.Grow([]Grown{{2, []int{3, 2, 1, 0}}, {0, []int{0, 1, 2}}, {1, []int{0, 1}}})
	if !slices.Equal(turned.Config().Order, []int{1, 2, 0}) || !slices.Equal(turned.Config().Options, []int{4, 3, 2}) {
		t.Errorf("%+v", turned.Config())
	}
	if got, want := turned.LogProb(1, []int{0, 2, 1}), c.LogProb(1, []int{2, 1, 3}); got != want {
		t.Errorf("in another order: log-probability %v, was %v", got, want)
	}
	if got, want := turned.Probabilities(1, []int{0, 2, 1})[0], c.Probabilities(1, []int{2, 1, 3})[2]; got[3] != want[0] || got[0] != want[3] {
		t.Errorf("probabilities %v, were %v", got, want)
	}
	back := turned.Grow([]Grown{{1, []int{0, 1, 2}}, {2, []int{0, 1}}, {0, []int{3, 2, 1, 0}}})
	if !bytes.Equal(encoded(c), encoded(back)) {
		t.Error("there and back it is another controller")
	}
	f, err := safetensors.Decode(encoded(turned))
	if err != nil {
		t.Fatal(err)
	}
	if read, err := FromFile(f, "c/"); err != nil || read.LogProb(1, []int{0, 2, 1}) != turned.LogProb(1, []int{0, 2, 1}) {
		t.Errorf("read again: %v", err)
	}
}

// A new option, a new choice in the middle, an option gone: at each step whose
// earlier actions are known, the known options keep the ratios of their probabilities,
// the new one has their geometric mean, and the new choice is even.
func TestGrow(t *testing.T) {
	c := grownTest(t)
	d := c.Grow([]Grown{{0, []int{-1, 2, 1, 0}}, {-1, make([]int, 5)}, {1, []int{0, 1}}, {2, []int{3, 0, 2}}})
	if !slices.Equal(d.Config().Order, []int{0, 2, 3, 1}) || d.Tasks() != 2 || !slices.Equal(d.TaskEmbedding(1), c.TaskEmbedding(1)) {
		t.Fatalf("%+v, %d tasks", d.Config(), d.Tasks())
	}
	r := rng.New(1, "test", 0)
	for range 20 {
		task, actions := r.IntN(2), []int{1 + r.IntN(3), r.IntN(5), r.IntN(2), r.IntN(3)}
		before := []int{3 - actions[0], actions[2], []int{3, 0, 2}[actions[3]]}
		was, is := c.Probabilities(task, before), d.Probabilities(task, actions)
		ratios := func(is, was float64, isTo, wasTo float64) bool { return math.Abs(is/isTo-was/wasTo) < 1e-12*was/wasTo }
		if !ratios(is[0][1], was[0][2], is[0][3], was[0][0]) || !ratios(is[0][2], was[0][1], is[0][3], was[0][0]) ||
			!ratios(is[3][0], was[2][3], is[3][1], was[2][0]) || !ratios(is[3][2], was[2][2], is[3][1], was[2][0]) ||
			!slices.Equal(is[2], was[1]) {
			t.Fatalf("probabilities %v, were %v", is, was)
		}
		if mean := math.Cbrt(is[0][1] * is[0][2] * is[0][3]); math.Abs(is[0][0]-mean) > 1e-12 {
			t.Fatalf("the new option has %v, the others the geometric mean %v", is[0][0], mean)
		}
		for _, p := range is[1] {
			if math.Abs(p-.2) > 1e-15 {
				t.Fatalf("the new choice is %v", is[1])
			}
		}
	}
	// An input of its own kind: a new option's embedding is the mean of the others'.
	rows := d.Parameters()[d.firstAction].Value
	for k := range 3 {
		if mean := (rows[3+k] + rows[6+k] + rows[9+k]) / 3; math.Abs(rows[k]-mean) > 1e-15 {
			t.Errorf("embedding %v of the new option, %v of the others", rows[:3], rows[3:])
		}
	}
}

// Without a choice in the middle, with one of which no option is left, and of one
// choice into many: whatever is known, all is numbers, and learns.
func TestGrowFromLittle(t *testing.T) {
	c := grownTest(t)
	one := newTest(t, Config{Options: []int{2}, Hidden: 3, TaskEmbedding: -1}, 1)
	for name, d := range map[string]*Controller{
		"a choice is gone": c.Grow([]Grown{{0, []int{0, 1, 2}}, {2, []int{0, 1, 2, 3}}}),
		"no option known":  c.Grow([]Grown{{0, []int{0, 1, 2}}, {1, []int{-1, -1, -1}}, {2, []int{0, 1, 2, 3}}}),
		"from one":         one.Grow([]Grown{{-1, []int{0, 0}}, {0, []int{1, 0}}, {-1, []int{0, 0, 0}}}),
	} {
		actions := make([]int, len(d.Config().Options))
		d.ZeroGradient()
		if l, _ := d.Gradient(0, actions, 1, .1); math.IsNaN(l) {
			t.Errorf("%s: log-probability %v", name, l)
		}
		for _, p := range d.Parameters() {
			if slices.ContainsFunc(p.Gradient, math.IsNaN) {
				t.Errorf("%s: the gradient of %s is no number", name, p.Name)
			}
		}
		if name == "a choice is gone" {
			if got, want := d.Probabilities(1, actions)[0], c.Probabilities(1, []int{0, 0, 0})[0]; !slices.Equal(got, want) {
				t.Errorf("%s: the step before it has %v, had %v", name, got, want)
			}
		}
		if name == "no option known" {
			if p := d.Probabilities(1, actions)[1]; math.Abs(p[0]-1./3) > 1e-15 || math.Abs(p[1]-1./3) > 1e-15 {
				t.Errorf("%s: %v", name, p)
			}
		}
	}
}

// What holds of gradients holds in any order of steps.
func TestGradientInAnotherOrder(t *testing.T) {
	c := grownTest(t).Grow([]Grown{{2, []int{3, 2, 1, 0}}, {-1, []int{0, 0}}, {0, []int{0, 1, 2}}, {1, []int{0, 1}}})
	actions := []int{2, 1, 0, 1}
	c.ZeroGradient()
	c.Gradient(1, actions, -1.7, .3)
	for _, p := range c.Parameters() {
		want := slices.Clone(p.Gradient)
		for i, at := range p.Value {
			const h = 1e-5
			value := func(v float64) float64 {
				p.Value[i] = v
				l, e := c.Gradient(1, actions, 0, 0)
				return -1.7*l + .3*e
			}
			got := (value(at+h) - value(at-h)) / (2 * h)
			p.Value[i] = at
			if math.Abs(got-want[i]) > 1e-8+1e-6*math.Abs(got) {
				t.Fatalf("%s[%d]: %v by back-propagation, %v by differences", p.Name, i, want[i], got)
			}
		}
	}
	if _, err := (Config{Options: []int{2, 3}, Order: []int{1, 1}}).WithDefaults(); err == nil {
		t.Error("an order that names a choice twice was taken")
	}
}
