// Package client starts searches, runs of experiments and garbage collections, finds
// them, follows and steers them, and reads what they found. It is what a view is built on: a command
// line, a web page, another program or a test. It has no terminal: what it tells, it
// returns as values, and errors that a view must tell apart have types.
package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/activities/store"
)

// Client is all that is needed of the servers.
type Client struct {
	Temporal  sdk.Client
	Store     store.Store
	Namespace string
	// TaskQueue is where the workers listen.
	TaskQueue string
	// UI is the address of Temporal's web UI, empty where it is not known.
	UI string
	// Warn is told what is not as it should be, and ends nothing; nil: nobody is.
	Warn func(text string)
}

// Kind says what a name is one of.
type Kind string

// The kinds of what a client starts.
const (
	Search     Kind = "search"
	Run        Kind = "run"
	Collection Kind = "collection"
	Schedule   Kind = "schedule"
)

// ErrUsage says that a request cannot work, whatever the servers hold: the mistake is
// the caller's.
var ErrUsage = errors.New("wrong usage")

// Usage marks an error as ErrUsage, and leaves its text as it is.
func Usage(err error) error { return usageError{err} }

type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func (usageError) Is(target error) bool { return target == ErrUsage }

// TakenError says that a name has been given already.
type TakenError struct {
	Kind Kind
	Name string
	// Held says by what, where that is on record; else something runs under the name.
	Held *library.HeldError
}

func (e *TakenError) Error() string {
	if e.Held != nil {
		return fmt.Sprintf("a %s named %q exists already (%s), until `%s` gives it up", e.Kind, e.Name, e.Held.State(), e.Held.Remove)
	}
	return fmt.Sprintf("a %s named %q exists already", e.Kind, e.Name)
}

// NotFoundError says that there is nothing of a name.
type NotFoundError struct {
	// Kind is empty where either a search or a run was looked for.
	Kind Kind
	Name string
}

func (e *NotFoundError) Error() string {
	if e.Kind == "" {
		return fmt.Sprintf("there is no search and no run %q", e.Name)
	}
	return fmt.Sprintf("there is no %s %q", e.Kind, e.Name)
}

// errEnded is what a change says of what has ended.
var errEnded = errors.New("has ended: there is nothing to change")

// called names what an error of Temporal's is about; one that it does not know is a
// NotFoundError.
func called(kind Kind, name string, err error) error {
	var missing *serviceerror.NotFound
	switch {
	case err == nil:
		return nil
	case kind != Schedule && hasEnded(err):
		return fmt.Errorf("%s %w", name, errEnded)
	case errors.As(err, &missing):
		return &NotFoundError{kind, name}
	case kind == "":
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}

// hasEnded says that a call came too late for its workflow, also one that was under way
// as the workflow ended. By no type does Temporal tell these from calls of what never was.
// A schedule is a workflow too, and one that was deleted is a workflow that has ended.
func hasEnded(err error) bool {
	var (
		missing *serviceerror.NotFound
		app     *temporal.ApplicationError
	)
	return errors.As(err, &missing) &&
		(strings.Contains(missing.Message, "already completed") || strings.Contains(missing.Message, "closing workflow")) ||
		errors.As(err, &app) && app.Type() == "AcceptedUpdateCompletedWorkflow"
}

const (
	// pollEvery is how often progress is asked.
	pollEvery = 500 * time.Millisecond
	// queryTimeout bounds one question: without a worker nobody answers.
	queryTimeout = 10 * time.Second
	// updateTimeout bounds a change of what a worker has just answered for.
	updateTimeout = 30 * time.Second
	// maxNumber bounds the numbers that are tried for a name.
	maxNumber = 1000
)
