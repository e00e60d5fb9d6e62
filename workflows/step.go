package workflows

import (
	"errors"

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
	// underWay: until then, an input that can never work ends the run at once.
	underWay bool
	// stuck counts the steps that wait for a resume. A stop gives them up.
	stuck  int
	gaveUp bool
}

// step does what must succeed. Where it fails, its retries included, the run pauses
// and says why, and a resume does it again; a stop does it a last time. A run that is
// cancelled meanwhile is cancelled.
func (s *steps) step(ctx workflow.Context, what string, do func(ctx workflow.Context) error) error {
	for {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || s.gaveUp || !s.underWay && errorType(err) == activities.ErrTypeInvalid {
			return err
		}
		s.pause(ctx, what+": "+cause(err))
		s.stuck++
		err = workflow.Await(ctx, func() bool { return !s.held.Paused || s.gaveUp })
		s.stuck--
		if err != nil {
			return err
		}
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
