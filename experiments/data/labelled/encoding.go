package labelled

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
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

// leastConfidence is that below which statistics are no ground to convert.
const leastConfidence = 0.1

// Certain is the confidence below which statistics do not settle an encoding
// without a person who looks at the texts.
const Certain = 0.7

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

// wide reports whether there are as many zero bytes as UTF-16 and UTF-32 have.
func wide(b []byte) bool {
	b = b[:min(len(b), 1<<16)]
	return bytes.Count(b, []byte{0})*50 > len(b)
}

// detect tells the encoding of what is not UTF-8, the likeliest first; false means
// that it cannot, or that it is UTF-8 with damage, which Name then says.
func detect(s *survey) ([]Encoding, bool) {
	if e := detectWide(s.heads); e.Name != "" {
		return []Encoding{e}, true
	}
	if s.valid > s.invalid {
		return []Encoding{{utf8Name, "valid", float64(s.valid) / float64(s.valid+s.invalid)}}, false
	}
	found, err := chardet.NewTextDetector().DetectAll(s.sample)
	if err != nil {
		return nil, false
	}
	// The detector's recognisers run at once: their order is settled here.
	slices.SortFunc(found, func(a, b chardet.Result) int {
		return cmp.Or(b.Confidence-a.Confidence, strings.Compare(a.Charset, b.Charset))
	})
	var out []Encoding
	for _, f := range found {
		name, err := canonical(f.Charset)
		if err != nil || strings.HasPrefix(name, "utf-") {
			continue
		}
		if _, ok := decoded(s.sample, name, true); !ok {
			continue
		}
		e := Encoding{name, "statistics", float64(f.Confidence) / 100}
		if name == latin1 || name == windows1252 || same(s.sample, name, windows1252) {
			e.Name = western(s.sample)
		}
		if !slices.ContainsFunc(out, func(o Encoding) bool { return o.Name == e.Name }) {
			out = append(out, e)
		}
	}
	// So much valid UTF-8 is no chance: a mixture.
	mixed := len(out) > 0 && isSingleByte(out[0].Name) && s.valid*10 > s.invalid
	return out, len(out) > 0 && out[0].Confidence >= leastConfidence && !mixed
}

// same reports whether a text is of the same characters in two encodings, as one
// that has only quotation marks above ASCII is in those of Windows.
func same(b []byte, x, y string) bool {
	inX, ok1 := decoded(b, x, true)
	inY, ok2 := decoded(b, y, true)
	return ok1 && ok2 && bytes.Equal(inX, inY)
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

// detectWide tells UTF-16 and UTF-32 without a byte order mark by the beginnings of files: of those that
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
			out, fits := decoded(b, name, len(b) < chunk)
			ok = ok && fits && bytes.IndexByte(out, 0) < 0
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
