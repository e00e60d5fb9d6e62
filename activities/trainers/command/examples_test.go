package command

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// The examples keep the contract: each as its space has it, with its first and last options.
func TestExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Python")
	}
	for _, tt := range []struct{ name, python, needs string }{{"python", "python3", "json"}, {"sklearn", "/usr/bin/python3", "sklearn"}} {
		t.Run(tt.name, func(t *testing.T) {
			if err := exec.Command(tt.python, "-c", "import "+tt.needs).Run(); err != nil {
				t.Skipf("%s has no %s (Debian: apt install python3-sklearn): %v", tt.python, tt.needs, err)
			}
			directory := "../../../experiments/examples/" + tt.name
			b, err := os.ReadFile(directory + "/space.yaml")
			if err != nil {
				t.Fatal(err)
			}
			sp, err := space.Load(b, trainer.Check)
			if err != nil {
				t.Fatal(err)
			}
			f := program(t, "good", func(c *Config) {
				c.Name, c.Command, c.Directory, c.Env = sp.TrainerName(), []string{tt.python, "train.py"}, directory, nil
			})
			r := trainer.Request{Task: trainer.Task{Name: "t", Kind: "external", Parameters: json.RawMessage(`{"bumps":2}`)}, Seed: 1<<64 - 1,
				Objective: trainer.FillObjective(f.Trainer, sp.Objective), Curve: tt.name == "python"}
			if tt.name == "sklearn" {
				var examples []text.Example
				for i := range 300 {
					examples = append(examples, text.Example{Text: fmt.Sprintf("a %s thing %d", []string{"good", "bad"}[i%2], i),
						Label: []string{"pos", "neg"}[i%2]})
				}
				task, err := text.Build(examples, data.Options{Name: "t"})
				if err != nil {
					t.Fatal(err)
				}
				ref, err := f.store.Put(t.Context(), task.Encode())
				if err != nil {
					t.Fatal(err)
				}
				r.Task = trainer.Task{Name: "t", Kind: "text", Data: string(ref)}
			}
			for _, last := range []bool{false, true} {
				actions := make([]int, len(sp.Choices))
				for i := range actions {
					if last {
						actions[i] = len(sp.Choices[i].Options) - 1
					}
				}
				if r.Choices, err = sp.Values(actions); err != nil {
					t.Fatal(err)
				}
				result, err := f.Run(t.Context(), r, quiet)
				if err != nil || result.Status != trainer.OK || result.Encode == nil {
					t.Fatalf("%v: %+v, %v\n%s", r.Choices, result.Outcome, err, f.log)
				}
				again, err := f.Run(t.Context(), r, quiet)
				a, b := fmt.Sprintf("%+v", result.Outcome), fmt.Sprintf("%+v", again.Outcome)
				if err != nil || a != b || string(result.Encode()) != string(again.Encode()) {
					t.Errorf("again it is another one: %s and %s, %v", a, b, err)
				}
				if r.Curve && len(result.Curve) != result.Steps || tt.name == "sklearn" && result.Metrics["test_accuracy"] < .9 {
					t.Errorf("%s", a)
				}
				if strings.TrimSpace(f.log.String()) != "" {
					t.Errorf("the log says %s", f.log)
				}
			}
		})
	}
}

// The worker in Python: what it trains keeps the contract, with a curve and below a floor,
// and after a checkpoint. The worker itself needs a package that may not be there.
func TestPythonWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Python")
	}
	directory := "../../../experiments/examples/python-worker/"
	b, err := os.ReadFile(directory + "space.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sp, err := space.Load(b, trainer.Check)
	if err != nil {
		t.Fatal(err)
	}
	python := func(script, input string) string {
		t.Helper()
		cmd := exec.Command("python3", "-c", script)
		cmd.Dir, cmd.Stdin = directory, strings.NewReader(input)
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "CHECKPOINTS="+t.TempDir())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	python("compile(open('worker.py').read(), 'worker.py', 'exec')", "")
	r := trainer.Request{Task: trainer.Task{Name: "t", Kind: "external", Parameters: json.RawMessage(`{"period":0.9}`)}, Seed: 1<<64 - 1,
		Objective: sp.Objective, Curve: true}
	const once = "import json, sys\nfrom train import train\nprint(json.dumps(train(json.load(sys.stdin), lambda p: None)))"
	const twice = "import json, sys\nfrom train import train\nr = json.load(sys.stdin)\n" +
		"def stop(p):\n  if p['step'] == 2: raise KeyError\ntry: train(r, stop)\nexcept KeyError: pass\n" +
		"print(json.dumps(train(r, lambda p: None)))"
	for _, c := range []struct {
		last   bool
		prune  []trainer.Point
		status trainer.Status
	}{{false, nil, trainer.OK}, {true, nil, trainer.OK}, {true, []trainer.Point{{Step: 3, Value: 1e-6}}, trainer.Pruned}} {
		actions := make([]int, len(sp.Choices))
		for i := range actions {
			if c.last {
				actions[i] = len(sp.Choices[i].Options) - 1
			}
		}
		if r.Choices, err = sp.Values(actions); err != nil {
			t.Fatal(err)
		}
		r.Prune = c.prune
		input, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		whole, resumed := python(once, string(input)), python(twice, string(input))
		o := r.Checked(trainer.DecodeOutcome([]byte(whole), r.Objective))
		if o.Status != c.status || whole != resumed {
			t.Errorf("%+v: %+v\n%s%s", c, o, whole, resumed)
		}
	}
}
