// Package names is what commands have in common for all kinds of names in the store: to
// find out that one is free, and to remove some.
package names

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/starter/client"
)

// OfFile refuses a name that was taken from a file's, and cannot be one of a thing.
func OfFile(what, name string) error {
	if err := client.CheckName(what, name); err != nil {
		return client.Usage(fmt.Errorf("%w; the file's own name is none: name it with --name", err))
	}
	return nil
}

// Free makes sure, before the work for it, that a name is to be had.
func Free(ctx context.Context, s store.Store, kind store.Kind, name string, overwrite bool) error {
	if overwrite {
		return nil
	}
	switch _, _, err := s.GetName(ctx, kind, name); {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("%s %q: %w", kind.Word(), name, err)
	}
	return fmt.Errorf("%s %q %w: choose another name, or replace it with --overwrite", kind.Word(), name, library.ErrExists)
}
