package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/experiments/data"
	"tnaml/experiments/data/text"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/embedding"
)

// bench is a store with a task, a module and a resolved search.
type bench struct {
	store *store.Memory
	env   *testsuite.TestActivityEnvironment
	a     *Activities
	// resolved is the search; ref references its configuration.
	resolved Resolved
	ref      store.Ref
	// line is the line of runs that asks.
	line string
}

func newBench(t *testing.T, strategy string) *bench {
	t.Helper()
	b := &bench{store: store.NewMemory(), line: "a line"}
	var examples []text.Example
	for i := range 200 {
		examples = append(examples, text.Example{Text: fmt.Sprintf("a %s thing, number %d", []string{"good", "bad"}[i%2], i),
			Label: []string{"pos", "neg"}[i%2]})
	}
	built, err := text.Build(examples, data.Options{Name: "things"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := library.PublishTask(t.Context(), b.store, built, false); err != nil {
		t.Fatal(err)
	}
	m := &embedding.Module{Name: "m", Dim: 4, Tokens: []string{"good", "bad", "thing"},
		Vectors: []float32{1, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0}}
	if _, err := library.PublishModule(t.Context(), b.store, m, false); err != nil {
		t.Fatal(err)
	}
	b.reset()
	in := ResolveInput{Name: "s", Names: library.Names{Tasks: []string{"things"}, Strategy: strategy, Space: "text-small", Seed: 1, Lag: 3,
		KeepModels: 10}}
	b.run(t, b.a.Resolve, in, &b.resolved)
	b.ref = b.resolved.Config
	return b
}

// reset is a new worker process over the same store.
func (b *bench) reset() {
	b.serve(New(b.store, Options{Worker: "test"}))
}

// serve is a worker process with these activities.
func (b *bench) serve(a *Activities) {
	var suite testsuite.WorkflowTestSuite
	b.a, b.env = a, suite.NewTestActivityEnvironment()
	b.env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{Attempts(a)}})
	b.env.RegisterActivity(a)
}

func (b *bench) try(activity, in, out any) error {
	asked := reflect.New(reflect.TypeOf(in)).Elem()
	asked.Set(reflect.ValueOf(in))
	if line := asked; line.Kind() == reflect.Struct && line.FieldByName("Line").IsValid() {
		line.FieldByName("Line").SetString(b.line)
	}
	v, err := b.env.ExecuteActivity(activity, asked.Interface())
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
	if !errors.As(err, &app) {
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

// row is the ledger's row of a trial.
func row(r *Resolved, p search.Proposal, result TrialResult) search.Trial {
	return search.NewTrial(p, result.Outcome, r.Objective)
}

func reward(v float64) *float64 { return &v }

func TestTrialIsCachedAndKeepsWhatIsAsked(t *testing.T) {
	b := newBench(t, strategy.Random)
	p := b.proposals(t)[0]
	in := b.resolved.Request(p)
	in.Keep = reward(1) // nothing exceeds it
	var first, second, third, fourth, fifth, sixth TrialResult
	b.run(t, b.a.Trial, in, &first)
	if first.Status != trainer.OK || first.Model != "" || first.Cost.Cached || first.Cost.Worker != "test" || first.Cost.CPUSeconds <= 0 {
		t.Errorf("first: %+v", first)
	}
	b.run(t, b.a.Trial, in, &second)
	if diff := cmp.Diff(first.Outcome, second.Outcome); diff != "" || !second.Cost.Cached {
		t.Errorf("the cache gives another outcome: %s %+v", diff, second.Cost)
	}
	// A search that wants the model has it trained again, and the next one takes
	// it from the cache.
	in.Keep = nil
	b.run(t, b.a.Trial, in, &third)
	if third.Model == "" || third.Cost.Cached || third.Metrics["validation_accuracy"] != first.Metrics["validation_accuracy"] {
		t.Errorf("third: %+v", third)
	}
	b.reset()
	b.run(t, b.a.Trial, in, &fourth)
	if diff := cmp.Diff(third.Outcome, fourth.Outcome); diff != "" || !fourth.Cost.Cached {
		t.Errorf("another worker: %s %+v", diff, fourth.Cost)
	}
	// Which models a ledger names depends on the search, not on the cache.
	in.Keep = reward(1)
	b.run(t, b.a.Trial, in, &fifth)
	if diff := cmp.Diff(first.Outcome, fifth.Outcome); diff != "" {
		t.Error(diff)
	}
	in.Retrain = true
	b.run(t, b.a.Trial, in, &sixth)
	if sixth.Cost.Cached {
		t.Error("retrain took the cached outcome")
	}
}

// Another objective, minimised, keeps what is better by it; the cache serves both.
func TestTrialOfAnotherObjective(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	var r TrialResult
	b.run(t, b.a.Trial, in, &r)
	loss := r.Metrics["validation_log_loss"]
	in.Objective = space.Objective{Metric: trainer.LogLoss, Direction: space.Minimise}
	for keep, model := range map[float64]bool{-loss - .1: true, -loss + .1: false} {
		in.Keep, r = &keep, TrialResult{}
		b.run(t, b.a.Trial, in, &r)
		if (r.Model != "") != model || !r.Cost.Cached {
			t.Errorf("a loss of %v, better than %v: %+v", loss, -keep, r)
		}
	}
	in.Objective, r = space.Objective{Metric: "latency"}, TrialResult{}
	b.run(t, b.a.Trial, in, &r)
	if r.Status != trainer.Failed || !strings.Contains(r.Reason, "latency") {
		t.Errorf("an objective that is not reported: %+v", r.Outcome)
	}
}

// unmeasured reports another metric than the objective may ask for, and stores a
// model; cached is what it says of the trial cache.
type unmeasured struct {
	trainer.Table
	cached bool
}

func (unmeasured) Version() string { return "1" }
func (u unmeasured) Cached() bool  { return u.cached }
func (unmeasured) Run(context.Context, trainer.Request, func(trainer.Progress) error) (trainer.Result, error) {
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_gain": .5}},
		Encode: func() []byte { return []byte("a model") }}, nil
}

// That one search's objective is not among the metrics is nothing to another one.
func TestTrialWithoutTheObjectiveOfAnotherSearch(t *testing.T) {
	b := newBench(t, strategy.Random)
	b.serve(New(b.store, Options{Trainers: []trainer.Trainer{unmeasured{cached: true}}}))
	for metric, want := range map[string]trainer.Status{"loss": trainer.Failed, "gain": trainer.OK} {
		for range 2 {
			var r TrialResult
			b.run(t, b.a.Trial, TrialInput{Trainer: "table", Request: trainer.Request{Objective: space.Objective{Metric: metric}}}, &r)
			if r.Status != want {
				t.Errorf("%s: %+v", metric, r.Outcome)
			}
		}
	}
}

// diverging tells a loss that is no number, and waits for a heartbeat.
type diverging struct{ trainer.Table }

func (diverging) Version() string { return "1" }
func (diverging) Cached() bool    { return false }
func (diverging) Run(_ context.Context, _ trainer.Request, progress func(trainer.Progress) error) (trainer.Result, error) {
	err := progress(trainer.Progress{Step: 1, Metrics: map[string]float64{"training_loss": math.NaN()}})
	time.Sleep(2 * soon)
	return trainer.Result{Outcome: trainer.Outcome{Status: trainer.Diverged}}, err
}

// A loss that is no number is nothing to the worker, which writes it into heartbeats.
func TestTrialsProgressIsNoNumber(t *testing.T) {
	b := newBench(t, strategy.Random)
	b.serve(New(b.store, Options{Trainers: []trainer.Trainer{diverging{}}}))
	var r TrialResult
	b.run(t, b.a.Trial, TrialInput{Trainer: "table"}, &r)
	if r.Status != trainer.Diverged {
		t.Errorf("%+v", r)
	}
}

// A model is held for its search, whether its trainer's outcomes are cached or not:
// until the next checkpoint no name leads to it.
func TestTrialHoldsItsModel(t *testing.T) {
	for _, cached := range []bool{false, true} {
		b := newBench(t, strategy.Random)
		b.serve(New(b.store, Options{Trainers: []trainer.Trainer{unmeasured{cached: cached}}}))
		for range 2 {
			var r TrialResult
			b.run(t, b.a.Trial, TrialInput{Trainer: "table", Request: trainer.Request{Objective: space.Objective{Metric: "gain"}}}, &r)
			entries, err := b.store.Names(t.Context(), store.Trial, "")
			if err != nil || len(entries) != 1 {
				t.Fatalf("cached %v: %d records of trials, %v", cached, len(entries), err)
			}
			value, _, err := b.store.GetName(t.Context(), store.Trial, entries[0].Name)
			if err != nil {
				t.Fatal(err)
			}
			var record library.CachedTrial
			if err := json.Unmarshal(value, &record); err != nil {
				t.Fatal(err)
			}
			if h := record.Holds; len(h) != 1 || string(h[0].Model) != r.Model || r.Model == "" {
				t.Errorf("cached %v: the model %s, held %v", cached, r.Model, h)
			}
		}
	}
}

func TestTrialsOwnFailuresAreOutcomes(t *testing.T) {
	b := newBench(t, strategy.Random)
	in := b.resolved.Request(b.proposals(t)[0])
	var r, ok TrialResult
	in.Limits.MemoryBytes = 1
	b.run(t, b.a.Trial, in, &r)
	if r.Status != trainer.OverMemory || r.Reason == "" {
		t.Errorf("over memory: %+v", r)
	}
	in.Limits.MemoryBytes = 0
	for i, cached := range []bool{false, true, false} { // the limit is part of what an outcome is a function of
		in.Limits.Steps = i/2*10 + 1
		r = TrialResult{}
		b.run(t, b.a.Trial, in, &r)
		if want := fmt.Sprint("the limit is ", in.Limits.Steps); r.Status != trainer.OverSteps || !strings.Contains(r.Reason, want) ||
			r.Cost.Cached != cached {
			t.Errorf("over steps: %+v", r)
		}
	}
	in.Limits.Steps = 1e6
	b.run(t, b.a.Trial, in, &ok)
	if ok.Status != trainer.OK || ok.Cost.Cached {
		t.Errorf("with steps enough: %+v", ok)
	}
	delete(in.Choices, trainer.Steps)
	b.run(t, b.a.Trial, in, &r)
	if r.Status != trainer.Failed || !strings.Contains(r.Reason, trainer.Steps) {
		t.Errorf("a choice is missing: %+v", r)
	}
}

// panics is a trainer that does.
type panics struct {
	trainer.Table
	// encoding: only where its model is asked for.
	encoding bool
}

func (panics) Version() string { return "1" }
func (panics) Cached() bool    { return false }
func (p panics) Run(ctx context.Context, _ trainer.Request, _ func(trainer.Progress) error) (trainer.Result, error) {
	if p.encoding {
		return trainer.Result{Outcome: trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"gain": 1}}, Encode: func() []byte {
			panic("boom")
		}}, nil
	}
	_, err := memory.Of(ctx, memory.New(1), "data", func(context.Context) (int, int64, error) { panic("boom") })
	return trainer.Result{}, err
}

// A panic is the trial's own: it would come again on every worker, and its reason, which
// the ledger has, says nothing of the one that it was on.
func TestTrainersPanic(t *testing.T) {
	b := newBench(t, strategy.Random)
	for _, encoding := range []bool{false, true} {
		b.serve(New(b.store, Options{Trainers: []trainer.Trainer{panics{encoding: encoding}}}))
		var r TrialResult
		b.run(t, b.a.Trial, TrialInput{Trainer: "table", Request: trainer.Request{Objective: space.Objective{Metric: "gain"}}}, &r)
		if r.Status != trainer.Failed || r.Reason != "the trainer table panicked: boom" {
			t.Errorf("%+v", r)
		}
	}
}

func TestErrorsThatNoRetryMends(t *testing.T) {
	b := newBench(t, strategy.NAML)
	in := b.resolved.Request(b.proposals(t)[0])
	lost := store.RefOf([]byte("lost"))
	in.Task.Data = string(lost)
	for name, c := range map[string]struct {
		activity, in any
		kind         string
		want         []string
	}{
		"task":          {b.a.Trial, in, ErrTypeMissing, []string{string(lost)}},
		"configuration": {b.a.Learn, LearnInput{Config: lost, CheckpointEvery: 4}, ErrTypeMissing, []string{string(lost)}},
		"ledger": {b.a.Learn, LearnInput{Config: b.ref, Position: Position{Ledger: lost, State: lost, Told: 3}, CheckpointEvery: 4},
			ErrTypeMissing, []string{"ledger"}},
		"position": {b.a.Learn, LearnInput{Config: b.ref, Position: Position{Told: 3}, CheckpointEvery: 4}, ErrTypeInvalid,
			[]string{"want 3"}},
		"names, together": {b.a.Resolve, ResolveInput{Name: "x", Names: library.Names{
			Tasks: []string{"thing", "other"}, Strategy: "naml", Space: "txt", Settings: []byte(`{"a":1}`), Lag: 1,
		}}, ErrTypeInvalid, []string{`"thing"`, `"other"`, "things", `"txt"`, "text-small", `"a"`}},
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
	if r, err := library.ReadRecord(t.Context(), b.store, "x"); err != nil || r.Status != "failed" || r.Config != "" {
		t.Errorf("a search that could not start left the record %+v, %v", r, err)
	}
	// A trainer that this worker does not serve may be another's.
	in.Trainer = "bert"
	if err := b.try(b.a.Trial, in, new(TrialResult)); err == nil || errorType(err) != "" || !strings.Contains(err.Error(), `"bert"`) {
		t.Errorf("%v", err)
	}
}

// A search that checkpoints more rarely than another one of the same configuration
// writes a whole ledger of its own.
func TestLearnBesideItsTwin(t *testing.T) {
	b := newBench(t, strategy.Random)
	proposals := b.proposals(t)
	learn := func(name string, every int, from Position, p search.Proposal) Position {
		r := Row{Trial: search.Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: trainer.OK, Validation: .5}}
		var out LearnOutput
		b.run(t, b.a.Learn, LearnInput{Name: name, Config: b.ref, Position: from, Results: []Row{r}, CheckpointEvery: every}, &out)
		return Position{Journal: append(from.Journal, r), Told: from.Told + 1, Digest: out.Digest}
	}
	rare := learn("rare", 100, Position{}, proposals[0])
	learn("often", 1, Position{}, proposals[0])
	rare = learn("rare", 100, rare, proposals[1])
	var end Finished
	b.run(t, b.a.Finish, FinishInput{Name: "rare", Config: b.ref, Position: rare, Status: "completed"}, &end)
	ledger, err := library.ReadLedger(t.Context(), b.store, end.Ledger)
	if err != nil || len(ledger) != 2 {
		t.Errorf("a ledger of %d trials, want 2; %v", len(ledger), err)
	}
}

// Learn gives the same whether the state is in memory, was lost, or a call is
// made twice; whether results come one at a time or together.
func TestLearnIsAFunctionOfPositionAndResults(t *testing.T) {
	const n = 11
	type run struct {
		proposals  []search.Proposal
		ledger     store.Ref
		state      store.Ref
		controller store.Ref
	}
	do := func(together int, upset func(b *bench, in *LearnInput)) run {
		b := newBench(t, strategy.NAML)
		proposals := b.proposals(t)
		var pos Position
		for pos.Told < n {
			in := LearnInput{Name: "s", Config: b.ref, Position: pos, CheckpointEvery: 4}
			for k := range min(together, n-pos.Told) {
				p := proposals[pos.Told+k]
				v := float64((p.Trial*7)%10) / 10
				in.Results = append(in.Results, Row{Trial: search.Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: trainer.OK,
					Validation: v, Test: v}})
			}
			if upset != nil {
				upset(b, &in)
			}
			var out LearnOutput
			b.run(t, b.a.Learn, in, &out)
			proposals = append(proposals, out.Proposals...)
			pos = pos.After(in.Results, &out)
		}
		var end Finished
		b.run(t, b.a.Finish, FinishInput{Name: "s", Config: b.ref, Position: pos, Status: "completed"}, &end)
		ledger, err := library.ReadLedger(t.Context(), b.store, end.Ledger)
		if err != nil || len(ledger) != n {
			t.Fatalf("ledger of %d trials, %v", len(ledger), err)
		}
		record, err := library.ReadRecord(t.Context(), b.store, "s")
		if err != nil || record.Ledger != end.Ledger {
			t.Fatalf("%+v, %v", record, err)
		}
		return run{proposals, end.Ledger, record.State, end.Controller}
	}
	want := do(1, nil)
	if want.controller == "" {
		t.Error("no controller")
	}
	for name, got := range map[string]run{
		"a new worker each time": do(1, func(b *bench, _ *LearnInput) { b.reset() }),
		"every call twice": do(1, func(b *bench, in *LearnInput) {
			var out LearnOutput
			b.run(t, b.a.Learn, *in, &out)
		}),
		"states that were collected": do(1, func(b *bench, in *LearnInput) {
			b.reset()
			if in.Position.State != "" {
				in.Position.State = store.RefOf([]byte("collected"))
			}
		}),
		"states that are damaged": do(1, func(b *bench, in *LearnInput) {
			b.reset()
			if in.Position.State != "" {
				b.store.Damage(in.Position.State, []byte("damaged"))
			}
		}),
		"states that cannot be read": do(1, func(b *bench, in *LearnInput) {
			b.reset()
			if in.Position.State != "" {
				in.Position.State = in.Position.Ledger
			}
		}),
	} {
		if diff := cmp.Diff(want.proposals, got.proposals); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if want.ledger != got.ledger || want.state != got.state || want.controller != got.controller {
			t.Errorf("%s: other objects", name)
		}
	}
	// Together, checkpoints still stand at every fourth trial.
	if got := do(3, nil); got.ledger != want.ledger || got.state != want.state || got.controller != want.controller {
		t.Error("results told together give other objects")
	}
}

// Each checkpoint writes the models of the best trials into the search's record, the
// end says that these are all; one that goes on after its end has not ended.
func TestRecordsNameTheModelsKept(t *testing.T) {
	b := newBench(t, strategy.Random)
	read := func() library.SearchRecord {
		t.Helper()
		record, err := library.ReadRecord(t.Context(), b.store, "s")
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	var rows []Row
	for i, p := range b.proposals(t) {
		o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": .1 * float64(i+1)}}
		switch i {
		case 0:
			o.Model = string(store.RefOf([]byte("a model")))
		case 1:
			o.Model = "models/of/another/trainer"
		}
		rows = append(rows, Row{Trial: search.NewTrial(p, o, b.resolved.Objective)})
	}
	in := LearnInput{Name: "s", Config: b.ref, CheckpointEvery: 3, Results: rows}
	end := FinishInput{Name: "s", Config: b.ref, Status: "failed", Reason: "no luck"}
	want := []store.Ref{store.Ref(rows[0].Trial.Model)}
	for resets := range 2 { // the second time as after a reset
		b.as(fmt.Sprint("run ", resets))
		var out LearnOutput
		b.run(t, b.a.Learn, in, &out)
		if r := read(); !slices.Equal(r.Models, want) || r.Released || r.Told != 3 ||
			r.Status != "running" || r.Reason != "" || !r.Ended.IsZero() {
			t.Errorf("after a checkpoint: %+v", r)
		}
		c := out.Checkpoint
		end.Position = Position{Ledger: c.Ledger, State: c.State, Costs: c.Costs, Told: 3, Digest: out.Digest}
		b.run(t, b.a.Finish, end, new(Finished))
		if r := read(); !slices.Equal(r.Models, want) || !r.Released || r.Status != "failed" || r.Reason != "no luck" {
			t.Errorf("after the end: %+v", r)
		}
	}
}

// However long the results are, a search carries only so much of them: it checkpoints
// earlier, and at the same trials whatever the trials cost, and however they are told.
func TestCheckpointsByTheResultsLength(t *testing.T) {
	metrics := map[string]float64{}
	for i := range 64 {
		metrics[fmt.Sprintf("%02d-%s", i, strings.Repeat("m", 60))] = 1.0 / 3
	}
	const n = 120
	do := func(together int) (checkpoints []int, ledger store.Ref) {
		b := newBench(t, strategy.Random)
		proposals := b.proposals(t)
		var pos Position
		for pos.Told < n {
			in := LearnInput{Name: "s", Config: b.ref, Position: pos, CheckpointEvery: limit.MaxCheckpointEvery}
			for k := range min(together, n-pos.Told) {
				p := proposals[pos.Told+k]
				in.Results = append(in.Results, Row{
					Trial: search.Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: trainer.OK, Metrics: metrics},
					Cost:  search.Cost{Worker: strings.Repeat("w", together)},
				})
			}
			var out LearnOutput
			b.run(t, b.a.Learn, in, &out)
			proposals = append(proposals, out.Proposals...)
			pos = pos.After(in.Results, &out)
			if out.Checkpoint != nil {
				checkpoints = append(checkpoints, out.CheckpointTold)
			}
			if raw, err := json.Marshal(pos); err != nil || len(raw) > limit.MaxJournal+100_000 {
				t.Fatalf("after %d trials the position has %d bytes, %v", pos.Told, len(raw), err)
			}
		}
		return checkpoints, pos.Ledger
	}
	one, ledger := do(1)
	if len(one) < 2 {
		t.Errorf("checkpoints at %v", one)
	}
	if _, together := do(3); together != ledger {
		t.Error("results told together give another ledger")
	}
}
