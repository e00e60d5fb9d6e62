package labelled

import (
	"strings"
	"testing"
)

// Where all that has a quotation mark is quoted as pandas and Excel quote, a TSV file is
// read as it stands, with a word on how it is read otherwise.
func TestQuotedTSV(t *testing.T) {
	const note = "every field with a quotation mark, 2 of them, begins and ends with one, the first in line 3, as pandas and Excel quote: " +
		"all marks were read as the texts'; if they are not, the format csv (--format csv) reads what is in quotation marks"
	for name, c := range map[string]struct{ table, note, first string }{
		"pandas":  {"plain\ta\n\"He said \"\"hi\"\"\"\tb\n\"\"\"x\"\"\"\tb\n", note, "plain"},
		"literal": {"\"one\" \"two\ta\n\"three\"\tb\n", "", `"one" "two`},
		"within":  {"he said \"hi\"\ta\n\"three\"\tb\n", "", `he said "hi"`},
		"single":  {"\"\ta\n", "", `"`},
		"none":    {"one\ta\n", "", "one"},
	} {
		var report Report
		got, err := Read(strings.NewReader("text\tlabel\n"+c.table), "x.tsv", Options{Report: &report})
		if err != nil || got[0].Text != c.first || strings.Join(report.Notes, "\n") != c.note {
			t.Errorf("%s: %q, %q, %v", name, got, report.Notes, err)
		}
	}
	got, err := Read(strings.NewReader("text\tlabel\n\"He said \"\"hi\"\"\nagain\"\tb\n"), "x.tsv", Options{Format: CSV})
	if err != nil || len(got) != 1 || got[0].Text != "He said \"hi\"\nagain" || got[0].Label != "b" {
		t.Errorf("as CSV: %q, %v", got, err)
	}
}

// What goes wrong because of the quotes says so too.
func TestQuotedTSVRefused(t *testing.T) {
	const count = "x.tsv: line 2: 1 columns, the header has 2; a delimiter or line break inside a text must go, or be quoted"
	for table, want := range map[string]string{
		"text\tlabel\n\"two\nlines\"\tb\n": count + ": " + csvReads,
		"text\tlabel\ntwo\nlines\tb\n":     count + " in a CSV file",
		"\"text\"\t\"label\"\n\"x\"\t\"a\"\n": `x.tsv: line 1: no column "text"; the columns are ["\"text\"" "\"label\""]; ` + csvReads + "\n" +
			`line 1: no column "label"; the columns are ["\"text\"" "\"label\""]; ` + csvReads,
	} {
		if _, err := Read(strings.NewReader(table), "x.tsv", Options{}); err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", table, err, want)
		}
	}
}
