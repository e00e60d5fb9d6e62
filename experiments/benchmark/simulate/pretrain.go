package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"tnaml/experiments/benchmark"
)

// Controller is a controller that has learned from a recorded benchmark.
type Controller struct {
	Learned
	// Object is the controller (strategy.DecodeController).
	Object []byte `json:"-"`
}

// Check reports everything wrong together with a pretraining that is made by itself, under
// a lag.
func (p *Pretraining) Check(w *World, lag int) error {
	tasks := benchmark.Known(p.Tasks, slices.Concat(w.Development, w.Test))
	errs := []error{tasks}
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if p.Trials < 1 || p.Trials > maxTrials {
		bad("%d trials: it must be 1 to %d", p.Trials, maxTrials)
	}
	if settings, err := w.canonical(p.Strategy, p.Settings); err != nil {
		bad("the strategy %s: %w", p.Strategy, err)
	} else if tasks == nil {
		c := w.config(p.Strategy, settings, p.Tasks, 1, lag)
		errs = append(errs, c.Validate())
	}
	return errors.Join(errs...)
}

// Pretrain makes a pretraining on tasks of the world, and trains no model: it is a search of
// all of them together, each trial answered by the task's surrogate. So many workers fit the
// surrogates, which changes nothing of the result.
func Pretrain(ctx context.Context, w *World, p Pretraining, seed uint64, lag, workers int) (*Controller, error) {
	if err := p.Check(w, lag); err != nil {
		return nil, err
	}
	r := newRunner(w, &Plan{Lag: lag, Workers: workers}, func(int, int) {})
	l := &learned{pretraining: &p, tasks: p.Tasks, seed: seed}
	if err := r.open(ctx, nil, []*learned{l}); err != nil {
		return nil, err
	}
	if err := r.pretrain(ctx, l); err != nil {
		return nil, err
	}
	if l.controller == nil {
		return nil, fmt.Errorf("the strategy %s learns no controller", p.Strategy)
	}
	return &Controller{l.says(), l.controller}, nil
}

// says is what is told of it.
func (l *learned) says() Learned {
	return Learned{l.pretraining.Name, l.seed, l.tasks, l.information, math.Log2(float64(len(l.tasks)))}
}
