package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

func TestFrontByHand(t *testing.T) {
	up, down := Axis{"a", space.Maximise}, Axis{"l", space.Minimise}
	var all []paretoRow
	for i, p := range [][2]float64{{.9, 50}, {.8, 20}, {.8, 30}, {.9, 50}, {.7, 10}, {.6, 10}, {.95, 60}, {.94, 70}} {
		all = append(all, paretoRow{Trial: i, X: p[0], Y: p[1]})
	}
	trials := func(rows []paretoRow) (out []int) {
		for _, r := range rows {
			out = append(out, r.Trial)
		}
		return out
	}
	if got := trials(front(all, up, down)); !slices.Equal(got, []int{6, 0, 1, 4}) { // of 0 and 3 the first
		t.Errorf("%v", got)
	}
	if got := trials(front(all, up, Axis{"l", space.Maximise})); !slices.Equal(got, []int{6, 7}) {
		t.Errorf("%v", got)
	}
	if got := trials(front(all, down, down)); !slices.Equal(got, []int{5}) {
		t.Errorf("%v", got)
	}
}

func TestParsePareto(t *testing.T) {
	fifty := 50.
	sp := &space.Space{Trainer: "ours", Objective: space.Objective{Metric: "rmse", Direction: space.Minimise},
		Constraints: []space.Constraint{{Metric: "latency_ms", Max: &fifty}, {Metric: "recall", Min: &fifty}}}
	for in, want := range map[string][2]space.Direction{
		"test_rmse,latency_ms": {space.Minimise, space.Minimise}, "recall, validation_rmse": {space.Maximise, space.Minimise},
		"size:min,rmse:max": {space.Minimise, space.Maximise},
	} {
		got, err := ParsePareto(in, sp)
		if err != nil || got[0].Direction != want[0] || got[1].Direction != want[1] {
			t.Errorf("%s: %+v %v", in, got, err)
		}
	}
	if got, err := ParsePareto("test_accuracy,log_loss", &space.Space{}); err != nil || got[0].Direction != space.Maximise ||
		got[1].Direction != space.Minimise {
		t.Errorf("%+v %v", got, err)
	}
	for in, want := range map[string]string{
		"rmse": "two metrics", "rmse,size": "write size:max or size:min", "rmse,size:up": "max or min", "rmse,rmse": "that differ",
		"a:min,b:min,c:min": "two metrics",
	} {
		if _, err := ParsePareto(in, sp); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// The page shows the front of feasible models alone, with names that are escaped, beside
// what was pruned and infeasible, and why the search ended.
func TestParetoPage(t *testing.T) {
	fifty := 50.
	sp := space.Space{Name: "x", Trainer: "ours", Objective: space.Objective{Metric: "gain", Direction: space.Maximise},
		Constraints: []space.Constraint{{Metric: "latency<ms>", Max: &fifty}},
		Choices:     []space.Choice{{Name: "depth", Options: []any{int64(1), int64(2)}}}}
	one := Search{Name: "s", Status: "completed", Reason: "the goal is reached: gain of 1",
		Config: search.Config{Tasks: []search.Task{{Name: "t", Data: "d"}}, Space: sp, Strategy: "random", Lag: 1}}
	for i, latency := range []float64{40, 45, 80, 20} {
		o := trainer.Outcome{Status: trainer.OK, Metrics: map[string]float64{"validation_gain": float64(i), "latency<ms>": latency}}
		one.Trials = append(one.Trials, search.NewTrial(search.Proposal{Trial: i, Actions: []int{i % 2}}, o, sp.Objective, sp.Constraints...))
	}
	one.Trials = append(one.Trials, search.NewTrial(search.Proposal{Trial: 4, Actions: []int{0}},
		trainer.Outcome{Status: trainer.Pruned, Steps: 5, Curve: []trainer.Point{{Step: 5, Value: 9}}}, sp.Objective))
	search.FillRewards(&one.Config, one.Trials)
	axes, err := ParsePareto("gain,latency<ms>", &sp)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, Input{Title: "p", Searches: []Search{one}, Pareto: axes}); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"<h3>gain and latency&lt;ms&gt;</h3>", "of 3 that have both metrics",
		`<td class="n">3</td><td class="n">3</td><td class="n">20</td>`,
		"3 models, 1 of them on the front", "Failed, pruned and infeasible trials", "latency&lt;ms&gt; is 80, it must be at most 50",
		"the goal is reached: gain of 1"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if strings.Contains(page, "<ms>") || strings.Count(page, "<circle cx") != 1 {
		t.Error(fmt.Sprint("points of the front: ", strings.Count(page, "<circle cx"), ", or a name is not escaped"))
	}
	axes[1].Metric = "size"
	if err := Write(&b, Input{Title: "p", Searches: []Search{one}, Pareto: axes}); err == nil || !strings.Contains(err.Error(),
		"no feasible model has both metrics") {
		t.Error(err)
	}
}
