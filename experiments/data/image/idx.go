package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"tnaml/experiments/data/archive"
	nnimage "tnaml/nn/image"
)

// File is a source with the name that errors give it.
type File struct {
	Name   string
	Reader io.Reader
}

// ReadIDX reads a pair of IDX files, of images and of labels, as MNIST has them
// (LeCun, Cortes and Burges): bytes 0 0 8 and the number of dimensions, each
// dimension as a big-endian 32-bit number, then unsigned bytes. Images are
// n × height × width, or with × 3 in colour. Either file may be compressed. The
// classes are "0" up to the largest label. Errors name file and offset; those
// of both files are reported together.
func ReadIDX(images, labels File, split string) (*Set, error) {
	if err := checkSplit(split); err != nil {
		return nil, err
	}
	pixels, shape, err1 := readIDX(images, 3, 4)
	values, _, err2 := readIDX(labels, 1, 1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	s := &Set{Images: nnimage.Images{Height: shape[1], Width: shape[2], Channels: 1, Pixels: pixels}}
	if len(shape) == 4 {
		s.Channels = shape[3]
	}
	if err := s.Images.Validate(); err != nil {
		return nil, fmt.Errorf("%s: byte 4: %w", images.Name, err)
	}
	if len(values) != shape[0] {
		return nil, fmt.Errorf("%s has %d images and %s has %d labels; are they a pair?", images.Name, shape[0], labels.Name, len(values))
	}
	largest := -1
	for _, v := range values {
		s.Labels = append(s.Labels, int32(v))
		largest = max(largest, int(v))
	}
	for i := range largest + 1 {
		s.Classes = append(s.Classes, strconv.Itoa(i))
	}
	s.Splits = slices.Repeat([]string{split}, len(values))
	return s, nil
}

// readIDX reads the bytes and the shape of a file of the given number of
// dimensions.
func readIDX(f File, least, most int) ([]byte, []int, error) {
	b, _, err := archive.ReadAll(f.Reader, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	bad := func(at int, format string, a ...any) ([]byte, []int, error) {
		return nil, nil, fmt.Errorf("%s: byte %d: %w", f.Name, at, fmt.Errorf(format, a...))
	}
	if len(b) < 4 {
		return bad(len(b), "the file ends within the magic number: it is no IDX file")
	}
	if b[0] != 0 || b[1] != 0 {
		return bad(0, "the file begins with % x, an IDX file with 00 00", b[:2])
	}
	if b[2] != 8 {
		return bad(2, "elements of type %#02x; only unsigned bytes (0x08) are images or labels", b[2])
	}
	dims := int(b[3])
	if dims < least || dims > most {
		return bad(3, "%d dimensions; expected %d to %d (are images and labels exchanged?)", dims, least, most)
	}
	at := 4 + 4*dims
	if len(b) < at {
		return bad(len(b), "the file ends within the header of %d bytes", at)
	}
	shape := make([]int, dims)
	total := uint64(1)
	for i := range shape {
		d := binary.BigEndian.Uint32(b[4+4*i:])
		if d == 0 || total > uint64(archive.DefaultMaxBytes)/uint64(d) {
			return bad(4+4*i, "dimension %d of %d is impossible", i, d)
		}
		total *= uint64(d)
		shape[i] = int(d)
	}
	switch rest := uint64(len(b) - at); {
	case rest < total:
		return bad(len(b), "the file ends %d bytes before its last element", total-rest)
	case rest > total:
		return bad(at+int(total), "%d bytes after the last element", rest-total)
	}
	return b[at:], shape, nil
}
