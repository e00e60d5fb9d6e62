// Package vectors reads what other programs have computed of documents: a vector a row,
// from NumPy's .npy, a list column of a Parquet file, or an array of a safetensors file.
package vectors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/data/parquetcheck"
)

// Matrix is one vector a row.
type Matrix struct {
	Rows, Dim int
	// Values is Rows × Dim, row-major.
	Values []float32
}

// Limits of what is read.
const (
	maxDim    = 1 << 16
	maxValues = 1 << 31
)

// Read reads a file, whose contents say what it is. column names the list column of a
// Parquet file or the array of a safetensors file; it may be empty where there is one.
// Numbers are brought to 32 bits; one that is not finite then is an error.
func Read(b []byte, column string) (*Matrix, error) {
	var m *Matrix
	var err error
	switch {
	case bytes.HasPrefix(b, []byte(npyMagic)):
		if column != "" {
			return nil, errors.New("a .npy file has one array, without a name: give no column")
		}
		m, err = npy(b)
	case bytes.HasPrefix(b, []byte(parquetcheck.Magic)):
		m, err = fromParquet(b, column)
	case len(b) > 8 && b[8] == '{':
		m, err = fromSafetensors(b, column)
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return nil, errors.New("the file is a zip archive, such as numpy.savez writes: save the one array with numpy.save")
	case bytes.HasPrefix(b, []byte("\x1f\x8b")), bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return nil, errors.New("the file is compressed: unpack it")
	default:
		return nil, errors.New("the file is none of .npy, Parquet and safetensors")
	}
	if err != nil {
		return nil, err
	}
	if err := m.finite(); err != nil {
		return nil, err
	}
	return m, nil
}

// finite is an error where numbers are not, which names the rows that have such.
func (m *Matrix) finite() (err error) {
	var rows []string
	for i := range m.Rows {
		row := m.Values[i*m.Dim:][:m.Dim]
		k := slices.IndexFunc(row, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) })
		if k < 0 {
			continue
		}
		if rows = append(rows, strconv.Itoa(i+1)); err == nil {
			err = fmt.Errorf("row %d: number %d is %v", i+1, k+1, row[k])
		}
	}
	if len(rows) > 1 {
		err = fmt.Errorf("%w; %d rows have what is no finite number: %s", err, len(rows), list(rows))
	}
	return err
}

// shaped checks the shape of an array of so many bytes a number, of which there are some.
func shaped(shape []int, size, bytes int) (*Matrix, error) {
	if len(shape) != 2 {
		return nil, fmt.Errorf("an array of %d dimensions %v: it must have two, documents and numbers", len(shape), shape)
	}
	rows, dim := shape[0], shape[1]
	switch {
	case rows < 1 || dim < 1 || dim > maxDim || rows > maxValues/dim:
		return nil, fmt.Errorf("an array of %d × %d: there can be vectors of 1 to %d numbers, %d in all", rows, dim, maxDim, maxValues)
	case rows*dim*size != bytes:
		return nil, fmt.Errorf("an array of %d × %d needs %d bytes, the file has %d: is it whole?", rows, dim, rows*dim*size, bytes)
	}
	return &Matrix{Rows: rows, Dim: dim, Values: make([]float32, rows*dim)}, nil
}

// decoder reads a number from its bytes.
type decoder struct {
	size int
	of   func(b []byte) float32
}

func decoderOf(kind string, order binary.ByteOrder) (decoder, bool) {
	switch kind {
	case "f2":
		return decoder{2, func(b []byte) float32 { return half(order.Uint16(b)) }}, true
	case "bf2":
		return decoder{2, func(b []byte) float32 { return math.Float32frombits(uint32(order.Uint16(b)) << 16) }}, true
	case "f4":
		return decoder{4, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) }}, true
	case "f8":
		return decoder{8, func(b []byte) float32 { return float32(math.Float64frombits(order.Uint64(b))) }}, true
	}
	return decoder{}, false
}

// half is a number of 16 bits (IEEE 754 binary16).
func half(v uint16) float32 {
	sign, exponent, fraction := uint32(v>>15)<<31, uint32(v>>10)&31, uint32(v)&1023
	switch exponent {
	case 0: // below the least normal number: fraction · 2⁻²⁴
		f := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// fill reads an array that lies in the order of its rows, or, in Fortran's, of its columns.
func (m *Matrix) fill(b []byte, d decoder, columns bool) {
	for i := range m.Values {
		at := i
		if columns {
			at = i%m.Rows*m.Dim + i/m.Rows
		}
		m.Values[at] = d.of(b[i*d.size:])
	}
}

// list names some of many names.
func list(names []string) string {
	const most = 20
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
