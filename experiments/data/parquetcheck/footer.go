package parquetcheck

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// Magic are the first four bytes of a Parquet file, and the last.
const Magic = "PAR1"

// Open opens a Parquet file of so many bytes, which must be one from its first to its last.
func Open(file io.ReaderAt, size int64) (*parquet.File, error) {
	var b [8]byte // of the end: the footer's size, and the magic
	if _, err := file.ReadAt(b[:4], 0); size < 12 || err == nil && string(b[:4]) != Magic {
		return nil, fmt.Errorf("byte 0: no Parquet file (%d bytes, not beginning with %s)", size, Magic)
	} else if err != nil {
		return nil, err
	}
	if _, err := file.ReadAt(b[:], size-8); err != nil && err != io.EOF {
		return nil, err
	}
	if string(b[4:]) != Magic {
		return nil, fmt.Errorf("byte %d: the Parquet file is cut off: it does not end with %s, its footer is missing", size, Magic)
	}
	n := int64(binary.LittleEndian.Uint32(b[:]))
	if n > size-12 {
		return nil, fmt.Errorf("byte %d: the footer is said to have %d bytes, the file has %d", size-8, n, size)
	}
	err := sound(io.NewSectionReader(file, size-8-n, n), n)
	var f *parquet.File
	if err == nil {
		f, err = parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	}
	if err != nil {
		return nil, fmt.Errorf("the footer before byte %d: %w", size-8, err)
	}
	return f, nil
}

// sound looks through a structure in Thrift's compact protocol, of at most so many bytes: no
// list and no text may be longer than what is there. The library makes room for what they
// say.
func sound(r io.Reader, left int64) error {
	w := walker{bufio.NewReader(r), left}
	return w.structure(0)
}

// The types of Thrift's compact protocol.
const (
	stop = iota
	yes
	no
	int8Type
	int16Type
	int32Type
	int64Type
	double
	text
	list
	set
	mapping
	structure
	uuid
)

// maxDepth bounds structures in structures; those of Parquet lie less than ten deep.
const maxDepth = 64

type walker struct {
	r    *bufio.Reader
	left int64
}

func (w *walker) ReadByte() (byte, error) {
	if w.left--; w.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	b, err := w.r.ReadByte()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// number reads one that says how many things or bytes follow.
func (w *walker) number(of string) (int64, error) {
	n, err := binary.ReadUvarint(w)
	if err == nil && n > uint64(max(w.left, 0)) {
		err = fmt.Errorf("%s is said to have %d, and %d bytes follow", of, n, w.left)
	}
	return int64(n), err
}

func (w *walker) skip(n int64) error {
	if w.left -= n; w.left < 0 {
		return io.ErrUnexpectedEOF
	}
	_, err := io.CopyN(io.Discard, w.r, n)
	return err
}

func (w *walker) structure(depth int) error {
	for {
		b, err := w.ReadByte()
		if err != nil || b == stop {
			return err
		}
		if b>>4 == 0 { // the field's number follows
			if _, err := binary.ReadUvarint(w); err != nil {
				return err
			}
		}
		if kind := b & 0xf; kind != yes && kind != no { // which a field's type says alone
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (w *walker) value(kind byte, depth int) error {
	if depth > maxDepth {
		return errors.New("values lie too deep in others")
	}
	switch kind {
	case yes, no, int8Type:
		return w.skip(1)
	case int16Type, int32Type, int64Type:
		_, err := binary.ReadUvarint(w)
		return err
	case double:
		return w.skip(8)
	case uuid:
		return w.skip(16)
	case text:
		n, err := w.number("a text")
		if err != nil {
			return err
		}
		return w.skip(n)
	case list, set:
		b, err := w.ReadByte()
		if err != nil {
			return err
		}
		n := int64(b >> 4)
		if n == 15 {
			n, err = w.number("a list")
		}
		for ; n > 0 && err == nil; n-- {
			err = w.value(b&0xf, depth+1)
		}
		return err
	case mapping:
		n, err := w.number("a map")
		if n == 0 || err != nil {
			return err
		}
		b, err := w.ReadByte()
		for ; n > 0 && err == nil; n-- {
			if err = w.value(b>>4, depth+1); err == nil {
				err = w.value(b&0xf, depth+1)
			}
		}
		return err
	case structure:
		return w.structure(depth + 1)
	}
	return fmt.Errorf("a value of unknown type %d", kind)
}
