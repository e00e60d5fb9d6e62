package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/experiments/trainer/trainertest"
)

// fixture is a trainer with its store, its directory and its log.
type fixture struct {
	*Trainer
	store *store.Memory
	work  *Workspace
	log   *safeLog
}

type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(b) }
func (l *safeLog) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// program is the trainer of one of the tests' programs, without control groups where the
// mode begins with "ungrouped: ".
func program(t *testing.T, mode string, change func(*Config)) fixture {
	t.Helper()
	mode, ungrouped := strings.CutPrefix(mode, "ungrouped: ")
	c := Default("mine")
	c.Command, c.Env, c.Grace, c.Version = []string{os.Args[0]}, []string{"PROGRAM=" + mode}, time.Second, "1"
	c.CheckpointEvery = 100 * time.Millisecond
	if change != nil {
		change(&c)
	}
	s, log := store.NewMemory(), new(safeLog)
	w, err := NewWorkspace(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if ungrouped {
		if err := w.groups.close(); err != nil {
			t.Fatal(err)
		}
		w.groups = nil
	}
	tr, err := New(c, s, w, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return fixture{tr, s, w, log}
}

func asked() trainer.Request {
	return trainer.Request{Trial: 7, Task: trainer.Task{Name: "things"}, Choices: map[string]any{"depth": 4, "loss": "a"}, Seed: 1<<64 - 3,
		Objective: space.Objective{Metric: "validation", Direction: space.Maximise}}
}

func quiet(trainer.Progress) error { return nil }

func TestExercise(t *testing.T) {
	for _, cache := range []bool{false, true} {
		t.Run(fmt.Sprint("cache ", cache), func(t *testing.T) {
			f := program(t, "good", func(c *Config) { c.Cache = cache })
			sp := &space.Space{Name: "s", Trainer: "mine", Choices: []space.Choice{
				{Name: "depth", Options: []any{int64(2), int64(4)}}, {Name: "loss", Options: []any{"a", "b"}}}}
			r := asked()
			r.Objective = space.Objective{}
			trainertest.Exercise(t, f.Trainer, trainertest.Fixture{Space: sp, Request: r, Model: true, OverSteps: true, Progress: true})
			left, err := os.ReadDir(f.work.dir)
			if err != nil || len(left) > 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		})
	}
}

// Whatever a program does, there is an outcome that says so, and little memory is taken.
func TestBadPrograms(t *testing.T) {
	for _, tt := range []struct {
		mode   string
		status trainer.Status
		says   string
	}{
		{"nothing", trainer.Failed, "it ended without an outcome"},
		{"fails", trainer.Failed, "exit status 3: ValueError: no luck in TNAML_DIRECTORY\uFFFD"},
		{"refuses", trainer.Failed, "these do not go together"},
		{"lies", trainer.Failed, "exit status 1"},
		{"gigabyte", trainer.OK, ""},
		{"gigabyte to stderr", trainer.Failed, "exit status 1: xxx"},
		{"long line", trainer.Failed, "1 of its lines had more than 64 KiB"},
		{"unread", trainer.Failed, "2 of its lines could not be taken as progress, the first: "},
		{"nan", trainer.Failed, "invalid character 'N'"},
		{"null", trainer.Failed, `its metric "validation" is NaN`},
		{"text nan", trainer.Failed, `its metric "validation" is NaN`},
		{"text", trainer.OK, ""},
		{"invalid", trainer.OK, ""},
		{"invalid too", trainer.Failed, "\uFFFD\uFFFD"},
		{"disagrees", trainer.Failed, "outcome.json and standard output disagree"},
		{"agrees", trainer.OK, ""},
		{"link as outcome", trainer.Failed, "outcome.json is no regular file"},
		{"pipe as outcome", trainer.Failed, "outcome.json is no regular file"},
		{"large outcome", trainer.Failed, "outcome.json has more than 1 MiB"},
		{"link as model", trainer.Failed, `"weights" is no regular file, but a symbolic link`},
		{"directory as reason", trainer.Failed, "no file TNAML_DIRECTORY/x"},
		{"directory as nonsense", trainer.Failed, "no outcome: invalid character 'T' looking for beginning of value: TNAML_DIRECTORY/x"},
		{"model is a link", trainer.Failed, "model/ cannot be stored: it is no directory any more, but a symbolic link"},
		{"model is a file", trainer.Failed, "model/ cannot be stored: it is no directory any more, but a file"},
		{"model is gone", trainer.OK, ""},
		{"directory is gone", trainer.OK, ""},
		{"socket in model", trainer.Failed, `sss" is no regular file, but a socket`},
		{"deep model", trainer.Failed, "file name too long"},
		{"odd names", trainer.OK, ""},
		{"closes its output", trainer.OK, ""},
		{"large model", trainer.Failed, "more than 1 MB: too large"},
		{"large checkpoint", trainer.OK, ""},
		{"forks", trainer.OK, ""},
		{"ungrouped: escapes", trainer.OK, ""},
		{"escapes", trainer.OK, ""},
		{"segfault", trainer.Failed, "ended by the signal segmentation fault"},
		{"modes", trainer.OK, ""},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			if strings.HasPrefix(tt.mode, "gigabyte") && testing.Short() {
				t.Skip("writes a gigabyte")
			}
			f := program(t, tt.mode, func(c *Config) { c.ModelMB, c.CheckpointMB = 1, 1 })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			result, err := f.Run(t.Context(), asked(), quiet)
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if result.Status != tt.status || !strings.Contains(result.Reason, tt.says) || strings.Contains(result.Reason, f.work.dir) {
				t.Errorf("%s: %s", result.Status, result.Reason)
			}
			if checked := result.Checked(asked().Objective); checked.Reason != result.Reason {
				t.Errorf("%s, checked: %s", result.Reason, checked.Reason)
			}
			if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 64<<20 {
				t.Errorf("%d MB were allocated", grown>>20)
			}
			if took := time.Since(began); took > 20*time.Second && !strings.HasPrefix(tt.mode, "gigabyte") {
				t.Errorf("it took %v", took)
			}
			if left, _ := os.ReadDir(f.work.dir); len(left) > 0 && tt.mode != "forks" && !strings.HasSuffix(tt.mode, "escapes") {
				t.Errorf("it leaves %v", left)
			}
			if names, err := f.store.Names(t.Context(), store.Checkpoint, ""); err != nil || len(names) > 0 {
				t.Errorf("checkpoints %v, %v", names, err)
			}
			switch tt.mode {
			case "forks", "escapes", "ungrouped: escapes":
				gone(t, f)
			case "text":
				if m := result.Metrics; m["validation"] != .5 || m["test"] != .75 || m["lr"] != 1e-3 || len(m) != 3 || result.Steps != 2 {
					t.Errorf("%+v", result.Outcome)
				}
			case "large checkpoint":
				if !strings.Contains(f.log.String(), "checkpoint is not stored") || !strings.Contains(f.log.String(), "more than 1 MB") {
					t.Errorf("the log says %s", f.log)
				}
			case "unread":
				if !strings.Contains(f.log.String(), "could not be taken as progress") || !strings.Contains(f.log.String(), "lines=2") {
					t.Errorf("the log says %s", f.log)
				}
			case "fails":
				if !strings.Contains(f.log.String(), "Traceback") {
					t.Errorf("the log says %s", f.log)
				}
			}
		})
	}
}

// An attempt whose directory cannot be made leaves none: it is tried again and again.
func TestHalfADirectoryGoes(t *testing.T) {
	f := program(t, "good", nil)
	r := asked()
	r.Settings = []byte("{") // as on a full disk, the request cannot be written
	if _, err := f.Run(t.Context(), r, quiet); err == nil {
		t.Error("it runs")
	}
	if left, err := os.ReadDir(f.work.dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// gone waits for the process that a program has left behind to be gone.
func gone(t *testing.T, f fixture) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.work.dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	_, _ = fmt.Sscan(string(b), &pid)
	for range 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return // nobody need have waited for it
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Error("the process that the program has started goes on")
}

// An attempt that is ended from outside is an error, and takes its processes with it.
func TestEnds(t *testing.T) {
	stop := errors.New("enough")
	for _, tt := range []struct {
		mode string
		want error
	}{{"forks and hangs", context.Canceled}, {"ignores SIGTERM", context.Canceled}, {"hangs", stop}, {"hangs", trainer.ErrCutShort},
		{"killed", trainer.ErrCutShort}, {"forks and hangs", trainer.ErrCutShort}, {"escapes and hangs", context.Canceled},
		{"ungrouped: escapes and hangs", context.Canceled}} {
		t.Run(fmt.Sprint(tt.mode, " ", tt.want), func(t *testing.T) {
			f := program(t, tt.mode, func(c *Config) {
				switch tt.want {
				case trainer.ErrCutShort:
					c.Timeout = time.Second
				case stop:
					c.Grace = time.Minute // it ends when it is asked to
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := time.Now()
			_, err := f.Run(ctx, asked(), func(trainer.Progress) error {
				switch tt.want {
				case context.Canceled:
					time.AfterFunc(100*time.Millisecond, cancel)
				case stop:
					return stop
				}
				return nil
			})
			if took := time.Since(began); !errors.Is(err, tt.want) || took > 20*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			if strings.HasPrefix(tt.mode, "forks") || strings.Contains(tt.mode, "escapes") {
				gone(t, f)
			}
		})
	}
}

// What a program leaves in its directory is there for the next attempt, whose outcome is
// that of an undisturbed one, and goes with it.
func TestCheckpoints(t *testing.T) {
	f := program(t, "resume", nil)
	ctx, cancel := context.WithCancelCause(library.ForSearch(t.Context(), "mine"))
	defer cancel(nil)
	_, err := f.Run(ctx, asked(), func(p trainer.Progress) error {
		if p.Step == 5 {
			time.AfterFunc(300*time.Millisecond, func() { cancel(library.ErrStopping) })
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	names, err := f.store.Names(t.Context(), store.Checkpoint, "")
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	if r, err := library.StoredCheckpoint(t.Context(), f.store, names[0].Name); err != nil || r.Search != "mine" {
		t.Errorf("%+v, %v", r, err)
	}
	elsewhere, err := f.Run(library.ForSearch(t.Context(), "other"), func() trainer.Request { r := asked(); r.Seed++; return r }(),
		func(p trainer.Progress) error {
			if p.Step > 1 {
				return errors.New("seen")
			}
			return nil
		})
	if err == nil {
		t.Errorf("another trial was resumed: %+v", elsewhere.Outcome)
	}
	r := asked()
	keep := 0.25
	r.Keep = &keep // makes it no other trial
	result, err := f.Run(library.ForSearch(t.Context(), "mine"), r, quiet)
	if err != nil || result.Status != trainer.OK || result.Metrics["resumed"] != 5 || result.Steps != 10 {
		t.Errorf("%+v, %v", result.Outcome, err)
	}
	if names, err := f.store.Names(t.Context(), store.Checkpoint, ""); err != nil || len(names) != 1 { // the other's
		t.Errorf("%v, %v", names, err)
	}
}

// A program that is asked to end may leave a checkpoint as it does; of a trial that nobody wants
// any more none is stored: its search may be over, and nothing would remove it.
func TestDrain(t *testing.T) {
	f := program(t, "drains", func(c *Config) { c.CheckpointEvery = time.Hour })
	for _, c := range []struct {
		why  error
		want int
	}{{nil, 0}, {errors.New("the activity is not there"), 0}, {library.ErrStopping, 1}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if _, err := f.Run(ctx, asked(), func(trainer.Progress) error { cancel(c.why); return nil }); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if names, err := f.store.Names(t.Context(), store.Checkpoint, ""); err != nil || len(names) != c.want {
			t.Errorf("%v: %d checkpoints, %v", c.why, len(names), err)
		}
	}
	if result, err := f.Run(t.Context(), asked(), quiet); err != nil || result.Metrics["validation"] != .75 {
		t.Errorf("%+v, %v", result.Outcome, err)
	}
}

// refusing is a store that takes nothing.
type refusing struct{ store.Store }

func (refusing) Put(context.Context, []byte) (store.Ref, error) { return "", errors.New("no") }

// unasked is a store that fails where it is asked for a name.
type unasked struct{ store.Store }

func (unasked) GetName(context.Context, store.Kind, string) ([]byte, store.Version, error) {
	return nil, "", errors.New("asked")
}

// A trainer that keeps no checkpoints asks the store for none.
func TestNoCheckpointsNoRequests(t *testing.T) {
	for mb, fails := range map[int]bool{0: false, 1: true} {
		f := program(t, "curve", func(c *Config) { c.CheckpointMB = mb })
		f.Trainer.store = unasked{f.store}
		if result, err := f.Run(t.Context(), asked(), quiet); fails != (err != nil) || !fails && result.Status != trainer.OK {
			t.Errorf("checkpoint_mb %d: %+v, %v", mb, result.Outcome, err)
		}
	}
}

// As a worker begins to stop, a trial that can go on elsewhere is given back at once, with its
// checkpoint; one that has none may come to its end, or to a checkpoint.
func TestStopsAtOnceWithACheckpoint(t *testing.T) {
	f := program(t, "resume", func(c *Config) { c.CheckpointEvery = time.Hour })
	for _, at := range []int{0, 5} { // before it has one, and when it has
		stops := make(chan struct{})
		ctx := library.WithStops(library.ForSearch(t.Context(), fmt.Sprint("at ", at)), stops)
		if at == 0 {
			close(stops)
		}
		last := 0
		_, err := f.Run(ctx, asked(), func(p trainer.Progress) error {
			if last = p.Step; last == at {
				close(stops)
			}
			return nil
		})
		if !errors.Is(err, library.ErrStopping) || at == 0 && last > 2 || ctx.Err() != nil {
			t.Fatalf("stopped at %d: after %d steps, %v", at, last, err)
		}
		result, err := f.Run(library.ForSearch(t.Context(), fmt.Sprint("at ", at)), asked(), quiet)
		if err != nil || result.Metrics["resumed"] < float64(max(at, 1)) {
			t.Errorf("stopped at %d: %+v, %v", at, result.Outcome, err)
		}
	}
	// What cannot be stored is no checkpoint: such a trial is not given up before its end.
	for _, large := range []bool{true, false} {
		f := program(t, "large checkpoint", func(c *Config) { c.CheckpointMB = 1 })
		if !large {
			f = program(t, "resume", nil)
			f.Trainer.store = refusing{f.store}
		}
		stops := make(chan struct{})
		time.AfterFunc(50*time.Millisecond, func() { close(stops) })
		within := time.Minute
		if !large {
			within = time.Second
		}
		ctx, cancel := context.WithTimeout(library.WithStops(t.Context(), stops), within)
		defer cancel()
		o, err := f.Run(ctx, asked(), quiet)
		if large && (err != nil || o.Status != trainer.OK) || !large && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("large %v: %+v, %v", large, o.Outcome, err)
		}
	}
	short := program(t, "curve", nil)
	stops := make(chan struct{})
	close(stops)
	if o, err := short.Run(library.WithStops(t.Context(), stops), asked(), quiet); err != nil || o.Status != trainer.OK {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
}

// What it tells of the objective on its way is its curve, and a floor ends it.
func TestCurves(t *testing.T) {
	f := program(t, "curve", nil)
	r := asked()
	point := func(step int, v float64) trainer.Point { return trainer.Point{Step: step, Value: v} }
	for _, c := range []struct {
		curve  bool
		prune  []trainer.Point
		status trainer.Status
		want   []trainer.Point
	}{
		{false, nil, trainer.OK, nil},
		{true, nil, trainer.OK, []trainer.Point{point(1, 0), point(2, .1), point(3, .2), point(4, .3), point(5, .4)}},
		{true, []trainer.Point{point(2, .05), point(3, .5)}, trainer.Pruned, []trainer.Point{point(1, 0), point(2, .1), point(3, .2)}},
		{true, []trainer.Point{point(5, .9)}, trainer.OK, []trainer.Point{point(1, 0), point(2, .1), point(3, .2), point(4, .3), point(5, .4)}},
	} {
		r.Curve, r.Prune = c.curve, c.prune
		if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != c.status || !slices.Equal(o.Curve, c.want) {
			t.Errorf("%+v: %+v, %v", c, o.Outcome, err)
		}
	}
}

// Progress may count other steps than the outcome: a trial that came to its last is not pruned there.
func TestEpochs(t *testing.T) {
	f := program(t, "epochs", nil)
	r := asked()
	r.Curve, r.Prune = true, []trainer.Point{{Step: 10, Value: .9}}
	o, err := f.Run(t.Context(), r, quiet)
	if err != nil || o.Status != trainer.OK || o.Encode == nil || o.Steps != 1600 || len(o.Curve) != 2 {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
}

// raced: the programs, which are this test's own, run with the race detector.
var raced bool

func TestLimits(t *testing.T) {
	f := program(t, "steps", nil)
	r := asked()
	r.Limits.Steps = 5
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.OverSteps || o.Steps != 5 {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
	if runtime.GOOS != "linux" || raced {
		t.Skip("memory is limited on Linux alone, and not of a program with the race detector")
	}
	f = program(t, "memory", nil)
	r.Limits = trainer.Limits{MemoryBytes: 256 << 20}
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.OverMemory || !strings.Contains(o.Reason, "limit of 256 MB") {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
	r.Limits.MemoryBytes = 8 << 30
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.OK {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
}

// nonsense is no outcome, and where it is cut there is a secret.
var nonsense = `{"status":"ok","metrics":[],"x":"` + strings.Repeat("x", 170)[:157]

// What the operator gives a program is in no reason and in no log, whatever the program says.
func TestSecrets(t *testing.T) {
	t.Setenv("TOKEN", "s3cret:passed")
	for mode, want := range map[string]string{
		"tells":          "the program ended with exit status 1: cannot reach ${DB_URL} with ${TOKEN} (${LONG}) at 123",
		"tells as JSON":  "cannot reach ${DB_URL} with ${TOKEN} (${LONG}) at 123",
		"tells lines":    "it wants ${KEY} and ${FILE}",
		"tells nonsense": "the trainer's answer is no outcome: metrics is of the type array: " + nonsense + "${FILE}…",
		"tells too much": "the program ended with exit status 1: " + strings.Repeat("x", 497) + "…",
	} {
		f := program(t, mode, func(c *Config) {
			c.Env = append(c.Env, "DB_URL=db://me:pass@host", "TOKEN", "LONG=db://me:pass@host/more", "PORT=123",
				"KEY=begin\npassed on\nend", "FILE=passed-from-a-file\n")
		})
		o, err := f.Run(t.Context(), asked(), quiet)
		if err != nil || o.Status != trainer.Failed || o.Reason != want {
			t.Errorf("%s: %s %s, %v", mode, o.Status, o.Reason, err)
		}
		for _, secret := range []string{"pass@host", "s3cret", "passed"} {
			if strings.Contains(f.log.String(), secret) {
				t.Errorf("%s: the log says %s: %.200s", mode, secret, f.log)
			}
		}
	}
}

// A program is given what the operator says, its task's data and what it needs; no secret.
func TestEnvironment(t *testing.T) {
	t.Setenv("TNAML_S3_SECRET_KEY", "secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("TEMPORAL_API_KEY", "secret")
	t.Setenv("GIVEN", "on purpose")
	dir := t.TempDir()
	f := program(t, "environment", func(c *Config) {
		c.Env, c.Directory = append(c.Env, "GIVEN", "LEVEL=3"), dir
		c.Command = append(c.Command, "--depth={{.depth}}", `{{index . "loss"}}`, "$HOME; true")
	})
	var examples []text.Example
	for i := range 120 {
		examples = append(examples, text.Example{
			Text: fmt.Sprintf("A %s <thing> %d", []string{"good", "bad"}[i%2], i), Label: []string{"pos", "neg"}[i%2]})
	}
	task, err := text.Build(examples, data.Options{Name: "things"})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := f.store.Put(t.Context(), task.Encode())
	if err != nil {
		t.Fatal(err)
	}
	r := asked()
	r.Task = trainer.Task{Name: "things", Kind: "text", Data: string(ref)}
	r.Choices["loss"] = "a b; false"
	result, err := f.Run(t.Context(), r, quiet)
	if err != nil || result.Encode == nil {
		t.Fatalf("%+v, %v", result.Outcome, err)
	}
	out := t.TempDir()
	if err := unpack(result.Encode(), out); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read("arguments"); got != "--depth=4\na b; false\n$HOME; true" {
		t.Errorf("arguments %q", got)
	}
	if got := read("directory"); got != dir {
		t.Errorf("it runs in %s", got)
	}
	known := append([]string{"GIVEN", "LEVEL", "PROGRAM", "TMPDIR", "TNAML_CHECKPOINT", "TNAML_DATA", "TNAML_DIRECTORY", "TNAML_MODEL",
		"TNAML_OUTCOME", "TNAML_REQUEST", "TNAML_SEED", "TNAML_TASK", "TNAML_TRIAL"}, passed...)
	environment := read("environment")
	for line := range strings.Lines(environment) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); !slices.Contains(known, name) && name != "PWD" || value == "secret" {
			t.Errorf("it is given %s", line)
		}
	}
	for _, want := range []string{"GIVEN=on purpose", "LEVEL=3", "TNAML_SEED=18446744073709551613", "TNAML_TRIAL=7", "TNAML_TASK=things"} {
		if !strings.Contains(environment, want) {
			t.Errorf("it is not given %s: %s", want, environment)
		}
	}
	var first example
	line, _, _ := strings.Cut(read("validation.jsonl"), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil || !slices.Contains(task.Labels, first.Label) ||
		!strings.HasPrefix(first.Text, "a "+map[string]string{"pos": "good", "neg": "bad"}[first.Label]+" < thing >") ||
		strings.Contains(line, `\u003c`) {
		t.Errorf("%+v, %v: %s", first, err, line)
	}
	again, err := f.Run(t.Context(), r, quiet) // with the data that are there
	if err != nil || again.Status != trainer.OK {
		t.Errorf("%+v, %v", again.Outcome, err)
	}
	// An argument that asks for a choice that there is not is the trial's failure.
	delete(r.Choices, "depth")
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.Failed || !strings.Contains(o.Reason, `"depth"`) {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
	r.Choices["depth"], r.Choices["loss"] = 4, "a\x00b"
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.Failed || !strings.Contains(o.Reason, "zero byte") {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	w, err := NewWorkspace(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	for _, tt := range []struct {
		change func(*Config)
		says   string
	}{
		{func(c *Config) { c.Name = "builtin" }, "the platform brings"},
		{func(c *Config) { c.Name = "external" }, "the platform brings"},
		{func(c *Config) { c.Name = "no name!" }, "no name of a trainer"},
		{func(c *Config) { c.Command = nil }, "command is missing"},
		{func(c *Config) { c.Command = []string{"/no/such/program"} },
			"the program /no/such/program cannot be run: stat /no/such/program: no such file"},
		{func(c *Config) { c.Command = []string{"no-such-program"} }, "executable file not found in $PATH"},
		{func(c *Config) { c.Command = append(c.Command, "{{.a") }, "argument 1"},
		{func(c *Config) { c.Command[0] = "{{.program}}" }, "no template"},
		{func(c *Config) { c.Directory = "/no/such/directory" }, "there is no directory"},
		{func(c *Config) { c.Env = []string{"TNAML_SEED=1"} }, "TNAML_"},
		{func(c *Config) { c.Env = []string{"=1"} }, "NAME=value"},
		{func(c *Config) { c.Timeout = -1 }, "timeout is"},
		{func(c *Config) { c.Slots = 5000 }, "slots is 5000"},
	} {
		c := Default("mine")
		c.Command = []string{os.Args[0]}
		tt.change(&c)
		if _, err := New(c, store.NewMemory(), w, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v", tt.says, err)
		}
	}
}

// A version is another one where the program, or what else an outcome depends on, is.
func TestVersion(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]string{}
	is := func(what string, c Config, want bool) {
		t.Helper()
		v, err := c.version()
		if err != nil {
			t.Fatal(err)
		}
		if before, there := seen[v]; there != want {
			t.Errorf("%s: the version is that of %q: %v", what, before, there)
		}
		seen[v] = what
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("train.py", "print(1)")
	c := Default("mine")
	c.Command, c.Directory = []string{"python3", "train.py"}, dir
	is("the first", c, false)
	is("the first again", c, true)
	put(".hidden", "x")
	put("train.pyc", "x")
	is("with what does not count", c, true)
	put("train.py", "print(2)")
	is("another program", c, false)
	c.Command = append(c.Command, "--fast")
	is("another argument", c, false)
	c.Env = []string{"A=1"}
	is("another environment", c, false)
	c.MemoryMB = 5
	is("another limit", c, false)
	c.Slots, c.Timeout, c.Grace = 3, time.Hour, time.Hour
	is("what decides nothing", c, true)
	c.Directory, c.Command = "", []string{"python3", filepath.Join(dir, "train.py")}
	is("by its path", c, false)
	put("train.py", "print(3)")
	is("by its path, another program", c, false)
}

// Nobody else's process is taken for a trial's: not one of another trial, nor one whose
// variable only begins so, nor one that has the name elsewhere.
func TestSweepIsNarrow(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	dir := filepath.Join(t.TempDir(), "trial-1")
	for entry, want := range map[string]bool{directoryVariable + "=" + dir: true, directoryVariable + "=" + dir + "/in": true,
		directoryVariable + "=" + dir + "0": false, directoryVariable + "=" + filepath.Dir(dir): false,
		"X" + directoryVariable + "=" + dir: false,
		"OLDPWD=" + dir:                     false, directoryVariable + "=": false} {
		c := exec.Command("sleep", "60")
		c.Env, c.Dir = []string{entry}, filepath.Dir(dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			// It is the new program a moment before it has its environment.
			if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.Process.Pid)); err == nil && len(b) > 0 {
				break
			}
		}
		sweep(dir)
		wait := 300 * time.Millisecond
		if want {
			wait = 10 * time.Second // a busy machine is slow to say so
		}
		select {
		case <-ended:
			if !want {
				t.Errorf("%s was killed", entry)
			}
			continue
		case <-time.After(wait):
			if want {
				t.Errorf("%s goes on", entry)
			}
		}
		_ = c.Process.Kill()
		<-ended
	}
	sweep("") // of no directory nothing is
}

// What a process has left that was killed is removed by the next one, and nothing of one that lives.
func TestWorkspaces(t *testing.T) {
	shared := t.TempDir()
	alive, err := NewWorkspace(shared, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	dead, err := NewWorkspace(shared, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Workspace{alive, dead} { // as a task's data lie there
		if err := os.Mkdir(filepath.Join(w.dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(w.dir, "data", "object"), "x")
		if err := os.Chmod(filepath.Join(w.dir, "data"), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	_ = dead.lock.Close() // as the end of its process would
	next, err := NewWorkspace(shared, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Workspace{alive, dead, next} {
		if w.groups == nil {
			continue
		}
		if _, err := os.Stat(w.groups.dir); (err == nil) == (w == dead) {
			t.Errorf("the control group %s: %v", w.groups.dir, err)
		}
	}
	for dir, want := range map[string]bool{alive.dir: true, dead.dir: false, next.dir: true} {
		if info, err := os.Stat(dir); (err == nil) != want || want && info.Mode().Perm() != 0o700 {
			t.Errorf("%v: %v", want, err)
		}
	}
	if err := errors.Join(alive.Close(), next.Close()); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(shared); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
