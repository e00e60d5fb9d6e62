// Package limit holds the bounds of what people give and of what enters a
// workflow's history: a limit on everything, in one place.
package limit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	// MaxMessage is that of an error with all that is wrong with an input.
	MaxMessage = 8000
	// MaxName is that of a label or a task's name.
	MaxName = 128
)

// MaxParameters bounds the parameters of all external tasks of a search, in bytes: its
// history has them.
const MaxParameters = 128 << 10

// MaxProblems is the number of problems of one input that are named.
const MaxProblems = 20

// Reason is a reason as it can be passed on: one line, of at most MaxReason bytes.
func Reason(s string) string { return Cut(joined(s), MaxReason) }

// Note is one of many reasons: one line, of at most MaxNote bytes.
func Note(s string) string { return Cut(joined(s), MaxNote) }

// Summary is what the UI shows beside a step.
func Summary(s string) string { return Cut(joined(s), MaxSummary) }

// joined makes one line of several, with semicolons between.
func joined(s string) string {
	s = s[:min(len(s), 4*MaxReason)] // of a long one the end is cut away anyhow
	return OneLine(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

// OneLine keeps a text from breaking tables and terminals: control characters and
// line breaks become blanks.
func OneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}

// More ends a text that Cut has shortened.
const More = "…"

// Cut shortens a text to at most n bytes, whole characters, valid UTF-8.
func Cut(s string, n int) string {
	if s = strings.ToValidUTF8(s, "?"); len(s) <= n {
		return s
	}
	n = max(n-len(More), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + More
}

// Problems joins what is wrong with one input, the first MaxProblems of it, each as
// one short text: an input may have thousands.
func Problems(wrong []error) error {
	if more := len(wrong) - MaxProblems; more > 0 {
		wrong = append(wrong[:MaxProblems:MaxProblems], fmt.Errorf("and %d problems more", more))
	}
	out := make([]error, len(wrong))
	for i, err := range wrong {
		if out[i] = err; len(err.Error()) > MaxReason {
			out[i] = errors.New(Reason(err.Error()))
		}
	}
	return errors.Join(out...)
}

// Apart takes joined errors apart, each in one line; none of nil.
func Apart(err error) (out []error) {
	if err == nil {
		return nil
	}
	var joint interface{ Unwrap() []error }
	if !errors.As(err, &joint) || joint.(error).Error() != err.Error() {
		return []error{errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	for _, e := range joint.Unwrap() {
		out = append(out, Apart(e)...)
	}
	return out
}

// Known reports together which names of some kind are none of those there are, and which
// are there twice.
func Known(kind string, names, there []string) error {
	var errs []error
	var unknown, twice []string
	for i, n := range names {
		switch {
		case !slices.Contains(there, n):
			if !slices.Contains(unknown, n) {
				unknown = append(unknown, n)
			}
		case slices.Contains(names[:i], n) && !slices.Contains(twice, n):
			twice = append(twice, n)
			errs = append(errs, fmt.Errorf("the %s %q is there twice", kind, n))
		}
	}
	if len(unknown) > 0 {
		const most = 50
		errs = append(errs, fmt.Errorf("there is no %s %s (there are: %s)", kind, Listed(Quoted(unknown), most), Listed(Quoted(there), most)))
	}
	return errors.Join(errs...)
}

// Quoted are names as they are told.
func Quoted(names []string) (out []string) {
	for _, n := range names {
		out = append(out, strconv.Quote(n))
	}
	return out
}

// Listed lists names or numbers, the first of them where there are more than most.
func Listed[T any](items []T, most int) string {
	var words []string
	for _, item := range items[:min(len(items), most)] {
		words = append(words, fmt.Sprint(item))
	}
	if more := len(items) - most; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}

// List names the first words of a list, as many as n bytes hold, a comma and a blank
// between; cut says that there are more.
func List(words []string, n int) (some []string, cut bool) {
	for i, w := range words {
		if n -= len(w) + 2; n < 0 {
			return words[:i], true
		}
	}
	return words, false
}
