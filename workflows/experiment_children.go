package workflows

import (
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
	"tnaml/experiments/catalog"
	"tnaml/experiments/limit"
	"tnaml/experiments/study"
)

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
