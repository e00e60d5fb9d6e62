package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// TopN is the number of best models a task is judged by: the paper's
// accuracy-top10. As many are kept, unless another number is asked for.
const TopN = 10

// Searcher is the state of one search: what its strategy has learned from the
// trials 0…Told−1, and the proposals for the trials Told…Told+Lag−1, the i-th
// of which was made when exactly the trials 0…i−Lag had been told. Its whole
// state is a function of configuration and outcomes. It is not safe for
// concurrent use.
type Searcher struct {
	config   Config
	digest   string
	seed     uint64 // see Config.drawSeed
	strategy strategy.Strategy
	told     int
	pending  []pending
	leaders  [][]Leader
	extents  extents
	pruner   *pruner.Pruner // nil for none
	segment  []Trial
}

// pending is a proposal that has no outcome yet, without what follows from it.
type pending struct {
	Trial   int      `json:"trial"`
	Task    int      `json:"task"`
	Actions []int    `json:"actions"`
	LogProb float64  `json:"log_prob"`
	Keep    *float64 `json:"keep,omitempty"`
	// Prune are the floors.
	Prune []trainer.Point `json:"prune,omitempty"`
}

// Leader is one of a task's best trials, whose models are kept.
type Leader struct {
	Trial  int     `json:"trial"`
	Reward float64 `json:"reward"`
	Model  string  `json:"model,omitempty"`
}

// New starts a search without a pretrained controller.
func New(c Config) (*Searcher, error) { return NewFrom(c, From{}) }

// From is what a search starts from besides its configuration: the objects that
// Config.Controller and Config.Sources refer to, empty where those are.
type From struct{ Controller, Sources []byte }

// NewFrom starts a search. Objects of another digest than the configuration's, or of a
// search space that has nothing to do with its own, are an error.
func NewFrom(c Config, from From) (*Searcher, error) {
	return NewOf(strategy.Builtin(), c, from)
}

// NewOf is NewFrom with the strategies of a table.
func NewOf(table strategy.Table, c Config, from From) (*Searcher, error) {
	start := c.Start(nil, nil)
	if c.Controller != "" || len(from.Controller) > 0 {
		p, err := strategy.DecodeController(from.Controller)
		if err != nil {
			return nil, err
		}
		if p.Ref != c.Controller {
			return nil, fmt.Errorf("controller: the object has the digest %s, the search starts from %q", p.Ref, c.Controller)
		}
		start.Controller = p
	}
	if c.Sources != "" || len(from.Sources) > 0 {
		ref, sources, err := strategy.DecodeSources(from.Sources, &c.Space)
		if err != nil {
			return nil, err
		}
		if ref != c.Sources {
			return nil, fmt.Errorf("sources: the object has the digest %s, the search starts from %q", ref, c.Sources)
		}
		start.Sources = sources
	}
	return Begin(table, c, start)
}

// Begin starts a search from what has been read already: start is Config.Start with
// its Controller and Sources. A controller of another space grows into the search's.
func Begin(table strategy.Table, c Config, start strategy.Start) (*Searcher, error) {
	if start.Controller != nil {
		var err error
		if start.Controller, err = start.Controller.For(&c.Space); err != nil {
			return nil, err
		}
	}
	s, err := blank(table, c, start)
	if err != nil {
		return nil, err
	}
	for range c.Lag {
		if err := s.propose(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// blank is a search without proposals, to be filled by Begin or restore.
func blank(table strategy.Table, c Config, start strategy.Start) (*Searcher, error) {
	if err := c.validate(table); err != nil {
		return nil, err
	}
	d, err := table.Find(c.Strategy)
	if err != nil {
		return nil, err
	}
	s := &Searcher{
		config: c, digest: c.Digest(), seed: c.drawSeed(), leaders: make([][]Leader, len(c.Tasks)), extents: make(extents, len(c.Tasks)),
	}
	if c.Pruner != nil {
		if s.pruner, err = pruner.New(*c.Pruner, c.Space.Objective, len(c.Tasks)); err != nil {
			return nil, err
		}
	}
	if s.strategy, err = d.New(start); err != nil {
		return nil, fmt.Errorf("strategy %s: %w", c.Strategy, err)
	}
	return s, nil
}

// Told returns the number of outcomes absorbed.
func (s *Searcher) Told() int { return s.told }

// propose adds the next proposal, from the present state.
func (s *Searcher) propose() error {
	trial := s.told + len(s.pending)
	task := 0
	if n := len(s.config.Tasks); n > 1 {
		task = rng.New(s.seed, "search/task", uint64(trial)).IntN(n)
	}
	p := pending{Trial: trial, Task: task}
	if p.Actions, p.LogProb = s.strategy.Ask(trial, task); !finite(p.LogProb) {
		return fmt.Errorf("strategy %s: trial %d: the log-probability of its proposal is %v: its controller's numbers have grown too large: "+
			"lower policy_gradient.learning_rate, controller.init_scale or embedding.scale in its settings",
			s.config.Strategy, trial, p.LogProb)
	}
	keep := float64(trainer.MaxMetric) // no reward exceeds it
	if l, n := s.leaders[task], s.config.KeepModels; len(l) == n {
		if n > 0 {
			keep = l[n-1].Reward
		}
		p.Keep = &keep
	}
	if s.pruner != nil {
		p.Prune = s.pruner.Floors(task)
	}
	if err := s.config.Space.Check(p.Actions); err != nil {
		return fmt.Errorf("strategy %s: trial %d: %w", s.config.Strategy, trial, err)
	}
	s.pending = append(s.pending, p)
	return nil
}

// Ask returns the proposal for a trial, one of Told…Told+Lag−1.
func (s *Searcher) Ask(trial int) (Proposal, error) {
	p, err := s.AskActions(trial)
	if err != nil {
		return Proposal{}, err
	}
	if p.Choices, err = s.config.Space.Values(p.Actions); err != nil {
		return Proposal{}, err
	}
	p.Summary = trainer.Find(s.config.Space.TrainerName()).Words(p.Choices)
	return p, nil
}

// AskActions is Ask without Choices and Summary, which take longer to make than many a
// strategy takes to propose.
func (s *Searcher) AskActions(trial int) (Proposal, error) {
	if trial < s.told || trial >= s.told+len(s.pending) {
		return Proposal{}, fmt.Errorf("trial %d cannot be asked with %d told and a lag of %d", trial, s.told, s.config.Lag)
	}
	asked := s.pending[trial-s.told]
	return Proposal{
		Trial: trial, Task: asked.Task, Actions: slices.Clone(asked.Actions), Keep: asked.Keep, Prune: asked.Prune,
		Seed: trialSeed(s.seed, trial),
	}, nil
}

// Tell absorbs the outcome of trial Told and makes one more proposal. An outcome
// that is not the next one, or not of the proposal, is an error and changes
// nothing; after an error of the strategy itself the searcher must be dropped.
// The row's reward is filled in here.
func (s *Searcher) Tell(t Trial) error {
	p := s.pending[0]
	if err := s.check(t, p); err != nil {
		return err
	}
	t.Reward = s.extents.reward(t, &s.config.Space)
	err := s.strategy.Tell(strategy.Told{
		Trial: t.Trial, Task: p.Task, Actions: p.Actions, LogProb: p.LogProb,
		Status: t.Status, Reward: t.Reward, Metrics: t.Metrics, Steps: t.Steps,
	})
	if err != nil {
		return fmt.Errorf("trial %d: strategy %s: %w", t.Trial, s.config.Strategy, err)
	}
	if t.OK() {
		s.leaders[t.Task] = insertBest(s.leaders[t.Task], s.config.KeepModels, Leader{t.Trial, t.Reward, t.Model},
			func(l Leader) (float64, int) { return l.Reward, l.Trial })
	}
	if s.pruner != nil {
		s.pruner.Tell(t.Task, t.Status, t.Curve)
	}
	s.segment = append(s.segment, t)
	s.told++
	s.pending = slices.Delete(s.pending, 0, 1)
	return s.propose()
}

// extents are those of each task, nil while none of its trials has a value of the objective.
type extents []*extent

// extent is between which rewards a task's trials lie.
type extent struct {
	// Worst and Best are of all trials that have a value of the objective.
	Worst float64 `json:"worst"`
	Best  float64 `json:"best"`
	// Final is the worst of those that ended well, nil while there is none.
	Final *float64 `json:"final,omitempty"`
}

// reward is what the strategy is told of a trial, and the ledger keeps: the objective,
// more being better. Of a trial that was pruned it is what it had reached, or the worst of its
// task's trials that ended well, if that is less: early values are no final ones, and may be
// better than all of them. Of a trial that failed it is the worst objective of its task so far:
// how bad a failure is depends on the objective, which only the other trials show. While
// there is none it is 0, which says nothing. An infeasible model's is below the worst, its
// own objective counted, by a half to the whole of the distance to the best, the more it
// violates: by an amount that strategies can reckon with, whatever the objective's scale.
//
// All are as of when the trial was told: a later trial may have less. How trials compare
// is for the strategies to say, from status and reward (strategy.Told).
func (e extents) reward(t Trial, sp *space.Space) float64 {
	of := e[t.Task]
	if t.Status.Failure() {
		if of == nil {
			return 0
		}
		return of.Worst
	}
	r := trainer.Reward(sp.Objective, t.Validation)
	if t.Status == trainer.Pruned && of != nil && of.Final != nil {
		r = min(r, *of.Final)
	}
	if of == nil {
		of = &extent{Worst: r, Best: r}
		e[t.Task] = of
	}
	of.Worst, of.Best = min(of.Worst, r), max(of.Best, r)
	if t.OK() {
		final := r
		if of.Final != nil {
			final = min(final, *of.Final)
		}
		of.Final = &final
	}
	if t.Status != trainer.Infeasible {
		return r
	}
	violation, _ := trainer.Violation(t.Metrics, sp.Constraints)
	return of.Worst - float64(strategy.Spread(of.Worst, of.Best)*(1-.5/(1+violation)))
}

// FillRewards fills in the rewards of a whole ledger, as they are told: rows that
// are in no segment yet lack those of trials that failed.
func FillRewards(c *Config, trials []Trial) {
	e := make(extents, len(c.Tasks))
	for i, t := range trials {
		trials[i].Reward = e.reward(t, &c.Space)
	}
}

func (s *Searcher) check(t Trial, p pending) error {
	switch {
	case t.Trial != s.told:
		return fmt.Errorf("trial %d was told, the next one is %d", t.Trial, s.told)
	case t.Task != p.Task || !slices.Equal(t.Actions, p.Actions):
		return fmt.Errorf("trial %d: the outcome is of task %d and actions %v, the proposal was task %d and %v",
			t.Trial, t.Task, t.Actions, p.Task, p.Actions)
	case !finite(t.Validation) || !finite(t.Test):
		return fmt.Errorf("trial %d: the objective's values %v and %v are not finite", t.Trial, t.Validation, t.Test)
	case !slices.Contains(trainer.Statuses(), t.Status):
		return fmt.Errorf("trial %d: unknown status %q", t.Trial, t.Status)
	case t.Status.Failure() && (t.Validation != 0 || t.Test != 0):
		return fmt.Errorf("trial %d: status %s with values of the objective, %v and %v", t.Trial, t.Status, t.Validation, t.Test)
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// InsertBest puts an entry into a list of the TopN best, best first, equal ones
// by trial. of returns an entry's reward and trial.
func InsertBest[T any](best []T, entry T, of func(T) (reward float64, trial int)) []T {
	return insertBest(best, TopN, entry, of)
}

func insertBest[T any](best []T, n int, entry T, of func(T) (reward float64, trial int)) []T {
	at, _ := slices.BinarySearchFunc(best, entry, func(a, b T) int {
		ra, ta := of(a)
		rb, tb := of(b)
		return cmp.Or(cmp.Compare(rb, ra), cmp.Compare(ta, tb))
	})
	best = slices.Insert(best, at, entry)
	return best[:min(len(best), n)]
}

// Leaders returns a task's best trials, at most Config.KeepModels, best first.
func (s *Searcher) Leaders(task int) []Leader { return slices.Clone(s.leaders[task]) }
