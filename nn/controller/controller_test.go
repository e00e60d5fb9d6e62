package controller

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

func newTest(t testing.TB, cfg Config, tasks int) *Controller {
	t.Helper()
	c, err := New(cfg, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tasks {
		c.AddTask(uint64(100 + i))
	}
	return c
}

// Every parameter's gradient is checked against central differences, for the
// log-probability, the entropy, and both.
func TestGradientAgainstFiniteDifferences(t *testing.T) {
	for _, cfg := range []Config{
		{Options: []int{3, 2, 4}, Hidden: 5, Layers: 1, ActionEmbedding: 3, TaskEmbedding: 2, InitScale: .8},
		{Options: []int{3, 2, 4, 2}, Hidden: 4, Layers: 2, ActionEmbedding: 2, TaskEmbedding: 3, InitScale: .8},
		{Options: []int{2, 3, 2}, Hidden: 3, Layers: 3, ActionEmbedding: 3, TaskEmbedding: 1, InitScale: .8},
		{Options: []int{2, 3, 2}, Hidden: 4, Layers: 2, ActionEmbedding: 3, TaskEmbedding: -1, InitScale: .8},
		{Options: []int{4}, Hidden: 3, Layers: 2, ActionEmbedding: 2, TaskEmbedding: 2, InitScale: .8},
	} {
		for _, w := range [][2]float64{{1, 0}, {0, 1}, {-1.7, .3}} {
			t.Run(fmt.Sprintf("%d layers task %d weights %v", cfg.Layers, cfg.TaskEmbedding, w), func(t *testing.T) {
				c := newTest(t, cfg, 2)
				const task = 1
				actions := make([]int, len(cfg.Options))
				c.Sample(rng.New(1, "test", 0), task, actions)
				objective := func() float64 {
					p, h := c.Gradient(task, actions, 0, 0)
					return w[0]*p + w[1]*h
				}
				c.ZeroGradient()
				c.Gradient(task, actions, w[0], w[1])
				checked, nonzero := 0, 0
				for _, p := range c.Parameters() {
					want := slices.Clone(p.Gradient)
					for i := range p.Value {
						const h = 1e-5
						at := p.Value[i]
						p.Value[i] = at + h
						up := objective()
						p.Value[i] = at - h
						down := objective()
						p.Value[i] = at
						got := (up - down) / (2 * h)
						if math.Abs(got-want[i]) > 1e-8+1e-6*math.Abs(got) {
							t.Fatalf("%s[%d]: %v by back-propagation, %v by differences", p.Name, i, want[i], got)
						}
						checked++
						if want[i] != 0 {
							nonzero++
						}
					}
				}
				if nonzero < checked/3 {
					t.Errorf("only %d of %d derivatives are not zero", nonzero, checked)
				}
			})
		}
	}
}

// Objective values 0, 0 must leave gradients alone: the check above relies on
// it, and gradients of several episodes add up.
func TestGradientsAdd(t *testing.T) {
	c := newTest(t, Config{Options: []int{3, 4}, Hidden: 4}, 1)
	c.Gradient(0, []int{1, 2}, 1, 0)
	once := slices.Clone(c.Parameters()[1].Gradient)
	c.Gradient(0, []int{1, 2}, 0, 0)
	if diff := cmp.Diff(once, c.Parameters()[1].Gradient); diff != "" {
		t.Error(diff)
	}
	c.Gradient(0, []int{1, 2}, 1, 0)
	for i, g := range c.Parameters()[1].Gradient {
		if math.Abs(g-2*once[i]) > 1e-12 {
			t.Fatalf("gradient %v after twice %v", g, once[i])
		}
	}
	c.ZeroGradient()
	for _, p := range c.Parameters() {
		for _, g := range p.Gradient {
			if g != 0 {
				t.Fatal("not cleared")
			}
		}
	}
}

// The weights see the present log-probability, and the returned values are
// those of LogProb and Entropy.
func TestGradientWeighted(t *testing.T) {
	c := newTest(t, Config{Options: []int{3, 4}, Hidden: 4, InitScale: .8}, 1)
	actions := []int{1, 2}
	c.Gradient(0, actions, 2, .5)
	want := slices.Clone(c.Parameters()[1].Gradient)
	c.ZeroGradient()
	seen := 0.0
	logProb, entropy := c.GradientWeighted(0, actions, func(p float64) (float64, float64) { seen = p; return 2, .5 })
	if diff := cmp.Diff(want, c.Parameters()[1].Gradient); diff != "" {
		t.Error(diff)
	}
	if p, h := c.LogProb(0, actions), c.Entropy(0, actions); seen != p || logProb != p || entropy != h {
		t.Errorf("log-probability %v, given %v, returned %v; entropy %v, returned %v", p, seen, logProb, h, entropy)
	}
	// By definition, from the probabilities.
	h := 0.0
	for _, probs := range c.Probabilities(0, actions) {
		for _, p := range probs {
			h -= p * math.Log(p)
		}
	}
	if math.Abs(h-entropy) > 1e-12 {
		t.Errorf("entropy %v, want %v", entropy, h)
	}
}

// A file whose configuration promises more than its arrays hold is refused
// before anything is allocated for it.
func TestFromFileRefuses(t *testing.T) {
	c := newTest(t, Config{Options: []int{2, 3}, Hidden: 2, ActionEmbedding: 2, TaskEmbedding: 2}, 1)
	agnostic := newTest(t, Config{Options: []int{2, 3}, Hidden: 2, ActionEmbedding: 2, TaskEmbedding: -1}, 1)
	for _, h := range []struct {
		of   *Controller
		with func(*header)
		want string
	}{
		{c, func(h *header) { h.Options = []int{2, 1 << 20} }, "head/1/weights"},
		{c, func(h *header) { h.Options = []int{2, 1 << 40} }, "choice 1"},
		{c, func(h *header) { h.Hidden = 4096 }, "cell/0/weights"},
		{c, func(h *header) { h.Tasks = 2 }, "task/1"},
		{c, func(h *header) { h.Tasks = 1 << 60 }, "tasks"},
		{agnostic, func(h *header) { h.Tasks = -1 }, "tasks"},
	} {
		f := safetensors.New("controller")
		h.of.PutArrays(f, "")
		changed := header{h.of.config, h.of.tasks}
		h.with(&changed)
		f.PutJSON("config", changed)
		if _, err := FromFile(f, ""); err == nil || !strings.Contains(err.Error(), h.want) {
			t.Errorf("%q is not in: %v", h.want, err)
		}
	}
	f := safetensors.New("controller")
	c.Parameters()[0].Value[0] = math.NaN()
	c.PutArrays(f, "")
	if _, err := FromFile(f, ""); err == nil || !strings.Contains(err.Error(), "start") {
		t.Errorf("NaN was taken: %v", err)
	}
}

// The Fisher product is checked against what defines it: the derivative along v
// of the gradient of Σ_t KL(π_θ,t ‖ π_θ',t), whose derivative by step t's
// logits is π_θ',t − π_θ,t.
func TestFisherProductAgainstFiniteDifferences(t *testing.T) {
	for _, cfg := range []Config{
		{Options: []int{3, 2, 4}, Hidden: 4, Layers: 2, ActionEmbedding: 3, TaskEmbedding: 2, InitScale: .8},
		{Options: []int{3, 2, 4, 2}, Hidden: 3, Layers: 3, ActionEmbedding: 2, TaskEmbedding: -1, InitScale: .8},
		{Options: []int{5}, Hidden: 3, Layers: 1, ActionEmbedding: 2, TaskEmbedding: 2, InitScale: .8},
	} {
		c := newTest(t, cfg, 2)
		const task, weight, h = 1, -1.3, 1e-5
		actions := make([]int, len(cfg.Options))
		c.Sample(rng.New(1, "test", 0), task, actions)
		var v, at [][]float64
		r := rng.New(2, "test", 0)
		for _, p := range c.Parameters() {
			d := make([]float64, len(p.Value))
			for i := range d {
				d[i] = r.NormFloat64()
			}
			v, at = append(v, d), append(at, slices.Clone(p.Value))
		}
		old := c.Probabilities(task, actions)
		gradientAt := func(step float64) [][]float64 {
			for i, p := range c.Parameters() {
				for k := range p.Value {
					p.Value[k] = at[i][k] + step*v[i][k]
				}
			}
			c.ZeroGradient()
			c.GradientFunc(task, actions, func(t int, probs, d []float64) {
				for i := range d {
					d[i] = probs[i] - old[t][i]
				}
			})
			var out [][]float64
			for _, p := range c.Parameters() {
				out = append(out, slices.Clone(p.Gradient))
			}
			return out
		}
		up, down := gradientAt(h), gradientAt(-h)
		gradientAt(0)
		c.ZeroGradient()
		for range 2 { // products add up
			c.FisherProduct(task, actions, v, weight/2)
		}
		curvature := 0.0
		for i, p := range c.Parameters() {
			for k, got := range p.Gradient {
				want := weight * (up[i][k] - down[i][k]) / (2 * h)
				if math.Abs(got-want) > 1e-7+1e-6*math.Abs(want) {
					t.Fatalf("%d layers, %s[%d]: %v, %v by differences", cfg.Layers, p.Name, k, got, want)
				}
				curvature += got * v[i][k] / weight
			}
		}
		if !(curvature > 1e-3) {
			t.Errorf("%d layers: vᵀFv = %v", cfg.Layers, curvature)
		}
		if n := testing.AllocsPerRun(5, func() { c.FisherProduct(task, actions, v, 1) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

var paperOptions = []int{8, 2, 5, 5, 6, 3, 7, 8, 7, 8, 7, 7}

// The paper starts from an approximately uniform distribution.
func TestFirstDistributionIsNearlyUniform(t *testing.T) {
	for seed := range uint64(5) {
		c, err := New(Config{Options: paperOptions}, seed)
		if err != nil {
			t.Fatal(err)
		}
		c.AddTask(seed)
		actions := make([]int, len(paperOptions))
		for i := range 20 {
			c.Sample(rng.New(seed, "test", uint64(i)), 0, actions)
			for s, probs := range c.Probabilities(0, actions) {
				for _, p := range probs {
					if n := float64(len(probs)); p > 1.2/n || p < .8/n {
						t.Fatalf("seed %d step %d: probabilities %v", seed, s, probs)
					}
				}
			}
		}
	}
}

// Frequencies of samples agree with the probabilities of whole sequences,
// which sum to 1.
func TestSampleFollowsTheDistribution(t *testing.T) {
	c := newTest(t, Config{Options: []int{2, 3}, Hidden: 6, InitScale: 1.5}, 1)
	const n = 20000
	counts := map[[2]int]int{}
	for i := range n {
		var a [2]int
		p := c.Sample(rng.New(2, "test", uint64(i)), 0, a[:])
		if q := c.LogProb(0, a[:]); p != q {
			t.Fatalf("log-probability %v when sampled, %v when asked", p, q)
		}
		counts[a]++
	}
	sum := 0.0
	for i := range 2 {
		for j := range 3 {
			a := [2]int{i, j}
			p := math.Exp(c.LogProb(0, a[:]))
			sum += p
			if sd := math.Sqrt(p * (1 - p) / n); math.Abs(float64(counts[a])/n-p) > 4*sd {
				t.Errorf("%v was drawn %d times of %d with probability %v", a, counts[a], n, p)
			}
		}
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("probabilities sum to %v", sum)
	}
}

func TestGreedyTakesTheMostProbable(t *testing.T) {
	c := newTest(t, Config{Options: []int{4, 5}, InitScale: 1}, 1)
	actions := make([]int, 2)
	c.Greedy(0, actions)
	for s, probs := range c.Probabilities(0, actions) {
		if probs[actions[s]] != slices.Max(probs) {
			t.Errorf("step %d takes %d of %v", s, actions[s], probs)
		}
	}
}

func TestTasks(t *testing.T) {
	c := newTest(t, Config{Options: []int{3, 3}, InitScale: .5}, 2)
	a, b := c.LogProb(0, []int{1, 2}), c.LogProb(1, []int{1, 2})
	if a == b {
		t.Error("the task embedding has no effect")
	}
	before := c.TaskEmbedding(0)
	if i := c.AddTask(7); i != 2 {
		t.Errorf("third task has index %d", i)
	}
	if diff := cmp.Diff(before, c.TaskEmbedding(0)); diff != "" {
		t.Error(diff)
	}
	if got := c.LogProb(0, []int{1, 2}); got != a {
		t.Error("a new task changed an old one")
	}
	// Training on one task leaves the other's embedding alone.
	c.ZeroGradient()
	c.Gradient(2, []int{0, 0}, 1, 0)
	n := len(c.Parameters())
	for i, p := range c.Parameters()[n-3:] {
		zero := !slices.ContainsFunc(p.Gradient, func(g float64) bool { return g != 0 })
		if zero != (i != 2) {
			t.Errorf("%s: gradient %v", p.Name, p.Gradient)
		}
	}
	agnostic := newTest(t, Config{Options: []int{3, 3}, TaskEmbedding: -1}, 2)
	if agnostic.LogProb(0, []int{1, 2}) != agnostic.LogProb(1, []int{1, 2}) || agnostic.TaskEmbedding(0) != nil {
		t.Error("a task-agnostic controller tells tasks apart")
	}
}

func encode(c *Controller) []byte {
	f := safetensors.New("controller")
	c.PutArrays(f, "controller/")
	return f.Encode()
}

func TestRoundTripAndClone(t *testing.T) {
	for _, cfg := range []Config{{Options: paperOptions}, {Options: []int{3}, Layers: 1, TaskEmbedding: -1}} {
		c := newTest(t, cfg, 3)
		b := encode(c)
		f, err := safetensors.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		back, err := FromFile(f, "controller/")
		if err != nil {
			t.Fatal(err)
		}
		if back.Tasks() != 3 || string(encode(back)) != string(b) || string(encode(c.Clone())) != string(b) {
			t.Error("not the same after a round trip")
		}
		clone := c.Clone()
		clone.Parameters()[0].Value[0]++
		if string(encode(c)) != string(b) {
			t.Error("a clone shares its parameters")
		}
	}
}

func TestConfigReportsEverything(t *testing.T) {
	_, err := New(Config{Options: []int{0}, Hidden: -1, Layers: -2, ActionEmbedding: 1e9, TaskEmbedding: -3, InitScale: -1}, 1)
	if err == nil {
		t.Fatal("it was taken")
	}
	want := "controller: choice 0 has 0 options, it must have 1 to 1048576\n" +
		"hidden -1 must lie between 1 and 4096\nlayers -2 must lie between 1 and 16\n" +
		"action_embedding 1000000000 must lie between 1 and 4096\n" +
		"task_embedding -3 must lie between 1 and 4096, or be −1 for none\ninit_scale -1 must lie between 1e-12 and 100"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestNoAllocation(t *testing.T) {
	c := newTest(t, Config{Options: paperOptions}, 1)
	actions := make([]int, len(paperOptions))
	r := rng.New(1, "test", 0)
	if n := testing.AllocsPerRun(20, func() {
		c.Sample(r, 0, actions)
		c.ZeroGradient()
		c.Gradient(0, actions, 1, .01)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFromFile(f *testing.F) {
	c, err := New(Config{Options: []int{2, 3}, Hidden: 2, ActionEmbedding: 2, TaskEmbedding: 2}, 1)
	if err != nil {
		f.Fatal(err)
	}
	c.AddTask(1)
	f.Add(encode(c))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := safetensors.Decode(b)
		if err != nil {
			return
		}
		if c, err := FromFile(file, "controller/"); err == nil && c.Tasks() > 0 {
			c.Greedy(0, make([]int, len(c.Config().Options)))
		}
	})
}

func BenchmarkSampleAndGradient(b *testing.B) {
	c := newTest(b, Config{Options: paperOptions}, 1)
	actions := make([]int, len(paperOptions))
	r := rng.New(1, "test", 0)
	b.ReportAllocs()
	for b.Loop() {
		c.Sample(r, 0, actions)
		c.ZeroGradient()
		c.Gradient(0, actions, 1, .01)
	}
}
