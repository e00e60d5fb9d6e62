package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// updateAttempts bounds the tries of Update against other writers.
	updateAttempts = 30
	updateBackOff  = 5 * time.Millisecond
	updateMaxWait  = time.Second
)

// Update changes a name's value by compare-and-set: change gets the present
// value (nil where the name does not exist) and returns the new one. Another
// writer's change in between makes it start again, with a growing pause; after
// 30 tries it gives up with ErrConflict. A value that stays the same is not
// written, nor is nil. An error of change ends it, as it is.
//
// Any other error leaves open whether the last value was written, as an answer
// may have been lost: change must be one that may be applied again.
func Update(ctx context.Context, s Store, kind Kind, name string, change func(old []byte) ([]byte, error)) error {
	wait := updateBackOff
	for attempt := 1; ; attempt++ {
		old, version, err := s.GetName(ctx, kind, name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		present := append([]byte{}, old...)
		if err != nil {
			present, version = nil, ""
		}
		value, err := change(present)
		if err != nil {
			return err
		}
		if value == nil || version != "" && bytes.Equal(value, old) {
			return nil
		}
		_, err = s.SetName(ctx, kind, name, value, version)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if attempt == updateAttempts {
			return fmt.Errorf("%w, %d times in a row", err, attempt)
		}
		// Jitter keeps equal writers from meeting again.
		select {
		case <-ctx.Done():
			return fmt.Errorf("update of %s %q: %w", kind, name, ctx.Err())
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, updateMaxWait)
	}
}
