// Package limit holds the bounds of what people give and of what enters a
// workflow's history: a limit on everything, in one place.
package limit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of texts, in bytes.
const (
	// MaxReason is that of a reason: why something failed, is paused, or waits.
	MaxReason = 1000
	// MaxNote is that of one reason among many: thousands of them are one message.
	MaxNote = 200
	// MaxSummary is that of what the UI shows beside a step of a history: the server
	// takes 400 bytes with their encoding.
	MaxSummary = 250
)

// Reason is a reason as it can be passed on: one line, of at most MaxReason bytes.
func Reason(s string) string { return Cut(OneLine(s), MaxReason) }

// Note is one of many reasons: one line, of at most MaxNote bytes.
func Note(s string) string { return Cut(OneLine(s), MaxNote) }

// Summary is what the UI shows beside a step.
func Summary(s string) string { return Cut(OneLine(s), MaxSummary) }

// OneLine makes one line of a text: its lines are parted by semicolons, blanks and
// control characters, which break tables and terminals, become single blanks.
func OneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		words := strings.FieldsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
		if len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return strings.Join(lines, "; ")
}

// Cut shortens a text to at most n bytes, whole characters, valid UTF-8.
func Cut(s string, n int) string {
	const more = "…"
	if s = strings.ToValidUTF8(s, "?"); len(s) <= n {
		return s
	}
	n = max(n-len(more), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + more
}
