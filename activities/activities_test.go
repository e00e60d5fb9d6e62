package activities

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/search"
	"tnaml/nn/child"
	"tnaml/nn/embedding"
)

// bench is a store with a task, a module and a resolved search.
type bench struct {
	store *store.Memory
	env   *testsuite.TestActivityEnvironment
	a     *Activities
	ref   store.Ref
}

func newBench(t *testing.T, strategy string) *bench {
	t.Helper()
	b := &bench{store: store.NewMemory()}
	var examples []text.Example
	for i := range 200 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("a %s thing, number %d", []string{"good", "bad"}[i%2], i), Label: []string{"pos", "neg"}[i%2]})
	}
	built, err := text.Build(examples, data.Options{Name: "things"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), b.store, built, false); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m", Dim: 4, Tokens: []string{"good", "bad", "thing"}, Vectors: []float32{1, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0}}
	if _, err := library.PublishModule(t.Context(), b.store, m, false); err != nil {
		t.Fatal(err)
	}
	b.reset()
	var r Resolved
	b.run(t, b.a.Resolve, ResolveInput{Name: "s", Tasks: []string{"things"}, Strategy: strategy, Space: "text-small", Seed: 1, Lag: 3}, &r)
	b.ref = r.Config
	return b
}

// reset is a new worker process over the same store.
func (b *bench) reset() {
	var suite testsuite.WorkflowTestSuite
	b.env = suite.NewTestActivityEnvironment()
	b.a = New(b.store, Options{Worker: "test"})
	b.env.RegisterActivity(b.a)
}

func (b *bench) try(activity, in, out any) error {
	v, err := b.env.ExecuteActivity(activity, in)
	if err != nil {
		return err
	}
	return v.Get(out)
}

func (b *bench) run(t *testing.T, activity, in, out any) {
	t.Helper()
	if err := b.try(activity, in, out); err != nil {
		t.Fatal(err)
	}
}

func errorType(err error) string {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !app.NonRetryable() {
		return ""
	}
	return app.Type()
}

// proposals asks for a search's first proposals.
func (b *bench) proposals(t *testing.T) []search.Proposal {
	t.Helper()
	var out LearnOutput
	b.run(t, b.a.Learn, LearnInput{Name: "s", Config: b.ref, CheckpointEvery: 4}, &out)
	return out.Proposals
}

func TestTrainIsCachedAndKeepsWhatIsAsked(t *testing.T) {
	b := newBench(t, search.Random)
	p := b.proposals(t)[0]
	in := TrainInput{Config: b.ref, Proposal: p, TimeLimit: time.Minute}
	in.Proposal.Keep = 1 // nothing exceeds it
	var first, second, third, fourth, fifth, sixth TrialResult
	b.run(t, b.a.Train, in, &first)
	if first.Trial.Status != child.OK || first.Trial.Model != "" || first.Cost.Cached || first.Cost.Worker != "test" || first.Cost.CPUSeconds <= 0 {
		t.Errorf("first: %+v", first)
	}
	b.run(t, b.a.Train, in, &second)
	if diff := cmp.Diff(first.Trial, second.Trial); diff != "" || !second.Cost.Cached {
		t.Errorf("the cache gives another result: %s %+v", diff, second.Cost)
	}
	// A search that wants the model has it trained again, and the next one takes
	// it from the cache.
	in.Proposal.Keep = -1
	b.run(t, b.a.Train, in, &third)
	if third.Trial.Model == "" || third.Cost.Cached || third.Trial.Validation != first.Trial.Validation {
		t.Errorf("third: %+v", third)
	}
	b.reset()
	b.run(t, b.a.Train, in, &fourth)
	if diff := cmp.Diff(third.Trial, fourth.Trial); diff != "" || !fourth.Cost.Cached {
		t.Errorf("another worker: %s %+v", diff, fourth.Cost)
	}
	// Which models a ledger names depends on the search, not on the cache.
	in.Proposal.Keep = 1
	b.run(t, b.a.Train, in, &fifth)
	if diff := cmp.Diff(first.Trial, fifth.Trial); diff != "" {
		t.Error(diff)
	}
	in.Retrain = true
	b.run(t, b.a.Train, in, &sixth)
	if sixth.Cost.Cached {
		t.Error("retrain took the cached result")
	}
}

func TestTrialsOwnFailuresAreResults(t *testing.T) {
	b := newBench(t, search.Random)
	p := b.proposals(t)[0]
	var r, ok TrialResult
	b.run(t, b.a.Train, TrainInput{Config: b.ref, Proposal: p, MemoryLimit: 1}, &r)
	if r.Trial.Status != child.OverMemory || r.Trial.Validation != 0 || r.Trial.Reason == "" {
		t.Errorf("over memory: %+v", r.Trial)
	}
	for range 2 { // and it is never cached: it depends on the machine
		b.run(t, b.a.Train, TrainInput{Config: b.ref, Proposal: p, TimeLimit: time.Nanosecond}, &r)
		if r.Trial.Status != child.OverTime || !strings.Contains(r.Trial.Reason, "1ns") || r.Cost.Cached {
			t.Errorf("over time: %+v", r)
		}
	}
	b.run(t, b.a.Train, TrainInput{Config: b.ref, Proposal: p, TimeLimit: time.Minute}, &ok)
	if ok.Trial.Status != child.OK {
		t.Errorf("with time enough: %+v", ok.Trial)
	}
}

func TestErrorsThatNoRetryMends(t *testing.T) {
	b := newBench(t, search.NAML)
	p := b.proposals(t)[0]
	broken := p
	broken.Actions = []int{99}
	lost := store.RefOf([]byte("lost"))
	for name, c := range map[string]struct {
		activity, in any
		kind         string
		want         []string
	}{
		"actions":         {b.a.Train, TrainInput{Config: b.ref, Proposal: broken}, ErrTypeInvalid, []string{"trial 0"}},
		"configuration":   {b.a.Train, TrainInput{Config: lost, Proposal: p}, ErrTypeMissing, []string{string(lost)}},
		"checkpoint":      {b.a.Learn, LearnInput{Config: b.ref, Position: Position{Checkpoint: lost, Told: 3}, CheckpointEvery: 4}, ErrTypeMissing, []string{"checkpoint"}},
		"position":        {b.a.Learn, LearnInput{Config: b.ref, Position: Position{Told: 3}, CheckpointEvery: 4}, ErrTypeInvalid, []string{"want 3"}},
		"names, together": {b.a.Resolve, ResolveInput{Name: "x", Tasks: []string{"thing", "other"}, Strategy: "naml", Space: "txt", Settings: []byte(`{"a":1}`), Lag: 1}, ErrTypeInvalid, []string{`"thing"`, `"other"`, "things", `"txt"`, "text-small", `"a"`}},
	} {
		var out any
		err := b.try(c.activity, c.in, &out)
		if got := errorType(err); got != c.kind {
			t.Errorf("%s: type %q, want %q: %v", name, got, c.kind, err)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", name, want, err)
			}
		}
	}
	if _, err := library.ReadRecord(t.Context(), b.store, "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a search that could not start left a record: %v", err)
	}
}

// Learn gives the same whether the state is in memory, was lost, or a call is
// made twice; whether results come one at a time or together.
func TestLearnIsAFunctionOfPositionAndResults(t *testing.T) {
	const n = 11
	type run struct {
		proposals  []search.Proposal
		checkpoint store.Ref
		controller store.Ref
	}
	do := func(together int, upset func(b *bench, in LearnInput)) run {
		b := newBench(t, search.NAML)
		proposals := b.proposals(t)
		var pos Position
		for pos.Told < n {
			in := LearnInput{Name: "s", Config: b.ref, Position: pos, CheckpointEvery: 4}
			for k := range min(together, n-pos.Told) {
				p := proposals[pos.Told+k]
				v := float64((p.Trial*7)%10) / 10
				in.Results = append(in.Results, TrialResult{Trial: search.Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: child.OK, Validation: v, Test: v}})
			}
			if upset != nil {
				upset(b, in)
			}
			var out LearnOutput
			b.run(t, b.a.Learn, in, &out)
			proposals = append(proposals, out.Proposals...)
			pos.Journal = append(pos.Journal, in.Results...)
			pos.Told += len(in.Results)
			pos.State = out.State
			if out.Checkpoint != "" {
				pos.Checkpoint, pos.Costs = out.Checkpoint, out.Costs
				pos.Journal = pos.Journal[len(pos.Journal)-(pos.Told-out.CheckpointTold):]
			}
		}
		var end Finished
		b.run(t, b.a.Finish, FinishInput{Name: "s", Config: b.ref, Position: pos, Status: "completed"}, &end)
		ledger, err := library.ReadLedger(t.Context(), b.store, end.Checkpoint)
		if err != nil || len(ledger) != n {
			t.Fatalf("ledger of %d trials, %v", len(ledger), err)
		}
		return run{proposals, end.Checkpoint, end.Controller}
	}
	want := do(1, nil)
	if want.controller == "" {
		t.Error("no controller")
	}
	for name, got := range map[string]run{
		"a new worker each time": do(1, func(b *bench, _ LearnInput) { b.reset() }),
		"every call twice": do(1, func(b *bench, in LearnInput) {
			var out LearnOutput
			b.run(t, b.a.Learn, in, &out)
		}),
	} {
		if diff := cmp.Diff(want.proposals, got.proposals); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if want.checkpoint != got.checkpoint || want.controller != got.controller {
			t.Errorf("%s: other objects", name)
		}
	}
	// Together, checkpoints still stand at every fourth trial.
	if got := do(3, nil); got.checkpoint != want.checkpoint || got.controller != want.controller {
		t.Error("results told together give other objects")
	}
}
