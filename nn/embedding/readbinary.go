package embedding

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxToken bounds a token of a binary file, in bytes: the reader has lost
	// its place where one is longer.
	maxToken = 4096
	// maxDim bounds a vector of a binary file, against hostile input.
	maxDim = 1 << 20
)

// binaryReader is the state of one reading of word2vec's binary form.
type binaryReader struct {
	m        *Module
	top      int
	offset   int64 // bytes read
	seen     map[string]bool
	errs     []error
	problems int
}

func (b *binaryReader) problem(at int64, format string, a ...any) {
	if b.problems++; b.problems <= maxProblems {
		b.errs = append(b.errs, fmt.Errorf("byte %d: "+format, append([]any{at}, a...)...))
	}
}

func (b *binaryReader) read(r *bufio.Reader) error {
	line, err := b.until(r, '\n', 100)
	if err != nil {
		return fmt.Errorf("byte %d: no header line of word2vec's binary form: %w", b.offset, err)
	}
	announced, dim, _, err := counts(strings.TrimSuffix(line, "\n"))
	if err != nil {
		return fmt.Errorf("byte 0: %w", err)
	}
	b.m.Dim = dim
	raw, vector := make([]byte, 4*dim), make([]float32, dim)
	for i := 0; i < announced && (b.top <= 0 || len(b.m.Tokens) < b.top); i++ {
		at := b.offset
		token, err := b.until(r, ' ', maxToken)
		if err == nil {
			var n int
			n, err = io.ReadFull(r, raw)
			b.offset += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			b.errs = append(b.errs, fmt.Errorf("byte %d: the file ends in token %d of the %d that the header announces: is it whole?",
				b.offset, i+1, announced))
			return b.report()
		}
		if err != nil {
			b.errs = append(b.errs, fmt.Errorf("byte %d: token %d: %w", b.offset, i+1, err))
			return b.report()
		}
		for k := range vector {
			vector[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*k:]))
		}
		b.entry(at, strings.TrimLeft(strings.TrimSuffix(token, " "), "\n"), vector)
	}
	if b.problems == 0 && (b.top <= 0 || len(b.m.Tokens) < b.top) {
		b.rest(r, announced)
	}
	if b.problems == 0 && len(b.errs) == 0 && len(b.m.Tokens) == 0 {
		b.errs = append(b.errs, errors.New("no vectors"))
	}
	return b.report()
}

func (b *binaryReader) report() error {
	if b.problems > maxProblems {
		b.errs = append(b.errs, fmt.Errorf("and %d more", b.problems-maxProblems))
	}
	return errors.Join(b.errs...)
}

// entry takes a token and its vector, of which the first byte is at an offset.
func (b *binaryReader) entry(at int64, token string, vector []float32) {
	switch {
	case !utf8.ValidString(token):
		if !cutShort(token) {
			b.problem(at, "token %.60q is not valid UTF-8: has the file another form, or is it damaged?", token)
		}
		return
	case token == "":
		b.problem(at, "a token without a name: has the file another form, or is it damaged?")
		return
	case strings.IndexFunc(token, unicode.IsSpace) >= 0 || b.seen[token]:
		return
	}
	if k := notFinite(vector); k >= 0 {
		b.problem(at, "number %d of %.60q is %v; finite numbers are expected", k+1, token, vector[k])
		return
	}
	b.seen[token] = true
	b.m.Tokens = append(b.m.Tokens, token)
	b.m.Vectors = append(b.m.Vectors, vector...)
}

// rest looks that nothing but white space follows the last token.
func (b *binaryReader) rest(r *bufio.Reader, announced int) {
	for {
		c, err := r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			b.errs = append(b.errs, fmt.Errorf("byte %d: %w", b.offset, err))
			return
		case c != '\n' && c != '\r' && c != ' ':
			b.problem(b.offset, "more follows the %d tokens that the header announces: is its second number, %d, the length of a vector?",
				announced, b.m.Dim)
			return
		}
		b.offset++
	}
}

// until reads up to and with a byte, of which at most so many others may come
// before it.
func (b *binaryReader) until(r *bufio.Reader, end byte, limit int) (string, error) {
	var out []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		b.offset++
		out = append(out, c)
		if c == end {
			return string(out), nil
		}
		if len(out) > limit {
			return "", fmt.Errorf("%q does not come within %d bytes: has the file another form, or is it damaged?", end, limit)
		}
	}
}

// cutShort reports whether a token is UTF-8 but for a last character that lacks
// its end.
func cutShort(token string) bool {
	for n := 1; n < utf8.UTFMax && n < len(token); n++ {
		head, tail := token[:len(token)-n], token[len(token)-n:]
		if utf8.RuneStart(tail[0]) {
			return utf8.ValidString(head) && !utf8.FullRuneInString(tail)
		}
	}
	return false
}
