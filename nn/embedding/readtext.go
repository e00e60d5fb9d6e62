package embedding

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// maxLine bounds a line of a text file of vectors, against hostile input.
const maxLine = 1 << 20

// ReadText reads a module from the text form of word2vec (.vec, with a header
// line "<tokens> <dim>") or GloVe (without): a token and its vector a line.
// Gzip is recognised by its first bytes. With top > 0 only the first so many
// tokens are read; such files list the frequent ones first. A token that comes
// twice keeps its first vector. Errors name the line.
func ReadText(r io.Reader, name string, top int) (*Module, error) {
	m := &Module{Name: name}
	if err := m.readText(r, top); err != nil {
		return nil, fmt.Errorf("vectors %s: %w", name, err)
	}
	return m, m.Validate()
}

func (m *Module) readText(r io.Reader, top int) error {
	buffered := bufio.NewReader(r)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		r = z
	} else {
		r = buffered
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	seen := map[string]bool{}
	for n := 1; lines.Scan() && (top <= 0 || len(m.Tokens) < top); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if n == 1 && len(fields) == 2 && isCount(fields[0]) && isCount(fields[1]) {
			continue // the header; the vectors say the rest
		}
		if m.Dim == 0 {
			m.Dim = len(fields) - 1
		}
		if len(fields) != m.Dim+1 || m.Dim == 0 {
			return fmt.Errorf("line %d: a token and %d numbers are expected, there are %d fields", n, m.Dim, len(fields))
		}
		if seen[fields[0]] {
			continue
		}
		seen[fields[0]] = true
		m.Tokens = append(m.Tokens, fields[0])
		for i, f := range fields[1:] {
			v, err := strconv.ParseFloat(f, 32)
			if err != nil {
				return fmt.Errorf("line %d: number %d of %q is %q", n, i+1, fields[0], f)
			}
			m.Vectors = append(m.Vectors, float32(v))
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("a line of more than %d bytes: this is no text file of vectors", maxLine)
		}
		return err
	}
	if len(m.Tokens) == 0 {
		return errors.New("no vectors")
	}
	return nil
}

func isCount(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0
}
