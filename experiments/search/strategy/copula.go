package strategy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
	"tnaml/nn/trees"
)

// Copula learns from other tasks which quantile a configuration reaches.
const Copula = "copula"

var copulaSearch = Definition{
	Name:        Copula,
	Doc:         "what other tasks say of a configuration's quantile, sampled or the prior of a Gaussian process",
	Defaults:    defaultsOf(copulaSettings),
	FromSources: true,
	Settings:    copulaSettings,
	New:         newCopula,
}

// CopulaSettings are the parameters of the strategy "copula".
type CopulaSettings struct {
	// Method is "thompson", which learns nothing of the target, or "gp".
	Method string `json:"method"`
	// Candidates is the number of configurations that each trial is the best of.
	Candidates int `json:"candidates"`
}

func copulaSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := CopulaSettings{Method: copulaThompson, Candidates: 10_000}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	if s.Method != copulaThompson && s.Method != copulaProcess {
		errs = append(errs, fmt.Errorf("method is %q: it must be %s or %s", s.Method, copulaThompson, copulaProcess))
	}
	if s.Candidates < 1 || s.Candidates > maxDraws {
		errs = append(errs, fmt.Errorf("candidates is %d: it must lie between 1 and %d", s.Candidates, maxDraws))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// The methods.
const (
	copulaThompson = "thompson"
	copulaProcess  = "gp"
)

// maxDraws bounds what a proposal costs.
const maxDraws = 1_000_000

// copula is Copula Thompson Sampling (Salinas, Shen, Perrone, "A quantile-based approach
// for hyperparameter transfer learning", ICML 2020, §4.1): the losses of each other task
// are made normal by their ranks, z = Φ⁻¹(F(loss)), one model of all tasks together says
// z ~ N(μ(x), σ²(x)) of a configuration x, and a trial is, of configurations drawn
// uniformly (10,000 in the authors' program), the one with the least z drawn from the
// model. Of the target's own trials it learns nothing. Without sources it is random
// search.
//
// By the method "gp" it is the paper's Gaussian Copula Process (§4.2): after some trials
// the target's own z, less μ(x) and over σ(x), are values of a Gaussian process, and a
// trial is the one with the greatest expected improvement.
//
// What differs: the paper's model is a network of three layers of 50 units fitted by the
// Gaussian likelihood in some thousand steps, ours are two forests, one of z and one of
// the squared residuals, which is the likelihood's σ² given μ. They take options as they
// are, and are fitted in a tenth of a second, so that thousands of searches can be
// simulated; Syne Tune, of the same authors, has trees in the network's place too. And
// 200 trials share their candidates, not their draws of z. The Gaussian process has one
// length for all choices, chosen anew where the number of trials has doubled, what is in
// flight is not proposed again, and the improvement is climbed choice by choice from the
// candidates most promising by μ and σ alone, where the authors follow its gradient.
type copula struct {
	start    Start
	settings CopulaSettings
	mean     *trees.Model
	variance *trees.Model
	pool     candidates
	stream   rng.Stream
	targets  []copulaTask // of the method "gp", one of each task
	flying   flights      // of the same
}

// copulaTask is what is known of a task of the search.
type copulaTask struct {
	past
	process *process // of the first trials, nil while there is none
}

// candidates are those of poolTrials trials, with the model's view of them.
type candidates struct {
	block   int // their trials are block · poolTrials and those after; −1: none drawn
	actions [][]int
	mean    []float64
	sigma   []float64
}

const poolTrials = 200

func newCopula(s Start) (Strategy, error) {
	var settings CopulaSettings
	if err := strict.Unmarshal(s.Settings, &settings); err != nil {
		return nil, err
	}
	c := &copula{start: s, settings: settings, pool: candidates{block: -1}, targets: make([]copulaTask, len(s.Tasks))}
	c.start.Sources = nil
	return c, c.learn(rewarded(s.Sources))
}

// learn fits the model to all tasks' trials together.
func (c *copula) learn(tasks []rewardedTask) error {
	var x [][]int
	var z []float64
	for _, t := range tasks {
		x, z = append(x, t.actions...), append(z, gaussian(negative(t.rewards))...)
	}
	fit := func(y []float64, size int, leaf float64, stream string) (*trees.Model, error) {
		return trees.Forest(featuresOf(c.start.Space), x, y, nil, trees.Options{
			Trees: size, MinLeaf: leaf, Seed: rng.Derive(c.start.Seed, "copula/"+stream, 0),
		})
	}
	// Leaves are large enough to average the noise out of a mean, and to estimate a
	// variance.
	var errs [2]error
	c.mean, errs[0] = fit(z, 20, 5, "mean")
	residuals := make([]float64, len(z))
	c.mean.Values(trees.NewRows(featuresOf(c.start.Space), x), residuals)
	for i, mean := range residuals {
		d := z[i] - mean
		residuals[i] = d * d
	}
	c.variance, errs[1] = fit(residuals, 10, 20, "variance")
	return errors.Join(errs[:]...)
}

// negative are the losses of rewards.
func negative(rewards []float64) []float64 {
	losses := make([]float64, len(rewards))
	for i, r := range rewards {
		losses[i] = -r
	}
	return losses
}

// draw draws the candidates of a trial, unless they are there.
func (c *copula) draw(trial int) {
	p := &c.pool
	if block := trial / poolTrials; p.block != block {
		options := c.start.Space.Options()
		if p.actions == nil {
			p.actions = make([][]int, c.settings.Candidates)
			p.mean, p.sigma = make([]float64, c.settings.Candidates), make([]float64, c.settings.Candidates)
			flat := make([]int, c.settings.Candidates*len(options))
			for i := range p.actions {
				p.actions[i] = flat[i*len(options) : (i+1)*len(options)]
			}
		}
		p.block = block
		g := rng.New(c.start.Seed, "copula/candidates", uint64(block))
		for _, actions := range p.actions {
			for k, n := range options {
				actions[k] = g.IntN(n)
			}
		}
		rows := trees.NewRows(featuresOf(c.start.Space), p.actions)
		c.mean.Values(rows, p.mean)
		c.variance.Values(rows, p.sigma)
		for i, variance := range p.sigma {
			p.sigma[i] = sigmaOf(variance)
		}
	}
}

// predict is the model's μ and σ.
func (c *copula) predict(actions []int) (mean, sigma float64) {
	return c.mean.Predict(actions), sigmaOf(c.variance.Predict(actions))
}

func sigmaOf(variance float64) float64 { return max(math.Sqrt(variance), leastSigma) }

// leastSigma leaves chance among configurations that nothing is known of.
const leastSigma = .01

func (c *copula) Ask(trial, task int) ([]int, float64) {
	c.draw(trial)
	var actions []int
	if t := &c.targets[task]; len(t.rewards) >= ownTrials {
		actions = c.improve(trial, t, c.flying.before(trial, task))
	} else {
		actions = c.thompson(trial, c.flying.before(trial, task))
	}
	if c.settings.Method == copulaProcess {
		c.flying.add(trial, task, slices.Clone(actions))
	}
	return actions, 0
}

// thompson is the configuration with the least z of those drawn from the model, but for
// those in flight, if there are others.
func (c *copula) thompson(trial int, flying [][]int) []int {
	g := c.stream.At(c.start.Seed, "copula/z", uint64(trial))
	best, least := -1, math.Inf(1)
	for i, mean := range c.pool.mean {
		if z := mean + c.pool.sigma[i]*g.NormFloat64(); z < least && !contains(flying, c.pool.actions[i]) {
			best, least = i, z
		}
	}
	return slices.Clone(c.pool.actions[max(best, 0)])
}

// ownTrials is how many trials of a task there must be before its Gaussian process
// proposes.
const ownTrials = 5

// improve is the configuration with the greatest expected improvement of those tried, none
// of which is in flight.
func (c *copula) improve(trial int, t *copulaTask, flying [][]int) []int {
	z := gaussian(negative(t.rewards))
	c.follow(t, z)
	least := slices.Min(z)
	order := make([]int, len(c.pool.actions))
	prior := make([]float64, len(order))
	for i := range order {
		order[i], prior[i] = i, improvement(least, c.pool.mean[i], c.pool.sigma[i])
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(prior[b], prior[a]), cmp.Compare(a, b)) })
	of := func(actions []int) float64 {
		if contains(flying, actions) {
			return math.Inf(-1)
		}
		mean, sigma := c.predict(actions)
		m, s := t.process.predict(actions)
		return improvement(least, mean+sigma*m, sigma*s)
	}
	var best []int
	most := math.Inf(-1)
	for _, i := range order[:min(shortList, len(order))] {
		if v := of(c.pool.actions[i]); v > most || best == nil {
			best, most = c.pool.actions[i], v
		}
	}
	best = slices.Clone(best)
	g := c.stream.At(c.start.Seed, "copula/climb", uint64(trial))
	options := c.start.Space.Options()
	for range shortList {
		k := g.IntN(len(options))
		old := best[k]
		best[k] = g.IntN(options[k])
		if best[k] == old {
			continue
		}
		if v := of(best); v > most {
			most = v
		} else {
			best[k] = old
		}
	}
	return best
}

// shortList is how many candidates, and how many changes of one choice of the best of
// them, the Gaussian process is asked of.
const shortList = 100

// follow brings a task's Gaussian process up to its trials.
func (c *copula) follow(t *copulaTask, z []float64) {
	residuals := func(z []float64) []float64 {
		out := make([]float64, len(z))
		for i := range z {
			mean, sigma := c.predict(t.actions[i])
			out[i] = (z[i] - mean) / sigma
		}
		return out
	}
	fitted := ownTrials // of so many trials are its length and noise
	for 2*fitted <= len(z) {
		fitted *= 2
	}
	if t.process == nil || len(t.process.x) < fitted {
		t.process = fitProcess(featuresOf(c.start.Space), t.actions[:fitted], residuals(gaussian(negative(t.first(fitted)))))
	}
	t.process.add(t.actions[len(t.process.x):]...)
	t.process.observe(residuals(z))
}

// improvement is what a value of a normal distribution is expected to be below the least
// so far.
func improvement(least, mean, sigma float64) float64 {
	u := (least - mean) / sigma
	return sigma * (u*math.Erfc(-u/math.Sqrt2)/2 + math.Exp(-u*u/2)/math.Sqrt(2*math.Pi))
}

func (c *copula) Tell(t Told) error {
	if c.settings.Method == copulaProcess {
		c.targets[t.Task].add(t)
		c.flying.land(t.Trial)
	}
	return nil
}

func (c *copula) Put(f *safetensors.File) {
	c.mean.PutArrays(f, "copula/mean/")
	c.variance.PutArrays(f, "copula/variance/")
	if c.settings.Method == copulaProcess {
		tasks := make([]past, len(c.targets))
		for i, t := range c.targets {
			tasks[i] = t.past
		}
		putPast(f, "copula", tasks, len(c.start.Space.Choices))
		c.flying.put(f, "copula/flying", len(c.start.Space.Choices))
	}
}

func (c *copula) Get(f *safetensors.File) error {
	mean, err := trees.FromFile(f, "copula/mean/", featuresOf(c.start.Space))
	if err != nil {
		return err
	}
	variance, err := trees.FromFile(f, "copula/variance/", featuresOf(c.start.Space))
	if err != nil {
		return err
	}
	targets := make([]copulaTask, len(c.targets))
	if c.settings.Method == copulaProcess {
		tasks, err := getPast(f, "copula", len(targets), c.start.Space.Options())
		if err != nil {
			return err
		}
		for i, t := range tasks {
			targets[i].past = t
		}
		if c.flying, err = getFlights(f, "copula/flying", c.start.Space, len(targets)); err != nil {
			return err
		}
	}
	c.mean, c.variance, c.pool.block, c.targets = mean, variance, -1, targets
	return nil
}
