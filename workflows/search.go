// Package workflows holds the deterministic orchestration: what the Temporal
// UI shows, pauses, resumes, resets and starts again. It decides, and does
// nothing else: every effect is an activity.
package workflows

import (
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/activities/store"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// SearchState is what a search carries over continue-as-new: references, the
// short journal, counters. It is absent at a start.
type SearchState struct {
	// Spec is the search's, with the defaults of the day it began.
	Spec     SearchSpec          `json:"spec"`
	Resolved activities.Resolved `json:"resolved"`
	Position activities.Position `json:"position"`
	// Pending holds the proposals asked but not started, in trial order.
	Pending []search.Proposal `json:"pending"`
	// Trials is the budget, extensions included; Before are those of the search that
	// this one goes on from.
	Trials int `json:"trials"`
	Before int `json:"before,omitempty"`
	// Budget is what else may end it, extensions included.
	Budget search.Budget `json:"budget,omitzero"`
	// Best holds at most search.TopN trials of each task, best first.
	Best map[int][]activities.Best `json:"best,omitempty"`
	// Prepared counts the features of images that are computed, until all are.
	Prepared   int     `json:"prepared,omitempty"`
	Failed     int     `json:"failed,omitempty"`
	Pruned     int     `json:"pruned,omitempty"`
	Infeasible int     `json:"infeasible,omitempty"`
	Cached     int     `json:"cached,omitempty"`
	Steps      int     `json:"steps,omitempty"`
	CPUSeconds float64 `json:"cpu_seconds,omitempty"`
	// Recent holds the last results' statuses, newest last.
	Recent []trainer.Status `json:"recent,omitempty"`
	// Asked holds when the leases of the trials end that were asked and not told, Results
	// the outcomes that wait for an earlier trial's: of a search whose trials are asked.
	// Their proposals are among the Pending.
	Asked   map[int]time.Time `json:"asked,omitempty"`
	Results []activities.Row  `json:"results,omitempty"`
	Held
	// Refused is why the last extension that came as a signal was refused.
	Refused string `json:"refused,omitempty"`
	// Started is when the search began; Active how long it has not been paused, ActiveBefore
	// how long the searches were not that this one goes on from.
	Started      time.Time     `json:"started"`
	Active       time.Duration `json:"active"`
	ActiveBefore time.Duration `json:"active_before,omitempty"`
	// Line is the line of runs that the search's is of (lineOf).
	Line string `json:"line"`
}

const (
	// recentTrials and recentFailures: a search where more than this many of
	// its last trials failed pauses itself, rather than burn its budget.
	recentTrials   = 20
	recentFailures = 15
	// recentLost: one where so many of them were lost does so, too. Each has cost
	// three workers: with three of them it is no longer one model that is at fault,
	// and whoever starts the workers again should know.
	recentLost = 3
)

// run is one run of the Search workflow.
type run struct {
	steps
	spec  SearchSpec
	raw   json.RawMessage
	state SearchState
	name  string
	runID string

	// results holds trials that have ended but come after one that has not.
	results map[int]activities.Row
	running int
	// started counts the attempts at trials that this run of the workflow has started.
	started int
	// preparing is the number of features of images to be computed before the
	// first trial, 0 once they are there.
	preparing int
	// early are the signals to extend a search that came before it was known what it goes on from.
	early []Extension
	// described: the search attributes say what the search is.
	described bool
	// activeSince is the start of the present stretch without a pause.
	activeSince time.Time
	// finished is how the search ends, once that is decided; ended: it is written down.
	// reason says why, where it fails or its budget ends it.
	finished string
	reason   string
	ended    bool
	changed  bool
}

// Search runs one search: trials proposed by the strategy, run by whatever
// workers there are, told in trial order. Its first argument is a SearchSpec as
// JSON; the second is only ever given by the workflow itself.
func Search(ctx workflow.Context, raw json.RawMessage, carried *SearchState) (*SearchResult, error) {
	info := workflow.GetInfo(ctx)
	r := &run{
		raw: raw, name: info.WorkflowExecution.ID, runID: info.FirstRunID,
		results: map[int]activities.Row{}, activeSince: workflow.Now(ctx),
	}
	if carried != nil {
		r.state = *carried
	} else {
		spec, err := pinSpec(ctx, raw)
		if err != nil {
			return nil, refused(ctx, raw, err)
		}
		r.state = SearchState{Spec: spec, Trials: spec.Trials, Budget: spec.Budget, Started: workflow.Now(ctx)}
	}
	r.spec, r.state.Line = r.state.Spec, lineOf(ctx, r.state.Line)
	for _, row := range r.state.Results {
		r.results[row.Trial.Trial] = row
	}
	r.state.Results = nil
	if r.state.Best == nil {
		r.state.Best = map[int][]activities.Best{}
	}
	r.steps = steps{held: &r.state.Held, pause: r.pause, say: r.say, underWay: carried != nil && len(r.state.Resolved.Features) == 0}
	if err := r.handle(ctx); err != nil {
		return nil, err
	}
	workflow.GoNamed(ctx, "watch", r.watch)
	workflow.GoNamed(ctx, "clock", r.clock)
	result, err := r.live(ctx)
	if err != nil && !workflow.IsContinueAsNewError(err) {
		r.interrupted(ctx, err)
	}
	return result, err
}

// live runs the search to its end, or until it continues as new.
func (r *run) live(ctx workflow.Context) (*SearchResult, error) {
	if !r.underWay {
		if err := r.begin(ctx); err != nil {
			return nil, err
		}
	}
	r.show(ctx)
	if r.underWay { // else the history is long enough before the first trial
		if err := r.loop(ctx); err != nil {
			return nil, err
		}
	}
	if r.finished == "" {
		if err := r.signals().leave(ctx); err != nil {
			return nil, err
		}
		r.settleClock(ctx)
		r.state.Results = r.waiting()
		return nil, workflow.NewContinueAsNewError(ctx, SearchWorkflow, r.raw, r.state)
	}
	var done activities.Finished
	r.show(ctx)
	err := r.step(ctx, "the result could not be published", func(ctx workflow.Context) (err error) {
		done, err = r.publish(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.end(ctx)
	return r.result(done), nil
}

// refused puts on record that a search cannot start, and why.
func refused(ctx workflow.Context, raw json.RawMessage, wrong error) error {
	var app *temporal.ApplicationError
	if checkID(ctx, store.Search) != nil || !errors.As(wrong, &app) {
		return wrong // there is no such record
	}
	if len(raw) > MaxSettings {
		raw = nil // nobody typed that
	}
	info := workflow.GetInfo(ctx)
	var a *activities.Activities
	err := workflow.ExecuteActivity(lastActivity(ctx, "refuse the spec"), a.Resolve, activities.ResolveInput{
		Name: info.WorkflowExecution.ID, RunID: info.FirstRunID, Line: lineOf(ctx, ""), Owner: owner(ctx), Spec: raw,
		Wrong: app.Message(),
	}).Get(ctx, nil)
	if err == nil || retryable(err) { // it must not start, recorded or not
		return wrong
	}
	return err
}

// ownerMemo is where an experiment tells its searches the first run of its chain.
const ownerMemo = "owner"

// owner is whose the search's name is: its own chain's, or, of an experiment's
// search, the experiment's, which starts it again under its name after a reset.
func owner(ctx workflow.Context) string {
	info := workflow.GetInfo(ctx)
	if info.ParentWorkflowExecution == nil {
		return info.FirstRunID
	}
	var run string
	if p := info.Memo.GetFields()[ownerMemo]; p != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(p, &run) // what is no text is not of an experiment
	}
	return info.ParentWorkflowExecution.ID + " " + run
}

// lineOf is the line of runs that a workflow's run is of, which that before it has carried: its first run begins it, and one
// that a reset makes begins another.
func lineOf(ctx workflow.Context, carried string) string {
	info := workflow.GetInfo(ctx)
	run := info.WorkflowExecution.RunID
	if reset := info.OriginalRunID != "" && info.OriginalRunID != run; carried == "" || reset {
		return run
	}
	return carried
}

// begin pins the search to objects, has the features of images computed and asks for the
// first proposals. Where the history is long enough before, the search is not under way.
func (r *run) begin(ctx workflow.Context) error {
	r.attributes(ctx, r.status())
	if r.state.Resolved.Config == "" {
		if err := r.resolve(ctx); err != nil {
			return err
		}
	}
	if err := r.prepare(ctx); err != nil || len(r.state.Resolved.Features) > 0 {
		return err
	}
	err := r.step(ctx, "the strategy could not begin", func(ctx workflow.Context) error { return r.learn(ctx, nil) })
	r.underWay = err == nil
	return err
}

// resolve pins the search to objects, and finds where it goes on.
func (r *run) resolve(ctx workflow.Context) error {
	var a *activities.Activities
	err := r.step(ctx, "the search could not begin", func(ctx workflow.Context) error {
		return workflow.ExecuteActivity(lightActivity(ctx, "resolve names"), a.Resolve, activities.ResolveInput{
			Name: r.name, RunID: r.runID, Line: r.state.Line, Owner: owner(ctx), Spec: r.filled(), From: r.spec.From,
			Names: r.spec.Names(),
		}).Get(ctx, &r.state.Resolved)
	})
	if err != nil {
		return err
	}
	return r.goOn(ctx)
}

// filled is the spec with its defaults, as it is recorded; of one that goes on from
// another search, what was said.
func (r *run) filled() json.RawMessage {
	if r.spec.From != "" {
		return r.raw
	}
	b, err := json.Marshal(r.spec)
	if err != nil {
		return r.raw // it came of JSON
	}
	return b
}

// goOn begins where the search stands that this one goes on from, if it does.
func (r *run) goOn(ctx workflow.Context) error {
	b := r.state.Resolved.Begun
	if b == nil {
		return nil
	}
	r.state.Resolved.Begun = nil
	r.state.Position, r.state.Before = b.Position, b.Position.Told // whatever follows: it is on record
	spec, err := pinSpec(ctx, b.Spec)
	if err != nil {
		return err
	}
	r.spec, r.state.Spec = spec, spec
	r.state.Trials, r.state.Budget = spec.Trials, spec.Budget
	r.state.Failed, r.state.Cached, r.state.CPUSeconds, r.state.Steps = b.Failed, b.Cached, b.CPUSeconds, b.Steps
	r.state.Pruned, r.state.Infeasible = b.Pruned, b.Infeasible
	r.state.ActiveBefore = time.Duration(b.Seconds * float64(time.Second))
	if b.Best != nil {
		r.state.Best = b.Best
	}
	for _, more := range r.early {
		r.extendOrRefuse(ctx, more)
	}
	r.described = false
	r.attributes(ctx, r.status())
	return nil
}

// publish writes what the search leaves behind.
func (r *run) publish(ctx workflow.Context) (done activities.Finished, err error) {
	var a *activities.Activities
	return done, workflow.ExecuteActivity(lightActivity(ctx, "publish the result"), a.Finish, r.finishInput(ctx)).Get(ctx, &done)
}

func (r *run) finishInput(ctx workflow.Context) activities.FinishInput {
	in := activities.FinishInput{
		Name: r.name, RunID: r.runID, Line: r.state.Line, Config: r.state.Resolved.Config, Position: r.state.Position,
		Status: r.finished, Reason: r.reason, Seconds: r.whole(ctx).Seconds(), Trials: r.state.Trials,
	}
	if best := r.best(); best != nil {
		in.Best = &best.Validation
	}
	return in
}

// end shows that the search has ended.
func (r *run) end(ctx workflow.Context) {
	r.ended, r.waits = true, ""
	r.attributes(ctx, r.finished)
	r.show(ctx)
}

// result is what the workflow returns.
func (r *run) result(done activities.Finished) *SearchResult {
	result := &SearchResult{
		Status: r.finished, Reason: r.reason, Trials: r.state.Position.Told, Failed: r.state.Failed, Pruned: r.state.Pruned,
		Infeasible: r.state.Infeasible, Cached: r.state.Cached, Steps: r.state.Steps, CPUSeconds: r.state.CPUSeconds,
		Config:    r.state.Resolved.Config,
		Objective: r.state.Resolved.Objective, Ledger: done.Ledger, Costs: done.Costs, Controller: done.Controller,
	}
	for i, task := range r.spec.Tasks {
		best := r.state.Best[i]
		if len(best) == 0 {
			continue
		}
		accuracy := TaskAccuracy{Task: task, Models: len(best)}
		for _, b := range best {
			accuracy.Validation += b.Validation / float64(len(best))
			accuracy.Test += b.Test / float64(len(best))
		}
		result.Accuracy = append(result.Accuracy, accuracy)
		result.Best = append(result.Best, named(task, best)...)
	}
	return result
}

// named are a task's best trials with its name.
func named(task string, best []activities.Best) (out []Best) {
	for _, b := range best {
		out = append(out, Best{task, b})
	}
	return out
}

// interrupted ends a search that was cancelled, given up, or can never work: what was
// learned is kept, and where that fails too, the record says how it ended.
func (r *run) interrupted(ctx workflow.Context, err error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	given := r.gaveUp && r.finished != "" // the result has just been tried
	if r.finished = r.ending(err); r.finished == "failed" {
		r.reason = cause(err)
	}
	r.show(ctx)
	workflow.GoNamed(ctx, "watch the end", r.watch)
	r.doing++
	var failed error
	if r.state.Resolved.Config != "" && !given {
		_, failed = r.publish(ctx)
	}
	if given || failed != nil || r.state.Resolved.Config == "" {
		var a *activities.Activities
		in := r.finishInput(ctx)
		in.RecordOnly, in.Position = true, activities.Position{}
		if failed := workflow.ExecuteActivity(lastActivity(ctx, "record how it ended"), a.Finish, in).Get(ctx, nil); failed != nil {
			workflow.GetLogger(ctx).Error("the search's record does not say how it ended", "error", failed)
		}
	}
	r.end(ctx)
}
