package embedding

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textReader is the state of one reading.
type textReader struct {
	m         *Module
	top       int
	line      int
	lines     int // lines with a vector so far
	announced int // lines that the header says there are, 0 without a header
	seen      map[string]bool
	fields    []string
	errs      []error
	problems  int
}

func (t *textReader) problem(format string, a ...any) {
	if t.problems++; t.problems <= maxProblems {
		t.errs = append(t.errs, fmt.Errorf("line %d: "+format, append([]any{t.line}, a...)...))
	}
}

func (t *textReader) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for t.more() && lines.Scan() {
		t.line++
		text := lines.Text()
		if t.line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		t.fields = split(t.fields[:0], text)
		if len(t.fields) == 0 || t.line == 1 && t.header() {
			continue
		}
		t.lines++
		t.vector()
	}
	if t.problems > maxProblems {
		t.errs = append(t.errs, fmt.Errorf("and %d more", t.problems-maxProblems))
	}
	err := lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		t.errs = append(t.errs, fmt.Errorf("line %d: more than %d bytes: this is no text file of vectors", t.line+1, maxLine))
	case err != nil:
		t.errs = append(t.errs, fmt.Errorf("after line %d: %w", t.line, err))
	case t.problems > 0:
	case t.announced > 0 && t.more() && t.lines != t.announced:
		t.errs = append(t.errs, fmt.Errorf("the header announces %d tokens, there are %d: is the file whole?", t.announced, t.lines))
	case len(t.m.Tokens) == 0:
		t.errs = append(t.errs, errors.New("no vectors"))
	}
	return errors.Join(t.errs...)
}

// more reports whether more tokens are wanted.
func (t *textReader) more() bool { return t.top <= 0 || len(t.m.Tokens) < t.top }

// header takes the first line's fields for a header where they are two integers.
func (t *textReader) header() bool {
	tokens, dim, header, err := counts(strings.Join(t.fields, " "))
	if header && err != nil {
		t.problem("%w", err)
	} else if header {
		t.announced, t.m.Dim = tokens, dim
	}
	return header
}

// vector reads the fields of a line. The first line without a header says how
// long a vector is.
func (t *textReader) vector() {
	m, f := t.m, t.fields
	if m.Dim == 0 {
		if len(f) < 2 {
			t.problem("a token and its vector are expected, there is %.60q alone", f[0])
			return
		}
		m.Dim = len(f) - 1
	}
	extra := len(f) - 1 - m.Dim
	switch {
	case extra < 0 || extra > 0 && !slices.ContainsFunc(f[1:1+extra], notNumber):
		t.problem("a token and %d numbers are expected, there are %d fields", m.Dim, len(f))
		return
	case !utf8.ValidString(f[0]):
		t.problem("token %.60q is not valid UTF-8; convert the file to UTF-8", f[0])
		return
	case extra > 0 || strings.IndexFunc(f[0], unicode.IsSpace) >= 0 || t.seen[f[0]]:
		return
	}
	begin := len(m.Vectors)
	for i, s := range f[1:] {
		v, err := strconv.ParseFloat(s, 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			t.problem("number %d of %.60q is %.60q; finite 32-bit numbers are expected", i+1, f[0], s)
			m.Vectors = m.Vectors[:begin]
			return
		}
		m.Vectors = append(m.Vectors, float32(v))
	}
	// The line's text is shared by all its fields: keep the token's part only.
	token := strings.Clone(f[0])
	t.seen[token] = true
	m.Tokens = append(m.Tokens, token)
}

func notNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 32)
	return err != nil
}

// split appends the fields of a line to out. Only spaces and tabs part fields:
// published files have tokens that hold other white space.
func split(out []string, line string) []string {
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" {
			return out
		}
		end := strings.IndexAny(line, " \t\r")
		if end < 0 {
			return append(out, line)
		}
		out = append(out, line[:end])
		line = line[end:]
	}
}
