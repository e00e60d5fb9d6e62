// Package controller is the policy of Neural AutoML: an LSTM that designs a
// child model by a sequence of actions, conditioned on a learned embedding of
// the task (Wong et al., 2018, §2 and §4).
//
// At step t the input x_t is the embedding of the action taken at t−1 (a
// learned start vector at t = 0) concatenated with the task's embedding. Each
// layer l is an LSTM cell (Hochreiter and Schmidhuber, 1997; with forget gates,
// Gers et al., 2000), with z = W·[x; h'] + b for its input x and previous state
// h', c', in the gate order i, f, g, o:
//
//	c = σ(f)∘c' + σ(i)∘tanh(g),  h = σ(o)∘tanh(c)
//
// A skip connection carries the input past the cells to the step's own softmax
// head: logits_t = V_t·[h_L; x_t] + a_t.
//
// Everything is float64, so that proposals never depend on the float32 kernels
// that child models happen to run on.
package controller

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	kernels "tnaml/nn/blas"
	"tnaml/nn/optimizer"
	"tnaml/nn/rng"
)

// Config is a controller's shape. The zero value of each field but Options
// stands for the paper's.
type Config struct {
	// Options holds the number of options of each choice, in the order of the
	// actions.
	Options []int `json:"options"`
	// Order is the choice that each step makes, where that is not the order of the
	// actions: a controller that has grown goes on in the order it learned in (Grow).
	Order []int `json:"order,omitempty"`
	// Hidden is the number of units of a layer (50), Layers their number (2).
	Hidden int `json:"hidden"`
	Layers int `json:"layers"`
	// ActionEmbedding and TaskEmbedding are lengths (25 each). −1 for
	// TaskEmbedding leaves it out: a task-agnostic controller (§4.3).
	ActionEmbedding int `json:"action_embedding"`
	TaskEmbedding   int `json:"task_embedding"`
	// InitScale: all weights and embeddings start uniform in ±InitScale (0.1,
	// as Pham et al., 2018) and biases at 0, the forget gates' included: with a
	// sequence of a dozen steps and the skip connection there is no long memory
	// to protect. The first distribution is then nearly uniform (§4).
	InitScale float64 `json:"init_scale"`
}

// WithDefaults fills in the paper's values and reports what cannot be.
func (c Config) WithDefaults() (Config, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.Hidden, 50)
	def(&c.Layers, 2)
	def(&c.ActionEmbedding, 25)
	def(&c.TaskEmbedding, 25)
	if c.InitScale == 0 {
		c.InitScale = 0.1
	}
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if len(c.Options) == 0 {
		bad("no choices")
	}
	for i, n := range c.Options {
		if n < 1 || n > 1<<20 {
			bad("choice %d has %d options, it must have 1 to %d", i, n, 1<<20)
		}
	}
	if sorted := slices.Sorted(slices.Values(c.Order)); len(c.Order) > 0 && !slices.Equal(sorted, identity(len(c.Options))) {
		bad("order %v names not each of the %d choices once", c.Order, len(c.Options))
	}
	const most = 4096
	for _, v := range []struct {
		name        string
		value, most int
	}{{"hidden", c.Hidden, most}, {"layers", c.Layers, 16}, {"action_embedding", c.ActionEmbedding, most}} {
		if v.value < 1 || v.value > v.most {
			bad("%s %d must lie between 1 and %d", v.name, v.value, v.most)
		}
	}
	if len(c.Options) > most {
		bad("%d choices, more than %d", len(c.Options), most)
	}
	if c.TaskEmbedding < -1 || c.TaskEmbedding > most {
		bad("task_embedding %d must lie between 1 and %d, or be −1 for none", c.TaskEmbedding, most)
	}
	const leastScale, mostScale = 1e-12, 100 // beyond, log-probabilities stop being numbers
	if !(c.InitScale >= leastScale && c.InitScale <= mostScale) {
		bad("init_scale %v must lie between %v and %v", c.InitScale, leastScale, mostScale)
	}
	return c, errors.Join(errs...)
}

// identity returns 0…n−1.
func identity(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// choice is the choice that a step makes.
func (c *Config) choice(step int) int {
	if len(c.Order) == 0 {
		return step
	}
	return c.Order[step]
}

// task returns the length of a task embedding, 0 for none.
func (c Config) task() int { return max(c.TaskEmbedding, 0) }

// input returns the length of x_t.
func (c Config) input() int { return c.ActionEmbedding + c.task() }

// Controller is a policy over sequences of actions. It is not safe for
// concurrent use.
type Controller struct {
	config Config
	params []optimizer.Parameter // start, cells, heads, embeddings of actions, then of tasks
	cells  []affine              // 4·Hidden × (in + Hidden)
	heads  []affine              // options × (Hidden + input)
	// firstAction indexes the embedding of choice 0's actions.
	firstAction int
	tasks       int
	taskRate    float64 // optimizer.Parameter's Rate of the tasks' embeddings
	work        workspace
}

// affine is a weight matrix with its bias, as indices into params.
type affine struct{ weights, bias int }

// New returns a controller without tasks. The seed decides all weights.
func New(cfg Config, seed uint64) (*Controller, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	c := blank(cfg)
	for i, p := range c.params {
		if !strings.HasSuffix(p.Name, "/bias") {
			uniform(p.Value, seed, "controller/init", uint64(i), cfg.InitScale)
		}
	}
	return c, nil
}

func uniform(v []float64, seed uint64, stream string, index uint64, scale float64) {
	r := rng.New(seed, stream, index)
	for i := range v {
		v[i] = scale * (2*r.Float64() - 1)
	}
}

// array is the name and shape of a parameter.
type array struct {
	name  string
	shape []int
}

// layout lists a controller's arrays in the order of its parameters: start,
// cells, heads, embeddings of the actions, by step. The last step's action is the
// input of no step and has no embedding.
func layout(cfg Config) []array {
	out := []array{{"start", []int{cfg.ActionEmbedding}}}
	in := cfg.input()
	for l := range cfg.Layers {
		name := "cell/" + strconv.Itoa(l)
		out = append(out, array{name + "/weights", []int{4 * cfg.Hidden, in + cfg.Hidden}}, array{name + "/bias", []int{4 * cfg.Hidden}})
		in = cfg.Hidden
	}
	for t := range cfg.Options {
		name, n := "head/"+strconv.Itoa(t), cfg.Options[cfg.choice(t)]
		out = append(out, array{name + "/weights", []int{n, cfg.Hidden + cfg.input()}}, array{name + "/bias", []int{n}})
	}
	for t := range cfg.Options[1:] {
		out = append(out, array{"action/" + strconv.Itoa(t), []int{cfg.Options[cfg.choice(t)], cfg.ActionEmbedding}})
	}
	return out
}

func (a array) parameter() optimizer.Parameter {
	n := 1
	for _, d := range a.shape {
		n *= d
	}
	return optimizer.Parameter{Name: a.name, Shape: a.shape, Value: make([]float64, n), Gradient: make([]float64, n)}
}

// taskArray is the array of a task's embedding.
func (c Config) taskArray(task int) array {
	return array{"task/" + strconv.Itoa(task), []int{c.task()}}
}

// blank returns a controller of zeros.
func blank(cfg Config) *Controller {
	c := &Controller{config: cfg, work: newWorkspace(cfg)}
	c.config.Options, c.config.Order = slices.Clone(cfg.Options), slices.Clone(cfg.Order)
	for _, a := range layout(cfg) {
		c.params = append(c.params, a.parameter())
	}
	at := 1
	next := func() affine { at += 2; return affine{at - 2, at - 1} }
	for range cfg.Layers {
		c.cells = append(c.cells, next())
	}
	for range cfg.Options {
		c.heads = append(c.heads, next())
	}
	c.firstAction = at
	return c
}

// AddTask adds a task with a randomly initialised embedding and returns its
// index. Nothing else changes (§2.3).
func (c *Controller) AddTask(seed uint64) int {
	p := c.config.taskArray(c.tasks).parameter()
	uniform(p.Value, seed, "controller/task", 0, c.config.InitScale)
	if p.Rate = c.taskRate; len(p.Value) > 0 {
		c.params = append(c.params, p)
	}
	c.tasks++
	return c.tasks - 1
}

// WithTasks returns an independent copy with other tasks in place of its own, whose
// embeddings are given; of a task-agnostic controller only their number counts.
func (c *Controller) WithTasks(embeddings [][]float64) *Controller {
	d := blank(c.config)
	for i := range d.params { // what is of no task
		copy(d.params[i].Value, c.params[i].Value)
	}
	for _, e := range embeddings {
		task := d.AddTask(0)
		d.SetTaskEmbedding(task, e)
	}
	return d
}

// SetTaskEmbedding replaces a task's embedding; it does nothing where there is none.
func (c *Controller) SetTaskEmbedding(task int, embedding []float64) {
	i := c.taskArray(task)
	if i < 0 {
		return
	}
	if len(embedding) != len(c.params[i].Value) {
		panic(fmt.Sprintf("controller: embedding of %d numbers, not %d", len(embedding), len(c.params[i].Value)))
	}
	copy(c.params[i].Value, embedding)
}

// SetTaskRate scales the learning rate of the tasks' embeddings, of those to come
// too. It is no part of what is stored.
func (c *Controller) SetTaskRate(rate float64) {
	c.taskRate = rate
	if c.config.task() > 0 {
		for i := range c.tasks {
			c.params[c.taskArray(i)].Rate = rate
		}
	}
}

// Config returns the controller's shape, defaults filled in.
func (c *Controller) Config() Config { return c.config }

// Tasks returns the number of tasks.
func (c *Controller) Tasks() int { return c.tasks }

// NoTask in place of a task is none of them: its embedding is zero, and learns
// nothing.
const NoTask = -1

// taskArray indexes a task's embedding in params, −1 for a task-agnostic
// controller and for NoTask.
func (c *Controller) taskArray(task int) int {
	if task < NoTask || task >= c.tasks {
		panic(fmt.Sprintf("controller: task %d of %d", task, c.tasks))
	}
	if c.config.task() == 0 || task == NoTask {
		return -1
	}
	return len(c.params) - c.tasks + task
}

// TaskEmbedding returns a copy of a task's embedding, empty for a
// task-agnostic controller.
func (c *Controller) TaskEmbedding(task int) []float64 {
	if i := c.taskArray(task); i >= 0 {
		return slices.Clone(c.params[i].Value)
	}
	return nil
}

// Parameters returns all parameters with their gradients, in a stable order;
// those of the tasks come last. The slices are the controller's own.
func (c *Controller) Parameters() []optimizer.Parameter { return c.params }

// ZeroGradient clears all gradients.
func (c *Controller) ZeroGradient() {
	for _, p := range c.params {
		clear(p.Gradient)
	}
}

// Clone returns an independent copy, gradients zero.
func (c *Controller) Clone() *Controller {
	d := blank(c.config)
	d.tasks, d.taskRate = c.tasks, c.taskRate
	for _, p := range c.params[len(d.params):] {
		d.params = append(d.params, array{p.Name, p.Shape}.parameter())
	}
	for i := range d.params {
		copy(d.params[i].Value, c.params[i].Value)
		d.params[i].Rate = c.params[i].Rate
	}
	return d
}

// Sample draws a sequence of actions for a task into actions and returns its
// log-probability.
func (c *Controller) Sample(r *rand.Rand, task int, actions []int) float64 {
	return c.run(task, actions, func(_ int, probs []float64) int { return draw(r, probs) })
}

// Resample draws anew those of a sequence's actions that it is told to, each given the
// actions before it, and returns the log-probability of what comes of it.
func (c *Controller) Resample(r *rand.Rand, task int, actions []int, anew func(choice int) bool) float64 {
	return c.run(task, actions, func(choice int, probs []float64) int {
		if anew(choice) {
			return draw(r, probs)
		}
		return actions[choice]
	})
}

func draw(r *rand.Rand, probs []float64) int {
	u := r.Float64()
	for i, p := range probs {
		if u -= p; u < 0 {
			return i
		}
	}
	return len(probs) - 1 // rounding
}

// Greedy takes the most probable option at each step, given those before it, and
// returns the sequence's log-probability: greedy decoding.
func (c *Controller) Greedy(task int, actions []int) float64 {
	return c.run(task, actions, func(_ int, probs []float64) int {
		best := 0
		for i, p := range probs {
			if p > probs[best] {
				best = i
			}
		}
		return best
	})
}

// run unrolls the controller, taking the action that pick says at each step,
// and returns log π(actions | task).
func (c *Controller) run(task int, actions []int, pick func(choice int, probs []float64) int) float64 {
	if len(actions) != len(c.config.Options) {
		panic(fmt.Sprintf("controller: %d actions for %d choices", len(actions), len(c.config.Options)))
	}
	logProb := 0.0
	for t := range c.config.Options {
		c.forward(t, task, actions)
		choice, probs := c.config.choice(t), c.work.steps[t].probs
		if pick != nil {
			actions[choice] = pick(choice, probs)
		}
		logProb += math.Log(probs[actions[choice]])
	}
	return logProb
}

// LogProb returns log π(actions | task).
func (c *Controller) LogProb(task int, actions []int) float64 { return c.run(task, actions, nil) }

// Probabilities returns each choice's distribution given the actions of the steps
// before its own: Options[i] long for choice i.
func (c *Controller) Probabilities(task int, actions []int) [][]float64 {
	c.run(task, actions, nil)
	out := make([][]float64, len(c.config.Options))
	for t := range out {
		out[c.config.choice(t)] = slices.Clone(c.work.steps[t].probs)
	}
	return out
}

// Gradient adds the gradient of
//
//	wLogProb·log π(actions | task) + wEntropy·Σ_t H(π_t | actions before t)
//
// to the parameters' gradients, and returns the log-probability and the summed
// entropy, in nats.
func (c *Controller) Gradient(task int, actions []int, wLogProb, wEntropy float64) (logProb, entropy float64) {
	return c.GradientWeighted(task, actions, func(float64) (float64, float64) { return wLogProb, wEntropy })
}

// GradientWeighted is Gradient with weights that depend on the present
// log-probability of the actions, as importance ratios do.
func (c *Controller) GradientWeighted(
	task int, actions []int, weights func(logProb float64) (wLogProb, wEntropy float64),
) (logProb, entropy float64) {
	logProb = c.run(task, actions, nil)
	wLogProb, wEntropy := weights(logProb)
	for t := range c.config.Options {
		probs, d := c.work.steps[t].probs, c.work.steps[t].dlogits
		h := entropyOf(probs)
		entropy += h
		for i, p := range probs { // d log π/d logit = 1[i = a] − p;  dH/d logit = −p(log p + H)
			d[i] = -wLogProb * p
			if p > 0 && wEntropy != 0 {
				d[i] -= wEntropy * p * (math.Log(p) + h)
			}
		}
		d[actions[c.config.choice(t)]] += wLogProb
	}
	c.backward(task, actions)
	return logProb, entropy
}

// entropyOf returns −Σ p log p in nats.
func entropyOf(probs []float64) float64 {
	h := 0.0
	for _, p := range probs {
		if p > 0 {
			h -= p * math.Log(p)
		}
	}
	return h
}

// Entropy returns the entropies, in nats, of the steps' distributions given
// the actions before them, summed.
func (c *Controller) Entropy(task int, actions []int) float64 {
	c.run(task, actions, nil)
	h := 0.0
	for t := range c.work.steps {
		h += entropyOf(c.work.steps[t].probs)
	}
	return h
}

// GradientFunc adds the gradient of any objective that depends on the
// parameters through the logits: f fills in dlogits, the objective's
// derivative by the logits of a choice (zero before), given the choice's
// probabilities. It is called for the steps in their order.
func (c *Controller) GradientFunc(task int, actions []int, f func(choice int, probs, dlogits []float64)) (logProb float64) {
	logProb = c.run(task, actions, nil)
	for t := range c.config.Options {
		s := &c.work.steps[t]
		clear(s.dlogits)
		f(c.config.choice(t), s.probs, s.dlogits)
	}
	c.backward(task, actions)
	return logProb
}

// apply computes y = W·x + b.
func (c *Controller) apply(a affine, x, y []float64) {
	copy(y, c.params[a.bias].Value)
	kernels.Dots(y, c.params[a.weights].Value, len(x), x)
}

// applyBack sets dx = Wᵀ·dy.
func (c *Controller) applyBack(a affine, dy, dx []float64) {
	kernels.Sums(dx, c.params[a.weights].Value, len(dx), dy, 1, len(dy), false)
}

// addGradient adds dW += Σ dyₜ·xₜᵀ and db += Σ dyₜ over n steps, of which x and dy
// hold one after the other.
func (c *Controller) addGradient(a affine, x, dy []float64, n int) {
	weights, bias := c.params[a.weights].Gradient, c.params[a.bias].Gradient
	rows, cols := len(dy)/n, len(x)/n
	for r := range rows {
		kernels.Sums(weights[r*cols:][:cols], x, cols, dy[r:], rows, n, true)
	}
	for t := range n {
		for r, d := range dy[t*rows:][:rows] {
			bias[r] += d
		}
	}
}
