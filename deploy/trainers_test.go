package deploy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/trainers/command"
)

// The file allows programs, by names that keep their case.
func TestTrainers(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tnaml.yaml", `
worker: {trainers: "BERT=2"}
trainers:
  BERT:
    command: [python3, train.py, --layers, "{{.layers}}", --folds, 5, --folds, ""]
    directory: models/bert
    slots: 2
    timeout: 2h
    grace: 1m30s
    env: [CUDA_VISIBLE_DEVICES=0, HF_HOME]
    memory_mb: 8192
    version: "3"
    cache: true
    checkpoint_mb: 1000
    checkpoint_every: 5m
    model_mb: 500
  boost: {command: [./boost]}
`)
	c, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	boost := command.Default("boost")
	boost.Command = []string{"./boost"}
	want := []command.Config{{Name: "BERT", Command: []string{"python3", "train.py", "--layers", "{{.layers}}", "--folds", "5", "--folds", ""},
		Directory: "models/bert", Slots: 2, Timeout: 2 * time.Hour, Grace: 90 * time.Second, Env: []string{"CUDA_VISIBLE_DEVICES=0", "HF_HOME"},
		MemoryMB: 8192, Version: "3", Cache: true, CheckpointMB: 1000, CheckpointEvery: 5 * time.Minute, ModelMB: 500}, boost}
	if diff := cmp.Diff(want, c.Trainers); diff != "" {
		t.Error(diff)
	}
	if c.Worker.Trainers != "BERT=2" {
		t.Errorf("served are %q", c.Worker.Trainers)
	}
}

// What stands in the file is what the program gets, also where it looks like a number.
func TestTrainerWords(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tnaml.yaml", "trainers: {bert: {command: [run, 007, 0x1F, +5, 1.50, 1e3, true, \"007\"], env: [A=007, B=1.0]}}\n")
	c, err := Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"run", "007", "0x1F", "+5", "1.50", "1e3", "true", "007"}, c.Trainers[0].Command); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"A=007", "B=1.0"}, c.Trainers[0].Env); diff != "" {
		t.Error(diff)
	}
}

// A file in which nothing is set, or all is commented out, sets nothing.
func TestEmptyFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, text := range []string{"", "# s3: {bucket: tnaml}\n", "---\n", "null\n"} {
		write(t, "tnaml.yaml", text)
		if _, err := Load(nil, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// All that is wrong with them is told with its line.
func TestBadTrainers(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tnaml.yaml", `trainers:
  bert: python3
  builtin: {command: [x]}
  none: {}
  words: {command: "python3 train.py"}
  braces: {command: [python3, [x]]}
  half: {command: [python3, null], slots: 0, timeout: 5, comand: [x]}
  template: {command: [python3, "{{.depth"]}
`)
	_, err := Load(nil, nil)
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{`line 2: the trainer "bert" is python3, it must be a mapping`,
		`line 3: the trainer "builtin": "builtin" is the name`,
		`line 4: the trainer "none": command is missing`, `line 5: "command" is python3 train.py, it must be a list of words`,
		`line 6: "command" holds`, `line 7: "command" holds nothing`, `line 7: "slots" is 0`, `line 7: "timeout" is 5, it must be a duration`,
		`line 7: unknown field "comand"`, `line 8: the trainer "template": command: argument 1`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %s: %v", want, err)
		}
	}
	write(t, "tnaml.yaml", "trainers: [bert]\n")
	if _, err := Load(nil, nil); err == nil || !strings.Contains(err.Error(), "trainers is a list, it must hold programs by name") {
		t.Error(err)
	}
}
