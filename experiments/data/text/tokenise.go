package text

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// TokeniserVersion is the version of the rules in this file. It is stored with
// every task, so that a model is never fed tokens made by other rules than it
// was trained on: change it with every change of a rule.
const TokeniserVersion = 2

// Placeholder tokens. No text gives them literally.
const (
	// URLToken stands for a web address; its host follows as a token.
	URLToken = "<url>"
	// LongToken stands for a word of more than maxWord bytes (an encoded blob,
	// a ruler of letters): never worth a place in a vocabulary.
	LongToken = "<long>"
)

const (
	maxWord   = 48 // bytes of the longest word that is a token of its own
	maxRepeat = 3  // equal letters or marks in a row that are kept
	maxDigits = 4  // digits of the longest number that keeps its value
)

// Tokeniser turns a text into tokens. The zero value is the default.
//
// The text is brought to Unicode normalisation form C, HTML entities are
// decoded, mark-up tags are dropped, and letters are lower-cased, so that a word
// is one token in capitals too (Turkish İ and ı are i; a Greek word ends with ς). Then:
//
//   - a word is a run of letters, marks, digits and underscores; hyphens part
//     words and are dropped; Han, Hiragana and Katakana characters are words;
//   - contractions part as in the Penn Treebank ("don't" → "do" "n't",
//     "it's" → "it" "'s"), also where the text parted them with a space
//     ("does n 't");
//   - abbreviations of single letters stay whole ("u.s.", "e.g.");
//   - a number keeps its points and commas; one of five digits or more
//     becomes its shape ("08712400200" → "00000000000");
//   - "@user" is one token, "#tag" is two ("#tag", "tag"), a web address is
//     "<url>" and its host, the common emoticons are one token each;
//   - every other mark is a token; a run of one mark is one token of at most
//     three, and a letter repeated more than three times is cut to three.
type Tokeniser struct {
	// Version is TokeniserVersion when the task was built.
	Version int `json:"version"`
	// KeepCase leaves letters as they are.
	KeepCase bool `json:"keep_case,omitempty"`
	// MaxTokens cuts a text after so many tokens; 0 is no limit.
	MaxTokens int `json:"max_tokens,omitempty"`
}

// Tokens returns the tokens of a text in order. A token is never empty, has no
// white space in it and is valid UTF-8, whatever the text.
func (t Tokeniser) Tokens(text string) []string {
	var out []string
	var s scanner
	s.scan(t, text, func(token []byte) { out = append(out, string(token)) })
	return out
}

// scanner holds the state and buffers of one tokenisation; reused, it does not
// allocate.
type scanner struct {
	text string
	buf  []byte
	fold bool
	left int // tokens still wanted
	emit func(token []byte)
	// The last look for the end of a web address: found from byte from on, the
	// end, and the end without punctuation. Every address in between ends there.
	from, end, trimmed int
}

// A long text is scanned in blocks, so that it is not copied as a whole: of
// blockSize bytes or more, ending before white space, or of mostBlock.
const (
	blockSize = 64 << 10
	mostBlock = 1 << 20
	aroundCut = 1 << 10 // bytes before the end of a block that hold no markup or entity
)

func (s *scanner) scan(t Tokeniser, text string, emit func(token []byte)) {
	s.fold, s.left, s.emit = !t.KeepCase, t.MaxTokens, emit
	if s.left <= 0 {
		s.left = int(^uint(0) >> 1)
	}
	for text != "" && s.left > 0 {
		n := blockOf(text)
		s.block(text[:n])
		text = text[n:]
	}
	s.emit, s.text = nil, ""
}

// blockOf is the length of a text's first block.
func blockOf(text string) int {
	if len(text) <= mostBlock {
		return len(text)
	}
	for i := blockSize; i < mostBlock; i++ {
		if c := text[i]; (c == '\n' || c == ' ' && text[i+1] != '\'') && !strings.ContainsAny(text[i-aroundCut:i], "<&") {
			return i
		}
	}
	return whole(text[:mostBlock])
}

// whole is the length of a text without a last character that is cut off.
func whole(text string) int {
	for n := 1; n < utf8.UTFMax; n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) && !utf8.FullRuneInString(tail) {
			return len(text) - n
		}
	}
	return len(text)
}

func (s *scanner) block(text string) {
	if strings.IndexByte(text, '&') >= 0 {
		text = html.UnescapeString(text)
	}
	s.text = norm.NFC.String(text)
	s.from, s.end, s.trimmed = 0, 0, 0
	for i := 0; i < len(s.text) && s.left > 0; {
		i = s.next(i)
	}
}

// send hands over a token, unless the text has had its number of them.
func (s *scanner) send(token []byte) {
	if s.left > 0 && len(token) > 0 {
		s.left--
		s.emit(token)
	}
}

// next reads what begins at byte i, sends its tokens and returns where the
// rest begins; that is always beyond i.
func (s *scanner) next(i int) int {
	r, w := s.at(i)
	switch {
	case isWord(r):
		if r == 'h' || r == 'H' || r == 'w' || r == 'W' {
			if end := s.url(i); end > i {
				return end
			}
		}
		return s.word(i)
	case isSpace(r):
		return i + w
	case r == '@' || r == '#':
		if n, _ := s.at(i + w); isWord(n) && !s.wordBefore(i) {
			return s.mention(i)
		}
	case r == '<':
		if end := markup(s.text[i:]); end > 0 {
			return i + end
		}
	case r == '\'' || r == '’':
		if end := s.clitic(i); end > i {
			return end
		}
	case r == '-' || r == '\u2010' || r == '\u2011':
		if n, _ := s.at(i + w); isWord(n) && s.wordBefore(i) {
			return i + w // a hyphen inside a word parts it
		}
	}
	if end := emoticon(s.text[i:], s.wordBefore(i)); end > 0 {
		s.buf = append(s.buf[:0], s.text[i:i+end]...)
		if s.fold {
			for k, c := range s.buf {
				if 'A' <= c && c <= 'Z' {
					s.buf[k] = c + 'a' - 'A'
				}
			}
		}
		s.send(s.buf)
		return i + end
	}
	return s.mark(i)
}

// at decodes the character at byte i; beyond the end it is a space.
func (s *scanner) at(i int) (rune, int) {
	if i >= len(s.text) {
		return ' ', 0
	}
	if c := s.text[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(s.text[i:])
}

// append appends a character as the tokens have it.
func (s *scanner) append(b []byte, r rune) []byte {
	if s.fold {
		return appendLower(b, r)
	}
	return utf8.AppendRune(b, r)
}

// wordBefore reports whether a word character stands right before byte i.
func (s *scanner) wordBefore(i int) bool {
	if i == 0 {
		return false
	}
	if c := s.text[i-1]; c < utf8.RuneSelf {
		return ascii[c]&classWord != 0
	}
	r, _ := utf8.DecodeLastRuneInString(s.text[:i])
	return isWord(r)
}

// word reads a word, number or abbreviation.
func (s *scanner) word(i int) int {
	s.buf = s.buf[:0]
	var last rune
	repeat, digits, apostrophe := 0, 0, -1
	number := true // only digits, points and commas so far
	start := i
	for i < len(s.text) {
		r, w := s.at(i)
		switch {
		case isAlone(r):
			if i == start {
				s.buf = append(s.buf, s.text[i:i+w]...)
				s.send(s.buf)
				return i + w
			}
			return s.finishWord(i, number, digits, apostrophe)
		case isWord(r):
			if '0' <= r && r <= '9' {
				digits++
			} else {
				number = false
			}
			if s.fold {
				if r == '\u0307' && last == 'i' {
					break
				}
				r = lower(r)
			}
			if r == last && (r < '0' || r > '9') {
				repeat++
			} else {
				last, repeat = r, 1
			}
			if repeat <= maxRepeat {
				s.buf = utf8.AppendRune(s.buf, r)
			}
		case (r == '\'' || r == '’') && !number:
			if n, _ := s.at(i + w); !unicode.IsLetter(n) {
				return s.finishWord(i, number, digits, apostrophe)
			}
			apostrophe = len(s.buf)
			s.buf = append(s.buf, '\'')
			last = '\''
		case (r == '.' || r == ',') && number:
			if n, _ := s.at(i + w); n < '0' || n > '9' {
				return s.finishWord(i, number, digits, apostrophe)
			}
			s.buf = append(s.buf, byte(r))
		case r == '.' && len(s.buf) == i-start && singleLetter(s.text[start:i]):
			// Single letters, each with a point: an abbreviation.
			if end := abbreviation(s.text[start:]); end > 0 {
				s.buf = s.buf[:0]
				for _, r := range s.text[start : start+end] {
					s.buf = s.append(s.buf, r)
				}
				s.send(s.buf)
				return start + end
			}
			return s.finishWord(i, number, digits, apostrophe)
		default:
			return s.finishWord(i, number, digits, apostrophe)
		}
		i += w
	}
	return s.finishWord(i, number, digits, apostrophe)
}

// finishWord sends the word in the buffer, which ends before byte end.
func (s *scanner) finishWord(end int, number bool, digits, apostrophe int) int {
	b := s.buf
	if s.fold {
		finalSigma(b)
	}
	switch {
	case len(b) > maxWord:
		s.send([]byte(LongToken))
	case number && digits > maxDigits:
		for k, c := range b {
			if '0' <= c && c <= '9' {
				b[k] = '0'
			}
		}
		s.send(b)
	case apostrophe > 0:
		suffix := strings.ToLower(string(b[apostrophe:]))
		switch {
		case suffix == "'t" && apostrophe > 1 && b[apostrophe-1]|0x20 == 'n':
			s.send(b[:apostrophe-1])
			s.send(b[apostrophe-1:])
		case isClitic(suffix):
			s.send(b[:apostrophe])
			s.send(b[apostrophe:])
		default:
			s.send(b)
		}
	case len(b) == 1 && b[0]|0x20 == 'n':
		// "does n 't": a corpus that was tokenised before.
		if rest := s.text[end:]; len(rest) >= 3 && rest[0] == ' ' && rest[1] == '\'' && rest[2]|0x20 == 't' {
			if n, _ := s.at(end + 3); !isWord(n) {
				s.send(append(b, '\'', 't'))
				return end + 3
			}
		}
		s.send(b)
	default:
		s.send(b)
	}
	return end
}

// clitic reads the second half of a contraction that stands alone ("it 's") or
// after something other than a plain word ("@user's", "80's").
func (s *scanner) clitic(i int) int {
	_, w := s.at(i)
	end := i + w
	for end < len(s.text) && end < i+w+2 && isLetterASCII(s.text[end]) {
		end++
	}
	if n, _ := s.at(end); isWord(n) {
		return i
	}
	s.buf = append(append(s.buf[:0], '\''), s.text[i+w:end]...)
	for k := range s.buf {
		if isLetterASCII(s.buf[k]) && s.fold {
			s.buf[k] |= 0x20
		}
	}
	if !isClitic(strings.ToLower(string(s.buf))) {
		return i
	}
	s.send(s.buf)
	return end
}

func isClitic(s string) bool {
	switch s {
	case "'s", "'m", "'d", "'t", "'re", "'ve", "'ll":
		return true
	}
	return false
}

// mention reads "@user" or "#tag".
func (s *scanner) mention(i int) int {
	s.buf = append(s.buf[:0], s.text[i])
	end := i + 1
	for {
		r, w := s.at(end)
		if !isWord(r) || w == 0 {
			break
		}
		s.buf = s.append(s.buf, r)
		end += w
	}
	if len(s.buf) > maxWord {
		s.send([]byte(LongToken))
		return end
	}
	if s.fold {
		finalSigma(s.buf)
	}
	s.send(s.buf)
	if s.text[i] == '#' {
		s.send(s.buf[1:])
	}
	return end
}

// url reads a web address and returns its end, or i where there is none.
func (s *scanner) url(i int) int {
	if s.wordBefore(i) {
		return i
	}
	rest := s.text[i:]
	host := 0
	for _, p := range [...]string{"http://", "https://", "www."} {
		if len(rest) > len(p) && strings.EqualFold(rest[:len(p)], p) {
			host = len(p)
			break
		}
	}
	if host == 0 {
		return i
	}
	end := s.urlEnd(i) - i
	if end <= host {
		return i
	}
	name := rest[host:end]
	if len(name) > 4 && strings.EqualFold(name[:4], "www.") {
		name = name[4:]
	}
	if first, _ := utf8.DecodeRuneInString(name); !isWord(first) {
		return i
	}
	s.buf = s.buf[:0]
	for _, r := range name {
		if !isWord(r) && r != '.' && r != '-' {
			break
		}
		s.buf = utf8.AppendRune(s.buf, lower(r))
	}
	s.send([]byte(URLToken))
	if len(s.buf) <= maxWord {
		s.send(s.buf)
	}
	return i + end
}

// urlEnd returns where a web address that begins at byte i ends. Many that turn
// out to be none may share an end, which is looked for once: a text is read in
// time proportional to its length, whatever it is.
func (s *scanner) urlEnd(i int) int {
	if i < s.from || i >= s.end {
		end := strings.IndexFunc(s.text[i:], func(r rune) bool { return isSpace(r) || r == '<' || r == '>' || r == '"' })
		if end < 0 {
			end = len(s.text) - i
		}
		s.from, s.end = i, i+end
		s.trimmed = i + len(strings.TrimRight(s.text[i:s.end], ".,;:!?)]}'’\"…"))
	}
	return s.trimmed
}

// mark reads a run of one punctuation mark or symbol.
func (s *scanner) mark(i int) int {
	r, w := s.at(i)
	n, end := 1, i+w
	for end < len(s.text) {
		r2, w2 := s.at(end)
		if r2 != r {
			break
		}
		n++
		end += w2
	}
	s.buf = s.buf[:0]
	switch r {
	case utf8.RuneError, '\u200b', '\u200c', '\u200d', '\ufe0e', '\ufe0f', '\ufeff', '\u00ad':
		return end // broken, or invisible
	case '“', '”', '„', '«', '»':
		r, n = '"', 1
	case '’', '‘':
		r = '\''
	case '…':
		r, n = '.', 3
	case '–', '—':
		r, n = '-', 2
	}
	if n == 2 && (r == '`' || r == '\'') { // Penn Treebank quotation marks
		r, n = '"', 1
	}
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return end
	}
	for range min(n, maxRepeat) {
		s.buf = utf8.AppendRune(s.buf, r)
	}
	s.send(s.buf)
	return end
}
