package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// made is a ledger with choices of all types over so many tasks, of which every fifth
// trial failed.
func made(name string, direction space.Direction, tasks, trials int) Ledger {
	c := &search.Config{Strategy: "random", Seed: 3, Lag: 1, Space: space.Space{
		Name: "mixed", Trainer: "elsewhere", Objective: space.Objective{Metric: "loss", Direction: direction},
		Choices: []space.Choice{
			{Name: "layers", Options: []any{int64(1), int64(2), int64(3)}}, {Name: "width", Options: []any{int64(16), int64(64), int64(256)}},
			{Name: "rate", Options: []any{1e-5, 0.1, 1.0}}, {Name: "words", Options: []any{true, false}},
			{Name: "kernel", Options: []any{`a "b" <c>`, "=1+1", "rbf"}},
		},
	}}
	for i := range tasks {
		c.Tasks = append(c.Tasks, search.Task{Name: fmt.Sprint("task-", i), Kind: "text"})
	}
	l := Ledger{Name: name, Strategy: "random", Config: c}
	for i := range trials {
		t := search.Trial{Trial: i, Task: i * 7 % 5 % tasks, Status: trainer.OK, Steps: 100 + i}
		for k, n := range c.Space.Options() {
			t.Actions = append(t.Actions, (i/(k+1)+k)%n)
		}
		if i%5 == 4 {
			t.Status, t.Reason = trainer.Diverged, "=loss, not \"finite\"\nat all"
		} else {
			t.Validation = 1 + math.Sin(float64(i))/3
			t.Test = t.Validation + .01
			t.Metrics = map[string]float64{"validation_loss": t.Validation, "test_loss": t.Test, "latency_ms": float64(i)}
		}
		l.Trials = append(l.Trials, t)
		if i > 0 {
			l.Costs = append(l.Costs, search.Cost{Trial: i, CPUSeconds: float64(i) / 2, WallSeconds: float64(i), Worker: "w"})
		}
	}
	search.FillRewards(c, l.Trials)
	return l
}

// A Parquet file has what the CSV has, each column in its place and of its own type.
func TestParquetHasTheColumnsOfCSV(t *testing.T) {
	ledgers := []Ledger{made("a", space.Minimise, 2, 40), made("b", space.Maximise, 1, 7)}
	var b bytes.Buffer
	if err := WriteParquet(&b, ledgers); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(ledgers)
	var names, want []string
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name()+" "+c.Type().Kind().String())
	}
	for i, c := range table.columns {
		kind := map[string]string{"string": "BYTE_ARRAY", "int": "INT64", "uint64": "INT64", "float64": "DOUBLE", "bool": "BOOLEAN"}
		want = append(want, c.name+" "+kind[fmt.Sprintf("%T", table.columns[i].zero)])
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Fatal(d)
	}
	r := parquet.NewGenericReader[any](bytes.NewReader(b.Bytes()), f.Schema())
	defer r.Close()
	rows := make([]parquet.Row, 100)
	n, _ := r.ReadRows(rows)
	if n != 47 {
		t.Fatalf("%d rows, want 47", n)
	}
	i := 0
	for cells := range table.rows() {
		for k, v := range rows[i] {
			got, want := v.String(), cell(cells[k])
			if v.IsNull() {
				got = ""
			}
			if v.Kind() == parquet.Double && !v.IsNull() {
				got = cell(v.Double())
			}
			if got != want {
				t.Errorf("row %d, %s is %q, want %q", i, table.columns[k].name, got, want)
			}
		}
		i++
	}
}

// What a trial lacks is empty in CSV and null in Parquet, and no 0; its curve stands beside.
func TestWhatIsMissing(t *testing.T) {
	l := made("a", space.Minimise, 1, 1)
	row := func(change func(t *search.Trial), costs ...search.Cost) map[string]any {
		t.Helper()
		one := l
		one.Trials, one.Costs = []search.Trial{l.Trials[0]}, costs
		change(&one.Trials[0])
		table := newTable([]Ledger{one})
		out := map[string]any{}
		for cells := range table.rows() {
			for i, c := range table.columns {
				if cells[i] != nil {
					out[c.name] = cells[i]
				}
			}
		}
		return out
	}
	for _, c := range []struct {
		name, lacks string
		has         map[string]any
		row         map[string]any
	}{
		{"whole", "reason model cpu_seconds wall_seconds cached worker curve", map[string]any{"validation": 1.0, "test": 1.01, "steps": 100},
			row(func(*search.Trial) {})},
		{"failed", "validation test steps curve metric.test_loss", map[string]any{"reason": "no"}, row(func(t *search.Trial) {
			t.Status, t.Reason, t.Metrics, t.Validation, t.Test, t.Steps = trainer.Failed, "no", nil, 0, 0, 0
		})},
		{"pruned", "test", map[string]any{"validation": 0.0, "curve": "[[25,0.5],[50,0]]"}, row(func(t *search.Trial) {
			t.Status, t.Metrics, t.Validation, t.Test = trainer.Pruned, nil, 0, 0
			t.Curve = []trainer.Point{{Step: 25, Value: .5}, {Step: 50, Value: 0}}
		})},
		{"untested", "test", map[string]any{"validation": 0.0}, row(func(t *search.Trial) {
			t.Metrics, t.Validation, t.Test = map[string]float64{"validation_loss": 0}, 0, 0
		})},
		{"told without a cost", "cpu_seconds wall_seconds worker", map[string]any{"cached": false}, row(func(*search.Trial) {}, search.Cost{})},
		{"cached", "worker", map[string]any{"cached": true, "cpu_seconds": 0.0, "wall_seconds": 0.0},
			row(func(*search.Trial) {}, search.Cost{Cached: true})},
	} {
		for _, name := range strings.Fields(c.lacks) {
			if v, there := c.row[name]; there {
				t.Errorf("%s: %s is %v", c.name, name, v)
			}
		}
		for name, want := range c.has {
			if c.row[name] != want {
				t.Errorf("%s: %s is %v, want %v", c.name, name, c.row[name], want)
			}
		}
	}
}

// python runs a program, where there is a Python that has a package.
func python(t *testing.T, needs, program string, args ...string) []byte {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import "+needs).Run() != nil {
			continue
		}
		out, err := exec.Command(python, append([]string{"-W", "ignore", "-c", program}, args...)...).Output()
		if failed, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v: %s", err, failed.Stderr)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Skipf("there is no python3 with %s", needs)
	return nil
}

// Optuna reads the journal: studies, directions, states, values, parameters and
// attributes are ours, the best trial of each study is ours too, and the study goes on.
func TestOptunaReadsTheJournal(t *testing.T) {
	const program = `
import json, sys, logging, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = optuna.storages.JournalStorage(optuna.storages.JournalFileStorage(sys.argv[1]))
out = []
for name in sorted(s.study_name for s in optuna.get_all_study_summaries(storage)):
    s = optuna.load_study(study_name=name, storage=storage)
    out.append({"name": name, "direction": s.direction.name, "attrs": s.user_attrs, "best": s.best_trial.number, "value": s.best_value,
        "params": s.best_params, "trials": [{"state": t.state.name, "value": t.value, "params": t.params, "attrs": t.user_attrs,
        "ints": sorted(k for k, d in t.distributions.items() if isinstance(d, optuna.distributions.IntDistribution))} for t in s.trials]})
    last = s.trials[-1].distributions
    s.enqueue_trial(s.best_params)
    s.optimize(lambda t: float(t._suggest("layers", last["layers"])) + len(str([t._suggest(k, d) for k, d in last.items()])), n_trials=3)
print(json.dumps(out))`
	ledgers := []Ledger{made("down", space.Minimise, 2, 60), made("up", space.Maximise, 1, 25)}
	var b bytes.Buffer
	if err := WriteOptuna(&b, ledgers); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "journal.log")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	type trial struct {
		State  string
		Value  *float64
		Params map[string]any
		Attrs  map[string]any
		Ints   []string
	}
	var studies []struct {
		Name, Direction string
		Attrs           map[string]any
		Best            int
		Value           float64
		Params          map[string]any
		Trials          []trial
	}
	if err := json.Unmarshal(python(t, "optuna", program, file), &studies); err != nil {
		t.Fatal(err)
	}
	if len(studies) != 3 {
		t.Fatalf("%d studies, want 3", len(studies))
	}
	for k, want := range []struct {
		name, direction string
		ledger          *Ledger
		task            int
	}{{"down/task-0", "MINIMIZE", &ledgers[0], 0}, {"down/task-1", "MINIMIZE", &ledgers[0], 1}, {"up", "MAXIMIZE", &ledgers[1], 0}} {
		s := studies[k]
		task := want.ledger.Config.Tasks[want.task].Name
		if s.Name != want.name || s.Direction != want.direction || s.Attrs["task"] != task || s.Attrs["metric"] != "loss" {
			t.Errorf("study %q %s of %v, want %q %s of %s", s.Name, s.Direction, s.Attrs, want.name, want.direction, task)
		}
		var rows []trial
		best, of := -1, 0
		for _, r := range want.ledger.Trials {
			if r.Task != want.task {
				continue
			}
			choices, err := want.ledger.Config.Space.Values(r.Actions)
			if err != nil {
				t.Fatal(err)
			}
			row := trial{State: "FAIL", Params: floats(choices), Ints: []string{"layers"}, Attrs: map[string]any{
				"trial": float64(r.Trial), "task": task, "steps": float64(r.Steps), "status": string(r.Status),
			}}
			if r.OK() {
				row.State, row.Value = "COMPLETE", &r.Validation
				for name, v := range r.Metrics {
					row.Attrs["metric."+name] = v
				}
				if best < 0 || r.Reward > want.ledger.Trials[best].Reward {
					best, of = r.Trial, len(rows)
				}
			} else {
				row.Attrs["reason"] = r.Reason
			}
			if r.Trial > 0 {
				row.Attrs["cpu_seconds"], row.Attrs["wall_seconds"] = float64(r.Trial)/2, float64(r.Trial)
			}
			rows = append(rows, row)
		}
		for i := range s.Trials {
			if seed, ok := s.Trials[i].Attrs["seed"].(float64); !ok || seed == 0 {
				t.Errorf("%s: trial %d has no seed", s.Name, i)
			}
			delete(s.Trials[i].Attrs, "seed")
		}
		if d := cmp.Diff(rows, s.Trials); d != "" {
			t.Errorf("%s: %s", s.Name, d)
		}
		if s.Best != of || s.Value != want.ledger.Trials[best].Validation {
			t.Errorf("%s: Optuna's best trial is %d with %v, ours %d with %v", s.Name, s.Best, s.Value, of, want.ledger.Trials[best].Validation)
		}
	}
}

// floats are choices as JSON gives them back.
func floats(choices map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range choices {
		if n, ok := v.(int64); ok {
			v = float64(n)
		}
		out[name] = v
	}
	return out
}

// A ledger of a hundred thousand trials is written with memory for a few rows.
func TestLedgersAreWrittenRowByRow(t *testing.T) {
	l := made("long", space.Minimise, 2, 20_000)
	for name, write := range map[string]func(*most) error{
		"csv":     func(w *most) error { return WriteCSV(w, []Ledger{l}) },
		"optuna":  func(w *most) error { return WriteOptuna(w, []Ledger{l}) },
		"parquet": func(w *most) error { return WriteParquet(w, []Ledger{l}) },
	} {
		var w most
		if err := write(&w); err != nil {
			t.Fatal(err)
		}
		if w.all < 100<<10 || w.piece > w.all/2 && w.piece > 256<<10 {
			t.Errorf("%s: %d bytes, up to %d at once", name, w.all, w.piece)
		}
	}
}

// most is how much was written, and how much at once.
type most struct{ all, piece int }

func (m *most) Write(b []byte) (int, error) {
	m.all, m.piece = m.all+len(b), max(m.piece, len(b))
	return len(b), nil
}

// A model that breaks a constraint is complete and infeasible to Optuna, one that was ended
// on its way is pruned, with what it had reached.
func TestOptunaKnowsPrunedAndInfeasible(t *testing.T) {
	l := made("x", space.Minimise, 1, 3)
	most := 1.5
	l.Config.Space.Constraints = []space.Constraint{{Metric: "latency_ms", Max: &most}}
	l.Trials[1].Status, l.Trials[2].Status = trainer.Pruned, trainer.Infeasible
	l.Trials[1].Curve = []trainer.Point{{Step: 3, Value: 2.5}}
	var b bytes.Buffer
	if err := WriteOptuna(&b, []Ledger{l}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range bytes.Lines(b.Bytes()) {
		var c created
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Op == opCreateTrial {
			got = append(got, fmt.Sprintf("%d %v %.2f %v", c.State, c.Value != nil, c.System["constraints"], c.Curve))
		}
	}
	if d := cmp.Diff([]string{"1 true [0.00] map[]", "2 true [0.00] map[3:2.5]", "1 true [0.33] map[]"}, got); d != "" {
		t.Error(d)
	}
}
