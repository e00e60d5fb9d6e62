package library

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/space"
)

// LoadSpace returns a search space by name: a stored one, else a built-in one.
func LoadSpace(ctx context.Context, s store.Store, name string) (*space.Space, error) {
	sp, err := spaces.get(ctx, s, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		sp, err := space.Builtin(name)
		if err != nil {
			return nil, fmt.Errorf("%w; a space of your own is stored with `starter space add`", err)
		}
		return sp, nil
	case err != nil:
		return nil, err
	}
	return &sp, sp.Validate()
}

// PublishSpace stores a search space under its name. One taken by another space is
// ErrExists, unless overwrite is set.
func PublishSpace(ctx context.Context, s store.Store, sp *space.Space, overwrite bool) error {
	if err := sp.Validate(); err != nil {
		return err
	}
	return spaces.publish(ctx, s, sp.Name, *sp, overwrite)
}
