package cli

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"

	"tnaml/experiments/task"
)

// card is a task's card for people.
func card(name string, labels []string, c task.Card) string {
	var b strings.Builder
	n := func(v int) string { return humanize.Comma(int64(v)) }
	fmt.Fprintf(&b, "%s: %s examples in %d classes", name, n(c.Examples), len(labels))
	if c.Options.Source != "" {
		fmt.Fprintf(&b, ", from %s", c.Options.Source)
	}
	if c.Options.Licence != "" {
		fmt.Fprintf(&b, " (%s)", c.Options.Licence)
	}
	split := "divided by seed " + fmt.Sprint(c.Options.Seed)
	if c.GivenSplit {
		split = "as the source divides them"
	}
	fmt.Fprintf(&b, "\n\n  split       %s train, %s validation, %s test, %s\n", n(c.Train), n(c.Validation), n(c.Test), split)
	fmt.Fprintf(&b, "  texts       %.0f characters, %.0f tokens on average; %s cut at %d tokens\n", c.MeanCharacters, c.MeanTokens, n(c.Cut), c.Options.MaxTokens)
	fmt.Fprintf(&b, "  duplicates  %s, of them %s with another label; %s leak from the training split\n", n(c.Duplicates), n(c.Conflicts), n(c.Leakage))
	fmt.Fprintf(&b, "  vocabulary  %s of %s tokens; the wide tower sees %s, %s of the test split's\n", n(c.Vocabulary), n(c.DistinctTokens), n(c.WideVocabulary), percent(c.Coverage))
	fmt.Fprintf(&b, "  to beat     %s, always answering the most frequent class\n\n", percent(c.MajorityAccuracy))
	t := newTable(table.Row{"class", "train", "validation", "test", "for example"}, "train", "validation", "test")
	for i, class := range c.Classes {
		if i == maxShownClasses {
			t.AppendFooter(table.Row{fmt.Sprintf("and %d more", len(c.Classes)-i)})
			break
		}
		sample := ""
		if len(class.Samples) > 0 {
			sample = strings.Join(strings.Fields(class.Samples[0]), " ")
		}
		t.AppendRow(table.Row{class.Label, n(class.Train), n(class.Validation), n(class.Test), cut(sample, 60)})
	}
	b.WriteString(t.Render())
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "\n\nwarning: %s", w)
	}
	return b.String()
}

// maxShownClasses bounds the card's table.
const maxShownClasses = 30

// cut shortens a text to a number of characters.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
