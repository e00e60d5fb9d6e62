package library

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tnaml/activities/store"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// LoadSpace returns a search space by name: a built-in one, else a stored one.
func LoadSpace(ctx context.Context, s store.Store, name string) (*space.Space, error) {
	if slices.Contains(space.BuiltinNames(), name) {
		return space.Builtin(name)
	}
	sp, err := spaces.get(ctx, s, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		entries, err := s.Names(ctx, store.Space, "")
		if err != nil {
			return nil, fmt.Errorf("listing spaces: %w", err)
		}
		known := space.BuiltinNames()
		for _, e := range entries {
			known = append(known, e.Name)
		}
		return nil, Invalid(fmt.Errorf("no search space %q (there are: %s): one of your own is stored with `starter space add`",
			name, nearest(known, name)))
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

// PublishSpace stores a search space under its name. A built-in one's name cannot be
// taken; one of another space is ErrExists, unless overwrite is set.
func PublishSpace(ctx context.Context, s store.Store, sp *space.Space, overwrite bool) error {
	if slices.Contains(space.BuiltinNames(), sp.Name) {
		return fmt.Errorf("space %q is built in: give yours another name", sp.Name)
	}
	if err := CheckSpace(sp); err != nil {
		return err
	}
	return spaces.publish(ctx, s, sp.Name, *sp, overwrite)
}

// Spaces lists the stored search spaces, by name. Those that cannot be read are left out,
// and named in an ErrUnreadable.
func Spaces(ctx context.Context, s store.Store) ([]space.Space, error) { return spaces.list(ctx, s) }
