package benchmark_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/data/table"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/search/pruner"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// TestPrunersSaveSteps is the benchmark of early stopping: random search on recorded
// learning curves of the built-in trainer, the same configurations for each rule, and
// what each finds for how many steps. It prints the table.
//
//	go test ./experiments/benchmark -run TestPrunersSaveSteps -v
func TestPrunersSaveSteps(t *testing.T) {
	const trials, seeds = 60, 50
	files, err := filepath.Glob(filepath.Join("curves", "*.json.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded curves: %v", err)
	}
	rules := []string{"median", "halving", "tenth"}
	saved, worse, test := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json.gz")
		recorded := readCurves(t, name, file)
		for seed := range uint64(seeds) {
			whole := searchCurves(t, recorded, nil, seed+1, trials)
			for _, rule := range rules {
				var got found
				if rule == "tenth" {
					got = oneTenth(recorded, whole.rows)
				} else {
					got = searchCurves(t, recorded, &pruner.Choice{Name: rule}, seed+1, trials)
				}
				saved[rule] = append(saved[rule], 100*(1-float64(got.steps)/float64(whole.steps)))
				worse[rule] = append(worse[rule], 100*(got.validation-whole.validation))
				test[rule] = append(test[rule], 100*(got.test-whole.test))
			}
		}
	}
	t.Logf("%d tasks, %d seeds, %d trials of random search, against no early stopping; ± 2 s.e.m.", len(files), seeds, trials)
	t.Logf("%-8s  %-18s  %-28s  %s", "rule", "steps saved, %", "best validation, points", "its test, points")
	for _, rule := range rules {
		s, v, x := metrics.Mean(saved[rule]), metrics.Mean(worse[rule]), metrics.Mean(test[rule])
		t.Logf("%-8s  %5.1f ± %-10.1f  %+6.2f ± %-18.2f  %+6.2f ± %.2f", rule, s.Mean, s.Error, v.Mean, v.Error, x.Mean, x.Error)
	}
	if s := metrics.Mean(saved["median"]); s.Mean < 40 {
		t.Errorf("the median rule saves %.1f %% of the steps, it should save 40", s.Mean)
	}
	if v := metrics.Mean(worse["median"]); v.Mean < -.2 {
		t.Errorf("the median rule costs %.2f points of the best model", -v.Mean)
	}
}

type found struct {
	steps            int
	validation, test float64
	rows             []search.Trial
}

func readCurves(t *testing.T, name, file string) *table.Table {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := table.Read(b, data.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return recorded
}

// searchCurves runs a search as the trainer table answers it.
func searchCurves(t *testing.T, recorded *table.Table, rule *pruner.Choice, seed uint64, trials int) found {
	t.Helper()
	sp := space.Space{Name: "curves", Trainer: "table", Objective: space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise},
		Choices: []space.Choice{{Name: "config"}}}
	for i := range recorded.Rows {
		sp.Choices[0].Options = append(sp.Choices[0].Options, int64(i))
	}
	settings, err := strategy.ParseSettings(strategy.Random, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := search.Config{Tasks: []search.Task{{Name: recorded.Name, Kind: "table", Data: recorded.Name}}, Space: sp, Strategy: strategy.Random,
		Settings: settings, Seed: seed, Lag: 4, KeepModels: search.TopN}
	if rule != nil {
		canonical, err := rule.Canonical()
		if c.Pruner = &canonical; err != nil {
			t.Fatal(err)
		}
	}
	s, err := search.New(c)
	if err != nil {
		t.Fatal(err)
	}
	out := found{validation: -1}
	for i := range trials {
		p, err := s.Ask(i)
		if err != nil {
			t.Fatal(err)
		}
		row := search.NewTrial(p, wholeOutcome(recorded, p.Choices).Cut(p.Prune, sp.Objective), sp.Objective)
		if err := s.Tell(row); err != nil {
			t.Fatal(err)
		}
		if out.rows, out.steps = append(out.rows, row), out.steps+row.Steps; row.OK() && row.Validation > out.validation {
			out.validation, out.test = row.Validation, row.Test
		}
	}
	return out
}

// wholeOutcome is a recorded training to its end.
func wholeOutcome(recorded *table.Table, choices map[string]any) trainer.Outcome {
	measured, ok := recorded.Look(choices, 0)
	if !ok {
		panic(fmt.Sprint("not recorded: ", choices))
	}
	o := trainer.Outcome{Status: trainer.OK, Metrics: measured}
	for _, p := range recorded.Curve(choices, "validation_accuracy") {
		o.Curve = append(o.Curve, trainer.Point{Step: int(p[0]), Value: p[1]})
	}
	o.Steps = o.Curve[len(o.Curve)-1].Step
	return o
}

// oneTenth trains every configuration for a tenth of its steps, to the next measurement,
// and the best of them to its end.
func oneTenth(recorded *table.Table, rows []search.Trial) (out found) {
	best, bestRow := -1., search.Trial{}
	for _, row := range rows {
		for _, p := range row.Curve {
			if p.Step*10 >= row.Steps {
				if out.steps += p.Step; p.Value > best {
					best, bestRow = p.Value, row
				}
				break
			}
		}
	}
	out.steps += bestRow.Steps
	out.validation, out.test = bestRow.Validation, bestRow.Test
	return out
}
