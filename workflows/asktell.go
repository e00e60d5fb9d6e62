package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/strict"
	"tnaml/experiments/trainer"
)

// The trials of a search whose trainer is external are run by whoever asks for them:
// both are updates, of which a refused one leaves no trace in the history.
const (
	// AskUpdate takes an Ask and answers with Asked.
	AskUpdate = "ask"
	// TellUpdate takes a Tell and answers with Told.
	TellUpdate = "tell"
)

// The types of the errors that ask and tell are refused with.
const (
	// RefusedNow: the same may be taken later.
	RefusedNow = "RefusedNow"
	// RefusedEnded: the search takes no more trials.
	RefusedEnded = "RefusedEnded"
	// RefusedTold: the trial has been told, so long ago that only the ledger knows what.
	RefusedTold = "RefusedTold"
	// Refused: it can never be taken.
	Refused = "Refused"
)

// Bounds of what ask and tell write into a history, in bytes, but for MaxAsked.
const (
	// MaxAsked is the number of trials that are asked at once.
	MaxAsked   = 100
	maxAnswer  = 512 << 10
	MaxWaiting = 128 << 10 // outcomes that wait for an earlier trial's
	maxTell    = 32 << 10
)

// Ask asks for trials to run.
type Ask struct {
	// Count is the number of trials wanted, at most MaxAsked; 0: one.
	Count int `json:"count,omitempty"`
	// Trial asks for one trial again, to renew its lease; nil: those that are next.
	Trial *int `json:"trial,omitempty"`
}

// Asked are trials to run, by number: the lowest that nobody has.
type Asked struct {
	Trials []AskedTrial `json:"trials"`
}

// AskedTrial is one trial to run. What it should be told is a function of all this but
// the lease.
type AskedTrial struct {
	Trial int          `json:"trial"`
	Task  trainer.Task `json:"task"`
	// Params holds the option taken of each choice, by name.
	Params    map[string]any  `json:"params"`
	Seed      uint64          `json:"seed"`
	Settings  json.RawMessage `json:"settings,omitempty"`
	Objective space.Objective `json:"objective"`
	// Constraints, Curve and Prune are as in a request (trainer.Request).
	Constraints []space.Constraint `json:"constraints,omitempty"`
	Curve       bool               `json:"curve,omitempty"`
	Prune       []trainer.Point    `json:"prune,omitempty"`
	Limits      trainer.Limits     `json:"limits,omitzero"`
	// LeaseEnds is when the trial is handed out to others, if it has not been told, nor
	// asked again, by then.
	LeaseEnds time.Time `json:"lease_ends"`
}

// States are what a trial can be told as, by the statuses that they are.
var States = map[string]trainer.Status{"complete": trainer.OK, "pruned": trainer.Pruned, "fail": trainer.Failed}

// Tell says what a trial gave.
type Tell struct {
	Trial *int `json:"trial"`
	// State is complete, pruned or fail.
	State string `json:"state"`
	// Metrics has the objective, unless the trial failed.
	Metrics map[string]*float64 `json:"metrics,omitempty"`
	Reason  string              `json:"reason,omitempty"`
	Steps   int                 `json:"steps,omitempty"`
	// Model is what whoever tells calls the trial's model.
	Model string `json:"model,omitempty"`
	// Curve is the objective on its way, where that is asked for.
	Curve []trainer.Point `json:"curve,omitempty"`
	Cost  *search.Cost    `json:"cost,omitempty"`
}

// Told is how far the search is with a trial that was told.
type Told struct {
	Trial int `json:"trial"`
	// Again says that it had been told before, just so.
	Again bool `json:"again,omitempty"`
	// Told is the number of trials learned from, in order, Trials the budget.
	Told   int `json:"told"`
	Trials int `json:"trials"`
}

func refuse(kind, format string, a ...any) error {
	return temporal.NewApplicationError(limit.Reason(fmt.Sprintf(format, a...)), kind)
}

// asks says that the search's trials are asked and told.
func (r *run) asks() bool { return r.state.Resolved.Trainer == trainer.External{}.Name() }

// handleAsking answers ask and tell.
func (r *run) handleAsking(ctx workflow.Context) error {
	return errors.Join(
		workflow.SetUpdateHandlerWithOptions(ctx, AskUpdate, func(ctx workflow.Context, in Ask) (Asked, error) {
			out, err := r.asked(ctx, in)
			r.changed = true // the history has grown: it may be long enough now
			for _, t := range out.Trials {
				if r.state.Asked == nil {
					r.state.Asked = map[int]time.Time{}
				}
				r.state.Asked[t.Trial] = t.LeaseEnds
			}
			return out, err
		}, workflow.UpdateHandlerOptions{
			Description: "Take trials to run, of a search with the trainer external",
			Validator: func(ctx workflow.Context, in Ask) error {
				_, err := r.asked(ctx, in)
				return err
			},
		}),
		workflow.SetUpdateHandlerWithOptions(ctx, TellUpdate, func(ctx workflow.Context, raw json.RawMessage) (Told, error) {
			p, row, err := r.told(ctx, raw)
			if err != nil {
				return Told{}, err
			}
			r.changed = true // if only the history, as by what is told again
			if p != nil {
				r.state.Pending = slices.DeleteFunc(r.state.Pending, func(o search.Proposal) bool { return o.Trial == p.Trial })
				delete(r.state.Asked, p.Trial)
				r.results[p.Trial] = row
			}
			return Told{Trial: row.Trial.Trial, Again: p == nil, Told: r.state.Position.Told, Trials: r.state.Trials}, nil
		}, workflow.UpdateHandlerOptions{
			Description: `Say what a trial gave: {"trial": 17, "state": "complete", "metrics": {"validation": 0.83}}`,
			Validator: func(ctx workflow.Context, raw json.RawMessage) error {
				_, _, err := r.told(ctx, raw)
				return err
			},
		}),
	)
}

// open are the trials that can be asked and told.
func (r *run) open() []search.Proposal {
	out := r.state.Pending[:min(len(r.state.Pending), r.spec.parallel())]
	past := slices.IndexFunc(out, func(p search.Proposal) bool { return p.Trial >= r.state.Trials })
	if past >= 0 {
		out = out[:past]
	}
	return out
}

// leased counts the open trials that somebody has.
func (r *run) leased(now time.Time) (n int) {
	for _, p := range r.open() {
		if r.state.Asked[p.Trial].After(now) {
			n++
		}
	}
	return n
}

// standing says why nothing can be asked or told of the search now. A run whose history
// is long enough ends as soon as it can; while a step waits for a resume it cannot.
func (r *run) standing(ctx workflow.Context) error {
	switch {
	case r.ended || r.finished != "" || r.state.Stop:
		return refuse(RefusedEnded, "the search has ended, or is ending: it takes no more trials")
	case !r.underWay:
		return refuse(RefusedNow, "the search has not begun: its names are being looked up")
	case !r.asks():
		return refuse(Refused, "its trials are run by the trainer %s: only those of a space with `trainer: %s` are asked and told",
			r.state.Resolved.Trainer, trainer.External{}.Name())
	case r.stuck > 0 && r.draining(ctx):
		return refuse(RefusedNow, "the search is paused: %s", r.state.Reason)
	}
	return nil
}

// asked are the trials that an ask is answered with; none is an error.
func (r *run) asked(ctx workflow.Context, in Ask) (out Asked, err error) {
	if err := r.standing(ctx); err != nil {
		return out, err
	}
	now, open := workflow.Now(ctx), r.open()
	switch {
	case in.Count < 0 || in.Count > MaxAsked || in.Trial != nil && in.Count > 1:
		return out, refuse(Refused, "%d trials are asked: give a number from 1 to %d, or one trial", in.Count, MaxAsked)
	case in.Trial != nil:
		at := slices.IndexFunc(open, func(p search.Proposal) bool { return p.Trial == *in.Trial })
		if at < 0 {
			return out, r.notOpen(*in.Trial)
		}
		open = open[at : at+1]
	case r.state.Paused:
		return out, refuse(RefusedNow, "the search is paused: %s", r.state.Reason)
	default:
		open = slices.DeleteFunc(slices.Clone(open), func(p search.Proposal) bool { return r.state.Asked[p.Trial].After(now) })
	}
	size := 0
	for _, p := range open[:min(len(open), max(1, in.Count))] {
		q := r.request(p)
		t := AskedTrial{Trial: q.Trial, Task: q.Task, Params: q.Choices, Seed: q.Seed, Settings: q.Settings, Objective: q.Objective,
			Constraints: q.Constraints, Curve: q.Curve, Prune: q.Prune, Limits: q.Limits, LeaseEnds: now.Add(r.spec.trialTimeout()).UTC()}
		b, err := json.Marshal(t)
		if err != nil {
			return out, refuse(Refused, "trial %d: %v", p.Trial, err)
		}
		if size += len(b); size > maxAnswer && len(out.Trials) > 0 {
			break
		}
		out.Trials = append(out.Trials, t)
	}
	if len(out.Trials) == 0 {
		return out, refuse(RefusedNow, "no trial is open: %s", r.untold())
	}
	return out, nil
}

// untold says what such a search waits for.
func (r *run) untold() string {
	n := len(r.open())
	if n == 1 {
		return fmt.Sprintf("waits for trial %d to be told", r.open()[0].Trial)
	}
	return fmt.Sprintf("waits for %d trials to be told", n)
}

// notOpen says why a trial cannot be asked or told.
func (r *run) notOpen(trial int) error {
	switch _, told := r.results[trial]; {
	case told || trial >= 0 && trial < r.state.Position.Told:
		return refuse(Refused, "trial %d has been told", trial)
	case trial < 0 || trial >= r.state.Trials:
		return refuse(Refused, "there is no trial %d: the search has %d, from 0", trial, r.state.Trials)
	}
	return refuse(RefusedNow, "trial %d has not been asked: it is proposed when the trials before it have been told", trial)
}

// told is what a tell means: the row of a trial that was asked, with its proposal; or,
// without one, the row that it has already. What is told wrongly is refused, all of it
// together: the trial stays open.
func (r *run) told(ctx workflow.Context, raw json.RawMessage) (*search.Proposal, activities.Row, error) {
	none := activities.Row{}
	if err := r.standing(ctx); err != nil {
		return nil, none, err
	}
	t, outcome, err := ParseTell(raw, r.state.Resolved.Objective)
	if err != nil {
		return nil, none, err
	}
	trial := *t.Trial
	cost := search.Cost{}
	if t.Cost != nil {
		cost = *t.Cost
	}
	at := slices.IndexFunc(r.open(), func(p search.Proposal) bool { return p.Trial == trial })
	if at < 0 {
		before, there := r.results[trial]
		if k := slices.IndexFunc(r.state.Position.Journal, func(o activities.Row) bool { return o.Trial.Trial == trial }); k >= 0 {
			before, there = r.state.Position.Journal[k], true
		}
		switch {
		case there && SameTell(before.Trial, outcome):
			return nil, before, nil
		case there:
			return nil, none, refuse(Refused, "trial %d has been told with something else: %s", trial, inWords(before.Trial))
		case trial >= 0 && trial < r.state.Position.Told:
			return nil, none, refuse(RefusedTold, "trial %d has been told", trial)
		}
		return nil, none, r.notOpen(trial)
	}
	p := r.open()[at]
	if _, asked := r.state.Asked[trial]; !asked {
		return nil, none, refuse(Refused, "trial %d has not been asked: ask for it, then tell what it gave", trial)
	}
	request := r.request(p)
	judged := request.Checked(outcome)
	if judged.Status == trainer.Failed && outcome.Status != trainer.Failed {
		return nil, none, refuse(Refused, "%s", judged.Reason)
	}
	row := r.rowOf(p, judged, cost)
	if trial > r.state.Position.Told {
		waiting, err := json.Marshal(append(r.waiting(), row))
		if err != nil || len(waiting) > MaxWaiting {
			return nil, none, refuse(RefusedNow, "too much waits to be learned from: tell trial %d first", r.state.Position.Told)
		}
	}
	return &p, row, nil
}

// waiting are the outcomes that wait for an earlier trial's, by number.
func (r *run) waiting() (out []activities.Row) {
	for _, trial := range workflow.DeterministicKeys(r.results) {
		out = append(out, r.results[trial])
	}
	return out
}

// ParseTell reads a tell and checks it. The outcome is as one of a trainer's that keeps
// the contract: what does not is refused, since whoever tells can mend it.
func ParseTell(raw json.RawMessage, objective space.Objective) (t Tell, o trainer.Outcome, err error) {
	if len(raw) > maxTell {
		return t, o, refuse(Refused, "a tell of %d bytes, more than %d", len(raw), maxTell)
	}
	var errs []error
	if err := strict.Unmarshal(raw, &t); err != nil {
		errs = append(errs, err)
	}
	if t.Trial == nil {
		errs = append(errs, errors.New(`no "trial" is told`))
	}
	status, known := States[t.State]
	if !known {
		errs = append(errs, fmt.Errorf(`"state" is %s: it is complete, pruned or fail`, strconv.Quote(limit.Note(t.State))))
	}
	o = trainer.Outcome{Status: status, Reason: t.Reason, Steps: t.Steps, Model: t.Model, Curve: t.Curve}
	for _, name := range workflow.DeterministicKeys(t.Metrics) {
		v := t.Metrics[name]
		if v == nil {
			errs = append(errs, fmt.Errorf("the metric %q is no number: tell the state fail where there is none", limit.Note(name)))
			continue
		}
		if o.Metrics == nil {
			o.Metrics = map[string]float64{}
		}
		o.Metrics[name] = *v
	}
	if len(errs) == 0 {
		checked := o.Checked(objective)
		if checked.Status == o.Status && checked.Steps == o.Steps && checked.Model == o.Model && len(checked.Metrics) == len(o.Metrics) {
			return t, checked, nil
		}
		errs = append(errs, errors.New(checked.Reason))
	}
	return t, o, refuse(Refused, "%v", limit.Problems(errs))
}

// SameTell says that an outcome is what a trial was told with.
func SameTell(t search.Trial, o trainer.Outcome) bool {
	same := t.Status == o.Status && t.Reason == o.Reason && t.Model == o.Model
	if t.Status == trainer.Infeasible { // which the search says, of a model that it does not keep
		same = o.Status == trainer.OK
	}
	return same && t.Steps == o.Steps && (len(t.Metrics) == 0 && len(o.Metrics) == 0 || reflect.DeepEqual(t.Metrics, o.Metrics))
}

// inWords is what a trial was told with.
func inWords(t search.Trial) string {
	b, err := json.Marshal(t.Metrics)
	if err != nil || t.Metrics == nil {
		b = nil
	}
	return limit.Note(fmt.Sprintf("%s %s %s", t.Status, b, t.Reason))
}
