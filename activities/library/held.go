package library

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tnaml/activities/store"
)

// HeldError says that a name leads to what another run did, and is not given away.
type HeldError struct {
	Kind store.Kind
	// Name is the workflow ID, RunID the first run of the workflow that holds it.
	Name  string
	RunID string
	// Status is as recorded; Ended is zero where no end is.
	Status string
	Ended  time.Time

	// Remove is the command that gives the name up.
	Remove string
}

// State says how what holds the name ended.
func (e *HeldError) State() string {
	if e.Ended.IsZero() {
		return "which has not recorded its end"
	}
	return e.Status + " on " + e.Ended.UTC().Format("2006-01-02 15:04 MST")
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the name %q is held by another %s (run %s, %s), of which nothing was changed: start under another workflow ID, "+
		"or give the old one up with `%s`", e.Name, e.Kind, e.RunID, e.State(), e.Remove)
}

// Is makes it an ErrInvalid: no retry can help.
func (*HeldError) Is(target error) bool { return target == ErrInvalid }

// held is the error of who wants the record's name.
func (r *SearchRecord) held() error {
	return &HeldError{store.Search, r.Name, r.RunID, r.Status, r.Ended, "starter remove " + r.Name}
}

// heldFrom refuses the name to another owner. A search that failed before it was told
// anything holds no name: nothing is lost with it.
func (r *SearchRecord) heldFrom(owner string) error {
	if r.Config == "" || r.Told == 0 && r.Status == "failed" || r.Owner == owner {
		return nil
	}
	return r.held()
}

// SearchHeld is the HeldError of a search's name that is not owner's.
func SearchHeld(ctx context.Context, s store.Store, name, owner string) error {
	r, err := searches.get(ctx, s, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.heldFrom(owner)
}

// RunHeld is the HeldError of a run's name that another run has, of whichever
// experiment: the names of its searches are made of it. A start that failed holds no
// name.
func RunHeld(ctx context.Context, s store.Store, name, runID string) error {
	held, err := heldRuns(ctx, s)
	if h := held[name]; err == nil && h != nil && h.RunID != runID {
		return h
	}
	return err
}

// heldRuns lists the names that runs of experiments hold. Where a record cannot be
// read, the names of the run's searches are still theirs.
func heldRuns(ctx context.Context, s store.Store) (map[string]*HeldError, error) {
	records, err := Experiments(ctx, s)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	held := map[string]*HeldError{}
	for _, r := range records {
		for _, e := range r.Runs {
			if e.Report != "" {
				held[e.Name] = &HeldError{store.Experiment, e.Name, e.RunID, e.Status, e.Ended,
					"starter experiment remove " + r.Name + " --run " + e.Name}
			}
		}
	}
	return held, nil
}

// HeldNames answers which names a new search or run cannot have, with the HeldError.
func HeldNames(ctx context.Context, s store.Store) (func(name string) error, error) {
	runs, err := heldRuns(ctx, s)
	if err != nil {
		return nil, err
	}
	return func(name string) error {
		if h := runs[name]; h != nil {
			return h
		}
		return SearchHeld(ctx, s, name, "")
	}, nil
}
