package catalog

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

var update = flag.Bool("update", false, "write testdata/plans.txt anew")

// The plans of the built-in experiments: what is searched, in which order, with
// which settings, seeds and budgets, is part of their results. Settings are
// told once an arm.
func TestPlansOfBuiltins(t *testing.T) {
	var b bytes.Buffer
	for _, name := range BuiltinNames() {
		e, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		dump(t, &b, KindExperiment, e, fmt.Sprintf(`{"experiment":%q}`, name))
		if len(e.Pretrain) > 0 {
			dump(t, &b, KindPretrain, e, fmt.Sprintf(`{"experiment":%q}`, name))
			dump(t, &b, KindTransfer, e, fmt.Sprintf(`{"experiment":%q,"arms":["transfer"],"seeds":[1]}`, name))
			dump(t, &b, KindExperiment, e, fmt.Sprintf(`{"experiment":%q,"arms":["transfer","no-task-embedding"],"seeds":[2]}`, name))
		}
		if e.Benchmark != nil {
			dump(t, &b, KindBenchmark, e, fmt.Sprintf(`{"experiment":%q}`, name))
		}
	}
	const file = "testdata/plans.txt"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w, g := strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			t.Fatalf("%s, line %d: the plan has\n%s\nit was\n%s", file, i+1, g[i], w[i])
		}
	}
	if len(w) != len(g) {
		t.Errorf("%d lines, they were %d", len(g), len(w))
	}
}

func dump(t *testing.T, b *bytes.Buffer, k Kind, e *Experiment, raw string) {
	t.Helper()
	p, err := MakePlan(k, e, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "%s %s: %d trials of %d tasks in %s", k, raw, p.Trials(), len(p.Tasks()), p.Spec.Space)
	if p.Against != "" {
		fmt.Fprintf(b, ", against %s, baseline %q, fixed budgets %v", p.Against, p.Baseline, p.FixedBudgets)
	}
	b.WriteString("\n")
	if p.Benchmark != nil {
		told, err := json.Marshal(p.Benchmark.Simulate)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(b, "  simulated: %s\n", told)
	}
	for _, s := range p.Pretrain {
		fmt.Fprintf(b, "  %s of %v: %d trials of %s, controller %s: %s\n", s.Name(), s.Tasks, s.Trials, s.Strategy, s.Controller, s.Settings)
	}
	told := map[string]bool{}
	for _, s := range p.Searches {
		if !told[s.Arm] {
			fmt.Fprintf(b, "  %s is %s from %q: %s\n", s.Arm, s.Strategy, s.From, s.Settings)
		}
		told[s.Arm] = true
	}
	for _, s := range p.Searches {
		fmt.Fprintf(b, "  %s %d\n", s.Name(), s.Trials)
	}
}

// What is called the paper's has the paper's settings in all that learns, pretraining
// and arms, and its search space: learning rate 1e-4 and a plain baseline (§2.2, §4).
func TestPaperIsThePapers(t *testing.T) {
	for name, space := range map[string]string{"nlp": "paper", "image": "image"} {
		e, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := MakePlan(KindExperiment, e, fmt.Appendf(nil, `{"experiment":%q}`, name))
		if err != nil {
			t.Fatal(err)
		}
		settings := map[string]json.RawMessage{}
		for _, s := range p.Pretrain {
			settings["pretraining "+s.Pretraining] = s.Settings
		}
		for _, s := range p.Searches {
			if s.Strategy == strategy.NAML {
				settings["arm "+s.Arm] = s.Settings
			}
		}
		for what, raw := range settings {
			var got strategy.NAMLSettings
			full, err := strategy.ParseSettings(strategy.NAML, raw)
			if err == nil {
				err = json.Unmarshal(full, &got)
			}
			if err != nil || got.PolicyGradient.LearningRate != 1e-4 || got.Baseline.Corrected || got.Baseline.Decay != .01 ||
				got.Controller.Hidden != 50 || got.Controller.Layers != 2 || p.Spec.Space != space {
				t.Errorf("%s, %s in the space %s: %+v, %v", name, what, p.Spec.Space, got, err)
			}
		}
	}
}

// recordedActions are those of some trials of the files that were recorded.
var recordedActions = map[int][]int{
	0:  {5, 1, 1, 2, 5, 2, 0, 7, 3, 2, 3, 6},
	1:  {3, 1, 4, 2, 0, 1, 6, 7, 6, 0, 4, 6},
	9:  {1, 0, 1, 1, 0, 2, 2, 1, 6, 1, 6, 2},
	10: {5, 1, 1, 2, 5, 2, 0, 7, 3, 2, 3, 6},
	11: {2, 1, 4, 4, 4, 2, 6, 1, 4, 0, 4, 6},
	20: {6, 1, 3, 4, 2, 2, 3, 5, 6, 2, 5, 3},
	21: {2, 1, 4, 4, 4, 2, 6, 1, 4, 0, 4, 6},
}

// What is recorded for the benchmark is a function of seed, task and trial alone: not of
// how many trials are in flight, nor of what is kept of them.
func TestRecordedTrials(t *testing.T) {
	e, err := Builtin("bench-record")
	if err != nil {
		t.Fatal(err)
	}
	p, err := MakePlan(KindExperiment, e, []byte(`{"experiment":"bench-record"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Searches) != 21 || !p.Spec.Examples {
		t.Fatalf("%d searches, %+v", len(p.Searches), p.Spec)
	}
	sp, err := space.Builtin(e.Space)
	if err != nil {
		t.Fatal(err)
	}
	filled, err := trainer.Find(sp.TrainerName()).Fill(sp, "text", e.Modules)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range p.Searches {
		c := search.Config{Tasks: []search.Task{{Name: step.Task, Kind: "text", Data: "d"}}, Space: filled, Strategy: step.Strategy,
			Seed: step.Seed, Lag: e.Lag, KeepModels: e.KeepModels}
		for _, m := range e.Modules {
			c.Modules = append(c.Modules, search.Module{Name: m, Data: m})
		}
		if c.Settings, err = strategy.ParseSettings(step.Strategy, step.Settings); err != nil {
			t.Fatal(err)
		}
		recorded := c
		recorded.Lag = 1
		s, err := search.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 22 {
			asked, err := s.Ask(i)
			if err != nil {
				t.Fatal(err)
			}
			row := search.Trial{Trial: i, Actions: asked.Actions, Status: trainer.OK, Validation: .5}
			again, err := recorded.Again(row)
			if err != nil || again.Seed != asked.Seed {
				t.Fatalf("%s, trial %d: the seed %d, recorded with %d, %v", step.Task, i, asked.Seed, again.Seed, err)
			}
			if want := recordedActions[i]; want != nil && !slices.Equal(asked.Actions, want) {
				t.Fatalf("%s, trial %d: %v, recorded was %v", step.Task, i, asked.Actions, want)
			}
			if err := s.Tell(row); err != nil {
				t.Fatal(err)
			}
		}
	}
}
