package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"tnaml/activities/library"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// slow stores the space "slow", whose trials take so many steps of training.
func (b *bench) slow(t *testing.T, steps int64) {
	t.Helper()
	sp, err := space.Builtin("text-small")
	if err != nil {
		t.Fatal(err)
	}
	sp.Name = "slow"
	sp.Choice(trainer.Steps).Options = []any{steps}
	if err := library.PublishSpace(t.Context(), b.store, sp, true); err != nil {
		t.Fatal(err)
	}
}

// underWay waits until a worker is at a trial, and returns the trial's number,
// which is least or more: the activity's ID says it, and a question to the search would take so long
// that the worker may be at the next one. It has been heard of: what the server has given a worker
// that it has not taken yet is lost with it, and not waited for.
func (b *bench) underWay(t *testing.T, run client.WorkflowRun, worker string, least int) int {
	t.Helper()
	return b.pending(t, run, worker, least, true)
}

// pending is underWay, also of one that has not been heard of yet where heard is false.
func (b *bench) pending(t *testing.T, run client.WorkflowRun, worker string, least int, heard bool) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		d, err := b.client.DescribeWorkflowExecution(ctx, run.GetID(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.GetPendingActivities() {
			if p.GetState() != enumspb.PENDING_ACTIVITY_STATE_STARTED || p.GetLastWorkerIdentity() != worker ||
				heard && p.GetHeartbeatDetails() == nil {
				continue
			}
			trial, attempt := 0, 0
			if n, _ := fmt.Sscanf(p.GetActivityId(), "trial %d #%d", &trial, &attempt); n == 2 && trial >= least {
				return trial
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no trial is under way\n%s", b.standing(t.Context(), run))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// resume resumes a search whenever it pauses, as a person would, until the test ends.
func (b *bench) resume(t *testing.T, run client.WorkflowRun) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var p workflows.Progress
			if value, err := b.client.QueryWorkflow(ctx, run.GetID(), "", workflows.ProgressQuery); err == nil && value.Get(&p) == nil &&
				p.Status == "paused" {
				t.Logf("paused: %s", p.Reason)
				_ = b.client.SignalWorkflow(ctx, run.GetID(), "", workflows.Resume, nil)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
}

// ledger is a search's, at its end.
func (b *bench) ledger(t *testing.T, run client.WorkflowRun) []search.Trial {
	t.Helper()
	trials, err := library.ReadLedger(t.Context(), b.store, b.outcome(t, run).record.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	return trials
}

// A machine that was asleep for longer than a trial may take, or for longer than a
// worker may be silent, makes no trial worse: one spec and one seed give one ledger. A
// trial that three workers die of is lost, and the others are what they were.
func TestTimeDecidesNoReward(t *testing.T) {
	if testing.Short() {
		t.Skip("puts workers to sleep")
	}
	a := stacktest.Shared(t)
	b := newBench(t, a, a, "")
	b.slow(t, 20000)
	const spec = `{"tasks":["words"],"space":"slow","strategy":"random","trials":5,"lag":1,"trial_timeout":"%s","retrain":true}`

	one := b.worker(t, "one")
	one.ready(t)
	begun := time.Now()
	want := b.ledger(t, b.start(t, workflows.SearchWorkflow, "undisturbed", json.RawMessage(fmt.Sprintf(spec, "5m"))))
	// Far more than a trial takes, on a busy machine too.
	limit := max(8*time.Second, time.Since(begun).Round(time.Second))
	one.stop(t)
	for _, trial := range want {
		if trial.Status != trainer.OK {
			t.Fatalf("%+v", trial)
		}
	}

	t.Run("asleep", func(t *testing.T) {
		w := b.worker(t, "sleeper")
		defer w.stop(t)
		run := b.start(t, workflows.SearchWorkflow, "asleep", json.RawMessage(fmt.Sprintf(spec, limit)))
		b.resume(t, run)
		for _, nap := range []time.Duration{limit + time.Second, 2*limit - time.Second} {
			b.underWay(t, run, "sleeper", 0)
			_ = w.Process.Signal(syscall.SIGSTOP)
			time.Sleep(nap)
			_ = w.Process.Signal(syscall.SIGCONT)
		}
		if diff := cmp.Diff(want, b.ledger(t, run)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("poison", func(t *testing.T) {
		run := b.start(t, workflows.SearchWorkflow, "poison", json.RawMessage(fmt.Sprintf(spec, "5m")))
		for i := range 3 {
			name := fmt.Sprint("victim", i)
			victim := b.worker(t, name)
			// The first dies before it has said its name, the others after.
			if trial := b.pending(t, run, name, 2, i > 0); trial != 2 {
				t.Fatalf("trial %d is under way", trial)
			}
			victim.kill()
		}
		heir := b.worker(t, "heir")
		defer heir.stop(t)
		got := b.ledger(t, run)
		if lost := got[2]; lost.Status != trainer.Lost || !strings.Contains(lost.Reason, "3 workers died of it") {
			t.Errorf("%+v", lost)
		}
		costs, err := library.ReadCosts(t.Context(), b.store, b.outcome(t, run).record.Costs)
		if err != nil || !strings.Contains(costs[2].Worker, "victim1 ") || !strings.Contains(costs[2].Worker, "victim2 ") {
			t.Errorf("the costs name %+v, %v", costs[2], err)
		}
		left := func(l []search.Trial) any { return slices.Delete(slices.Clone(l), 2, 3) }
		if diff := cmp.Diff(left(want), left(got)); diff != "" {
			t.Error(diff)
		}
	})
}
