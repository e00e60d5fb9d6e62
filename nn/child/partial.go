package child

import (
	"fmt"
	"math"
	"math/bits"

	kernels "tnaml/nn/blas"
	"tnaml/nn/safetensors"
)

// partial holds some rows of an array: those whose bit in mask is set, the first the
// lowest bit of the first byte.
type partial struct {
	mask   []uint8
	values []float32
}

// maskSuffix is that of a mask's array: see Model.Encode.
const maskSuffix = "/mask"

// pick takes the rows of an array that keep says. They are counted first: the rows of a
// large table that grew as they came would be there twice while they are moved.
func pick(v []float32, width int, keep func(row []float32, at int) bool) *partial {
	n := len(v) / width
	s := &partial{mask: make([]uint8, (n+7)/8)}
	rows := 0
	for i := range n {
		if keep(v[i*width:][:width], i*width) {
			s.mask[i/8] |= 1 << (i % 8)
			rows++
		}
	}
	s.values = make([]float32, 0, rows*width)
	for i := range n {
		if s.mask[i/8]>>(i%8)&1 != 0 {
			s.values = append(s.values, v[i*width:][:width]...)
		}
	}
	return s
}

// putPruned writes the weights that are not zero, or all of them where that takes
// less room.
func putPruned(f *safetensors.File, name string, v []float32, cols int) {
	there := 0
	for _, x := range v {
		if x != 0 {
			there++
		}
	}
	if 4*there+(len(v)+7)/8 < 4*len(v) {
		pick(v, 1, func(row []float32, _ int) bool { return row[0] != 0 }).put(f, name, 1)
	} else {
		safetensors.Put(f, name, v, len(v)/cols, cols)
	}
}

// changes takes the rows of a table that differ from those of another, in any bit.
func changes(v, from []float32, width int) *partial {
	return pick(v, width, func(row []float32, at int) bool {
		for k, x := range row {
			if math.Float32bits(x) != math.Float32bits(from[at+k]) {
				return true
			}
		}
		return false
	})
}

// over puts the rows in their places.
func (s *partial) over(v []float32, width int) {
	from := s.values
	for i, b := range s.mask {
		for ; b != 0; b &= b - 1 {
			copy(v[(8*i+bits.TrailingZeros8(b))*width:][:width], from)
			from = from[width:]
		}
	}
}

func (s *partial) put(f *safetensors.File, name string, width int) {
	safetensors.Put(f, name, s.values, len(s.values)/width, width)
	safetensors.Put(f, name+maskSuffix, s.mask)
}

// getPartial reads some of n rows.
func getPartial(f *safetensors.File, name string, n, width int) (*partial, error) {
	mask, _, err := safetensors.Get[uint8](f, name+maskSuffix, (n+7)/8)
	if err != nil {
		return nil, err
	}
	rows := 0
	for _, b := range mask {
		rows += bits.OnesCount8(b)
	}
	if n%8 > 0 && mask[n/8]>>(n%8) != 0 {
		return nil, fmt.Errorf("array %q has more than %d bits", name+maskSuffix, n)
	}
	values, _, err := safetensors.Get[float32](f, name, rows, width)
	if err == nil && !kernels.Finite(values) {
		err = fmt.Errorf("array %q holds what is no number", name)
	}
	return &partial{mask, values}, err
}
