// Package simulate compares search strategies on tasks whose models need not be
// trained: the searcher of real searches (package search), asked and told as they
// ask and tell it, on landscapes that answer at once. Only the trainer is another, so
// a strategy cannot tell; arms that start from other tasks' trials start from
// simulated pretrainings.
package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/experiments/benchmark"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Landscape is what a task's models come to. It is safe for concurrent use.
type Landscape interface {
	// Look trains the model of the actions under a trial's seed, so to say, and returns
	// the objective's values on the two splits. It is a function of its arguments.
	Look(actions []int, seed uint64) (status trainer.Status, validation, test float64)
}

// World is what there is to search.
type World struct {
	// Space is the tasks'. Its objective is to be maximised.
	Space space.Space
	// Kind is the tasks'.
	Kind string
	// Development are the tasks that controllers learn on, and that settings may be
	// chosen by; Test those that figures are given of.
	Development, Test []string
	// Landscape is that of a task of either list.
	Landscape func(task string) (Landscape, error)
	// Strategies is the table of those there are.
	Strategies strategy.Table
	// Records is the digest of what the landscapes are made of; empty where nothing is
	// compared with what was searched before.
	Records string
}

// Arm is one way of searching.
type Arm struct {
	Name string `json:"name"`
	// Strategy is one of the world's, or Oracle.
	Strategy string `json:"strategy"`
	// Settings are the strategy's, over its defaults.
	Settings json.RawMessage `json:"settings,omitempty"`
	// From names the pretraining that the arm starts from: its controller where the
	// strategy takes one, its trials where it learns from those. Empty: nothing.
	From string `json:"from,omitempty"`
}

// Oracle is an arm that is no search: its trials are all of the configuration that is the
// best known of the task, by the mean of its validation values over seeds. What it is
// ahead by is what there was to find; where it is not ahead, validation cannot tell.
const Oracle = "oracle"

// Pretraining is a search of all development tasks together, but for the target.
type Pretraining struct {
	Name     string          `json:"name"`
	Strategy string          `json:"strategy"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Tasks are those of the development tasks to learn on; empty: all.
	Tasks  []string `json:"tasks,omitempty"`
	Trials int      `json:"trials"`
}

// Plan is what to compare.
type Plan struct {
	Arms         []Arm
	Pretrainings []Pretraining
	// Tasks are the targets. A development task is searched from a pretraining on the
	// others.
	Tasks []string
	// Trials is the budget of each search; Budgets are the numbers of trials that
	// figures are given at, in rising order.
	Trials  int
	Budgets []int
	// Seeds: every arm searches every target with the seeds 1…Seeds. A pretraining is
	// made with the seeds 1…PretrainSeeds: the search with the seed s starts from that
	// of the seed 1 + (s−1) mod PretrainSeeds.
	Seeds, PretrainSeeds int
	Lag                  int
	// Workers is the number of searches at once, which changes nothing of the result.
	Workers int
	// Against is the arm that the others are compared with.
	Against string
}

// maxSeeds bounds the seeds, maxTrials a search.
const (
	maxSeeds  = 10_000
	maxTrials = 1_000_000
)

// Check reports everything wrong with a plan together.
func (p *Plan) Check(w *World) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	between := func(what string, n, most int) {
		if n < 1 || n > most {
			bad("%d %s: it must be 1 to %d", n, what, most)
		}
	}
	between("trials", p.Trials, maxTrials)
	between("seeds", p.Seeds, maxSeeds)
	between("pretraining seeds", p.PretrainSeeds, maxSeeds)
	between("trials of lag", p.Lag, maxTrials)
	between("searches at once", p.Workers, maxSeeds)
	for i, b := range p.Budgets {
		if p.Trials > 0 && (b < 1 || b > p.Trials) || i > 0 && b <= p.Budgets[i-1] {
			bad("figures at %v of %d trials: the numbers must rise, and lie between 1 and the trials", p.Budgets, p.Trials)
			break
		}
	}
	if len(p.Budgets) == 0 {
		bad("no number of trials to give figures at")
	}
	if o := w.Space.Objective; o.Direction != space.Maximise {
		bad("the objective %s is not to be maximised, as regrets have it", o.Metric)
	}
	each := func(whose string, err error) {
		for _, one := range limit.Apart(err) {
			bad("%s: %w", whose, one)
		}
	}
	each("targets", benchmark.Known(p.Tasks, slices.Concat(w.Development, w.Test)))
	begun := map[string]*strategy.Pretrained{}
	for i, pre := range p.Pretrainings {
		if slices.ContainsFunc(p.Pretrainings[:i], func(o Pretraining) bool { return o.Name == pre.Name }) {
			bad("the pretraining %q is there twice", pre.Name)
		}
		between("trials of the pretraining "+pre.Name, pre.Trials, maxTrials)
		whose := fmt.Sprintf("the pretraining %q", pre.Name)
		if len(pre.Tasks) > 0 {
			each(whose, benchmark.Known(pre.Tasks, w.Development))
		}
		controller, err := w.untrained(&pre)
		each(whose, err)
		if err == nil {
			begun[pre.Name] = controller
		}
	}
	for i, a := range p.Arms {
		if a.Name == "" {
			bad("the arm %d has no name", i+1)
		} else if slices.ContainsFunc(p.Arms[:i], func(o Arm) bool { return o.Name == a.Name }) {
			bad("the arm %q is there twice", a.Name)
		}
		for _, err := range p.checkArm(w, a, begun) {
			bad("the arm %q: %w", a.Name, err)
		}
	}
	if len(p.Arms) == 0 {
		bad("no arms")
	} else if p.arm(p.Against) == nil {
		bad("the arms are compared with %q, which is none of them", p.Against)
	}
	return errors.Join(errs...)
}

func (p *Plan) arm(name string) *Arm {
	if i := slices.IndexFunc(p.Arms, func(a Arm) bool { return a.Name == name }); i >= 0 {
		return &p.Arms[i]
	}
	return nil
}

func (p *Plan) pretraining(name string) *Pretraining {
	if i := slices.IndexFunc(p.Pretrainings, func(a Pretraining) bool { return a.Name == name }); i >= 0 {
		return &p.Pretrainings[i]
	}
	return nil
}

// checkArm checks an arm, by the pretrainings' controllers before they have learned anything;
// one that cannot begin is not among them.
func (p *Plan) checkArm(w *World, a Arm, begun map[string]*strategy.Pretrained) []error {
	if a.Strategy == Oracle {
		if a.From != "" || len(a.Settings) > 0 {
			return []error{errors.New("an oracle is no search: it takes no settings and no pretraining")}
		}
		return nil
	}
	d, err := w.Strategies.Find(a.Strategy)
	if err != nil {
		return []error{err}
	}
	if a.From == "" {
		return p.checkBegin(w, a, d, nil)
	}
	pre := p.pretraining(a.From)
	var errs []error
	if pre == nil {
		var names []string
		for _, pre := range p.Pretrainings {
			names = append(names, pre.Name)
		}
		errs = append(errs, fmt.Errorf("no pretraining %q (there are: %s)", a.From, strings.Join(names, ", ")))
	}
	if !d.FromController && !d.FromSources {
		errs = append(errs, fmt.Errorf("it starts from %q, but its strategy %s from nothing", a.From, d.Name))
	}
	if len(errs) > 0 {
		return errs
	}
	controller, ok := begun[a.From]
	if !d.FromController {
		controller = nil
	} else if !ok {
		return nil // told of the pretraining
	} else if controller == nil && !d.FromSources {
		return []error{fmt.Errorf("it starts from the controller of %q, whose strategy %s learns none", a.From, pre.Strategy)}
	}
	errs = p.checkBegin(w, a, d, controller)
	for _, t := range p.Tasks {
		if len(w.learnedOn(pre, t)) == 0 {
			errs = append(errs, fmt.Errorf("no task is left to pretrain on for the target %s", t))
		}
	}
	return errs
}

// checkBegin begins a search as the arm does, but for what its sources say.
func (p *Plan) checkBegin(w *World, a Arm, d *strategy.Definition, controller *strategy.Pretrained) []error {
	task := ""
	if len(p.Tasks) > 0 {
		task = p.Tasks[0]
	}
	c, start, err := w.armStart(&a, d, task, 1, p.Lag, controller)
	if err == nil && task != "" && p.Lag > 0 { // else it has been told
		_, err = search.Begin(w.Strategies, c, start)
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// untrained is the controller of a pretraining that has not begun: by its shape the settings
// of what starts from it can be checked before anything is spent. nil where the strategy
// learns none.
func (w *World) untrained(p *Pretraining) (*strategy.Pretrained, error) {
	settings, err := w.canonical(p.Strategy, p.Settings)
	if err != nil {
		return nil, err
	}
	tasks := w.learnedOn(p, "")
	if len(tasks) == 0 {
		return nil, errors.New("there are no development tasks to learn on")
	}
	c := w.config(p.Strategy, settings, tasks, 1, 1)
	s, err := search.Begin(w.Strategies, c, c.Start(nil, nil))
	if err != nil {
		return nil, err
	}
	if b := s.Controller(); b != nil {
		return strategy.DecodeController(b)
	}
	return nil, nil
}

// learnedOn are the tasks of a pretraining for a target.
func (w *World) learnedOn(p *Pretraining, target string) []string {
	tasks := p.Tasks
	if len(tasks) == 0 {
		tasks = w.Development
	}
	return slices.DeleteFunc(slices.Clone(tasks), func(t string) bool { return t == target })
}

// canonical are a strategy's settings with all defaults filled in.
func (w *World) canonical(name string, raw json.RawMessage) (json.RawMessage, error) {
	d, err := w.Strategies.Find(name)
	if err != nil {
		return nil, err
	}
	return d.Canonical(raw, nil)
}

// config is the configuration of a search, but for what it starts from: that of a
// real one whose data are the landscapes.
func (w *World) config(name string, settings json.RawMessage, tasks []string, seed uint64, lag int) search.Config {
	c := search.Config{
		Space: w.Space, Strategy: name, Settings: settings, Seed: seed, Lag: lag, KeepModels: search.TopN,
	}
	for _, t := range tasks {
		c.Tasks = append(c.Tasks, search.Task{Name: t, Kind: w.Kind, Data: search.SurrogateData + t})
	}
	for _, m := range trainer.Find(w.Space.TrainerName()).Modules(&w.Space) {
		c.Modules = append(c.Modules, search.Module{Name: m, Data: search.SurrogateData + m})
	}
	return c
}
