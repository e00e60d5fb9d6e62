// Package benchmark holds recorded benchmarks, which say what the trials of many
// configurations gave on each of many tasks, and fits surrogates to them, which say
// what a trial of any other configuration would give. With them a search is run
// thousands of times in the time that its trials would take once. FORMAT.md describes
// the files.
package benchmark

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Record is what was measured of one task. Rows stand in the order of their trials.
type Record struct {
	Provenance Provenance
	Rows       []Row
}

// Provenance says what gave the rows.
type Provenance struct {
	// Config is the search's: it names the task, the space, the modules, and keys the
	// trials' seeds, so that each row can be had again (search.Config.Again).
	Config search.Config `json:"config"`
	// Trainer is the trainer's version, with the instruction set that its kernels ran on.
	Trainer        string `json:"trainer"`
	InstructionSet string `json:"instruction_set"`
	// MemoryBytes is the limit that the trials had; 0: none.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Command is what was typed to make the record.
	Command string `json:"command"`
}

// Row is one trial. Validation and Test are the objective's values on the two splits,
// as Metrics has them, 0 where Status is not ok.
type Row struct {
	Trial            int
	Actions          []int
	Status           trainer.Status
	Validation, Test float64
	Metrics          map[string]float64
	Steps            int
	CPUSeconds       float64
	// Right says which examples the model has right; nil where Status is not ok, or
	// where none of the record's rows has it.
	Right *trainer.Right
}

// NewRow is the row of a ledger's trial. What a trial that did not end well has of the
// objective, as one that was pruned has, is no result of its configuration.
func NewRow(t search.Trial, cpuSeconds float64, right *trainer.Right) Row {
	if t.Status != trainer.OK {
		t.Validation, t.Test, right = 0, 0, nil
	}
	return Row{t.Trial, t.Actions, t.Status, t.Validation, t.Test, t.Metrics, t.Steps, cpuSeconds, right}
}

// Task is the record's task; of a record without one it is empty.
func (r *Record) Task() string {
	if len(r.Provenance.Config.Tasks) == 0 {
		return ""
	}
	return r.Provenance.Config.Tasks[0].Name
}

// Space is the space of the record's actions.
func (r *Record) Space() *space.Space { return &r.Provenance.Config.Space }

// maxErrors bounds how many of a record's errors are told one by one.
const maxErrors = 20

// check reports everything wrong with a record together.
func (r *Record) check() error {
	var errs []error
	more := 0
	bad := func(format string, a ...any) {
		if len(errs) == maxErrors {
			more++
			return
		}
		errs = append(errs, fmt.Errorf(format, a...))
	}
	c := &r.Provenance.Config
	if len(c.Tasks) != 1 || !c.Tasks[0].Whole() {
		bad("a record is of one task, with its name and data; there are %d", len(c.Tasks))
	}
	if err := c.Space.Join(c.Space.Validate()); err != nil {
		bad("%w", err)
	}
	if c.Space.Objective.Metric == "" || c.Space.Objective.Direction == "" {
		bad("the space's objective is not filled in")
	}
	for i, choice := range c.Space.Choices {
		if len(choice.Options) > math.MaxUint8+1 {
			bad("choice %d, %q, has %d options, more than %d", i, choice.Name, len(choice.Options), math.MaxUint8+1)
		}
	}
	seen := map[int]bool{}
	var first *trainer.Right // whose sizes are everyone's
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Trial < 0 || row.Trial > math.MaxInt32 {
			bad("row %d has the trial %d", i, row.Trial)
		}
		if seen[row.Trial] {
			bad("trial %d is there twice", row.Trial)
		}
		seen[row.Trial] = true
		row.check(c, func(format string, a ...any) { bad("trial %d: %w", row.Trial, fmt.Errorf(format, a...)) })
		if row.Right == nil {
			continue
		}
		if first == nil {
			first = row.Right
		}
		if v, t := row.Right.Validation.N, row.Right.Test.N; v != first.Validation.N || t != first.Test.N {
			bad("trial %d: %d and %d examples, another one has %d and %d", row.Trial, v, t, first.Validation.N, first.Test.N)
		}
	}
	for _, row := range r.Rows {
		if first != nil && row.Right == nil && row.Status == trainer.OK {
			bad("trial %d: it is not said which examples its model has right, of others it is", row.Trial)
		}
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", more))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func (row *Row) check(c *search.Config, bad func(format string, a ...any)) {
	if len(row.Actions) != len(c.Space.Choices) {
		bad("%d actions for %d choices", len(row.Actions), len(c.Space.Choices))
	} else {
		for i, a := range row.Actions {
			if choice := &c.Space.Choices[i]; a < 0 || a >= len(choice.Options) {
				bad("choice %q has no option %d, it has %d", choice.Name, a, len(choice.Options))
			}
		}
	}
	if !slices.Contains(trainer.Statuses(), row.Status) {
		bad("its status is %q (known: %v)", row.Status, trainer.Statuses())
	}
	for _, name := range slices.Sorted(maps.Keys(row.Metrics)) {
		v := row.Metrics[name]
		if name == "" || len(name) > space.MaxName || !(math.Abs(v) <= trainer.MaxMetric) {
			bad("its metric %q is %v", name, v)
		}
	}
	if row.Steps < 0 || row.Steps > math.MaxInt32 {
		bad("it has taken %d steps", row.Steps)
	}
	if !(row.CPUSeconds >= 0) || math.IsInf(row.CPUSeconds, 0) {
		bad("it has taken %v seconds", row.CPUSeconds)
	}
	validation, test := row.objective(c.Space.Objective)
	if validation != row.Validation || test != row.Test {
		bad("the objective is %v and %v, its metrics say %v and %v", row.Validation, row.Test, validation, test)
	}
	if row.Status == trainer.OK && trainer.Key(row.Metrics, c.Space.Objective) == "" {
		bad("it lacks the objective %q", c.Space.Objective.Metric)
	}
	if row.Right == nil {
		return
	}
	if row.Status != trainer.OK {
		bad("it is said which examples its model has right, but its status is %s", row.Status)
	}
	if err := row.Right.Check(); err != nil {
		bad("%w", err)
		return
	}
	for i, b := range []trainer.Bits{row.Right.Validation, row.Right.Test} {
		split := []string{"validation", "test"}[i]
		if v, ok := row.Metrics[split+"_"+trainer.Accuracy]; ok && b.N > 0 && v != b.Share() {
			bad("its %s accuracy is %v, of the examples %v are right", split, v, b.Share())
		}
	}
}

// objective is what the metrics say of the objective on the two splits.
func (row *Row) objective(o space.Objective) (validation, test float64) {
	if row.Status == trainer.OK {
		validation, test, _ = trainer.Values(row.Metrics, o)
	}
	return validation, test
}
