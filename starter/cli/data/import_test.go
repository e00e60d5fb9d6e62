package data

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/experiments/data/archive/archivetest"
)

// tableOf is a CSV file of n rows, of two classes; the column split, if any, says split.
func tableOf(n int, split string) string {
	var b strings.Builder
	b.WriteString("text,label")
	if split != "" {
		b.WriteString(",split")
	}
	for i := range n {
		fmt.Fprintf(&b, "\nsome words %d %d,%c", n, i, 'a'+i%2)
		if split != "" {
			b.WriteString("," + split)
		}
	}
	return b.String()
}

// imported is what a dry run of an import prints, and its error as text; the files are names
// with their contents, in the folder that the command runs in.
func imported(t *testing.T, files map[string]string, args ...string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newPullRun(t, false)
	cmd := r.app.importCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(append(args, "--name", "x", "--dry-run"))
	err := cmd.ExecuteContext(context.Background())
	return strings.Join(strings.Fields(fmt.Sprint(&r.stdout, &r.stderr, " error: ", err)), " ")
}

func TestImportWrittenSplit(t *testing.T) {
	a, b := tableOf(40, "train"), tableOf(60, "train")
	both := []string{"train=A.csv", "test=B.csv"}
	for name, c := range map[string]struct {
		files map[string]string
		args  []string
		want  []string
	}{
		"a column nobody asked for": {map[string]string{"A.csv": a, "B.csv": b}, both, []string{"60 test, the source's own",
			`note: B.csv: the column "split" is not read, since the split test was given for all of it: leave test= out`}},
		"a column that was asked for": {map[string]string{"A.csv": a, "B.csv": b}, append(both, "--split-column", "split"), []string{
			`B.csv: line 2, column "split": the split is train here, and test was given for all of it: leave test= out`}},
		"folders": {map[string]string{"d/train/a/1.txt": "x", "d/test/b/2.txt": "y"}, []string{"train=d"}, []string{
			"d: test/b/2.txt: the split is test here, and train was given for all of it: leave train= out"}},
		"tables in an archive": {map[string]string{"d.zip": string(archivetest.Zip("a.csv", tableOf(30, ""), "test.csv", tableOf(40, ""))),
			"b.csv": tableOf(50, "")}, []string{"train=d.zip", "test=b.csv"}, []string{"split 63 train, 7 validation, 50 test",
			"note: d.zip: read as train, since that was given for all of it, though the names say otherwise: test.csv; leave train= out"}},
		"tables in a folder": {map[string]string{"d/a.csv": tableOf(30, ""), "d/test.csv": tableOf(40, ""), "b.csv": tableOf(50, "")},
			[]string{"train=d", "test=b.csv"}, []string{
				"note: d: read as train, since that was given for all of it, though the names say otherwise: test.csv"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := imported(t, c.files, c.args...)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%s\nlacks %s", out, want)
				}
			}
		})
	}
}

// Images in folders of another split are no mistake to be silent about either.
func TestImportWrittenSplitOfImages(t *testing.T) {
	var white bytes.Buffer
	m := image.NewGray(image.Rect(0, 0, 2, 2))
	m.Set(0, 0, color.White)
	if err := png.Encode(&white, m); err != nil {
		t.Fatal(err)
	}
	out := imported(t, map[string]string{"d/train/a/1.png": white.String(), "d/test/b/2.png": white.String()}, "train=d")
	want := "d: it has images of the split test, by its folders or files, and train was given for all of it: leave train= out"
	if !strings.Contains(out, want) {
		t.Errorf("%s\nlacks %s", out, want)
	}
}

// What lies beside tables does not make texts of them, in an archive as in a folder.
func TestImportTablesAndWhatLiesBesideThem(t *testing.T) {
	beside := map[string]string{"train.csv": tableOf(40, ""), "test.csv": tableOf(20, ""),
		"data_description.txt": "of them", "about.pdf": "%PDF"}
	nested := map[string]string{}
	for name, content := range beside {
		nested["deep/"+name], nested["deep/docs/"+name+".md"] = content, "more"
	}
	pack := func(files map[string]string) string {
		var pairs []string
		for name, content := range files {
			pairs = append(pairs, name, content)
		}
		return string(archivetest.Zip(pairs...))
	}
	unpacked := map[string]string{}
	for name, content := range nested {
		unpacked["d/"+name] = content
	}
	flat := map[string]string{}
	for name, content := range beside {
		flat["d/"+name] = content
	}
	for name, c := range map[string]struct {
		files map[string]string
		arg   string
	}{"archive": {map[string]string{"d.zip": pack(beside)}, "d.zip"}, "folder": {flat, "d"},
		"nested archive": {map[string]string{"d.zip": pack(nested)}, "d.zip"}, "nested folder": {unpacked, "d"}} {
		t.Run(name, func(t *testing.T) {
			out := imported(t, c.files, c.arg)
			for _, want := range []string{"60 examples in 2 classes", "20 test, the source's own",
				"note: " + c.arg + ": left out, since they lie beside ",
				"data_description.txt"} {
				if !strings.Contains(out, want) {
					t.Errorf("%s\nlacks %s", out, want)
				}
			}
		})
	}
	texts := map[string]string{"d/index.csv": tableOf(20, "")}
	for i := range 40 {
		texts[fmt.Sprintf("d/%c/%d.txt", 'a'+i%2, i)] = fmt.Sprintf("words %d", i)
	}
	if out := imported(t, texts, "d"); !strings.Contains(out, "40 text files in folders of their classes") ||
		!strings.Contains(out, "1 files that lie in no folder of a class were left out, such as index.csv") {
		t.Error(out)
	}
}
