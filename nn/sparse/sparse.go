// Package sparse holds what occurs in examples, as matrices in compressed sparse
// row form, and turns counts into weights.
package sparse

import (
	"math/bits"
	"slices"
)

// Matrix has rows of few values: row i has the columns IDs[Offsets[i]:Offsets[i+1]],
// each once and ascending, with their values. It is shared read-only.
type Matrix struct {
	// Columns is the number of columns, ids from 0.
	Columns int
	Offsets []int32
	IDs     []int32
	Values  []float32
}

// Rows returns the number of rows.
func (m *Matrix) Rows() int { return len(m.Offsets) - 1 }

// Row returns a row's columns and values.
func (m *Matrix) Row(i int) ([]int32, []float32) {
	from, to := m.Offsets[i], m.Offsets[i+1]
	return m.IDs[from:to], m.Values[from:to]
}

// Bytes is the room that the matrix takes.
func (m *Matrix) Bytes() int64 { return 4 * int64(len(m.Offsets)+len(m.IDs)+len(m.Values)) }

// Counter makes a matrix of counts, row after row. Columns that were counted are
// found in order by two levels of bits, without sorting.
type Counter struct {
	m      Matrix
	counts []float32
	low    []uint64 // a bit a column
	high   []uint64 // a bit a word of low
}

// NewCounter makes a counter of so many columns; rows is how many rows are likely.
func NewCounter(columns, rows int) *Counter {
	low := (columns + 63) / 64
	return &Counter{
		m:      Matrix{Columns: columns, Offsets: make([]int32, 1, rows+1)},
		counts: make([]float32, columns), low: make([]uint64, low), high: make([]uint64, (low+63)/64),
	}
}

// Add counts a column once more in the row under way.
func (c *Counter) Add(column int32) {
	c.counts[column]++
	w := column / 64
	c.low[w] |= 1 << (column % 64)
	c.high[w/64] |= 1 << (w % 64)
}

// Reserve makes room, of which all is written to, for so many times the values of the rows
// that have ended.
func (c *Counter) Reserve(times float64) {
	more := int(times * float64(len(c.m.IDs)))
	c.m.IDs, c.m.Values = slices.Grow(c.m.IDs, more), slices.Grow(c.m.Values, more)
}

// End ends the row.
func (c *Counter) End() {
	for h, hs := range c.high {
		for ; hs != 0; hs &= hs - 1 {
			w := 64*h + bits.TrailingZeros64(hs)
			for ls := c.low[w]; ls != 0; ls &= ls - 1 {
				id := int32(64*w + bits.TrailingZeros64(ls))
				c.m.IDs, c.m.Values = append(c.m.IDs, id), append(c.m.Values, c.counts[id])
				c.counts[id] = 0
			}
			c.low[w] = 0
		}
		c.high[h] = 0
	}
	c.m.Offsets = append(c.m.Offsets, int32(len(c.m.IDs)))
}

// Columns returns the number of columns.
func (c *Counter) Columns() int { return c.m.Columns }

// Reset begins another matrix in the room of the last one, which is lost. No row may be
// under way.
func (c *Counter) Reset() {
	c.m.Offsets, c.m.IDs, c.m.Values = append(c.m.Offsets[:0], 0), c.m.IDs[:0], c.m.Values[:0]
}

// Matrix returns the rows that have ended. The counter is not to be used again, but after
// Reset.
func (c *Counter) Matrix() *Matrix {
	return &c.m
}

// Beside returns the matrix whose rows are those of a and then of b, which has as many.
func Beside(a, b *Matrix) *Matrix {
	out := &Matrix{
		Columns: a.Columns + b.Columns, Offsets: make([]int32, 1, len(a.Offsets)),
		IDs: make([]int32, 0, len(a.IDs)+len(b.IDs)), Values: make([]float32, 0, len(a.IDs)+len(b.IDs)),
	}
	for i := range a.Rows() {
		ids, values := a.Row(i)
		out.IDs, out.Values = append(out.IDs, ids...), append(out.Values, values...)
		ids, values = b.Row(i)
		for _, id := range ids {
			out.IDs = append(out.IDs, int32(a.Columns)+id)
		}
		out.Values = append(out.Values, values...)
		out.Offsets = append(out.Offsets, int32(len(out.IDs)))
	}
	return out
}
