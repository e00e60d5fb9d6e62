// Package store keeps the project's objects: immutable, content-addressed
// blobs, and small mutable names that point to them. It is the only package
// that knows how they lie in a bucket.
//
//	objects/sha256/<2>/<62>        immutable blobs, verified on every read
//	names/<kind>/<name>            small JSON values, changed by compare-and-set
//	trash/sha256/<2>/<62>/<entry>  blobs set aside by garbage collection
package store

import (
	"context"
	"errors"
	"time"
)

// Ref is the address of an immutable object: "sha256:" and 64 hex digits.
type Ref string

// Kind is a class of names.
type Kind string

// The kinds of names. Trial is the trial cache, key digest → result; Features
// are the features of an image task under a module, key digest → features; Checkpoint is
// what a trial under way has reached, by its digest; Yardstick is what simple models have on
// a text task, key digest → results.
const (
	Dataset    Kind = "dataset"
	Module     Kind = "module"
	Controller Kind = "controller"
	Space      Kind = "space"
	Experiment Kind = "experiment"
	Search     Kind = "search"
	Trial      Kind = "trial"
	Features   Kind = "features"
	Checkpoint Kind = "checkpoint"
	Yardstick  Kind = "yardstick"
)

// Word is what people call what has names of the kind.
func (k Kind) Word() string {
	if k == Dataset {
		return "task"
	}
	return string(k)
}

// Errors that callers tell apart with errors.Is. Everything else is the
// store's trouble and worth a retry, but for ErrDenied.
var (
	// ErrNotFound: no such object or name.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the name is not at the version that the caller expected.
	ErrConflict = errors.New("changed by somebody else")
	// ErrCorrupt: the bytes read do not have the digest asked for, or written with them.
	ErrCorrupt = errors.New("corrupt")
	// ErrDenied: the server refused the credentials.
	ErrDenied = errors.New("access denied")
)

// Version is the version of a name's value (an ETag). The zero value stands
// for "does not exist".
type Version string

// Entry is a name in a listing.
type Entry struct {
	Name     string
	Modified time.Time
}

// Blob is a blob in a listing.
type Blob struct {
	Ref Ref
	// Size is in bytes.
	Size int64
	// Modified is when the blob was written, by the server's clock.
	Modified time.Time
}

// Discarded is a blob that was set aside: one entry of the trash. A blob may
// have several.
type Discarded struct {
	Ref  Ref
	Size int64
	// When it was set aside, by the server's clock.
	When time.Time
	// entry tells the entries of a blob apart.
	entry string
}

// Sweeper is what garbage collection needs of a store (package gc). It never
// deletes a blob that anybody could still ask for: it sets it aside, from where
// Get and Has fetch it back, and deletes what has lain there.
type Sweeper interface {
	// Now is the server's clock, by which it dates blobs.
	Now(ctx context.Context) (time.Time, error)
	// Kinds lists the kinds of which there are names, known here or not.
	Kinds(ctx context.Context) ([]Kind, error)
	// Blobs calls f with each blob, in no certain order; an error of f ends it.
	Blobs(ctx context.Context, f func(Blob) error) error
	// Peek returns the first n bytes of a blob, or all where it has fewer, not
	// verified: a hint of what it is.
	Peek(ctx context.Context, ref Ref, n int) ([]byte, error)
	// Discard sets a blob aside: it is copied to the trash first, under an entry
	// of its own, and then removed, within a quarter of an hour or not at all. One
	// that is absent is no error.
	Discard(ctx context.Context, ref Ref) error
	// Trash calls f with each blob that was set aside.
	Trash(ctx context.Context, f func(Discarded) error) error
	// Purge deletes entries of the trash, for good. One that is gone is no error.
	Purge(ctx context.Context, entries []Discarded) error
}

// Store is what the project needs of an object store. Every implementation
// passes the conformance suite in storetest. All methods are safe for
// concurrent use.
type Store interface {
	// Put stores a blob under its digest. Storing bytes that are already there
	// succeeds without writing. After Put returns, Get of the reference
	// succeeds on every client.
	Put(ctx context.Context, data []byte) (Ref, error)
	// Get returns a blob, verified against its reference: ErrNotFound, or
	// ErrCorrupt where the stored bytes have another digest. One that was set
	// aside (see Sweeper) is put back.
	Get(ctx context.Context, ref Ref) ([]byte, error)
	// Has reports whether a blob is present, without reading it. One that was
	// set aside is put back.
	Has(ctx context.Context, ref Ref) (bool, error)
	// SetName writes a name's value if its version is still expect; the zero
	// Version asks that the name does not exist. Otherwise ErrConflict and
	// nothing is written.
	SetName(ctx context.Context, kind Kind, name string, value []byte, expect Version) (Version, error)
	// GetName returns a name's value and version, verified: ErrNotFound, or ErrCorrupt
	// where the stored bytes are not those that were written under this name. They come
	// with it as they are, for who looks for what they may have referred to.
	GetName(ctx context.Context, kind Kind, name string) ([]byte, Version, error)
	// DeleteName removes a name; one that is absent is no error.
	DeleteName(ctx context.Context, kind Kind, name string) error
	// Names lists the names of a kind with a prefix, sorted.
	Names(ctx context.Context, kind Kind, prefix string) ([]Entry, error)

	Sweeper
}
