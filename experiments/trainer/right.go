package trainer

import (
	"errors"
	"fmt"
	"math/bits"

	"tnaml/nn/safetensors"
)

// Right says which examples of the validation and test splits a model has right, in
// the order of the task's object. It gives paired comparisons, bootstraps and votes of
// models without training any of them again.
type Right struct{ Validation, Test Bits }

// Bits is a bit for each of N examples, the first the lowest of its byte; the bits
// beyond N are 0.
type Bits struct {
	N      int
	Packed []byte
}

// Has says whether the i-th bit, of 0…N−1, is set.
func (b Bits) Has(i int) bool { return b.Packed[i/8]>>(i%8)&1 == 1 }

// Share is the share of the bits that are set: the accuracy; 0 of none.
func (b Bits) Share() float64 {
	if b.N == 0 {
		return 0
	}
	n := 0
	for _, v := range b.Packed {
		n += bits.OnesCount8(v)
	}
	return float64(n) / float64(b.N)
}

// check reports bits that are not as many as they should be.
func (b Bits) check() error {
	if b.N < 0 || len(b.Packed) != (b.N+7)/8 {
		return fmt.Errorf("%d bits in %d bytes", b.N, len(b.Packed))
	}
	if b.N%8 != 0 && b.Packed[len(b.Packed)-1]>>(b.N%8) != 0 {
		return fmt.Errorf("a bit is set beyond the last of %d", b.N)
	}
	return nil
}

// Check reports bits that are not as many as they should be.
func (r *Right) Check() error { return errors.Join(r.Validation.check(), r.Test.check()) }

const rightKind = "examples"

// Encode returns the object: a safetensors file of the kind "examples" with the
// arrays "validation" and "test" of bytes, and their numbers of bits.
func (r *Right) Encode() []byte {
	f := safetensors.New(rightKind)
	f.PutJSON("examples", [2]int{r.Validation.N, r.Test.N})
	safetensors.Put(f, "validation", r.Validation.Packed)
	safetensors.Put(f, "test", r.Test.Packed)
	return f.Encode()
}

// DecodeRight reads what Encode wrote.
func DecodeRight(b []byte) (*Right, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("examples: %w", err)
	}
	if f.Kind() != rightKind {
		return nil, fmt.Errorf("examples: the object is a %q", f.Kind())
	}
	var n [2]int
	r := &Right{}
	if err := f.GetJSON("examples", &n); err != nil {
		return nil, fmt.Errorf("examples: %w", err)
	}
	r.Validation.N, r.Test.N = n[0], n[1]
	var errs [2]error
	r.Validation.Packed, _, errs[0] = safetensors.Get[uint8](f, "validation")
	r.Test.Packed, _, errs[1] = safetensors.Get[uint8](f, "test")
	if err := errors.Join(append(errs[:], r.Check())...); err != nil {
		return nil, fmt.Errorf("examples: %w", err)
	}
	return r, nil
}
