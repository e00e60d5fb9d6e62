package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/deploy/stack/stacktest"
	"tnaml/nn/embedding"
)

// The life of modules: added in each form, trained with subwords, derived,
// looked at and checked.
func TestModules(t *testing.T) {
	b, _ := online(t)
	b.ok("data", "import", b.write("reviews.tsv", reviews()))

	// word2vec's binary form, gzipped, of which two tokens are wanted.
	var raw, packed bytes.Buffer
	raw.WriteString("3 2\n")
	for i, token := range []string{"good", "great", "camera"} {
		raw.WriteString(token + " ")
		binary.Write(&raw, binary.LittleEndian, []float32{1, float32(i)})
		raw.WriteString("\n")
	}
	z := gzip.NewWriter(&packed)
	z.Write(raw.Bytes())
	z.Close()
	var record struct {
		Name, Source, Subword string
		Tokens, Dim           int
	}
	decode := func(out string, v any) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), v); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
	}
	decode(b.ok("module", "add", b.write("v.bin.gz", packed.String()), "--top", "2", "--json"), &record)
	if record.Name != "v" || record.Tokens != 2 || record.Dim != 2 || record.Source != "v.bin.gz, the first 2 tokens" {
		t.Errorf("%+v", record)
	}
	b.ok("module", "add", b.write("v.bin", raw.String()), "--name", "whole", "--language", "en")
	b.fails(exitFailed, []string{"v.bin", "byte 35", "is it whole"}, "module", "add", b.write("v.bin", raw.String()[:35]), "--overwrite")

	// Pieces of words.
	decode(b.ok("module", "add", b.write("p.vec", "4 1\n\u2581go 1\nod 2\n\u2581 3\nx 4\n"), "--json"), &record)
	if record.Subword != "pieces" {
		t.Errorf("%+v", record)
	}

	text := b.write("corpus.txt", strings.Repeat("the good film and the bad book\na good book is a great film\n", 200))
	b.ok("module", "train", "--corpus", text, "--name", "own", "--dim", "4", "--language", "en", "--subword", "--buckets", "500", "--epochs",
		"2", "--method", "sgns")
	b.fails(exitUsage, []string{"once"}, "module", "train", text, "--corpus", text, "--name", "own")
	b.fails(exitUsage, []string{"--corpus FILE"}, "module", "train", "--name", "own")
	b.fails(exitFailed, []string{"latin.txt: line 2: byte 6 is not valid UTF-8", "line 3: byte 6 is zero: the file is no text"}, "module",
		"train",
		b.write("latin.txt", "\ufeffa ni\u00f1o\nun ni\xf1o\nzero \x00\nend\n"), "--name", "latin")
	b.fails(exitUsage, []string{"--subword=3-6"}, "module", "train", text, "--name", "own", "--subword=6-3")
	var shown struct {
		Subword  string
		Parts    struct{ Buckets int }
		Coverage []struct {
			Task                     string
			Known, Composed, Unknown int
			Share                    float64
		}
		Neighbours []struct {
			Word, Origin string
			Neighbours   []embedding.Neighbour
		}
	}
	decode(b.ok("module", "show", "own", "--task", "all", "--neighbours", "good,goodness", "--json"), &shown)
	if c := shown.Coverage; shown.Subword != "ngrams" || shown.Parts.Buckets != 500 || len(c) != 1 || c[0].Task != "reviews" ||
		c[0].Known == 0 || c[0].Share <= 0 {
		t.Errorf("%+v", shown)
	}
	if n := shown.Neighbours; len(n) != 2 || n[0].Origin != "known" || n[1].Origin != "composed" || len(n[1].Neighbours) != 8 {
		t.Errorf("%+v", shown)
	}
	if out := b.ok("module", "show", "own", "--task", "reviews", "--neighbours", "goodness"); !strings.Contains(out,
		"3 to 6 characters in 500 buckets") ||
		!strings.Contains(out, "composed") || !strings.Contains(out, "goodness (made of its parts):") {
		t.Error(out)
	}

	// An interrupt ends training, and nothing is stored.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	saw := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("training the module cut")) {
			cancel()
		}
	})
	if code := Run(ctx, Process{Args: []string{"module", "train", text, "--name", "cut", "--dim", "4"}, Environ: b.environ,
		Stdout: new(stacktest.Output), Stderr: saw}); code != exitInterrupted || ctx.Err() == nil {
		t.Errorf("interrupted: exit code %d", code)
	}
	b.fails(exitFailed, []string{`"cut": not found`}, "module", "show", "cut")

	// What does not go together, or is not there.
	b.fails(exitUsage, []string{"--block does not go with a file of vectors"}, "module", "add", b.write("v.bin", raw.String()), "--block", "6")
	b.fails(exitUsage, []string{"--language does not go with a folder"}, "module", "add", t.TempDir(), "--name", "m", "--language", "en")
	b.fails(exitFailed, []string{"manifest.json and weights.f32le.bin, is expected"}, "module", "add", t.TempDir(), "--name", "m")
	b.fails(exitFailed, []string{"no such file"}, "module", "add", "nowhere.vec")

	// A variant is one command.
	decode(b.ok("module", "derive", "own-std", "--from", "own", "--remove-components", "1", "--standardise", "--smoothing", "0.001",
		"--json"), &record)
	if record.Name != "own-std" || record.Subword != "ngrams" ||
		!strings.Contains(record.Source, "without the first 1 principal components, standardised, smoothed") {
		t.Errorf("%+v", record)
	}
	decode(b.ok("module", "derive", "both", "--from", "whole", "--join", "own", "--json"), &record)
	if record.Dim != 6 || record.Tokens != 10 { // three, and seven more of own's nine
		t.Errorf("%+v", record)
	}
	decode(b.ok("module", "derive", "whole-sub", "--from", "whole", "--subword=2-4", "--buckets", "100", "--json"), &record)
	if record.Subword != "ngrams" || !strings.Contains(record.Source, "n-grams of 2 to 4 in 100 buckets fitted") {
		t.Errorf("%+v", record)
	}
	b.fails(exitFailed, []string{"pieces of words"}, "module", "derive", "x", "--from", "p", "--subword")
	b.fails(exitUsage, []string{"nothing is to be changed", "--standardise"}, "module", "derive", "x", "--from", "own")
	b.fails(exitUsage, []string{"--from"}, "module", "derive", "x", "--standardise")
	b.fails(exitFailed, []string{"own-std"}, "module", "derive", "x", "--from", "own-str", "--standardise")
	b.fails(exitFailed, []string{"exists already"}, "module", "derive", "both", "--from", "own", "--standardise")

	if out := b.ok("module", "neighbours", "whole", "good", "never", "--top", "1"); !strings.Contains(out, "good:  great 0.71") ||
		!strings.Contains(out, "never: not in the module") {
		t.Error(out)
	}
	b.fails(exitFailed, []string{"never: not in the module"}, "module", "neighbours", "whole", "--analogy", "good - never + camera")
	b.fails(exitUsage, []string{`before "great"`, "king - man + woman"}, "module", "neighbours", "whole", "--analogy", "good", "great")
	b.fails(exitUsage, []string{"ends without a word"}, "module", "neighbours", "whole", "--analogy", "good", "-")
	var analogies []struct{ Neighbours []embedding.Neighbour }
	decode(b.ok("module", "neighbours", "whole", "--analogy", "--json", "good", "+", "camera"), &analogies)
	// The sum (1 + 1/√5, 2/√5) and great, (1, 1).
	want := (1 + 3/math.Sqrt(5)) / math.Sqrt2 / math.Hypot(1+1/math.Sqrt(5), 2/math.Sqrt(5))
	if len(analogies) != 1 || len(analogies[0].Neighbours) != 1 || analogies[0].Neighbours[0].Token != "great" ||
		math.Abs(analogies[0].Neighbours[0].Cosine-want) > 1e-6 {
		t.Errorf("%+v, want great with %v", analogies, want)
	}

	var checks []struct {
		Module    string
		Right, Of int
		Missing   []any
	}
	decode(b.ok("module", "check", "whole", "--json"), &checks)
	if got := fmt.Sprintf("%s %d %d %d", checks[0].Module, checks[0].Right, checks[0].Of, len(checks[0].Missing)); got != "whole 1 1 37" {
		t.Error(got)
	}
	if out := b.ok("module", "check"); !strings.Contains(out, "whole") || !strings.Contains(out, "own-std") || strings.Contains(out, "\np ") {
		t.Error(out)
	}
	b.fails(exitFailed, []string{"module p", "--language"}, "module", "check", "p")
	b.fails(exitUsage, []string{`--language is "fr"`, "en, es"}, "module", "check", "--language", "fr")
	if out := b.ok("module", "list"); !strings.Contains(out, "ngrams") || !strings.Contains(out, "pieces") || !strings.Contains(out, "text") {
		t.Error(out)
	}
}

type writerFunc func(p []byte)

func (w writerFunc) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// Training, which takes minutes, asks for the servers first.
func TestModulesNeedServersFirst(t *testing.T) {
	b := offline(t)
	tooShort := b.write("short.txt", "a text\n")
	for _, args := range [][]string{{"module", "train", tooShort, "--name", "m"}, {"module", "derive", "m", "--from", "n", "--standardise"}} {
		b.fails(exitFailed, []string{"no Temporal server is configured"}, args...)
	}
}

// The catalogue's modules are made of what lies below a directory, derived ones
// of their stored parts; what is there is left alone.
func TestModuleBuild(t *testing.T) {
	b, _ := online(t)
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(b.dir, "data", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write([]byte(text))
		z.Close()
		if err := os.WriteFile(file, packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var vectors, pieces, corpus strings.Builder
	for i := range 10 {
		fmt.Fprintf(&vectors, "g%d%s\n", i, strings.Repeat(fmt.Sprintf(" 0.%d", i+1), 50))
	}
	for i := range 10 {
		fmt.Fprintf(&pieces, "▁%c%s\n", 'a'+i, strings.Repeat(fmt.Sprintf(" 0.%d", i+1), 25))
	}
	for i := range 2000 { // 300 words
		fmt.Fprintf(&corpus, "w%d w%d w%d\n", i%300, (7*i+1)%300, (i+i/300)%300)
	}
	write("embeddings/glove6b_50d_10k/vectors.vec.gz", vectors.String())
	write("embeddings/bpemb_en_vs1000_d25/en.wiki.bpe.vs1000.d25.w2v.bin", pieces.String())
	write("corpora/imdb_unsup.txt.gz", corpus.String())
	write("corpora/spanish_news_small.txt.gz", corpus.String())
	build := func() string {
		return b.ok("module", "build", "--kind", "text", filepath.Join(b.dir, "data"))
	}
	out := build()
	for _, want := range []string{"glove-imdb-428: 310 tokens of length 428", "glove-50: 10 tokens of length 50",
		"bpemb-25: 10 tokens of length 25", "imdb-sgns-128: 300 tokens of length 128"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	var modules []struct{ Name, Language, Source string }
	if err := json.Unmarshal([]byte(b.ok("module", "list", "--json")), &modules); err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		if m.Language == "" || m.Name == "imdb-svd-250-std" && !strings.Contains(m.Source, "standardised, smoothed by 0.001") {
			t.Errorf("%+v", m)
		}
	}
	if len(modules) != 8 {
		t.Errorf("%d modules", len(modules))
	}
	if out := build(); strings.Contains(out, "tokens of length") {
		t.Errorf("made again: %s", out)
	}
}
