package report

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// made is a search of n trials of one CPU-minute each, with the accuracies that
// a function of the trial gives.
func made(strategy, task string, seed uint64, n int, accuracy func(i int) float64) Search {
	s := Search{Name: fmt.Sprint(task, "-", strategy, "-", seed), Config: search.Config{
		Strategy: strategy, Seed: seed, Tasks: []search.Task{{Name: task}}, Space: space.Space{},
	}}
	for i := range n {
		a := accuracy(i)
		s.Trials = append(s.Trials, search.Trial{Trial: i, Status: trainer.OK, Reward: a, Validation: a, Test: a,
			Metrics: map[string]float64{"validation_accuracy": a, "test_accuracy": a}})
		s.Costs = append(s.Costs, search.Cost{Trial: i, CPUSeconds: 60})
	}
	return s
}

func always(a float64) func(int) float64 { return func(int) float64 { return a } }

// from is lower than `then` before a trial.
func from(trial int, then float64) func(int) float64 {
	return func(i int) float64 {
		if i < trial {
			return then - .2
		}
		return then
	}
}

func view1(t *testing.T, searches ...Search) *view {
	t.Helper()
	v, err := newView(Input{Searches: searches})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// transferred makes a search one that started from a controller.
func transferred(s Search) Search {
	s.Config.Controller, s.Name = "sha256:c", s.Name+"-transferred"
	return s
}

// The validation accuracy is at its end from the tenth good model on: by hand.
func TestMatches(t *testing.T) {
	v := view1(t,
		made("random", "a", 1, 100, from(50, .8)),            // at .8 after 60 trials
		made("random", "a", 2, 100, from(30, .7)),            // at .7 after 40
		made("naml", "a", 1, 100, from(10, .8)),              // at .8 after 20: 3 times as fast
		made("naml", "a", 2, 100, always(.7)),                // at .7 after 10: 4 times
		made("naml", "a", 3, 100, always(.79)),               // never at .8, the first random search's: 100 trials count
		transferred(made("naml", "a", 1, 100, always(.8))),   // at .8 after 10: S = 2 over the single-task search's 20
		transferred(made("naml", "a", 3, 50, always(.8))),    // S = 100/10, where single-task never got there
		transferred(made("naml", "a", 4, 50, from(45, .81))), // never: 50 trials count, S = 20/50
		made("naml", "b", 1, 100, always(.9)),                // no random search there
		made("random", "c", 1, 9, always(.9)),                // not even ten models
		made("naml", "c", 1, 20, always(.9)),
	)
	type row struct {
		search         string
		target         float64
		random, needed int
		speedup, s     string
		saved          float64
	}
	var got []row
	for _, m := range v.Matches {
		r := row{m.Search, math.Round(100*m.Target.Mean) / 100, m.RandomTrials, m.Needed, m.Speed(), "", 0}
		if m.Single != nil {
			r.s, r.saved = m.S(), math.Round(m.Single.Saved)
		}
		got = append(got, r)
	}
	want := []row{
		{"a-naml-1", .8, 60, 20, "3.0×", "", 0},
		{"a-naml-2", .7, 40, 10, "4.0×", "", 0},
		{"a-naml-3", .8, 60, 100, "≤ 0.6×", "", 0},
		{"a-naml-1-transferred", .8, 60, 10, "6.0×", "2.0", 3000}, // 100 · 60 s · (1 − 1/2)
		{"a-naml-3-transferred", .8, 60, 10, "6.0×", "≥ 10", 5400},
		{"a-naml-4-transferred", .8, 60, 50, "≤ 1.2×", "≤ 0.4", -9000},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
}

// The single-task search is the one with the settings of the transferred one, if there is one.
func TestMatchesBySettings(t *testing.T) {
	ppo := made("naml", "a", 1, 100, always(.7))
	ppo.Name, ppo.Config.Settings = "ppo", []byte(`{"method":"ppo"}`)
	v := view1(t, made("random", "a", 1, 100, from(50, .8)), ppo, made("naml", "a", 2, 100, from(10, .8)),
		transferred(made("naml", "a", 1, 100, always(.8))))
	if m := v.Matches[len(v.Matches)-1]; m.Single == nil || m.Single.Search != "a-naml-2" || m.S() != "2.0" {
		t.Errorf("%+v", m.Single)
	}
}

func TestPairs(t *testing.T) {
	v := view1(t,
		made("naml", "a", 1, 20, always(.9)), made("random", "a", 1, 20, always(.8)), // won
		made("naml", "a", 2, 20, always(.8)), made("random", "a", 2, 20, always(.8)), // drawn
		made("naml", "a", 3, 20, always(.8)),                                         // no counterpart of this seed
		made("naml", "b", 1, 20, always(.7)), made("random", "b", 5, 20, always(.8)), // lost; the only ones, whatever their seeds
		made("naml", "c", 1, 9, always(.9)), made("random", "c", 1, 20, always(.8)), // not comparable
		made("naml", "d", 1, 20, always(.9)), made("other", "d", 1, 20, always(.8)), // a single case
	)
	tally := metrics.Tally{Wins: 1, Draws: 1, Losses: 1}
	if diff := cmp.Diff([]pair{{A: "naml", B: "random", Validation: tally, Test: tally, Cases: 3, Tested: 3}}, v.Pairs); diff != "" {
		t.Error(diff)
	}
}

// Bold marks the best and what cannot be told from it, among searches with ten
// models; one alone is not marked.
func TestBold(t *testing.T) {
	spread := func(mean float64) func(int) float64 { // the ten: mean ± .03, 2 s.e.m. = .02
		return func(i int) float64 { return mean + .03*float64(1-2*(i%2)) }
	}
	v := view1(t,
		made("random", "a", 1, 10, spread(.8)), made("naml", "a", 1, 10, spread(.819)), made("naml", "a", 2, 10, spread(.79)),
		made("naml", "a", 3, 9, always(.99)),
		made("naml", "b", 1, 10, always(.9)),
	)
	var got []bool
	for _, tv := range v.Tasks {
		for _, a := range tv.Arms {
			if a.BestTest != a.BestValidation {
				t.Errorf("%s: test %v, validation %v", a.Search, a.BestTest, a.BestValidation)
			}
			got = append(got, a.BestTest)
		}
	}
	if diff := cmp.Diff([]bool{true, true, false, false, false}, got); diff != "" {
		t.Error(diff)
	}
}

// What was not measured on the test split is neither drawn nor compared there: 0 is no value
// of it, and would be the best of what is minimised.
func TestUntestedBesideTested(t *testing.T) {
	s := []Search{knobs("learner", 1, 40, false), knobs("learner", 2, 40, true), knobs("learner", 3, 40, true)}
	tv := view1(t, s...).Tasks[0]
	if a := tv.Arms; a[0].BestTest || !a[1].BestTest && !a[2].BestTest {
		t.Errorf("best by test: %v, %v, %v", a[0].BestTest, a[1].BestTest, a[2].BestTest)
	}
	for _, figures := range [][]figure{tv.Plots, tv.Seeds} {
		if got := string(figures[1].SVG); strings.Contains(got, " trials to 0 after") || strings.Contains(got, s[0].Name) {
			t.Errorf("%.600s", got)
		}
	}
	if a := tv.Arms; a[0].Untested != 0 || a[1].Untested != 0 {
		t.Errorf("untested beside tested ones: %d, %d", a[0].Untested, a[1].Untested)
	}
	one := knobs("learner", 2, 40, true)
	for i := range one.Trials {
		if one.Trials[i].OK() {
			one.Trials[i].Metrics = maps.Clone(one.Trials[i].Metrics)
			delete(one.Trials[i].Metrics, "test_latency_ms")
			break
		}
	}
	if a := view1(t, one).Tasks[0].Arms[0]; a.Tested || a.Untested != 1 {
		t.Errorf("a search with one untested model: tested %v, %d untested", a.Tested, a.Untested)
	}
	s = append(s, knobs("learner", 4, 40, true), knobs("learner", 5, 40, true), knobs("learner", 6, 40, true))
	plots := view1(t, s...).Tasks[0].Plots // one each, of which the untested one comes last
	if last := plots[len(plots)-1]; len(plots) != 6 || plots[0].Heading != s[1].Name || last.Heading != s[0].Name+", validation" ||
		!strings.Contains(string(last.SVG), "Validation latency_ms-top10 over trials") {
		t.Errorf("%d figures, the last of %s", len(plots), last.Heading)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{points(.98765), "98.77"}, {points(-.0123), "−1.23"}, {points(-.000001), "0.00"}, {points(1), "100.00"},
		{scaleOf(&space.Space{}).Estimate(metrics.Estimate{Mean: .981, Error: .0012}), "98.10 ± 0.12"},
		{duration(0), "0.00 s"}, {duration(9.876), "9.88 s"}, {duration(75.04), "75.0 s"}, {duration(600), "10.0 min"},
		{duration(3600 * 1234.56), "1,234.6 h"}, {duration(-7200), "−2.0 h"}, {duration(-90), "−90.0 s"},
		{count(1234567), "1,234,567"}, {label("deep_learning_rate"), "deep learning rate"},
		{fmt.Sprint(metrics.Median([]float64{3, 1, 2}), metrics.Median([]float64{4, 1, 2, 3}), metrics.Median(nil)), "2 2.5 0"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}
