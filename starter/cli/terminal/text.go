package terminal

import (
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Flat is a text as one line, without what a terminal would take for commands.
func Flat(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, strings.Join(strings.Fields(s), " "))
}

// Clean is a text without what a terminal would take for commands, or for another
// direction of writing; line breaks and tabs stay.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '·'
		}
		return r
	}, s)
}

// Wrap breaks a text into lines; all but the first begin with an indent.
func Wrap(s string, width int, indent string) string {
	var out strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		n := len([]rune(word))
		if i > 0 {
			if at+1+n > width {
				out.WriteString("\n" + indent)
				at = len([]rune(indent))
			} else {
				out.WriteString(" ")
				at++
			}
		}
		out.WriteString(word)
		at += n
	}
	return out.String()
}

// Cut is a text as one line that is at most n columns wide.
func Cut(s string, n int) string { return text.Snip(Flat(s), max(1, n), "…") }
