package workflows

import (
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"tnaml/activities"
	"tnaml/experiments/limit"
)

// Held says whether a search or an experiment's run is paused, why, and whether it is
// to end with what is there.
type Held struct {
	Paused bool   `json:"paused,omitempty"`
	Reason string `json:"reason,omitempty"`
	Stop   bool   `json:"stop,omitempty"`
}

// steps are the steps of a run that must succeed, from the first to the last: days of
// trials depend on each.
type steps struct {
	held  *Held
	pause func(ctx workflow.Context, reason string)
	// say shows what the run waits for: nothing, once a step has ended.
	say func(ctx workflow.Context, why string)
	// waits is what the run waits for.
	waits string
	// underWay: until then, an input that can never work ends the run at once.
	underWay bool
	// stuck counts the steps that wait for a resume. A stop gives them up.
	stuck  int
	gaveUp bool
	// doing counts the steps under way, done those that have ended.
	doing, done int
}

// step does what must succeed. Where it fails, its retries included, the run pauses
// and says why, and a resume does it again; a stop does it a last time. A run that is
// cancelled meanwhile is cancelled.
func (s *steps) step(ctx workflow.Context, what string, do func(ctx workflow.Context) error) error {
	for {
		s.doing++
		err := do(ctx)
		s.doing--
		s.done++
		s.say(ctx, "")
		if err == nil || ctx.Err() != nil || s.gaveUp || !s.underWay && errorType(err) == activities.ErrTypeInvalid {
			return err
		}
		s.stuck++ // which it is shown to wait for
		s.pause(ctx, what+": "+cause(err))
		err = workflow.Await(ctx, func() bool { return !s.held.Paused || s.gaveUp })
		s.stuck--
		if err != nil {
			return err
		}
	}
}

// paused says whether the run is, in the eyes of one who looks: not while it ends, unless
// that is what waits for a resume. finished is how it ends, once that is decided.
func (s *steps) paused(finished string) bool {
	return s.held.Paused && (s.stuck > 0 && !s.gaveUp || !s.held.Stop && finished == "")
}

// reason is why a run with a status is paused, or what it waits for.
func (s *steps) reason(status string) string {
	if status == statusPaused {
		return s.held.Reason
	}
	return s.waits
}

// statusPaused is the status of a run that waits for a resume.
const statusPaused = "paused"

// standing says, for the UI, why a run does not go on, where there is a reason.
func standing(b *strings.Builder, status, reason string) {
	switch {
	case reason == "":
	case status == statusPaused:
		fmt.Fprintf(b, "> **Paused:** %s\n>\n> Send the update `resume` to go on, or `stop` to finish with what is there.\n\n", reason)
	default:
		fmt.Fprintf(b, "> **Waiting:** %s\n\n", reason)
	}
}

// stop is what a request to stop means.
func (s *steps) stop() {
	s.held.Stop = true
	s.gaveUp = s.gaveUp || s.stuck > 0
}

// ending is the status of a run that ends with an error.
func (s *steps) ending(err error) string {
	switch {
	case temporal.IsCanceledError(err) || errors.Is(err, workflow.ErrCanceled):
		return "canceled"
	case s.gaveUp:
		return "stopped"
	}
	return "failed"
}

// errorType is the type of an activity's error, empty where it has none.
func errorType(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return ""
}

// cause is the innermost message of an activity's error: what went wrong,
// without the wrapping that only says where.
func cause(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return limit.Reason(app.Message())
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return limit.Reason(timeout.Error())
	}
	return limit.Reason(err.Error())
}
