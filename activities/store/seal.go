package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A name's value is written with a digest of itself and of the key it lies under:
//
//	{"sha256":"<64 hex digits>","value":<value>}
//
// A blob's digest is its address; of a name, nothing else would show that bits have
// flipped, or that it is another name's.
const (
	sealHead = `{"sha256":"`
	sealNeck = `","value":`
	sealTail = `}`
)

func sealDigest(key string, value []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", key)
	h.Write(value)
	return hex.AppendEncode(nil, h.Sum(nil))
}

// seal is a value as it is written under a key.
func seal(key string, value []byte) []byte {
	return bytes.Join([][]byte{[]byte(sealHead), sealDigest(key, value), []byte(sealNeck), value, []byte(sealTail)}, nil)
}

// unseal inverts seal, or is ErrCorrupt.
func unseal(key string, sealed []byte) ([]byte, error) {
	const digits = 2 * sha256.Size
	rest, head := bytes.CutPrefix(sealed, []byte(sealHead))
	if head && len(rest) >= digits {
		value, neck := bytes.CutPrefix(rest[digits:], []byte(sealNeck))
		value, tail := bytes.CutSuffix(value, []byte(sealTail))
		if neck && tail && bytes.Equal(rest[:digits], sealDigest(key, value)) {
			return value, nil
		}
	}
	return nil, fmt.Errorf("%w: its %d bytes do not have the digest that was written with them", ErrCorrupt, len(sealed))
}
