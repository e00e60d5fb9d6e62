package trainer

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/space"
)

var rmse = space.Objective{Metric: "rmse", Direction: space.Minimise}

// A floor holds at the first point at or after its step, for the best value so far.
func TestBelow(t *testing.T) {
	curve := []Point{{100, .5}, {200, .6}, {400, .55}}
	for _, c := range []struct {
		floors []Point
		n      int // points so far
		want   bool
	}{
		{nil, 3, false},
		{[]Point{{100, .5}}, 1, false},  // equal is no worse
		{[]Point{{100, .51}}, 1, true},  // worse
		{[]Point{{100, .51}}, 2, false}, // held at the first point alone
		{[]Point{{150, .61}}, 1, false}, // not there yet
		{[]Point{{150, .61}}, 2, true},  // the first point after it
		{[]Point{{300, .58}}, 3, false}, // .6 was the best so far
		{[]Point{{400, .601}}, 3, true}, // nor is that enough
		{[]Point{{500, 1}}, 3, false},   // beyond
		{[]Point{{1, .4}, {100, .9}}, 1, true},
	} {
		if got := Below(c.floors, curve[:c.n], accuracy); got != c.want {
			t.Errorf("%v at %v: %v", c.floors, curve[:c.n], got)
		}
	}
	if Below([]Point{{1, 1}}, nil, accuracy) {
		t.Error("without a point")
	}
	if !Below([]Point{{100, .4}}, curve[:1], rmse) || Below([]Point{{100, .5}}, curve[:1], rmse) {
		t.Error("where less is better")
	}
}

func TestCut(t *testing.T) {
	full := Outcome{Status: OK, Metrics: map[string]float64{"accuracy": .6}, Steps: 400, Model: "m", Curve: []Point{{100, .5}, {200, .6},
		{400, .6}}}
	if got := full.Cut([]Point{{100, .5}, {400, .9}}, accuracy); !reflect.DeepEqual(got, full) {
		t.Errorf("at its last step no trial is pruned: %+v", got)
	}
	want := Outcome{Status: Pruned, Steps: 200, Curve: full.Curve[:2],
		Reason: "its best accuracy by step 200, 60.00 %, is worse than the floor there"}
	got := full.Cut([]Point{{100, .5}, {150, .7}}, accuracy)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if checked := got.Checked(accuracy); !reflect.DeepEqual(checked, got) {
		t.Error(checked.Reason)
	}
	if v, ok := got.Reached(accuracy); v != .6 || !ok {
		t.Errorf("reached %v", v)
	}
	told := Outcome{Status: Pruned, Metrics: map[string]float64{"accuracy": .3}} // by a loop of one's own
	if v, ok := told.Checked(accuracy).Reached(accuracy); v != .3 || !ok {
		t.Errorf("reached %v", v)
	}
}

// A curve may count other steps than the outcome does: its last point is the end of a trial that came to
// its own, unless the curve is full and ends elsewhere than the outcome.
func TestCutByOtherSteps(t *testing.T) {
	epochs := Outcome{Status: OK, Metrics: map[string]float64{"accuracy": .6}, Steps: 1600, Model: "m", Curve: []Point{{5, .5}, {10, .6}}}
	full := epochs
	full.Curve = nil
	for i := range MaxCurve {
		full.Curve = append(full.Curve, Point{i + 1, .6})
	}
	more := full
	more.Curve = slices.Clone(full.Curve)
	more.Curve[MaxCurve-1].Value = .55
	for _, c := range []struct {
		o     Outcome
		steps int
		floor Point
		want  int // pruned at; 0: not
	}{
		{epochs, 1600, Point{10, .7}, 0}, {epochs, 1600, Point{5, .7}, 5},
		{epochs, 5, Point{5, .7}, 5}, {epochs, 0, Point{10, .7}, 0}, // steps that a curve goes beyond, or none
		{more, 1600, Point{64, .7}, 64}, {more, 64, Point{64, .7}, 0}, {more, 1600, Point{65, .7}, 0},
		{full, 1600, Point{64, .7}, 0}, {full, 1600, Point{63, .7}, 63}, {full, 64, Point{64, .7}, 0}, {full, 1600, Point{65, .7}, 0},
	} {
		c.o.Steps = c.steps
		want := c.o
		if c.want > 0 {
			want = PrunedAt(slices.DeleteFunc(slices.Clone(c.o.Curve), func(p Point) bool { return p.Step > c.want }), accuracy)
		}
		if got := c.o.Cut([]Point{c.floor}, accuracy); !reflect.DeepEqual(got, want) {
			t.Errorf("%d steps, the floor %v: %s %s", c.steps, c.floor, got.Status, got.Reason)
		}
	}
	diverged := Outcome{Status: Diverged, Steps: 12, Curve: epochs.Curve} // it went on after its last point
	if got := diverged.Cut([]Point{{10, .7}}, accuracy); got.Status != Pruned {
		t.Errorf("%+v", got)
	}
}

func TestCurveChecked(t *testing.T) {
	long := make([]Point, MaxCurve+1)
	for want, curve := range map[string][]Point{
		"65 points, more than 64":      long,
		"step 0 as point 1":            {{0, 1}},
		"step 100 as point 2":          {{100, 1}, {100, 1}},
		"its curve is NaN at step 5":   {{5, math.NaN()}},
		"its curve is 1e+31 at step 5": {{5, 1e31}},
		"step 2000000000 as point 1":   {{2000000000, 1}},
	} {
		o := Outcome{Status: OK, Metrics: map[string]float64{"accuracy": 1}, Curve: curve}
		if got := o.Checked(accuracy); got.Status != Failed || !strings.Contains(got.Reason, want) {
			t.Errorf("%s: %+v", want, got)
		}
	}
	if got := (Outcome{Status: Pruned}).Checked(accuracy); !strings.Contains(got.Reason, "does not say what it had reached") {
		t.Errorf("%+v", got)
	}
	if got := DecodeOutcome([]byte(`{"status":"ok","metrics":{"accuracy":1},"curve":[[5,null]]}`),
		accuracy); !strings.Contains(got.Reason, "is NaN at step 5") {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{`{"curve":[[5]]}`, `{"curve":[[5,1,2]]}`, `{"curve":[[1.5,1]]}`, `{"curve":[7]}`, `{"curve":[["a",1]]}`} {
		if got := DecodeOutcome([]byte(bad), accuracy); got.Status != Failed || !strings.Contains(got.Reason, "no outcome") {
			t.Errorf("%s: %+v", bad, got)
		}
	}
	r := Request{Objective: accuracy, Curve: true}
	bare := Outcome{Status: OK, Metrics: map[string]float64{"accuracy": 1}, Steps: 7}
	if got := r.Checked(bare); got.Status != Failed || got.Steps != 7 || !strings.Contains(got.Reason, "the search has a pruner") {
		t.Errorf("%+v", got)
	}
	bare.Curve = []Point{{5, 1}}
	if got := r.Checked(bare); !reflect.DeepEqual(got, bare) {
		t.Errorf("%+v", got)
	}
	if r.Curve = false; r.Checked(bare).Curve != nil {
		t.Error("a curve that nobody asked for")
	}
}

func TestPointJSON(t *testing.T) {
	b, err := json.Marshal([]Point{{200, .625}})
	if err != nil || string(b) != "[[200,0.625]]" {
		t.Errorf("%s %v", b, err)
	}
	var back []Point
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, []Point{{200, .625}}) {
		t.Errorf("%v %v", back, err)
	}
}
