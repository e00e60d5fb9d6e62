package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// RefOf returns the reference of a blob.
func RefOf(data []byte) Ref {
	sum := sha256.Sum256(data)
	return Ref(refPrefix + hex.EncodeToString(sum[:]))
}

// ParseRef checks the form of a reference.
func ParseRef(s string) (Ref, error) {
	digits, ok := strings.CutPrefix(s, refPrefix)
	if b, err := hex.DecodeString(digits); !ok || err != nil || len(b) != sha256.Size || strings.ToLower(digits) != digits {
		return "", fmt.Errorf("%q is not a reference: sha256: and 64 lower-case hex digits", s)
	}
	return Ref(s), nil
}

const refPrefix = "sha256:"

// verify checks a blob against its reference.
func verify(ref Ref, data []byte) error {
	if got := RefOf(data); got != ref {
		return fmt.Errorf("object %s: %w: its %d bytes have the digest %s", ref, ErrCorrupt, len(data), got)
	}
	return nil
}

const (
	// updateAttempts bounds the tries of Update against other writers.
	updateAttempts = 30
	updateBackOff  = 5 * time.Millisecond
)

// Update changes a name's value by compare-and-set: change gets the present
// value (nil where the name does not exist) and returns the new one. Another
// writer's change in between makes it start again. A value that stays the same
// is not written.
func Update(ctx context.Context, s Store, kind Kind, name string, change func(old []byte) ([]byte, error)) error {
	wait := updateBackOff
	for attempt := 1; ; attempt++ {
		old, version, err := s.GetName(ctx, kind, name)
		if errors.Is(err, ErrNotFound) {
			old, version, err = nil, "", nil
		}
		if err != nil {
			return err
		}
		value, err := change(old)
		if err != nil {
			return err
		}
		if version != "" && bytes.Equal(value, old) {
			return nil
		}
		_, err = s.SetName(ctx, kind, name, value, version)
		if !errors.Is(err, ErrConflict) || attempt == updateAttempts {
			return err
		}
		// Jitter keeps equal writers from meeting again.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, time.Second)
	}
}
