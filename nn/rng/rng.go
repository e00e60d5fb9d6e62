// Package rng is the project's only source of randomness: counter-based
// generators keyed by (seed, stream, index).
//
// Nothing keeps generator state between calls. Whoever needs random draws for
// the index-th event of a stream asks for the generator of exactly that event,
// so a result never depends on how many draws came before it, on which worker
// they were made, or on a restart in between.
package rng

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// New returns the generator of the index-th event of a stream under a seed.
// Equal arguments give equal sequences, on every platform and Go version that
// keeps math/rand/v2's PCG (which its documentation fixes).
func New(seed uint64, stream string, index uint64) *rand.Rand {
	hi, lo := key(seed, stream, index)
	return rand.New(rand.NewPCG(hi, lo))
}

// Stream gives the generators of events one after the other without allocating
// for each. The zero value is ready. It is not safe for concurrent use.
type Stream struct {
	source rand.PCG
	rand   *rand.Rand
}

// At is New, but for that the generator is good until the next call.
func (s *Stream) At(seed uint64, stream string, index uint64) *rand.Rand {
	hi, lo := key(seed, stream, index)
	s.source.Seed(hi, lo)
	if s.rand == nil {
		s.rand = rand.New(&s.source)
	}
	return s.rand
}

// Derive returns a seed for the index-th child of a stream: the way to hand a
// part of the program its own independent seed.
func Derive(seed uint64, stream string, index uint64) uint64 {
	hi, _ := key(seed, stream, index)
	return hi
}

// key hashes the three coordinates with SHA-256, so that neighbouring seeds,
// streams and indices give unrelated generators.
func key(seed uint64, stream string, index uint64) (hi, lo uint64) {
	var short [80]byte // long enough for most: no allocation
	binary.LittleEndian.PutUint64(short[0:], seed)
	binary.LittleEndian.PutUint64(short[8:], index)
	b := append(short[:16], stream...)
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(sum[0:]), binary.LittleEndian.Uint64(sum[8:])
}
