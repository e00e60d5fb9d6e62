// Package report writes searches side by side as one self-contained HTML page,
// with the data behind it as CSV and JSON. The page needs no network and no
// script, and reads in light, in dark and on paper. Equal inputs give equal
// bytes: there is no clock in it, the date is part of the input.
package report

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"

	"tnaml/experiments/data"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/guard"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
	"tnaml/experiments/yardstick"
)

// Input is what a report shows.
type Input struct {
	Title string `json:"title"`
	// Generated is the date, in words.
	Generated string   `json:"generated,omitempty"`
	Searches  []Search `json:"searches"`
	// Cards describe the tasks; a task may lack one.
	Cards []Card `json:"cards,omitempty"`
	// Evaluations are those of the tasks' best models, where they were kept.
	Evaluations []study.Evaluation `json:"evaluations,omitempty"`
	// Pareto are the two metrics of which the page shows the front, or none.
	Pareto []Axis `json:"pareto,omitempty"`
}

// Search is one search with its ledger.
type Search struct {
	Name string `json:"name"`
	// Strategy is what the page calls the strategy, empty for Config.Strategy, or
	// that with ", transferred". Where searches of the same words differ in more than
	// their seed and tasks, the page adds what they differ in.
	Strategy string `json:"strategy,omitempty"`
	// From says which searches it goes on from, and after how many trials: the first of
	// its trials are theirs.
	From string `json:"from,omitempty"`
	// Sources says of which searches' trials it learns, and of how many of them.
	Sources string `json:"sources,omitempty"`
	Status  string `json:"status"`
	// Reason says which bound of its budget has ended it.
	Reason string `json:"reason,omitempty"`
	study.Span
	Config search.Config  `json:"config"`
	Trials []search.Trial `json:"trials"`
	// Costs are matched to trials by number; a trial may lack one.
	Costs []search.Cost `json:"costs,omitempty"`
	// Corrected is what the best model of each task of Config.Tasks is expected to have on
	// new examples; nil where that cannot be told.
	Corrected []*guard.Corrected `json:"-"`
	// Greedy holds the learned controller's greedy architecture for each task of
	// Config.Tasks; nil without a controller.
	Greedy []strategy.Greedy `json:"greedy_architectures,omitempty"`
}

func (s *Search) strategy() string {
	if s.Strategy != "" {
		return s.Strategy
	}
	return s.Config.Strategy
}

// Card is a task's card.
type Card struct {
	Task string    `json:"task"`
	Card data.Card `json:"card"`
	// Yardsticks are what simple models have on the task; none where they were not trained.
	Yardsticks []yardstick.Result `json:"yardsticks,omitempty"`
}

// topN is the N of all accuracies-topN.
const topN = search.TopN

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"points": points, "cosine": cosine, "percentage": percentage,
	"f1":       func(c metrics.Class) string { return percentage(2*c.Right, c.Examples+c.Predicted) },
	"duration": duration, "count": count, "label": label,
	"inc": func(i int) int { return i + 1 }, "percent": func(v float64) float64 { return 100 * v },
	"mul": func(a, b float64) float64 { return a * b }, "share": func(n, of int) float64 { return 100 * float64(n) / float64(max(1, of)) },
	"facts": func(c data.Card) []data.Fact { return kinds.Of(&c).Facts(&c) },
	"size":  func(c data.Card) string { return kinds.Of(&c).Size(&c) },
}).Parse(pageHTML))

// Write writes the page. It checks the input first and reports everything wrong
// with it together; then nothing is written.
func Write(w io.Writer, in Input) error {
	if err := in.validate(); err != nil {
		return err
	}
	v, err := newView(in)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// maxProblems bounds how many problems of one search are named.
const maxProblems = 5

// validate reports what would make figures meaningless or indices run out: rows
// out of order, unknown tasks, actions that do not fit the space, values that are
// no numbers, rewards that are not of them.
func (in Input) validate() error {
	var errs []error
	for i := range in.Searches {
		s := &in.Searches[i]
		var own []error
		objective := scaleOf(&s.Config.Space).Objective
		bad := func(t *search.Trial, format string, a ...any) {
			own = append(own, fmt.Errorf("report: search %q: trial %d: %w", s.Name, t.Trial, fmt.Errorf(format, a...)))
		}
		if n := len(s.Corrected); n != 0 && n != len(s.Config.Tasks) {
			own = append(own, fmt.Errorf("report: search %q: %d corrected accuracies of %d tasks", s.Name, n, len(s.Config.Tasks)))
		}
		for k := range s.Trials {
			t := &s.Trials[k]
			if k > 0 && t.Trial <= s.Trials[k-1].Trial {
				bad(t, "stands after trial %d", s.Trials[k-1].Trial)
			}
			if t.Task < 0 || t.Task >= len(s.Config.Tasks) {
				bad(t, "task %d of %d", t.Task, len(s.Config.Tasks))
			}
			if n := len(s.Config.Space.Choices); len(t.Actions) != n {
				bad(t, "%d actions for %d choices", len(t.Actions), n)
			} else {
				for c, a := range t.Actions {
					if choice := s.Config.Space.Choices[c]; a < 0 || a >= len(choice.Options) {
						bad(t, "choice %q has no option %d of %d", choice.Name, a, len(choice.Options))
					}
				}
			}
			for _, v := range []float64{t.Validation, t.Test, t.Reward} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					bad(t, "%s: %v is no value", objective.Metric, v)
				}
			}
			switch want := trainer.Reward(objective, t.Validation); {
			case t.OK() && t.Reward != want:
				bad(t, "its reward is %v, that of a validation %s of %v is %v", t.Reward, objective.Metric, t.Validation, want)
			case t.Status.Failure() && (t.Validation != 0 || t.Test != 0):
				bad(t, "it %s with a validation %s of %v", t.Status, objective.Metric, t.Validation)
			}
		}
		if more := len(own) - maxProblems; more > 0 {
			own = append(own[:maxProblems], fmt.Errorf("report: search %q: %d more problems", s.Name, more))
		}
		errs = append(errs, own...)
	}
	return errors.Join(errs...)
}
