package labelled

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// DefaultMaxText bounds a text where no bound is given.
const DefaultMaxText = 16 << 20

// ErrTooLong is that of a text, line or row that is larger than it may be.
var ErrTooLong = errors.New("too long")

type longError struct {
	what  string
	limit int64
}

func (e longError) Is(target error) bool { return target == ErrTooLong }
func (e longError) Error() string {
	return fmt.Sprintf("%s of more than %s: is a quotation mark or line break missing?", e.what, humanize.IBytes(uint64(e.limit)))
}

func tooLong(what string, limit int64) error { return longError{what, limit} }

// buffer gathers a text of unknown length and gives it as a string: a long one is
// held twice for a moment, never more often.
type buffer struct {
	limit  int64
	cut    bool // what comes beyond is dropped, not too much
	n      int64
	chunks [][]byte // whole ones, of a long text
	last   []byte
}

const (
	bufferChunk = 1 << 20
	// hugeText is the size from which on one copy more is worth a collection.
	hugeText = 32 << 20
)

func (b *buffer) reset(limit int64, cut bool) {
	b.limit, b.cut, b.n, b.chunks, b.last = limit, cut, 0, nil, b.last[:0]
}

// over reports whether there is more than may be.
func (b *buffer) over() bool { return b.n > b.limit && !b.cut }

func (b *buffer) Write(p []byte) (int, error) {
	n := len(p)
	p = p[:max(0, min(int64(n), b.limit-b.n))]
	b.n += int64(n)
	for len(b.last)+len(p) > bufferChunk {
		k := bufferChunk - len(b.last)
		b.chunks = append(b.chunks, append(b.last, p[:k]...))
		p, b.last = p[k:], make([]byte, 0, bufferChunk)
	}
	b.last = append(b.last, p...)
	return n, nil
}

// end is the last byte, or 0.
func (b *buffer) end() byte {
	if n := len(b.last); n > 0 {
		return b.last[n-1]
	}
	if n := len(b.chunks); n > 0 {
		return b.chunks[n-1][bufferChunk-1]
	}
	return 0
}

// Bytes is the text as bytes, which are the buffer's until it is reset.
func (b *buffer) Bytes() []byte {
	if len(b.chunks) == 0 {
		return b.last
	}
	out := make([]byte, 0, len(b.chunks)*bufferChunk+len(b.last))
	for i, c := range b.chunks {
		out = append(out, c...)
		b.chunks[i] = nil
	}
	out = append(out, b.last...)
	b.chunks, b.last = nil, nil
	if len(out) > hugeText {
		runtime.GC() // the chunks go before the text that is in it is copied once more
	}
	return out
}

func (b *buffer) String() string {
	if b.over() {
		return ""
	}
	if len(b.chunks) == 0 {
		return string(b.last)
	}
	var out strings.Builder
	out.Grow(len(b.chunks)*bufferChunk + len(b.last))
	for i, c := range b.chunks {
		out.Write(c)
		b.chunks[i] = nil
	}
	out.Write(b.last)
	b.chunks, b.last = nil, nil
	return out.String()
}

// lines reads lines, without their ends.
type lines struct {
	r     *bufio.Reader
	limit int64
	line  int // of what was read last
	b     buffer
}

// next returns the next line; io.EOF ends them.
func (l *lines) next() (string, error) {
	if err := l.fill(); err != nil {
		return "", err
	}
	return strings.TrimSuffix(l.b.String(), "\r"), nil
}

// fill gathers the next line.
func (l *lines) fill() error {
	l.b.reset(l.limit, false)
	l.line++
	for {
		part, err := l.r.ReadSlice('\n')
		_, _ = l.b.Write(bytes.TrimSuffix(part, []byte("\n")))
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(part) == 0 && l.b.n == 0:
			return io.EOF
		case err != nil && err != io.EOF:
			return err
		case l.b.over():
			return tooLong("a line", l.limit)
		}
		return nil
	}
}

// csvReader reads rows of fields as RFC 4180 has them. Beyond that it reads
// spaces between a delimiter and a quotation mark.
type csvReader struct {
	r         *bufio.Reader
	delimiter string
	limit     int64
	wanted    func(field int) bool // of the others a glimpse is enough
	line, at  int                  // of the next byte, in its line
	begin     int                  // the line of the row that was read last
	spaces    bool                 // there were some before quotation marks
	b         buffer
}

// peek returns what is there to read, of whole characters; it is empty at the end.
func (c *csvReader) peek() ([]byte, error) {
	if c.r.Buffered() < utf8.UTFMax {
		if _, err := c.r.Peek(utf8.UTFMax); err != nil && err != io.EOF {
			return nil, err
		}
	}
	b, err := c.r.Peek(c.r.Buffered())
	if n := wholeCharacters(b, false); n > 0 {
		b = b[:n]
	}
	return b, err
}

func (c *csvReader) skip(n int) {
	b, _ := c.r.Peek(n)
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		c.line += bytes.Count(b, []byte("\n"))
		c.at = n - i - 1
	} else {
		c.at += n
	}
	_, _ = c.r.Discard(n)
}

// errQuote is that of a quotation mark where there can be none.
type errQuote struct {
	line, at int
	why      string
}

func (e errQuote) Error() string { return fmt.Sprintf("byte %d: %s", e.at, e.why) }

const (
	quoteTwice     = "a quotation mark within a text: the text must be quoted, and a quote inside a quoted text is written twice"
	quoteEscaped   = `a quotation mark written as \", as MySQL and pandas (escapechar) do: write it twice, as "" (pandas: doublequote=True)`
	quoteEndless   = "a quotation mark opens a text that is never closed"
	quoteUnescaped = "text follows a closing quotation mark; a quote inside a quoted text is written twice"
)

// next returns the fields of the next row that is not empty; io.EOF ends them. A
// field that is too long is an error that need not end the reading.
func (c *csvReader) next() (fields []string, err error) {
	for {
		c.begin, fields, err = c.line, fields[:0], nil
		var long error
		for {
			field, last, quoted, ferr := c.field(c.wanted == nil || c.wanted(len(fields)))
			if errors.Is(ferr, ErrTooLong) {
				long, ferr = ferr, nil
			}
			if ferr != nil {
				return nil, ferr
			}
			if last && len(fields) == 0 && field == "" && !quoted && long == nil {
				if b, err := c.peek(); err != nil {
					return nil, err
				} else if len(b) == 0 {
					return nil, io.EOF
				}
				break // an empty line
			}
			if len(fields) <= maxColumns {
				fields = append(fields, field)
			}
			if last {
				return fields, long
			}
		}
	}
}

// field reads a field and what ends it; last says that the row ends too.
func (c *csvReader) field(wanted bool) (field string, last, quoted bool, err error) {
	if c.b.reset(c.limit, false); !wanted {
		c.b.reset(glimpse, true)
	}
	if n := c.opening(); n > 0 {
		c.spaces = c.spaces || n > 1
		c.skip(n)
		quoted = true
		last, err = c.quoted()
	} else {
		last, err = c.plain()
	}
	if err == nil && c.b.over() {
		err = tooLong("a field", c.limit)
	}
	field = c.b.String()
	if last && !quoted {
		field = strings.TrimSuffix(field, "\r")
	}
	return field, last, quoted, err
}

// opening is the length of a quotation mark with the spaces before it, or 0.
func (c *csvReader) opening() int {
	const most = 16
	for n := 1; n <= most; n++ {
		b, _ := c.r.Peek(n)
		switch {
		case len(b) < n:
			return 0
		case b[n-1] == '"':
			return n
		case b[n-1] != ' ':
			return 0
		}
	}
	return 0
}

// plain reads a field without quotation marks.
func (c *csvReader) plain() (last bool, err error) {
	for {
		b, err := c.peek()
		if err != nil || len(b) == 0 {
			return true, err
		}
		i := bytes.IndexAny(b, "\"\n"+c.delimiter)
		if i < 0 {
			_, _ = c.b.Write(b)
			c.skip(len(b))
			continue
		}
		_, _ = c.b.Write(b[:i])
		if b[i] == '"' {
			return true, c.misplaced(quoteTwice, c.at+i+1)
		}
		if b[i] == '\n' {
			c.skip(i + 1)
			return true, nil
		}
		c.skip(i + len(c.delimiter))
		return false, nil
	}
}

// misplaced says what is wrong with a quotation mark.
func (c *csvReader) misplaced(why string, at int) error {
	if c.b.end() == '\\' {
		why = quoteEscaped
	}
	return errQuote{c.line, at, why}
}

// quoted reads a quoted field after its first quotation mark. Its line ends are
// line feeds.
func (c *csvReader) quoted() (last bool, err error) {
	line, at := c.line, c.at
	returned := false // a carriage return is held back
	write := func(b []byte) {
		for len(b) > 0 {
			if returned {
				if returned = false; b[0] != '\n' {
					_, _ = c.b.Write([]byte("\r"))
				}
			}
			i := bytes.IndexByte(b, '\r')
			if i < 0 {
				_, _ = c.b.Write(b)
				return
			}
			_, _ = c.b.Write(b[:i])
			b, returned = b[i+1:], true
		}
	}
	for {
		b, err := c.peek()
		if err != nil {
			return true, err
		}
		if len(b) == 0 {
			return true, errQuote{line, at, quoteEndless}
		}
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			write(b)
			c.skip(len(b))
			continue
		}
		write(b[:i])
		c.skip(i + 1)
		if b, _ = c.r.Peek(1); len(b) > 0 && b[0] == '"' {
			write(b)
			c.skip(1)
			continue
		}
		if returned {
			_, _ = c.b.Write([]byte("\r"))
		}
		break
	}
	for {
		b, err := c.peek()
		switch {
		case err != nil:
			return true, err
		case len(b) == 0:
			return true, nil
		case bytes.HasPrefix(b, []byte(c.delimiter)):
			c.skip(len(c.delimiter))
			return false, nil
		case b[0] == '\n':
			c.skip(1)
			return true, nil
		case b[0] == '\r' && (len(b) == 1 || b[1] == '\n'), b[0] == ' ':
			c.skip(1)
		default:
			return true, c.misplaced(quoteUnescaped, c.at)
		}
	}
}
