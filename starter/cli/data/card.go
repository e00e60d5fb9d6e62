package data

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/text"

	"tnaml/experiments/data"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/yardstick"
	"tnaml/starter/cli/terminal"
)

// card is a task's card for people, with what was trained to be beaten, for a terminal of
// so many columns.
func card(name string, c data.Card, yardsticks []yardstick.Result, width int) string {
	var b strings.Builder
	n := func(v int) string { return humanize.Comma(int64(v)) }
	line := func(head, format string, a ...any) {
		fmt.Fprintf(&b, "  %-11s %s\n", head, strings.ReplaceAll(terminal.Wrap(fmt.Sprintf(format, a...), width-14, ""), "\n",
			"\n"+strings.Repeat(" ", 14)))
	}
	kind, in := kinds.Of(&c), ""
	if len(c.Classes) > 0 {
		in = fmt.Sprintf(" in %d classes", len(c.Classes))
	}
	if c.External != nil {
		fmt.Fprintf(&b, "%s: %s task\n", name, kind.Kind)
	} else {
		fmt.Fprintf(&b, "%s: %s examples%s, %s\n", name, n(c.Examples), in, kind.Kind)
	}
	for _, about := range []string{c.Options.Source, c.Options.Licence} {
		if about != "" {
			fmt.Fprintf(&b, "%s\n", terminal.Wrap(terminal.Flat(about), width, ""))
		}
	}
	b.WriteString("\n")
	if len(c.Classes) > 0 {
		split := "by seed " + fmt.Sprint(c.Options.Seed) + ", each class its share"
		if c.Options.Random {
			split = "by seed " + fmt.Sprint(c.Options.Seed) + ", whatever the class"
		}
		if c.GivenSplit {
			split = "the source's own"
		}
		line("split", "%s train, %s validation, %s test, %s", n(c.Train), n(c.Validation), n(c.Test), split)
		line("to beat", "%s, always answering %q", terminal.Percent(c.MajorityAccuracy), terminal.Cut(c.Classes[majority(c)].Label, width/3))
		if best, ok := yardstick.ToBeat(yardsticks); ok {
			line("", "%s", best.Say())
		} else if kind.Kind == data.Text {
			line("", "see also `starter baseline %s`", name)
		}
		balance := fmt.Sprintf("the smallest class has %s of the largest; evenness %.2f of 1", terminal.Percent(c.Balance), c.Evenness)
		if c.Balance == 1 {
			balance = "all classes are of one size"
		}
		line("balance", "%s", balance)
	}
	for _, f := range kind.Facts(&c) {
		line(f.Name, "%s", terminal.Flat(f.Value))
	}
	if len(c.Classes) > 0 {
		line("duplicates", "%s", duplicates(c))
		line("leakage", "%s", leakage(c))
		b.WriteString("\n" + classes(c, width) + sampleTexts(c, width))
	}
	for i, w := range c.Warnings {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "\n%s", terminal.Wrap("warning: "+terminal.Flat(w), width, "         "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// majority is the most frequent class of the training split.
func majority(c data.Card) int {
	best := 0
	for i, cl := range c.Classes {
		if cl.Train > c.Classes[best].Train {
			best = i
		}
	}
	return best
}

func duplicates(c data.Card) string {
	if c.Duplicates == 0 {
		return "none"
	}
	return fmt.Sprintf("%s equal an earlier example, %s of them with another label", humanize.Comma(int64(c.Duplicates)),
		humanize.Comma(int64(c.Conflicts)))
}

func leakage(c data.Card) string {
	l := c.Leaks
	if l == (data.Leaks{}) {
		return "none between the splits"
	}
	var out []string
	for _, k := range []struct {
		n    int
		what string
	}{{l.TrainValidation, "validation in train"}, {l.TrainTest, "test in train"}, {l.ValidationTest, "test in validation"}} {
		if k.n > 0 {
			out = append(out, fmt.Sprintf("%s of %s", humanize.Comma(int64(k.n)), k.what))
		}
	}
	return strings.Join(out, ", ")
}

// classes is the table of the classes, with a bar each.
func classes(c data.Card, width int) string {
	name, train, test, most := 5, 5, 4, 1
	shown := c.Shown()
	for i, cl := range shown {
		if cl.Others > 0 {
			shown[i].Label = fmt.Sprintf("… and %s more", humanize.Comma(int64(cl.Others)))
		}
		name = max(name, text.StringWidth(label(shown[i].Label)))
		train, test = max(train, len(humanize.Comma(int64(cl.Train)))), max(test, len(humanize.Comma(int64(cl.Test))))
		most = max(most, cl.Examples())
	}
	name = min(name, width/3)
	room := min(40, width-name-train-len("validation")-test-len("100.0 %")-6*2) // what the other columns leave
	if room < 4 {
		room = 0
	}
	var rows [][]any
	for _, cl := range shown {
		if cl.Others > 0 {
			rows = append(rows, []any{cl.Label})
			continue
		}
		n := cl.Examples()
		rows = append(rows, []any{text.Snip(label(cl.Label), name, "…"), humanize.Comma(int64(cl.Train)), humanize.Comma(int64(cl.Validation)),
			humanize.Comma(int64(cl.Test)),
			fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(1, c.Examples))), bar(float64(n)/float64(most), room)})
	}
	return terminal.Table(width, []string{"class", ">train", ">validation", ">test", ">share", "~"}, rows)
}

// label is one as a line of a table has it, in quotes where that would hide white space
// or what has no width: labels that look alike are classes of their own.
func label(s string) string {
	if terminal.Flat(s) != s {
		return strconv.Quote(s)
	}
	return s
}

// bar is a share of a width, to an eighth of a character.
func bar(share float64, width int) string {
	eighths := int(math.Round(share * float64(8*width)))
	if share > 0 {
		eighths = max(1, eighths)
	}
	out := strings.Repeat("█", eighths/8)
	if eighths%8 > 0 {
		out += string([]rune("▏▎▍▌▋▊▉")[eighths%8-1])
	}
	return out
}

// sampleTexts shows the first texts of the classes, fewer of each where there
// are many.
func sampleTexts(c data.Card, width int) string {
	each, name := 3, 0
	shown := c.Classes[:min(len(c.Classes), 12)]
	if len(shown) > 4 {
		each = 1
	}
	texts := 0
	for _, cl := range shown {
		name = max(name, text.StringWidth(label(cl.Label)))
		texts += len(cl.Samples)
	}
	if texts == 0 {
		return ""
	}
	name = min(name, width/4)
	var b strings.Builder
	b.WriteString("\n\n")
	for _, cl := range shown {
		for i, s := range cl.Samples[:min(each, len(cl.Samples))] {
			head := ""
			if i == 0 {
				head = text.Snip(label(cl.Label), max(1, name), "…")
			}
			fmt.Fprintf(&b, " %s  %s\n", text.Pad(head, name, ' '), terminal.Cut("“"+s+"”", width-name-4))
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
