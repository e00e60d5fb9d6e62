package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

const (
	// maxJudged bounds the models of a task that a guard looks at: the best on the
	// validation split. What is behind so many of them is hardly chosen for its luck.
	maxJudged = 1000
	// replicates are those of a corrected accuracy.
	replicates = 200
)

// ErrUnjudged says that it is not kept which validation examples a search's models have
// right.
var ErrUnjudged = errors.New("it is not kept which validation examples its models have right: the same search with --examples keeps it")

// judged are a task's models, the best on the validation split first, with the validation
// examples that they have right. Those are what its objective counts, or it is ErrUnjudged.
func (c *Client) judged(ctx context.Context, l *Ledger, task int) ([]search.Trial, []trainer.Bits, error) {
	unjudged := fmt.Errorf("search %s: %w", l.Name, ErrUnjudged)
	if m := l.Config.Space.Objective.Metric; m != trainer.Accuracy {
		return nil, nil, fmt.Errorf("%w, and its objective is %s: they say something of accuracy", unjudged, m)
	}
	top, _ := metrics.AccuracyTopN(l.Trials, task, maxJudged)
	right, at := make([]trainer.Bits, top.Models()), make([]int, top.Models())
	for i, t := range top.Trials {
		if at[i] = i; t.Examples == "" {
			return nil, nil, unjudged
		}
	}
	const parallel = 16
	err := store.Each(ctx, parallel, at, func(ctx context.Context, i int) error {
		r, err := library.ReadRight(ctx, c.Store, store.Ref(top.Trials[i].Examples))
		if err != nil {
			return fmt.Errorf("search %s: trial %d: %w", l.Name, top.Trials[i].Trial, err)
		}
		right[i] = r.Validation
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, r := range right {
		if r.N == 0 || r.N != right[0].N {
			return nil, nil, unjudged
		}
	}
	if len(right) == 0 {
		return nil, nil, unjudged
	}
	return top.Trials, right, nil
}

// Corrected is what a task's best model is expected to have on new examples; nil where
// that cannot be told (ErrUnjudged).
func (c *Client) Corrected(ctx context.Context, l *Ledger, task int) (*guard.Corrected, error) {
	_, right, err := c.judged(ctx, l, task)
	if errors.Is(err, ErrUnjudged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := guard.Correct(right, replicates, l.Config.Seed)
	return &out, nil
}

// Say says how good a trial's model is: "validation 84.2 % (of 100 models; corrected
// 82.6 ± 1.1 %), test 82.4 %"; without the parenthesis where nothing can be corrected.
func (l *Ledger) Say(t search.Trial, c *guard.Corrected) string {
	corrected := ""
	if c != nil {
		corrected = fmt.Sprintf(" (of %d models; corrected %s ± %s)", c.Models, strings.TrimSuffix(l.Value(c.Accuracy), " %"), l.Value(c.Error))
	}
	return fmt.Sprintf("validation %s%s, test %s", l.Value(t.Validation), corrected, l.OnTest(t.Test))
}
