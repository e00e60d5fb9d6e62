package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/data"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/experiments/data/text"
	"tnaml/experiments/exported"
	"tnaml/nn/child"
)

// exportedModel is the directory of a model of texts that tells one word from another.
func exportedModel(t *testing.T, labels ...string) string {
	t.Helper()
	var examples []text.Example
	for i := range 60 {
		examples = append(examples, text.Example{Text: []string{"café crème", "thé noir"}[i%2] + fmt.Sprint(" ", i), Label: labels[i%2]})
	}
	task, err := text.Build(examples, data.Options{Name: "drinks"})
	if err != nil {
		t.Fatal(err)
	}
	n := len(task.Vocabulary)
	m, _, err := child.Train(child.Config{HiddenSize: 4, Activation: "relu", Normalisation: "none", DeepLearningRate: .1, WideLearningRate: .1,
		Steps: 50}, task.Data(nil), &child.Table{Dim: 2, Vectors: make([]float32, 2*n), Known: make([]bool, n)}, 1, child.Options{})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := exported.EncodeTexts(exported.Info{}, m, task, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := exported.Directory(encoded)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Each line that is read has one line of output, whatever the line, the label and
// the encoding are.
func TestPredictIsALineALine(t *testing.T) {
	b := offline(t)
	model := exportedModel(t, "co\nf\\fee", "tea\t")
	latin := []byte("caf\xe9 cr\xe8me tr\xe8s bon, d\xe9j\xe0 go\xfbt\xe9 cet \xe9t\xe9\nth\xe9 noir\n")
	long := strings.Repeat("x ", 10<<20)
	for _, c := range []struct {
		file  string
		input []byte
		args  []string
		want  []string // the beginning of each line, and its end
	}{
		{"blank", []byte("café crème\n\n \nthé noir"), nil, []string{`co\nf\\fee|café crème`, "|", "|", `tea|thé noir`}},
		{"latin", latin, []string{"--encoding", "latin1"}, []string{`co\nf\\fee|cet été`, `tea|thé noir`}},
		{"packed.gz", archivetest.Gzip([]byte("\ufeffthé noir\r\ncafé crème\r\n")), nil, []string{`tea|thé noir`, `co\nf\\fee|café crème`}},
		{"utf16", []byte("\xff\xfec\x00a\x00f\x00\xe9\x00\n\x00\n\x00"), nil, []string{`co\nf\\fee|café`, "|"}},
		{"tab", []byte("café\tcrème\\n\n"), nil, []string{`co\nf\\fee|café\tcrème\\n`}},
	} {
		file := b.place(c.file, c.input)
		for _, from := range []string{file, "-"} {
			stdin := ""
			if from == "-" {
				stdin = string(c.input)
			}
			o := b.feed(stdin, append([]string{"predict", "--model", model, from}, c.args...)...)
			lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
			if o.code != exitOK || len(lines) != len(c.want) {
				t.Errorf("%s from %s: %d lines, %+v", c.file, from, len(lines), o)
				continue
			}
			for i, want := range c.want {
				begin, end, _ := strings.Cut(want, "|")
				if !strings.HasPrefix(lines[i], begin) || !strings.HasSuffix(lines[i], end) || strings.Count(lines[i], "\t") != 2 {
					t.Errorf("%s from %s, line %d: %q; want %q", c.file, from, i+1, lines[i], want)
				}
			}
		}
	}
	o := b.run("predict", "--model", model, "--json", b.place("json", []byte("café crème\n\nthé noir\n")))
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	var first struct{ Label, Text string }
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 3 || first.Label != "co\nf\\fee" ||
		first.Text != "café crème" {
		t.Errorf("as JSON: %v, %+v", err, o)
	}
	b.fails(exitFailed, []string{"line 1: a line of more than 16 MiB"}, "predict", "--model", model, b.place("long", []byte(long)))
	b.fails(exitFailed, []string{"line 1: byte 3 is not valid UTF-8", "--encoding windows-1252"}, "predict", "--model", model,
		b.place("unsure", []byte("th\xe9\n")))
	b.fails(exitFailed, []string{"line 2: byte 4 is not valid UTF-8"}, "predict", "--model", model, "--encoding", "utf-8",
		b.place("wrong", append([]byte("x\n"), latin...)))
}

// An import reads what Excel, pandas and others write, or names the habit.
func TestDataImportKnowsHabits(t *testing.T) {
	b := offline(t)
	rows := func(form string) []byte {
		var out strings.Builder
		for i := range 40 {
			fmt.Fprintf(&out, form, []string{"a", "b"}[i%2], i)
		}
		return []byte(out.String())
	}
	table := func(header, form string) []byte { return append([]byte(header), rows(form)...) }
	type row struct {
		Text  string   `parquet:"text"`
		Label *float64 `parquet:"label,optional"`
	}
	var withNaN bytes.Buffer
	nan := 0.0
	nan /= nan
	if err := parquet.Write(&withNaN, []row{{"one", new(float64)}, {"two", &nan}, {"three", nil}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file string
		b    []byte
		want []string
	}{
		{"sep.csv", table("sep=;\r\nlabel;text\r\n", "%s;word, n%d\r\n"), []string{`CSV parted by ";"`, "sep=;", "as Excel",
			"40 examples in 2 classes"}},
		{"quotedsep.csv", table("\"sep=|\"\nlabel|text\n", "%s|word n%d\n"), []string{`CSV parted by "|"`, "40 examples"}},
		{"spaces.csv", table("label, text\n", "%s, \"quoted, n%d\" \n"), []string{"spaces between a delimiter and a quotation mark",
			"quoted, n0", "40 examples"}},
		{"float.csv", table("label,text\n1,x\n1.0,y\n", "%s,word n%d\n"), []string{`1 labels were read in another form, "1.0" as "1"`,
			"3 classes"}},
		{"rare.csv", table("label,text\nonce,x\ntwice,y\ntwice,z\n", "%s,word n%d\n"),
			[]string{`"once" (1)`, `"twice" (2)`, "in the validation", "in the test split"}},
	} {
		out := strings.Join(strings.Fields(b.ok("data", "import", "--dry-run", b.place(c.file, c.b))), " ")
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in:\n%s", c.file, want, out)
			}
		}
	}
	b.fails(exitFailed, []string{"line 2: byte 8", `written as \"`, "MySQL", "pandas"}, "data", "import", "--dry-run",
		b.place("backslash.csv", table("label,text\n", "%s,\"no \\\"%d\\\" no\"\n")))
	b.fails(exitFailed, []string{`row 2, column "label": empty label`, `row 3, column "label": empty label`}, "data", "import", "--dry-run",
		b.place("nan.parquet", withNaN.Bytes()))
	b.fails(exitFailed, []string{"line 2: a field of more than 1.0 KiB", "--max-text"}, "data", "import", "--dry-run", "--max-text", "1KiB",
		b.place("long.csv", []byte("text,label\n"+strings.Repeat("long ", 300)+",a\n")))
	b.fails(exitFailed, []string{"more than 100 bytes"}, "data", "import", "--dry-run", "--max-bytes", "100", b.place("big.csv",
		rows("%s,%d\n")))
	out := b.ok("data", "import", "--dry-run", "--stratified=false", b.place("random.csv", table("label,text\n", "%s,word n%d\n")))
	if !strings.Contains(out, "whatever the class") {
		t.Errorf("without strata: %s", out)
	}
	one, two := b.place("i.jsonl", rows(`{"label":1,"text":"%s %d"}`+"\n")), b.place("f.jsonl",
		rows(`{"label":1.0,"text":"test %s %d"}`+"\n{\"label\":2.50,\"text\":\"x\"}\n"))
	var p preview
	if err := json.Unmarshal([]byte(b.ok("data", "import", "--dry-run", "--json", "--name", "x", "train="+one, "test="+two)),
		&p); err != nil ||
		len(p.Card.Classes) != 2 || p.Card.Classes[0].Label != "1" || p.Card.Classes[1].Label != "2.5" {
		t.Errorf("%v, %+v", err, p.Card.Classes)
	}
}

// Of a folder only regular files below it are read: what else lies there is named,
// and is neither waited for nor read.
func TestDataImportReadsRegularFilesOnly(t *testing.T) {
	b := offline(t)
	secret := b.place("outside/secret.txt", []byte("a secret"))
	for i, e := range opinions() {
		b.place(fmt.Sprintf("set/%s/%d.txt", e.Label, i), []byte(e.Text))
	}
	b.place("set/.net/1.txt", []byte("a class that is called so"))
	b.place("set/.net/2.txt", []byte("another text of it"))
	b.place("set/pos/._1.txt", []byte("of the system"))
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(b.dir, name)); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	link("0.txt", "set/neg/inside.txt")
	link(secret, "set/neg/outside.txt")
	link("/dev/zero", "set/pos/endless.txt")
	link("fifo", "set/pos/linked.txt")
	link(filepath.Dir(secret), "set/pos/folder")
	if err := syscall.Mkfifo(filepath.Join(b.dir, "set/pos/fifo"), 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	var p struct {
		preview
		LeftOut []string `json:"left_out"`
	}
	if err := json.Unmarshal([]byte(b.ok("data", "import", "--dry-run", "--json", filepath.Join(b.dir, "set"))), &p); err != nil {
		t.Fatal(err)
	}
	if p.Card.Examples != 41 || len(p.LeftOut) != 2 ||
		!strings.HasSuffix(p.LeftOut[1], "rename it if it is: .net") {
		t.Errorf("%d examples, %q", p.Card.Examples, p.LeftOut)
	}
	for _, name := range []string{"outside.txt", "endless.txt", "linked.txt", "fifo", "folder"} {
		if !strings.Contains(strings.Join(p.LeftOut, ""), name) {
			t.Errorf("%s is not named in %q", name, p.LeftOut)
		}
	}
	for name := range map[string]bool{"neg": true, "pos": true} { // a folder of files is looked into in another way
		o := b.run("data", "import", "--dry-run", "--name", "x", filepath.Join(b.dir, "set", name))
		if o.code == exitOK || strings.Contains(o.stdout+o.stderr, "a secret") || !strings.Contains(o.stderr, "left out") {
			t.Errorf("%s: %+v", name, o)
		}
	}

	// A pipe that is named is waited for, and no longer than one wants.
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	for _, args := range [][]string{{"data", "import", "--dry-run"}, {"predict", "--model", exportedModel(t, "a", "b")}} {
		began := time.Now()
		if code := Run(ctx, Process{Args: append(slices.Clone(args), filepath.Join(b.dir, "set/pos/fifo")), Environ: b.environ,
			Stdin:  strings.NewReader(""),
			Stdout: new(stacktest.Output), Stderr: new(stacktest.Output)}); code == exitOK || time.Since(began) > 20*time.Second {
			t.Errorf("%v: exit code %d after %v", args, code, time.Since(began))
		}
	}
}

// What is no exported model is not served, and none without TLS to other machines.
func TestServeModelRefuses(t *testing.T) {
	b := offline(t)
	model := exportedModel(t, "a", "b")
	b.fails(exitFailed, []string{"has no model.json"}, "serve-model", t.TempDir())
	b.fails(exitUsage, []string{"is open to other machines"}, "serve-model", model, "--listen", "0.0.0.0:0")
	o := b.run("serve-model", model, "--listen", "127.0.0.1:0", "--tls-certificate", "nowhere.pem", "--tls-key", "nowhere.key")
	if o.code != exitFailed || strings.Contains(o.stdout, "https://") || !strings.Contains(o.stderr, "nowhere.pem") {
		t.Errorf("an address without a certificate: %+v", o)
	}
	b.fails(exitFailed, []string{"the token"}, "serve-model", model, "--token-file", filepath.Join(b.dir, "none"))
	b.fails(exitUsage, []string{"name the directory"}, "predict", "--model", filepath.Join(model, "model.safetensors"))
	b.fails(exitUsage, []string{"--trial, --refit is for a search's models"}, "serve-model", model, "--trial", "3", "--refit")
	b.fails(exitUsage, []string{"--guard is for a search's models"}, "predict", "--model", model, "--guard", "posterior")
	damaged := filepath.Join(model, "model.safetensors")
	if err := os.Truncate(damaged, 1000); err != nil {
		t.Fatal(err)
	}
	b.fails(exitFailed, []string{"model.safetensors is damaged"}, "serve-model", model)
}
