package labelled

import (
	"fmt"
	"slices"
	"strings"
)

// Names that columns of texts and of labels commonly have, the likeliest first.
var (
	textNames = []string{"text", "sentence", "review", "message", "body", "content", "tweet", "document", "comment", "description", "post",
		"utterance",
		"sms", "abstract", "headline", "title", "question", "news", "summary", "doc", "v2", "texto", "contenido"}
	labelNames = []string{"label", "class", "category", "target", "sentiment", "labels", "topic", "emotion", "polarity", "intent", "rating",
		"stars", "score",
		"tag", "type", "y", "v1", "etiqueta", "clase"}
)

// guess returns the column that is likeliest meant by a name that is not there,
// or "": the name in other letters, else the first of the common names that a
// column has, else that stands as a word in a column's name.
func guess(wanted string, common, columns []string) string {
	for _, match := range []func(column, name string) bool{
		strings.EqualFold,
		func(column, name string) bool {
			words := strings.FieldsFunc(strings.ToLower(column), func(r rune) bool { return strings.ContainsRune(" _-./", r) })
			return slices.Contains(words, name)
		},
	} {
		for _, name := range append([]string{wanted}, common...) {
			if i := slices.IndexFunc(columns, func(c string) bool { return match(c, name) }); i >= 0 {
				return columns[i]
			}
		}
	}
	return ""
}

// missing says that a column is not there, which are, and which may be meant.
func missing(what, wanted string, common, columns []string) error {
	hint := ""
	if g := guess(wanted, common, columns); g != "" && len(g) <= exampleLength { // longer ones are texts
		hint = fmt.Sprintf("; did you mean %q?", g)
	}
	if slices.Contains(columns, "metrics") && (slices.Contains(columns, "rows") || slices.Contains(columns, "effects")) {
		hint = "; a recorded benchmark has these: --kind table reads one"
	}
	if what == "column" && slices.ContainsFunc(columns, isQuoted) {
		hint = "; " + csvReads
	}
	const most = 40
	more := ""
	if len(columns) > most {
		more = fmt.Sprintf(" and %d more", len(columns)-most)
		columns = columns[:most]
	}
	columns = slices.Clone(columns)
	for i, c := range columns { // a whole text, where there is no header
		columns[i] = oneLine(c, exampleLength)
	}
	return fmt.Errorf("no %s %q; the %ss are %q%s%s", what, wanted, what, columns, more, hint)
}

const splitUse = "split"

// wanted lists what to look for: a column's name, its use, the names it
// commonly has, and whether it must be there.
type wantedColumn struct {
	name, use string
	common    []string
	must      bool
}

func (c *collector) wanted() [3]wantedColumn {
	return [3]wantedColumn{
		{c.o.TextColumn, "text", textNames, true},
		{c.o.LabelColumn, "label", labelNames, true},
		{c.o.SplitColumn, splitUse, []string{"set", "partition", "fold", "subset"}, c.splitWanted},
	}
}

// columns finds text, label and split in the names of the columns; -1 stands
// for one that is absent.
func (c *collector) columns(names []string) (at [3]int, ok bool) {
	bad := func(err error) {
		if c.report.Format != Parquet {
			err = fmt.Errorf("line 1: %w", err) // that of the header
		}
		c.Fail(err)
	}
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if names[i] != "" && slices.Contains(names[:i], names[i]) {
			bad(fmt.Errorf("column %q: the column is there twice", names[i]))
		}
	}
	c.report.setColumns(names)
	for i, w := range c.wanted() {
		at[i] = slices.Index(names, w.name)
		if at[i] < 0 && w.must {
			bad(missing("column", w.name, w.common, names))
		}
		if w.use == splitUse && c.unread(at[i] >= 0) {
			at[i] = -1
		}
		c.report.use(at[i], w.use)
	}
	if at[0] >= 0 && at[0] == at[1] {
		bad(fmt.Errorf("column %q: the column cannot be both text and label", names[at[0]]))
	}
	return at, c.Len() == 0
}

// given returns the columns' names that the options give instead of a header
// line, or nil. A first row that has just these names is a header all the same.
func (c *collector) given(first []string) []string {
	if len(c.o.Columns) == 0 {
		return nil
	}
	same := len(first) == len(c.o.Columns)
	for i := range first {
		same = same && strings.TrimSpace(first[i]) == strings.TrimSpace(c.o.Columns[i])
	}
	if same {
		c.problem(1, "", "the first line is a header, with the names that were given for the columns: give none")
	}
	return slices.Clone(c.o.Columns)
}
