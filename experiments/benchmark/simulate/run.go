package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// Run runs a plan. progress is told the trials done, of all there will be; it is
// called by many goroutines. Where ctx ends, the result is of the seeds that all arms
// have searched all targets with, perhaps none, and comes with ctx's error.
func Run(ctx context.Context, w *World, p Plan, progress func(done, all int)) (*Result, error) {
	if err := p.Check(w); err != nil {
		return nil, err
	}
	return newRunner(w, &p, progress).run(ctx)
}

func newRunner(w *World, p *Plan, progress func(done, all int)) *runner {
	metric := w.Space.Objective.Metric
	return &runner{
		world: w, plan: p, lands: map[string]Landscape{}, best: map[string][]int{},
		validation: "validation_" + metric, test: "test_" + metric, progress: progress,
	}
}

type runner struct {
	world *World
	plan  *Plan
	lands map[string]Landscape
	// best are the targets' configurations that are the best known (Oracle).
	best map[string][]int
	// validation and test name the objective on the two splits.
	validation, test string
	progress         func(done, all int)
	done             atomic.Int64
	all              int
}

// informationSamples are the architectures drawn of each task to measure a controller's
// information by.
const informationSamples = 50

// learned is a pretraining that was made: what arms start from.
type learned struct {
	pretraining *Pretraining
	tasks       []string
	seed        uint64
	// controller is the object, nil where the strategy learns none.
	controller []byte
	ref        string // the sources' digest
	sources    []strategy.Source
	// information is that of the controller in bits.
	information float64
}

func (l *learned) key() string { return fmt.Sprintf("%q %d %q", l.pretraining.Name, l.seed, l.tasks) }

// needs is the pretraining that a search starts from, not made yet; nil for none.
func (r *runner) needs(a *Arm, task string, seed int) *learned {
	pre := r.plan.pretraining(a.From)
	if pre == nil {
		return nil
	}
	return &learned{pretraining: pre, tasks: r.world.learnedOn(pre, task), seed: uint64(seed%r.plan.PretrainSeeds) + 1}
}

func (r *runner) run(ctx context.Context) (*Result, error) {
	p := r.plan
	// Seeds are the outermost: those that are complete when a run is interrupted count.
	type job struct{ seed, task, arm int }
	var jobs []job
	var pretrainings []*learned
	needed := map[string]*learned{}
	for s := range p.Seeds {
		for t, task := range p.Tasks {
			for a := range p.Arms {
				jobs = append(jobs, job{s, t, a})
				if l := r.needs(&p.Arms[a], task, s); l != nil && needed[l.key()] == nil {
					needed[l.key()] = l
					pretrainings = append(pretrainings, l)
					r.all += l.pretraining.Trials
				}
			}
		}
	}
	r.all += len(jobs) * p.Trials
	result := newResult(r.world, p)
	err := r.open(ctx, result, pretrainings)
	if err == nil {
		err = r.each(ctx, len(pretrainings), func(ctx context.Context, i int) error {
			l := pretrainings[i]
			if err := r.pretrain(ctx, l); err != nil {
				return fmt.Errorf("the pretraining %s of seed %d on %s: %w", l.pretraining.Name, l.seed, strings.Join(l.tasks, ", "), err)
			}
			return nil
		})
	}
	for _, l := range pretrainings {
		if err == nil && l.controller != nil {
			result.Learned = append(result.Learned, l.says())
		}
	}
	finished := make([]atomic.Int64, p.Seeds)
	if err == nil {
		err = r.each(ctx, len(jobs), func(ctx context.Context, i int) error {
			j := jobs[i]
			from := r.needs(&p.Arms[j.arm], p.Tasks[j.task], j.seed)
			if from != nil {
				from = needed[from.key()]
			}
			arm, task := &p.Arms[j.arm], &result.Tasks[j.task]
			trials, err := r.target(ctx, arm, task.Name, uint64(j.seed)+1, from)
			if err != nil {
				return fmt.Errorf("the arm %s on %s with the seed %d: %w", arm.Name, task.Name, j.seed+1, err)
			}
			task.Arms[j.arm].Searches[j.seed] = summary(trials, p.Budgets, r.lands[task.Name], task.Validation, task.Test)
			finished[j.seed].Add(1)
			return nil
		})
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	complete := 0
	for complete < p.Seeds && finished[complete].Load() == int64(len(p.Tasks)*len(p.Arms)) {
		complete++
	}
	result.cut(complete)
	return result, err
}

// open fits what is searched, and finds its scales.
func (r *runner) open(ctx context.Context, result *Result, pretrainings []*learned) error {
	names := slices.Clone(r.plan.Tasks)
	for _, l := range pretrainings {
		names = append(names, l.tasks...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	lands, best, err := make([]Landscape, len(names)), make([][]int, len(names)), error(nil)
	err = r.each(ctx, len(names), func(_ context.Context, i int) (err error) {
		if lands[i], err = r.world.Landscape(names[i]); err != nil {
			return fmt.Errorf("task %s: %w", names[i], err)
		}
		if t := slices.Index(r.plan.Tasks, names[i]); t >= 0 {
			result.Tasks[t].Validation, result.Tasks[t].Test, best[i], err = scales(lands[i], r.world.Space.Options())
		}
		if err != nil {
			return fmt.Errorf("task %s: %w", names[i], err)
		}
		return nil
	})
	for i, name := range names {
		r.lands[name], r.best[name] = lands[i], best[i]
	}
	return err
}

// each runs n jobs, some at once, begun in their order, until one fails.
func (r *runner) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(r.plan.Workers)
	for i := 0; i < n && all.Err() == nil; i++ {
		g.Go(func() error { return do(all, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// pretrain makes a pretraining.
func (r *runner) pretrain(ctx context.Context, l *learned) error {
	d, err := r.world.Strategies.Find(l.pretraining.Strategy)
	if err != nil {
		return err
	}
	settings, err := d.Canonical(l.pretraining.Settings, nil)
	if err != nil {
		return err
	}
	c := r.world.config(d.Name, settings, l.tasks, l.seed, r.plan.Lag)
	s, trials, err := r.search(ctx, c, c.Start(nil, nil), l.pretraining.Trials)
	if err != nil {
		return err
	}
	if l.controller = s.Controller(); l.controller != nil {
		controller, err := strategy.DecodeController(l.controller)
		if err != nil {
			return err
		}
		l.information = max(0, controller.Policy.Information(informationSamples, 0).Architecture)
	}
	sources := make([]strategy.Source, len(l.tasks))
	for i, t := range l.tasks {
		sources[i].Task = t
	}
	for _, t := range trials {
		sources[t.Task].Trials = append(sources[t.Task].Trials, strategy.Known{Actions: t.Actions, Status: t.Status, Reward: t.Reward})
	}
	l.ref, l.sources, err = strategy.DecodeSources(strategy.EncodeSources(&c.Space, sources), &c.Space)
	return err
}

// target searches a target in an arm, from what was learned.
func (r *runner) target(ctx context.Context, a *Arm, task string, seed uint64, from *learned) ([]search.Trial, error) {
	if a.Strategy == Oracle {
		return r.oracle(ctx, task, seed)
	}
	d, err := r.world.Strategies.Find(a.Strategy)
	if err != nil {
		return nil, err
	}
	var controller *strategy.Pretrained
	if from != nil && from.controller != nil && d.FromController {
		// Every search has one of its own, as a controller has room for what it computes.
		if controller, err = strategy.DecodeController(from.controller); err != nil {
			return nil, err
		}
	}
	c, start, err := r.world.armStart(a, d, task, seed, r.plan.Lag, controller)
	if err != nil {
		return nil, err
	}
	if from != nil && d.FromSources {
		c.Sources, start.Sources = from.ref, from.sources
	}
	_, trials, err := r.search(ctx, c, start, r.plan.Trials)
	return trials, err
}

// armStart is how an arm's search of a target begins, but for the sources.
func (w *World) armStart(
	a *Arm, d *strategy.Definition, task string, seed uint64, lag int, controller *strategy.Pretrained,
) (c search.Config, s strategy.Start, err error) {
	settings, err := d.Canonical(a.Settings, controller)
	if err != nil {
		return c, s, err
	}
	c = w.config(a.Strategy, settings, []string{task}, seed, lag)
	s = c.Start(controller, nil)
	if controller != nil && d.Continues {
		c.Controller = controller.Ref
	}
	return c, s, nil
}

// oracle is the search of an arm that knows where the best is.
func (r *runner) oracle(ctx context.Context, task string, seed uint64) ([]search.Trial, error) {
	known, err := r.world.Space.Values(r.best[task])
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(strategy.FixedSettings{Architecture: known})
	if err != nil {
		return nil, err
	}
	c := r.world.config(strategy.Fixed, settings, []string{task}, seed, r.plan.Lag)
	_, trials, err := r.search(ctx, c, c.Start(nil, nil), r.plan.Trials)
	return trials, err
}

// search runs a search as a real one is run, trial after trial.
func (r *runner) search(ctx context.Context, c search.Config, start strategy.Start, trials int) (*search.Searcher, []search.Trial, error) {
	s, err := search.Begin(r.world.Strategies, c, start)
	if err != nil {
		return nil, nil, err
	}
	lands := make([]Landscape, len(c.Tasks))
	for i, t := range c.Tasks {
		lands[i] = r.lands[t.Name]
	}
	rows := make([]search.Trial, trials)
	for i := range rows {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		proposal, err := s.AskActions(i)
		if err != nil {
			return nil, nil, err
		}
		rows[i] = search.NewTrial(proposal, r.look(lands[proposal.Task], proposal), c.Space.Objective)
		if err := s.Tell(rows[i]); err != nil {
			return nil, nil, err
		}
	}
	search.FillRewards(&c, rows)
	r.progress(int(r.done.Add(int64(trials))), r.all)
	return s, rows, nil
}

// look is the trainer.
func (r *runner) look(l Landscape, p search.Proposal) trainer.Outcome {
	status, validation, test := l.Look(p.Actions, p.Seed)
	o := trainer.Outcome{Status: status}
	if status == trainer.OK {
		o.Metrics = map[string]float64{r.validation: validation, r.test: test}
	}
	return o
}
