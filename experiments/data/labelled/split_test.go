package labelled

import (
	"strings"
	"testing"
	"testing/fstest"

	"tnaml/experiments/data"
)

// A split that a person wrote is that of all examples, whatever a column says that nobody
// asked for; one that was asked for must not say otherwise.
func TestSplitWritten(t *testing.T) {
	for name, files := range map[string]string{
		"x.csv": "text,label,split\none,a,train\ntwo,b,\nthree,a,nonsense\n",
		"x.tsv": "text\tlabel\tsplit\none\ta\ttrain\ntwo\tb\t\nthree\ta\tnonsense\n",
		"x.jsonl": `{"text":"one","label":"a","split":"train"}` + "\n" + `{"text":"two","label":"b"}` + "\n" +
			`{"text":"three","label":"a","split":3}`,
	} {
		var report Report
		got, err := Read(strings.NewReader(files), name, Options{Split: "test", SplitWritten: true, Report: &report})
		if err != nil || len(got) != 3 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		for _, e := range got {
			if e.Split != data.Test {
				t.Errorf("%s: %v", name, got)
			}
		}
		want := `the column "split" is not read, since the split test was given for all of it: leave test= out to read the column`
		if len(report.Notes) != 1 || report.Notes[0] != want {
			t.Errorf("%s: %q", name, report.Notes)
		}
		for _, c := range report.Columns {
			if c.Use == "split" {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
	read := func(o Options) string {
		_, err := Read(strings.NewReader("text,label,split\none,a,test\ntwo,b,\nthree,a,train\n"), "x.csv", o)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	want := `x.csv: line 4, column "split": the split is train here, and test was given for all of it: leave test= out to read it from here`
	if got := read(Options{Split: "test", SplitWritten: true, SplitColumn: "split"}); got != want {
		t.Errorf("asked for: %s", got)
	}
	if got := read(Options{Split: "test"}); got != "" { // that of the examples that have none
		t.Errorf("guessed: %s", got)
	}
}

// Nor may the folder that a text lies in.
func TestSplitWrittenOfFolders(t *testing.T) {
	tree := fstest.MapFS{"train/a/1.txt": {Data: []byte("one")},
		"train/b/2.txt": {Data: []byte("two")}, "test/a/3.txt": {Data: []byte("three")}}
	_, err := ReadFolder(tree, "x", Options{Split: "train", SplitWritten: true})
	want := "x: test/a/3.txt: the split is test here, and train was given for all of it: leave train= out to read it from here"
	if err == nil || err.Error() != want {
		t.Error(err)
	}
}
