package trainer

import (
	"math"
	"strings"
	"testing"

	"tnaml/experiments/space"
)

func TestViolation(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	most := func(metric string, v float64) space.Constraint {
		return space.Constraint{Metric: metric, Max: number(v)}
	}
	metrics := map[string]float64{"latency_ms": 60, "validation_recall": .6, "drift": .25}
	for _, c := range []struct {
		constraints []space.Constraint
		want        float64
		missing     string
	}{
		{nil, 0, ""},
		{[]space.Constraint{most("latency_ms", 60)}, 0, ""},
		{[]space.Constraint{most("latency_ms", 50)}, .2, ""},                                // 10 of 50
		{[]space.Constraint{{Metric: "recall", Min: number(.8)}}, .25, ""},                  // .2 of .8, on the validation split
		{[]space.Constraint{most("latency_ms", 50), most("drift", 0)}, .45, ""},             // of a bound of 0 the distance itself
		{[]space.Constraint{{Metric: "drift", Min: number(0), Max: number(1)}}, 0, ""},      // between the two
		{[]space.Constraint{{Metric: "drift", Min: number(-2), Max: number(-1)}}, 1.25, ""}, // 1.25 of 1
		{[]space.Constraint{most("size", 5), most("cost", 5)}, 0, "size cost"},
	} {
		got, missing := Violation(metrics, c.constraints)
		if math.Abs(got-c.want) > 1e-12 || strings.Join(missing, " ") != c.missing {
			t.Errorf("%+v: %v %v, want %v %q", c.constraints, got, missing, c.want, c.missing)
		}
	}
}

func TestJudged(t *testing.T) {
	fifty := 50.
	constraints := []space.Constraint{{Metric: "latency_ms", Max: &fifty}}
	o := Outcome{Status: OK, Metrics: map[string]float64{"accuracy": 1, "latency_ms": 63}, Steps: 3, Model: "m", Examples: "e"}
	got := o.Judged(constraints)
	if got.Status != Infeasible || got.Reason != "latency_ms is 63, it must be at most 50" || got.Model != "" || got.Metrics["accuracy"] != 1 {
		t.Errorf("%+v", got)
	}
	r := Request{Objective: accuracy, Constraints: constraints}
	if r.Keeps(o) {
		t.Error("an infeasible model is kept")
	}
	o.Metrics["latency_ms"] = 50
	if got := o.Judged(constraints); got.Status != OK || !r.Keeps(o) {
		t.Errorf("%+v", got)
	}
	delete(o.Metrics, "latency_ms")
	if got := o.Judged(constraints); got.Status != Failed || !strings.Contains(got.Reason, "it lacks latency_ms") || got.Steps != 3 {
		t.Errorf("%+v", got)
	}
	failed := Outcome{Status: Diverged, Reason: "NaN"}
	if got := failed.Judged(constraints); got.Status != Diverged {
		t.Errorf("%+v", got)
	}
	if got := (Outcome{Status: Infeasible, Metrics: o.Metrics}).Checked(accuracy); got.Status != Failed {
		t.Errorf("a trainer says %s", got.Status)
	}
}

// Constraints are read and checked with the space.
func TestSpaceConstraints(t *testing.T) {
	yaml := func(constraints string) []byte {
		return []byte("name: x\ntrainer: ours\nconstraints: " + constraints + "\nchoices: [{name: a, options: [1]}]\n")
	}
	sp, err := Load(yaml("[{metric: latency_ms, max: 5e1}, {metric: gain, min: -2, max: 0}]"))
	if err != nil || len(sp.Constraints) != 2 || *sp.Constraints[0].Max != 50 || *sp.Constraints[1].Min != -2 || *sp.Constraints[1].Max != 0 {
		t.Errorf("%+v %v", sp, err)
	}
	for in, want := range map[string]string{
		"3":                                 "must be a list of constraints",
		"[{metric: m, maxx: 1}]":            `unknown field "maxx" of a constraint (known: max, metric, min)`,
		"[{metric: m, max: yes}]":           `"max" is`,
		"[{metric: m}]":                     "neither min nor max",
		"[{max: 3}]":                        `a constraint's metric ""`,
		"[{metric: m, min: 2, max: 1}]":     "its min 2 is above its max 1",
		"[{metric: m, max: .inf}]":          "must be a number",
		"[{metric: test_accuracy, max: 1}]": "must not learn from the test split",
		"[" + strings.Repeat("{metric: m, max: 1},", 17) + "]": "17 constraints: there can be 16",
	} {
		if _, err := Load(yaml(in)); !says(err, want, "line 3") {
			t.Errorf("%s: %v", in, err)
		}
	}
	b := strings.Replace(twelveYAML(t), "choices:",
		"constraints: [{metric: latency, max: 1}, {metric: parameters, max: 1e6}]\nchoices:", 1)
	if _, err := Load([]byte(b)); !says(err, `reports no "latency" to bound`) || says(err, `"parameters" to`) {
		t.Error(err)
	}
}
