package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/limit"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/trainer"
)

// troubled is a store whose reads are in trouble.
type troubled struct {
	store.Store
	trouble func(ctx context.Context) error
}

func (s *troubled) Get(ctx context.Context, ref store.Ref) ([]byte, error) {
	if err := s.trouble(ctx); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, ref)
}

func (s *troubled) GetName(ctx context.Context, kind store.Kind, name string) ([]byte, store.Version, error) {
	if err := s.trouble(ctx); err != nil {
		return nil, "", err
	}
	return s.Store.GetName(ctx, kind, name)
}

// retried executes an activity as a workflow does, with all the attempts that the
// server would make.
func (b *bench) retried(t *testing.T, a *Activities, act, in any) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{Attempts(a)}})
	env.RegisterActivity(a)
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Hour, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 100, MaximumInterval: time.Minute},
		})
		return workflow.ExecuteActivity(ctx, act, in).Get(ctx, nil)
	})
	return env.GetWorkflowError()
}

// What the store refuses is tried a few times, on whichever worker: one corrupt read
// or one answer 403 ends no search. What stays refused does not take an hour, which
// trouble of other kinds may.
func TestRefusalsAreTriedAFewTimes(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	for _, c := range []struct {
		err   error
		times int
		kind  string
	}{
		{store.ErrDenied, 1, ""}, {store.ErrCorrupt, 1, ""}, {store.ErrNotFound, 1, ""}, {store.ErrDenied, refusals - 1, ""},
		{store.ErrDenied, 90, ErrTypeDenied}, {store.ErrCorrupt, 90, ErrTypeMissing}, {errors.New("away"), 90, ""},
	} {
		tries := 0
		a := New(&troubled{b.store, func(context.Context) error {
			if tries++; tries <= c.times {
				return fmt.Errorf("object x: %w", c.err)
			}
			return nil
		}}, Options{})
		in := in
		in.Retrain = true // so that nothing is asked of the store before the task
		err := b.retried(t, a, a.Trial, in)
		switch {
		case c.kind == "" && err != nil:
			t.Errorf("%v, %d times: %v", c.err, c.times, err)
		case c.kind != "" && (errorType(err) != c.kind || tries != refusals || !strings.Contains(err.Error(), "tried 6 times")):
			t.Errorf("%v: after %d tries: %v", c.err, tries, err)
		}
	}
}

// Tests are in a hurry.
func init() { firstBeat = soon }

// await waits half a minute at most for something to be so.
func await(so func() bool) {
	for range 3000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// An attempt gives signs of life from before its first request of the store to after
// its last, whatever the activity is; they name the process.
func TestHeartbeatsCoverAllOfAnActivity(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	for name, try := range map[string]func() error{
		"trial": func() error { return b.try(b.a.Trial, in, new(TrialResult)) },
		"learn": func() error {
			return b.try(b.a.Learn, LearnInput{Name: "s", Config: b.ref, CheckpointEvery: 4}, new(LearnOutput))
		},
	} {
		var mu sync.Mutex
		var process string
		heard := func() bool { mu.Lock(); defer mu.Unlock(); return process != "" }
		slow := &troubled{b.store, func(context.Context) error {
			await(heard)
			return nil
		}}
		b.serve(New(slow, Options{Worker: "test"}))
		b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			mu.Lock()
			defer mu.Unlock()
			var progress struct{ Process string }
			if err := details.Get(&progress); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			process = progress.Process
		})
		if err := try(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mu.Lock()
		if process != b.a.process || !strings.HasPrefix(process, "test ") {
			t.Errorf("%s: the heartbeats named %q", name, process)
		}
		mu.Unlock()
	}
}

// While what a trial left is stored, its heartbeats say that the trainer has ended; and who waits for that
// has been told, once.
func TestHeartbeatsSayThatTheTrainerHasEnded(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	for _, slow := range []string{"trainer", "store"} { // the test environment keeps back each attempt's second heartbeat
		var trained, said, ended atomic.Bool
		beat := func(at string) { // waits for one
			await(func() bool { return at != slow || said.Load() })
		}
		b.serve(New(&troubled{b.store, func(context.Context) error {
			if trained.Load() {
				beat("store")
			}
			return nil
		}}, Options{Trainers: []trainer.Trainer{telling{b.a.builtin, func() { beat("trainer"); trained.Store(true) }}}}))
		b.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var beat struct{ Ended bool }
			if err := details.Get(&beat); err != nil {
				t.Error(err)
			}
			ended.Store(beat.Ended)
			said.Store(true)
		})
		in.Request.Seed++ // another one, which the cache does not have
		if err := b.try(b.a.Trial, in, new(TrialResult)); err != nil {
			t.Fatal(err)
		}
		if !said.Load() || ended.Load() != (slow == "store") {
			t.Errorf("while the %s is slow: a heartbeat %v, which says that the trainer has ended: %v", slow, said.Load(), ended.Load())
		}
	}
	told := [2]int{}
	outer, end := WhenEnded(t.Context(), func() { told[0]++ })
	inner, _ := WhenEnded(outer, func() { told[1]++ })
	trainerEnded(inner)
	end()
	trainerEnded(inner)
	if told != [2]int{1, 1} {
		t.Errorf("they were told %d times", told)
	}
	trainerEnded(t.Context()) // nobody waits
}

// telling is a trainer with the built-in one's name that trains nothing, and has something to do meanwhile.
type telling struct {
	*trainers.Builtin
	meanwhile func()
}

func (x telling) Run(context.Context, trainer.Request, func(trainer.Progress) error) (trainer.Result, error) {
	x.meanwhile()
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": .5}}}, nil
}

// A worker that stops gives back what it is at, also where it waits for the store.
func TestTrialEndsWithItsWorker(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	b.serve(New(&troubled{b.store, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, Options{}))
	stopped := make(chan struct{})
	close(stopped)
	b.env.SetWorkerStopChannel(stopped)
	if err := b.try(b.a.Trial, in, new(TrialResult)); err == nil || !strings.Contains(err.Error(), errStopping.Error()) {
		t.Errorf("%v", err)
	}
}

// A worker that stops lets end what comes to its end in time, and only then gives back; others
// take at once what it gives back.
func TestDrain(t *testing.T) {
	for _, c := range []struct {
		drain, takes time.Duration
		kind         string
	}{{time.Minute, 50 * time.Millisecond, ""}, {50 * time.Millisecond, time.Hour, ErrTypeStopping}, {0, time.Hour, ErrTypeStopping}} {
		b := newBench(t, strategy.Random)
		in := b.resolved.Request(b.proposals(t)[0])
		b.serve(New(&troubled{b.store, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(c.takes):
				return nil
			}
		}}, Options{Drain: c.drain}))
		stopped := make(chan struct{})
		close(stopped)
		b.env.SetWorkerStopChannel(stopped)
		err := b.try(b.a.Trial, in, new(TrialResult))
		if errorType(err) != c.kind || (err != nil) != (c.kind != "") {
			t.Errorf("drain %v: %v", c.drain, err)
		}
		var app *temporal.ApplicationError
		if errors.As(err, &app) && (app.NonRetryable() || app.NextRetryDelay() != givenBackWait) {
			t.Errorf("drain %v: it is tried again after %v", c.drain, app.NextRetryDelay())
		}
	}
}

// One that takes its time to end, as a program may, is heard of until it has: else others
// would take it for lost.
func TestWhatIsBeingGivenBackLives(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	b.serve(New(&troubled{b.store, func(ctx context.Context) error { <-ctx.Done(); time.Sleep(3 * firstBeat); return ctx.Err() }}, Options{}))
	stopped := make(chan struct{})
	close(stopped)
	b.env.SetWorkerStopChannel(stopped)
	var beats atomic.Int32
	b.env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
	if err := b.try(b.a.Trial, in, new(TrialResult)); err == nil || !strings.Contains(err.Error(), errStopping.Error()) || beats.Load() == 0 {
		t.Errorf("after %d heartbeats: %v", beats.Load(), err)
	}
}

// One at a trial that was lost before says at once who it is; others have the time that all
// heartbeats have.
func TestWhatWasLostSaysSoonWhoItIs(t *testing.T) {
	firstBeat = time.Hour
	defer func() { firstBeat = soon }()
	b := newBench(t, strategy.Random)
	b.serve(New(b.store, Options{Trainers: []trainer.Trainer{diverging{}}}))
	for _, lost := range [][]string{nil, {""}} {
		var beats atomic.Int32
		b.env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
		b.run(t, b.a.Trial, TrialInput{Trainer: "table", Lost: lost}, new(TrialResult))
		if (beats.Load() > 0) != (lost != nil) {
			t.Errorf("lost with %q: %d heartbeats", lost, beats.Load())
		}
	}
}

// A panic outside a trainer is the program's fault, and comes once: the search pauses.
func TestPanicsAreNotRetried(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	tries := 0
	a := New(&troubled{b.store, func(context.Context) error { tries++; panic("boom" + strings.Repeat("!", 1<<20)) }}, Options{})
	if err := b.retried(t, a, a.Trial, in); errorType(err) != ErrTypePanic || !strings.Contains(err.Error(), "boom") ||
		len(err.Error()) > limit.MaxMessage || tries != 1 {
		t.Errorf("after %d tries: %.300v", tries, err)
	}
}

// A worker that a trial was lost with before leaves it to others, for a while.
func TestLostTrialIsLeftToOthers(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := TrialInput{Trainer: "table", Lost: []string{"other abcdef", "test abcdef"}}
	in.Objective = b.resolved.Objective
	runs := 0
	for _, name := range []string{"test", "another"} {
		a := New(b.store, Options{Worker: name, Trainers: []trainer.Trainer{counting{runs: &runs}}})
		b.serve(a)
		if err := b.try(a.Trial, in, new(TrialResult)); (err != nil) != (name == "test") {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.retried(t, a, a.Trial, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if runs != 3 {
		t.Errorf("it ran %d times", runs)
	}
}

type counting struct {
	trainer.Table
	runs *int
}

func (counting) Version() string { return "1" }
func (counting) Cached() bool    { return false }
func (c counting) Run(context.Context, trainer.Request, func(trainer.Progress) error) (trainer.Result, error) {
	*c.runs++
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.Failed}}, nil
}

// A worker that knows that it has no access to the store pronounces on nothing that it
// had asked for before.
func TestUnfitWorkerPronouncesOnNothing(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	asked := 0
	a := New(&troubled{b.store, func(context.Context) error { return store.ErrDenied }}, Options{
		Fit: func() bool { asked++; return asked > 20 },
	})
	in.Retrain = true
	if err := b.retried(t, a, a.Trial, in); errorType(err) != ErrTypeDenied || asked != 21 {
		t.Errorf("after %d attempts: %v", asked, err)
	}
}
