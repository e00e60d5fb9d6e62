package activities

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/study"
)

// However much of a night is worse, its verdict is a short answer: the rest is in the report.
func TestNightOfManyFiguresIsAShortAnswer(t *testing.T) {
	const many = 1500
	b := newBench(t, "random")
	earlier := library.RunReport{Plan: library.Planned{Plan: catalog.Plan{Experiment: "e"}}}
	tonight := earlier
	for i := range many {
		f := study.Figure{Task: fmt.Sprintf("task %d %s", i, strings.Repeat("x", 100)), Arm: "naml", Measure: study.Test, Budget: 10,
			Values: []float64{.5, .6}}
		earlier.Figures = append(earlier.Figures, f, study.Figure{Task: f.Task, Arm: "random", Measure: study.Test, Budget: 10,
			Values: f.Values})
		tonight.Outcomes = append(tonight.Outcomes, library.Outcome{Search: f.Task, Phase: study.Transfer, Task: f.Task, Arm: "naml",
			Status: "failed", Reason: strings.Repeat("no luck ", 25)})
	}
	for i, r := range []*library.RunReport{&earlier, &tonight} {
		name := fmt.Sprint(i + 1)
		ref, err := library.PutReport(t.Context(), b.store, r)
		if err != nil {
			t.Fatal(err)
		}
		entry := library.RunEntry{Name: name, RunID: name, Kind: catalog.KindBenchmark, Status: "passed", Report: ref}
		if err := library.UpdateRun(t.Context(), b.store, "e", entry, func(*library.RunEntry) {}); err != nil {
			t.Fatal(err)
		}
	}
	var out Judged
	b.run(t, b.a.JudgeNight, JudgeInput{Experiment: "e", Name: "2", RunID: "2", Benchmark: catalog.Benchmark{Nights: 5}}, &out)
	if out.Status != "regressed" || out.Figures != 2*many || out.Regressed != 2*many || out.Failures != many ||
		len(out.Worse) != MaxNamed || len(out.Failed) != MaxNamed {
		t.Errorf("%s: %d of %d worse (%d named), %d failed (%d named)", out.Status, out.Regressed, out.Figures, len(out.Worse), out.Failures,
			len(out.Failed))
	}
	if raw, err := json.Marshal(out); err != nil || len(raw) > 64<<10 {
		t.Errorf("the answer has %d bytes, %v", len(raw), err)
	}
	report, err := library.ReadReport(t.Context(), b.store, out.Report)
	if err != nil || len(report.Verdicts) != 2*many {
		t.Errorf("the report has %d verdicts, %v", len(report.Verdicts), err)
	}
}
