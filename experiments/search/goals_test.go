package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"tnaml/experiments/search/pruner"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/rng"
)

func bounded(objective space.Objective) *space.Space {
	fifty := 50.
	return &space.Space{Objective: objective, Constraints: []space.Constraint{{Metric: "parameters", Max: &fifty}}}
}

// The rewards of infeasible models by hand.
func TestInfeasibleRewards(t *testing.T) {
	sp := bounded(accuracy)
	e := make(extents, 1)
	tell := func(status trainer.Status, value, latency, want float64) {
		t.Helper()
		o := trainer.Outcome{Status: status, Metrics: map[string]float64{"validation_accuracy": value, "parameters": latency}}
		if status.Failure() {
			o.Metrics = nil
		}
		if status == trainer.Pruned {
			o.Metrics, o.Curve = nil, []trainer.Point{{Step: 1, Value: value}}
		}
		row := NewTrial(Proposal{}, o, sp.Objective, sp.Constraints...)
		if got := e.reward(row, sp); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s %v, latency %v: told %v, want %v", status, value, latency, got, want)
		}
	}
	tell(trainer.Failed, 0, 0, 0)               // nothing is known yet
	tell(trainer.OK, .9, 100, .9-.0009*.75)     // v = 1: the first, a thousandth of its size is the scale
	tell(trainer.OK, .8, 50, .8)                // feasible
	tell(trainer.Failed, 0, 0, .8)              // the worst so far
	tell(trainer.OK, .85, 100, .8-.1*.75)       // v = 1: ½ + ¼ of the distance .9 − .8
	tell(trainer.OK, .95, 200, .8-.15*(1-.125)) // v = 3: its own objective is the best now
	tell(trainer.OK, .95, 50.5, .8-.15*(1-.5/1.01))
	tell(trainer.OK, .5, 100, .5-.45*.75) // and the worst
	tell(trainer.Pruned, .4, 0, .4)       // what it reached
	tell(trainer.Pruned, .99, 0, .8)      // more than any at its end: the worst that ended well
	tell(trainer.Lost, 0, 0, .4)
	tell(trainer.OK, .6, 10, .6)
	tell(trainer.Pruned, .7, 0, .6)
	tell(trainer.OK, .95, 100, .4-.55*.75) // early values are not the best

	e = make(extents, 1)
	tell(trainer.Pruned, .7, 0, .7) // none has ended well
	tell(trainer.OK, .9, 100, .7-.2*.75)
	tell(trainer.Pruned, .8, 0, .8) // the only one that ended breaks a constraint

	sp = bounded(space.Objective{Metric: "accuracy", Direction: space.Minimise})
	e = make(extents, 1)
	tell(trainer.OK, 1000, 100, -1000-1*.75)
	tell(trainer.OK, 3000, 50, -3000)
	tell(trainer.OK, 2000, 100, -3000-2000*.75)
}

// random trials of a search with constraints and a pruner: outcomes are functions of the
// proposals.
func goalsConfig(t *testing.T, rule string, lag int) Config {
	t.Helper()
	c := testConfig(t, "tpe", 3, lag)
	c.Space.Constraints = bounded(accuracy).Constraints
	choice, err := pruner.Choice{Name: rule}.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	c.Pruner = &choice
	return c
}

func curveOutcome(p Proposal, objective space.Objective) trainer.Outcome {
	g := rng.New(p.Seed, "curve", 0)
	o := trainer.Outcome{Status: trainer.OK, Steps: 25 << g.IntN(5), Metrics: map[string]float64{"parameters": 100 * g.Float64()}}
	for step, value := 25, g.Float64()/2; step <= o.Steps; step *= 2 {
		value += g.Float64() / 10
		o.Curve = append(o.Curve, trainer.Point{Step: step, Value: value})
		o.Metrics["validation_accuracy"] = value
	}
	if g.IntN(10) == 0 {
		return trainer.Outcome{Status: trainer.Diverged, Reason: "made up"}
	}
	return o.Cut(p.Prune, objective)
}

// With constraints and a pruner, too: a search that is restored at any trial, or told
// again, goes on as one that never stopped; no infeasible model is told above a feasible
// one, and none is a leader.
func TestGoalsAreCanonical(t *testing.T) {
	for _, rule := range []string{"median", "halving"} {
		c := goalsConfig(t, rule, 4)
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[trainer.Status]int{}
		least, floors := map[int]float64{}, 0
		for i := range 150 {
			p, err := s.Ask(i)
			if err != nil {
				t.Fatal(err)
			}
			floors += len(p.Prune)
			if err := s.Tell(NewTrial(p, curveOutcome(p, c.Space.Objective), c.Space.Objective, c.Space.Constraints...)); err != nil {
				t.Fatal(err)
			}
			row := s.segment[len(s.segment)-1]
			seen[row.Status]++
			switch worst, ok := least[row.Task]; {
			case row.OK() && (!ok || row.Reward < worst):
				least[row.Task] = row.Reward
			case row.Status == trainer.Infeasible && ok && row.Reward >= worst:
				t.Errorf("trial %d is infeasible and told %v, a feasible one %v", i, row.Reward, worst)
			}
			state := s.State()
			back, err := Restore(c, state)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back.State(), state) {
				t.Fatalf("trial %d: the state restored is another", i)
			}
			for k := range c.Lag {
				a, _ := s.Ask(i + 1 + k)
				b, _ := back.Ask(i + 1 + k)
				if !reflect.DeepEqual(a, b) {
					t.Fatalf("trial %d: %+v and %+v", i+1+k, a, b)
				}
			}
			if i%2 == 0 {
				back.segment = s.segment
				s = back
			}
		}
		for _, status := range []trainer.Status{trainer.OK, trainer.Pruned, trainer.Infeasible, trainer.Diverged} {
			if seen[status] == 0 || floors == 0 {
				t.Errorf("%s: no trial was %s: %v, %d floors", rule, status, seen, floors)
			}
		}
		for task := range c.Tasks {
			for _, l := range s.Leaders(task) {
				if status := s.segment[l.Trial].Status; status != trainer.OK {
					t.Errorf("%s: trial %d, a leader, is %s", rule, l.Trial, status)
				}
			}
		}
		rows := append([]Trial(nil), s.segment...)
		for i := range rows {
			rows[i].Reward = 0
		}
		FillRewards(&c, rows)
		if !reflect.DeepEqual(rows, s.segment) {
			t.Error("rewards filled in are others than told")
		}
	}
}

// A pruner is a part of a search's identity, and checked with it.
func TestPrunerIsIdentity(t *testing.T) {
	a, b := goalsConfig(t, "median", 2), goalsConfig(t, "halving", 2)
	none := a
	none.Pruner = nil
	if a.Digest() == b.Digest() || a.Digest() == none.Digest() {
		t.Error("two pruners, one digest")
	}
	for settings, want := range map[string]string{`{"reduction":1}`: "reduction is 1", `{"reduction":3}`: "not in canonical form"} {
		b.Pruner = &pruner.Choice{Name: "halving", Settings: json.RawMessage(settings)}
		if err := b.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}

// Trials of another search are judged by the constraints of the one that learns of them.
func TestSourcesAreJudgedAnew(t *testing.T) {
	old, own := testConfig(t, "random", 1, 1), testConfig(t, "tpe", 1, 1)
	own.Space.Constraints = bounded(accuracy).Constraints
	own.Tasks[0].Name, own.Tasks[0].Data = "own", "sha256:own"
	var trials []Trial
	for i, latency := range []float64{10, 60, 20} {
		actions := make([]int, len(old.Space.Choices))
		o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": .5 + float64(i)/10, "parameters": latency}}
		trials = append(trials, NewTrial(Proposal{Trial: i, Actions: actions}, o, old.Space.Objective))
	}
	trials = append(trials, NewTrial(Proposal{Trial: 3, Actions: trials[0].Actions}, // says nothing of the latency
		trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_accuracy": 1}}, old.Space.Objective))
	sources, taken, err := own.SourcesOf([]Past{{Name: "old", Config: &old, Trials: trials}})
	if err != nil || taken[0] != 3 {
		t.Fatalf("%v %v", taken, err)
	}
	got := fmt.Sprintf("%.4f", []float64{sources[0].Trials[0].Reward, sources[0].Trials[1].Reward, sources[0].Trials[2].Reward})
	if got != fmt.Sprintf("%.4f", []float64{.5, .5 - .1*(1-.5/1.2), .7}) || sources[0].Trials[1].Status != trainer.Infeasible {
		t.Errorf("%s %+v", got, sources[0].Trials)
	}
}
