package library

import (
	"context"
	"encoding/json"
	"errors"

	"tnaml/activities/store"
)

// CheckpointRecord is the value of names/checkpoint/<trial>: what a trial under way has
// reached, for the attempt that comes after a lost one.
type CheckpointRecord struct {
	Ref store.Ref `json:"ref"`
	// Search has the trial: with its end the checkpoint goes. Line is the search's (Fence) that the attempt was for,
	// empty where nobody knows.
	Search string `json:"search,omitempty"`
	Line   string `json:"line,omitempty"`
}

// StoredCheckpoint is a trial's, or store.ErrNotFound.
func StoredCheckpoint(ctx context.Context, s store.Store, trial string) (CheckpointRecord, error) {
	return checkpoints.get(ctx, s, trial)
}

// SetCheckpoint replaces a trial's checkpoint, for the line of the context (OfLine) unless another is given.
func SetCheckpoint(ctx context.Context, s store.Store, trial string, r CheckpointRecord) error {
	if line, ok := ctx.Value(lineKey{}).(string); ok && r.Line == "" {
		r.Line = line
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return store.Update(ctx, s, store.Checkpoint, trial, func([]byte) ([]byte, error) { return b, nil })
}

// RemoveCheckpoint removes a trial's checkpoint, if there is one.
func RemoveCheckpoint(ctx context.Context, s store.Store, trial string) error {
	return s.DeleteName(ctx, store.Checkpoint, trial)
}

// ErrStopping is the cause of the context's end where a worker stops: what it is at is made elsewhere.
var ErrStopping = errors.New("worker is stopping: the work starts again elsewhere")

type stopsKey struct{}

// WithStops says when the worker begins to stop, to those who can be given back at once.
func WithStops(ctx context.Context, stops <-chan struct{}) context.Context {
	return context.WithValue(ctx, stopsKey{}, stops)
}

// Stops is closed as the worker begins to stop, some time before the context ends; nil: nobody
// knows. What loses nothing then ends with ErrStopping.
func Stops(ctx context.Context) <-chan struct{} {
	stops, _ := ctx.Value(stopsKey{}).(<-chan struct{})
	return stops
}

type searchKey struct{}

// ForSearch says for which search something is done, to those who keep records of it.
func ForSearch(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, searchKey{}, name)
}

type lineKey struct{}

// OfLine says for which line of the search's runs something is done.
func OfLine(ctx context.Context, line string) context.Context {
	return context.WithValue(ctx, lineKey{}, line)
}

// SearchOf is the name of the search that something is done for, or "".
func SearchOf(ctx context.Context) string {
	name, _ := ctx.Value(searchKey{}).(string)
	return name
}
