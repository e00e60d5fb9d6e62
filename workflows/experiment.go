package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
	"tnaml/experiments/study"
)

// The workflow types of experiments, as they appear in the UI. Each takes one
// JSON object, of which {"experiment": "NAME"} is enough.
const (
	PretrainWorkflow   = string(catalog.KindPretrain)
	TransferWorkflow   = string(catalog.KindTransfer)
	ExperimentWorkflow = string(catalog.KindExperiment)
	BenchmarkWorkflow  = string(catalog.KindBenchmark)
)

// Error types of experiments that end badly. Everything is recorded before.
const (
	// ErrTypeRegressed: a benchmark's night is worse than those before.
	ErrTypeRegressed = "Regressed"
	// ErrTypeAllFailed: no search of an experiment came to its end.
	ErrTypeAllFailed = "AllFailed"
)

// ExperimentState is what an experiment carries over continue-as-new. It is
// absent at a start.
type ExperimentState struct {
	Planned library.Planned `json:"planned"`
	// Outcomes holds the searches that have ended, in the order of their end.
	Outcomes []library.Outcome `json:"outcomes,omitempty"`
	// Learned holds the controllers that this run has published, by the names of
	// their pretrainings.
	Learned map[string]library.ControllerVersion `json:"learned,omitempty"`
	// Simulated references what a benchmark's simulated searches took, once they have ended.
	Simulated store.Ref `json:"simulated,omitempty"`
	Held
	Started time.Time `json:"started"`
}

// ExperimentResult is what the workflows of experiments return: references to
// the ledgers.
type ExperimentResult struct {
	Experiment string `json:"experiment"`
	Status     string `json:"status"`
	// Searches is the number planned, Failed those that did not come to their
	// end, Trials the trials of all.
	Searches   int     `json:"searches"`
	Failed     int     `json:"failed,omitempty"`
	Trials     int     `json:"trials"`
	Cached     int     `json:"cached,omitempty"`
	CPUSeconds float64 `json:"cpu_seconds"`
	// Controllers are those published.
	Controllers []library.ControllerVersion `json:"controllers,omitempty"`
	Outcomes    []library.Outcome           `json:"outcomes"`
	// Verdict is a benchmark's.
	Verdict *activities.Judged `json:"verdict,omitempty"`
	// Report references what is recorded of the run.
	Report store.Ref `json:"report"`
}

// experimentRun is one run of a workflow of experiments.
type experimentRun struct {
	steps
	kind  catalog.Kind
	raw   json.RawMessage
	name  string
	runID string
	state ExperimentState

	// running holds the searches in flight, by name.
	running map[string]workflow.ChildWorkflowFuture
	order   []string // of running
	changed bool
	// simulating ends a benchmark's simulated searches, while they are in flight.
	simulating workflow.CancelFunc
	// finished is how the run ends, once that is decided; over: it is written down.
	finished string
	over     bool
}

// Pretrain learns controllers on several tasks and publishes them (§2.2).
func Pretrain(ctx workflow.Context, raw json.RawMessage, carried *ExperimentState) (*ExperimentResult, error) {
	return runExperiment(ctx, catalog.KindPretrain, raw, carried)
}

// Transfer searches the target tasks in all arms, from published controllers
// (§2.3, §4).
func Transfer(ctx workflow.Context, raw json.RawMessage, carried *ExperimentState) (*ExperimentResult, error) {
	return runExperiment(ctx, catalog.KindTransfer, raw, carried)
}

// Experiment learns the controllers that the arms start from, and searches the
// target tasks in all arms.
func Experiment(ctx workflow.Context, raw json.RawMessage, carried *ExperimentState) (*ExperimentResult, error) {
	return runExperiment(ctx, catalog.KindExperiment, raw, carried)
}

// Benchmark runs an experiment and compares its figures with those of earlier
// nights. It fails where they are worse, after everything is recorded.
func Benchmark(ctx workflow.Context, raw json.RawMessage, carried *ExperimentState) (*ExperimentResult, error) {
	return runExperiment(ctx, catalog.KindBenchmark, raw, carried)
}

func runExperiment(ctx workflow.Context, kind catalog.Kind, raw json.RawMessage, carried *ExperimentState) (*ExperimentResult, error) {
	info := workflow.GetInfo(ctx)
	r := &experimentRun{
		kind: kind, raw: raw, name: info.WorkflowExecution.ID, runID: info.FirstRunID,
		running: map[string]workflow.ChildWorkflowFuture{},
	}
	if carried != nil {
		r.state = *carried
	} else {
		r.state.Started = workflow.Now(ctx)
	}
	if r.state.Learned == nil {
		r.state.Learned = map[string]library.ControllerVersion{}
	}
	r.steps = steps{held: &r.state.Held, pause: r.pause, say: r.say, underWay: carried != nil}
	if err := r.handle(ctx); err != nil {
		return nil, err
	}
	workflow.GoNamed(ctx, "watch", r.watch)
	result, err := r.live(ctx)
	if err != nil && !r.over && !workflow.IsContinueAsNewError(err) {
		r.interrupted(ctx, err)
	}
	return result, err
}

// live runs the experiment to its end, or until it continues as new.
func (r *experimentRun) live(ctx workflow.Context) (*ExperimentResult, error) {
	if !r.underWay {
		err := r.step(ctx, "the experiment could not be planned", func(ctx workflow.Context) error {
			var a *activities.Activities
			return workflow.ExecuteActivity(lightActivity(ctx, "plan the experiment"), a.PlanExperiment, activities.PlanInput{
				Kind: r.kind, Name: r.name, RunID: r.runID, Spec: r.raw,
			}).Get(ctx, &r.state.Planned)
		})
		if err != nil {
			return nil, err
		}
		r.underWay = true
		r.attributes(ctx, true)
	}
	r.show(ctx)
	if err := r.loop(ctx); err != nil {
		return nil, err
	}
	if r.finished == "" {
		r.drainSignals(ctx)
		if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
			return nil, err
		}
		return nil, workflow.NewContinueAsNewError(ctx, string(r.kind), r.raw, r.state)
	}
	return r.finish(ctx)
}

// loop runs searches until there are none left, or until it is time to
// continue as new with none in flight.
func (r *experimentRun) loop(ctx workflow.Context) error {
	for {
		r.changed = false
		info := workflow.GetInfo(ctx)
		draining := info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > r.state.Planned.Spec.HistoryLimit
		waiting := 0
		if !draining {
			r.simulate(ctx)
			waiting = r.start(ctx)
		}
		switch {
		case len(r.running) > 0 || r.simulating != nil || r.changed:
		case draining && r.left() > 0 && !r.state.Stop:
			return nil
		case r.state.Stop, r.left() == 0:
			r.finished = "completed"
			if r.left() > 0 {
				r.finished = "stopped"
				r.skip("the experiment was stopped")
			} else if r.stopped() || r.unsimulated() {
				r.finished = "stopped"
			}
			return nil
		case waiting == 0 && !r.state.Paused:
			// Nothing runs and nothing can: every search left waits for a controller
			// that will not come. Such searches fail when it does, so this is a bug.
			return temporal.NewNonRetryableApplicationError("searches are left that can never start", activities.ErrTypeInvalid, nil)
		}
		if r.changed {
			continue
		}
		if err := workflow.Await(ctx, func() bool { return r.changed }); err != nil {
			return err
		}
	}
}

// left is the number of searches that have neither ended nor begun.
func (r *experimentRun) left() int {
	p := &r.state.Planned
	return len(p.Pretrain) + len(p.Searches) - len(r.state.Outcomes) - len(r.running)
}

func (r *experimentRun) stopped() bool {
	for _, o := range r.state.Outcomes {
		if o.Status == "stopped" || o.Status == "skipped" {
			return true
		}
	}
	return false
}

// begun says which searches have ended or run.
func (r *experimentRun) begun() map[string]bool {
	out := map[string]bool{}
	for _, o := range r.state.Outcomes {
		out[o.Search] = true
	}
	for _, name := range r.order {
		out[name] = true
	}
	return out
}

// start starts searches, in the plan's order, as far as there is room and the
// controllers are there. It returns how many were started.
func (r *experimentRun) start(ctx workflow.Context) (started int) {
	if r.state.Paused || r.state.Stop {
		return 0
	}
	p := &r.state.Planned
	begun := r.begun()
	all := p.Outcomes(r.name) // pretraining first, then the searches: as the plan
	for i, o := range all {
		if begun[o.Search] {
			continue
		}
		if len(r.running) >= p.Spec.Concurrency {
			return started
		}
		if i < len(p.Pretrain) {
			r.launch(ctx, o, r.pretrainSpec(p.Pretrain[i]))
			started++
			continue
		}
		step := p.Searches[i-len(p.Pretrain)]
		if from := cmp.Or(step.From, step.Sources); from != "" {
			v, ok, failure := r.controller(from)
			if ok && step.From != "" && v.Ref == "" {
				failure = fmt.Sprintf("the pretraining %s learns no controller", from)
			}
			if failure != "" {
				o.Status, o.Reason = "failed", failure
				r.ended(ctx, o)
				continue
			}
			if !ok {
				continue
			}
			o.StartsFrom(step, v)
		}
		r.launch(ctx, o, r.searchSpec(step, o))
		started++
	}
	return started
}

// unsimulated says that a benchmark's simulated searches have not ended well yet.
func (r *experimentRun) unsimulated() bool {
	b := r.state.Planned.Benchmark
	return b != nil && b.Simulate != nil && r.state.Simulated == ""
}

// simulate starts a benchmark's simulated searches, beside the others.
func (r *experimentRun) simulate(ctx workflow.Context) {
	if !r.unsimulated() || r.simulating != nil || r.state.Paused || r.state.Stop {
		return
	}
	b := r.state.Planned.Benchmark
	ctx, r.simulating = workflow.WithCancel(ctx)
	r.changed = true
	workflow.GoNamed(ctx, "simulate", func(ctx workflow.Context) {
		err := r.step(ctx, "the simulated searches could not be run", func(ctx workflow.Context) error {
			var a *activities.Activities
			return workflow.ExecuteActivity(simulateActivity(ctx, len(b.Simulate.Arms)), a.Simulate, activities.SimulateInput{
				Experiment: r.state.Planned.Experiment, Name: r.name, RunID: r.runID, Nightly: *b.Simulate,
			}).Get(ctx, &r.state.Simulated)
		})
		if err != nil { // it was cancelled, or stopped
			workflow.GetLogger(ctx).Warn("there are no simulated searches", "error", err)
		}
		r.simulating, r.changed = nil, true
	})
}

// controller finds what a search starts from (SearchStep.From): a controller
// that was there before, or one that this run has learned. failure says why
// there will be none.
func (r *experimentRun) controller(from string) (v library.ControllerVersion, ok bool, failure string) {
	if v, ok = r.state.Learned[from]; ok {
		return v, true, ""
	}
	if v, ok = r.state.Planned.Controllers[from]; ok {
		return v, true, ""
	}
	for _, o := range r.state.Outcomes {
		if o.Phase == study.Pretrain && o.Arm == from {
			return v, false, "its controller could not be learned: " + o.Reason
		}
	}
	return v, false, ""
}

// spec is what all searches of the run share.
func (r *experimentRun) spec() SearchSpec {
	s := &r.state.Planned.Spec
	spec := DefaultSearchSpec()
	spec.Space, spec.Modules, spec.Experiment = s.Space, r.state.Planned.Modules, s.Experiment
	spec.Lag, spec.Parallel, spec.CheckpointEvery = s.Lag, s.Parallel, s.CheckpointEvery
	spec.TrialTimeout, spec.TrialSteps, spec.MemoryLimitMB = s.TrialTimeout, s.TrialSteps, s.MemoryLimitMB
	spec.KeepModels, spec.Examples, spec.Retrain, spec.HistoryLimit = s.KeepModels, s.Examples, s.Retrain, s.HistoryLimit
	return spec
}

func (r *experimentRun) pretrainSpec(s catalog.PretrainStep) SearchSpec {
	spec := r.spec()
	spec.Tasks, spec.Strategy, spec.Trials, spec.Seed, spec.Settings = s.Tasks, s.Strategy, s.Trials, s.Seed, s.Settings
	return spec
}

func (r *experimentRun) searchSpec(s catalog.SearchStep, o library.Outcome) SearchSpec {
	spec := r.spec()
	spec.Tasks, spec.Strategy, spec.Trials, spec.Seed, spec.Settings = []string{s.Task}, s.Strategy, s.Trials, s.Seed, s.Settings
	spec.Controller = string(o.From)
	spec.Budget, spec.Pruner = s.Budget, s.Pruner
	if o.Sources != "" {
		spec.Sources = []string{o.Sources}
	}
	return spec
}

// launch starts a search as a child.
func (r *experimentRun) launch(ctx workflow.Context, o library.Outcome, spec SearchSpec) {
	r.running[o.Search] = nil // until it has been scheduled
	r.order = append(r.order, o.Search)
	r.changed = true
	workflow.GoNamed(ctx, o.Search, func(ctx workflow.Context) {
		result, err := r.child(ctx, o, spec)
		if err == nil {
			o = filled(o, result)
			if o.Phase == study.Pretrain {
				err = r.publish(ctx, &o)
			}
		}
		switch {
		case errors.Is(err, errStopped):
			o.Status, o.Reason = "skipped", err.Error()
		case temporal.IsCanceledError(err):
			o.Status, o.Reason = "canceled", "it was cancelled"
		case err != nil:
			o.Status, o.Reason = "failed", cause(err)
		}
		delete(r.running, o.Search)
		for i, name := range r.order {
			if name == o.Search {
				r.order = append(r.order[:i:i], r.order[i+1:]...)
				break
			}
		}
		r.ended(ctx, o)
	})
}

const (
	// startAttempts and startBackOff: after a reset, the searches that the old
	// run started may need a moment to end, and have the same names.
	startAttempts = 40
	startBackOff  = 15 * time.Second
)

// child runs a search as a child workflow.
func (r *experimentRun) child(ctx workflow.Context, o library.Outcome, spec SearchSpec) (*SearchResult, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		// A search that has not begun hears no signal: what is asked of it is done here.
		if err := workflow.Await(ctx, func() bool { return !r.state.Paused || r.state.Stop }); err != nil {
			return nil, err
		}
		if r.state.Stop {
			return nil, errStopped
		}
		future := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID:            o.Search,
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
			// A search that is asked to end writes down what it has learned.
			ParentClosePolicy:   enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
			WaitForCancellation: true,
			StaticSummary:       summaryOf(o, spec),
			Memo:                map[string]any{ownerMemo: r.runID},
		}), SearchWorkflow, json.RawMessage(raw), (*SearchState)(nil))
		r.running[o.Search] = future
		var result SearchResult
		err := future.Get(ctx, &result)
		var already *temporal.ChildWorkflowExecutionAlreadyStartedError
		if err == nil {
			return &result, nil
		}
		if !errors.As(err, &already) {
			return nil, err
		}
		if attempt == startAttempts {
			return nil, fmt.Errorf("a search named %s runs already: let it end, or stop it", o.Search)
		}
		if _, err := workflow.AwaitWithTimeout(ctx, startBackOff, func() bool { return r.state.Stop }); err != nil {
			return nil, err
		}
	}
}

// errStopped: a search was not begun, as the experiment was stopped.
var errStopped = errors.New("the experiment was stopped")

func summaryOf(o library.Outcome, spec SearchSpec) string {
	return limit.Summary(fmt.Sprintf("%s · %s · %d trials · seed %d · %s", o.Phase, o.Arm, o.Budget, o.Seed, strings.Join(spec.Tasks, ", ")))
}

// filled is an outcome with what the search left behind.
func filled(o library.Outcome, s *SearchResult) library.Outcome {
	o.Status, o.Trials, o.Failed, o.Cached, o.CPUSeconds = s.Status, s.Trials, s.Failed, s.Cached, s.CPUSeconds
	o.Objective = s.Objective
	o.Config, o.Ledger, o.Costs, o.Controller = s.Config, s.Ledger, s.Costs, s.Controller
	for _, a := range s.Accuracy {
		o.Validation += a.Validation / float64(len(s.Accuracy))
		o.Test += a.Test / float64(len(s.Accuracy))
		o.Models += a.Models
	}
	return o
}

// publish gives a pretrained controller its name. Of a pretraining that learns none,
// arms can have the trials.
func (r *experimentRun) publish(ctx workflow.Context, o *library.Outcome) error {
	if o.Controller == "" {
		r.state.Learned[o.Arm] = library.ControllerVersion{Search: o.Search}
		return nil
	}
	name := ""
	for _, s := range r.state.Planned.Pretrain {
		if s.Pretraining == o.Arm {
			name = s.Controller
		}
	}
	var v library.ControllerVersion
	err := r.step(ctx, fmt.Sprintf("the controller %s could not be published", name), func(ctx workflow.Context) error {
		var a *activities.Activities
		return workflow.ExecuteActivity(lightActivity(ctx, "publish the controller "+name), a.PublishController,
			library.PublishControllerInput{
				Name: name, Ref: o.Controller, Experiment: r.state.Planned.Experiment, Search: o.Search,
			}).Get(ctx, &v)
	})
	if err == nil {
		r.state.Learned[o.Arm] = v
	}
	return err
}

// ended books a search that has ended, well or not.
func (r *experimentRun) ended(ctx workflow.Context, o library.Outcome) {
	o.Reason = limit.Note(o.Reason)
	r.state.Outcomes = append(r.state.Outcomes, o)
	r.changed = true
	r.attributes(ctx, false)
	r.show(ctx)
}

// skip books what was never started.
func (r *experimentRun) skip(reason string) {
	begun := r.begun()
	for _, o := range r.state.Planned.Outcomes(r.name) {
		if !begun[o.Search] {
			o.Status, o.Reason = "skipped", reason
			r.state.Outcomes = append(r.state.Outcomes, o)
		}
	}
}

// record writes down how the run stands.
func (r *experimentRun) record(ctx workflow.Context) (ref store.Ref, err error) {
	var a *activities.Activities
	return ref, workflow.ExecuteActivity(lightActivity(ctx, "record the run"), a.RecordRun, r.recordInput()).Get(ctx, &ref)
}

func (r *experimentRun) recordInput() activities.RecordRunInput {
	return activities.RecordRunInput{
		Experiment: r.state.Planned.Experiment, Kind: r.kind, Name: r.name, RunID: r.runID, Status: r.finished, Outcomes: r.state.Outcomes,
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
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{failures[:min(len(failures), maxNamed)]}})
	}
	return result, nil
}

// maxNamed bounds what an error names.
const maxNamed = 20

func (r *experimentRun) judge(ctx workflow.Context) (*activities.Judged, error) {
	var a *activities.Activities
	var judged activities.Judged
	err := workflow.ExecuteActivity(lightActivity(ctx, "compare with earlier nights"), a.JudgeNight, activities.JudgeInput{
		Experiment: r.state.Planned.Experiment, Name: r.name, RunID: r.runID, Benchmark: *r.state.Planned.Benchmark,
	}).Get(ctx, &judged)
	return &judged, err
}

// regressed is the error that a worse night ends with: it names what is worse.
func regressed(result *ExperimentResult) error {
	worse := study.Regressions(result.Verdict.Verdicts)
	var lines []string
	for _, v := range worse {
		lines = append(lines, v.Say())
	}
	for _, f := range result.Verdict.Failed {
		lines = append(lines, "failed: "+limit.Note(f))
	}
	message := fmt.Sprintf("the benchmark %s regressed in %d of %d figures", result.Experiment, len(worse), len(result.Verdict.Verdicts))
	if s := result.Verdict.Simulated; s != nil {
		slower := simulate.Slower(s.Slowdowns)
		if len(slower) > 0 {
			message += ", and its simulated searches are " + s.Say()
		}
		for _, one := range slower {
			lines = append(lines, "simulated · "+one.Say())
		}
	}
	if n := len(result.Verdict.Failed); n > 0 {
		message += fmt.Sprintf(", and %d searches failed", n)
	}
	named := lines[:min(len(lines), maxNamed)]
	if more := len(lines) - len(named); more > 0 {
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
