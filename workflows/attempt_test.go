package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// silent and late are attempts that nobody hears the end of, as the server tells
// them: the test environment would try a time-out again itself.
func silent(process string) error { return silentIn(map[string]any{"step": 3, "process": process}) }

func silentIn(beat map[string]any) error {
	return temporal.NewNonRetryableApplicationError("", "", temporal.NewHeartbeatTimeoutError(beat))
}

func late() error {
	return temporal.NewNonRetryableApplicationError("", "", temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil))
}

// tries counts the attempts at trials.
type tries struct {
	mu    sync.Mutex
	count map[int]int
}

func (t *tries) next(trial int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		t.count = map[int]int{}
	}
	t.count[trial]++
	return t.count[trial]
}

// A trial that three workers died of is a result, which the others do not suffer
// from; one whose worker was silent, and lives, is not.
func TestLostTrials(t *testing.T) {
	const spec = `{"tasks":["tiny"],"trials":20,"strategy":"random"}`
	undisturbed := newFixture(t)
	result, err := undisturbed.run(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	want := undisturbed.ledger(t, result)
	for name, c := range map[string]struct {
		process func(try int) string
		tries   int
		ended   bool // before
	}{
		"each time another":    {func(try int) string { return fmt.Sprint("worker ", try) }, 3, false},
		"before they said who": {func(int) string { return "" }, 3, false},
		"one of them twice":    {func(try int) string { return fmt.Sprint("worker ", try/2) }, 4, false},
		"suspended for long":   {func(int) string { return "worker x" }, 0, false},
		"of another trial":     {func(try int) string { return fmt.Sprint("worker ", try) }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var counted tries
			f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
				if r.Trial == 7 {
					if try := counted.next(7); c.tries > 0 || try < 10 {
						return trainer.Outcome{}, silentIn(map[string]any{"process": c.process(try), "ended": c.ended})
					}
				}
				return plain(ctx, r)
			}
			result, err := f.run(t, spec)
			if err != nil {
				t.Fatal(err)
			}
			got := f.ledger(t, result)
			if c.tries > 0 {
				if lost := got[7]; lost.Status != trainer.Lost || !strings.Contains(lost.Reason, "3 workers died") || counted.count[7] != c.tries {
					t.Errorf("after %d tries: %+v", counted.count[7], lost)
				}
				if costs, err := library.ReadCosts(t.Context(), f.store, result.Costs); err != nil ||
					!slices.Contains([]string{"worker 1, worker 2, worker 3", "worker 0, worker 1, worker 2", ""}, costs[7].Worker) {
					t.Errorf("the costs name %q, %v", costs[7].Worker, err)
				}
				got[7] = want[7]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Three lost trials are more than a model's fault.
func TestLostTrialsPauseTheSearch(t *testing.T) {
	f := newFixture(t)
	var counted tries
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		if r.Trial%4 == 1 {
			return trainer.Outcome{}, silent(fmt.Sprint("worker ", counted.next(r.Trial)))
		}
		return plain(ctx, r)
	}
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		if p.Status != "paused" || !strings.Contains(p.Reason, "3 of the last 20 trials were lost with their workers") || p.Told > 13 {
			t.Errorf("%+v", p)
		}
		f.SignalWorkflow(workflows.Stop, nil)
	}, time.Hour)
	if r, err := f.run(t, `{"tasks":["tiny"],"trials":100}`); err != nil || r.Status != "stopped" {
		t.Fatalf("%+v, %v", r, err)
	}
}

// Time decides no reward: a trial that a busy machine is late with, or ends before its
// time, is tried again; then the search pauses, says what to do, and comes to the same in the end.
func TestLateTrials(t *testing.T) {
	const spec = `{"tasks":["tiny"],"trials":20,"trial_timeout":"7s"}`
	want, err := newFixture(t).run(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	cutShort := func() error {
		return temporal.NewNonRetryableApplicationError("took longer than its timeout", activities.ErrTypeCutShort, nil)
	}
	stopping := func() error {
		return temporal.NewNonRetryableApplicationError("worker is stopping", activities.ErrTypeStopping, nil)
	}
	for _, c := range []struct {
		busy   int
		err    func() error
		says   string
		pauses bool
	}{{2, late, "", false}, {5, late, `took longer than "trial_timeout", 7s, 3 times`, true}, {2, cutShort, "", false},
		{5, cutShort, "its machine ended it 3 times, the last time: took longer than its timeout", true},
		{9, stopping, "", false}, {10, stopping, "workers that stopped gave it back 10 times", true}} {
		busy := c.busy
		f := newFixture(t)
		var counted tries
		f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
			if counted.next(r.Trial) <= busy {
				return trainer.Outcome{}, c.err()
			}
			return plain(ctx, r)
		}
		pauses := 0
		for i := range 9 {
			f.RegisterDelayedCallback(func() {
				if p := f.progress(t); p.Status == "paused" && strings.Contains(p.Reason, c.says) {
					pauses++
				}
				f.SignalWorkflow(workflows.Resume, nil)
			}, time.Duration(i+1)*time.Hour)
		}
		got, err := f.run(t, spec)
		if err != nil {
			t.Fatal(err)
		}
		if (pauses > 0) != c.pauses {
			t.Errorf("%d attempts were late: it paused %d times", busy, pauses)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d attempts were late: %s", busy, diff)
		}
	}
}

// Workers that are silent again and again, and live, pause the search.
func TestSilentWorkersPauseTheSearch(t *testing.T) {
	f := newFixture(t)
	var counted tries
	f.train = func(ctx context.Context, r trainer.Request) (trainer.Outcome, error) {
		if r.Trial == 3 && counted.next(3) <= 15 {
			return trainer.Outcome{}, silent("worker x")
		}
		return plain(ctx, r)
	}
	paused := false
	f.RegisterDelayedCallback(func() {
		p := f.progress(t)
		paused = p.Status == "paused" && strings.Contains(p.Reason, "fell silent 10 times")
		f.SignalWorkflow(workflows.Resume, nil)
	}, time.Hour)
	if r, err := f.run(t, `{"tasks":["tiny"],"trials":10}`); err != nil || r.Failed > 0 || !paused {
		t.Errorf("paused %v: %+v, %v", paused, r, err)
	}
}
