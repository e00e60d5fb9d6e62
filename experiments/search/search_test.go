package search

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/limit"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

// filled is the space text-small with two modules.
func filled(t testing.TB) space.Space {
	t.Helper()
	sp := must(space.Builtin("text-small"))(t)
	return must(trainer.Find(sp.TrainerName()).Fill(sp, "text", []string{"m-16", "m-64"}))(t)
}

func testConfig(t testing.TB, name string, tasks, lag int) Config {
	t.Helper()
	var raw json.RawMessage
	if name == strategy.Fixed {
		raw = json.RawMessage(`{"architecture":` + testArchitecture + `}`)
	}
	c := Config{
		Space: filled(t), Modules: []Module{{"m-16", "sha256:a"}, {"m-64", "sha256:b"}},
		Strategy: name, Settings: must(strategy.ParseSettings(name, raw))(t), Seed: 3, Lag: lag, KeepModels: TopN,
	}
	for i := range tasks {
		c.Tasks = append(c.Tasks, Task{Name: fmt.Sprintf("task-%d", i), Kind: "text", Data: "sha256:c"})
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// testArchitecture is a child model of text-small.
const testArchitecture = `{"module":"m-64","fine_tune":true,"hidden_layers":2.0,"hidden_size":64,"activation":"swish",
	"normalisation":"none","dropout":0.2,"deep_learning_rate":0.03,"deep_regularisation":1e-4,
	"wide_learning_rate":1,"wide_regularisation":0,"steps":200}`

// result makes up a trial's outcome; every eleventh fails.
func result(p Proposal) Trial {
	if p.Trial%11 == 10 {
		return NewTrial(p, trainer.Outcome{Status: trainer.Diverged, Reason: "made up"}, accuracy)
	}
	return rewarded(p, rng.New(9, "reward", uint64(p.Trial)).Float64())
}

var accuracy = space.Objective{Metric: trainer.Accuracy, Direction: space.Maximise}

// rewarded is the outcome of a trial with an accuracy.
func rewarded(p Proposal, v float64) Trial {
	return NewTrial(p, trainer.Outcome{
		Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": v, "test_accuracy": v / 2, "loss": 1 - v}, Steps: 100,
	}, accuracy)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// says reports whether an error is there and has all of the words.
func says(err error, words ...string) bool {
	return err != nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(err.Error(), w) })
}

// advance runs a search on to n results and returns the proposals in order.
func advance(t testing.TB, s *Searcher, n int) (out []Proposal) {
	t.Helper()
	for s.Told() < n {
		p := must(s.Ask(s.Told()))(t)
		if err := s.Tell(result(p)); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// ledger is what the search must have written of trials whose outcomes result
// made up: a failed one has the worst reward of its task so far.
func ledger(proposals []Proposal) (out []Trial) {
	worst := map[int]float64{}
	for _, p := range proposals {
		row := result(p)
		w, any := worst[p.Task]
		if row.Status != trainer.OK {
			row.Reward = w
		} else if !any || row.Validation < w {
			worst[p.Task] = row.Validation
		}
		out = append(out, row)
	}
	return out
}

// One configuration gives one sequence of proposals, one ledger and one state,
// with or without a restore at any point on the way.
func TestRestoreChangesNothing(t *testing.T) {
	for _, name := range strategy.Builtin().Names() {
		for _, lag := range []int{1, 5} {
			t.Run(fmt.Sprintf("%s lag %d", name, lag), func(t *testing.T) {
				c := testConfig(t, name, 2, lag)
				const n = 30
				whole := must(New(c))(t)
				want := advance(t, whole, n)
				wantController := whole.Controller()
				if learns := name == strategy.NAML || name == strategy.Guided; learns != (wantController != nil) {
					t.Error("naml and guided have a controller, the others have none")
				}
				for _, at := range []int{0, 1, 7, 29} {
					s := must(New(c))(t)
					got := advance(t, s, at)
					first, state := s.Segment(""), s.State()
					s = must(Restore(c, state))(t)
					if again := s.State(); string(again) != string(state) {
						t.Errorf("restored at %d: the state is another", at)
					}
					got = append(got, advance(t, s, n)...)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("restored at %d: %s", at, diff)
					}
					last := s.Segment("sha256:first")
					if string(s.Controller()) != string(wantController) {
						t.Errorf("restored at %d: another controller", at)
					}
					if string(s.State()) != string(whole.State()) {
						t.Errorf("restored at %d: another state", at)
					}
					head, tail := must(DecodeSegment(first))(t), must(DecodeSegment(last))(t)
					if len(head.Trials) != at || len(tail.Trials) != n-at || head.Previous != "" || tail.Previous != "sha256:first" {
						t.Errorf("segments of %d and %d trials, previous %q", len(head.Trials), len(tail.Trials), tail.Previous)
					}
					rows := ledger(want)
					for i, trial := range slices.Concat(head.Trials, tail.Trials) {
						if diff := cmp.Diff(rows[i], trial); diff != "" {
							t.Errorf("ledger row %d: %s", i, diff)
						}
					}
				}
			})
		}
	}
}

// A segment takes the trials since the last one, and leaves the state alone.
func TestSegmentsAndStateAreApart(t *testing.T) {
	s := must(New(testConfig(t, strategy.NAML, 1, 2)))(t)
	advance(t, s, 3)
	state := s.State()
	one, empty := must(DecodeSegment(s.Segment("")))(t), must(DecodeSegment(s.Segment("sha256:one")))(t)
	if len(one.Trials) != 3 || len(empty.Trials) != 0 || empty.Trials == nil || empty.Previous != "sha256:one" {
		t.Errorf("%d trials, then %d after %q", len(one.Trials), len(empty.Trials), empty.Previous)
	}
	if string(s.State()) != string(state) {
		t.Error("the state holds something of the ledger")
	}
	if strings.Contains(string(state), `"status"`) {
		t.Error("the state holds rows")
	}
	if _, err := DecodeSegment(state); !says(err, `the object is a "state"`) {
		t.Errorf("a state for a segment: %v", err)
	}
	if _, err := Restore(s.config, s.Segment("")); !says(err, `the object is a "ledger"`) {
		t.Errorf("a segment for a state: %v", err)
	}
}

// The proposal for trial i depends on the trials 0…i−lag and on no later one.
func TestProposalsDependOnWhatTheyMay(t *testing.T) {
	c := testConfig(t, strategy.NAML, 1, 3)
	// A learning rate at which one reward shows in the next sample.
	settings, err := strategy.ParseSettings(strategy.NAML, json.RawMessage(`{"policy_gradient":{"learning_rate":0.5}}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Settings = settings
	a, b := must(New(c))(t), must(New(c))(t)
	advance(t, a, 4)
	advance(t, b, 4)
	p := must(a.Ask(4))(t)
	for i := range 3 {
		if diff := cmp.Diff(must(a.Ask(4+i))(t), must(b.Ask(4+i))(t)); diff != "" {
			t.Errorf("trial %d: %s", 4+i, diff)
		}
	}
	if err := a.Tell(rewarded(p, 1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Tell(rewarded(p, 0)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // asked before trial 4 was told
		if diff := cmp.Diff(must(a.Ask(5+i))(t), must(b.Ask(5+i))(t)); diff != "" {
			t.Errorf("trial %d: %s", 5+i, diff)
		}
	}
	if x, y := must(a.Ask(7))(t), must(b.Ask(7))(t); slices.Equal(x.Actions, y.Actions) {
		t.Errorf("trial 7 does not depend on the reward of trial 4: %v", x.Actions)
	}
}

// A proposal names what it takes: by index, by name and in words.
func TestProposal(t *testing.T) {
	c := testConfig(t, strategy.Fixed, 1, 2)
	s := must(New(c))(t)
	p := must(s.Ask(1))(t)
	want := Proposal{
		Trial: 1, Actions: []int{1, 1, 2, 1, 3, 0, 2, 2, 1, 5, 0, 2}, Seed: rng.Derive(rng.Derive(3, "search/task-0", 0), "search/trial", 1),
		Choices: map[string]any{
			"module": "m-64", "fine_tune": true, "hidden_layers": int64(2), "hidden_size": int64(64), "activation": "swish", "normalisation": "none",
			"dropout": .2, "deep_learning_rate": .03, "deep_regularisation": 1e-4, "wide_learning_rate": 1., "wide_regularisation": 0.,
			"steps": int64(200),
		},
		Summary: "m-64 tuned · 2x64 swish · dropout 0.2 · deep 0.03 L2 0.0001 · wide 1 · 200 steps",
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	p.Actions[0], p.Choices["module"] = 7, "x" // the caller's own
	if diff := cmp.Diff(want, must(s.Ask(1))(t)); diff != "" {
		t.Error(diff)
	}
}

func TestKeepIsTheTenthBestOfTheTask(t *testing.T) {
	c := testConfig(t, strategy.Random, 2, 1)
	s := must(New(c))(t)
	var values [2][]float64
	for range 80 {
		p := must(s.Ask(s.Told()))(t)
		if v := values[p.Task]; len(v) >= TopN {
			slices.Sort(v)
			if want := v[len(v)-TopN]; p.Keep == nil || *p.Keep != want {
				t.Fatalf("trial %d: keep %v, want %v", p.Trial, p.Keep, want)
			}
		} else if p.Keep != nil {
			t.Fatalf("trial %d: keep %v with %d trials of the task", p.Trial, *p.Keep, len(v))
		}
		r := result(p)
		if r.OK() {
			values[p.Task] = append(values[p.Task], r.Validation)
		}
		if err := s.Tell(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(values[0]) < TopN || len(values[1]) < TopN {
		t.Error("both tasks should have been drawn often")
	}
	for task := range 2 {
		leaders := s.Leaders(task)
		slices.Sort(values[task])
		for i, l := range leaders {
			if l.Reward != values[task][len(values[task])-1-i] {
				t.Errorf("leader %d of task %d: %v", i, task, l)
			}
		}
	}
}

// What is to be minimised is negated for the strategy and the leaders; the
// ledger holds it as it was measured.
func TestMinimise(t *testing.T) {
	c := testConfig(t, strategy.Random, 1, 1)
	c.Space.Objective = space.Objective{Metric: trainer.LogLoss, Direction: space.Minimise}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := must(New(c))(t)
	for i := range 15 {
		p := must(s.Ask(i))(t)
		v := float64((i*7)%15) + .5
		o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_log_loss": v, "test_log_loss": v + 1}}
		if err := s.Tell(NewTrial(p, o, c.Space.Objective)); err != nil {
			t.Fatal(err)
		}
	}
	leaders := s.Leaders(0)
	for i, l := range leaders {
		if want := -(float64(i) + .5); l.Reward != want {
			t.Errorf("leader %d: %+v", i, l)
		}
	}
	if p := must(s.Ask(15))(t); len(leaders) != TopN || p.Keep == nil || *p.Keep != -9.5 {
		t.Errorf("%d leaders, keep %v", len(leaders), p.Keep)
	}
	rows := must(DecodeSegment(s.Segment("")))(t).Trials
	if r := rows[1]; r.Validation != 7.5 || r.Test != 8.5 || r.Reward != -7.5 || r.Metrics["validation_log_loss"] != 7.5 {
		t.Errorf("%+v", r)
	}
}

// A failed trial is told with the worst reward of its own task so far, 0 while
// there is none, whichever way the objective goes and wherever the search is
// restored.
func TestFailuresHaveTheWorstRewardSoFar(t *testing.T) {
	for _, objective := range []space.Objective{accuracy, {Metric: trainer.LogLoss, Direction: space.Minimise}} {
		for _, restore := range []bool{false, true} {
			c := testConfig(t, strategy.NAML, 2, 3)
			c.Space.Objective = objective
			s := must(New(c))(t)
			worst := map[int]float64{}
			failures := map[bool]int{}
			var want, got []float64
			var journal []Trial
			previous := ""
			segments := func() {
				for _, row := range must(DecodeSegment(s.Segment(previous)))(t).Trials {
					got = append(got, row.Reward)
				}
				previous = "sha256:x"
			}
			for i := range 40 {
				if restore {
					segments()
					s = must(Restore(c, s.State()))(t)
				}
				p := must(s.Ask(i))(t)
				w, any := worst[p.Task]
				o := trainer.Outcome{Status: trainer.Statuses()[1+i%4], Reason: "made up", Metrics: map[string]float64{"parameters": 3}}
				reward := w
				if i%3 == 2 {
					v := 1 + rng.New(9, "reward", uint64(i)).Float64()*4
					o = trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_" + objective.Metric: v}}
					if reward = v; objective.Direction == space.Minimise {
						reward = -v
					}
					if !any || reward < w {
						worst[p.Task] = reward
					}
				} else {
					failures[any]++
				}
				want = append(want, reward)
				journal = append(journal, NewTrial(p, o, objective))
				if err := s.Tell(journal[i]); err != nil {
					t.Fatal(err)
				}
			}
			segments()
			FillRewards(&c, journal)
			for i, row := range journal {
				if row.Reward != want[i] {
					t.Errorf("%s: a journal's trial %d has the reward %v, told was %v", objective.Metric, i, row.Reward, want[i])
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, restored %v: %s", objective.Metric, restore, diff)
			}
			if failures[false] < 2 || failures[true] < 10 || len(worst) != 2 || worst[0] == worst[1] {
				t.Errorf("nothing is shown by %v failures and the worst %v", failures, worst)
			}
			for task := range 2 {
				for _, l := range s.Leaders(task) {
					if l.Trial%3 != 2 {
						t.Errorf("the failed trial %d leads", l.Trial)
					}
				}
			}
		}
	}
}

func TestNewTrial(t *testing.T) {
	p := Proposal{Trial: 3, Task: 1, Actions: []int{0, 2}}
	metrics := map[string]float64{"validation_accuracy": .8, "loss": .4}
	row := NewTrial(p, trainer.Outcome{Status: trainer.OK, Metrics: metrics, Steps: 7, Model: "sha256:m"}, accuracy)
	want := Trial{
		Trial: 3, Task: 1, Actions: []int{0, 2}, Status: trainer.OK, Reward: .8, Validation: .8, Metrics: metrics, Steps: 7, Model: "sha256:m",
	}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
	metrics = map[string]float64{"validation_accuracy": .8, "parameters": 9}
	row = NewTrial(p, trainer.Outcome{Status: trainer.Diverged, Reason: "NaN", Metrics: metrics, Steps: 2}, accuracy)
	want = Trial{Trial: 3, Task: 1, Actions: []int{0, 2}, Status: trainer.Diverged, Reason: "NaN", Metrics: metrics, Steps: 2}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
}

func TestInsertBest(t *testing.T) {
	var best [][2]int
	for i := range 30 {
		l := [2]int{i, i * 7 % 5}
		best = InsertBest(best, l, func(l [2]int) (float64, int) { return float64(l[1]), l[0] })
	}
	want := [][2]int{{2, 4}, {7, 4}, {12, 4}, {17, 4}, {22, 4}, {27, 4}, {4, 3}, {9, 3}, {14, 3}, {19, 3}}
	if diff := cmp.Diff(want, best); diff != "" {
		t.Error(diff)
	}
}

func TestTellRefusesWhatWasNotProposed(t *testing.T) {
	c := testConfig(t, strategy.NAML, 1, 2)
	s := must(New(c))(t)
	p := must(s.Ask(0))(t)
	for name, change := range map[string]func(*Trial){
		"another trial":   func(r *Trial) { r.Trial = 1 },
		"another task":    func(r *Trial) { r.Task = 1 },
		"other actions":   func(r *Trial) { r.Actions = slices.Clone(r.Actions); r.Actions[0]++ },
		"no number":       func(r *Trial) { r.Validation = math.NaN() },
		"infinite test":   func(r *Trial) { r.Test = math.Inf(1) },
		"no status":       func(r *Trial) { r.Status = "" },
		"unknown status":  func(r *Trial) { r.Status = "done" },
		"rewarded failed": func(r *Trial) { r.Status = trainer.Diverged },
	} {
		before, state := s.told, s.State()
		r := rewarded(p, .5)
		change(&r)
		if err := s.Tell(r); err == nil {
			t.Errorf("%s was taken", name)
		}
		if s.told != before || string(s.State()) != string(state) {
			t.Fatalf("%s changed the state", name)
		}
	}
	if err := s.Tell(result(p)); err != nil {
		t.Error(err)
	}
	for _, trial := range []int{-1, 0, 3} {
		if _, err := s.Ask(trial); err == nil {
			t.Errorf("trial %d could be asked with 1 told and lag 2", trial)
		}
	}
}

func TestRestoreRefusesAnotherConfiguration(t *testing.T) {
	c := testConfig(t, strategy.NAML, 1, 2)
	b := must(New(c))(t).State()
	other := c
	other.Seed++
	if _, err := Restore(other, b); !says(err, "configuration") {
		t.Errorf("another seed: %v", err)
	}
	if _, err := Restore(c, b[:len(b)-1]); err == nil {
		t.Error("a cut state was taken")
	}
	if _, err := Restore(c, must(New(c))(t).Controller()); !says(err, "controller") {
		t.Errorf("a controller instead of a state: %v", err)
	}
}

func TestConfigValidateReportsEverything(t *testing.T) {
	c := testConfig(t, strategy.NAML, 1, 1)
	c.Tasks = append(c.Tasks, c.Tasks[0], Task{}, Task{Name: "x", Kind: "table", Data: "sha256:x"})
	c.Lag = 0
	c.Modules[0].Name = "other"
	c.Settings = json.RawMessage(`{}`)
	c.Space.Objective = space.Objective{}
	err := c.Validate()
	for _, want := range []string{
		"twice", "lacks a name", "lag of 0", "m-16", "canonical", `task "x" is of kind table, which the trainer builtin does not take`,
		"objective is not filled in",
	} {
		if !says(err, want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	c = testConfig(t, strategy.NAML, 1, 1)
	c.Tasks = []Task{{Name: "fold", Kind: "external"}, {Name: "wide", Kind: "external", Parameters: json.RawMessage(`{ "b":1}`)},
		{Name: "text", Kind: "text", Data: "x", Parameters: json.RawMessage(`{"b":1}`)}}
	for i := range 20 {
		c.Tasks = append(c.Tasks, Task{Name: fmt.Sprint(i), Kind: "external",
			Parameters: json.RawMessage(`{"x":"` + strings.Repeat("x", 15<<10) + `"}`)})
	}
	err = c.Validate()
	for _, want := range []string{`task "fold" is of kind external, which the trainer builtin does not take`,
		`task "wide": its parameters are not`, `task "text": its parameters are not`, "bytes together, more than 131072"} {
		if !says(err, want) || says(err, "lacks") {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	c = testConfig(t, strategy.NAML, 1, 1)
	c.Lag = 5000
	if err := c.Validate(); !says(err, "lag of 5000") {
		t.Errorf("%v", err)
	}
}

// The proposals in flight travel in one message, which has a bound.
func TestLagIsBoundedByTheProposals(t *testing.T) {
	c := testConfig(t, strategy.Random, 1, 1)
	c.Space = space.Space{Name: "ours", Trainer: "ours", Objective: accuracy}
	c.Modules = nil
	for i := range space.MaxChoices {
		c.Space.Choices = append(c.Space.Choices, space.Choice{Name: fmt.Sprint(strings.Repeat("n", 60), i), Options: []any{
			strings.Repeat("<", space.MaxText), strings.Repeat("<", space.MaxText-1) + "b"}})
	}
	for c.Validate() == nil {
		c.Lag++
	}
	if c.Lag--; c.Lag < 4 {
		t.Fatalf("a lag of %d is the most: %v", c.Lag, c.Validate())
	}
	s := must(New(c))(t)
	var proposals []Proposal
	for i := range c.Lag {
		proposals = append(proposals, must(s.Ask(i))(t))
	}
	if b := must(json.Marshal(proposals))(t); len(b) > 1<<20 {
		t.Errorf("%d proposals have %d bytes", len(proposals), len(b))
	}
}

// A search in a space of any choices, for a trainer of its own.
func TestAnySpace(t *testing.T) {
	sp := space.Space{Name: "ours", Trainer: "ours", Objective: space.Objective{Metric: "validation", Direction: space.Maximise}}
	for i := range 40 {
		c := space.Choice{Name: fmt.Sprintf("choice-%d", i)}
		for k := range 2 + i%4 {
			c.Options = append(c.Options, []any{float64(k) + .5, int64(k), fmt.Sprint("option ", k), k == 0}[i%4])
			if i%4 == 3 && k == 1 {
				break
			}
		}
		sp.Choices = append(sp.Choices, c)
	}
	for _, name := range []string{strategy.Random, strategy.NAML} {
		c := Config{
			Space: sp, Strategy: name, Settings: must(strategy.ParseSettings(name, nil))(t), Seed: 1, Lag: 2,
			Tasks: []Task{{Name: "external", Data: "any words of ours"}},
		}
		s := must(New(c))(t)
		for range 20 {
			p := must(s.Ask(s.Told()))(t)
			if len(p.Choices) != 40 || !strings.HasPrefix(p.Summary, "choice-0 ") {
				t.Fatalf("%+v", p)
			}
			o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation": float64(p.Actions[0])}}
			if err := s.Tell(NewTrial(p, o, sp.Objective)); err != nil {
				t.Fatal(err)
			}
			s = must(Restore(c, s.State()))(t)
		}
	}
}

func FuzzRestore(f *testing.F) {
	c := testConfig(f, strategy.Random, 1, 2)
	s, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	advance(f, s, 3)
	f.Add(s.State())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Restore(c, b)
		if err != nil {
			return
		}
		advance(t, s, s.Told()+1)
	})
}

// BenchmarkAskTell measures the strategy's part of a trial.
func BenchmarkAskTell(b *testing.B) {
	for _, name := range strategy.Builtin().Names() {
		b.Run(name, func(b *testing.B) {
			s, err := New(testConfig(b, name, 1, 4))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p, err := s.Ask(s.Told())
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Tell(result(p)); err != nil {
					b.Fatal(err)
				}
				s.segment = s.segment[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/ask+tell")
		})
	}
}

// A cost that another program made is brought into bounds.
func TestCostsAreChecked(t *testing.T) {
	for _, wrong := range []float64{math.Inf(1), 1.7e308, 2e12} {
		if c := (Cost{CPUSeconds: wrong, WallSeconds: 3}).Checked(); c.CPUSeconds != 0 || c.WallSeconds != 3 {
			t.Errorf("%v seconds: %+v", wrong, c)
		}
	}
	c := Cost{CPUSeconds: -1, WallSeconds: math.NaN(), Worker: strings.Repeat("ä", 300), InstructionSet: "avx2"}.Checked()
	if c.CPUSeconds != 0 || c.WallSeconds != 0 || len(c.Worker) != 200 || c.InstructionSet != "avx2" {
		t.Errorf("%+v", c)
	}
}

// The number of models to keep is the search's own: none at all, or any number.
func TestKeepModels(t *testing.T) {
	for _, n := range []int{0, 3, 20} {
		c := testConfig(t, strategy.Random, 1, 1)
		c.KeepModels = n
		s := must(New(c))(t)
		for s.Told() < 40 {
			p := must(s.Ask(s.Told()))(t)
			best := s.Leaders(0)
			if (p.Keep == nil) != (len(best) < n) || n > 0 && p.Keep != nil && *p.Keep != best[n-1].Reward {
				t.Fatalf("%d models, trial %d: keep %v after %v", n, p.Trial, p.Keep, best)
			}
			row := result(p)
			request := must(c.Again(row))(t)
			if request.Seed != p.Seed || !maps.Equal(request.Choices, p.Choices) || request.Trial != p.Trial || request.Keep != nil {
				t.Errorf("trial %d asked again: %+v, it was %+v", p.Trial, request, p)
			}
			request.Keep = p.Keep
			kept := request.Keeps(trainer.Outcome{Status: row.Status, Metrics: row.Metrics})
			if n == 0 && kept {
				t.Errorf("trial %d: a model is kept", p.Trial)
			}
			if row.Model = fmt.Sprintf("model %d", p.Trial); !kept {
				row.Model = ""
			}
			if err := s.Tell(row); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range s.Leaders(0) {
			if l.Model != fmt.Sprintf("model %d", l.Trial) {
				t.Errorf("%d models: %+v is among the best without its model", n, l)
			}
		}
		if got := len(s.Leaders(0)); got != n {
			t.Errorf("%d models are kept of %d", got, n)
		}
	}
	c := testConfig(t, strategy.Random, 1, 1)
	for _, n := range []int{-1, limit.MaxKeepModels + 1} {
		if c.KeepModels = n; !says(c.Validate(), fmt.Sprint(n), "models") {
			t.Errorf("%d models: %v", n, c.Validate())
		}
	}
}
