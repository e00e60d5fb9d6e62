package strategy

import (
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
	Doc:         "what other tasks say of a configuration's quantile, sampled (Gaussian copula)",
	Defaults:    copulaDefaults(),
	FromSources: true,
	Settings:    copulaSettings,
	New:         newCopula,
}

// CopulaSettings are the parameters of the strategy "copula".
type CopulaSettings struct {
	// Candidates is the number of configurations that each trial is the best of.
	Candidates int `json:"candidates"`
}

func copulaSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := CopulaSettings{Candidates: 10_000}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	if s.Candidates < 1 || s.Candidates > maxDraws {
		return nil, fmt.Errorf("candidates is %d: it must lie between 1 and %d", s.Candidates, maxDraws)
	}
	return json.Marshal(s)
}

// maxDraws bounds what a proposal costs.
const maxDraws = 1_000_000

func copulaDefaults() json.RawMessage {
	b, err := copulaSettings(json.RawMessage("{}"), nil)
	if err != nil {
		panic(err) // the defaults are valid
	}
	return b
}

// copula is Copula Thompson Sampling (Salinas, Shen, Perrone, "A quantile-based approach
// for hyperparameter transfer learning", ICML 2020, §4.1): the losses of each other task
// are made normal by their ranks, z = Φ⁻¹(F(loss)), one model of all tasks together says
// z ~ N(μ(x), σ²(x)) of a configuration x, and a trial is, of configurations drawn
// uniformly (10,000 in the authors' program), the one with the least z drawn from the
// model. Of the target's own trials it learns nothing. Without sources it is random
// search.
//
// What differs: the paper's model is a network of three layers of 50 units fitted by the
// Gaussian likelihood in some thousand steps, ours are two forests, one of z and one of
// the squared residuals, which is the likelihood's σ² given μ. They take options as they
// are, and are fitted in a tenth of a second, so that thousands of searches can be
// simulated; Syne Tune, of the same authors, has trees in the network's place too. And
// 200 trials share their candidates, not their draws of z.
type copula struct {
	start      Start
	candidates int
	mean       *trees.Model
	variance   *trees.Model
	pool       candidates
	stream     rng.Stream
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
	c := &copula{start: s, candidates: settings.Candidates, pool: candidates{block: -1}}
	c.start.Sources = nil
	return c, c.learn(rewarded(s.Sources))
}

// learn fits the model to all tasks' trials together.
func (c *copula) learn(tasks []rewardedTask) error {
	var x [][]int
	var z []float64
	for _, t := range tasks {
		losses := make([]float64, len(t.rewards))
		for i, r := range t.rewards {
			losses[i] = -r
		}
		x, z = append(x, t.actions...), append(z, gaussian(losses)...)
	}
	fit := func(y []float64, size int, leaf float64, stream string) (*trees.Model, error) {
		return trees.Forest(features(c.start.Space), x, y, nil, trees.Options{
			Trees: size, MinLeaf: leaf, Seed: rng.Derive(c.start.Seed, "copula/"+stream, 0),
		})
	}
	// Leaves are large enough to average the noise out of a mean, and to estimate a
	// variance.
	var errs [2]error
	c.mean, errs[0] = fit(z, 20, 5, "mean")
	residuals := make([]float64, len(z))
	for i := range z {
		d := z[i] - c.mean.Predict(x[i])
		residuals[i] = d * d
	}
	c.variance, errs[1] = fit(residuals, 10, 20, "variance")
	return errors.Join(errs[:]...)
}

// gaussian is the copula's transform Φ⁻¹(F(y)): F is the share of lesser values, kept off
// 0 and 1 by δ = 1/(4 n^¼ √(π ln n)) (Winsorized, Liu, Lafferty, Wasserman, 2009). One
// value alone is in the middle.
func gaussian(y []float64) []float64 {
	out := make([]float64, len(y))
	n := float64(len(y))
	if n < 2 {
		return out
	}
	delta := 1 / (4 * math.Pow(n, .25) * math.Sqrt(math.Pi*math.Log(n)))
	sorted := slices.Sorted(slices.Values(y))
	for i, v := range y {
		at, _ := slices.BinarySearch(sorted, v)
		p := min(max(float64(at)/n, delta), 1-delta)
		out[i] = math.Sqrt2 * math.Erfinv(2*p-1)
	}
	return out
}

// draw draws the candidates of a trial, unless they are there.
func (c *copula) draw(trial int) {
	p := &c.pool
	if block := trial / poolTrials; p.block != block {
		options := c.start.Space.Options()
		if p.actions == nil {
			p.actions = make([][]int, c.candidates)
			p.mean, p.sigma = make([]float64, c.candidates), make([]float64, c.candidates)
			flat := make([]int, c.candidates*len(options))
			for i := range p.actions {
				p.actions[i] = flat[i*len(options) : (i+1)*len(options)]
			}
		}
		p.block = block
		g := rng.New(c.start.Seed, "copula/candidates", uint64(block))
		for i, actions := range p.actions {
			for k, n := range options {
				actions[k] = g.IntN(n)
			}
			p.mean[i] = c.mean.Predict(actions)
			p.sigma[i] = max(math.Sqrt(c.variance.Predict(actions)), leastSigma)
		}
	}
}

// leastSigma leaves chance among configurations that nothing is known of.
const leastSigma = 1e-6

func (c *copula) Ask(trial, _ int) ([]int, float64) {
	c.draw(trial)
	g := c.stream.At(c.start.Seed, "copula/z", uint64(trial))
	best, least := 0, math.Inf(1)
	for i, mean := range c.pool.mean {
		if z := mean + c.pool.sigma[i]*g.NormFloat64(); z < least {
			best, least = i, z
		}
	}
	return slices.Clone(c.pool.actions[best]), 0
}

func (*copula) Tell(Told) error { return nil }

func (c *copula) Put(f *safetensors.File) {
	c.mean.PutArrays(f, "copula/mean/")
	c.variance.PutArrays(f, "copula/variance/")
}

func (c *copula) Get(f *safetensors.File) error {
	mean, err := trees.FromFile(f, "copula/mean/", features(c.start.Space))
	if err != nil {
		return err
	}
	variance, err := trees.FromFile(f, "copula/variance/", features(c.start.Space))
	if err != nil {
		return err
	}
	c.mean, c.variance, c.pool.block = mean, variance, -1
	return nil
}
