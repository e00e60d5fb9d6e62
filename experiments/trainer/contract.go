// Package trainer is the contract between a search and what trains its models:
// request, progress, outcome, in plain JSON that any language can speak
// (FORMAT.md); and what is known of trainers without running them: which spaces
// they take, what their choices mean, which metrics they report. It runs nothing.
package trainer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"tnaml/experiments/data"
	"tnaml/experiments/limit"
	"tnaml/experiments/space"
)

// Request asks for one trial. The outcome is a function of it alone.
type Request struct {
	// Trial is the trial's number in its search, from 0.
	Trial int  `json:"trial"`
	Task  Task `json:"task"`
	// Choices holds the option taken of each choice of the space, by name.
	Choices map[string]any `json:"choices"`
	// Objects holds the references of the stored objects that options stand for, by
	// the option: embedding modules.
	Objects map[string]string `json:"objects,omitempty"`
	// Settings are the space's for its trainer.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Seed decides every random draw of the trial.
	Seed      uint64          `json:"seed"`
	Objective space.Objective `json:"objective"`
	// Constraints are the space's: a model that breaks one is not kept.
	Constraints []space.Constraint `json:"constraints,omitempty"`
	Limits      Limits             `json:"limits,omitzero"`
	// Keep is the reward (see Reward) that a model must exceed to be worth storing;
	// nil: any is.
	Keep *float64 `json:"keep,omitempty"`
	// Examples asks to store which examples of the splits the model has right, where the
	// trainer can tell.
	Examples bool `json:"examples,omitempty"`
	// Curve asks for Outcome.Curve, and Prune holds the floors that the trial must not
	// fall below on its way (Below), by step. All else of an outcome that is not pruned
	// is the same without them.
	Curve bool    `json:"curve,omitempty"`
	Prune []Point `json:"prune,omitempty"`
}

// Task is what a trial's model is for.
type Task struct {
	Name string `json:"name"`
	// Kind is the task kind: text, image, table, external.
	Kind string `json:"kind,omitempty"`
	// Data references the task's object; of an external task the one that is attached to
	// it, if any is.
	Data string `json:"data,omitempty"`
	// Parameters are an external task's: a JSON object in canonical form
	// (experiments/data/external), or nothing.
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// Whole says that the task has a name and data; those of an external one are its
// trainer's.
func (t Task) Whole() bool {
	return t.Name != "" && (t.Data != "" || t.Kind == string(data.External))
}

// Same says that another task is of the same data, whatever they are called: external
// ones are where they say anything of their data.
func (t Task) Same(o Task) bool {
	return t.Kind == o.Kind && t.Data == o.Data && bytes.Equal(t.Parameters, o.Parameters) && (t.Data != "" || len(t.Parameters) > 0)
}

// Limits bound a trial.
type Limits struct {
	// MemoryBytes that the trial may allocate; 0: no limit. A model that needs more
	// has the status OverMemory.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Steps of training that it may take; 0: no limit. One that needs more has the
	// status OverSteps. There is no limit in seconds: those are the machine's.
	Steps int `json:"steps,omitempty"`
}

// Progress is how far a trial is.
type Progress struct {
	Step int `json:"step"`
	// Steps is the number there will be, 0 where it is not known.
	Steps   int                `json:"steps,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Checked returns a progress as it can be passed on: with metrics of its own, without
// those that are not finite, which JSON cannot write, and without too many.
func (p Progress) Checked() Progress {
	metrics := maps.Clone(p.Metrics)
	maps.DeleteFunc(metrics, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if p.Metrics = metrics; len(metrics) > maxMetrics {
		p.Metrics = nil
	}
	return p
}

// Status says how a trial ended.
type Status string

// All but OK, Pruned and Infeasible are the trial's own failures: results, which the
// strategy is told with the worst reward so far.
const (
	// OK is a trained and evaluated model.
	OK Status = "ok"
	// Failed is a trial that its trainer could not bring to an end.
	Failed Status = "failed"
	// Diverged is a model whose loss or weights stopped being finite.
	Diverged Status = "diverged"
	// OverMemory is a model that needs more memory than the limit.
	OverMemory Status = "over_memory"
	// OverSteps is a trial that needs more training steps than the limit.
	OverSteps Status = "over_steps"
	// Pruned is a trial that was ended on its way, by a floor of its request. It is told
	// with what it reached.
	Pruned Status = "pruned"
	// Infeasible is a model that breaks a constraint: worse than any that breaks none. A
	// search says so (Judged); no trainer does.
	Infeasible Status = "infeasible"
	// Lost is a trial whose workers died of it, one after another. A search says so;
	// no trainer does.
	Lost Status = "lost"
)

// Statuses lists the statuses.
func Statuses() []Status { return append(answers(), Infeasible, Lost) }

// answers are the statuses that a trainer may answer.
func answers() []Status { return []Status{OK, Failed, Diverged, OverMemory, OverSteps, Pruned} }

// Failure says that a trial has no value of the objective.
func (s Status) Failure() bool { return s != OK && s != Pruned && s != Infeasible }

// Outcome is what a trial gave.
type Outcome struct {
	Status Status `json:"status"`
	// Reason says in words why Status is not OK, in one line.
	Reason string `json:"reason,omitempty"`
	// Metrics holds what was measured, by name: finite numbers. A metric of a split
	// has the split's name before its own: validation_accuracy, test_accuracy.
	Metrics map[string]float64 `json:"metrics,omitempty"`
	// Steps is the number of training steps taken: a cost that is a function of the
	// request.
	Steps int `json:"steps,omitempty"`
	// Model references the stored model, where there is one.
	Model string `json:"model,omitempty"`
	// Examples references the stored object that says which examples the model has
	// right (Right), where it was asked for.
	Examples string `json:"examples,omitempty"`
	// Curve is the objective on its way, rising by step, at most MaxCurve points. It is a
	// function of the request, and is there where the request asks for it.
	Curve []Point `json:"curve,omitempty"`
}

// Result is an outcome with the model that it is of.
type Result struct {
	Outcome
	// Encode returns the model as an object; nil where there is none to store.
	Encode func() []byte
	// Right says which examples the model has right, where the request asks for it.
	Right *Right
	// CPUSeconds and WallSeconds are what the training took, kept as costs.
	CPUSeconds, WallSeconds float64
	// Own says that the outcome is due to this worker too: it is not kept for others,
	// though the trainer is Cached.
	Own bool
}

// Trainer runs trials. It is safe for concurrent use.
type Trainer interface {
	Definition
	// Version is the version of all that an outcome depends on besides the request.
	Version() string
	// Cached says that outcomes are kept for other searches: training costs more
	// than looking it up.
	Cached() bool
	// Run runs a trial. Its errors are the infrastructure's: the trial is run again.
	// What is the trial's own fault is an outcome. progress may return an error,
	// which ends the trial and is returned.
	Run(ctx context.Context, r Request, progress func(Progress) error) (Result, error)
}

// ErrCutShort is the error of an attempt that the machine ended, by its clock or for its
// memory, and not the trial. It is made again; after three the search pauses.
var ErrCutShort = errors.New("the attempt was cut short")

// Limits of what an outcome may hold: it is written into histories.
const (
	maxMetrics = 64
	maxReason  = 2000
	maxModel   = 1000 // and that of the examples, each a reference
	// MaxMetric bounds a metric's size: the square of one, and a thousand of those
	// summed, must still be a number, or a search could not learn from it.
	MaxMetric = 1e30
	// MaxCurve is the number of points of a curve, and of floors.
	MaxCurve = 64
	// MaxSteps is the number of steps of a trial: a search sums them up.
	MaxSteps = 1_000_000_000_000
)

// Checked returns an outcome as a search can take it: one that breaks the
// contract, or lacks the objective, is a failed trial that says so.
func (o Outcome) Checked(objective space.Objective) Outcome {
	o.Reason = oneLine(o.Reason)
	if err := o.check(objective); err != nil {
		reason := "the outcome breaks the trainers' contract: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		return Outcome{Status: Failed, Reason: oneLine(reason), Steps: min(max(0, o.Steps), MaxSteps)}
	}
	return o
}

func (o Outcome) check(objective space.Objective) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !slices.Contains(answers(), o.Status) {
		bad("its status is %q (known: %v)", limit.Cut(string(o.Status), 40), answers())
	}
	if n := len(o.Metrics); n > maxMetrics {
		bad("it has %d metrics, more than %d", n, maxMetrics)
	}
	for _, name := range sortedNames(o.Metrics) {
		if v := o.Metrics[name]; !(math.Abs(v) <= MaxMetric) {
			bad("its metric %q is %v, it must be a number of at most %v in size", limit.Cut(name, space.MaxName), v, MaxMetric)
		}
		if name == "" || len(name) > space.MaxName || !utf8.ValidString(name) {
			bad("a metric has the name %q, it must have 1 to %d bytes", limit.Cut(name, space.MaxName), space.MaxName)
		}
	}
	for _, r := range [][2]string{{"model's", o.Model}, {"examples'", o.Examples}} {
		if n := len(r[1]); n > maxModel || !utf8.ValidString(r[1]) {
			bad("its %s reference has %d bytes, it must be text of at most %d", r[0], n, maxModel)
		}
	}
	if o.Steps < 0 || o.Steps > MaxSteps {
		bad("it has taken %d steps, it must be 0 to %d", o.Steps, MaxSteps)
	}
	errs = append(errs, checkCurve(o.Curve)...)
	if o.Status == Pruned {
		if _, ok := o.Reached(objective); !ok {
			bad("it was pruned, and its curve does not say what it had reached")
		}
	}
	if o.Status == OK {
		if _, ok := o.Metrics[Key(o.Metrics, objective)]; !ok {
			bad("it lacks the objective %q (it has: %s)", objective.Metric, named(o.Metrics))
		}
	}
	return errors.Join(errs...)
}

// DecodeOutcome reads an outcome that another program wrote, and checks it.
// What is no outcome is a failed trial; a metric that is null is no number, which
// is how many languages write one that is not finite.
func DecodeOutcome(b []byte, objective space.Objective) Outcome {
	var o Outcome
	all := struct {
		*Outcome
		Metrics map[string]*float64 `json:"metrics"`
	}{Outcome: &o}
	if err := json.Unmarshal(b, &all); err != nil {
		var form *json.UnmarshalTypeError
		if errors.As(err, &form) {
			err = fmt.Errorf("%s is of the type %s", cmp.Or(form.Field, "it"), form.Value)
		}
		reason := fmt.Sprintf("the trainer's answer is no outcome: %v: %s", err, limit.Cut(string(b), 200))
		return Outcome{Status: Failed, Reason: oneLine(reason)}
	}
	for name, v := range all.Metrics {
		if o.Metrics == nil {
			o.Metrics = map[string]float64{}
		}
		if o.Metrics[name] = math.NaN(); v != nil {
			o.Metrics[name] = *v
		}
	}
	return o.Checked(objective)
}

// oneLine is a reason as an outcome holds it. What it quotes, names of metrics among it,
// may hold anything.
func oneLine(reason string) string { return limit.Cut(limit.OneLine(reason), maxReason) }
