package policygradient

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"tnaml/nn/controller"
	"tnaml/nn/optimizer"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// examples returns a controller of two tasks and episodes of both, sampled by
// somewhat other policies, with advantages of both signs.
func examples(t *testing.T) (*controller.Controller, []Episode) {
	t.Helper()
	c, err := controller.New(controller.Config{Options: []int{3, 2, 4}, Hidden: 4, ActionEmbedding: 3, TaskEmbedding: 2, InitScale: .8}, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.AddTask(1)
	c.AddTask(2)
	r := rng.New(1, "test", 0)
	var out []Episode
	for i := range 8 {
		e := Episode{Task: i % 2, Embedding: i % 2, Actions: make([]int, 3), Reward: r.Float64(), Advantage: r.NormFloat64()}
		e.LogProb = c.Sample(r, e.Embedding, e.Actions) + .4*r.NormFloat64()
		out = append(out, e)
	}
	return c, out
}

// checkGradient compares what gradient adds with central differences of the
// objective, for every parameter.
func checkGradient(t *testing.T, name string, c *controller.Controller, gradient func(), objective func() float64) {
	t.Helper()
	c.ZeroGradient()
	gradient()
	nonzero := 0
	for _, p := range c.Parameters() {
		want := slices.Clone(p.Gradient)
		for i, at := range p.Value {
			const h = 1e-5
			p.Value[i] = at + h
			up := objective()
			p.Value[i] = at - h
			down := objective()
			p.Value[i] = at
			if got := (up - down) / (2 * h); math.Abs(got-want[i]) > 1e-8+1e-6*math.Abs(got) {
				t.Fatalf("%s, %s[%d]: gradient %v, %v by differences", name, p.Name, i, want[i], got)
			}
			if want[i] != 0 {
				nonzero++
			}
		}
	}
	if nonzero < 100 {
		t.Errorf("%s: only %d derivatives are not zero", name, nonzero)
	}
}

func TestGradientsOfTheObjectives(t *testing.T) {
	c, episodes := examples(t)

	// What REINFORCE ascends, read off one step of plain gradient ascent.
	e := episodes[1]
	o, err := optimizer.New("sgd", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	step := c.Clone()
	if err := (&reinforce{entropy: .3, optimizer: o}).Update(step, e); err != nil {
		t.Fatal(err)
	}
	checkGradient(t, "reinforce", c, func() {
		for i, p := range c.Parameters() {
			for k := range p.Gradient {
				p.Gradient[k] = step.Parameters()[i].Value[k] - p.Value[k]
			}
		}
	}, func() float64 {
		return e.Advantage*c.LogProb(e.Embedding, e.Actions) + .3*c.Entropy(e.Embedding, e.Actions)
	})

	p := &ppo{PPOConfig: PPOConfig{Ratio: .2}, entropy: .3, memory: memory{size: 8, episodes: episodes}}
	cut := 0
	for _, e := range episodes {
		if clipped(e.ratio(c.LogProb(e.Embedding, e.Actions)), e.Advantage, .2) {
			cut++
		}
	}
	if cut == 0 || cut == len(episodes) {
		t.Fatalf("%d of %d episodes are clipped: the check needs both kinds", cut, len(episodes))
	}
	checkGradient(t, "ppo", c, func() { p.gradient(c) }, func() float64 { return p.objective(c) })

	o3 := &trpo{entropy: .3, memory: memory{size: 8, episodes: episodes}}
	o3.remember(c)
	checkGradient(t, "trpo", c, func() { o3.gradient(c) }, func() float64 { l, _ := o3.objective(c); return l })
	if got, _ := o3.objective(c); math.Abs(o3.gradient(c)-got) > 1e-12 {
		t.Errorf("trpo: objective %v, with the gradient %v", got, o3.gradient(c))
	}

	u := &urex{UREXConfig: UREXConfig{Temperature: .1, Covering: .7}, entropy: .3}
	weights := u.weights(episodes)
	checkGradient(t, "urex", c, func() { u.gradient(c, episodes) }, func() float64 {
		last := episodes[len(episodes)-1]
		sum := last.Advantage*c.LogProb(last.Embedding, last.Actions) + .3*c.Entropy(last.Embedding, last.Actions)
		for k, e := range episodes {
			sum += .7 * (weights[k] - 1./8) * c.LogProb(e.Embedding, e.Actions)
		}
		return sum
	})
}

// What PQT and RSPG ascend, with episodes of which some were sampled without a task.
func TestGradientsOfTheBest(t *testing.T) {
	c, episodes := examples(t)
	episodes[3].Embedding, episodes[7].Embedding = controller.NoTask, controller.NoTask
	p := &pqt{PQTConfig: PQTConfig{K: 3, Weight: .7}, entropy: .3}
	queue := &memory{size: 3}
	for _, e := range episodes {
		queue.enqueue(e)
	}
	last := episodes[7]
	checkGradient(t, "pqt", c, func() { p.gradient(c, last, queue.episodes) }, func() float64 {
		sum := last.Advantage*c.LogProb(last.Embedding, last.Actions) + .3*c.Entropy(last.Embedding, last.Actions)
		for _, e := range queue.episodes {
			sum += .7 / 3 * c.LogProb(e.Embedding, e.Actions)
		}
		return sum
	})

	// RSPG's step, read off plain gradient ascent: the last of ten rewards is 4, the
	// quantile 3.
	o, err := optimizer.New("sgd", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := &rspg{RSPGConfig: RSPGConfig{Epsilon: .3}, entropy: .3, floor: .001, optimizer: o, memories: memories{size: 10}}
	step := c.Clone()
	rewards := []float64{0, 1, 2, 3, 5, 0, 1, 2, 1, 4}
	for i, r := range rewards {
		before := step.Clone()
		if err := m.Update(step, Episode{Actions: episodes[i%8].Actions, Reward: r}); err != nil {
			t.Fatal(err)
		}
		if i == 8 && !slices.Equal(before.Parameters()[1].Value, step.Parameters()[1].Value) {
			t.Error("a reward below the quantile is learned from")
		}
		if i == len(rewards)-1 {
			c = before
		}
	}
	_, sigma := stat.PopMeanStdDev(rewards, nil)
	checkGradient(t, "rspg", c, func() {
		for i, p := range c.Parameters() {
			for k := range p.Gradient {
				p.Gradient[k] = step.Parameters()[i].Value[k] - p.Value[k]
			}
		}
	}, func() float64 {
		return (4-3)/sigma*c.LogProb(0, episodes[1].Actions) + .3*c.Entropy(0, episodes[1].Actions)
	})
}

// The queue holds each architecture once, with its best reward, the best first and of
// equal ones the older.
func TestQueue(t *testing.T) {
	m := &memory{size: 3}
	actions := []int{0}
	for i, step := range []struct {
		action int
		reward float64
		want   []int
	}{
		{1, .5, []int{1}}, {2, .7, []int{2, 1}}, {1, .6, []int{2, 1}}, {1, .4, []int{2, 1}}, {3, .6, []int{2, 1, 3}},
		{4, .6, []int{2, 1, 3}}, {5, .65, []int{2, 5, 1}}, {1, .8, []int{1, 2, 5}}, {6, -1, []int{1, 2, 5}},
	} {
		actions[0] = step.action // the caller's slice is used again
		m.enqueue(Episode{Actions: actions, Reward: step.reward})
		var got []int
		for _, e := range m.episodes {
			got = append(got, e.Actions[0])
		}
		if !slices.Equal(got, step.want) {
			t.Fatalf("step %d: the queue is %v, want %v", i, got, step.want)
		}
	}
}

// RSPG's advantages by hand: of the rewards 0…9, whose standard deviation is 2.8723,
// the .8-quantile lies at 7.2, which counts as 8.
func TestRSPGAdvantage(t *testing.T) {
	r := &rspg{RSPGConfig: RSPGConfig{Epsilon: .2}, floor: .001}
	var episodes []Episode
	for _, reward := range []float64{3, 1, 4, 0, 5, 9, 2, 6, 8, 7} {
		episodes = append(episodes, Episode{Reward: reward})
	}
	if got, want := r.advantage(episodes), (7-8)/math.Sqrt(8.25); math.Abs(got-want) > 1e-12 {
		t.Errorf("advantage %v, want %v", got, want)
	}
	episodes[9].Reward, episodes[5].Reward = 9, 7
	if got, want := r.advantage(episodes), (9-8)/math.Sqrt(8.25); math.Abs(got-want) > 1e-12 {
		t.Errorf("advantage %v, want %v", got, want)
	}
	if got := r.advantage([]Episode{{Reward: .5}, {Reward: .5}}); got != 0 {
		t.Errorf("advantage %v of equal rewards", got)
	}
	// The least σ is the baseline's.
	m, err := New(Config{Method: RSPG, RSPG: RSPGConfig{Epsilon: .5}}, BaselineConfig{Floor: 4})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(*rspg).advantage([]Episode{{Reward: 1}, {Reward: 1}, {Reward: 3}}); got != .5 {
		t.Errorf("advantage %v over a floor of 4", got)
	}
}

// The clipped objective by hand (Schulman et al., 2017, figure 1).
// What is remembered as the best has no episode whose reward stands for a failure; PQT and
// UREX learn from its advantage, as REINFORCE does, RSPG not at all.
func TestUnrankedEpisodes(t *testing.T) {
	for _, name := range []string{PQT, RSPG, UREX} {
		c, episodes := examples(t)
		cfg, plain := Config{Method: name, Optimizer: "sgd", LearningRate: .1}, Config{Optimizer: "sgd", LearningRate: .1}
		m, err := New(cfg, BaselineConfig{})
		if err != nil {
			t.Fatal(err)
		}
		bad := episodes[1]
		bad.Reward, bad.Unranked = 2, true // more than all others
		before, reinforced := c.Clone(), c.Clone()
		if r, err := New(plain, BaselineConfig{}); err != nil || r.Update(reinforced, bad) != nil || m.Update(c, bad) != nil {
			t.Fatal(err)
		}
		want := reinforced
		if name == RSPG {
			want = before
		}
		for i, p := range c.Parameters() {
			if !slices.Equal(p.Value, want.Parameters()[i].Value) {
				t.Errorf("%s: an unranked episode teaches something else", name)
				break
			}
		}
		for _, e := range append(episodes[2:], bad) {
			if err := m.Update(c, e); err != nil {
				t.Fatal(err)
			}
		}
		f := safetensors.New("state")
		m.PutArrays(f, "")
		for _, array := range f.Names() {
			if !strings.HasSuffix(array, "/numbers") {
				continue
			}
			numbers, shape, err := safetensors.Get[float64](f, array, -1, 3)
			if err != nil || shape[0] != 3 || slices.Contains(numbers, bad.Reward) {
				t.Errorf("%s: %s has %v, %v", name, array, numbers, err)
			}
		}
	}
}

func TestClipping(t *testing.T) {
	for _, c := range []struct {
		ratio, advantage float64
		want             bool
	}{{1.3, 1, true}, {1.1, 1, false}, {.5, 1, false}, {.7, -1, true}, {.9, -1, false}, {1.5, -1, false}, {2, 0, false}} {
		if got := clipped(c.ratio, c.advantage, .2); got != c.want {
			t.Errorf("ratio %v, advantage %v: clipped %v", c.ratio, c.advantage, got)
		}
	}
}

// UREX's weights by hand: equal rewards weigh 1/π, and a reward higher by τ·log 2
// doubles the weight.
func TestUREXWeights(t *testing.T) {
	u := &urex{UREXConfig: UREXConfig{Temperature: .1}}
	got := u.weights([]Episode{
		{LogProb: math.Log(.5), Reward: .3},
		{LogProb: math.Log(.25), Reward: .3},
		{LogProb: math.Log(.5), Reward: .3 + .1*math.Ln2},
	})
	for k, want := range []float64{.2, .4, .4} {
		if math.Abs(got[k]-want) > 1e-12 {
			t.Errorf("weights %v", got)
		}
	}
	if w := u.weights([]Episode{{Reward: 5000, LogProb: -1e4}, {}}); w[0] != 1 || w[1] != 0 {
		t.Errorf("weights %v of extreme rewards", w)
	}
}

// A UREX memory is of one task: others' rewards are not comparable.
func TestUREXRemembersByTask(t *testing.T) {
	c, episodes := examples(t)
	m, err := New(Config{Method: UREX}, BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range episodes {
		if err := m.Update(c, e); err != nil {
			t.Fatal(err)
		}
	}
	for task, memory := range m.(*urex).memories.byTask {
		if len(memory.episodes) != 4 {
			t.Errorf("task %d: %d episodes", task, len(memory.episodes))
		}
		for _, e := range memory.episodes {
			if e.Task != task {
				t.Errorf("task %d remembers an episode of task %d", task, e.Task)
			}
		}
	}
}

// Conjugate gradients solve (F + λI)x = g, and return xᵀ(F + λI)x.
func TestTRPOSolves(t *testing.T) {
	c, episodes := examples(t)
	o := &trpo{TRPOConfig: TRPOConfig{Damping: .1, Iterations: 200}, entropy: .3, memory: memory{size: 8, episodes: episodes}}
	o.vectors = &trpoVectors{like(c), like(c), like(c), like(c)}
	c.ZeroGradient()
	o.gradient(c)
	g := like(c)
	for i, p := range c.Parameters() {
		copy(o.vectors.r[i], p.Gradient)
		copy(g[i], p.Gradient)
	}
	curvature := o.solve(c)
	x := o.vectors.x
	if want := dot(x, g); math.Abs(curvature-want) > 1e-6*want || want <= 0 {
		t.Errorf("curvature %v, xᵀg = %v", curvature, want)
	}
	o.product(c, x)
	worst, size := 0.0, 0.0
	for i, p := range c.Parameters() {
		for k, v := range p.Gradient {
			worst = max(worst, math.Abs(v-g[i][k]))
			size = max(size, math.Abs(g[i][k]))
		}
	}
	if worst > 1e-4*size {
		t.Errorf("residual %v, gradient %v", worst, size)
	}
}

// Every update keeps the divergence within the bound, mostly comes near it, and
// improves the objective.
func TestTRPOKeepsWithinItsTrustRegion(t *testing.T) {
	c, episodes := examples(t)
	m, err := New(Config{Method: TRPO, TRPO: TRPOConfig{KL: .01, Damping: .001}}, BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	o := m.(*trpo)
	near := 0
	for i, e := range episodes {
		o.memory.add(e)
		before, _ := func() (float64, float64) { o.remember(c); return o.objective(c) }()
		o.memory.episodes = o.memory.episodes[:i]
		old := c.Clone()
		if err := o.Update(c, e); err != nil {
			t.Fatal(err)
		}
		after, kl := o.objective(c)
		if kl > .01 || after <= before {
			t.Errorf("update %d: divergence %v, objective from %v to %v", i, kl, before, after)
		}
		if direct := divergence(old, c, o.memory.episodes); math.Abs(direct-kl) > 1e-12 {
			t.Errorf("update %d: divergence %v, directly %v", i, kl, direct)
		}
		if kl > .005 {
			near++
		}
	}
	if near < len(episodes)/2 {
		t.Errorf("only %d of %d updates come near the bound", near, len(episodes))
	}
}

// divergence is the mean over the episodes of the summed steps' KL(a ‖ b).
func divergence(a, b *controller.Controller, episodes []Episode) float64 {
	sum := 0.0
	for _, e := range episodes {
		p, q := a.Probabilities(e.Embedding, e.Actions), b.Probabilities(e.Embedding, e.Actions)
		for t := range p {
			for i := range p[t] {
				sum += p[t][i] * math.Log(p[t][i]/q[t][i])
			}
		}
	}
	return sum / float64(len(episodes))
}

// With nothing to learn, TRPO leaves the controller alone.
func TestTRPOWithoutGradient(t *testing.T) {
	c, episodes := examples(t)
	m, err := New(Config{Method: TRPO, Entropy: new(0.)}, BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	before := c.Clone()
	e := episodes[0]
	e.Advantage = 0
	if err := m.Update(c, e); err != nil {
		t.Fatal(err)
	}
	for i, p := range c.Parameters() {
		if !slices.Equal(p.Value, before.Parameters()[i].Value) {
			t.Fatalf("%s changed", p.Name)
		}
	}
}

func TestMemory(t *testing.T) {
	m := memory{size: 3}
	actions := []int{0}
	for i := range 5 {
		actions[0] = i // the caller's slice is used again
		m.add(Episode{Task: i, Actions: actions})
	}
	for k, e := range m.episodes {
		if e.Task != k+2 || e.Actions[0] != k+2 {
			t.Errorf("episode %d: %+v", k, e)
		}
	}
	if len(m.episodes) != 3 {
		t.Errorf("%d episodes", len(m.episodes))
	}
}

func TestBaselineReset(t *testing.T) {
	b, err := NewBaseline(BaselineConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []float64{.2, .9, .4} {
		b.Advantage(0, r)
		b.Advantage(1, r)
	}
	b.Reset(0)
	if got := b.Advantage(0, .7); got != 0 {
		t.Errorf("first advantage %v", got)
	}
	if _, _, n := b.Moments(1); n != 3 {
		t.Errorf("another task has %d rewards", n)
	}
}
