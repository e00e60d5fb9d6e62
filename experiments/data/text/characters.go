package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	classWord = 1 << iota
	classSpace
)

// ascii classifies the characters below 128: most of most texts.
var ascii = func() (t [utf8.RuneSelf]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[c] = classWord
		case c <= ' ' || c == 0x7f:
			t[c] = classSpace
		}
	}
	return t
}()

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return ascii[r]&classWord != 0
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) && r != '\ufe0e' && r != '\ufe0f' || unicode.IsDigit(r)
}

func isSpace(r rune) bool {
	if r < utf8.RuneSelf {
		return ascii[r]&classSpace != 0
	}
	return unicode.IsSpace(r)
}

// isAlone reports whether a character is a word by itself: scripts written
// without spaces.
func isAlone(r rune) bool {
	return r >= 0x3040 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// lower is a letter's lower case, the same for all the forms of one word: the
// Turkish İ and ı are i as I is, since no text says whose I it has.
func lower(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if r == 'ı' {
		return 'i'
	}
	return unicode.ToLower(r)
}

// appendLower appends a character in lower case. The dot above that some programs
// leave of İ belongs to an i already.
func appendLower(b []byte, r rune) []byte {
	if r == '\u0307' && len(b) > 0 && b[len(b)-1] == 'i' {
		return b
	}
	return utf8.AppendRune(b, lower(r))
}

// finalSigma gives a word in lower case the sigma that ends Greek words.
func finalSigma(b []byte) {
	if n := len(b) - 2; n > 0 && string(b[n:]) == "σ" {
		copy(b[n:], "ς")
	}
}

func isLetterASCII(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func singleLetter(s string) bool {
	r, w := utf8.DecodeRuneInString(s)
	return w == len(s) && unicode.IsLetter(r)
}

// abbreviation returns the length of "a.b." (two or more single letters, each
// with a point, before something that is no word character) at the start of s,
// or 0.
func abbreviation(s string) int {
	n, i := 0, 0
	for {
		r, w := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsLetter(r) || i+w >= len(s) || s[i+w] != '.' {
			break
		}
		if i += w + 1; i > maxWord {
			return 0
		}
		n++
	}
	if r, _ := utf8.DecodeRuneInString(s[i:]); n < 2 || i < len(s) && isWord(r) {
		return 0
	}
	return i
}

// maxMarkup is the length in bytes of the longest tag that is taken for one.
const maxMarkup = 201

// markup returns the length of a mark-up tag that text corpora commonly leave
// behind, at the start of s, or 0. Anything else in angle brackets is text.
func markup(s string) int {
	end := strings.IndexByte(s[:min(len(s), maxMarkup)], '>')
	if end < 0 {
		return 0
	}
	name := strings.TrimPrefix(s[1:end], "/")
	if i := strings.IndexAny(name, " \t\n/"); i >= 0 {
		name = name[:i]
	}
	switch strings.ToLower(name) {
	case "br", "p", "i", "b", "u", "a", "em", "strong", "hr", "div", "span", "ul", "ol", "li", "font", "table", "tr", "td":
		return end + 1
	}
	return 0
}

// emoticon returns the length of an emoticon at the start of s, or 0. After a
// word character only the unmistakable mouths count, so that "3:30" and
// "note: see" are not taken for faces.
func emoticon(s string, afterWord bool) int {
	if len(s) < 2 {
		return 0
	}
	if s[0] == '<' && s[1] == '3' {
		if len(s) > 2 && ascii7(s[2])&classWord != 0 {
			return 0
		}
		return 2
	}
	if s[0] != ':' && s[0] != ';' && s[0] != '=' {
		return 0
	}
	i := 1
	if strings.IndexByte("-'^o*", s[i]) >= 0 && len(s) > 2 {
		i++
	}
	mouths := ")([]DdPpOo/\\|@3"
	if afterWord {
		mouths = ")("
	}
	if strings.IndexByte(mouths, s[i]) < 0 {
		return 0
	}
	if c := s[i]; (isLetterASCII(c) || c == '3') && i+1 < len(s) && ascii7(s[i+1])&classWord != 0 {
		return 0
	}
	return i + 1
}

// ascii7 classifies a byte; a part of a longer character counts as a word's.
func ascii7(c byte) uint8 {
	if c >= utf8.RuneSelf {
		return classWord
	}
	return ascii[c]
}
