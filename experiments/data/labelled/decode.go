package labelled

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// chunk is how much of a source is read at a time.
const chunk = 64 << 10

// convert appends to dst what it can convert of src to UTF-8, and says how many
// bytes that is: all of them with eof. bad is called where they stand for nothing;
// something is appended then all the same.
type convert func(dst, src []byte, eof bool, bad func(dst []byte, err error)) (out []byte, used int)

// converter returns what converts from an encoding, of a canonical name; at its
// start a source may have a byte order mark.
func converter(name string) (convert, error) {
	switch name {
	case utf8Name:
		at := lineCount{}
		return func(dst, src []byte, eof bool, bad func([]byte, error)) ([]byte, int) {
			src = src[:wholeCharacters(src, eof)]
			at.each(src, func(part []byte, begin int, first bool) {
				if i := invalid(part); i >= 0 && first {
					bad(dst, fmt.Errorf("byte %d is not valid UTF-8", begin+i+1))
				}
				dst = append(dst, part...)
			})
			return dst, len(src)
		}, nil
	case utf16LE, utf16BE, utf32LE, utf32BE:
		return (&wideForm{name: name}).convert, nil
	}
	e, err := lookupEncoding(name)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", name, err)
	}
	d := e.NewDecoder()
	buffer := make([]byte, 4*chunk)
	return func(dst, src []byte, eof bool, bad func([]byte, error)) ([]byte, int) {
		n, used, err := d.Transform(buffer, src, eof)
		out := buffer[:n]
		for len(out) > 0 {
			i := bytes.IndexFunc(out, func(r rune) bool { return r == utf8.RuneError || name == windows1252 && undefined1252(r) })
			if i < 0 {
				break
			}
			dst = append(dst, out[:i]...)
			bad(dst, fmt.Errorf("not valid %s", name))
			_, w := utf8.DecodeRune(out[i:])
			dst, out = append(dst, out[i:i+w]...), out[i+w:]
		}
		if dst = append(dst, out...); eof && err != nil && used == 0 && n == 0 {
			bad(dst, fmt.Errorf("not valid %s", name))
			used = len(src)
		}
		return dst, used
	}, nil
}

// undefined1252 reports whether a character is one of the bytes that Windows-1252
// leaves undefined, which decoders take for control characters.
func undefined1252(r rune) bool { return r == 0x81 || r == 0x8d || r == 0x8f || r == 0x90 || r == 0x9d }

// wholeCharacters returns how much of b ends with a whole character of UTF-8.
func wholeCharacters(b []byte, eof bool) int {
	for n := 1; !eof && n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return len(b) - n
			}
			break
		}
	}
	return len(b)
}

// invalid returns the place of the first byte that is not UTF-8, or −1.
func invalid(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for at := 0; ; {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
}

// lineCount follows the lines of a text that comes in pieces.
type lineCount struct {
	lines, column int // line breaks so far, and bytes since the last one
	seen          bool
}

// each calls f with the parts of a piece that end with a line or with the piece;
// begin is the number of bytes before it in its line, and first whether f has not
// yet been told of this line that it is bad: it tells by what it returns.
func (l *lineCount) each(b []byte, f func(part []byte, begin int, first bool)) {
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		part := b[:n]
		f(part, l.column, !l.seen)
		l.seen = l.seen || !utf8.Valid(part)
		if l.column += n; part[n-1] == '\n' {
			l.lines, l.column, l.seen = l.lines+1, 0, false
		}
		b = b[n:]
	}
}

// wideForm decodes UTF-16 and UTF-32 strictly.
type wideForm struct {
	name string
	at   int64 // bytes so far
}

func (f *wideForm) convert(dst, src []byte, eof bool, bad func([]byte, error)) ([]byte, int) {
	if m := markOf(src); f.at == 0 && strings.HasPrefix(m, f.name[:6]) { // of this width: its order is the mark's
		f.name = m
	}
	width := 2
	if f.name == utf32LE || f.name == utf32BE {
		width = 4
	}
	little := f.name == utf16LE || f.name == utf32LE
	unit := func(at int) (u uint32) {
		for k := range width {
			v := src[at+k]
			if little {
				v = src[at+width-1-k]
			}
			u = u<<8 | uint32(v)
		}
		return u
	}
	at := 0
	for ; at+width <= len(src); at += width {
		u := unit(at)
		if width == 2 && u >= 0xd800 && u < 0xdc00 {
			if at+2*width > len(src) && !eof {
				break
			}
			if at+2*width <= len(src) {
				if v := unit(at + width); v >= 0xdc00 && v < 0xe000 {
					u = 0x10000 + (u-0xd800)<<10 + (v - 0xdc00)
					at += width
				}
			}
		}
		if u > utf8.MaxRune || u >= 0xd800 && u < 0xe000 {
			bad(dst, fmt.Errorf("byte %d of the file: not valid %s", f.at+int64(at), f.name))
		}
		dst = utf8.AppendRune(dst, rune(min(u, utf8.MaxRune)))
	}
	if eof && at != len(src) {
		bad(dst, fmt.Errorf("byte %d: the file ends within a character of %s", f.at+int64(len(src)), f.name))
		at = len(src)
	}
	f.at += int64(at)
	return dst, at
}

// decoder reads a source as UTF-8 without a byte order mark, and calls bad, once a
// line, for what cannot be converted.
type decoder struct {
	r       io.Reader
	convert convert
	bad     func(line int, err error)
	returns bool // carriage returns alone end lines

	raw        []byte
	out, ready []byte
	n          int
	line       int // of the last byte that was read
	failed     int // the last line that bad was called with
	started    bool
	eof        bool
	err        error
}

func newDecoder(r io.Reader, name string, bad func(line int, err error)) (*decoder, error) {
	c, err := converter(name)
	return &decoder{r: r, convert: c, bad: bad, raw: make([]byte, chunk), line: 1}, err
}

func (d *decoder) Read(p []byte) (int, error) {
	for len(d.ready) == 0 {
		if d.eof && d.n == 0 || d.err != nil {
			if d.err == nil {
				d.err = io.EOF
			}
			return 0, d.err
		}
		if !d.eof {
			n, err := d.r.Read(d.raw[d.n:])
			d.n += n
			if err == io.EOF {
				d.eof = true
			} else if err != nil {
				d.err = err
				return 0, err
			}
			if d.n < 4 && !d.started && !d.eof { // a byte order mark must be whole
				continue
			}
		}
		var used int
		d.out, used = d.convert(d.out[:0], d.raw[:d.n], d.eof, func(dst []byte, err error) {
			if at := d.line + bytes.Count(dst, []byte("\n")); at != d.failed {
				d.failed = at
				d.bad(at, err)
			}
		})
		d.n = copy(d.raw, d.raw[used:d.n])
		d.ready = d.out
		if !d.started && len(d.out) > 0 {
			d.started = true
			d.ready = bytes.TrimPrefix(d.out, []byte(marks[0].mark))
		}
		if d.returns {
			for i, c := range d.ready {
				if c == '\r' {
					d.ready[i] = '\n'
				}
			}
		}
		d.line += bytes.Count(d.ready, []byte("\n"))
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	return n, nil
}

// decoded converts a sample; false means that it is not of the encoding.
func decoded(b []byte, name string, eof bool) (out []byte, ok bool) {
	c, err := converter(name)
	if err != nil {
		return nil, false
	}
	ok = true
	for len(b) > 0 && ok {
		n := min(len(b), chunk)
		var used int
		out, used = c(out, b[:n], eof && n == len(b), func([]byte, error) { ok = false })
		if b = b[used:]; used == 0 {
			break
		}
	}
	return out, ok
}

func isSingleByte(name string) bool {
	e, err := lookupEncoding(name)
	_, ok := encoding.Encoding(e).(*charmap.Charmap)
	return err == nil && ok
}
