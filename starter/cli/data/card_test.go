package data

import (
	"fmt"
	"strings"
	"testing"

	pretty "github.com/jedib0t/go-pretty/v6/text"

	"tnaml/experiments/data"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
	"tnaml/experiments/yardstick"
	"tnaml/starter/cli/terminal"
)

// A card keeps within the terminal and sends it no commands, whatever the data.
func TestCardFitsTheTerminal(t *testing.T) {
	var examples []text.Example
	for i := range 200 {
		examples = append(examples, text.Example{
			Text:  []string{"\x1b[31mred\x1b[0m", "東京は日本の首都です", "a\u202eb \a", strings.Repeat("long ", 60)}[i%4] + fmt.Sprint(i/8),
			Label: []string{"\x1b]0;title\a", "日本語の長いラベルです、とても長い", strings.Repeat("label ", 20), "x"}[i%4],
			Split: []string{"train", "train", "test", "validation", "train"}[i%5],
		})
	}
	built, err := text.Build(examples, data.Options{Name: "x", Source: strings.Repeat("source ", 40) + "\x1b[2J", Licence: "none"})
	if err != nil {
		t.Fatal(err)
	}
	f := &loaded{first: examples, reports: []labelled.Report{{
		Name: "x.csv", Format: labelled.CSV, Delimiter: ";", Rows: 200, Encoding: labelled.Encoding{Name: "windows-1252", How: "statistics",
			Confidence: .73},
		Columns: []labelled.Column{{Name: strings.Repeat("n", 90), Type: "text", Example: strings.Repeat("東", 60), Use: "label"},
			{Name: "\x1b[1m", Type: "empty"}},
		Notes: []string{strings.Repeat("something was left out ", 9)},
	}}}
	for _, width := range []int{60, 80, 140} {
		out := f.show(width) + card("x", built.Card, nil, width)
		if strings.ContainsAny(out, "\x1b\a\u202e") {
			t.Errorf("%d columns: a command for the terminal is left", width)
		}
		for line := range strings.SplitSeq(out, "\n") {
			if n := pretty.StringWidthWithoutEscSequences(strings.TrimRight(line, " ")); n > width {
				t.Errorf("%d columns: a line of %d: %s", width, n, line)
			}
		}
		if out = terminal.Flat(out); !strings.Contains(out, "warning: ") || !strings.Contains(out, "windows-1252 (detected, 73 % sure)") ||
			!strings.Contains(out, `parted by ";"`) {
			t.Errorf("%d columns:\n%s", width, out)
		}
	}
}

// Of many classes the terminal has the largest and the smallest.
func TestCardFoldsClasses(t *testing.T) {
	c := data.Card{Examples: 8000}
	for i := range 2000 {
		c.Classes = append(c.Classes, data.Class{Label: fmt.Sprintf("class-%d", i), Train: i + 1})
	}
	out := card("x", c, nil, 80)
	if n := strings.Count(out, "\n class-"); n != 30 || !strings.Contains(out, "class-1999 ") ||
		!strings.Contains(out, "… and 1,970 more") || !strings.Contains(out, "class-0 ") {
		t.Errorf("%d classes:\n%s", n, out)
	}
}

// A card says what is to beat, or how to find out.
func TestCardSaysWhatIsToBeat(t *testing.T) {
	c := data.Card{Examples: 80, MajorityAccuracy: .5, Classes: []data.Class{{Label: "a", Train: 40}, {Label: "b", Train: 40}}}
	if out := terminal.Flat(card("x", c, nil, 80)); !strings.Contains(out, `50.00 %, always answering "a"`) ||
		!strings.Contains(out, "`starter baseline x`") {
		t.Errorf("before: %s", out)
	}
	found := []yardstick.Result{{Name: "naive Bayes"},
		{Name: "NBSVM", Validation: yardstick.Score{Accuracy: .9}, Test: yardstick.Score{Accuracy: .8, Examples: 400}}}
	out := strings.Join(strings.Fields(card("x", c, found, 80)), " ")
	if !strings.Contains(out, "NBSVM, with a validation accuracy of 90.00 % and a test accuracy of 80.00 ± 2.00 % (one standard error)") ||
		strings.Contains(out, "starter baseline") {
		t.Errorf("after: %s", out)
	}
}

func TestBar(t *testing.T) {
	for share, want := range map[float64]string{0: "", 1: "████", 0.5: "██", 0.001: "▏", 0.53125: "██▏", 0.21: "▉"} {
		if got := bar(share, 4); got != want {
			t.Errorf("%v: %q, want %q", share, got, want)
		}
	}
}

// Labels that a terminal would show alike are quoted.
func TestCardTellsLabelsApart(t *testing.T) {
	c := data.Card{Examples: 80, Classes: []data.Class{{Label: "a b", Train: 40, Samples: []string{"x"}},
		{Label: "a  b", Train: 40, Samples: []string{"y"}}}}
	if out := card("x", c, nil, 80); strings.Count(out, "\n a b ") != 2 || strings.Count(out, "\n \"a  b\" ") != 2 {
		t.Error(out)
	}
}
