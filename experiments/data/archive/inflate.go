package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a source is compressed.
type Compression string

// The compressions that Inflate undoes.
const (
	None Compression = ""
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// CompressionOf returns the compression that the first four bytes of a source
// say.
func CompressionOf(head []byte) Compression {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(head) >= 4 && head[0]>>4 == 5 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // a skippable frame
		return Zstd
	}
	return None
}

// others are compressions, and archives, that are not undone, by their first bytes.
var others = []struct{ begins, name string }{
	{"\xfd7zXZ\x00", "xz"}, {"7z\xbc\xaf\x27\x1c", "7-Zip"}, {"Rar!\x1a\x07", "RAR"}, {"\x04\x22\x4d\x18", "lz4"},
}

// isBzip2 looks further than at BZh and a digit, which a text may begin with: a block follows, or the end of an
// empty file.
func isBzip2(head []byte) bool {
	rest, is := bytes.CutPrefix(head, []byte("BZh"))
	return is && len(rest) > 0 && '1' <= rest[0] && rest[0] <= '9' &&
		(bytes.HasPrefix(rest[1:], []byte("1AY&SY")) || bytes.HasPrefix(rest[1:], []byte("\x17rE8P\x90")))
}

// foreign is the compression of a source that Inflate cannot undo, by its first bytes.
func foreign(head []byte) string {
	for _, o := range others {
		if bytes.HasPrefix(head, []byte(o.begins)) {
			return o.name
		}
	}
	if isBzip2(head) {
		return "bzip2"
	}
	return ""
}

// maxWindow bounds the memory that a zstd frame may ask for: what the zstd
// program itself allows without --long.
const maxWindow = 128 << 20

// maxRatio bounds what each byte of a compressed source may stand for, on average
// once there are more than ratioFree bytes.
const (
	maxRatio  = 1000
	ratioFree = 64 << 20
)

// Reader gives the contents of a source, decompressed.
type Reader struct {
	*bufio.Reader
	// Compression is what was undone.
	Compression Compression
}

// Inflate returns a reader of the contents: gzip and zstd are recognised by
// their first bytes, others are refused by these. Errors of damaged data name the byte, of the compressed
// source, up to which it was read.
func Inflate(r io.Reader) (*Reader, error) {
	source := &countReader{r: r}
	b := bufio.NewReader(source)
	head, err := b.Peek(10)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if name := foreign(head); name != "" {
		return nil, fmt.Errorf("packed by %s, which is not read: unpack it, or pack it by gzip or zstd", name)
	}
	var in io.Reader
	c := CompressionOf(head)
	switch c {
	case Gzip:
		in, err = gzip.NewReader(b)
	case Zstd:
		// One at a time, so that the byte that errors name is near the damage.
		in, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	default:
		return &Reader{Reader: b}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: its header: %w", c, err)
	}
	return &Reader{bufio.NewReaderSize(&inflated{in, c, 0, func() int64 { return source.n - int64(b.Buffered()) }}, 64<<10), c}, nil
}

// inflated says in errors where they are.
type inflated struct {
	r    io.Reader
	c    Compression
	n    int64
	read func() int64
}

func (i *inflated) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.n += int64(n)
	if read := i.read(); i.n > ratioFree && i.n/maxRatio > read {
		return 0, fmt.Errorf("%s: more than %d bytes of contents for each of the first %d: no text is like that; decompress the file first "+
			"if it is wanted all the same", i.c, maxRatio, read)
	}
	if err != nil && err != io.EOF {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the file is cut off: %w", io.ErrUnexpectedEOF)
		}
		err = fmt.Errorf("%s: damaged at or before byte %d, after %d bytes of contents: %w", i.c, i.read(), i.n, err)
	}
	return n, err
}

// ReadAll reads a source, decompressed, up to a limit, 0 meaning
// DefaultMaxBytes.
func ReadAll(r io.Reader, limit int64) ([]byte, Compression, error) {
	in, err := Inflate(r)
	if err != nil {
		return nil, None, err
	}
	b, err := in.ReadAll(limit)
	return b, in.Compression, err
}

// ReadAll reads the rest of the contents, up to a limit, 0 meaning
// DefaultMaxBytes.
func (r *Reader) ReadAll(limit int64) ([]byte, error) {
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes; split the file or raise the limit", limit)
	}
	return b, nil
}
