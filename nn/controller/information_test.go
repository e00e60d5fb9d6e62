package controller

import (
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// twoTasks is a controller of two choices, all weights zero but those that carry
// the task's embedding, 1 or −1, to the first head: its two options have the
// logits ±w for the one task, ∓w for the other. The second choice is even.
func twoTasks(t testing.TB, w float64) *Controller {
	t.Helper()
	c := newTest(t, Config{Options: []int{2, 3}, Hidden: 2, Layers: 1, ActionEmbedding: 2, TaskEmbedding: 1}, 2)
	for _, p := range c.Parameters() {
		clear(p.Value)
		if p.Name == "head/0/weights" { // 2 × (Hidden + ActionEmbedding + TaskEmbedding)
			p.Value[4], p.Value[9] = w, -w
		}
	}
	c.SetTaskEmbedding(0, []float64{1})
	c.SetTaskEmbedding(1, []float64{-1})
	return c
}

// By hand: with the probabilities .9 and .1, the other way round for the other
// task, the marginal is even and I = 1 − H(.9, .1) = .5310 bits.
func TestInformationByHand(t *testing.T) {
	want := 1 + .9*math.Log2(.9) + .1*math.Log2(.1)
	c := twoTasks(t, math.Log(9)/2)
	exact := c.Information(6, 1)
	if exact.Samples != 0 || math.Abs(exact.Choices[0]-want) > 1e-12 || exact.Choices[1] > 1e-12 || math.Abs(exact.Architecture-want) > 1e-12 {
		t.Errorf("%+v, want %v of the first choice alone", exact, want)
	}
	// Sampled: the marginals are exact here, as no step depends on those before it.
	c = c.WithTasks([][]float64{{1}, {-1}})
	got := c.Information(5, 1)
	if got.Samples != 5 || math.Abs(got.Choices[0]-want) > 1e-12 || got.Choices[1] > 1e-12 {
		t.Errorf("%+v, want %v of the first choice alone", got, want)
	}
	// Tasks as different as can be share nothing: one bit.
	if got := twoTasks(t, 50).Information(6, 1); math.Abs(got.Architecture-1) > 1e-9 {
		t.Errorf("%+v of tasks that share nothing", got)
	}
}

// Tasks of which the one never does what the other always does, in numbers of any size: the
// probabilities are 0, or next to it, and a term of such is no number by its formula.
func TestInformationOfTheImprobable(t *testing.T) {
	for _, w := range []float64{150, 182.5, 186, 250, 500, 1e6} {
		c := twoTasks(t, w)
		for _, p := range c.Parameters() {
			if p.Name == "head/1/weights" { // both choices together have −4w: exp(−730) is not quite 0, exp(730) is no number
				p.Value[4], p.Value[9] = w, -w
			}
		}
		for _, samples := range []int{6, 5} {
			got := c.Information(samples, 1)
			if !(math.Abs(got.Architecture-1) <= 1e-9 && math.Abs(got.Choices[0]-1) <= 1e-9 && got.Error <= 1e-6) {
				t.Errorf("%v: %+v of tasks that share nothing", w, got)
			}
		}
	}
}

// Samples come to what summing over everything gives, within their error.
func TestInformationOfSamples(t *testing.T) {
	c := newTest(t, Config{Options: []int{3, 2, 4, 3}, Hidden: 6, InitScale: 1}, 3)
	exact, sampled := c.Information(72, 1), c.Information(71, 1)
	if exact.Samples != 0 || exact.Error != 0 || sampled.Samples != 71 {
		t.Fatalf("%+v and %+v", exact, sampled)
	}
	if exact.Architecture < .2 || math.Abs(exact.Architecture-sampled.Architecture) > 3*sampled.Error || sampled.Error > .2 {
		t.Errorf("%+v exactly, %+v sampled", exact, sampled)
	}
	for choice, v := range exact.Choices {
		if math.Abs(v-sampled.Choices[choice]) > .1 || v > exact.Architecture {
			t.Errorf("choice %d: %v exactly, %v sampled, %v of all", choice, v, sampled.Choices[choice], exact.Architecture)
		}
	}
	if other := c.Information(71, 2); other.Architecture == sampled.Architecture {
		t.Error("it does not depend on the seed")
	}
}

// A controller that treats its tasks alike tells nothing of them.
func TestNoInformation(t *testing.T) {
	agnostic := newTest(t, Config{Options: []int{3, 2}, TaskEmbedding: -1, InitScale: 1}, 3)
	alike := newTest(t, Config{Options: []int{3, 2, 4}, InitScale: 1}, 1)
	alike = alike.WithTasks([][]float64{alike.TaskEmbedding(0), alike.TaskEmbedding(0)})
	one := newTest(t, Config{Options: []int{3, 2}, InitScale: 1}, 1)
	for name, c := range map[string]*Controller{"task-agnostic": agnostic, "equal embeddings": alike, "one task": one} {
		for _, samples := range []int{5, 100} {
			got := c.Information(samples, 1)
			if math.Abs(got.Architecture) > 1e-12 || slices.ContainsFunc(got.Choices, func(v float64) bool { return v > 1e-12 }) {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// Without a task the embedding is zero, of whichever task the last run was.
func TestNoTask(t *testing.T) {
	c := newTest(t, Config{Options: []int{3, 2, 4}, Hidden: 4, InitScale: .8}, 1)
	actions := []int{1, 0, 3}
	zero := c.WithTasks([][]float64{make([]float64, 25)})
	c.LogProb(0, actions)
	if got, want := c.LogProb(NoTask, actions), zero.LogProb(0, actions); got != want || got == c.LogProb(0, actions) {
		t.Errorf("log-probability %v, of a zero embedding %v", got, want)
	}
	c.ZeroGradient()
	c.Gradient(NoTask, actions, 1, .3)
	zero.ZeroGradient()
	zero.Gradient(0, actions, 1, .3)
	for i, p := range c.Parameters() {
		if p.Name == "task/0" {
			if slices.ContainsFunc(p.Gradient, func(g float64) bool { return g != 0 }) {
				t.Error("a task learns from what was none's")
			}
		} else if !slices.Equal(p.Gradient, zero.Parameters()[i].Gradient) {
			t.Errorf("%s: another gradient than with a zero embedding", p.Name)
		}
	}
	direction := make([][]float64, len(c.Parameters()))
	for i, p := range c.Parameters() {
		for range p.Value {
			direction[i] = append(direction[i], .1)
		}
	}
	same := slices.Clone(direction)
	same[len(same)-1] = make([]float64, 25) // a zero embedding that does not move
	c.ZeroGradient()
	c.FisherProduct(0, actions, direction, 0) // leaves the task's embedding in the workspace
	c.FisherProduct(NoTask, actions, direction, 1)
	zero.ZeroGradient()
	zero.FisherProduct(0, actions, same, 1)
	if !slices.Equal(c.Parameters()[1].Gradient, zero.Parameters()[1].Gradient) {
		t.Error("another Fisher product than with a zero embedding")
	}
}

func TestWithTasks(t *testing.T) {
	c := newTest(t, Config{Options: []int{3, 2, 4}, Hidden: 4, TaskEmbedding: 2}, 3)
	c.SetTaskRate(7)
	a, b := []float64{1, 2}, []float64{3, 4}
	d := c.WithTasks([][]float64{a, b})
	if d.Tasks() != 2 || !slices.Equal(d.TaskEmbedding(0), a) || !slices.Equal(d.TaskEmbedding(1), b) {
		t.Errorf("%d tasks, embeddings %v and %v", d.Tasks(), d.TaskEmbedding(0), d.TaskEmbedding(1))
	}
	for i, p := range d.Parameters()[:len(d.Parameters())-2] {
		if q := c.Parameters()[i]; p.Name != q.Name || !slices.Equal(p.Value, q.Value) || &p.Value[0] == &q.Value[0] {
			t.Errorf("%s is no copy of %s", p.Name, q.Name)
		}
	}
	rates := func(c *Controller) (out []float64) {
		for _, p := range c.Parameters() {
			if p.Rate != 0 {
				out = append(out, p.Rate)
			}
		}
		return out
	}
	c.AddTask(1)
	if got := rates(c.Clone()); !slices.Equal(got, []float64{7, 7, 7, 7}) {
		t.Errorf("rates %v of four tasks' embeddings", got)
	}
	f := safetensors.New("x")
	d.PutArrays(f, "c/")
	if e, err := FromFile(f, "c/"); err != nil || e.LogProb(1, []int{0, 1, 2}) != d.LogProb(1, []int{0, 1, 2}) {
		t.Errorf("read again: %v", err)
	}
	agnostic := newTest(t, Config{Options: []int{2}, TaskEmbedding: -1}, 1)
	if got := agnostic.WithTasks(make([][]float64, 2)); got.Tasks() != 2 || got.Sample(rng.New(1, "x", 1), 1, []int{0}) >= 0 {
		t.Errorf("%d tasks of a task-agnostic controller", got.Tasks())
	}
}
