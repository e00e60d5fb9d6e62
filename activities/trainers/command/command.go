// Package command is the trainer that runs a program of the operator's for each trial: in a
// directory of its own, with the request as a file, and nothing of the worker's secrets.
// What the program may and must do stands in experiments/trainer/FORMAT.md.
package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/template"
	"time"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/trainer"
)

// Trainer runs a program.
type Trainer struct {
	trainer.Definition // of one that the platform does not know

	config    Config
	arguments []*template.Template
	program   string
	version   string
	store     store.Store
	work      *Workspace
	log       *slog.Logger
	lastWords time.Duration
}

// New returns the trainer of a configuration. The program must be there.
func New(c Config, s store.Store, w *Workspace, log *slog.Logger) (*Trainer, error) {
	fail := func(err error) (*Trainer, error) { return nil, fmt.Errorf("trainer %s: %w", c.Name, err) }
	if err := c.Validate(); err != nil {
		return fail(err)
	}
	if c.Directory != "" {
		dir, err := filepath.Abs(c.Directory)
		if err != nil {
			return fail(err)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fail(fmt.Errorf("directory: there is no directory %s", dir))
		}
		c.Directory = dir
	}
	t := &Trainer{Definition: trainer.Find(c.Name), config: c, version: c.Version, store: s, work: w, log: log, lastWords: lastWords}
	var err error
	if t.arguments, err = c.templates(); err != nil {
		return fail(err)
	}
	if t.program, err = c.program(); err != nil {
		return fail(err)
	}
	if t.version == "" {
		if t.version, err = c.version(); err != nil {
			return fail(fmt.Errorf("its version: %w", err))
		}
	}
	return t, nil
}

// Version is the operator's, or the digest of the command and the files that it runs, as
// they were when the worker began.
func (t *Trainer) Version() string { return t.version }

// Cached is the operator's word: whether a program is deterministic nobody else knows.
func (t *Trainer) Cached() bool { return t.config.Cache }

// Run runs the program.
func (t *Trainer) Run(ctx context.Context, r trainer.Request, progress func(trainer.Progress) error) (trainer.Result, error) {
	if err := ctx.Err(); err != nil {
		return trainer.Result{}, err
	}
	args, err := t.fill(r.Choices)
	if err != nil {
		return failed("%w", err), nil
	}
	dir, err := t.work.fresh(&r)
	if err != nil {
		return trainer.Result{}, fmt.Errorf("trial %d: its directory: %w", r.Trial, err)
	}
	data, release, err := t.work.data(ctx, t.store, r.Task.Data)
	defer func() {
		if err := remove(dir); err != nil {
			t.log.Warn("a trial's directory stays", "directory", dir, "error", err)
		}
		if err := release(); err != nil {
			t.log.Warn("data of tasks that no trial uses stay", "directory", t.work.dir, "error", err)
		}
	}()
	if err == nil && data != "" {
		err = os.Symlink(data, filepath.Join(dir, dataLink))
	}
	search := library.SearchOf(ctx)
	c := &checkpoint{t: t, dir: at(dir), search: search, key: identity(search, t.Name(), t.version, r)}
	if err == nil {
		err = c.restore(ctx)
	}
	if err != nil {
		return trainer.Result{}, fmt.Errorf("trial %d: %w", r.Trial, err)
	}
	run := &run{t: t, r: &r, dir: dir, checkpoint: c, progress: progress}
	result, err := run.run(ctx, args, t.config.environment(variables(dir, data, &r)))
	if err != nil {
		if !abandoned(ctx) {
			after, cancel := context.WithTimeout(context.WithoutCancel(ctx), LastSave)
			defer cancel()
			c.save(after)
		}
		return trainer.Result{}, err
	}
	c.forget(ctx)
	return result, nil
}

// abandoned says that nobody wants the attempt any more: it was cancelled, or is another's by
// now. Its search may have had its end, with which checkpoints go. Where a worker stops, or a
// time is over, the trial goes on.
func abandoned(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), library.ErrStopping)
}

// LastSave bounds the storing of a checkpoint after an attempt has ended.
const LastSave = 20 * time.Second

// fill fills in the arguments.
func (t *Trainer) fill(choices map[string]any) ([]string, error) {
	var out []string
	for i, a := range t.arguments {
		var b strings.Builder
		if err := a.Execute(&b, choices); err != nil {
			_, what, _ := strings.Cut(err.Error(), ": ") // after the template's name and place
			return nil, fmt.Errorf("argument %d of the command, %q, wants what the trial's choices do not have: %s", i+1, t.config.Command[i+1],
				what)
		}
		if strings.ContainsRune(b.String(), 0) {
			return nil, fmt.Errorf("argument %d of the command, %q: a choice has a zero byte", i+1, t.config.Command[i+1])
		}
		out = append(out, b.String())
	}
	return out, nil
}

// variables are the platform's own variables of a trial.
func variables(dir, data string, r *trainer.Request) map[string]string {
	in := func(name string) string { return filepath.Join(dir, name) }
	v := map[string]string{
		"TNAML_REQUEST": in(requestFile), directoryVariable: dir, "TNAML_CHECKPOINT": in(checkpointDir), "TNAML_MODEL": in(modelDir),
		"TNAML_OUTCOME": in(outcomeFile), "TNAML_SEED": strconv.FormatUint(r.Seed, 10), "TNAML_TRIAL": strconv.Itoa(r.Trial),
		"TNAML_TASK": r.Task.Name, "TMPDIR": in("tmp"),
	}
	if data != "" {
		v["TNAML_DATA"] = data
	}
	maps.DeleteFunc(v, func(_, value string) bool { return strings.ContainsRune(value, 0) })
	return v
}

// directoryVariable names a trial's directory, and by it the trial's processes.
const directoryVariable = "TNAML_DIRECTORY"

// lastWords bounds the reading of what a program has said after its end, where something
// that could not be found, and so not killed, holds its standard output. A busy machine may
// take seconds to read what is there.
const lastWords = 30 * time.Second

// run is one run of the program.
type run struct {
	t          *Trainer
	r          *trainer.Request
	dir        string
	checkpoint *checkpoint
	progress   func(trainer.Progress) error

	cmd    *exec.Cmd
	group  *group
	mu     sync.Mutex
	exited bool // the group's number is no more ours
	// stopped: it was signalled before its end.
	stopped atomic.Bool

	// ended is why the run was ended from here, overSteps and pruned that the trial did it.
	ended             error
	overSteps, pruned bool
	// outOfMemory: the group was.
	outOfMemory bool
	curve       []trainer.Point
	stdout      output
	stderr      tail
}

func (r *run) run(ctx context.Context, args, environ []string) (trainer.Result, error) {
	told := make(chan trainer.Progress)
	r.stdout.told = told
	var err error
	if r.group, err = r.t.work.groups.group(filepath.Base(r.dir), r.memory()); err != nil {
		return trainer.Result{}, fmt.Errorf("trial %d: its control group: %w", r.r.Trial, err)
	}
	began := time.Now()
	started, done := make(chan error, 1), make(chan error, 1)
	go r.process(args, environ, started, done)
	if err := <-started; err != nil {
		return trainer.Result{}, fmt.Errorf("trial %d: the program of the trainer %s does not start: %w", r.r.Trial, r.t.Name(), err)
	}
	late, kill := r.after(r.t.config.Timeout), r.after(0)
	cancelled, stops := ctx.Done(), library.Stops(ctx)
	stopping, look := false, (<-chan time.Time)(nil)
	saver := saver{checkpoint: r.checkpoint, due: began.Add(r.t.config.CheckpointEvery)}
	saver.ctx, saver.cancel = context.WithCancel(ctx)
	stop := func(why error) {
		if r.ended == nil {
			r.ended = why
			r.stopped.Store(true)
			r.signal(false)
			kill, late, cancelled = time.After(r.t.config.Grace), nil, nil
		}
	}
	leave := func() {
		if stopping && r.ended == nil {
			saver.leave()
		}
	}
	for {
		select {
		case p := <-told:
			if r.ended != nil {
				continue
			}
			if most := r.r.Limits.Steps; most > 0 && p.Step > most {
				r.overSteps = true
				stop(errOverSteps)
				continue
			}
			if r.point(p) {
				r.pruned = true
				stop(errPruned)
				continue
			}
			if err := r.progress(p); err != nil {
				stop(err)
			} else if time.Now().After(saver.due) {
				saver.begin(false)
			}
			leave()
		case stored := <-saver.saved:
			if saver.ended(stored) {
				stop(library.ErrStopping)
			}
			leave()
		case <-cancelled:
			stop(ctx.Err())
		case <-stops:
			// One whose checkpoint is stored loses nothing by going on elsewhere, at once; any other
			// may come to its end, or to a checkpoint, until the context ends.
			stopping, stops, look = true, nil, time.Tick(again)
			leave()
		case <-look:
			leave()
		case <-late:
			stop(fmt.Errorf("trial %d: the program of the trainer %s took longer than its timeout, %v: %w", r.r.Trial, r.t.Name(),
				r.t.config.Timeout, trainer.ErrCutShort))
		case <-kill:
			r.signal(true)
		case waited := <-done:
			result, err := r.result(ctx, waited, began)
			if err != nil {
				saver.end(LastSave)
			} else {
				saver.end(0) // it has its outcome
			}
			return result, err
		}
	}
}

// result is what came of a program that has ended.
func (r *run) result(ctx context.Context, waited error, began time.Time) (trainer.Result, error) {
	if ctx.Err() != nil && r.ended == nil {
		return trainer.Result{}, ctx.Err()
	}
	if r.ended != nil && !r.overSteps && !r.pruned {
		return trainer.Result{}, r.ended
	}
	result, err := r.conclude(waited)
	if err != nil {
		return trainer.Result{}, err
	}
	result.WallSeconds = time.Since(began).Seconds()
	if s := r.cmd.ProcessState; s != nil { // another one may have waited for it
		result.CPUSeconds = (s.UserTime() + s.SystemTime()).Seconds()
	}
	return result, nil
}

var (
	errOverSteps = errors.New("too many steps")
	errPruned    = errors.New("below a floor")
)

// point takes the objective of a progress into the curve, and says whether the trial ends
// there. One that does not say how many steps it takes may be at its last.
func (r *run) point(p trainer.Progress) (below bool) {
	key, n := trainer.Key(p.Metrics, r.r.Objective), len(r.curve)
	if key == "" || p.Step < 1 || n == trainer.MaxCurve || n > 0 && p.Step <= r.curve[n-1].Step {
		return false
	}
	r.curve = append(r.curve, trainer.Point{Step: p.Step, Value: p.Metrics[key]})
	return p.Step < p.Steps && trainer.Below(r.r.Prune, r.curve, r.r.Objective)
}

// after is time.After, never for 0.
func (r *run) after(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// start starts the program, in the group if there is one.
func (r *run) start(args, environ []string) error {
	r.cmd = exec.Command(r.t.program, args...)
	r.cmd.Dir, r.cmd.Env = r.t.config.Directory, environ
	if r.cmd.Dir == "" {
		r.cmd.Dir = r.dir
	}
	r.cmd.Stdout, r.cmd.Stderr, r.cmd.SysProcAttr = &r.stdout, &r.stderr, attributes()
	r.cmd.WaitDelay = r.t.lastWords
	r.group.begin(r.cmd.SysProcAttr)
	return r.cmd.Start()
}

// process starts the program and waits for it, on a thread of its own: with that the program
// would die.
func (r *run) process(args, environ []string, started, done chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := r.start(args, environ)
	if err != nil && r.group != nil { // a filter of system calls may forbid to start something in a group (clone3)
		_, _ = r.group.end()
		within := err
		if r.group, err = nil, r.start(args, environ); err == nil {
			r.t.log.Warn("a trial's program runs without a control group", "trainer", r.t.Name(), "reason", within)
		}
	}
	if err == nil {
		if bytes := r.memory(); bytes > 0 && !r.limited() {
			if err := limitMemory(r.cmd, bytes); err != nil {
				r.t.log.Warn("a trial's memory is not limited", "error", err)
			}
		}
	}
	started <- err
	if err != nil {
		return
	}
	untilExit(r.cmd)
	r.signal(true)                          // what it has left behind
	if r.group == nil || r.stopped.Load() { // what runs on may have gone to another group, as a container does
		sweep(r.dir)
	}
	if r.outOfMemory, err = r.group.end(); err != nil {
		r.t.log.Warn("what a trial's program has started does not end", "trainer", r.t.Name(), "trial", r.r.Trial, "error", err)
	}
	r.mu.Lock()
	r.exited = true
	r.mu.Unlock()
	err = r.cmd.Wait()
	if !r.stdout.lost { // else the last line is a part of one
		r.stdout.end()
	}
	done <- err
}

// limited says that the limit is the group's, and not each process's.
func (r *run) limited() bool { return r.group != nil && r.group.limited }

// memory is the limit, 0 for none.
func (r *run) memory() int64 {
	bytes := r.r.Limits.MemoryBytes
	if most := int64(r.t.config.MemoryMB) << 20; most > 0 && (bytes == 0 || most < bytes) {
		bytes = most
	}
	return bytes
}

// signal signals the program and all in its group.
func (r *run) signal(kill bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.exited {
		return
	}
	signalGroup(r.cmd, kill)
	if kill {
		r.group.kill()
	}
}

// conclude makes a result of how the program ended and of what it has said.
func (r *run) conclude(waited error) (trainer.Result, error) {
	state := r.cmd.ProcessState
	if r.overSteps {
		return outcome(trainer.Outcome{Status: trainer.OverSteps, Steps: r.r.Limits.Steps,
			Reason: fmt.Sprintf("it took more than %d steps of training, the limit", r.r.Limits.Steps)}), nil
	}
	if r.pruned {
		return outcome(trainer.PrunedAt(r.curve, r.r.Objective)), nil
	}
	if state == nil {
		return trainer.Result{}, fmt.Errorf("trial %d: waiting for its program: %w", r.r.Trial, waited)
	}
	if n := r.stdout.unread; n > 0 {
		r.t.log.Warn("lines of a trial's program could not be taken as progress", "trainer", r.t.Name(), "trial", r.r.Trial,
			"task", r.r.Task.Name, "search", r.checkpoint.search, "lines", n, "first", r.t.config.hidden().hide(r.stdout.firstUnread))
	}
	if r.stdout.lost && !r.filed() {
		return trainer.Result{}, fmt.Errorf("trial %d: what its program said at its end was not read within %v: does the worker stand still? %w",
			r.r.Trial, r.t.lastWords, trainer.ErrCutShort)
	}
	said, any := r.stdout.outcomeOf(filepath.Join(r.dir, outcomeFile), r.r.Objective)
	said.Reason = r.t.config.hidden().hide(said.Reason)
	signal, outside := killedBy(state)
	if state.Success() || signal == "" && any && said.Status != trainer.OK {
		if said.Status != trainer.OK && said.Reason == "" {
			said.Reason = "the program says no more"
		}
		if !any {
			said.Reason = r.withLast(said.Reason)
		}
		if said.Status == trainer.OK {
			if len(said.Curve) == 0 {
				said.Curve = r.curve
			}
			if said = said.Cut(r.r.Prune, r.r.Objective); said.Status == trainer.OK && !r.r.Curve {
				said.Curve = nil
			}
		}
		return r.withModel(said)
	}
	r.t.log.Warn("a trial's program failed", "trainer", r.t.Name(), "trial", r.r.Trial, "task", r.r.Task.Name, "search", r.checkpoint.search,
		"how", state.String(), "stderr", r.said())
	how := fmt.Sprintf("the program ended with exit status %d", state.ExitCode())
	if signal != "" {
		how = "the program was ended by the signal " + signal
	}
	if limit := r.memory(); r.outOfMemory || limit > 0 && memoryWords.Match(r.stderr.b) {
		of := "a process"
		if r.limited() {
			of = "for all its processes"
		}
		over := outcome(trainer.Outcome{Status: trainer.OverMemory, Reason: r.withLast(fmt.Sprintf("%s under a limit of %d MB %s", how,
			limit>>20, of))})
		over.Own = true // another worker may count another way
		return over, nil
	}
	if outside {
		return trainer.Result{}, fmt.Errorf("trial %d: %s, from outside: does the machine run out of memory? %w", r.r.Trial, how,
			trainer.ErrCutShort)
	}
	return outcome(trainer.Outcome{Status: trainer.Failed, Reason: r.withLast(how)}), nil
}

// filed says that the outcome lies in its file, with all that would be taken from the output else.
func (r *run) filed() bool {
	b, err := readOutcome(filepath.Join(r.dir, outcomeFile))
	o := trainer.DecodeOutcome(b, r.r.Objective)
	return err == nil && b != nil && o.Steps > 0 && (!r.r.Curve || len(o.Curve) > 0)
}

// said is the end of standard error.
func (r *run) said() string { return r.stderr.text(r.dir, r.t.config.hidden()) }

// withLast adds the last line of standard error to a reason.
func (r *run) withLast(reason string) string {
	if line := lastLine(r.said()); line != "" {
		reason += ": " + line
	}
	return reason
}

// withModel reads what the program has left in model/. Whether it is to be stored is no
// part of the outcome, what is wrong with it is.
func (r *run) withModel(o trainer.Outcome) (trainer.Result, error) {
	if o.Status != trainer.OK {
		return outcome(o), nil
	}
	b, err := pack(filepath.Join(r.dir, modelDir), int64(r.t.config.ModelMB)<<20, nil)
	if errors.Is(err, errChanging) { // by something that is not found, when it comes to that
		return trainer.Result{}, fmt.Errorf("trial %d: model/, after the end of its program: %w: %w", r.r.Trial, err, trainer.ErrCutShort)
	}
	if err != nil {
		o = trainer.Outcome{Status: trainer.Failed, Steps: o.Steps, Reason: fmt.Sprintf("what it left in model/ cannot be stored: %v", err)}
		return outcome(o), nil
	}
	result := outcome(o)
	if b != nil && r.r.Keeps(o) {
		result.Encode = func() []byte { return slices.Clone(b) }
	}
	return result, nil
}

func outcome(o trainer.Outcome) trainer.Result { return trainer.Result{Outcome: o} }

// failed is a trial that its own request keeps from running.
func failed(format string, a ...any) trainer.Result {
	return outcome(trainer.Outcome{Status: trainer.Failed, Reason: fmt.Errorf(format, a...).Error()})
}
