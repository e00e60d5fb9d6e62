package activities

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"tnaml/activities/library"
	"tnaml/activities/memory"
	"tnaml/activities/store"
	"tnaml/activities/trainers"
	"tnaml/experiments/limit"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
)

// Options configures a worker's activities; zero values are sensible.
type Options struct {
	// CacheBytes bounds the decoded tasks, modules and document vectors kept
	// in memory; 0 means 2 GiB.
	CacheBytes int64
	// LiveSearches bounds the searches whose strategy state is kept in memory;
	// 0 means 64. A search beyond it is rebuilt from its checkpoint.
	LiveSearches int
	// Worker names this process in the cost records.
	Worker string
	// Fit says whether the worker has access to the store; nil: it has. While it has
	// none, it gives back what it gets, and pronounces on nothing.
	Fit func() bool
	// Drain is how long a worker that stops lets end what it is at, before it gives it back.
	// What goes on elsewhere from where it is (library.Stops) it gives back at once.
	Drain time.Duration
	// Trainers are those that the worker brings besides the built-in ones.
	Trainers []trainer.Trainer
}

// Activities are the activities of one worker process. Its methods are
// registered by their names: Resolve, Features, Trial, Learn, Finish and the rest.
type Activities struct {
	store          store.Store
	memory         *memory.Cache
	live           *liveSearches
	outcomes       memory.Tally // of the trial cache
	worker         string
	process        string // like no other
	fit            func() bool
	drain          time.Duration
	instructionSet string
	builtin        *trainers.Builtin
	trainers       map[string]trainer.Trainer
}

// New returns the activities over a store.
func New(s store.Store, o Options) *Activities {
	if o.CacheBytes == 0 {
		o.CacheBytes = 2 << 30
	}
	if o.Fit == nil {
		o.Fit = func() bool { return true }
	}
	if o.LiveSearches == 0 {
		o.LiveSearches = 64
	}
	a := &Activities{
		store: s, memory: memory.New(o.CacheBytes), live: newLiveSearches(o.LiveSearches), worker: o.Worker,
		process: processName(o.Worker), fit: o.Fit, drain: o.Drain,
		instructionSet: child.InstructionSet(), trainers: map[string]trainer.Trainer{},
	}
	a.builtin = trainers.NewBuiltin(s, a.memory)
	for _, t := range append([]trainer.Trainer{a.builtin, trainers.NewTable(s, a.memory)}, o.Trainers...) {
		a.trainers[t.Name()] = t
	}
	return a
}

// fence is an attempt's, of an activity that is not local: those have their times from their own machine.
func fence(ctx context.Context, line string) library.Fence {
	return library.Fence{Line: line, Began: activity.GetInfo(ctx).StartedTime}
}

// TrainersOf names the trainers that a worker has, sorted. (A method would be taken
// for an activity.)
func TrainersOf(a *Activities) []string { return slices.Sorted(maps.Keys(a.trainers)) }

// TalliesOf counts what was asked of a worker's caches: the trial cache, the decoded
// objects in memory, the states of strategies.
func TalliesOf(a *Activities) map[string]*memory.Tally {
	return map[string]*memory.Tally{"trial": &a.outcomes, "memory": &a.memory.Tally, "state": &a.live.Tally}
}

// Types of the activities' errors that are not retried, or not for long (see
// Attempts).
const (
	// ErrTypeInvalid: the input cannot work, whoever tries it and how often.
	ErrTypeInvalid = "Invalid"
	// ErrTypePanic: the program is wrong.
	ErrTypePanic = "Panic"
	// ErrTypeMissing: an object that must exist does not, or is corrupt. It may be so
	// for one worker alone, or for a moment: a few attempts.
	ErrTypeMissing = "Missing"
	// ErrTypeDenied: the store refuses the credentials. A few attempts, too.
	ErrTypeDenied = "Denied"
	// ErrTypeCutShort: the machine ended a trial, by its clock or for its memory. The
	// search counts such attempts.
	ErrTypeCutShort = "CutShort"
	// ErrTypeStopping: a worker that stops gives it back, and others take it at once. It is an
	// attempt as any other of those that an activity has. A trial is begun anew after them,
	// several times, before the search pauses.
	ErrTypeStopping = "Stopping"
)

// invalid marks an error as the input's own fault: retrying cannot help.
func invalid(err error) error {
	return temporal.NewNonRetryableApplicationError(limit.Cut(err.Error(), limit.MaxMessage), ErrTypeInvalid, nil)
}

// classify turns the error classes of the store and the library into Temporal's:
// what a retry cannot mend is not retried, what it seldom can is not for long.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if app := (*temporal.ApplicationError)(nil); errors.As(err, &app) {
		return err
	}
	message := limit.Cut(err.Error(), limit.MaxMessage)
	switch {
	case errors.Is(err, library.ErrInvalid):
		return invalid(err)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
		return temporal.NewApplicationError(message, ErrTypeMissing)
	case errors.Is(err, trainer.ErrCutShort):
		return temporal.NewNonRetryableApplicationError(message, ErrTypeCutShort, nil)
	case errors.Is(err, store.ErrDenied):
		return temporal.NewApplicationError(message, ErrTypeDenied)
	case len(err.Error()) > limit.MaxMessage:
		return errors.New(message)
	}
	return err
}
