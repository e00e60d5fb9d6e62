// Package pruner ends trials early: of the curves of the trials told it makes the floors
// that a new trial must not fall below on its way. One table lists the rules.
package pruner

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"tnaml/experiments/limit"
	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/experiments/trainer"
	"tnaml/nn/safetensors"
)

// Choice names a rule, with its settings. In JSON the name alone will do.
type Choice struct {
	Name string `json:"name"`
	// Settings are canonical where they are part of a search's configuration.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Choice) UnmarshalJSON(b []byte) error {
	*c = Choice{}
	if json.Unmarshal(b, &c.Name) == nil {
		return nil
	}
	type plain Choice
	return strict.Unmarshal(b, (*plain)(c))
}

// Definition is a row of the table.
type Definition struct {
	Name, Doc string
	Defaults  any
	parse     func(raw json.RawMessage) (rule, any, error)
}

// rule is how values become floors. Values are rewards.
type rule interface {
	// levels are the steps at which a told trial counts, with its value there.
	levels(status trainer.Status, curve []trainer.Point, first int, o space.Objective) []trainer.Point
	// floor is that of the sorted values at the nth step that has any, from 0, of a task
	// with so many complete trials; false where there is none.
	floor(nth int, values []float64, complete int) (float64, bool)
}

// Definitions is the table of the rules.
func Definitions() []Definition {
	return []Definition{
		{"median", "a trial must reach what half of the complete trials had at a step (Optuna's PercentilePruner)", newMedian(),
			parse(newMedian)},
		{"halving", "at steps that grow by a factor, the best part of the trials goes on (asynchronous successive halving)", newHalving(),
			parse(newHalving)},
	}
}

func parse[R interface {
	rule
	check() error
}](defaults func() R) func(json.RawMessage) (rule, any, error) {
	return func(raw json.RawMessage) (rule, any, error) {
		r := defaults()
		if len(raw) > 0 {
			if err := strict.Unmarshal(raw, r); err != nil {
				return nil, nil, err
			}
		}
		return r, r, r.check()
	}
}

func (c Choice) find() (rule, any, error) {
	var names []string
	for _, d := range Definitions() {
		if names = append(names, d.Name); d.Name == c.Name {
			r, settings, err := d.parse(c.Settings)
			if err != nil {
				err = fmt.Errorf("pruner %s: %w", c.Name, err)
			}
			return r, settings, err
		}
	}
	return nil, nil, fmt.Errorf("unknown pruner %q (known: %s)", limit.Note(c.Name), strings.Join(names, ", "))
}

// Canonical is a choice with all settings filled in.
func (c Choice) Canonical() (Choice, error) {
	_, settings, err := c.find()
	if err != nil {
		return c, err
	}
	c.Settings, err = json.Marshal(settings)
	return c, err
}

// Median prunes a trial whose best value by a step is worse than a percentile of the
// values that complete trials had at that very step: Optuna's PercentilePruner, with 50
// its MedianPruner. Skip is ours: where a curve begins it says too little. On recorded
// curves Optuna's own defaults (skip 0) cost 0.35 points of the best model, these nothing
// (experiments/benchmark/README.md).
type Median struct {
	// Percentile is the share of the complete trials, in percent, that count as good.
	Percentile float64 `json:"percentile"`
	// Startup is the number of complete trials of the task before the first floor
	// (n_startup_trials), Warmup the first step that can have one (n_warmup_steps), MinTrials
	// how many trials must have a value at a step (n_min_trials).
	Startup   int `json:"startup"`
	Warmup    int `json:"warmup"`
	MinTrials int `json:"min_trials"`
	// Skip is how many of the first steps that trials tell, from Warmup on, have no floor.
	Skip int `json:"skip"`
}

func newMedian() *Median { return &Median{Percentile: 50, Startup: 5, MinTrials: 1, Skip: 2} }

func (m *Median) check() error {
	var errs []error
	if !(m.Percentile >= 0 && m.Percentile <= 100) {
		errs = append(errs, fmt.Errorf("percentile is %v: it must lie between 0 and 100", m.Percentile))
	}
	return errors.Join(append(errs, between("startup", m.Startup, 0), between("warmup", m.Warmup, 0), between("min_trials", m.MinTrials,
		1), between("skip", m.Skip, 0))...)
}

func between(name string, v, least int) error {
	if v < least || v > limit.MaxTrialSteps {
		return fmt.Errorf("%s is %d: it must lie between %d and %d", name, v, least, limit.MaxTrialSteps)
	}
	return nil
}

func (m *Median) levels(status trainer.Status, curve []trainer.Point, _ int, o space.Objective) (out []trainer.Point) {
	if status == trainer.Pruned || status.Failure() {
		return nil
	}
	for _, p := range curve {
		if p.Step >= m.Warmup {
			out = append(out, trainer.Point{Step: p.Step, Value: trainer.Reward(o, p.Value)})
		}
	}
	return out
}

func (m *Median) floor(nth int, values []float64, complete int) (float64, bool) {
	if complete < m.Startup || len(values) < m.MinTrials || nth < m.Skip {
		return 0, false
	}
	return percentile(values, 100-m.Percentile), true
}

// percentile interpolates linearly between sorted values, as NumPy does.
func percentile(values []float64, p float64) float64 {
	at := float64(float64(len(values)-1) * p / 100)
	below := math.Floor(at)
	low, high := values[int(below)], values[min(int(below)+1, len(values)-1)]
	return low + float64((high-low)*(at-below))
}

// Halving prunes a trial that is not among the best 1/Reduction of those that have
// reached a rung, itself counted: Optuna's SuccessiveHalvingPruner, the stopping variant
// of Li et al., "A system for massively parallel hyperparameter tuning" (MLSys 2020). Of
// fewer than Reduction the best goes on. What counts at a rung is the best value by the
// first step at or after it.
type Halving struct {
	// MinStep is the first rung (min_resource), 0 the first step of the first curve told.
	MinStep int `json:"min_step"`
	// Reduction is the factor from rung to rung (reduction_factor).
	Reduction int `json:"reduction"`
}

func newHalving() *Halving { return &Halving{Reduction: 4} }

func (h *Halving) check() error {
	var wrong error
	if h.Reduction < 2 || h.Reduction > 1000 {
		wrong = fmt.Errorf("reduction is %d: it must lie between 2 and 1000", h.Reduction)
	}
	return errors.Join(between("min_step", h.MinStep, 0), wrong)
}

func (h *Halving) levels(status trainer.Status, curve []trainer.Point, first int, o space.Objective) (out []trainer.Point) {
	if status.Failure() {
		return nil
	}
	if h.MinStep > 0 {
		first = h.MinStep
	}
	for rung := first; rung <= limit.MaxTrialSteps; rung *= h.Reduction {
		best, ok := trainer.BestBy(curve, rung, o)
		if !ok {
			break
		}
		out = append(out, trainer.Point{Step: rung, Value: trainer.Reward(o, best)})
	}
	return out
}

func (h *Halving) floor(_ int, values []float64, _ int) (float64, bool) {
	n := len(values)
	best := max(1, (n+1)/h.Reduction)
	if n < best {
		return 0, false
	}
	return values[n-best], true
}

// Pruner is a rule with what it has seen of a search. Its state is a function of what it
// was told, in order. It is not safe for concurrent use.
type Pruner struct {
	rule      rule
	objective space.Objective
	first     int // step of the first curve
	tasks     []seen
}

// seen are a task's complete trials and, of each step, the values there, rising.
type seen struct {
	complete int
	levels   []level
}

type level struct {
	step   int
	values []float64
}

// New is a pruner that has seen nothing, of a search with so many tasks.
func New(c Choice, o space.Objective, tasks int) (*Pruner, error) {
	r, _, err := c.find()
	return &Pruner{rule: r, objective: o, tasks: make([]seen, tasks)}, err
}

// Tell takes a trial's curve. Trials are told in their order.
func (p *Pruner) Tell(task int, status trainer.Status, curve []trainer.Point) {
	if len(curve) == 0 {
		return
	}
	if p.first == 0 {
		p.first = curve[0].Step
	}
	s := &p.tasks[task]
	if status == trainer.OK || status == trainer.Infeasible {
		s.complete++
	}
	for _, v := range p.rule.levels(status, curve, p.first, p.objective) {
		i, there := slices.BinarySearchFunc(s.levels, v.Step, func(l level, step int) int { return l.step - step })
		if !there {
			s.levels = slices.Insert(s.levels, i, level{step: v.Step})
		}
		l := &s.levels[i]
		at, _ := slices.BinarySearch(l.values, v.Value)
		l.values = slices.Insert(l.values, at, v.Value)
	}
}

// Floors are those of a task's next trial, at most trainer.MaxCurve: where trials have
// values at more steps, the steps with the most of them.
func (p *Pruner) Floors(task int) (out []trainer.Point) {
	s := &p.tasks[task]
	type nth struct {
		level
		n int
	}
	var levels []nth
	for n, l := range s.levels {
		levels = append(levels, nth{l, n})
	}
	if len(levels) > trainer.MaxCurve {
		levels = slices.SortedStableFunc(slices.Values(levels), func(a, b nth) int { return len(b.values) - len(a.values) })[:trainer.MaxCurve]
		slices.SortFunc(levels, func(a, b nth) int { return a.step - b.step })
	}
	for _, l := range levels {
		if v, ok := p.rule.floor(l.n, l.values, s.complete); ok {
			out = append(out, trainer.Point{Step: l.step, Value: trainer.Reward(p.objective, v)})
		}
	}
	return out
}

// Put saves the state, every bit of it.
func (p *Pruner) Put(f *safetensors.File) {
	counts, values := []int32{int32(p.first)}, []float64(nil)
	for _, s := range p.tasks {
		counts = append(counts, int32(s.complete), int32(len(s.levels)))
		for _, l := range s.levels {
			counts = append(counts, int32(l.step), int32(len(l.values)))
			values = append(values, l.values...)
		}
	}
	safetensors.Put(f, "pruner/counts", counts)
	safetensors.Put(f, "pruner/values", values)
}

// Get restores what Put saved.
func (p *Pruner) Get(f *safetensors.File) error {
	counts, _, err := safetensors.Get[int32](f, "pruner/counts", -1)
	if err != nil {
		return err
	}
	values, _, err := safetensors.Get[float64](f, "pruner/values", -1)
	if err != nil {
		return err
	}
	bad := errors.New("pruner: its values do not fit its counts")
	next := func() int {
		if len(counts) == 0 || counts[0] < 0 {
			counts = nil
			return -1
		}
		n := counts[0]
		counts = counts[1:]
		return int(n)
	}
	p.first = next()
	for i := range p.tasks {
		s := seen{complete: next()}
		levels := next()
		if s.complete < 0 || levels < 0 {
			return bad
		}
		for range levels {
			l := level{step: next()}
			n := next()
			if n < 0 || n > len(values) {
				return bad
			}
			l.values, values = slices.Clone(values[:n]), values[n:]
			s.levels = append(s.levels, l)
		}
		p.tasks[i] = s
	}
	if len(counts) > 0 || len(values) > 0 || p.first < 0 {
		return bad
	}
	return nil
}
