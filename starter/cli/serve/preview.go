package serve

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/trainers"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
	"tnaml/starter/cli/samples"
)

// previewBytes bounds what a preview keeps decoded in memory.
const previewBytes = 256 << 20

// preview searches one of the demonstration's tasks in this process, without servers, until ctx
// ends: tell is told of each trial, and what the best one has. What goes wrong ends it: it is there to be
// looked at, and nothing depends on it.
func preview(ctx context.Context, goroot string, tell func(line string)) {
	background()
	tell("meanwhile, a first search in this process, of Go's own documentation: reading it")
	s, task, err := samples.Taste(ctx, goroot)
	if err != nil {
		return
	}
	config, _, err := library.Pin(ctx, s, library.Names{Tasks: []string{task}, Strategy: strategy.TPE, Space: "text-small", Seed: 1, Lag: 1,
		KeepModels: 1})
	if err != nil {
		return
	}
	searcher, err := search.New(*config)
	if err != nil {
		return
	}
	builtin := trainers.NewBuiltin(s, memory.New(previewBytes))
	best, keep := search.Trial{Reward: math.Inf(-1)}, math.Inf(1) // no model is kept
	model := ""
	for i := 0; ctx.Err() == nil; i++ {
		p, err := searcher.Ask(i)
		if err != nil {
			return
		}
		r, err := config.Again(search.NewTrial(p, trainer.Outcome{}, config.Space.Objective))
		if err != nil {
			return
		}
		r.Keep = &keep
		done, err := builtin.Run(ctx, r, func(trainer.Progress) error { return ctx.Err() })
		if err != nil {
			return
		}
		t := search.NewTrial(p, r.Checked(done.Outcome), config.Space.Objective)
		if err := searcher.Tell(t); err != nil {
			return
		}
		if t.OK() && t.Reward > best.Reward {
			best, model = t, p.Summary
		}
		if model == "" {
			continue
		}
		tell(fmt.Sprintf("meanwhile, a first search in this process: model %d for %s is trained, the best so far has %s on the validation split "+
			"(model %d: %s)", i+1, task, trainer.Text(config.Space.Objective, best.Validation), best.Trial+1, model))
	}
}

// previewPatience bounds the wait for a preview's end: what it reads and trains goes on to its end.
const previewPatience = time.Second

// whileBuilding shows a preview under what build says, where somebody looks, until build returns.
func (a app) whileBuilding(ctx context.Context, goroot string, build func(progress func(line string)) error) error {
	var mu sync.Mutex
	p, building, searching, over := a.NewProgress(), "", "", false
	show := func(to *string) func(string) {
		return func(line string) {
			mu.Lock()
			defer mu.Unlock()
			if over {
				return
			}
			*to = line
			lines := []string{building}
			if searching != "" {
				lines = append(lines, searching)
			}
			p.Update(lines...)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }() // nothing depends on it
		preview(ctx, goroot, show(&searching))
	}()
	err := build(show(&building))
	cancel()
	select {
	case <-ended:
	case <-time.After(previewPatience):
	}
	mu.Lock()
	defer mu.Unlock()
	over = true
	if p.Clear(); searching != "" && err == nil {
		a.Say("%s.\nThe servers are there: that search is left, and the same is done with workflows, which last, and learn from other tasks.",
			searching)
	}
	return err
}
