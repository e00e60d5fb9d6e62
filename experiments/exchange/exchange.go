// Package exchange is what other tools write and read of trials: ledgers as CSV,
// Parquet, Optuna's journal and TensorBoard's event files, and trials of other programs
// as the rows of a ledger. Names are as those tools have them. Ledgers are written row by
// row: none is ever held as text.
package exchange

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Ledger is a search's trials with what they are of.
type Ledger struct {
	Name     string
	Strategy string
	Config   *search.Config
	Trials   []search.Trial
	// Costs are matched to trials by number; a trial may lack one.
	Costs []search.Cost
}

// table is ledgers as a table: a row a trial.
type table struct {
	ledgers []Ledger
	// columns are named as a file's are; choices and metrics come last, after choice and
	// metric, since they may have any names.
	columns []column
	choices map[string]int
	metrics map[string]int
}

// column is named, and has values of one type: "", 0, uint64(0), 0.0 or false.
type column struct {
	name string
	zero any
}

// The prefixes of the columns of choices and of metrics.
const (
	choicePrefix = "choice."
	metricPrefix = "metric."
)

// newTable lays out the columns: the same choices of several spaces are one, of text where
// their options are not of one type.
func newTable(ledgers []Ledger) *table {
	t := &table{ledgers: ledgers, choices: map[string]int{}, metrics: map[string]int{}, columns: []column{
		{"search", ""}, {"strategy", ""}, {"seed", uint64(0)}, {"trial", 0}, {"task", ""}, {"status", ""}, {"reason", ""}, {"validation", 0.0},
		{"test", 0.0}, {"reward", 0.0}, {"steps", 0}, {"cpu_seconds", 0.0}, {"wall_seconds", 0.0}, {"cached", false}, {"worker", ""},
		{"model", ""}, {"curve", ""},
	}}
	metrics := map[string]bool{}
	for _, l := range ledgers {
		for _, c := range l.Config.Space.Choices {
			zero := zeroOf(c.Options[0])
			at, there := t.choices[c.Name]
			if !there {
				at = len(t.columns)
				t.choices[c.Name], t.columns = at, append(t.columns, column{choicePrefix + c.Name, zero})
			} else if t.columns[at].zero != zero {
				t.columns[at].zero = ""
			}
		}
		for _, trial := range l.Trials {
			for name := range trial.Metrics {
				metrics[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		t.metrics[name], t.columns = len(t.columns), append(t.columns, column{metricPrefix + name, 0.0})
	}
	return t
}

func zeroOf(option any) any {
	switch option.(type) {
	case int64:
		return 0
	case float64:
		return 0.0
	case bool:
		return false
	}
	return ""
}

// known is a value, nil where it is the zero that stands for none.
func known[T comparable](v T) any {
	var none T
	return where(v != none, v)
}

// where is a value, nil where it is not there.
func where[T any](there bool, v T) any {
	if !there {
		return nil
	}
	return v
}

// curveText is a learning curve as in an outcome: [[step, value], …].
func curveText(curve []trainer.Point) any {
	b, err := json.Marshal(curve)
	return where(err == nil && len(curve) > 0, string(b))
}

// rows are the cells of each trial, nil where there is nothing: the space lacks the
// choice, the trial its cost, a failed one its values. The slice is used again.
func (t *table) rows() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		row := make([]any, len(t.columns))
		for i := range t.ledgers {
			l := &t.ledgers[i]
			costs := costsOf(l)
			for _, trial := range l.Trials {
				clear(row)
				_, _, tested := trainer.Values(trial.Metrics, l.Config.Space.Objective)
				copy(row, []any{
					l.Name, l.Strategy, l.Config.Seed, trial.Trial, l.Config.Tasks[trial.Task].Name, string(trial.Status), known(trial.Reason),
					where(!trial.Status.Failure(), trial.Validation), where(tested && !trial.Status.Failure(), trial.Test), trial.Reward,
					known(trial.Steps),
				})
				if c, ok := costs[trial.Trial]; ok { // what came from the trial cache took no time
					row[11], row[12] = where(c.Cached || c.CPUSeconds > 0, c.CPUSeconds), where(c.Cached || c.WallSeconds > 0, c.WallSeconds)
					row[13], row[14] = c.Cached, known(c.Worker)
				}
				row[15], row[16] = known(trial.Model), curveText(trial.Curve)
				for k, c := range l.Config.Space.Choices {
					at := t.choices[c.Name]
					row[at] = as(c.Options[trial.Actions[k]], t.columns[at].zero)
				}
				for name, v := range trial.Metrics {
					row[t.metrics[name]] = v
				}
				if !yield(row) {
					return
				}
			}
		}
	}
}

// as is an option as a value of a column.
func as(option, zero any) any {
	switch o := option.(type) {
	case int64:
		if zero == 0 {
			return int(o)
		}
	case float64, bool:
		if zero != "" {
			return o
		}
	}
	return fmt.Sprint(option)
}

func costsOf(l *Ledger) map[int]search.Cost {
	costs := make(map[int]search.Cost, len(l.Costs))
	for _, c := range l.Costs {
		costs[c.Trial] = c
	}
	return costs
}

// CurveMetric is the metric that the curves of trials are of, as the trials call it.
func CurveMetric(trials []search.Trial, o space.Objective) string {
	for _, t := range trials {
		if key := trainer.Key(t.Metrics, o); key != "" {
			return key
		}
	}
	return o.Metric
}

// Way is a trial's curve but for what its metrics, of which metric is that of the curve,
// say at their step, which is the last.
func Way(t search.Trial, metric string) (on []trainer.Point, step int) {
	if on, step = t.Curve, t.Steps; len(on) > 0 {
		step = max(step, on[len(on)-1].Step)
	}
	if _, there := t.Metrics[metric]; there && len(on) > 0 && on[len(on)-1].Step == step {
		on = on[:len(on)-1]
	}
	return on, step
}
