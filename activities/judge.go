package activities

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/study"
)

// JudgeInput asks for the verdict on a benchmark's night.
type JudgeInput struct {
	Experiment string            `json:"experiment"`
	Name       string            `json:"name"`
	RunID      string            `json:"run_id"`
	Line       string            `json:"line,omitempty"`
	Benchmark  catalog.Benchmark `json:"benchmark"`
}

// MaxNamed bounds what an answer names of many: a night has thousands of figures, and a collection
// may miss as many objects.
const MaxNamed = 20

// Judged is the verdict on a night. What it says of each figure is in the Report.
type Judged struct {
	// Status is "passed" or "regressed".
	Status string `json:"status"`
	// Nights is the number of earlier nights there were to compare with.
	Nights int `json:"nights"`
	// Figures is the number of those compared, Regressed of those that are worse, and Worse
	// holds the first MaxNamed of them, the worst first.
	Figures   int             `json:"figures"`
	Regressed int             `json:"regressed,omitempty"`
	Worse     []study.Verdict `json:"worse,omitempty"`
	// Failures is the number of searches that did not come to an end, and Failed names the
	// first MaxNamed of them, with the reason: a night with any has not passed.
	Failures int      `json:"failures,omitempty"`
	Failed   []string `json:"failed,omitempty"`
	// Simulated is the verdict on simulated searches, where there were any.
	Simulated *study.SimulatedVerdict `json:"simulated,omitempty"`
	Report    store.Ref               `json:"report"`
}

// pastNight is an earlier night that came to a verdict.
type pastNight struct {
	name   string
	report *library.RunReport
}

// JudgeNight compares a recorded run's figures with those of the benchmark's
// earlier nights, and records figures and verdict.
func (a *Activities) JudgeNight(ctx context.Context, in JudgeInput) (Judged, error) {
	j, err := a.judge(ctx, in)
	return j, classify(err)
}

func (a *Activities) judge(ctx context.Context, in JudgeInput) (Judged, error) {
	record, err := library.ReadExperiment(ctx, a.store, in.Experiment)
	if err != nil {
		return Judged{}, err
	}
	at := slices.IndexFunc(record.Runs, func(e library.RunEntry) bool { return e.Name == in.Name && e.RunID == in.RunID })
	if at < 0 {
		return Judged{}, invalid(fmt.Errorf("experiment %q: its run %s, %s is not recorded", in.Experiment, in.Name, in.RunID))
	}
	entry := record.Runs[at]
	entry.Fence = fence(ctx, in.Line)
	report, err := library.ReadReport(ctx, a.store, entry.Report)
	if err != nil {
		return Judged{}, err
	}
	tonight, err := library.ReadNight(ctx, a.store, in.Name, report)
	if err != nil {
		return Judged{}, err
	}
	report.Figures = study.Figures(tonight)
	past := a.pastNights(ctx, record.Runs[:at])
	var earlier [][]study.Figure
	for night, err := range past {
		if err != nil {
			return Judged{}, err
		}
		if earlier = append(earlier, night.report.Figures); len(earlier) == in.Benchmark.Nights {
			break
		}
	}
	slices.Reverse(earlier)
	b := in.Benchmark
	report.Verdicts = study.Judge(report.Figures, earlier, study.Tolerances{Factor: b.Tolerance, Accuracy: b.Accuracy, Cost: b.Cost})
	worse := study.Regressions(report.Verdicts)
	out := Judged{Status: "passed", Nights: len(earlier), Figures: len(report.Verdicts), Regressed: len(worse),
		Worse: worse[:min(len(worse), MaxNamed)]}
	if report.Simulated != nil {
		verdict, err := a.judgeSimulated(ctx, report.Simulated, past)
		if err != nil {
			return Judged{}, err
		}
		report.Simulated.SimulatedVerdict, out.Simulated = verdict, &verdict
		if verdict.Slower() {
			out.Status = "regressed"
		}
	}
	for _, o := range report.Outcomes {
		if o.Status == "completed" {
			continue
		}
		if out.Failures++; out.Failures <= MaxNamed {
			out.Failed = append(out.Failed, o.Search+": "+o.Reason)
		}
	}
	if out.Regressed > 0 || out.Failures > 0 {
		out.Status = "regressed"
	}
	if out.Report, err = library.PutReport(ctx, a.store, report); err != nil {
		return Judged{}, err
	}
	return out, library.UpdateRun(ctx, a.store, in.Experiment, entry, func(e *library.RunEntry) {
		e.Status, e.Report = out.Status, out.Report
	})
}

// pastNights are the nights that came to a verdict, the latest first. An error is the
// last.
func (a *Activities) pastNights(ctx context.Context, runs []library.RunEntry) iter.Seq2[pastNight, error] {
	return func(yield func(pastNight, error) bool) {
		for _, e := range slices.Backward(runs) {
			if e.Kind != catalog.KindBenchmark || e.Status != "passed" && e.Status != "regressed" {
				continue
			}
			report, err := library.ReadReport(ctx, a.store, e.Report)
			if !yield(pastNight{e.Name, report}, err) || err != nil {
				return
			}
		}
	}
}
