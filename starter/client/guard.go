package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/guard"
	"tnaml/experiments/limit"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
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
		r, err := library.RightOf(ctx, c.Store, top.Trials[i])
		if err != nil {
			return fmt.Errorf("search %s: trial %d: %w", l.Name, top.Trials[i].Trial, err)
		}
		if r != nil {
			right[i] = r.Validation
		}
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
	return fmt.Sprintf("validation %s%s, test %s", l.Value(t.Validation), corrected, l.onTest(t))
}

// The guards: what chooses a search's final model.
const (
	// Plain takes the best on the validation split.
	Plain = "plain"
	// Posterior takes the one with the largest posterior mean of its accuracy.
	Posterior = "posterior"
	// Reevaluation takes the one that is best when the best are trained again.
	Reevaluation = "reevaluate"
)

// Guards lists the guards.
func Guards() []string { return []string{Plain, Posterior, Reevaluation} }

// Choice is a task's final model.
type Choice struct {
	Guard string `json:"guard"`
	Trial int    `json:"trial"`
	// Expected is the objective's value that the model is expected to have on new examples,
	// Error two standard errors of it.
	Expected float64 `json:"expected"`
	Error    float64 `json:"two_se"`
	// Of is how many it was chosen from, Repeats how often each was trained again, By the
	// search that did.
	Of      int    `json:"of"`
	Repeats int    `json:"repeats,omitempty"`
	By      string `json:"by,omitempty"`
}

// Choose has a guard choose a task's final model. It is a function of the trials of the
// search and, for Reevaluation, of those that trained its best again.
func (c *Client) Choose(ctx context.Context, l *Ledger, task int, by string) (*Choice, error) {
	top, trained := l.Best(task)
	switch {
	case !slices.Contains(Guards(), by):
		return nil, Usage(fmt.Errorf("unknown guard %q (known: %s)", by, strings.Join(Guards(), ", ")))
	case !trained:
		return nil, fmt.Errorf("search %s has no trained model of task %q yet", l.Name, l.Config.Tasks[task].Name)
	case by == Reevaluation:
		return c.chosenAgain(ctx, l, task)
	case by == Plain:
		out := &Choice{Guard: by, Trial: top.Trials[0].Trial, Expected: top.Trials[0].Validation, Of: 1}
		corrected, err := c.Corrected(ctx, l, task)
		if err == nil && corrected != nil {
			out.Expected, out.Error, out.Of = corrected.Accuracy, corrected.Error, corrected.Models
		}
		return out, err
	}
	trials, right, err := c.judged(ctx, l, task)
	if err != nil {
		return nil, err
	}
	expected := guard.Posterior(right)
	best := guard.Best(expected)
	return &Choice{
		Guard: by, Trial: trials[best].Trial, Expected: expected[best], Error: guard.Error(expected[best], right[best].N), Of: len(trials),
	}, nil
}

// reevaluationName is the name of the search that trains a task's best models again. It has
// nothing of a run's slashes, so that it is a search's own.
func reevaluationName(l *Ledger, task int) string {
	name := strings.ReplaceAll(l.Name, "/", ".") + "-reevaluated"
	if len(l.Config.Tasks) > 1 {
		name += "-" + l.Config.Tasks[task].Name
	}
	return name
}

// reevaluation reads the record of the search that trains a task's best models again; false
// where there is none.
func (c *Client) reevaluation(ctx context.Context, l *Ledger, task int) (*library.SearchRecord, bool, error) {
	name := reevaluationName(l, task)
	r, err := library.ReadRecord(ctx, c.Store, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	if of := r.Reevaluated; of == nil || of.Search != l.Name || of.Config != l.Config.Digest() || of.Task != l.Config.Tasks[task].Name {
		return nil, false, fmt.Errorf("search %s is not of the best models of %s, or of another search that had this name: "+
			"`starter remove %s` gives the name up", name, l.Name, name)
	}
	return &r, true, nil
}

// Reevaluate has the best models of a search that has ended trained again, top of them, each
// so many times, and returns the name of the search that does: one that is there already,
// where it is. Of top and repeats 0 is what that one has, else the default; one that has
// others is an error.
func (c *Client) Reevaluate(ctx context.Context, l *Ledger, task, top, repeats int) (string, error) {
	if there, ok, err := c.reevaluation(ctx, l, task); err != nil || ok {
		if err == nil {
			err = otherReevaluation(there, top, repeats)
		}
		return reevaluationName(l, task), err
	}
	top, repeats = cmp.Or(top, DefaultTop), cmp.Or(repeats, DefaultRepeats)
	if open, err := c.Open(ctx, l.Name); err != nil {
		return "", err
	} else if open {
		return "", fmt.Errorf("search %s has not ended: its best models are trained again when it has", l.Name)
	}
	r := library.Reevaluate{Task: l.Config.Tasks[task].Name, Top: top, Repeats: repeats}
	if err := r.Validate(); err != nil {
		return "", Usage(err)
	}
	own, err := json.Marshal(map[string]any{"from": l.Name, "reevaluate": r})
	if err != nil {
		return "", err
	}
	o, err := library.GoOn(ctx, c.Store, l.Name, own)
	if err != nil {
		return "", err
	}
	summary := fmt.Sprintf("the best %d of %s again · %d trials", len(o.Reevaluated.Trials), l.Name, repeats*len(o.Reevaluated.Trials))
	name := reevaluationName(l, task)
	return c.start(ctx, Search, name, name, workflows.SearchWorkflow, own, limit.Summary(summary))
}

// DefaultTop and DefaultRepeats are how many models are trained again, and how often.
const (
	DefaultTop     = 10
	DefaultRepeats = 3
)

// otherReevaluation says that a search trains the best models again, and not as is wanted.
func otherReevaluation(r *library.SearchRecord, top, repeats int) error {
	var has struct {
		Reevaluate library.Reevaluate `json:"reevaluate"`
	}
	if err := json.Unmarshal(r.Spec, &has); err != nil {
		return fmt.Errorf("search %s: its spec: %w", r.Name, err)
	}
	is := has.Reevaluate
	if (top == 0 || top == is.Top) && (repeats == 0 || repeats == is.Repeats) {
		return nil
	}
	return Usage(fmt.Errorf("search %s trains the best %d models again, %d times each, and not %d, %d times: leave --top and --repeats "+
		"out to choose by it, or give its name up first (`starter remove %s`)", r.Name, is.Top, is.Repeats, cmp.Or(top, is.Top),
		cmp.Or(repeats, is.Repeats), r.Name))
}

// chosenAgain is the choice by what a task's best models had when they were trained again. A
// configuration that failed is none to choose.
func (c *Client) chosenAgain(ctx context.Context, l *Ledger, task int) (*Choice, error) {
	r, there, err := c.reevaluation(ctx, l, task)
	if err != nil {
		return nil, err
	}
	name, of := reevaluationName(l, task), l.Config.Tasks[task].Name
	if !there {
		return nil, fmt.Errorf("the best models of %s have not been trained again: `starter best %s --task %s --guard %s` has it done",
			l.Name, l.Name, of, Reevaluation)
	}
	again, err := c.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	k := len(r.Reevaluated.Trials)
	repeats := len(again.Trials) / k // whole rounds
	if repeats < 2 {
		return nil, fmt.Errorf("search %s has trained no model of %s twice yet: `starter watch %s`", name, l.Name, name)
	}
	var values [][]float64
	var trials []int
	for i, t := range r.Reevaluated.Trials {
		var v []float64
		for round := range repeats {
			if row := again.Trials[round*k+i]; row.OK() {
				v = append(v, row.Reward)
			}
		}
		if len(v) == repeats {
			values, trials = append(values, v), append(trials, t)
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("search %s: each of the models has failed when it was trained again: see `starter trials %s`", name, name)
	}
	best, expected := guard.Again(values)
	o := l.Config.Space.Objective
	return &Choice{
		Guard: Reevaluation, Trial: trials[best], Expected: trainer.Reward(o, expected.Mean), Error: expected.Error, Of: len(values),
		Repeats: repeats, By: name,
	}, nil
}

// SayChoice says which model a guard chose: "posterior: trial 17 of 100, expected 82.6 ±
// 1.1 %: validation 84.0 %, test 82.4 %".
func (l *Ledger) SayChoice(c *Choice) string {
	expected := l.Value(c.Expected)
	if c.Error > 0 {
		expected = strings.TrimSuffix(expected, " %") + " ± " + l.Value(c.Error)
	}
	again := ""
	if c.Repeats > 0 {
		again = fmt.Sprintf(", each trained again %d times", c.Repeats)
	}
	return fmt.Sprintf("%s: trial %d, chosen of %d%s; expected %s (%s)", c.Guard, c.Trial, c.Of, again, expected,
		l.Say(l.Trials[c.Trial], nil))
}
