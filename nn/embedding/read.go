package embedding

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Format is a form that published vectors come in.
type Format string

const (
	// Text is word2vec's text form (.vec), or GloVe's, which has no header.
	Text Format = "text"
	// Binary is word2vec's binary form.
	Binary Format = "binary"
)

const (
	// maxLine bounds a line of a text file of vectors, against hostile input.
	maxLine = 1 << 20
	// maxProblems is how many problems of one file are reported together.
	maxProblems = 10
	// sniffed is how much of a file is looked at for its form.
	sniffed = 64 << 10
)

// Read reads a module from a file of vectors in the text or the binary form,
// plain or compressed with gzip or zstd; which of them it is its content says.
// See ReadText and ReadBinary for what is read and what is refused.
func Read(r io.Reader, name string, top int) (*Module, error) {
	return read(r, name, "", top)
}

// ReadText reads a module from the text form of word2vec (.vec, with a header
// line "<tokens> <dim>") or GloVe (without): a token and its vector a line,
// parted by spaces or tabs. Gzip and zstd are recognised by their first bytes,
// and a byte order mark is skipped. With top > 0 only the first so many tokens
// are read; such files list the frequent ones first.
//
// A token that comes twice keeps its first vector. A token with white space in
// it, as some published files have, is left out: no tokeniser gives it.
// Everything else that is not as it should be is an error that names the line,
// a file shorter or longer than its header says included.
func ReadText(r io.Reader, name string, top int) (*Module, error) {
	return read(r, name, Text, top)
}

// ReadBinary reads a module from word2vec's binary form: a header line
// "<tokens> <dim>", then for each token its bytes, a space, the vector as
// 32-bit floating-point numbers, lowest byte first, and in most files a
// newline. Compression, top, tokens that come twice and those with white space
// are as in ReadText; a token that ends in the middle of a character, as
// word2vec's program cuts long ones, is left out too. Errors name the byte
// offset in the unpacked file.
func ReadBinary(r io.Reader, name string, top int) (*Module, error) {
	return read(r, name, Binary, top)
}

func read(r io.Reader, name string, form Format, top int) (*Module, error) {
	plain, err := Decompress(r)
	if err != nil {
		return nil, fmt.Errorf("vectors %s: %w", name, err)
	}
	defer plain.Close()
	buffered := bufio.NewReaderSize(plain, sniffed)
	if form == "" {
		form = sniff(buffered)
	}
	m := &Module{Name: name}
	if form == Binary {
		err = (&binaryReader{m: m, top: top, seen: map[string]bool{}}).read(buffered)
	} else {
		err = (&textReader{m: m, top: top, seen: map[string]bool{}}).read(buffered)
	}
	if err != nil {
		return nil, fmt.Errorf("vectors %s: %w", name, err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// unread are the forms in which vectors are published too, and which are not read, by their
// first bytes: with the way out.
var unread = map[string]string{
	"PK\x03\x04":       "it is a zip archive: unpack it, and give one of its files",
	"BZh91AY&SY":       "it is compressed by bzip2: unpack it",
	"\xfd7zXZ\x00":     "it is compressed by xz: unpack it",
	"\xba\x16\x4f\x2f": "it is fastText's own binary form: give its vectors as text (.vec)",
	"\x93NUMPY":        "it is an array of NumPy, without tokens: write a token and its vector a line",
}

// Decompress returns what a reader gives, unpacked where it begins as gzip or
// zstd do. Closing it does not close the reader.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for begins, says := range unread {
		if bytes.HasPrefix(magic, []byte(begins)) {
			return nil, errors.New(says)
		}
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return z, nil
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}

// sniff tells the form of a file of vectors. The binary form has a header, and
// after the first token bytes that are no digits, signs, points and spaces.
func sniff(r *bufio.Reader) Format {
	b, _ := r.Peek(sniffed)
	header, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return Text
	}
	_, dim, _, err := counts(string(header))
	if err != nil {
		return Text
	}
	_, numbers, ok := bytes.Cut(bytes.TrimLeft(rest, "\n"), []byte(" "))
	if !ok {
		return Text
	}
	numbers = numbers[:min(len(numbers), 4*dim)]
	if line, _, ok := bytes.Cut(numbers, []byte("\n")); ok {
		numbers = line
	}
	if len(bytes.TrimSpace(numbers)) == 0 {
		return Binary // in text a number would follow
	}
	for _, c := range numbers {
		// What a number is written with, "NaN" and "Inf" and bad letters
		// included: those are the text reader's to report.
		if c >= 0x80 || c < ' ' && c != '\t' && c != '\r' {
			return Binary
		}
	}
	return Text
}

// counts reads a header line: two integers, so that a first token that is an
// integer is none, and both above zero.
func counts(line string) (tokens, dim int, header bool, err error) {
	f := split(nil, line)
	if len(f) != 2 {
		return 0, 0, false, fmt.Errorf("a header of two numbers is expected, there are %d fields", len(f))
	}
	tokens, err1 := strconv.Atoi(f[0])
	dim, err2 := strconv.Atoi(f[1])
	header = err1 == nil && err2 == nil
	switch {
	case !header:
		err = fmt.Errorf("a header of two positive numbers is expected, it is %.40q", line)
	case tokens <= 0 || dim <= 0:
		err = fmt.Errorf("the header %.40q announces %d tokens with vectors of length %d: there is nothing to read", line, tokens, dim)
	case dim > maxDim:
		err = fmt.Errorf("the header announces vectors of length %d; at most %d are expected", dim, maxDim)
	}
	return tokens, dim, header, err
}
