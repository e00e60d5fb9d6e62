package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/exported"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// examples is where the examples are that a user would try.
const examples = "../experiments/examples"

// programs starts a worker whose file allows programs.
func (b *bench) programs(t *testing.T, name, trainers string, env ...string) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tnaml.yaml")
	if err := os.WriteFile(file, []byte("trainers:\n"+trainers), 0o600); err != nil {
		t.Fatal(err)
	}
	return b.process(t, name, []string{"--config", file}, env...)
}

// space stores a space of a file.
func (b *bench) space(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := trainer.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
		t.Fatal(err)
	}
}

// checkpoints are the names of what trials under way have reached.
func (b *bench) checkpoints(t *testing.T) []store.Entry {
	t.Helper()
	entries, err := b.store.Names(t.Context(), store.Checkpoint, "")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// A worker that is killed in the middle of a program's trial loses no more of it than what
// came after the last checkpoint: the next one goes on from there, and one that is asked to
// stop hands on all. The ledger is that of an undisturbed search.
func TestProgramsResume(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil || testing.Short() {
		t.Skip("runs trials of python3: ", err)
	}
	b := newBench(t, stacktest.Shared(t), stacktest.Shared(t), "")
	b.space(t, examples+"/python/space.yaml")
	directory, err := filepath.Abs(examples + "/python")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	// As the example has it, but that it says with what it begins.
	config := func(seconds float64) string {
		return fmt.Sprintf("  curves: {command: [sh, -c, %q], directory: %q, version: v1, slots: 1, checkpoint_every: 200ms, "+
			"env: [SECONDS_A_ROUND=%v]}\n",
			"cut -c1-12 $TNAML_CHECKPOINT/weights.json 2>/dev/null >>"+log+"; exec python3 train.py", directory, seconds)
	}
	const spec = `{"tasks":["words"],"space":"curves","strategy":"random","trials":4,"lag":1,"seed":3}`
	one := b.programs(t, "one", config(0))
	undisturbed := b.start(t, workflows.SearchWorkflow, "undisturbed", json.RawMessage(spec))
	want := b.outcome(t, undisturbed)
	one.stop(t)
	if want.trials[3] != 1 {
		t.Fatalf("%+v", want)
	}

	run := b.start(t, workflows.SearchWorkflow, "disturbed", json.RawMessage(spec))
	for i, end := range []func(*process){func(p *process) { p.kill() }, func(p *process) { p.stop(t) }, func(p *process) { p.kill() }} {
		w := b.programs(t, fmt.Sprint("victim-", i), config(.5))
		b.underWay(t, run, w.name, 0)
		before := b.checkpoints(t)
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			if now := b.checkpoints(t); len(now) > 0 && !slices.Equal(now, before) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("no checkpoint is stored")
			}
		}
		end(w)
	}
	heir := b.programs(t, "heir", config(0))
	got := b.outcome(t, run)
	heir.stop(t)
	if want.ledger != got.ledger {
		t.Error(cmp.Diff(b.ledger(t, undisturbed), b.ledger(t, run)))
	}
	begun, err := os.ReadFile(log)
	if err != nil || bytes.Count(begun, []byte("[")) < 2 {
		t.Errorf("few trials were resumed: %q, %v", begun, err)
	}
	if left := b.checkpoints(t); len(left) > 0 {
		t.Errorf("checkpoints are left: %v", left)
	}
	of, err := library.ReadConfig(t.Context(), b.store, got.record.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range b.ledger(t, run) {
		model, err := library.ExportModel(t.Context(), b.store, run.GetID(), of, trial)
		if trial.Status == trainer.OK && (err != nil || !exported.IsArchive(model) || !bytes.Contains(model, []byte("curve.json"))) {
			t.Errorf("the model of trial %d: %d bytes, %v", trial.Trial, len(model), err)
		}
	}
}

// Programs that take a second each: how much of the time the places for them are at work.
// Beyond some 16 places it is the processors that two cores do not have, when all places end
// at once: the programs' starts, the servers' and the worker's work are that of 11 to 17 ms a
// trial. The trials' directories are in memory where there is such a place: a file system
// without a journal (as small virtual machines have) takes 6 ms more a trial to find inodes
// that nothing used of late. A quarter more trials than places are under way, so that a place
// that falls free need not wait for the search.
func TestEfficiencyOfPrograms(t *testing.T) {
	if !*long {
		t.Skip("measures; -long")
	}
	for _, places := range []int{16, 64} {
		t.Run(fmt.Sprint(places, " places"), func(t *testing.T) { efficiency(t, 500, places) })
	}
}

func efficiency(t *testing.T, trials, places int) {
	a := stacktest.Shared(t)
	b := newBench(t, a, a, "")
	sp := &space.Space{Name: "naps", Trainer: "nap", Choices: []space.Choice{{Name: "depth", Options: []any{int64(1), int64(2), int64(3)}}}}
	if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
		t.Fatal(err)
	}
	w := b.programs(t, "one", fmt.Sprintf("  nap: {command: [sh, -c, echo validation=0.5; exec sleep 1], slots: %d, checkpoint_mb: 0}\n",
		places), "TNAML_DATA_DIR="+inMemory(t))
	w.ready(t)
	before, began := taken(a.PID), time.Now()
	run := b.start(t, workflows.SearchWorkflow, "naps", merged(spec{"tasks": []string{"words"}, "space": "naps", "strategy": "random"},
		spec{"trials": trials, "lag": 4 * places, "parallel": places + places/4, "checkpoint_every": 100}))
	err := b.end(t, run, nil)
	elapsed := time.Since(began)
	servers := time.Duration((taken(a.PID) - before) / float64(trials) * float64(time.Second))
	if got := b.outcome(t, run); err != nil || len(got.trials) != trials {
		t.Fatalf("%d trials, %v", len(got.trials), err)
	}
	w.stop(t)
	cpu := w.ProcessState.UserTime() + w.ProcessState.SystemTime()
	efficiency := float64(trials) * time.Second.Seconds() / float64(places) / elapsed.Seconds()
	t.Logf("%d trials of 1 s in %d places took %v: %.1f %%; CPU a trial: the worker and its programs %v, the servers %v", trials, places,
		elapsed, 100*efficiency, cpu/time.Duration(trials), servers)
	if efficiency < .9 {
		t.Errorf("below 90 %%")
	}
}

// inMemory is a directory in memory, where Linux has one, or another one.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "tnaml-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
