package strategy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"tnaml/experiments/strict"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// TPE is the tree-structured Parzen estimator (Bergstra et al., "Algorithms for
// hyper-parameter optimization", 2011) with joint kernels over all choices (Falkner
// et al., "BOHB", 2018), as the TPESampler of Optuna 3.1 has it with
// multivariate=True and otherwise its defaults: the best tenth of a task's trials,
// at most 25, make the density l, the others g; of 24 candidates drawn from l the
// one with the largest l/g is tried.
//
// Trials without an outcome are not counted (Optuna's constant_liar is off). One that
// failed counts as much as the worst that has a value, and one that is infeasible as worse
// (effective), where Optuna would leave the former out. One that was pruned counts as the
// worst that ended well at most; Optuna puts all of these behind those that ended, and among
// themselves by how far they came, then by what they had reached there. Each task has
// estimators of its own.
const TPE = "tpe"

var treeParzen = Definition{
	Name:     TPE,
	Doc:      "the candidate most typical of the best trials as against the others (TPE, Optuna's multivariate defaults)",
	Defaults: defaultsOf(tpeSettings),
	Settings: tpeSettings,
	New:      newTPE,
}

// TPESettings are the parameters of the strategy "tpe".
type TPESettings struct {
	// Startup is the number of trials to be told before the first that is not drawn
	// uniformly (n_startup_trials).
	Startup int `json:"startup"`
	// Candidates is how many of them each trial is chosen from (n_ei_candidates).
	Candidates int `json:"candidates"`
	// Ordinal gives choices whose options have an order Gaussian kernels over the
	// options' places (IntDistribution); false: all choices are categorical.
	Ordinal bool `json:"ordinal"`
}

func tpeSettings(raw json.RawMessage, _ *Pretrained) (json.RawMessage, error) {
	s := TPESettings{Startup: 10, Candidates: 24}
	if err := strict.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	var errs []error
	if s.Startup < 0 {
		errs = append(errs, fmt.Errorf("startup is %d: it must be 0 or more", s.Startup))
	}
	if s.Candidates < 1 || s.Candidates > maxCandidates {
		errs = append(errs, fmt.Errorf("candidates is %d: it must lie between 1 and %d", s.Candidates, maxCandidates))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// maxCandidates bounds the time that a proposal takes.
const maxCandidates = 10000

type tpe struct {
	seed     uint64
	settings TPESettings
	axes     axes
	options  []int
	tasks    []past
	best     [][]int // of each task its trials, best first, equal ones in their order
}

func newTPE(s Start) (Strategy, error) {
	t := &tpe{seed: s.Seed, options: s.Space.Options(), tasks: make([]past, len(s.Tasks)), best: make([][]int, len(s.Tasks))}
	if err := strict.Unmarshal(s.Settings, &t.settings); err != nil {
		return nil, err
	}
	for i, c := range s.Space.Choices {
		t.axes.add(t.options[i], t.settings.Ordinal && c.Ordered())
	}
	return t, nil
}

func (t *tpe) Ask(trial, task int) ([]int, float64) {
	g := rng.New(t.seed, "tpe/actions", uint64(trial))
	if len(t.tasks[task].rewards) < max(t.settings.Startup, 1) {
		return uniform(g, t.options), 0
	}
	below, above := t.estimators(task)
	var best []int
	most := math.Inf(-1)
	for range t.settings.Candidates {
		actions := below.sample(g)
		if score := below.logDensity(actions) - above.logDensity(actions); best == nil || score > most {
			best, most = actions, score
		}
	}
	return best, 0
}

func (t *tpe) Tell(told Told) error {
	p := &t.tasks[told.Task]
	if p.add(told) {
		t.best[told.Task] = descending(p.rewards)
	} else {
		t.rank(told.Task, len(p.rewards)-1)
	}
	return nil
}

// rank puts a task's newest trial in its place among the best.
func (t *tpe) rank(task, trial int) {
	rewards := t.tasks[task].rewards
	at, _ := slices.BinarySearchFunc(t.best[task], rewards[trial], func(i int, r float64) int {
		if rewards[i] >= r {
			return -1
		}
		return 1
	})
	t.best[task] = slices.Insert(t.best[task], at, trial)
}

// estimators are l and g of a task.
func (t *tpe) estimators(task int) (below, above *parzen) {
	p := &t.tasks[task]
	n := len(p.rewards)
	good := make([]bool, n)
	for _, i := range t.best[task][:min(int(math.Ceil(0.1*float64(n))), 25)] {
		good[i] = true
	}
	of := func(which bool) *parzen {
		var observed [][]int
		for i, a := range p.actions {
			if good[i] == which {
				observed = append(observed, a)
			}
		}
		return newParzen(&t.axes, observed)
	}
	return of(true), of(false)
}

func (t *tpe) Put(f *safetensors.File) { putPast(f, "tpe", t.tasks, len(t.options)) }

func (t *tpe) Get(f *safetensors.File) (err error) {
	if t.tasks, err = getPast(f, "tpe", len(t.tasks), t.options); err != nil {
		return err
	}
	for task := range t.tasks {
		t.best[task] = descending(t.tasks[task].rewards)
	}
	return nil
}

// axes are the choices as estimators see them. The options of a configuration at the
// categorical ones are packed into words, each in a field with its highest bit clear:
// added to the exclusive or of two, full sets those bits of top whose fields differ.
type axes struct {
	of        []axis
	open      int // choices that leave a choice: Optuna has no others
	full, top []uint64
}

type axis struct {
	options     int
	ordered     bool
	word, shift int
}

func (a *axes) add(options int, ordered bool) {
	if options > 1 {
		a.open++
	}
	width := bits.Len(uint(options-1)) + 1
	at := axis{options: options, ordered: ordered}
	if !ordered {
		if len(a.top) == 0 || bits.Len64(a.top[len(a.top)-1])+width > 64 {
			a.full, a.top = append(a.full, 0), append(a.top, 0)
		}
		at.word = len(a.top) - 1
		at.shift = bits.Len64(a.top[at.word])
		a.full[at.word] |= (1<<(width-1) - 1) << at.shift
		a.top[at.word] |= 1 << (width - 1) << at.shift
	}
	a.of = append(a.of, at)
}

// pack packs a configuration into words that are 0.
func (a *axes) pack(words []uint64, actions []int) {
	for c := range a.of {
		if at := &a.of[c]; !at.ordered {
			words[at.word] |= uint64(actions[c]) << at.shift
		}
	}
}

// parzen is a mixture over configurations with one kernel for each observed one and,
// as the last, the prior; a kernel is a product over the choices.
type parzen struct {
	axes     *axes
	weights  []float64 // of the kernels; their sum is 1
	observed [][]int
	kernels  []kernel // of the choices
	// packed are the observed configurations, and misses what of a kernel's product is
	// the categorical choices', by the number at which two configurations differ: the
	// kernels of all have one ratio of miss to hit.
	packed []uint64
	misses []float64
	joint  []float64 // for logDensity
}

// kernel is that of one choice: the probability of an option given the observed one.
type kernel struct {
	// mass is of each distance between the two, and inside of each observed option
	// what of the kernel lies within the options.
	mass, inside []float64
	prior        []float64
	column       []float64 // for logDensity
}

// newParzen makes the estimator of observed configurations, the oldest first.
func newParzen(axes *axes, observed [][]int) *parzen {
	n, words := len(observed), len(axes.top)
	p := &parzen{
		axes: axes, weights: parzenWeights(n), observed: observed, kernels: make([]kernel, len(axes.of)),
		packed: make([]uint64, n*words), misses: []float64{1}, joint: make([]float64, n+1),
	}
	for i, actions := range observed {
		axes.pack(p.packed[i*words:], actions)
	}
	for c, a := range axes.of {
		if a.ordered {
			p.kernels[c] = gaussianKernel(a.options, n, axes.open)
			continue
		}
		p.kernels[c] = categoricalKernel(a.options, n)
		p.misses[0] *= p.kernels[c].mass[0]
		p.misses = append(p.misses, 0)
	}
	for m := range p.misses[1:] {
		p.misses[m+1] = p.misses[m] / float64(n+2)
	}
	return p
}

// parzenWeights are those of n observations and of the prior: the newest 25 weigh
// as much as the prior, older ones less and less.
func parzenWeights(n int) []float64 {
	w := make([]float64, n+1)
	ramp, sum := n-25, 0.
	for i := range w {
		if w[i] = 1; i < ramp {
			w[i] = 1 / float64(n)
			if ramp > 1 {
				w[i] += float64(i) * (1 - w[i]) / float64(ramp-1)
			}
		}
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// categoricalKernel adds the prior's weight, spread over the n observations and
// itself, to each option.
func categoricalKernel(options, n int) kernel {
	k := newKernel(options)
	v := 1 / float64(n+1)
	sum := 1 + v*float64(options)
	for o := range options {
		k.mass[o], k.inside[o], k.prior[o] = v/sum, 1, 1/float64(options)
	}
	k.mass[0] = (1 + v) / sum
	return k
}

// gaussianKernel has the bandwidth by Scott's rule for so many choices, cut off at
// half an option beyond the first and the last (consider_magic_clip).
func gaussianKernel(options, n, choices int) kernel {
	k := newKernel(options)
	width := float64(options)
	sigma := 0.2 * math.Pow(float64(max(n, 1)), -1/float64(choices+4)) * width
	sigma = min(max(sigma, width/min(100, float64(n+2))), width)
	for o := range options {
		x := float64(o)
		k.mass[o] = gaussianMass((x-.5)/sigma, (x+.5)/sigma)
		k.inside[o] = gaussianMass((-.5-x)/sigma, (width-.5-x)/sigma)
		k.prior[o] = gaussianMass((x-width/2)/width, (x+1-width/2)/width) / gaussianMass(-.5, .5)
	}
	return k
}

// gaussianMass is the standard normal's probability between a and b, exact in its
// tails too.
func gaussianMass(a, b float64) float64 {
	switch {
	case a > 0:
		return (math.Erfc(a/math.Sqrt2) - math.Erfc(b/math.Sqrt2)) / 2
	case b < 0:
		return (math.Erfc(-b/math.Sqrt2) - math.Erfc(-a/math.Sqrt2)) / 2
	}
	return (math.Erf(b/math.Sqrt2) - math.Erf(a/math.Sqrt2)) / 2
}

func newKernel(options int) kernel {
	all := make([]float64, 4*options)
	return kernel{all[:options], all[options : 2*options], all[2*options : 3*options], all[3*options:]}
}

func (k *kernel) probability(observed, option int) float64 {
	return k.mass[max(observed-option, option-observed)] / k.inside[observed]
}

// sample draws a configuration.
func (p *parzen) sample(g *rand.Rand) []int {
	at := draw(g, len(p.weights), func(i int) float64 { return p.weights[i] })
	actions := make([]int, len(p.kernels))
	for c := range actions {
		k := &p.kernels[c]
		actions[c] = draw(g, len(k.prior), func(o int) float64 {
			if at == len(p.observed) {
				return k.prior[o]
			}
			return k.probability(p.observed[at][c], o)
		})
	}
	return actions
}

// draw draws one of n by their probabilities.
func draw(g *rand.Rand, n int, probability func(int) float64) int {
	u := g.Float64()
	for i := range n - 1 {
		if u -= probability(i); u < 0 {
			return i
		}
	}
	return n - 1
}

// logDensity is the mixture's log-probability of a configuration. The product over
// the choices needs no logarithms: the prior's alone, at least one over the space's
// size, keeps the sum above what a float64 holds.
func (p *parzen) logDensity(actions []int) float64 {
	copy(p.joint, p.weights)
	n, words := len(p.observed), len(p.axes.top)
	joint, prior := p.joint[:n], &p.joint[n]
	asked := make([]uint64, words)
	p.axes.pack(asked, actions)
	for i := range joint {
		differ := 0
		for w, x := range p.packed[i*words : (i+1)*words] {
			differ += bits.OnesCount64(((x ^ asked[w]) + p.axes.full[w]) & p.axes.top[w])
		}
		joint[i] *= p.misses[differ]
	}
	for c, option := range actions {
		k := &p.kernels[c]
		*prior *= k.prior[option]
		if !p.axes.of[c].ordered {
			continue
		}
		for o := range k.column {
			k.column[o] = k.probability(o, option)
		}
		for i, observed := range p.observed {
			joint[i] *= k.column[observed[c]]
		}
	}
	sum := 0.
	for _, j := range p.joint {
		sum += j
	}
	return math.Log(sum)
}
