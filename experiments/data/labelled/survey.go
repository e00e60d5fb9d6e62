package labelled

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
)

// survey is what a first reading of the parts of one source tells of their
// encoding: each may have its byte order mark, or be UTF-8; the rest is of one
// encoding, detected over all of it.
type survey struct {
	parts []part
	// Of the parts that are neither marked nor UTF-8: the lines with bytes that are
	// not UTF-8, how many characters are all the same, how many bytes are not, and
	// the first bytes of each.
	sample         []byte
	valid, invalid int
	heads          [][]byte
}

// part is what was found of one file. Head is that of the last one.
type part struct {
	mark     string
	utf8     bool
	newline  bool // there is a line feed
	zero     place
	bad      []place // the first lines that are not UTF-8, and how many there are
	badLines int
}

type place struct{ line, at int }

// Bounds of what detection looks at: of lines, and of the beginnings of files.
const (
	evidence = 1 << 18
	maxHeads = 16
)

// add reads a part and returns its first bytes.
func (s *survey) add(r io.Reader) (head []byte, err error) {
	p := part{utf8: true}
	buffer := make([]byte, chunk)
	at := lineCount{}
	var sample []byte
	valid, wrong, total, n, eof := 0, 0, 0, 0, false
	for !eof {
		k, err := io.ReadFull(r, buffer[n:])
		if n += k; err == io.EOF || err == io.ErrUnexpectedEOF {
			eof = true
		} else if err != nil {
			return head, err
		}
		if head == nil {
			head = bytes.Clone(buffer[:n])
			p.mark = markOf(head)
		}
		b := buffer[:wholeCharacters(buffer[:n], eof)]
		at.each(b, func(line []byte, begin int, first bool) {
			p.newline = p.newline || line[len(line)-1] == '\n'
			if i := bytes.IndexByte(line, 0); i >= 0 && p.zero.line == 0 {
				p.zero = place{at.lines + 1, total + i}
			}
			i := invalid(line)
			if i < 0 {
				valid += beyondASCII(line)
				total += len(line)
				return
			}
			p.utf8 = false
			total += len(line)
			for b := line; len(b) > 0; {
				r, n := utf8.DecodeRune(b)
				if n > 1 {
					valid++
				} else if r == utf8.RuneError {
					wrong++
				}
				b = b[n:]
			}
			if first {
				if p.badLines++; p.badLines <= data.MaxProblems {
					p.bad = append(p.bad, place{at.lines + 1, begin + i + 1})
				}
			}
			if len(sample)+len(line) < evidence+chunk {
				sample = append(append(sample, between(line, begin > 0)...), '\n')
			}
		})
		n = copy(buffer, buffer[len(b):n])
	}
	if p.mark == "" && (!p.utf8 || wide(head)) {
		s.valid, s.invalid = s.valid+valid, s.invalid+wrong
		if len(s.sample) < evidence {
			s.sample = append(s.sample, sample...)
		}
		if len(s.heads) < maxHeads {
			s.heads = append(s.heads, head)
		}
		p.utf8 = p.utf8 && !wide(head)
	}
	s.parts = append(s.parts, p)
	return head, nil
}

// beyondASCII counts the characters beyond ASCII of valid UTF-8.
func beyondASCII(b []byte) (n int) {
	for _, c := range b {
		if c >= 0xc0 {
			n++
		}
	}
	return n
}

// between cuts a part of a line that was cut itself where no character of any
// encoding can be cut: all have what is below a digit as ASCII does.
func between(line []byte, cutBefore bool) []byte {
	safe := func(r rune) bool { return r < '0' }
	if cutBefore {
		if i := bytes.IndexFunc(line, safe); i >= 0 {
			line = line[i:]
		}
	}
	if line[len(line)-1] != '\n' {
		if i := bytes.LastIndexFunc(line, safe); i >= 0 {
			line = line[:i]
		}
	}
	return line
}

// ErrEncoding is that a source's encoding is not known, or not for certain.
var ErrEncoding = errors.New("not valid UTF-8, and what it is instead is not certain")

// unclear is an ErrEncoding that says more.
type unclear string

func (e unclear) Error() string      { return string(e) }
func (unclear) Is(target error) bool { return target == ErrEncoding }

// settle decides each part's encoding; "" means that there are problems, which
// bad was told of and which name lines.
func (c *collector) settle(s *survey, bad func(part, line int, err error)) (names []string) {
	names = make([]string, len(s.parts))
	known, forced, rest := Encoding{Name: utf8Name, How: "valid", Confidence: 1}, "", 0
	if c.o.Encoding != "" {
		forced, _ = canonical(c.o.Encoding) // validated
		known = Encoding{forced, "given", 1}
	}
	for i, p := range s.parts {
		switch {
		case forced != "":
			names[i] = forced
		case p.mark != "":
			names[i] = p.mark
			known = Encoding{p.mark, "byte order mark", 1}
		case p.utf8:
			names[i] = utf8Name
		default:
			rest++
		}
	}
	if rest > 0 {
		guesses, ok := detect(s)
		e := Encoding{}
		if len(guesses) > 0 {
			e, known = guesses[0], guesses[0]
		}
		c.report.Guesses = guesses
		switch {
		case !ok:
			known = e
			c.undecided(s, names, e, bad)
			names = make([]string, len(s.parts))
		case e.Confidence < c.o.Certainty:
			c.Fail(fmt.Errorf("the text is %w: perhaps %s, and less than %.0f %% is not enough where nobody looks at the texts", ErrEncoding,
				guessed(guesses),
				100*c.o.Certainty))
			names = make([]string, len(s.parts))
		default:
			for i := range names {
				names[i] = or(names[i], e.Name)
			}
			if rest < len(s.parts) {
				c.note("%d of %d files are not UTF-8 and were read as %s", rest, len(s.parts), e.Name)
			}
			if e.Confidence < Certain {
				c.note("the encoding is a guess (%s): look at the texts, and give another one if they are garbled", guessed(guesses))
			}
		}
	}
	c.report.Encoding = known
	return names
}

// undecided says which lines are not UTF-8.
func (c *collector) undecided(s *survey, names []string, e Encoding, bad func(part, line int, err error)) {
	hint := "; if it is another encoding, give its name"
	if e.Name != "" && e.Name != utf8Name && e.Confidence >= leastConfidence {
		hint = fmt.Sprintf(" (perhaps %s, %.0f %%)%s", e.Name, 100*e.Confidence, hint)
	}
	for i, p := range s.parts {
		if names[i] != "" {
			continue
		}
		if p.badLines == 0 { // but full of zeros
			bad(i, p.zero.line, fmt.Errorf("byte %d of the file is zero, and many more: it is no text", p.zero.at))
		}
		for _, b := range p.bad {
			bad(i, b.line, unclear(fmt.Sprintf("byte %d is not valid UTF-8%s", b.at, hint)))
		}
		c.More(p.badLines - len(p.bad))
	}
}

// guessed names guesses with their certainty.
func guessed(guesses []Encoding) string {
	var out bytes.Buffer
	for i, g := range guesses[:min(len(guesses), 3)] {
		if i > 0 {
			out.WriteString(" or ")
		}
		fmt.Fprintf(&out, "%s (%.0f %%)", g.Name, 100*g.Confidence)
	}
	return out.String()
}

// open opens a file and undoes its compression, within the bounds of the options.
func (c *collector) open(e archive.Entry) (io.ReadCloser, *archive.Reader, error) {
	f, err := e.Open()
	if err != nil {
		return nil, nil, err
	}
	in, err := archive.Inflate(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, in, nil
}

// bounded fails where there is more than so many bytes.
type bounded struct {
	r           io.Reader
	limit, left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("more than %d bytes; split the file or raise the limit", b.limit)
	}
	return n, err
}
