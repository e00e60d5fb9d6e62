package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/experiments/data/labelled"
	"tnaml/experiments/data/text"
	"tnaml/starter/cli/terminal"
)

// preview is what an import prints as JSON.
type preview struct {
	Ref     string
	Card    data.Card
	Sources []labelled.Report
}

// place writes a file below the console's folder.
func (b *console) place(name string, data []byte) string {
	b.t.Helper()
	name = filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	return name
}

// opinions are 40 labelled texts.
func opinions() []text.Example {
	var out []text.Example
	for i := range 40 {
		out = append(out, text.Example{Text: fmt.Sprintf("some words number %d", i), Label: []string{"neg", "pos"}[i%2]})
	}
	return out
}

func tableOf(examples []text.Example, header, form string) []byte {
	var b strings.Builder
	b.WriteString(header)
	for _, e := range examples {
		fmt.Fprintf(&b, form, e.Text, e.Label)
	}
	return []byte(b.String())
}

// picture is a PNG file of one colour.
func picture(t *testing.T, side int, c color.Color) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range side * side {
		m.Set(i%side, i/side, c)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// idx is a file of n images of 2 × 2, or of labels.
func idx(n int, images bool) []byte {
	if images {
		out := []byte{0, 0, 8, 3, 0, 0, 0, byte(n), 0, 0, 0, 2, 0, 0, 0, 2}
		for i := range n {
			out = append(out, byte(i), byte(i/2), 0, byte(n))
		}
		return out
	}
	out := []byte{0, 0, 8, 1, 0, 0, 0, byte(n)}
	for i := range n {
		out = append(out, byte(i%3))
	}
	return out
}

// Whatever it is given, the command finds out, and says so.
func TestDataImportFindsOut(t *testing.T) {
	b := offline(t)
	texts := opinions()
	tsv := tableOf(texts, "text\tlabel\n", "%s\t%s\n")
	var members []string
	for i, e := range texts {
		name := fmt.Sprintf("set/%s/%d.txt", e.Label, i)
		b.place("folder/"+name, []byte(e.Text))
		members = append(members, name, e.Text)
		b.place(fmt.Sprintf("pictures/%s/%d.png", e.Label, i), picture(t, 4, color.NRGBA{uint8(i), 100, 200, 255}))
	}
	zipped := archivetest.Zip("table.csv", string(tableOf(texts, "text,label\n", "%s,%s\n")), "README.txt", "")
	var batch []byte
	for i := range 30 {
		batch = append(append(batch, byte(i%10)), bytes.Repeat([]byte{byte(i)}, 3072)...)
	}
	var hundred []byte // of CIFAR-100: a coarse label and a fine one
	for i := range 40 {
		hundred = append(append(hundred, byte(i%2), byte(10+i%4)), bytes.Repeat([]byte{byte(i)}, 3072)...)
	}
	var coarse, fine string
	for i := range 100 {
		fine += fmt.Sprintf("fine%d\n", i)
		if i < 20 {
			coarse += fmt.Sprintf("coarse%d\n", i)
		}
	}
	cifar100 := archivetest.Gzip(archivetest.Tar("c/train.bin", string(hundred), "c/test.bin", string(hundred[:4*3074]),
		"c/fine_label_names.txt", fine, "c/coarse_label_names.txt", coarse))
	b.place("mnist/train-images-idx3-ubyte", idx(30, true))
	b.place("mnist/train-labels-idx1-ubyte", idx(30, false))
	b.place("mnist/t10k-images-idx3-ubyte", idx(12, true))
	b.place("mnist/t10k-labels-idx1-ubyte", idx(12, false))
	b.place("mnist/META.json", []byte("{}"))
	b.place("two/train.tsv", tsv)
	b.place("two/test.tsv", tsv)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{b.place("a.tsv", tsv)}, []string{"a.tsv: TSV, utf-8, 40 rows", "a: 40 examples in 2 classes, text", "some words number 4",
			"32 train, 4 validation, 4 test, by seed 1", "to beat", "Nothing was stored"}},
		{[]string{b.place("a.dat.gz", archivetest.Gzip(tsv))}, []string{"TSV, gzip, utf-8"}},
		{[]string{b.place("b.csv", tableOf(texts, "Body;Stars\n", "\"%s\";%s\n")), "--text-column", "Body", "--label-column", "Stars"},
			[]string{`CSV parted by ";", utf-8`, "Body", "text", "label"}},
		{[]string{b.place("Collection", tableOf(texts, "", "%[2]s\t%[1]s\n")), "--columns", "label,text"},
			[]string{"Collection: TSV", "40 examples"}},
		{[]string{b.place("l.jsonl", tableOf(texts, "", `{"text":"%s","label":"%s"}`+"\n"))}, []string{"JSON lines"}},
		{[]string{b.place("w.tsv", []byte(strings.ReplaceAll(string(tsv), "some", "schöne Grüße ")))}, []string{"utf-8"}},
		{[]string{b.place("w2.tsv", bytes.ReplaceAll(tsv, []byte("some"), []byte("sch\xf6ne Gr\xfc\xdfe und")))},
			[]string{"windows-1252 (detected, ", "schöne Grüße und"}},
		{[]string{b.place("z.zip", zipped)}, []string{"z.zip/table.csv: CSV"}},
		{[]string{b.place("t.tar", archivetest.Tar(members...))}, []string{"40 text files in folders of their classes", "40 examples"}},
		{[]string{filepath.Join(b.dir, "folder"), "--name", "f"}, []string{"40 text files", "f: 40 examples"}},
		{[]string{filepath.Join(b.dir, "pictures")}, []string{"folder of image files, 40 images of 4 × 4 in colour in 2 classes",
			"pictures: 40 examples in 2 classes, image", "mean pixel"}},
		{[]string{filepath.Join(b.dir, "pictures"), "--size", "2x3", "--grey"}, []string{"2 × 3 in grey"}},
		{[]string{filepath.Join(b.dir, "mnist")}, []string{"a pair of IDX files", "42 examples in 3 classes",
			"27 train, 3 validation, 12 test, the source's own"}},
		{[]string{filepath.Join(b.dir, "mnist/train-images-idx3-ubyte"), filepath.Join(b.dir, "mnist/train-labels-idx1-ubyte"), "--name", "m",
			"--size", "4x4"}, []string{"30 examples", "4 × 4 in grey"}},
		{[]string{b.place("data_batch_1.bin", batch)}, []string{"CIFAR binary (cifar10), 30 images of 32 × 32", "airplane"}},
		{[]string{b.place("train.bin", hundred)}, []string{"CIFAR binary (cifar100), 40 images", "in 100 classes"}},
		{[]string{filepath.Join(b.dir, "train.bin"), "--label", "coarse"},
			[]string{"CIFAR binary (cifar100-coarse), 40 images", "in 20 classes"}},
		{[]string{b.place("cifar-100.tar.gz", cifar100)}, []string{"CIFAR binaries (cifar100) in an archive, 44 images", "fine11"}},
		{[]string{filepath.Join(b.dir, "cifar-100.tar.gz"), "--label", "coarse"},
			[]string{"CIFAR binaries (cifar100-coarse) in an archive, 44 images", "coarse1"}},
		{[]string{filepath.Join(b.dir, "two"), "--name", "two"}, []string{"80 examples", "36 train, 4 validation, 40 test",
			"leakage     36 of test in train, 4 of test in validation", "warning: "}},
		{[]string{"train=" + filepath.Join(b.dir, "a.tsv"), "test=" + filepath.Join(b.dir, "l.jsonl"), "--name", "x"},
			[]string{"80 examples", "40 test"}},
	} {
		out := b.ok(append([]string{"data", "import", "--dry-run"}, c.args...)...)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in:\n%s", c.args, want, out)
			}
		}
		for _, line := range strings.Split(out, "\n") {
			if n := utf8.RuneCountInString(line); n > 80 && !strings.Contains(line, ": ") {
				t.Errorf("%v: a line of %d columns: %s", c.args, n, line)
			}
		}
	}
	var got preview
	if err := json.Unmarshal([]byte(b.ok("data", "import", "--dry-run", "--json", filepath.Join(b.dir, "a.tsv"))), &got); err != nil ||
		got.Card.Examples != 40 || got.Ref != "" || got.Sources[0].Format != labelled.TSV {
		t.Errorf("JSON: %+v %v", got, err)
	}
	for _, c := range []struct {
		code int
		args []string
		want []string
	}{
		{exitFailed, []string{b.place("c.csv", tableOf(texts, "Body,Stars\n", "%s,%s\n"))},
			[]string{`did you mean "Body"?`, `did you mean "Stars"?`, "choose with --text-column and --label-column, or"}},
		{exitFailed, []string{b.place("cut.tar", archivetest.Tar(members...)[:5000])}, []string{"cut.tar: ", "byte"}},
		{exitFailed, []string{b.place("cut.zip", zipped[:300])}, []string{"cut.zip: "}},
		{exitFailed, []string{b.place("cut.bin", batch[:4000])}, []string{"cut.bin: byte 3073"}},
		{exitFailed, []string{b.place("bad/a/1.png", []byte("no image")), "--kind", "image"}, []string{"is a table"}},
		{exitFailed, []string{filepath.Join(b.dir, "bad"), "--kind", "image"}, []string{"a/1.png: byte 0: no PNG"}},
		{exitUsage, []string{filepath.Join(b.dir, "mnist/train-images-idx3-ubyte")}, []string{"without their labels"}},
		{exitFailed, []string{"train=" + filepath.Join(b.dir, "a.tsv")}, []string{"task a: ", "no test examples"}},
		{exitUsage, []string{filepath.Join(b.dir, "a.tsv"), filepath.Join(b.dir, "two/train.tsv"), "--name", "x"},
			[]string{"a.tsv has none", "train=FILE"}},
		{exitUsage, []string{filepath.Join(b.dir, "a.tsv"), filepath.Join(b.dir, "b.csv")}, []string{"--name"}},
		{exitUsage, []string{filepath.Join(b.dir, "a.tsv"), "--label", "coarse"}, []string{"--label is for images"}},
		{exitUsage, []string{filepath.Join(b.dir, "data_batch_1.bin"), "--label", "coarse"}, []string{"--label is for CIFAR-100"}},
		{exitUsage, []string{filepath.Join(b.dir, "train.bin"), "--label", "rough"}, []string{`--label is "rough": it is fine or coarse`}},
		{exitUsage, []string{filepath.Join(b.dir, "a.tsv"), "--size", "3x3"}, []string{"--size is for images"}},
		{exitUsage, []string{filepath.Join(b.dir, "pictures"), "--min-count", "3"}, []string{"--min-count is for texts"}},
		{exitUsage, []string{filepath.Join(b.dir, "pictures"), "--size", "3"}, []string{"HEIGHTxWIDTH"}},
		{exitUsage, []string{filepath.Join(b.dir, "pictures"), "--kind", "sound"}, []string{"known: text, image, table"}},
		{exitUsage, []string{filepath.Join(b.dir, "pictures"), filepath.Join(b.dir, "a.tsv"), "--name", "x"},
			[]string{"a.tsv holds texts and pictures images"}},
		{exitFailed, []string{filepath.Join(b.dir, "one.tsv"), filepath.Join(b.dir, "two.tsv"), "--name", "x"}, []string{"one.tsv", "two.tsv"}},
		{exitFailed, []string{filepath.Join(b.dir, "c.csv"), b.place("d.tsv", []byte("text\tlabel\na\n")), "--name", "x"},
			[]string{`c.csv: line 1: no column "text"`, "d.tsv: line 2"}},
		{exitFailed, []string{b.place("e.zip", archivetest.Zip("a.csv", "text,label\na,\n", "b.csv", "text\na\n")), "--name", "x"},
			[]string{"e.zip/a.csv: line 2", "e.zip/b.csv: line 1"}},
		{exitFailed, []string{b.place("f.tsv.xz", []byte("\xfd7zXZ\x00more")), "--name", "x"}, []string{"f.tsv.xz: packed by xz", "unpack it"}},
		{exitFailed, []string{filepath.Join(b.dir, "c.csv"), "--vectors", filepath.Join(b.dir, "none.npy")}, []string{"--vectors: ", "none.npy"}},
		{exitFailed, []string{b.dir, "--name", "x"}, []string{"x"}},
	} {
		args := append([]string{"data", "import", "--dry-run"}, c.args...)
		if o := b.run(args...); o.code == exitOK {
			t.Errorf("%v: accepted: %s", c.args, o.stdout)
		}
		if c.args[0] != b.dir && !strings.Contains(strings.Join(c.want, ""), "is a table") {
			b.fails(c.code, c.want, args...)
		}
	}
}

// A flag that what is read leaves without a meaning is refused, and one that it does not is taken.
func TestDataImportHeedsWhatItIsGiven(t *testing.T) {
	b := offline(t)
	for i, e := range opinions() {
		b.place(fmt.Sprintf("folder/%s/%d.txt", e.Label, i), []byte(e.Text))
		b.place(fmt.Sprintf("split/%s/%s/%d.png", []string{"train", "test"}[i/20], e.Label, i), picture(t, 2, color.NRGBA{uint8(i), 1, 2, 255}))
	}
	table := func(name string, splits ...string) string {
		out := "text,label,split\n"
		for i, e := range opinions() {
			out += fmt.Sprintf("%s,%s,%s\n", e.Text, e.Label, splits[i/2%len(splits)])
		}
		return b.place(name, []byte(out))
	}
	folder, pictures := filepath.Join(b.dir, "folder"), filepath.Join(b.dir, "split")
	whole, half := table("whole.csv", "train", "validation", "test"), table("half.csv", "train", "train", "test")
	plain := table("plain.csv", "")
	benchmark := b.place("bench.json", []byte(`{"metrics": ["score"], "effects": {"score": {"intercept": 1}}}`))
	for _, c := range []struct {
		args []string
		want string // empty: it is taken
	}{
		{[]string{folder, "--text-column", "nope"}, "--text-column is for tables, and folder is none"},
		{[]string{folder, "--label-column", "nope"}, "--label-column is for tables"},
		{[]string{folder, "--split-column", "nope"}, "--split-column is for tables"},
		{[]string{folder, "--columns", "a,b"}, "--columns is for TSV and CSV files"},
		{[]string{folder, "--delimiter", ";"}, "--delimiter is for TSV and CSV files"},
		{[]string{folder, "--encoding", "utf-8", "--seed", "2", "--test", ".2"}, ""},
		{[]string{folder, plain, "--text-column", "text", "--delimiter", ",", "--name", "x"}, ""},
		{[]string{plain, "--seed", "3", "--validation", ".2", "--test", ".2", "--stratified=false"}, ""},
		{[]string{whole, "--validation", ".3"}, "--validation is for a split that is made here, and these examples have their own"},
		{[]string{whole, "--test", ".5"}, "--test is for a split"},
		{[]string{whole, "--seed", "9"}, "--seed is for a split"},
		{[]string{whole, "--stratified=false"}, "--stratified is for a split"},
		{[]string{half, "--test", ".5"}, "--test is for a split"},
		{[]string{half, "--validation", ".3", "--seed", "9", "--stratified=false"}, ""}, // there is none of its own
		{[]string{pictures, "--test", ".5"}, "--test is for a split"},
		{[]string{pictures, "--validation", ".3"}, ""},
		{[]string{"train=" + plain, "test=" + half, "--name", "x", "--test", ".3"}, "--test is for a split"},
		{[]string{benchmark, "--kind", "table", "--validation", ".3"}, "--validation is for examples, which are split, and these are tables"},
		{[]string{benchmark, "--kind", "table", "--test", ".3"}, "--test is for examples"},
		{[]string{benchmark, "--kind", "table", "--seed", "3"}, "--seed is for examples"},
		{[]string{benchmark, "--kind", "table", "--stratified"}, "--stratified is for examples"},
	} {
		if args := append([]string{"data", "import", "--dry-run"}, c.args...); c.want == "" {
			b.ok(args...)
		} else {
			b.fails(exitUsage, []string{c.want}, args...)
		}
	}
}

// Where a file's name is no name of what is made of it, the way out is told before any server
// is asked.
func TestNamesOfFiles(t *testing.T) {
	b := offline(t)
	for _, args := range [][]string{
		{"data", "import", b.place("my data.tsv", nil)}, {"module", "add", b.place("my vectors.vec", nil)},
		{"trials", "import", b.place("my runs.csv", nil), "--space", "dials"},
	} {
		b.fails(exitUsage, []string{`name "my `, "name it with --name"}, args...)
	}
}

// A recorded benchmark is imported, listed and shown; what is wrong with one is
// told with its line.
func TestDataImportBenchmark(t *testing.T) {
	b, _ := online(t)
	rows := func(of ...string) []byte {
		return []byte("{\"metrics\": [\"validation\", \"test\"],\n\"rows\": [\n" + strings.Join(of, ",\n") + "\n]}\n")
	}
	good := []string{`{"choices": {"depth": 1, "skip": true}, "metrics": {"validation": 0.5, "test": 0.25}}`,
		`{"choices": {"depth": 2, "skip": true}, "metrics": {"validation": 0.75, "test": 0.5}}`}
	file := b.place("bench.json", rows(good...))
	for _, args := range [][]string{{"data", "import", file, "--kind", "table", "--name", "t1", "-y"}, {"data", "show", "t1"}} {
		out := b.ok(args...)
		for _, want := range []string{"t1: 2 examples, table", "rows        2 configurations; others are not known",
			"metrics     validation (0.5 to 0.75), test (0.25 to 0.5)", "choices     depth (2), skip (1)"} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in:\n%s", args, want, out)
			}
		}
		if strings.Contains(out, "leakage") || strings.Contains(out, "to beat") {
			t.Errorf("%v: a card as of labelled examples:\n%s", args, out)
		}
	}
	if out := b.ok("data", "list"); !strings.Contains(out, "2 choices") {
		t.Errorf("the list:\n%s", out)
	}
	out := b.ok("data", "import", b.place("bench.json.gz", archivetest.Gzip(rows(good...))), "--kind", "table", "--name", "t2")
	if !strings.Contains(out, "`starter search --task t2 --space SPACE`") {
		t.Errorf("what can be done with it:\n%s", out)
	}
	b.fails(exitFailed, []string{`line 4: unknown field "metric"`, `line 4: no metric "validation"`, `line 5, choice "skip": option null`},
		"data", "import", b.place("bad.json", rows(good[0], strings.Replace(good[1], "metrics", "metric", 1),
			strings.Replace(good[1], "true", "null", 1))),
		"--kind", "table", "--name", "bad")
	b.fails(exitUsage, []string{"--min-count is for texts, and these are tables"}, "data", "import", file, "--kind", "table", "--min-count",
		"3")
	b.fails(exitUsage, []string{"one file, without a split"}, "data", "import", file, file, "--kind", "table", "--name", "x")
}

// On a terminal the command asks first; no, and the end of the input, store
// nothing.
func TestDataImportAsks(t *testing.T) {
	b, _ := online(t)
	file := b.place("a.tsv", tableOf(opinions(), "text\tlabel\n", "%s\t%s\n"))
	for answer, stores := range map[string]bool{"n\n": false, "no\n": false, "": false, "what\n": false, "\n": true, "y\n": true,
		"Yes": true} {
		var stdout, stderr stacktest.Output
		code := Run(context.Background(), Process{Args: []string{"data", "import", file}, Environ: b.environ, Stdin: strings.NewReader(answer),
			Stdout: &stdout, Stderr: &stderr, Interactive: true})
		if !strings.Contains(stderr.String(), "Store it as a? [Y/n]") {
			t.Errorf("%q: no question: %s", answer, stderr.String())
		}
		if code != exitOK || stores != strings.Contains(stdout.String(), "Imported.") ||
			stores == strings.Contains(stdout.String(), "Nothing was stored") {
			t.Errorf("%q: exit code %d, %s%s", answer, code, stdout.String(), stderr.String())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if code := Run(ctx, Process{Args: []string{"data", "import", file}, Environ: b.environ, Stdin: r, Stdout: new(stacktest.Output),
		Stderr: new(stacktest.Output), Interactive: true}); code != exitInterrupted {
		t.Errorf("interrupted: exit code %d", code)
	}
	a := &terminal.App{Process: Process{Stdin: r, Stderr: new(stacktest.Output)}}
	if _, err := a.Ask(ctx, "?"); !errors.Is(err, terminal.ErrInterrupted) {
		t.Errorf("interrupted at the question: %v", err)
	}
}

// Texts and images are stored, listed and shown; the same data from another
// form is the same task but for its source.
func TestDataImportStores(t *testing.T) {
	b, _ := online(t)
	file := b.place("a.tsv", tableOf(opinions(), "text\tlabel\n", "%s\t%s\n"))
	if out := b.ok("data", "import", file, "--name", "texts", "--source", "somewhere", "--licence", "CC0"); !strings.Contains(out,
		"Imported. Search it with `starter search --task texts`.") || !strings.Contains(out, "CC0") {
		t.Errorf("texts: %s", out)
	}
	for i, e := range opinions() {
		b.place(fmt.Sprintf("pictures/%s/%d.png", e.Label, i), picture(t, 4, color.NRGBA{uint8(i), 100, 200, 255}))
	}
	b.ok("data", "import", filepath.Join(b.dir, "pictures"), "--source", strings.Repeat("pictures of one colour, ", 9))
	list := b.ok("data", "list")
	for _, want := range []string{"texts", "4 tokens", "somewhere", "pictures", "4×4×3", "image"} {
		if !strings.Contains(list, want) {
			t.Errorf("%q is not in the list:\n%s", want, list)
		}
	}
	b.width = 80
	list, b.width = b.ok("data", "list"), 0
	for line := range strings.SplitSeq(list, "\n") {
		if n := utf8.RuneCountInString(strings.TrimRight(line, " ")); n > 80 {
			t.Errorf("a line of %d columns in the list:\n%s", n, list)
		}
	}
	for task, want := range map[string]string{"texts": "median 20", "pictures": "4 × 4 in colour"} {
		if out := b.ok("data", "show", task); !strings.Contains(out, want) || strings.Contains(out, "rows") {
			t.Errorf("%s: %s", task, out)
		}
	}
	var stored, again preview
	if err := json.Unmarshal([]byte(b.ok("data", "show", "texts", "--json")), &stored); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.ok("data", "import", file, "--name", "texts", "--source", "somewhere", "--licence", "CC0", "--json",
		"--yes")), &again); err != nil {
		t.Fatal(err)
	}
	if stored.Ref == "" || stored.Ref != again.Ref || len(again.Sources) != 1 {
		t.Errorf("stored as %q, then %q", stored.Ref, again.Ref)
	}
}
