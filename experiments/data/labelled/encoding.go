package labelled

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	"tnaml/experiments/data/archive"
)

// Encoding is the character encoding of a source, and how it is known.
type Encoding struct {
	// Name is the encoding's, in lower case: utf-8, utf-16le, windows-1252.
	Name string `json:"name"`
	// How is one of "given" (by the options), "byte order mark", "valid" (the
	// bytes are valid UTF-8, which other encodings hardly ever are by chance) and
	// "statistics" (of letters).
	How string `json:"how"`
	// Confidence is between 0 and 1; 1 is certain.
	Confidence float64 `json:"confidence"`
}

// The encodings that are not looked up.
const (
	utf8Name, utf16LE, utf16BE, utf32LE, utf32BE = "utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"

	windows1252, latin1, latin9 = "windows-1252", "iso-8859-1", "iso-8859-15"
)

// marks are the byte order marks; UTF-32LE's begins with UTF-16LE's.
var marks = []struct{ mark, name string }{
	{"\xef\xbb\xbf", utf8Name}, {"\xff\xfe\x00\x00", utf32LE}, {"\x00\x00\xfe\xff", utf32BE}, {"\xff\xfe", utf16LE}, {"\xfe\xff", utf16BE},
}

// leastConfidence is that below which statistics are no ground to convert, and
// doubtful that below which the report says so.
const (
	leastConfidence = 0.1
	doubtful        = 0.5
)

// decode converts a text form to UTF-8 without a byte order mark; false means
// that there are problems, which name lines.
func (c *collector) decode(b []byte) ([]byte, bool) {
	out, ok := c.decodeAll([][]byte{b}, func(_, line int, err error) { c.Add("line %d: %w", line, err) })
	if !ok {
		return nil, false
	}
	return out[0], true
}

// decodeFiles converts the contents of text files.
func (c *collector) decodeFiles(files []archive.File) ([][]byte, bool) {
	parts := make([][]byte, len(files))
	for i, f := range files {
		parts[i] = f.Data
	}
	return c.decodeAll(parts, func(i, line int, err error) { c.Add("%s: line %d: %w", files[i].Name, line, err) })
}

// decodeAll converts the parts of one source. Each part may have its byte order
// mark, or be UTF-8; the rest is of one encoding, detected over all of it.
func (c *collector) decodeAll(parts [][]byte, bad func(part, line int, err error)) ([][]byte, bool) {
	before := c.Len()
	out := make([][]byte, len(parts))
	var rest []int
	known := Encoding{Name: utf8Name, How: "valid", Confidence: 1}
	forced := ""
	if c.o.Encoding != "" {
		var err error
		if forced, err = canonical(c.o.Encoding); err != nil {
			c.Fail(err)
			return nil, false
		}
		known = Encoding{forced, "given", 1}
	}
	for i, b := range parts {
		name := forced
		if m := markOf(b); m != "" && forced == "" {
			name = m
			known = Encoding{m, "byte order mark", 1}
		}
		switch {
		case name != "":
			out[i] = convert(b, name, func(line int, err error) { bad(i, line, err) })
		case utf8.Valid(b) && !wide(b):
			out[i] = b
		default:
			rest = append(rest, i)
		}
	}
	if len(rest) > 0 {
		pool := make([][]byte, len(rest))
		for k, i := range rest {
			pool[k] = parts[i]
		}
		e, ok := detect(pool)
		if !ok {
			for _, i := range rest {
				hint := "; if it is another encoding, give its name"
				if e.Name != "" && e.Name != utf8Name && e.Confidence >= leastConfidence {
					hint = fmt.Sprintf(" (perhaps %s, %.0f %%)%s", e.Name, 100*e.Confidence, hint)
				}
				if utf8.Valid(parts[i]) { // but full of zeros
					at := bytes.IndexByte(parts[i], 0)
					bad(i, 1+bytes.Count(parts[i][:at], []byte("\n")), fmt.Errorf("byte %d of the file is zero, and many more: it is no text", at))
				}
				invalidLines(parts[i], func(line, at int) {
					bad(i, line, fmt.Errorf("byte %d is not valid UTF-8%s", at, hint))
				})
			}
			c.report.Encoding = e
			return nil, false
		}
		known = e
		for _, i := range rest {
			out[i] = convert(parts[i], e.Name, func(line int, err error) { bad(i, line, err) })
		}
		if len(rest) < len(parts) {
			c.report.Notes = append(c.report.Notes, fmt.Sprintf("%d of %d files are not UTF-8 and were read as %s", len(rest), len(parts), e.Name))
		}
		if e.Confidence < doubtful {
			c.report.Notes = append(c.report.Notes,
				fmt.Sprintf("the encoding %s is a guess (%.0f %%): look at the texts, and give another one if they are garbled", e.Name,
					100*e.Confidence))
		}
	}
	c.report.Encoding = known
	return out, c.Len() == before
}

func markOf(b []byte) string {
	for _, m := range marks {
		if bytes.HasPrefix(b, []byte(m.mark)) {
			return m.name
		}
	}
	return ""
}

// canonical returns the name under which convert knows an encoding.
func canonical(name string) (string, error) {
	n := strings.ToLower(strings.TrimSpace(name))
	n = strings.ReplaceAll(n, "_", "-")
	switch n {
	case "utf8", utf8Name, "ascii", "us-ascii", "utf-8-sig":
		return utf8Name, nil
	case "utf-16", "utf16":
		return utf16LE, nil // a byte order mark is followed in convert
	case utf16LE, utf16BE, utf32LE, utf32BE:
		return n, nil
	case "utf-32", "utf32":
		return utf32LE, nil
	case latin1, "latin1", "latin-1", "l1", "iso8859-1":
		return latin1, nil // the WHATWG takes it for windows-1252
	case "cp1252", "ansi":
		return windows1252, nil
	case "latin9", "latin-9":
		return latin9, nil
	}
	e, err := lookupEncoding(n)
	if err != nil {
		return "", fmt.Errorf("unknown encoding %q (known: utf-8, utf-16, utf-32, iso-8859-1 to -16, windows-1250 to -1258, "+
			"koi8-r, shift_jis, euc-jp, gb18030, big5, euc-kr and others of the WHATWG and IANA)", name)
	}
	if s, err := htmlindex.Name(e); err == nil {
		return s, nil
	}
	return n, nil
}

func lookupEncoding(name string) (encoding.Encoding, error) {
	switch name {
	case latin1:
		return charmap.ISO8859_1, nil
	case "replacement":
		return nil, errors.New("no encoding")
	}
	e, err := htmlindex.Get(name)
	if err != nil || e == encoding.Replacement {
		if e, err = ianaindex.IANA.Encoding(name); err == nil && e == nil {
			err = errors.New("not supported")
		}
	}
	return e, err
}

// convert converts a text to UTF-8 and says which lines cannot be.
func convert(b []byte, name string, bad func(line int, err error)) []byte {
	switch name {
	case utf8Name:
		b = bytes.TrimPrefix(b, []byte(marks[0].mark))
		if !utf8.Valid(b) {
			invalidLines(b, func(line, at int) { bad(line, fmt.Errorf("byte %d is not valid UTF-8", at)) })
			return nil
		}
		return b
	case utf16LE, utf16BE, utf32LE, utf32BE:
		if m := markOf(b); m != "" && m[:6] == name[:6] { // of this width: its order is the mark's
			name = m
		}
		out := decodeWide(b, name, bad)
		return bytes.TrimPrefix(out, []byte(marks[0].mark))
	}
	e, err := lookupEncoding(name)
	if err != nil {
		bad(1, fmt.Errorf("encoding %s: %w", name, err))
		return nil
	}
	out, err := e.NewDecoder().Bytes(b)
	if err == nil && !bytes.ContainsRune(out, utf8.RuneError) && !undefined(b, name) {
		return out
	}
	// All of these encodings have ASCII's line break as theirs.
	line := 0
	for row := range bytes.SplitSeq(b, []byte("\n")) {
		line++
		if out, err := e.NewDecoder().Bytes(row); err != nil || bytes.ContainsRune(out, utf8.RuneError) || undefined(row, name) {
			bad(line, fmt.Errorf("not valid %s", name))
		}
	}
	return nil
}

// undefined reports whether there are bytes that Windows-1252 leaves undefined,
// which decoders take for control characters.
func undefined(b []byte, name string) bool {
	return name == windows1252 && bytes.ContainsFunc(latinBytes(b), func(r rune) bool {
		return r == 0x81 || r == 0x8d || r == 0x8f || r == 0x90 || r == 0x9d
	})
}

// latinBytes returns each byte above ASCII as the character of its number.
func latinBytes(b []byte) []byte {
	var out []byte
	for _, v := range b {
		if v >= utf8.RuneSelf {
			out = utf8.AppendRune(out, rune(v))
		}
	}
	return out
}

// decodeWide decodes UTF-16 and UTF-32 strictly.
func decodeWide(b []byte, name string, bad func(line int, err error)) []byte {
	width := 2
	if name == utf32LE || name == utf32BE {
		width = 4
	}
	little := name == utf16LE || name == utf32LE
	unit := func(at int) (u uint32) {
		for k := range width {
			v := b[at+k]
			if little {
				v = b[at+width-1-k]
			}
			u = u<<8 | uint32(v)
		}
		return u
	}
	out := make([]byte, 0, len(b)/width+len(b)/16)
	line, at, failed, wrong := 1, 0, false, false
	for ; at+width <= len(b); at += width {
		u := unit(at)
		if width == 2 && u >= 0xd800 && u < 0xdc00 && at+2*width <= len(b) {
			if v := unit(at + width); v >= 0xdc00 && v < 0xe000 {
				u = 0x10000 + (u-0xd800)<<10 + (v - 0xdc00)
				at += width
			}
		}
		switch {
		case u == '\n':
			line++
			wrong = false
		case (u > utf8.MaxRune || u >= 0xd800 && u < 0xe000) && !wrong:
			bad(line, fmt.Errorf("byte %d of the file: not valid %s", at, name))
			failed, wrong = true, true
		}
		out = utf8.AppendRune(out, rune(min(u, utf8.MaxRune)))
	}
	if at != len(b) {
		bad(line, fmt.Errorf("byte %d: the file ends within a character of %s", len(b), name))
		failed = true
	}
	if failed {
		return nil
	}
	return out
}

// wide reports whether there are as many zero bytes as UTF-16 and UTF-32 have.
func wide(b []byte) bool {
	b = b[:min(len(b), 1<<16)]
	return bytes.Count(b, []byte{0})*50 > len(b)
}

// invalidLines calls bad with each line that is not UTF-8 and the number of its
// first invalid byte within the line, from 1.
func invalidLines(b []byte, bad func(line, at int)) {
	line := 0
	for row := range bytes.SplitSeq(b, []byte("\n")) {
		line++
		for at := 0; at < len(row); {
			r, n := utf8.DecodeRune(row[at:])
			if r == utf8.RuneError && n == 1 {
				bad(line, at+1)
				break
			}
			at += n
		}
	}
}

// evidence is how much text detection looks at.
const evidence = 1 << 18

// detect tells the encoding of parts that are not UTF-8; false means that it
// cannot, or that they are UTF-8 with damage, which Name then says.
func detect(parts [][]byte) (Encoding, bool) {
	if e := detectWide(parts); e.Name != "" {
		return e, true
	}
	// Only lines with bytes above ASCII say anything.
	var sample []byte
	valid, invalid := 0, 0
	for _, b := range parts {
		for row := range bytes.SplitSeq(b, []byte("\n")) {
			odd := false
			for at := 0; at < len(row); {
				r, n := utf8.DecodeRune(row[at:])
				switch {
				case n > 1:
					valid++
				case r == utf8.RuneError:
					invalid++
				}
				odd = odd || r >= utf8.RuneSelf
				at += n
			}
			if odd && len(sample) < evidence {
				sample = append(append(sample, row...), '\n')
			}
		}
	}
	if valid > invalid {
		return Encoding{utf8Name, "valid", float64(valid) / float64(valid+invalid)}, false
	}
	found, err := chardet.NewTextDetector().DetectAll(sample)
	if err != nil {
		return Encoding{}, false
	}
	// The detector's recognisers run at once: their order is settled here.
	slices.SortFunc(found, func(a, b chardet.Result) int {
		return cmp.Or(b.Confidence-a.Confidence, strings.Compare(a.Charset, b.Charset))
	})
	for _, f := range found {
		name, err := canonical(f.Charset)
		if err != nil || strings.HasPrefix(name, "utf-") {
			continue
		}
		fits := true
		if convert(sample, name, func(int, error) { fits = false }); !fits {
			continue
		}
		e := Encoding{name, "statistics", float64(f.Confidence) / 100}
		if name == latin1 || name == windows1252 || same(sample, name, windows1252) {
			e.Name = western(sample)
		}
		single := isSingleByte(e.Name)
		if single && valid*10 > invalid { // so much valid UTF-8 is no chance: a mixture
			return e, false
		}
		return e, e.Confidence >= leastConfidence
	}
	return Encoding{}, false
}

// same reports whether a text is of the same characters in two encodings, as one
// that has only quotation marks above ASCII is in those of Windows.
func same(b []byte, x, y string) bool {
	ok := true
	bad := func(int, error) { ok = false }
	return bytes.Equal(convert(b, x, bad), convert(b, y, bad)) && ok
}

func isSingleByte(name string) bool {
	e, err := lookupEncoding(name)
	_, ok := e.(*charmap.Charmap)
	return err == nil && ok
}

// western tells the Western European encodings apart: bytes 80 to 9f are letters
// and signs in windows-1252 alone, and the euro sign or œ, š, ž within words
// show ISO-8859-15.
func western(b []byte) string {
	letter := func(i int) bool {
		return i >= 0 && i < len(b) && (b[i] >= 0xc0 || b[i]|0x20 >= 'a' && b[i]|0x20 <= 'z')
	}
	ninth := 0
	for i, v := range b {
		switch {
		case v >= 0x80 && v < 0xa0:
			return windows1252
		case v == 0xa4: // ¤ is hardly ever written, € often
			ninth++
		case v == 0xbd || v == 0xbc || v == 0xa8 || v == 0xb8 || v == 0xa6 || v == 0xb4: // œ Œ š ž Š Ž, else ½ ¼ ¨ ¸ ¦ ´
			if letter(i-1) && letter(i+1) {
				ninth++
			}
		}
	}
	if ninth > 0 {
		return latin9
	}
	return windows1252 // the same as ISO-8859-1 for these bytes
}

// detectWide tells UTF-16 and UTF-32 without a byte order mark: of those that
// the bytes are valid in, the one with the most ASCII letters, spaces and line
// breaks, if these and other characters of Latin-1 account for the zero bytes.
// Name is empty where there is none.
func detectWide(parts [][]byte) Encoding {
	var best Encoding
	if !slices.ContainsFunc(parts, wide) {
		return best
	}
	most := 0
	for _, name := range []string{utf32LE, utf32BE, utf16LE, utf16BE} {
		ok, n, latin, zeros := true, 0, 0, 0
		for _, b := range parts {
			zeros += bytes.Count(b, []byte{0})
			out := decodeWide(b, name, func(int, error) { ok = false })
			ok = ok && bytes.IndexByte(out, 0) < 0
			for _, v := range string(out) {
				if v == ' ' || v == '\n' || v|0x20 >= 'a' && v|0x20 <= 'z' {
					n++
				}
				if v <= 0xff && (v >= ' ' && v < 0x7f || v >= 0xa0 || v == '\t' || v == '\n' || v == '\r') {
					latin++
				}
			}
		}
		if name == utf32LE || name == utf32BE {
			latin = zeros // little but UTF-32 is valid UTF-32
		}
		if ok && latin*10 >= zeros*6 && n > most {
			best, most = Encoding{name, "statistics", 0.95}, n
		}
	}
	return best
}
