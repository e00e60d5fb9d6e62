package terminal

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
)

// A table fits its terminal: what gives way is cut, then left out, and of a long name the
// ends stay, which tell it from others.
func TestTableFits(t *testing.T) {
	columns := []string{"search", ">trials", "~started", "~reason", "~experiment", "~kind"}
	const long = "nlp-small-1/transfer/customer_reviews/no-task-embedding/s1"
	rows := [][]any{
		{"spam-naml-s1-1", "50/50", "26 Nov 03:12", "", "nightly", ""},
		{long, "7/100", "26 Nov 04:00", strings.Repeat("the store does not answer ", 9), "", ""},
	}
	for width, want := range map[int][]string{
		0:   {long, "does not answer the store", "kind"},
		120: {long, "26 Nov 04:00", "the store do", "…", "nightly"},
		80:  {"nlp-small-1/tra", "embedding/s1", "7/100", "26 Nov 04:00", "reason"},
		50:  {"nlp-small-1/tra", "embedding/s1", "  50/50"},
		20:  {"…", "7/100"},
	} {
		got := Table(width, columns, rows)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%d columns: %q is not in\n%s", width, w, got)
			}
		}
		if n := text.LongestLineLen(got); width > 20 && n > width || strings.Count(got, "\n") != 3 {
			t.Errorf("%d columns: %d are written\n%s", width, n, got)
		}
		if width > 0 && strings.Contains(got, "kind") {
			t.Errorf("%d columns: an empty one is kept\n%s", width, got)
		}
	}
}

// What others wrote does not command a terminal.
func TestTableIsClean(t *testing.T) {
	got := Table(0, []string{"a\x1b[2Jb"}, [][]any{{"x\x1b]0;owned\x07y\nz\u202edlrow"}})
	if strings.ContainsAny(got, "\x1b\x07\u202e") || !strings.Contains(got, "a·[2Jb") || !strings.Contains(got, "x·]0;owned·y z·dlrow") {
		t.Errorf("%q", got)
	}
}
