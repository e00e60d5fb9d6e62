package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
)

// record writes down how the run stands.
func (r *experimentRun) record(ctx workflow.Context) (ref store.Ref, err error) {
	var a *activities.Activities
	return ref, workflow.ExecuteActivity(lightActivity(ctx, "record the run"), a.RecordRun, r.recordInput()).Get(ctx, &ref)
}

func (r *experimentRun) recordInput() activities.RecordRunInput {
	return activities.RecordRunInput{
		Experiment: r.state.Planned.Experiment, Kind: r.kind, Name: r.name, RunID: r.runID, Line: r.state.Line, Status: r.finished,
		Outcomes: r.state.Outcomes,
	}
}

// finish records the run and says how it went.
func (r *experimentRun) finish(ctx workflow.Context) (*ExperimentResult, error) {
	var failures []string
	for _, o := range r.state.Outcomes {
		if o.Status == "failed" || o.Status == "canceled" {
			failures = append(failures, o.Search+": "+o.Reason)
		}
	}
	if len(failures) > 0 && len(failures) == len(r.state.Outcomes) {
		r.finished = "failed"
	}
	r.show(ctx)
	var ref store.Ref
	err := r.step(ctx, "the run could not be recorded", func(ctx workflow.Context) (err error) {
		ref, err = r.record(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	result := &ExperimentResult{
		Experiment: r.state.Planned.Experiment, Status: r.finished, Searches: len(r.state.Outcomes), Failed: len(failures),
		Outcomes: r.state.Outcomes, Report: ref,
	}
	for _, o := range r.state.Outcomes {
		result.Trials += o.Trials
		result.Cached += o.Cached
		result.CPUSeconds += o.CPUSeconds
	}
	for _, s := range r.state.Planned.Pretrain {
		if v, ok := r.state.Learned[s.Pretraining]; ok && v.Ref != "" {
			result.Controllers = append(result.Controllers, v)
		}
	}
	if r.kind == catalog.KindBenchmark && r.finished == "completed" {
		err := r.step(ctx, "the night could not be compared with earlier ones", func(ctx workflow.Context) (err error) {
			result.Verdict, err = r.judge(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		r.finished, result.Status, result.Report = result.Verdict.Status, result.Verdict.Status, result.Verdict.Report
	}
	r.over, r.waits = true, ""
	r.attributes(ctx, false)
	r.showVerdict(ctx, result.Verdict)
	switch {
	case r.finished == "regressed":
		return nil, regressed(result)
	case r.finished == "failed":
		return nil, temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("none of the %d searches came to its end; the first: %s", len(failures), failures[0]), ErrTypeAllFailed,
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{failures[:min(len(failures), activities.MaxNamed)]}})
	}
	return result, nil
}

func (r *experimentRun) judge(ctx workflow.Context) (*activities.Judged, error) {
	var a *activities.Activities
	var judged activities.Judged
	err := workflow.ExecuteActivity(lightActivity(ctx, "compare with earlier nights"), a.JudgeNight, activities.JudgeInput{
		Experiment: r.state.Planned.Experiment, Name: r.name, RunID: r.runID, Line: r.state.Line, Benchmark: *r.state.Planned.Benchmark,
	}).Get(ctx, &judged)
	return &judged, err
}

// regressed is the error that a worse night ends with: it names what is worse.
func regressed(result *ExperimentResult) error {
	v := result.Verdict
	var lines []string
	for _, w := range v.Worse {
		lines = append(lines, w.Say())
	}
	for _, f := range v.Failed {
		lines = append(lines, "failed: "+limit.Note(f))
	}
	all := v.Regressed + v.Failures
	message := fmt.Sprintf("the benchmark %s regressed in %d of %d figures", result.Experiment, v.Regressed, v.Figures)
	if s := v.Simulated; s != nil && s.Slower() {
		message += ", and its simulated searches are " + s.Say()
		for _, line := range s.Lines(true) {
			all, lines = all+1, append(lines, "simulated · "+line)
		}
	}
	if v.Failures > 0 {
		message += fmt.Sprintf(", and %d searches failed", v.Failures)
	}
	named := lines[:min(len(lines), activities.MaxNamed)]
	if more := all - len(named); more > 0 {
		named = append(named[:len(named):len(named)], fmt.Sprintf("and %d more", more))
	}
	return temporal.NewApplicationErrorWithOptions(message+":\n"+strings.Join(named, "\n"), ErrTypeRegressed,
		temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{named}})
}

// interrupted ends a run that was cancelled or given up: its searches end first, and
// what there is gets recorded, or where that fails too, how it ended.
func (r *experimentRun) interrupted(ctx workflow.Context, err error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	given := r.gaveUp && r.finished != "" // recording has just been tried
	r.finished = r.ending(err)
	r.show(ctx)
	_ = workflow.Await(ctx, func() bool { return len(r.running) == 0 && r.simulating == nil }) // nothing cancels it
	workflow.GoNamed(ctx, "watch the end", r.watch)
	r.doing++
	if r.state.Planned.Experiment != "" {
		r.skip("the experiment was " + r.finished)
		var failed error
		if !given {
			_, failed = r.record(ctx)
		}
		if given || failed != nil {
			var a *activities.Activities
			in := r.recordInput()
			in.StatusOnly, in.Outcomes = true, nil
			if failed := workflow.ExecuteActivity(lastActivity(ctx, "record how it ended"), a.RecordRun, in).Get(ctx, nil); failed != nil {
				workflow.GetLogger(ctx).Error("the run's record does not say how it ended", "error", failed)
			}
		}
	}
	r.over, r.waits = true, ""
	r.attributes(ctx, false)
	r.show(ctx)
}
