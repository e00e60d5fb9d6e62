package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// RefOf returns the reference of a blob.
func RefOf(data []byte) Ref {
	sum := sha256.Sum256(data)
	return refOfSum(sum[:])
}

func refOfSum(sum []byte) Ref { return Ref(refPrefix + hex.EncodeToString(sum)) }

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
