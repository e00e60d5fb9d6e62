package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/trainers"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// Pick chooses one model of a search.
type Pick struct {
	// Task names the task, of a search over several; a trial that is chosen must be of it.
	Task string
	// Trial is the trial's number, or negative for the task's best on the validation
	// split.
	Trial int
	// Guard chooses the trial where none is named: one of Guards; empty: Plain.
	Guard string
	// Retrain trains the model again where it is not kept: here, not on a worker.
	Retrain bool
	// Refit trains the model anew on the validation examples too, which have chosen it: here,
	// not on a worker.
	Refit bool
}

// ExportModel makes the exported form of a search's model (see exported.Decode),
// and says which trial's it is.
func (c *Client) ExportModel(ctx context.Context, name string, p Pick) ([]byte, Row, error) {
	l, err := c.Find(ctx, name)
	if err != nil {
		return nil, Row{}, err
	}
	at, err := c.picked(ctx, l, p)
	if err != nil {
		return nil, Row{}, err
	}
	if (p.Refit || p.Retrain) && l.Config.Strategy == search.Imported {
		return nil, l.Row(at), fmt.Errorf("the trials of %s were imported: there are no models of them, and their seeds are not known", name)
	}
	if p.Refit {
		return c.refit(ctx, l, at)
	}
	b, err := library.ExportModel(ctx, c.Store, name, l.Config, l.Trials[at])
	if p.Retrain && errors.Is(err, library.ErrNotKept) {
		again := l.Trials[at]
		if again.Model, err = c.retrain(ctx, l.Config, again); err == nil {
			b, err = library.ExportModel(ctx, c.Store, name, l.Config, again)
		}
	}
	return b, l.Row(at), err
}

// picked is the trial that is meant: one by its number must be of the task, where that is named.
func (c *Client) picked(ctx context.Context, l *Ledger, p Pick) (int, error) {
	task := -1
	if p.Task != "" || p.Trial < 0 {
		var err error
		if task, err = l.Task(p.Task); err != nil {
			return 0, err
		}
	}
	switch {
	case p.Trial < 0:
		return c.pick(ctx, l, task, p.Guard)
	case p.Trial >= len(l.Trials):
		return 0, fmt.Errorf("search %s has %d trials, there is no trial %d", l.Name, len(l.Trials), p.Trial)
	case task >= 0 && l.Trials[p.Trial].Task != task:
		return 0, Usage(fmt.Errorf("search %s: trial %d is of the task %s, not of %s: leave one of the two out", l.Name, p.Trial,
			l.Config.Tasks[l.Trials[p.Trial].Task].Name, p.Task))
	}
	return p.Trial, nil
}

// pick is the trial that a guard chooses.
func (c *Client) pick(ctx context.Context, l *Ledger, task int, by string) (int, error) {
	if by != "" && by != Plain {
		choice, err := c.Choose(ctx, l, task, by)
		if err != nil {
			return 0, err
		}
		return choice.Trial, nil
	}
	top, ok := l.Best(task)
	if !ok {
		return 0, fmt.Errorf("search %s has no trained model of task %q yet", l.Name, l.Config.Tasks[task].Name)
	}
	return top.Trials[0].Trial, nil
}

// Ensemble chooses the ensemble of a task's kept models, of size picks.
func (c *Client) Ensemble(ctx context.Context, name, task string, size int) (*library.Ensemble, error) {
	if size < 1 || size > maxEnsemble {
		return nil, Usage(fmt.Errorf("an ensemble of %d picks: between 1 and %d can be", size, maxEnsemble))
	}
	l, err := c.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	of, err := l.Task(task)
	if err != nil {
		return nil, err
	}
	return library.ChooseEnsemble(ctx, c.Store, name, l.Config, l.Trials, of, size)
}

// maxEnsemble bounds the picks of an ensemble: each goes through all kept models.
const maxEnsemble = 1000

// retrain trains a trial's model again and stores it, where the next collections
// find it.
func (c *Client) retrain(ctx context.Context, config *search.Config, t search.Trial) (string, error) {
	ref, _, err := c.train(ctx, config, t, func(b *trainers.Builtin, r trainer.Request) (trainer.Result, error) {
		return b.Run(ctx, r, func(trainer.Progress) error { return nil })
	})
	if err != nil {
		return "", fmt.Errorf("training trial %d again: %w", t.Trial, err)
	}
	return ref, nil
}

// refit trains a trial's model anew on the validation examples too, and exports it.
func (c *Client) refit(ctx context.Context, l *Ledger, at int) ([]byte, Row, error) {
	row, t := l.Row(at), l.Trials[at]
	if !t.OK() {
		return nil, row, fmt.Errorf("search %s: trial %d has the status %s: there is nothing to refit", l.Name, at, t.Status)
	}
	ref, o, err := c.train(ctx, l.Config, t, func(b *trainers.Builtin, r trainer.Request) (trainer.Result, error) {
		return b.Refit(ctx, r, t.Metrics[trainer.Temperature])
	})
	if err != nil {
		return nil, row, fmt.Errorf("refitting trial %d: %w", t.Trial, err)
	}
	again := t
	again.Model, again.Metrics = ref, maps.Clone(t.Metrics)
	for name, v := range o.Metrics {
		if strings.HasPrefix(name, "test_") {
			again.Metrics[name] = v
		}
	}
	b, err := library.ExportRefitted(ctx, c.Store, l.Name, l.Config, again)
	if _, test, ok := trainer.Values(again.Metrics, l.Config.Space.Objective); ok {
		row.Refitted = &Refitted{Test: test, OnTest: l.OnTest(test)}
	}
	return b, row, err
}

// train has a trial's request trained here, and stores the model, where the next
// collections find it.
func (c *Client) train(
	ctx context.Context, config *search.Config, t search.Trial, by func(*trainers.Builtin, trainer.Request) (trainer.Result, error),
) (ref string, o trainer.Outcome, err error) {
	builtin := trainers.NewBuiltin(c.Store, memory.New(1<<30))
	if name := config.Space.TrainerName(); name != builtin.Name() {
		return "", o, fmt.Errorf("only models of the trainer %s are trained here, this is one of %s", builtin.Name(), name)
	}
	request, err := config.Again(t)
	if err != nil {
		return "", o, err
	}
	result, err := by(builtin, request)
	if err != nil {
		return "", o, err
	}
	if result.Encode == nil {
		return "", o, fmt.Errorf("it has the status %s: %s", result.Status, result.Reason)
	}
	object, err := c.Store.Put(ctx, result.Encode())
	return string(object), result.Outcome, err
}
