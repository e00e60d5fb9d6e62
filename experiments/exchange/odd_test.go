package exchange

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Whatever texts are options, metrics and tasks, a ledger comes back as it was.
func TestOddNamesComeBack(t *testing.T) {
	odd := []any{"'=1", "=1", "''=1", " x", "x ", "x", "a,b", `a"b`, "1", "1.0", "-1", "+1", "'-1", "NaN", "null", "None", "true", "True",
		"#x", "ü", "1e6", "1000000", ";", "\u00a0", "metric.x"}
	config := &search.Config{Strategy: "random", Lag: 1, Space: space.Space{Name: "odd", Trainer: "elsewhere",
		Objective: space.Objective{Metric: "reward", Direction: space.Minimise}, Choices: []space.Choice{
			{Name: "steps", Options: odd}, {Name: "status", Options: []any{-1.5, 1e-300, 1e300, 0.1, .30000000000000004, 3.0}},
			{Name: "value", Options: []any{int64(-1), int64(1 << 52), int64(0)}}, {Name: "task", Options: []any{false, true}},
		}}}
	for i := range 3 {
		config.Tasks = append(config.Tasks, search.Task{Name: []string{"=task", "a/b, c", "1234567"}[i], Kind: "text"})
	}
	l := Ledger{Name: "odd", Config: config}
	for i := range 2 * len(odd) {
		r := search.Trial{Trial: i, Task: i % 3, Status: trainer.OK, Validation: float64(i) - 7, Steps: i,
			Metrics: map[string]float64{"reward": float64(i) - 7, "metric.x": 1, "s.y": 2, "a,b \"": 3, "=z": 4, "validation": 5, "choice.steps": 6}}
		for k, n := range config.Space.Options() {
			r.Actions = append(r.Actions, (i+k)%n)
		}
		if i%9 == 8 {
			r.Status, r.Validation, r.Metrics, r.Reason = trainer.Failed, 0, nil, "-no: \"x\", 'y'"
		}
		l.Trials = append(l.Trials, r)
	}
	search.FillRewards(config, l.Trials)
	for format, write := range map[string]func(io.Writer, []Ledger) error{"csv": WriteCSV, "jsonl": writeLines, "optuna": WriteOptuna} {
		var b bytes.Buffer
		if err := write(&b, []Ledger{l}); err != nil {
			t.Fatal(err)
		}
		got, err := Read(&b, format, Options{Space: &config.Space})
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		search.FillRewards(config, got.Trials)
		if d := cmp.Diff(l.Trials, got.Trials, cmpopts.EquateEmpty()); d != "" || got.Refused > 0 {
			t.Errorf("%s: %s %v", format, d, got.Refusals)
		}
		if d := cmp.Diff(fmt.Sprint("=task", "a/b, c", "1234567"), fmt.Sprint(got.Tasks[0], got.Tasks[1], got.Tasks[2])); d != "" {
			t.Errorf("%s: %s", format, d)
		}
	}
}
