package library

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// LoadSpace returns a search space by name: a stored one, else a built-in one.
func LoadSpace(ctx context.Context, s store.Store, name string) (*space.Space, error) {
	sp, err := spaces.get(ctx, s, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		sp, err := space.Builtin(name)
		if err != nil {
			return nil, Invalid(fmt.Errorf("%w; a space of your own is stored with `starter space add`", err))
		}
		return sp, nil
	case err != nil:
		return nil, err
	}
	return &sp, CheckSpace(&sp)
}

// CheckSpace reports everything wrong with a space as ErrInvalid.
func CheckSpace(sp *space.Space) error {
	if err := sp.Join(trainer.Check(sp)); err != nil {
		return Invalid(err)
	}
	return nil
}

// PublishSpace stores a search space under its name. One taken by another space is
// ErrExists, unless overwrite is set.
func PublishSpace(ctx context.Context, s store.Store, sp *space.Space, overwrite bool) error {
	if err := CheckSpace(sp); err != nil {
		return err
	}
	return spaces.publish(ctx, s, sp.Name, *sp, overwrite)
}
