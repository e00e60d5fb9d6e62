package embedding

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// boundary begins a word in SentencePiece's pieces: "▁", U+2581.
const boundary = "\u2581"

// maxCut is how many characters of a word are cut into pieces: the time grows
// with their square, and what is longer is no word.
const maxCut = 1000

// HasPieces reports whether the tokens look like pieces of words: at least a
// tenth of them begin with SentencePiece's sign for the beginning of a word.
func (m *Module) HasPieces() bool {
	n := 0
	for _, t := range m.Tokens {
		if strings.HasPrefix(t, boundary) {
			n++
		}
	}
	return n > 0 && n*10 >= len(m.Tokens)
}

// ReadWords reads a file of vectors as Read does. Where its tokens are pieces of
// words, words are made of them.
func ReadWords(r io.Reader, name string, top int) (*Module, error) {
	m, err := Read(r, name, top)
	if err != nil {
		return nil, err
	}
	if m.HasPieces() {
		m.Subword = &Subword{Kind: Pieces}
	}
	return m, nil
}

// digits replaces every digit by 0, as the texts of BPEmb are.
func digits(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '0'
		}
		return r
	}, word)
}

// pieces cuts a word as byte-pair encoding does: beginning with its
// characters, the two neighbours whose union comes first in the vocabulary
// become one, the leftmost of equals, until no union is in the vocabulary. So
// the vocabulary must be in the order of the merges, as SentencePiece writes it.
// Characters that are no piece are left out, and all after the first maxCut.
func (l *Lookup) pieces(word string) []int32 {
	text := boundary + digits(word)
	var ends []int // of the parts so far
	for i := 0; i < len(text) && len(ends) <= maxCut; {
		_, w := utf8.DecodeRuneInString(text[i:])
		i += w
		ends = append(ends, i)
	}
	begin := func(i int) int {
		if i == 0 {
			return 0
		}
		return ends[i-1]
	}
	for {
		best, at := len(l.m.Tokens), -1
		for i := range len(ends) - 1 {
			if row, ok := l.rows[text[begin(i):ends[i+1]]]; ok && row < best {
				best, at = row, i
			}
		}
		if at < 0 {
			break
		}
		ends = append(ends[:at], ends[at+1:]...)
	}
	var out []int32
	for i, end := range ends {
		if row, ok := l.rows[text[begin(i):end]]; ok {
			out = append(out, int32(row))
		}
	}
	return out
}
