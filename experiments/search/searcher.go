package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tnaml/nn/child"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// topN is the number of best models a task keeps: the paper's accuracy-top10.
const topN = 10

// strategy proposes actions and learns from rewards.
type strategy interface {
	// propose returns the actions of a trial and the log-probability with which
	// they were drawn.
	propose(trial, task int) (actions []int, logProb float64)
	// learn takes the reward of a trial proposed earlier.
	learn(task int, actions []int, logProb, reward float64) error
	// put and get save and restore the strategy's state, every bit of it.
	put(f *safetensors.File)
	get(f *safetensors.File) error
	// controller returns what was learned as an object, or nil.
	controller(f *safetensors.File) bool
}

// Searcher is the state of one search: what its strategy has learned from the
// trials 0…Told−1, and the proposals for the trials Told…Told+Lag−1, the i-th
// of which was made when exactly the trials 0…i−Lag had been told. Its whole
// state is a function of configuration and results. It is not safe for
// concurrent use.
type Searcher struct {
	config   Config
	digest   string
	strategy strategy
	told     int
	pending  []pending
	leaders  [][]Leader
	segment  []Trial
}

// pending is a proposal that has no result yet.
type pending struct {
	Proposal
	LogProb float64 `json:"log_prob"`
}

// Leader is one of a task's best trials.
type Leader struct {
	Trial      int     `json:"trial"`
	Validation float64 `json:"validation_accuracy"`
}

// New starts a search without a pretrained controller.
func New(c Config) (*Searcher, error) { return NewFrom(c, nil) }

// NewFrom starts a search. controller is the object that Config.Controller
// refers to, empty where it is: a controller of another digest or of another
// search space is an error.
func NewFrom(c Config, controller []byte) (*Searcher, error) {
	var from *Pretrained
	if c.Controller != "" || len(controller) > 0 {
		var err error
		if from, err = DecodeController(controller); err != nil {
			return nil, err
		}
		if from.Ref != c.Controller {
			return nil, fmt.Errorf("controller: the object has the digest %s, the search starts from %q", from.Ref, c.Controller)
		}
		if err := from.Fits(&c.Space); err != nil {
			return nil, err
		}
	}
	s, err := blank(c, from)
	if err != nil {
		return nil, err
	}
	for range c.Lag {
		s.propose()
	}
	return s, nil
}

// blank is a search without proposals, to be filled by New or Restore.
func blank(c Config, from *Pretrained) (*Searcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Searcher{config: c, digest: c.Digest(), leaders: make([][]Leader, len(c.Tasks))}
	var err error
	switch c.Strategy {
	case Random:
		s.strategy = &random{seed: c.Seed, options: c.Space.Options()}
	case NAML:
		s.strategy, err = newNAML(c, from)
	case Fixed:
		s.strategy, err = newFixed(c)
	}
	if err != nil {
		return nil, fmt.Errorf("strategy %s: %w", c.Strategy, err)
	}
	return s, nil
}

// Told returns the number of results absorbed.
func (s *Searcher) Told() int { return s.told }

// propose adds the next proposal, from the present state.
func (s *Searcher) propose() {
	trial := s.told + len(s.pending)
	task := 0
	if n := len(s.config.Tasks); n > 1 {
		task = rng.New(s.config.Seed, "search/task", uint64(trial)).IntN(n)
	}
	actions, logProb := s.strategy.propose(trial, task)
	keep := -1.0
	if l := s.leaders[task]; len(l) == topN {
		keep = l[topN-1].Validation
	}
	s.pending = append(s.pending, pending{Proposal{Trial: trial, Task: task, Actions: actions, Keep: keep}, logProb})
}

// Ask returns the proposal for a trial, one of Told…Told+Lag−1.
func (s *Searcher) Ask(trial int) (Proposal, error) {
	if trial < s.told || trial >= s.told+len(s.pending) {
		return Proposal{}, fmt.Errorf("trial %d cannot be asked with %d told and a lag of %d", trial, s.told, s.config.Lag)
	}
	p := s.pending[trial-s.told].Proposal
	p.Actions = slices.Clone(p.Actions)
	p.Summary = s.config.Space.Describe(p.Actions)
	return p, nil
}

// Tell absorbs the result of trial Told and makes one more proposal. A result
// that is not the next one, or not of the proposal, is an error and changes
// nothing; after an error of the strategy itself the searcher must be dropped.
func (s *Searcher) Tell(t Trial) error {
	p := s.pending[0]
	if err := s.check(t, p); err != nil {
		return err
	}
	if err := s.strategy.learn(p.Task, p.Actions, p.LogProb, t.Validation); err != nil {
		return fmt.Errorf("trial %d: strategy %s: %w", t.Trial, s.config.Strategy, err)
	}
	if t.OK() {
		s.leaders[t.Task] = insertLeader(s.leaders[t.Task], Leader{t.Trial, t.Validation})
	}
	s.segment = append(s.segment, t)
	s.told++
	s.pending = append(s.pending[:0:0], s.pending[1:]...)
	s.propose()
	return nil
}

func (s *Searcher) check(t Trial, p pending) error {
	switch {
	case t.Trial != s.told:
		return fmt.Errorf("trial %d was told, the next one is %d", t.Trial, s.told)
	case t.Task != p.Task || !slices.Equal(t.Actions, p.Actions):
		return fmt.Errorf("trial %d: the result is of task %d and actions %v, the proposal was task %d and %v", t.Trial, t.Task, t.Actions, p.Task, p.Actions)
	case !accuracy(t.Validation) || !accuracy(t.Test):
		return fmt.Errorf("trial %d: accuracies %v and %v do not lie in [0, 1]", t.Trial, t.Validation, t.Test)
	case t.Status == "":
		return fmt.Errorf("trial %d: no status", t.Trial)
	case t.Status != child.OK && t.Validation != 0:
		return fmt.Errorf("trial %d: status %s with a reward of %v", t.Trial, t.Status, t.Validation)
	}
	return nil
}

func accuracy(v float64) bool { return v >= 0 && v <= 1 && !math.IsNaN(v) }

// insertLeader keeps the topN best, best first, equal ones by trial.
func insertLeader(l []Leader, n Leader) []Leader {
	at, _ := slices.BinarySearchFunc(l, n, func(a, b Leader) int {
		return cmp.Or(cmp.Compare(b.Validation, a.Validation), cmp.Compare(a.Trial, b.Trial))
	})
	l = slices.Insert(l, at, n)
	return l[:min(len(l), topN)]
}

// Leaders returns a task's best trials, at most 10, best first.
func (s *Searcher) Leaders(task int) []Leader { return slices.Clone(s.leaders[task]) }
