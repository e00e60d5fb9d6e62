package workflows

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
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
	// Line is the line of runs that the experiment's is of (lineOf).
	Line string `json:"line"`
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
	r.state.Line = lineOf(ctx, r.state.Line)
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
				Kind: r.kind, Name: r.name, RunID: r.runID, Line: r.state.Line, Spec: r.raw,
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
		if err := r.signals().leave(ctx); err != nil {
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
				Experiment: r.state.Planned.Experiment, Name: r.name, RunID: r.runID, Line: r.state.Line, Nightly: *b.Simulate,
			}).Get(ctx, &r.state.Simulated)
		})
		if err != nil { // it was cancelled, or stopped
			workflow.GetLogger(ctx).Warn("there are no simulated searches", "error", err)
		}
		r.simulating, r.changed = nil, true
	})
}
