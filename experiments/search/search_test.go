package search

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/space"
	"tnaml/nn/child"
	"tnaml/nn/rng"
)

func testConfig(t testing.TB, strategy string, tasks, lag int) Config {
	t.Helper()
	sp, err := space.Builtin("text-small")
	if err != nil {
		t.Fatal(err)
	}
	expanded, err := sp.Expand([]string{"m-16", "m-64"})
	if err != nil {
		t.Fatal(err)
	}
	var raw json.RawMessage
	if strategy == Fixed {
		raw = json.RawMessage(`{"architecture":` + testArchitecture + `}`)
	}
	settings, err := ParseSettings(strategy, raw)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Space: expanded, Modules: []Module{{"m-16", "sha256:a"}, {"m-64", "sha256:b"}},
		Strategy: strategy, Settings: settings, Seed: 3, Lag: lag,
	}
	for i := range tasks {
		c.Tasks = append(c.Tasks, Task{fmt.Sprintf("task-%d", i), "sha256:c"})
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// testArchitecture is a child model of text-small.
const testArchitecture = `{"module":"m-64","fine_tune":true,"hidden_layers":2.0,"hidden_size":64,"activation":"swish","normalisation":"none",
	"dropout":0.2,"deep_learning_rate":0.03,"deep_regularisation":1e-4,"wide_learning_rate":1,"wide_regularisation":0,"steps":200}`

// result makes up a trial's outcome; every eleventh fails.
func result(p Proposal) Trial {
	t := Trial{Trial: p.Trial, Task: p.Task, Actions: p.Actions, Status: child.OK}
	if p.Trial%11 == 10 {
		t.Status, t.Reason = child.Diverged, "made up"
		return t
	}
	t.Validation = rng.New(9, "reward", uint64(p.Trial)).Float64()
	t.Test = t.Validation / 2
	return t
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

// One configuration gives one sequence of proposals and one checkpoint, with
// or without a restore at any point on the way.
func TestRestoreChangesNothing(t *testing.T) {
	for _, strategy := range Strategies() {
		for _, lag := range []int{1, 5} {
			t.Run(fmt.Sprintf("%s lag %d", strategy, lag), func(t *testing.T) {
				c := testConfig(t, strategy, 2, lag)
				const n = 30
				whole := must(New(c))(t)
				want := advance(t, whole, n)
				wantController, err := whole.Controller()
				if err != nil {
					t.Fatal(err)
				}
				if (strategy == NAML) != (wantController != nil) {
					t.Error("naml has a controller, random has none")
				}
				for _, at := range []int{0, 1, 7, 29} {
					s := must(New(c))(t)
					got := advance(t, s, at)
					first := s.Checkpoint("")
					s = must(Restore(c, first))(t)
					got = append(got, advance(t, s, n)...)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("restored at %d: %s", at, diff)
					}
					last := s.Checkpoint("sha256:first")
					controller, err := s.Controller()
					if err != nil {
						t.Fatal(err)
					}
					if string(controller) != string(wantController) {
						t.Errorf("restored at %d: another controller", at)
					}
					head, tail := must(DecodeSegment(first))(t), must(DecodeSegment(last))(t)
					if len(head.Trials) != at || len(tail.Trials) != n-at || tail.Previous != "sha256:first" {
						t.Errorf("segments of %d and %d trials, previous %q", len(head.Trials), len(tail.Trials), tail.Previous)
					}
					for i, trial := range slices.Concat(head.Trials, tail.Trials) {
						if diff := cmp.Diff(result(want[i]), trial); diff != "" {
							t.Errorf("ledger row %d: %s", i, diff)
						}
					}
				}
			})
		}
	}
}

// The proposal for trial i depends on the trials 0…i−lag and on no later one.
func TestProposalsDependOnWhatTheyMay(t *testing.T) {
	c := testConfig(t, NAML, 1, 3)
	// A learning rate at which one reward shows in the next sample.
	settings, err := ParseSettings(NAML, json.RawMessage(`{"policy_gradient":{"learning_rate":0.5}}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Settings = settings
	a, b := must(New(c))(t), must(New(c))(t)
	advance(t, a, 4)
	advance(t, b, 4)
	p := must(a.Ask(4))(t)
	good, bad := result(p), result(p)
	good.Validation, bad.Validation = 1, 0
	for i := range 3 {
		if diff := cmp.Diff(must(a.Ask(4+i))(t), must(b.Ask(4+i))(t)); diff != "" {
			t.Errorf("trial %d: %s", 4+i, diff)
		}
	}
	if err := a.Tell(good); err != nil {
		t.Fatal(err)
	}
	if err := b.Tell(bad); err != nil {
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

func TestKeepIsTheTenthBestOfTheTask(t *testing.T) {
	c := testConfig(t, Random, 2, 1)
	s := must(New(c))(t)
	var values [2][]float64
	for range 80 {
		p := must(s.Ask(s.Told()))(t)
		want := -1.0
		if v := values[p.Task]; len(v) >= topN {
			slices.Sort(v)
			want = v[len(v)-topN]
		}
		if p.Keep != want {
			t.Fatalf("trial %d: keep %v, want %v", p.Trial, p.Keep, want)
		}
		r := result(p)
		if r.OK() {
			values[p.Task] = append(values[p.Task], r.Validation)
		}
		if err := s.Tell(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(values[0]) < topN || len(values[1]) < topN {
		t.Error("both tasks should have been drawn often")
	}
	for task := range 2 {
		leaders := s.Leaders(task)
		slices.Sort(values[task])
		for i, l := range leaders {
			if l.Validation != values[task][len(values[task])-1-i] {
				t.Errorf("leader %d of task %d: %v", i, task, l)
			}
		}
	}
}

func TestTellRefusesWhatWasNotProposed(t *testing.T) {
	c := testConfig(t, NAML, 1, 2)
	s := must(New(c))(t)
	p := must(s.Ask(0))(t)
	for name, change := range map[string]func(*Trial){
		"another trial":   func(r *Trial) { r.Trial = 1 },
		"another task":    func(r *Trial) { r.Task = 1 },
		"other actions":   func(r *Trial) { r.Actions = slices.Clone(r.Actions); r.Actions[0]++ },
		"reward above 1":  func(r *Trial) { r.Validation = 1.5 },
		"no status":       func(r *Trial) { r.Status = "" },
		"rewarded failed": func(r *Trial) { r.Status = child.Diverged },
	} {
		before := s.told
		r := result(p)
		r.Validation = .5
		change(&r)
		if err := s.Tell(r); err == nil {
			t.Errorf("%s was taken", name)
		}
		if s.told != before {
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
	c := testConfig(t, NAML, 1, 2)
	b := must(New(c))(t).Checkpoint("")
	other := c
	other.Seed++
	if _, err := Restore(other, b); err == nil || !strings.Contains(err.Error(), "configuration") {
		t.Errorf("another seed: %v", err)
	}
	if _, err := Restore(c, b[:len(b)-1]); err == nil {
		t.Error("a cut checkpoint was taken")
	}
	controller, err := must(New(c))(t).Controller()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(c, controller); err == nil || !strings.Contains(err.Error(), "controller") {
		t.Errorf("a controller instead of a checkpoint: %v", err)
	}
}

func TestParseSettings(t *testing.T) {
	full := must(ParseSettings(NAML, nil))(t)
	again := must(ParseSettings(NAML, full))(t)
	if string(full) != string(again) {
		t.Errorf("the canonical form is not a fixed point:\n%s\n%s", full, again)
	}
	for _, want := range []string{`"hidden":50`, `"layers":2`, `"task_embedding":25`, `"action_embedding":25`, `"decay":0.01`} {
		if !strings.Contains(string(full), want) {
			t.Errorf("%s is not in %s", want, full)
		}
	}
	for _, c := range []struct {
		strategy, raw string
		want          []string
	}{
		{Random, `{"seed":1}`, []string{"seed"}},
		{NAML, `{"contoller":{}}`, []string{"contoller", "controller.hidden", "baseline.decay", "policy_gradient.learning_rate"}},
		{NAML, `{"baseline":{"decay":2,"floor":-1},"controller":{"layers":-1}}`, []string{"decay 2", "floor -1", "controller:"}},
		{NAML, `[]`, []string{"array"}},
		{NAML, `{} {}`, []string{"after"}},
		{"genetic", `{}`, []string{"genetic", "random, naml"}},
	} {
		_, err := ParseSettings(c.strategy, json.RawMessage(c.raw))
		if err == nil {
			t.Errorf("%s was taken", c.raw)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", c.raw, want, err)
			}
		}
	}
}

func TestConfigValidateReportsEverything(t *testing.T) {
	c := testConfig(t, NAML, 1, 1)
	c.Tasks = append(c.Tasks, c.Tasks[0], Task{})
	c.Lag = 0
	c.Modules[0].Name = "other"
	c.Settings = json.RawMessage(`{}`)
	err := c.Validate()
	for _, want := range []string{"twice", "lacks a name", "lag of 0", "m-16", "canonical"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func FuzzRestore(f *testing.F) {
	c := testConfig(f, Random, 1, 2)
	s, err := New(c)
	if err != nil {
		f.Fatal(err)
	}
	advance(f, s, 3)
	f.Add(s.Checkpoint("sha256:x"))
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
	for _, strategy := range Strategies() {
		b.Run(strategy, func(b *testing.B) {
			s, err := New(testConfig(b, strategy, 1, 4))
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
