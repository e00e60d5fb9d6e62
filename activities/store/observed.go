package store

import (
	"context"
	"errors"
	"time"
)

// Observer is told of a store's requests: of each as it begins, by its operation (get, put,
// set_name …), and with what it returns as it ends, of the objects and names that it read, or that
// it was given to write, and their bytes: also of a blob that was there already, of which the store
// then writes nothing. Lists, and what is looked for or deleted, count as none.
type Observer func(ctx context.Context, operation string) (context.Context, func(objects, bytes int, err error))

// Failed says that an error is a store's trouble: that something is not there, or was
// changed by somebody else, is an answer; who gives up has none.
func Failed(err error) bool {
	return err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) && !errors.Is(err, context.Canceled)
}

// Observed is a store with an observer.
func Observed(s Store, o Observer) Store { return &observed{s, o} }

type observed struct {
	Store
	observe Observer
}

// one counts an object of a request that did not fail.
func one(err error) int {
	if err != nil {
		return 0
	}
	return 1
}

func (o *observed) Put(ctx context.Context, data []byte) (Ref, error) {
	ctx, end := o.observe(ctx, "put")
	ref, err := o.Store.Put(ctx, data)
	end(one(err), one(err)*len(data), err)
	return ref, err
}

func (o *observed) Get(ctx context.Context, ref Ref) ([]byte, error) {
	ctx, end := o.observe(ctx, "get")
	data, err := o.Store.Get(ctx, ref)
	end(one(err), len(data), err)
	return data, err
}

func (o *observed) Has(ctx context.Context, ref Ref) (bool, error) {
	ctx, end := o.observe(ctx, "has")
	there, err := o.Store.Has(ctx, ref)
	end(0, 0, err)
	return there, err
}

func (o *observed) SetName(ctx context.Context, kind Kind, name string, value []byte, expect Version) (Version, error) {
	ctx, end := o.observe(ctx, "set_name")
	version, err := o.Store.SetName(ctx, kind, name, value, expect)
	end(one(err), one(err)*len(value), err)
	return version, err
}

func (o *observed) GetName(ctx context.Context, kind Kind, name string) ([]byte, Version, error) {
	ctx, end := o.observe(ctx, "get_name")
	value, version, err := o.Store.GetName(ctx, kind, name)
	end(one(err), len(value), err)
	return value, version, err
}

func (o *observed) DeleteName(ctx context.Context, kind Kind, name string) error {
	ctx, end := o.observe(ctx, "delete_name")
	err := o.Store.DeleteName(ctx, kind, name)
	end(0, 0, err)
	return err
}

func (o *observed) Names(ctx context.Context, kind Kind, prefix string) ([]Entry, error) {
	ctx, end := o.observe(ctx, "names")
	entries, err := o.Store.Names(ctx, kind, prefix)
	end(0, 0, err)
	return entries, err
}

func (o *observed) Now(ctx context.Context) (time.Time, error) {
	ctx, end := o.observe(ctx, "now")
	now, err := o.Store.Now(ctx)
	end(0, 0, err)
	return now, err
}

func (o *observed) Kinds(ctx context.Context) ([]Kind, error) {
	ctx, end := o.observe(ctx, "kinds")
	kinds, err := o.Store.Kinds(ctx)
	end(0, 0, err)
	return kinds, err
}

func (o *observed) Blobs(ctx context.Context, f func(Blob) error) error {
	ctx, end := o.observe(ctx, "blobs")
	err := o.Store.Blobs(ctx, f)
	end(0, 0, err)
	return err
}

func (o *observed) Peek(ctx context.Context, ref Ref, n int) ([]byte, error) {
	ctx, end := o.observe(ctx, "peek")
	data, err := o.Store.Peek(ctx, ref, n)
	end(one(err), len(data), err)
	return data, err
}

func (o *observed) Discard(ctx context.Context, ref Ref) error {
	ctx, end := o.observe(ctx, "discard")
	err := o.Store.Discard(ctx, ref)
	end(0, 0, err)
	return err
}

func (o *observed) Trash(ctx context.Context, f func(Discarded) error) error {
	ctx, end := o.observe(ctx, "trash")
	err := o.Store.Trash(ctx, f)
	end(0, 0, err)
	return err
}

func (o *observed) Purge(ctx context.Context, entries []Discarded) error {
	ctx, end := o.observe(ctx, "purge")
	err := o.Store.Purge(ctx, entries)
	end(0, 0, err)
	return err
}
