package corpora

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"
)

// either is the prefix of an encoding that a text has where it is not UTF-8.
const either = "utf-8|"

// decoder returns the decoder of the recipe's encoding; nil means UTF-8. or says
// that it is for what is not UTF-8.
func (r Recipe) decoder() (d *encoding.Decoder, or bool, err error) {
	name, or := strings.CutPrefix(r.Encoding, either)
	e, err := named(name)
	if err != nil || e == nil {
		return nil, false, err
	}
	return e.NewDecoder(), or, nil
}

// named returns an encoding by its name on the web, and nil for UTF-8. Latin-1
// there is Windows-1252; the true one, which has a character for each byte, is
// "iso-8859-1:1987".
func named(name string) (encoding.Encoding, error) {
	switch strings.ToLower(name) {
	case "", "utf-8":
		return nil, nil
	case "iso-8859-1:1987":
		return charmap.ISO8859_1, nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("unknown encoding %q", name)
	}
	return e, nil
}

// utf8Reader decodes a stream and skips a byte order mark. What is in either of
// two encodings is left to field.
func (r Recipe) utf8Reader(in io.Reader) io.Reader {
	if d, or, _ := r.decoder(); d != nil && !or { // validated
		return transform.NewReader(in, d)
	}
	return &bomReader{r: in}
}

type bomReader struct {
	r       io.Reader
	started bool
}

func (b *bomReader) Read(p []byte) (int, error) {
	if !b.started {
		b.started = true
		var head [3]byte
		n, err := io.ReadFull(b.r, head[:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		b.r = io.MultiReader(bytes.NewReader(bytes.TrimPrefix(head[:n], []byte("\ufeff"))), b.r)
	}
	return b.r.Read(p)
}

// decode returns the text of a member in UTF-8.
func (c *collector) decode(m member) (string, error) {
	d, or, _ := c.r.decoder() // validated
	b := bytes.TrimPrefix(m.data, []byte("\ufeff"))
	if d != nil && !(or && utf8.Valid(b)) {
		out, err := d.Bytes(m.data)
		if err != nil {
			return "", fmt.Errorf("%s: not %s: %w", m.where, c.r.Encoding, err)
		}
		return string(out), nil
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%s: not valid UTF-8", m.where)
	}
	return string(b), nil
}

// field returns a copy of a table's field in UTF-8.
func (c *collector) field(s string) (string, bool) {
	if utf8.ValidString(s) {
		return strings.Clone(s), true
	}
	d, or, _ := c.r.decoder() // validated
	if d == nil || !or {
		return "", false
	}
	out, err := d.String(s)
	return out, err == nil
}

// conversion is one wrong reading to undo: the characters are encoded as they
// were wrongly decoded, and decoded anew.
type conversion struct {
	wrong, right encoding.Encoding
	// saved says that what was read as Windows-1252 was then saved as Mac Roman,
	// which lacks some of its characters.
	saved bool
}

// savedAsMac is the wrong side of a step: read as Windows-1252, then saved as
// Mac Roman.
const savedAsMac = "windows-1252+macintosh"

// parseRepair parses steps such as "windows-1252>utf-8": what was UTF-8 had been
// read as Windows-1252.
func parseRepair(steps []string) ([]conversion, error) {
	var out []conversion
	for _, s := range steps {
		from, to, ok := strings.Cut(s, ">")
		saved := from == savedAsMac
		if saved {
			from = "windows-1252"
		}
		wrong, err1 := named(from)
		right, err2 := named(to)
		if !ok || err1 != nil || err2 != nil || wrong == nil {
			return nil, fmt.Errorf("repair %q: give it as wrong>right, such as windows-1252>utf-8", s)
		}
		if from == "windows-1252" {
			wrong = lenient1252{}
		}
		out = append(out, conversion{wrong, right, saved})
	}
	return out, nil
}

// Mac Roman has no ð, with which emoji begin in Windows-1252, and no ¦, with
// which the ellipsis ends: programs saved an underscore. The five bytes that
// Windows-1252 does not use became those letters that Mac Roman has there.
var (
	lost   = strings.NewReplacer("_Ÿ", "ðŸ", "â€_", "â€¦")
	found  = strings.NewReplacer("ðŸ", "_Ÿ", "â€¦", "â€_")
	unused = strings.NewReplacer("Å", "\u0081", "ç", "\u008d", "è", "\u008f", "ê", "\u0090", "ù", "\u009d")
)

// repair undoes wrong conversions in each run of characters beyond ASCII. A run
// where that does not give valid text stays as it is: it was not damaged, or is
// beyond repair.
func repair(s string, steps []conversion) string {
	if len(steps) == 0 {
		return s
	}
	saved := slices.ContainsFunc(steps, func(c conversion) bool { return c.saved })
	if saved {
		s = lost.Replace(s)
	}
	var b strings.Builder
	for len(s) > 0 {
		n := strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
		n = strings.IndexFunc(s, func(r rune) bool { return r < utf8.RuneSelf })
		if n < 0 {
			n = len(s)
		}
		run := s[:n]
		s = s[n:]
		out := repairRun(run, steps)
		if saved && out == run {
			if out = repairRun(unused.Replace(run), steps); out == unused.Replace(run) {
				out = found.Replace(run)
			}
		}
		b.WriteString(out)
	}
	return b.String()
}

func repairRun(run string, steps []conversion) string {
	out := run
	for _, c := range steps {
		b, err := c.wrong.NewEncoder().Bytes([]byte(out))
		if err != nil {
			return run
		}
		if c.right != nil {
			if b, err = c.right.NewDecoder().Bytes(b); err != nil {
				return run
			}
		}
		if !utf8.Valid(b) || bytes.ContainsRune(b, utf8.RuneError) {
			return run
		}
		out = string(b)
	}
	return out
}

// lenient1252 is Windows-1252 whose five unused bytes are control characters, as
// browsers and many programs take them.
type lenient1252 struct{}

func (lenient1252) NewDecoder() *encoding.Decoder { return charmap.Windows1252.NewDecoder() }
func (lenient1252) NewEncoder() *encoding.Encoder {
	return &encoding.Encoder{Transformer: transformer1252{}}
}

type transformer1252 struct{ transform.NopResetter }

func (transformer1252) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if !atEOF && !utf8.FullRune(src[nSrc:]) {
			return nDst, nSrc, transform.ErrShortSrc
		}
		r, size := utf8.DecodeRune(src[nSrc:])
		b, ok := charmap.Windows1252.EncodeRune(r)
		switch r {
		case 0x81, 0x8d, 0x8f, 0x90, 0x9d:
			b, ok = byte(r), true
		}
		if !ok || r == utf8.RuneError {
			return nDst, nSrc, fmt.Errorf("%q is not in Windows-1252", r)
		}
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		dst[nDst] = b
		nDst++
		nSrc += size
	}
	return nDst, nSrc, nil
}

// lineReader makes a line feed of each carriage return, with its line feed where
// it has one.
type lineReader struct {
	r    io.Reader
	last byte
}

func (l *lineReader) Read(p []byte) (int, error) {
	for {
		n, err := l.r.Read(p)
		kept := 0
		for _, c := range p[:n] {
			last := l.last
			l.last = c
			if c == '\n' && last == '\r' {
				continue // its return has ended the line already
			}
			if c == '\r' {
				c = '\n'
			}
			p[kept] = c
			kept++
		}
		if kept > 0 || err != nil || n == 0 {
			return kept, err
		}
	}
}
