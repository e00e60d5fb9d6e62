package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
)

// How often a trial may run into the clock before the clock is not to blame. None
// of it decides a reward: a machine that is busy or was asleep for a while makes a
// trial late, not bad.
const (
	// lostWorkers: a trial that so many worker processes died of is a result, lost. A
	// process that was silent, and lives, counts once however often it was: it was
	// suspended, or cut off.
	lostWorkers = 3
	// lateAttempts and silentAttempts: one that took longer than trial_timeout or was cut
	// short by its machine, or whose worker was not heard of, so often pauses the search.
	lateAttempts   = 3
	silentAttempts = 10
	// givenBack: one that the server has so often ceased to try, each after all of its retries, because
	// workers that stopped gave it back pauses the search.
	givenBack = 10
	// maxProcess bounds the name of a process in a history, in bytes.
	maxProcess = 200
)

// attempts runs a trial until there is a row of it. What goes wrong on a worker is
// tried again by the server; what nobody hears of comes back here.
func (r *run) attempts(ctx workflow.Context, p search.Proposal) (activities.Row, error) {
	var lost []string // processes, "" for each unknown one
	in := r.request(p)
	options := workflow.GetActivityOptions(r.trialActivity(ctx, p))
	for late, silent, given := 0, 0, 0; ; {
		// Its ID says which trial it is where the server lists what is under way.
		r.started++
		options.ActivityID = fmt.Sprintf("trial %d #%d", p.Trial, r.started)
		var answer converter.RawValue
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), TrialActivity, in).Get(ctx, &answer)
		var timeout *temporal.TimeoutError
		var app *temporal.ApplicationError
		switch {
		case err == nil:
			return r.row(p, &in.Request, answer), nil
		case ctx.Err() == nil && errors.As(err, &app) && app.Type() == activities.ErrTypeCutShort:
			if late++; late == lateAttempts {
				return activities.Row{}, fmt.Errorf("its machine ended it %d times, the last time: %s", late, app.Message())
			}
		case ctx.Err() == nil && app != nil && app.Type() == activities.ErrTypeStopping:
			// Worker after worker stopped with it, until the server would not try it again: none is to
			// blame, but together they may never have the time for it.
			if given++; given == givenBack {
				return activities.Row{}, fmt.Errorf("workers that stopped gave it back %d times, each after all of its retries: do they "+
					"live for less time than it takes? Resume when they stay, or start them with a longer --drain", given)
			}
		case ctx.Err() != nil || !errors.As(err, &timeout):
			return activities.Row{}, err
		case timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_START_TO_CLOSE:
			if late++; late == lateAttempts {
				return activities.Row{}, fmt.Errorf(`it took longer than "trial_timeout", %s, %d times: resume when the workers are less `+
					`busy, or stop and start another search with more time, or with "trial_steps", over which a trial is a result`,
					r.spec.TrialTimeout, late)
			}
		default:
			if silent++; silent == silentAttempts {
				return activities.Row{}, fmt.Errorf("its workers fell silent %d times, and live: are they suspended, or cut off from the "+
					"server?", silent)
			}
			process, ended := lastWords(timeout)
			if !ended && (process == "" || !slices.Contains(lost, process)) {
				lost = append(lost, process)
			}
			if len(lost) == lostWorkers {
				return r.lost(p, lost), nil
			}
			in.Lost = slices.Clone(lost)
		}
		options.DisableEagerExecution = true // others may have it
	}
}

// lastWords is the worker process that an attempt was lost with, as its last heartbeat has named it, or "",
// and whether its trainer had ended by then: a process that dies while it stores what a trial left, and is at
// others by now, did not die of that one.
func lastWords(err *temporal.TimeoutError) (process string, ended bool) {
	var progress struct {
		Process string `json:"process"`
		Ended   bool   `json:"ended"`
	}
	if err.LastHeartbeatDetails(&progress) != nil {
		return "", false
	}
	return strings.ToValidUTF8(progress.Process[:min(len(progress.Process), maxProcess)], ""), progress.Ended
}

// known are the processes that are known.
func known(processes []string) []string {
	return slices.DeleteFunc(slices.Clone(processes), func(p string) bool { return p == "" })
}

// lost is the row of a trial that its workers died of. Who they were is a cost: it
// is no part of the ledger.
func (r *run) lost(p search.Proposal, processes []string) activities.Row {
	return r.rowOf(p, trainer.Outcome{Status: trainer.Lost, Reason: fmt.Sprintf("%d workers died of it, one after another: has it taken more "+
		"memory than they have? Their logs, or their machines', may say", len(processes))},
		search.Cost{Worker: strings.Join(known(processes), ", ")})
}

// request is a trial in the trainers' terms.
func (r *run) request(p search.Proposal) activities.TrialInput {
	in := r.state.Resolved.Request(p)
	in.Retrain, in.Examples, in.Line = r.spec.Retrain, r.spec.Examples, r.state.Line
	in.Limits = trainer.Limits{MemoryBytes: int64(r.spec.MemoryLimitMB) << 20, Steps: r.spec.TrialSteps}
	return in
}

// row is a trainer's answer as a row of the ledger. The trainer may be anybody's:
// an answer that is no outcome is a failed trial.
func (r *run) row(p search.Proposal, asked *trainer.Request, answer converter.RawValue) activities.Row {
	raw := answer.Payload().GetData()
	outcome := asked.Checked(trainer.DecodeOutcome(raw, asked.Objective))
	var cost struct {
		Cost search.Cost `json:"cost"`
	}
	_ = json.Unmarshal(raw, &cost) // where it is none, nothing is known of it
	return r.rowOf(p, outcome, cost.Cost)
}

func (r *run) rowOf(p search.Proposal, o trainer.Outcome, cost search.Cost) activities.Row {
	cost.Trial = p.Trial
	return activities.Row{Trial: search.NewTrial(p, o, r.state.Resolved.Objective, r.state.Resolved.Constraints...),
		Cost: cost.Checked(), Summary: p.Summary}
}
