package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tnaml/activities"
	"tnaml/starter/client"
)

const tinyExperiment = `name: tiny
description: two tasks, few trials
space: text-small
concurrency: 3
checkpoint_every: 5
seeds: [1]
pretrain: [{tasks: [one], trials: 12}]
transfer: {tasks: [two], trials: 11, arms: ablations}
benchmark: {nights: 3, tolerance: 3, accuracy: 0.5, cost: 50}
`

// An experiment as its user has it: add, run, look, transfer again, schedule.
func TestExperimentFromTheTerminal(t *testing.T) {
	b, _ := online(t)
	b.worker()
	data := b.write("reviews.tsv", reviews())
	for _, name := range []string{"one", "two"} {
		b.ok("data", "import", data, "--name", name, "--seed", map[string]string{"one": "1", "two": "2"}[name])
	}
	b.ok("module", "add", b.write("v.vec", vectors), "--name", "small")
	if out := b.ok("experiment", "list", "--json"); strings.Contains(out, "null") {
		t.Errorf("lists that are none: %s", out)
	}
	if out := b.ok("experiment", "list"); !strings.Contains(out, "nlp-small") {
		t.Errorf("list: %s", out)
	}
	b.fails(exitFailed, []string{`line 2: unknown field "trails"`, "line 1"}, "experiment", "add",
		b.write("bad.yaml", "name: Bad Name\ntrails: 3\n"))
	file := b.write("tiny.yaml", tinyExperiment)
	b.ok("experiment", "add", file)
	b.ok("experiment", "add", file) // the same again changes nothing
	b.fails(exitFailed, []string{"tiny", "overwrite"}, "experiment", "add",
		b.write("tiny2.yaml", strings.Replace(tinyExperiment, "trials: 12", "trials: 13", 1)))
	b.fails(exitFailed, []string{"has not been run"}, "experiment", "results", "tiny")
	b.fails(exitUsage, []string{"--title is for searches: tiny is an experiment"}, "report", "tiny", "--title", "Mine")
	b.fails(exitUsage, []string{`"one" is a pretraining task`, `unknown arm "best"`}, "run", "tiny", "--tasks", "one", "--arms", "best")
	b.fails(exitFailed, []string{`no task "three"`, "one, two"}, "run", "tiny", "--tasks", "three")
	b.fails(exitUsage, []string{"--kind", "benchmark"}, "run", "tiny", "--kind", "all")
	b.fails(exitFailed, []string{"controller", "not found"}, "run", "tiny", "--kind", "transfer")

	out := b.ok("run", "tiny")
	for _, want := range []string{"tiny-1 completed: 7 searches", "controller tiny@1", "controller tiny-no-task-embedding@1",
		"single-architecture", "Trials to the final", "transfer against each other arm"} {
		if !strings.Contains(out, want) {
			t.Errorf("run: %q is not in\n%s", want, out)
		}
	}
	b.fails(exitFailed, []string{"exists already"}, "run", "tiny", "--name", "tiny-1")
	var again struct {
		Name   string
		Cached int
		Trials int
	}
	if err := json.Unmarshal([]byte(b.ok("run", "tiny", "--json")), &again); err != nil || again.Name != "tiny-2" ||
		again.Cached < again.Trials*9/10 {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	b.ok("run", "tiny", "--kind", "transfer", "--seeds", "5", "--arms", "transfer", "--name", "five")
	if out := b.ok("experiment", "show", "tiny"); !strings.Contains(out, "name: tiny") || !strings.Contains(out, "five") ||
		strings.Count(out, "completed") != 3 {
		t.Errorf("show: %s", out)
	}
	if out := b.ok("experiment", "results", "tiny", "five"); !strings.Contains(out, "transfer") || strings.Contains(out, "naml") {
		t.Errorf("results: %s", out)
	}
	if out := b.ok("watch", "tiny-1"); !strings.Contains(out, "tiny-1 completed") {
		t.Errorf("watch: %s", out)
	}

	// Controllers.
	if out := b.ok("controller", "list"); strings.Count(out, "@1") != 2 || !strings.Contains(out, "no task embedding") {
		t.Errorf("controllers: %s", out)
	}
	if out := b.ok("controller", "show", "tiny"); !strings.Contains(out, "greedy architecture") || !strings.Contains(out, "1.00") {
		t.Errorf("controller: %s", out)
	}
	if out := b.ok("controller", "pretrain", "quick", "--trials", "20", "--tasks", "airline,us_economy"); !strings.Contains(out,
		"controller quick@1: 20 trials of the recorded benchmark paper on airline, us_economy") {
		t.Errorf("pretrain: %s", out)
	}
	if out := b.ok("controller", "list"); !strings.Contains(out, "recorded trials") {
		t.Errorf("controllers: %s", out)
	}
	exported := filepath.Join(b.dir, "c.safetensors")
	b.ok("controller", "export", "tiny@1", "-o", exported)
	b.ok("controller", "import", exported, "--name", "theirs")
	if out := b.ok("controller", "diff", "tiny", "theirs"); !strings.Contains(out, "the same object") {
		t.Errorf("diff: %s", out)
	}
	if out := b.ok("controller", "diff", "tiny", "tiny-no-task-embedding"); !strings.Contains(out, "search space: the same") ||
		!strings.Contains(out, "of another shape") {
		t.Errorf("diff: %s", out)
	}
	whole, err := os.ReadFile(exported)
	if err != nil {
		t.Fatal(err)
	}
	b.fails(exitFailed, []string{"cut.safetensors"}, "controller", "import", b.write("cut.safetensors", string(whole[:len(whole)/2])),
		"--name", "cut")
	b.fails(exitUsage, []string{"name"}, "controller", "import", exported)
	b.fails(exitFailed, []string{"no version 7"}, "controller", "show", "tiny@7")

	// Schedules. The nightly benchmark's tasks are made where they are not there.
	nightly := "nightly-" + strings.ToLower(t.Name())
	if out := b.ok("schedule", "create", nightly, "--cron", "0 2 * * *", "--experiment", "nightly", "--paused"); !strings.Contains(out,
		"0 2 * * * UTC") || !strings.Contains(out, "(paused)") || strings.Contains(out, "02:00") {
		t.Errorf("nightly: %s", out)
	}
	b.ok("schedule", "delete", nightly)
	if out := b.ok("data", "list"); !strings.Contains(out, "godoc-kind") {
		t.Errorf("tasks: %s", out)
	}
	b.fails(exitUsage, []string{"--cron", "--experiment", "--overlap", "--time-zone"}, "schedule", "create", "s", "--overlap", "x",
		"--time-zone", "No/Where")
	b.fails(exitUsage, []string{"Hour"}, "schedule", "create", "s", "--cron", "0 99 * * *", "--experiment", "tiny")
	b.fails(exitFailed, []string{"no-such"}, "schedule", "create", "s", "--cron", "0 2 * * *", "--experiment", "no-such")
	name := "s-" + strings.ToLower(t.Name())
	if out := b.ok("schedule", "create", name, "--cron", "30 2 29 2 *", "--experiment", "tiny", "--trials", "10"); !strings.Contains(out,
		"30 2 29 2 * UTC") || !strings.Contains(out, "next ") || !strings.Contains(out, "skip") {
		t.Errorf("schedule: %s", out)
	}
	b.fails(exitFailed, []string{"exists already"}, "schedule", "create", name, "--cron", "0 2 * * *", "--experiment", "tiny")
	b.ok("schedule", "pause", name)
	if out := b.ok("schedule", "show", name); !strings.Contains(out, "paused") || !strings.Contains(out, "Benchmark tiny") ||
		strings.Contains(out, "next ") {
		t.Errorf("paused: %s", out)
	}
	b.ok("schedule", "resume", name)
	b.ok("schedule", "trigger", name)
	benchmark := b.triggered(name, "tiny-benchmark")
	if out := b.ok("watch", benchmark); !strings.Contains(out, "completed") && !strings.Contains(out, "passed") {
		t.Errorf("the benchmark: %s", out)
	}
	b.ok("schedule", "delete", name)

	// Garbage is collected by a schedule too.
	b.fails(exitUsage, []string{"--trials does not go with --collect", "--experiment does not go with --collect",
		"--grace is -1h: it must be 0 or more"},
		"schedule", "create", name, "--cron", "0 4 * * *", "--collect", "--experiment", "tiny", "--trials", "3", "--grace", "-1h")
	b.fails(exitUsage, []string{"--grace goes with --collect"}, "schedule", "create", name, "--cron", "0 4 * * *", "--experiment", "tiny",
		"--grace", "1h")
	if out := b.ok("schedule", "create", name, "--cron", "0 4 29 2 *", "--collect", "--grace", "36h"); !strings.Contains(out,
		"garbage collection, grace period 36h") {
		t.Errorf("schedule: %s", out)
	}
	b.ok("schedule", "trigger", name)
	collection := b.triggered(name, "gc:"+name)
	var c activities.Collected
	if err := json.Unmarshal([]byte(b.ok("watch", collection)), &c); err != nil || len(c.Kept) == 0 || c.Young.Objects == 0 {
		t.Errorf("collected: %+v, %v", c, err)
	}
	b.ok("schedule", "delete", name)
	b.fails(exitFailed, []string{"no schedule"}, "schedule", "show", name)
	b.fails(exitFailed, []string{"no schedule"}, "schedule", "trigger", name)
}

// triggered is the workflow that a schedule has started, whose name begins so.
func (b *console) triggered(schedule, prefix string) string {
	b.t.Helper()
	var view client.ScheduleEntry
	for range 1000 {
		if err := json.Unmarshal([]byte(b.ok("schedule", "show", schedule, "--json")), &view); err != nil {
			b.t.Fatal(err)
		}
		if len(view.Recent) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(view.Recent) != 1 || !strings.HasPrefix(view.Recent[0].Name, prefix) {
		b.t.Fatalf("triggered: %+v", view)
	}
	return view.Recent[0].Name
}

// Who looks at the searches while a run waits for its first worker is told of the run.
func TestRunThatNoWorkerHasTaken(t *testing.T) {
	b, _ := online(t)
	data := b.write("reviews.tsv", reviews())
	for _, name := range []string{"one", "two"} {
		b.ok("data", "import", data, "--name", name, "--yes")
	}
	b.ok("module", "add", b.write("v.vec", vectors), "--name", "small")
	if out := b.run("list").stderr; !strings.Contains(out, "`starter search`") {
		t.Errorf("before: %s", out)
	}
	b.ok("experiment", "add", b.write("tiny.yaml", tinyExperiment))
	b.ok("run", "tiny", "--name", "waits", "--detach")
	b.lists(nil, func(o output) bool { return strings.Contains(o.stderr, "list --runs") })
	b.lists([]string{"--runs"}, func(o output) bool { return strings.Contains(o.stdout, "waits") })
	if err := b.servers().Client.TerminateWorkflow(t.Context(), "waits", "", "the test ends"); err != nil {
		t.Error(err)
	}
}

// Whoever has tasks of their own starts from the trials that the program brings.
func TestRecordedTrialsAreSources(t *testing.T) {
	b, _ := online(t)
	b.worker()
	b.ok("data", "import", b.write("reviews.tsv", reviews()), "--name", "mine", "--yes")
	b.fails(exitFailed, []string{"module"}, "trials", "import", "--recorded", "paper")
	b.ok("module", "add", b.write("v.vec", vectors), "--name", "glove-50")
	o := b.run("trials", "import", "--recorded", "paper", "--recorded-tasks", "airline,us_economy")
	if o.code != exitOK || !strings.Contains(o.stdout, "recorded-paper: ") || !strings.Contains(o.stderr, "trials were left out") ||
		!strings.Contains(o.stderr, "--sources recorded-paper") || !strings.Contains(o.stderr, "with the same names: glove-50.") {
		t.Errorf("%+v", o)
	}
	b.fails(exitFailed, []string{"were imported: there are no models"}, "predict", "recorded-paper", "--task", "airline", "--refit")
	paper, err := os.ReadFile("../../experiments/space/builtin/paper.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b.ok("space", "add", b.write("auc.yaml", "objective: {metric: auc, direction: maximise}\n"+
		strings.Replace(string(paper), "name: paper", "name: auc", 1)))
	b.fails(exitFailed, []string{"says anything: no auc of it was recorded"}, "trials", "import", "--recorded", "paper", "--space", "auc",
		"--name", "none", "--recorded-tasks", "airline")
	b.fails(exitFailed, []string{"exists already"}, "trials", "import", "--recorded", "paper")
	out := b.ok("search", "--task", "mine", "--space", "paper", "--strategy", "kindred", "--sources", "recorded-paper", "--trials", "4",
		"--name", "k")
	if !strings.Contains(out, "k completed") {
		t.Errorf("search: %s", out)
	}
}
