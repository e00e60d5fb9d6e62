package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tnaml/deploy/stack"
	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/cli/serve"
	"tnaml/workflows"
)

// console runs command lines in a test.
type console struct {
	t       *testing.T
	dir     string
	environ []string
	// width is that of the terminal, 0 for none.
	width int
}

// offline is a console without any server.
func offline(t *testing.T) *console {
	dir := t.TempDir()
	return &console{t: t, dir: dir, environ: []string{
		"TNAML_DATA_DIR=" + filepath.Join(dir, "data"), "TEMPORAL_CONFIG_FILE=" + filepath.Join(dir, "none.toml"),
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
	}}
}

type output struct {
	code           int
	stdout, stderr string
}

func (b *console) run(args ...string) output { return b.feed("", args...) }

func (b *console) feed(stdin string, args ...string) output {
	ctx, cancel := context.WithTimeout(b.t.Context(), 3*time.Minute)
	defer cancel()
	var stdout, stderr stacktest.Output
	code := Run(ctx, Process{Args: args, Environ: b.environ, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr,
		Width: func(io.Writer) int { return b.width }})
	return output{code, stdout.String(), stderr.String()}
}

// ok runs a command that must succeed and returns its standard output.
func (b *console) ok(args ...string) string {
	b.t.Helper()
	o := b.run(args...)
	if o.code != exitOK {
		b.t.Fatalf("starter %v: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// fails runs a command that must fail, with one message that says so.
func (b *console) fails(code int, want []string, args ...string) {
	b.t.Helper()
	o := b.run(args...)
	if o.code != code {
		b.t.Errorf("starter %v: exit code %d, want %d: %s", args, o.code, code, o.stderr)
	}
	for _, w := range want {
		if !strings.Contains(o.stderr, w) {
			b.t.Errorf("starter %v: %q is not in: %s", args, w, o.stderr)
		}
	}
	if strings.Count(o.stderr, "starter: ") != 1 || strings.Contains(o.stderr, "goroutine") || strings.Contains(o.stderr, "Usage:") {
		b.t.Errorf("starter %v: not one clear message: %s", args, o.stderr)
	}
}

// lists waits for `starter list` to show what it must: Temporal's list is behind its
// workflows by some milliseconds, on a busy machine by more.
func (b *console) lists(args []string, shown func(o output) bool) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		o := b.run(append([]string{"list"}, args...)...)
		if o.code == exitOK && shown(o) {
			return
		}
		if o.code != exitOK || time.Now().After(deadline) {
			b.t.Fatalf("starter list %v: %+v", args, o)
		}
	}
}

func (b *console) write(name, text string) string {
	b.t.Helper()
	name = filepath.Join(b.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return name
}

func TestUsage(t *testing.T) {
	b := offline(t)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"serch"}, []string{`unknown command "serch"`, "Did you mean", "search"}},
		{[]string{"search", "--trails", "3"}, []string{"unknown flag: --trails", "starter search --help"}},
		{[]string{"search"}, []string{`"tasks" is empty`}},
		{[]string{"search", "--task", "a", "--trials", "0", "--lag", "0", "--strategy", "genetic"},
			[]string{`"trials" is 0`, `"lag" is 0`, `"genetic"`}},
		{[]string{"search", "--task", "a", "--settings", "{"}, []string{"--settings: not valid JSON", "at byte 1"}},
		{[]string{"search", "--task", "a\na"}, []string{`"a" is named twice`}},
		{[]string{"data"}, []string{"add, import, list, pull, remove, show"}},
		{[]string{"data", "delete"}, []string{`no command "delete"`}},
		{[]string{"trials"}, []string{"starter trials takes SEARCH, and was given nothing"}},
		{[]string{"run", "a", "b"}, []string{`starter run takes EXPERIMENT, and was given "a" "b"`}},
		{[]string{"data", "import"}, []string{"starter data import takes PATH…, and was given nothing"}},
		{[]string{"tell"}, []string{"starter tell takes SEARCH, and was given nothing"}},
		{[]string{"list", "x"}, []string{`starter list takes no arguments, and was given "x"`}},
		{[]string{"bench", "--at", "x"}, []string{`"x" are no whole numbers`}},
		{[]string{"gc", "--grace", "x"}, []string{`"x" is no duration, such as`}},
		{[]string{"trials", "x", "--format", "xml"}, []string{"table, csv, jsonl, parquet, optuna, tensorboard, mlflow"}},
		{[]string{"predict"}, []string{"--model"}},
		{[]string{"controller", "pretrain", "x", "--tasks", "nope,airline,airline", "--settings", `{"speed":1}`},
			[]string{`there is no task "nope" (there are: "airline"`, `"airline" is there twice`, "speed"}},
		{[]string{"controller", "pretrain", "Bad Name"}, []string{"Bad Name"}},
		{[]string{"trials", "import"}, []string{"FILE", "--recorded"}},
		{[]string{"trials", "import", "x.csv", "--recorded", "paper"}, []string{"FILE", "--recorded"}},
		{[]string{"trials", "import", "--recorded", "none"}, []string{"none", "paper"}},
		{[]string{"trials", "import", "--recorded", "paper", "--recorded-tasks", ""}, []string{"no tasks (recorded: airline"}},
		{[]string{"trials", "import", "--recorded", "paper", "--task", "x"}, []string{"recorded task"}},
		{[]string{"trials", "import", "x.csv", "--space", "y", "--recorded-tasks", "airline"}, []string{"goes with --recorded"}},
		{[]string{"trials", "import", "x.csv", "--space", "y", "--study", "s"}, []string{"--study is for Optuna's journals, and x.csv is csv"}},
		{[]string{"report", "x", "--csv", "--title", "T"}, []string{"--title is for the page"}},
		{[]string{"report", "x", "--json", "--pareto", "a,b"}, []string{"--pareto is for the page"}},
		{[]string{"predict", "x", "--vectors-column", "c"}, []string{"--vectors FILE"}},
		{[]string{"predict", "x", "--trial", "1", "--guard", "plain"}, []string{"trial guard"}},
		{[]string{"model", "export", "x", "--refit", "--retrain"}, []string{"retrain refit"}},
		{[]string{"controller", "pretrain", "x", "--tasks", ""}, []string{"no tasks (recorded: airline"}},
		{[]string{"controller", "pretrain", "x", "--lag", "1000000"}, []string{"a lag of 1000000"}},
		{[]string{"trials", "import", "--recorded", "paper", "--recorded-tasks", "nope,airline,airline"},
			[]string{`there is no task "nope" (there are: "airline"`, `"airline" is there twice`}},
		{[]string{"controller", "pretrain", "x", "--set", "none"}, []string{"none", "paper"}},
		{[]string{"predict", "x", "--ensemble=0"}, []string{"--ensemble is 0: it must be positive"}},
		{[]string{"predict", "x", "--ensemble", "3"}, []string{"behind an equals sign, as --ensemble=3"}},
		{[]string{"predict", "--ensemble", "3", "x"}, []string{"as --ensemble=3"}},
		{[]string{"module", "train", "--subword", "2-5"}, []string{"as --subword=2-5"}},
		{[]string{"predict", "x", "--ensemble", "--trial", "3"}, []string{"without --model, --trial, --guard, --retrain and --refit"}},
		{[]string{"extend", "x", "-3"}, []string{"unknown shorthand flag"}},
		{[]string{"extend", "x", "many"}, []string{"number of trials"}},
		{[]string{"extend", "x"}, []string{"extend by what?", "--steps 10000"}},
		{[]string{"extend", "x", "--steps", "0"}, []string{"--steps is 0: give a number above 0"}},
		{[]string{"search", "--task", "a", "--failed", "-1"}, []string{"--failed is -1"}},
		{[]string{"search", "--task", "a", "--hours", "1e9"}, []string{`"hours" is 1e+09: it must be at most 1e+06`}},
		{[]string{"search", "--task", "a", "--pruner", "hyperband"}, []string{`--pruner: unknown pruner "hyperband" (known: median, halving)`}},
		{[]string{"search", "--task", "a", "--pruner", `{"name":"halving","settings":{"reduction":1}}`}, []string{"reduction is 1"}},
		{[]string{"demo", "--trials", "0"}, []string{"--trials is 0: it must be positive"}},
		{[]string{"list", "--log-level", "loud"}, []string{`"loud"`}},
		{[]string{"data", "import", "x.tsv", "--name", "a/b"}, []string{`"a/b"`}},
		{[]string{"task", "add", "a/b"}, []string{`"a/b"`}},
		{[]string{"task", "add", "a", "--parameters", "[1]"}, []string{"the parameters are no JSON object, such as"}},
		{[]string{"task", "add", "a", "--parameters", `{"a": NaN}`}, []string{"no JSON object", "invalid character"}},
		{[]string{"task", "add", "a", "--parameters", `{"a": "` + strings.Repeat("x", 17000) + `"}`}, []string{"more than 16384"}},
		{[]string{"data", "import", "x.tsv", "--kind", "external"}, []string{"starter task add"}},
		{[]string{"ask", "x", "--count", "0"}, []string{"--count is 0"}},
		{[]string{"ask", "x", "--count", "101"}, []string{"at most 100"}},
		{[]string{"ask", "x", "--trial", "-1"}, []string{"--trial is -1"}},
		{[]string{"ask", "x", "--trial", "1", "--count", "2"}, []string{"does not go with"}},
		{[]string{"tell", "x"}, []string{"which trial?"}},
		{[]string{"tell", "x", "--trial", "0", "--metric", "a"}, []string{`--metric "a": give NAME=VALUE`}},
		{[]string{"tell", "x", "--trial", "0", "--metric", "a=NaN"}, []string{`"a=NaN" is no number`, "--state fail"}},
		{[]string{"tell", "x", "--trial", "0", "--metric", "a=1", "--metric", "a=2"}, []string{"given twice"}},
		{[]string{"tell", "x", "--trial", "0", "--curve", "a=1"}, []string{`--curve "a=1": give STEP=VALUE`}},
		{[]string{"tell", "x", "--trial", "0", "--curve", "5"}, []string{`--curve "5"`}},
		{[]string{"tell", "x", "--trial", "0", "--cost", "gpu_seconds=1"}, []string{`--cost "gpu_seconds=1": give cpu_seconds=SECONDS`}},
		{[]string{"tell", "x", "--trial", "0", "--cost", "cpu_seconds=NaN"}, []string{"--cost"}},
		{[]string{"tell", "x", "--trial", "0", "--cost", "cpu_seconds=1", "--cost", "cpu_seconds=2"}, []string{"cpu_seconds is given twice"}},
		{[]string{"best", "x", "--top", "0"}, []string{"--top is 0"}},
		{[]string{"serve", "--listen", "0.0.0.0:0"}, []string{"open to other machines", "--tls-certificate", "--plaintext"}},
		{[]string{"serve", "--listen", ":0"}, []string{"open to other machines"}},
		{[]string{"serve", "--listen", "nowhere"}, []string{"give HOST:PORT"}},
		{[]string{"serve", "--tls-key", "x"}, []string{"go together"}},
		{[]string{"report", "x", "--csv", "--json"}, []string{"not both"}},
		// A zero that is given is not taken for the default.
		{[]string{"module", "train", "x", "--name", "m", "--dim", "0", "--window", "0", "--min-count", "0", "--max-vocabulary", "0", "--epochs",
			"0", "--negative", "0", "--subsample", "0", "--learning-rate", "NaN", "--buckets", "0"},
			[]string{"--dim is 0: it must be positive", "--window is 0", "--min-count is 0", "--max-vocabulary is 0", "--epochs is 0",
				"--negative is 0", "--subsample is 0", "--learning-rate is NaN", "--buckets is 0"}},
		{[]string{"module", "train", "x", "--name", "m", "--smoothing", "-1", "--remove-components", "-1"},
			[]string{"--smoothing is -1: it must be 0 or more", "--remove-components is -1"}},
		{[]string{"module", "train-images", "x", "--name", "m", "--size", "0", "--centroids", "0", "--patch", "0", "--components", "0"},
			[]string{"--size is 0", "--centroids is 0", "--patch is 0", "--components is 0"}},
		{[]string{"module", "derive", "m", "--from", "n", "--subword", "--buckets", "0"}, []string{"--buckets is 0"}},
		{[]string{"module", "add", "x", "--block", "0", "--top", "-1"}, []string{"--block is 0", "--top is -1: it must be 0 or more"}},
		{[]string{"module", "neighbours", "m", "word", "--top", "0"}, []string{"--top is 0"}},
		{[]string{"data", "import", "x", "--seed", "0", "--validation", "0", "--test", "0", "--max-vocabulary", "0", "--min-count", "0",
			"--max-tokens", "0"},
			[]string{"--seed is 0", "--validation is 0", "--test is 0", "--max-vocabulary is 0", "--min-count is 0", "--max-tokens is 0"}},
		{[]string{"search", "--task", "a", "--parallel", "0"}, []string{"--parallel is 0"}},
		{[]string{"run", "nlp", "--trials", "0", "--pretrain-trials", "0", "--concurrency", "0"},
			[]string{"--trials is 0", "--pretrain-trials is 0", "--concurrency is 0"}},
		{[]string{"schedule", "create", "n", "--trials", "0"}, []string{"--trials is 0"}},
		{[]string{"trials", "x", "--last", "0"}, []string{"--last is 0"}},
		{[]string{"trials", "x", "--format", "optuna", "--out", b.write("there.log", "")}, []string{"there.log exists already", "--overwrite"}},
		{[]string{"model", "export", "x", "--trial", "-7"}, []string{"--trial is -7"}},
		// What is wrong of the flags alone is told before any work, as wrong usage.
		{[]string{"module", "train", "x", "--name", "m", "--method", "glove", "--window", "2000"},
			[]string{`unknown method "glove"`, "window of 2000"}},
		{[]string{"module", "train", "x", "--name", "m", "--dim", "8", "--remove-components", "8"}, []string{"8 components cannot be removed"}},
		{[]string{"module", "train", "x"}, []string{`module name ""`}},
		{[]string{"module", "train"}, []string{"--corpus FILE"}},
		{[]string{"module", "train-images", "x", "--name", "m", "--patch", "40"}, []string{"patches of side 40"}},
		{[]string{"module", "train-images", "x", "--name", "m", "--method", "pca", "--centroids", "9"},
			[]string{"--centroids does not go with --method pca"}},
		{[]string{"module", "add", ".", "--name", "m", "--block", "13"}, []string{"--block is 13"}},
		{[]string{"module", "derive", "m"}, []string{"--from"}},
		{[]string{"module", "derive", "m", "--from", "n"}, []string{"nothing is to be changed"}},
		{[]string{"module", "derive", "m", "--from", "n", "--subword=3-99"}, []string{"n-grams of 3 to 99"}},
		{[]string{"data", "import", "x.tsv", "--format", "xml", "--encoding", "klingon", "--delimiter", "ab"},
			[]string{`unknown format "xml"`, `unknown encoding "klingon"`, `a delimiter of "ab"`}},
		{[]string{"data", "import", "x.tsv", "--validation", ".5", "--test", ".5"}, []string{"leave something to train on"}},
		{[]string{"help", "serch"}, []string{`unknown command "serch"`}},
		{[]string{"help", "data", "shwo"}, []string{`unknown command "data shwo"`}},
		// Flags that would do nothing.
		{[]string{"best", "x", "--top", "3"}, []string{"--top goes with --guard reevaluate alone"}},
		{[]string{"best", "x", "--guard", "plain", "--top", "3", "--repeats", "2"}, []string{"--top goes with", "--repeats goes with"}},
		{[]string{"module", "train", "x", "--name", "m", "--epochs", "3", "--negative", "2"},
			[]string{"--epochs does not go with --method svd", "--negative does not"}},
		{[]string{"module", "train", "x", "--name", "m", "--method", "lsa", "--window", "3"}, []string{"--window does not go with --method lsa"}},
		{[]string{"module", "train", "x", "--name", "m", "--buckets", "9"}, []string{"--buckets goes with --subword alone"}},
		{[]string{"module", "derive", "m", "--from", "x", "--standardise", "--buckets", "9"}, []string{"--buckets goes with --subword alone"}},
		{[]string{"up", "--disk-cache-mb", "9"}, []string{"unknown flag: --disk-cache-mb"}},
		{[]string{"serve", "--tls-certificate", "x"}, []string{"--tls-certificate and --tls-key go together"}},
	} {
		b.fails(exitUsage, c.want, c.args...)
	}
	// Numbers are decimal.
	for _, n := range []string{"0x10", "1_0", "1e2"} {
		b.fails(exitUsage, []string{"--trials", n, "whole number"}, "search", "--task", "a", "--trials", n)
	}
	if o := b.run("search", "--help"); !strings.Contains(o.stdout, "--space NAME ") || !strings.Contains(o.stdout, "--controller NAME ") {
		t.Errorf("help: %s", o.stdout)
	}
	// Shells complete names; without servers those that the program has.
	for want, args := range map[string][]string{"naml\nportfolio\nrandom\ntpe\n": {"search", "--strategy", ""},
		"text\ntext-small\n": {"space", "show", "te"}} {
		if o := b.run(append([]string{"__complete"}, args...)...); !strings.Contains(o.stdout, want) || strings.Contains(o.stdout, "paper") {
			t.Errorf("%v is completed with %+v", args, o)
		}
	}
	// Hints and help name the program as it was called.
	var out, hint stacktest.Output
	at := Process{Environ: b.environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &hint, Program: "bin/starter"}
	for _, args := range [][]string{{"list"}, {"search", "--help"}, {"--help"}, {"data", "delete"}} {
		at.Args = args
		Run(t.Context(), at)
	}
	if text := out.String() + hint.String(); strings.Contains(text, "bin/starter bin/") || strings.Count(text, "bin/starter ") < 10 ||
		regexp.MustCompile(`(^|[^/])\bstarter [a-z]`).MatchString(text) {
		t.Error(text)
	}
	if o := b.run("--version"); o.code != exitOK || !strings.HasPrefix(o.stdout, "starter, built from ") ||
		!strings.Contains(o.stdout, "build ID ") {
		t.Errorf("version: %+v", o)
	}
	b.environ = append(b.environ, "TNAML_BUCKET=x")
	b.fails(exitFailed, []string{"warning: TNAML_BUCKET is set, and is no setting"}, "list")
	if o := b.run("--help"); o.code != exitOK || !strings.Contains(o.stdout, "starter demo") {
		t.Errorf("help: %+v", o)
	}
}

func TestBadFiles(t *testing.T) {
	b := offline(t)
	header := "text\tlabel\n"
	rows := func(labels ...string) string {
		text := header
		for i := range 40 {
			text += fmt.Sprintf("some words number %d\t%s\n", i, labels[i%len(labels)])
		}
		return text
	}
	for name, c := range map[string]struct {
		text string
		args []string
		want []string
	}{
		"column.tsv": {rows("a", "b"), []string{"--text-column", "body"}, []string{"column.tsv", `no column "body"`, `"text" "label"`}},
		"one.tsv":    {rows("spam"), nil, []string{"one", `the label "spam"`, "two classes"}},
		"empty.tsv":  {header, nil, []string{"empty.tsv", "no examples"}},
		"format.txt": {"text\nx\n", nil, []string{"format.txt", ".tsv"}},
		"ragged.tsv": {header + "only one field\n", nil, []string{"line 2"}},
		"broken.gz":  {"\x1f\x8bnot gzip", []string{"--format", "tsv"}, []string{"broken.gz", "gzip"}},
		"split.tsv":  {"text\tlabel\tsplit\nx y\ta\tsomewhere\n", nil, []string{"line 2", `"somewhere"`}},
	} {
		b.fails(exitFailed, c.want, append([]string{"data", "import", "--dry-run", b.write(name, c.text)}, c.args...)...)
	}
	b.fails(exitFailed, []string{"nowhere.tsv"}, "data", "import", "nowhere.tsv")
	b.fails(exitFailed, []string{"nowhere.yaml"}, "space", "add", "nowhere.yaml")
	b.fails(exitFailed, []string{"colour"}, "space", "add", b.write("bad.yaml", "colour: red\n"))
	b.fails(exitUsage, []string{"model.safetensors", "is a file: name the directory"}, "predict", "--model",
		b.write("model.safetensors", "no model"))
	b.fails(exitFailed, []string{b.dir}, "predict", "--model", b.dir)
	b.fails(exitFailed, []string{"imdb_unsup.txt.gz", "vectors.vec.gz", "embeddings and corpora"}, "module", "build", b.dir)
}

func TestNoServer(t *testing.T) {
	b := offline(t)
	b.fails(exitFailed, []string{"starter up"}, "list")
	// Before minutes of reading: the files are damaged, and nobody gets to see it.
	b.fails(exitFailed, []string{"starter up"}, "data", "import", b.write("ragged.tsv", "text\tlabel\nonly one field\n"))
	b.fails(exitFailed, []string{"starter up"}, "module", "add", b.write("ragged.vec", "the 0.1 0.2\nof 0.1\n"))
	b.environ = append(b.environ, "TNAML_TEMPORAL_ADDRESS=127.0.0.1:1", "TNAML_S3_ENDPOINT=127.0.0.1:1")
	b.fails(exitFailed, []string{"127.0.0.1:1", "is it running"}, "list")
	b.fails(exitFailed, []string{"no dev stack is needed"}, "up")
}

// online is a console on the shared dev stack, with a bucket of its own.
func online(t *testing.T) (*console, stack.Addresses) {
	a := stacktest.Shared(t)
	b := offline(t)
	b.environ = append(b.environ,
		"TNAML_TEMPORAL_ADDRESS="+a.Temporal, "TNAML_TEMPORAL_TASK_QUEUE="+t.Name(),
		"TNAML_S3_ENDPOINT="+a.S3Endpoint, "TNAML_S3_REGION="+a.S3Region,
		"TNAML_S3_ACCESS_KEY="+a.S3AccessKey, "TNAML_S3_SECRET_KEY="+a.S3SecretKey,
		"TNAML_S3_BUCKET="+strings.ToLower(strings.ReplaceAll(t.Name(), "_", "-")))
	makeBucket(t, a, strings.ToLower(strings.ReplaceAll(t.Name(), "_", "-")))
	return b, a
}

// worker runs a worker in this process until the test ends.
func (b *console) worker() {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	servers := b.servers()
	done := make(chan error, 1)
	go func() { done <- serve.Work(ctx, b.app(), servers, nil, nil) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.t.Errorf("worker: %v", err)
		}
		servers.Close()
	})
}

const vectors = "good 1 0 0.5\nbad -1 0 0.5\nfilm 0 1 0\nbook 0 -1 0\n"

// reviews is a small task that can be learned.
func reviews() string {
	var s strings.Builder
	s.WriteString("text\tlabel\n")
	for i := range 300 {
		fmt.Fprintf(&s, "a %s %s, number %d of %d\t%s\n", []string{"good", "bad"}[i%2], []string{"film", "book", "play"}[i%3], i, i%7,
			[]string{"pos", "neg"}[i%2])
	}
	return s.String()
}

// The whole way of a user: data in, search, look, use the model, report.
func TestFromDataToPrediction(t *testing.T) {
	b, _ := online(t)
	b.worker()
	table := b.write("reviews.tsv", reviews())
	if out := b.ok("data", "import", table); !strings.Contains(out, "300 examples in 2 classes") || !strings.Contains(out, "to beat") {
		t.Errorf("card: %s", out)
	}
	b.ok("data", "import", table) // the same data again is no mistake
	b.fails(exitFailed, []string{"exists already", "reviews"}, "data", "import",
		b.write("other.tsv", strings.Replace(reviews(), "good", "fine", 9)), "--name", "reviews")
	b.ok("module", "add", b.write("tiny.vec", vectors), "--language", "en")
	b.fails(exitFailed, []string{"ragged.vec", "line 2"}, "module", "add", b.write("ragged.vec", "the 0.1 0.2\nof 0.1\n"))
	b.ok("module", "train", b.write("corpus.txt", strings.Repeat("the good film and the bad book\na good book is a film\n", 20)), "--name",
		"own", "--dim", "2", "--min-count", "2")
	b.fails(exitFailed, []string{"too few", "give more text"}, "module", "train", b.write("short.txt", "a few words"), "--name", "short")
	if out := b.ok("module", "show", "tiny", "--neighbours", "good,unknown"); !strings.Contains(out, "film 0.00") ||
		!strings.Contains(out, "unknown: not in the module") {
		t.Errorf("neighbours: %s", out)
	}
	for _, list := range []string{"data", "module", "space"} {
		if out := b.ok(list, "list"); !strings.Contains(out, map[string]string{"data": "reviews", "module": "tiny",
			"space": "text-small (built in)"}[list]) {
			t.Errorf("%s list: %s", list, out)
		}
	}
	if out := b.ok("data", "show", "reviews"); !strings.Contains(out, "starter baseline reviews") {
		t.Errorf("card: %s", out)
	}
	beaten := b.ok("baseline", "reviews")
	for _, want := range []string{"30 examples to validate, 30 to test", "majority", "NBSVM", "SVM, words and characters"} {
		if !strings.Contains(beaten, want) {
			t.Errorf("%q is not in: %s", want, beaten)
		}
	}
	if again := b.ok("baseline", "reviews"); again != beaten {
		t.Errorf("trained before, seconds and all: %s, then %s", beaten, again)
	}
	b.ok("baseline", "reviews", "--again")
	b.fails(exitFailed, []string{`task "review"`, "reviews"}, "baseline", "review")
	if o := b.run("baseline", "reviews", "review", "--json"); o.code != exitFailed || !strings.Contains(o.stdout, `"task": "reviews"`) &&
		!strings.Contains(o.stdout, `"task":"reviews"`) || !strings.Contains(o.stderr, `"review"`) {
		t.Errorf("baseline of what is there and what is not: %+v", o)
	}
	if out := b.ok("data", "show", "reviews", "--json"); !strings.Contains(out, `"name": "NBSVM"`) {
		t.Errorf("card: %s", out)
	}
	b.fails(exitFailed, []string{`no task "review"`, "reviews"}, "search", "--task", "review")
	b.fails(exitFailed, []string{`task "review"`, "reviews"}, "data", "show", "review")

	search := []string{"search", "--task", "reviews", "--space", "text-small", "--trials", "15", "--checkpoint-every", "4"}
	out := b.ok(append(search, "--name", "first")...)
	for _, want := range []string{"first completed after 15 trials", "accuracy-top10", "tiny", "To beat: "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in: %s", want, out)
		}
	}
	if described := strings.Count(out, " steps"); described != 10 { // more than a workflow keeps the words of
		t.Errorf("%d of the ten best models are described: %s", described, out)
	}
	if twice := b.ok("report", "first", "first", "--json", "-o", "-"); strings.Count(twice, `"gap": `) != 1 ||
		!strings.Contains(twice, `"title": "first"`) {
		t.Errorf("one search is reported as two: %.600s", twice)
	}
	b.fails(exitFailed, []string{`"first" exists already (completed on `,
		"UTC), until `starter remove first` gives it up: follow it with `starter watch first`, or choose another name"},
		append(search, "--name", "first")...)

	b.fails(exitFailed, []string{"has ended", "starter search --from first --trials +5"}, "extend", "first", "5")
	b.fails(exitUsage, []string{"--trials +5", "--from"}, "search", "--task", "reviews", "--trials", "+5")
	b.fails(exitFailed, []string{`keeps its "seed"`}, "search", "--from", "first", "--trials", "+5", "--seed", "2")
	if on := b.ok("search", "--from", "first", "--trials", "+5", "--name", "further"); !strings.Contains(on, "completed after 20 trials") {
		t.Errorf("it goes on: %s", on)
	}
	if out := b.ok("report", "further", "-o", "-"); !strings.Contains(out, "goes on from first (15 trials)") {
		t.Error("the report does not say what the search goes on from")
	}
	if out := b.ok("report", "further", "-o", "-"); !strings.Contains(out, "To beat") {
		t.Error("the report does not say what is to beat")
	}
	if out := b.ok("best", "further"); !strings.Contains(out, "To beat: ") {
		t.Errorf("best: %s", out)
	}
	b.ok("remove", "further", "--yes")

	var result struct {
		Name       string
		Controller string
		Trials     int
		Cached     int
	}
	if err := json.Unmarshal([]byte(b.ok(append(search, "--json")...)), &result); err != nil {
		t.Fatal(err)
	}
	if result.Name != "reviews-naml-s1-1" || result.Trials != 15 || result.Cached != 15 || result.Controller == "" {
		t.Errorf("the same search again: %+v", result)
	}

	if out := b.ok("list", "--json"); !strings.Contains(out, `"status": "completed"`) {
		t.Errorf("list: %s", out)
	}
	rows, err := csv.NewReader(strings.NewReader(b.ok("trials", "first", "--format", "csv"))).ReadAll()
	if err != nil || len(rows) != 16 || rows[0][3] != "trial" || rows[1][3] != "0" {
		t.Errorf("trials as CSV: %d rows, %v", len(rows), err)
	}
	if lines := strings.Split(strings.TrimSpace(b.ok("trials", "first", "--format", "jsonl", "--last", "3")), "\n"); len(lines) != 3 ||
		!json.Valid([]byte(lines[2])) {
		t.Errorf("trials as JSON lines: %q", lines)
	}
	b.ok("trials", "first")
	for format, name := range map[string]string{"optuna": "first.optuna.log", "csv": "first.csv"} {
		file := filepath.Join(b.dir, name)
		b.ok("trials", "first", "--format", format, "--out", file)
		b.fails(exitUsage, []string{"exists already"}, "trials", "first", "--format", format, "--out", file)
		out := b.ok("trials", "import", file, "--space", "text-small", "--name", "from-"+format)
		if !strings.Contains(out, "15 trials of reviews") {
			t.Errorf("import: %s", out)
		}
	}
	b.fails(exitFailed, []string{"exists already", "--overwrite"}, "trials", "import", filepath.Join(b.dir, "first.csv"),
		"--space", "text-small", "--name", "from-csv")
	b.fails(exitFailed, []string{"imported", "--sources from-csv"}, "search", "--from", "from-csv", "--trials", "+5")
	b.ok("search", "--task", "reviews", "--space", "text-small", "--strategy", "kindred", "--trials", "3", "--sources", "from-csv,from-optuna",
		"--name", "knowing")
	b.lists(nil, func(o output) bool { return strings.Contains(o.stdout, "imported") })
	b.ok("report", "from-csv", "knowing", "-o", filepath.Join(b.dir, "knowing.html"))
	b.ok("best", "from-optuna")
	b.ok("remove", "from-csv", "from-optuna", "knowing", "--yes")
	// Vectors of whole documents: a row for each example, which say what they are.
	npy := func(n int) string { // as NumPy writes them
		header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 2), }\n", n)
		file := "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header
		for i := range n {
			file += string(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(i%2))), 0))
		}
		return file
	}
	b.fails(exitFailed, []string{"299 vectors for 300 examples"}, "data", "import", table, "--vectors", b.write("few.npy", npy(299)))
	given := b.ok("data", "import", table, "--vectors", b.write("all.npy", npy(300)), "--vectors-name", "given")
	if !strings.Contains(given, "module given") {
		t.Errorf("import: %s", given)
	}
	if out := b.ok("module", "list"); !strings.Contains(out, "given") {
		t.Errorf("modules: %s", out)
	}
	b.ok("search", "--task", "reviews", "--space", "text-small", "--module", "given", "--strategy", "random", "--trials", "4",
		"--name", "by-vectors")
	three := b.write("three.txt", "one\ntwo\nthree\n")
	b.fails(exitUsage, []string{"--vectors FILE", "module given, 2 numbers"}, "predict", "by-vectors", three)
	b.fails(exitFailed, []string{"2 vectors"}, "predict", "by-vectors", three, "--vectors", b.write("two.npy", npy(2)))
	if out := b.ok("predict", "by-vectors", three, "--vectors", b.write("three.npy", npy(3))); strings.Count(out, "\n") != 3 {
		t.Errorf("predictions: %s", out)
	}
	b.ok("report", "by-vectors", "-o", filepath.Join(b.dir, "vectors.html"))
	b.ok("remove", "by-vectors", "--yes")
	b.ok("module", "remove", "given", "--yes")
	folder := filepath.Join(b.dir, "first.tensorboard")
	b.ok("trials", "first", "--format", "tensorboard", "--out", folder)
	if runs, err := os.ReadDir(folder); err != nil || len(runs) != 16 {
		t.Errorf("TensorBoard's folder has %d entries, %v", len(runs), err)
	}
	b.fails(exitUsage, []string{"folder that exists already"}, "trials", "first", "--format", "tensorboard", "--out", folder, "--overwrite")
	b.fails(exitUsage, []string{"MLFLOW_TRACKING_URI"}, "trials", "first", "--format", "mlflow")
	b.ok("trials", "first", "--format", "parquet", "--out", filepath.Join(b.dir, "first.parquet"))
	var best []struct {
		Validation float64 `json:"validation_top10"`
		Best       []struct{ Trial int }
	}
	if err := json.Unmarshal([]byte(b.ok("best", "first", "--json")), &best); err != nil || len(best) != 1 || len(best[0].Best) != 10 ||
		best[0].Validation < .6 {
		t.Errorf("best: %+v, %v", best, err)
	}

	model := filepath.Join(b.dir, "model")
	b.ok("model", "export", "first", "-o", model)
	b.fails(exitUsage, []string{"exists already"}, "model", "export", "first", "-o", model)
	b.fails(exitFailed, []string{"trial 99"}, "model", "export", "first", "--trial", "99")
	texts := "this good film\n\nthat bad book\n"
	for _, args := range [][]string{{"predict", "first"}, {"predict", "--model", model}, {"predict", "first", b.write("texts", texts)}} {
		o := b.feed(texts, args...)
		lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
		if o.code != exitOK || len(lines) != 3 || !strings.HasPrefix(lines[0], "pos\t") || !strings.HasPrefix(lines[2], "neg\t") {
			t.Errorf("%v: %+v", args, o)
		}
	}
	refitted := filepath.Join(b.dir, "refitted")
	if out := b.ok("model", "export", "first", "--refit", "-o", refitted); !strings.Contains(out, "on the validation examples too: test ") {
		t.Errorf("model export --refit: %s", out)
	}
	if about, err := os.ReadFile(filepath.Join(refitted, "model.json")); err != nil || !bytes.Contains(about, []byte("refitted")) {
		t.Errorf("%s, %v", about, err)
	}
	if o := b.feed(texts, "predict", "first", "--refit"); o.code != exitOK || !strings.HasPrefix(o.stdout, "pos\t") ||
		!strings.Contains(o.stderr, "trained anew on the validation examples too") {
		t.Errorf("predict --refit: %+v", o)
	}
	if o := b.feed("good", "predict", "first", "--json"); !strings.Contains(o.stdout, `"probabilities":{"neg":`) {
		t.Errorf("predict --json: %+v", o)
	}

	o := b.feed("this good film\nthat bad book\n", "predict", "first", "--ensemble=5")
	if lines := strings.Split(o.stdout, "\n"); o.code != exitOK || !strings.HasPrefix(lines[0], "pos\t") ||
		!strings.HasPrefix(lines[1], "neg\t") || !strings.Contains(o.stderr, "kept models of reviews: ") ||
		!strings.Contains(o.stderr, "Accuracy: validation ") {
		t.Errorf("predict --ensemble: %+v", o)
	}
	b.fails(exitUsage, []string{"between 1 and 1000"}, "predict", "first", "--ensemble=1001")

	page := filepath.Join(b.dir, "page.html")
	b.ok("report", "first", "reviews-naml-s1-1", "-o", page)
	if html, err := os.ReadFile(page); err != nil || !bytes.Contains(html, []byte("<svg")) ||
		!bytes.Contains(html, []byte("reviews-naml-s1-1")) {
		t.Errorf("report: %v", err)
	}
	if lines := strings.Count(b.ok("report", "first", "--csv", "-o", "-"), "\n"); lines != 16 {
		t.Errorf("report as CSV: %d lines", lines)
	}
	b.fails(exitFailed, []string{"search", "nobody"}, "report", "nobody")
	b.fails(exitFailed, []string{`no task "nope"`, "reviews"}, "best", "first", "--task", "nope")
	b.fails(exitFailed, []string{`experiment "nobody"`, "not found"}, "experiment", "results", "nobody")
	if o := b.run("list", "--experiment", "none"); o.code != exitOK || !strings.Contains(o.stderr, `none of the label "none"`) {
		t.Errorf("%+v", o)
	}
	if o := b.run("__complete", "search", "--task", ""); !strings.Contains(o.stdout, "reviews\n") {
		t.Errorf("%+v", o)
	}
	if o := b.run("__complete", "best", "f"); !strings.Contains(o.stdout, "first\n") {
		t.Errorf("%+v", o)
	}
	b.fails(exitFailed, []string{"writing", "/nowhere"}, "report", "first", "-o", "/nowhere/x.html")
	b.fails(exitFailed, []string{"nobody"}, "watch", "nobody")
	b.fails(exitFailed, []string{"nobody"}, "pause", "nobody")
}

// A running search can be paused, extended, looked at, resumed and stopped.
func TestControl(t *testing.T) {
	b, _ := online(t)
	b.worker()
	b.ok("data", "import", b.write("reviews.tsv", reviews()))
	b.ok("module", "add", b.write("tiny.vec", vectors))
	name := strings.TrimSpace(b.ok("search", "--task", "reviews", "--space", "text-small", "--trials", "5000", "--detach"))
	b.lists(nil, func(o output) bool { return strings.Contains(o.stdout, name) }) // begun
	progress := func(args ...string) (p workflows.Progress) {
		t.Helper()
		if err := json.Unmarshal([]byte(b.ok(append(args, "--json")...)), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := progress("pause", name, "--reason", "lunch"); p.Status != "paused" || p.Reason != "lunch" {
		t.Errorf("paused: %+v", p)
	}
	if p := progress("extend", name, "7"); p.Trials != 5007 {
		t.Errorf("extended: %+v", p)
	}
	if p := progress("resume", name); p.Status != "running" {
		t.Errorf("resumed: %+v", p)
	}
	for strings.Count(b.ok("trials", name, "--format", "csv"), "\n") < 5 { // a running search's trials
		time.Sleep(50 * time.Millisecond)
	}
	b.lists(nil, func(o output) bool { return strings.Contains(o.stdout, "running") })
	// Ctrl-C stops following, not the search.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr stacktest.Output
	following := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("/5007 trials")) {
			cancel()
		}
	})
	if code := Run(ctx, Process{Args: []string{"watch", name}, Environ: b.environ, Stdout: io.Discard,
		Stderr: io.MultiWriter(&stderr, following)}); code != exitInterrupted || !strings.Contains(stderr.String(), "The search goes on") {
		t.Errorf("interrupted: exit code %d, %s", code, stderr.String())
	}
	other := strings.TrimSpace(b.ok("search", "--task", "reviews", "--space", "text-small", "--trials", "5000", "--detach"))
	b.fails(exitFailed, []string{`there is no search and no run "nobody"`}, "stop", name, "nobody", other)
	if text := b.ok("pause", name, other); strings.Count(text, "paused") != 2 || !strings.Contains(text, other) {
		t.Errorf("two are paused: %s", text)
	}
	b.ok("resume", name, other)
	if text := b.ok("stop", other, name); strings.Count(text, "/50") != 2 {
		t.Errorf("two are stopped: %s", text)
	}
	if o := b.run("watch", name); o.code != exitUnfinished || !strings.Contains(o.stdout, "stopped after") ||
		!strings.Contains(o.stderr, "was stopped before its end") {
		t.Errorf("stopped: %+v", o)
	}
}

// What is not there of a server is named, with the way out.
func TestNoNamespace(t *testing.T) {
	b, _ := online(t)
	b.environ = append(b.environ, "TNAML_TEMPORAL_NAMESPACE=nowhere")
	b.fails(exitFailed, []string{`has no namespace "nowhere"`, "`starter setup`", "TNAML_TEMPORAL_NAMESPACE"}, "list")
}

func TestWrongSecret(t *testing.T) {
	b, a := online(t)
	b.environ = append(b.environ, "TNAML_S3_SECRET_KEY=wrong-secret")
	o := b.run("data", "list")
	if o.code != exitFailed || !strings.Contains(o.stderr, "access denied") || strings.Contains(o.stderr, "wrong-secret") ||
		strings.Contains(o.stderr, a.S3SecretKey) {
		t.Errorf("%+v", o)
	}
}

// A name that is taken is noticed before the work, whatever that would find.
func TestTakenNames(t *testing.T) {
	b, _ := online(t)
	table := b.write("reviews.tsv", reviews())
	b.ok("data", "import", table)
	b.ok("module", "add", b.write("tiny.vec", vectors), "--language", "en")
	damaged := b.write("damaged", "text\tlabel\none field \xff\n")
	for _, args := range [][]string{
		{"data", "import", damaged, "--name", "reviews"},
		{"data", "import", "train=" + damaged, "test=" + damaged, "--name", "reviews"},
		{"data", "import", table, "--min-count", "3"}, // other options
		{"module", "add", damaged, "--name", "tiny"},
		{"module", "add", b.dir, "--name", "tiny"},
		{"module", "train", damaged, "--name", "tiny"},
		{"module", "train-images", "none", "--name", "tiny"},
		{"module", "derive", "tiny", "--from", "none", "--standardise"},
	} {
		b.fails(exitFailed, []string{"exists already", "choose another name, or replace it with --overwrite"}, args...)
	}
	b.ok("data", "import", table)
	b.fails(exitFailed, []string{"damaged"}, "data", "import", damaged, "--name", "reviews", "--overwrite")
	b.fails(exitFailed, []string{"not valid UTF-8"}, "module", "train", damaged, "--name", "tiny", "--overwrite")
	b.ok("data", "import", "--dry-run", table, "--min-count", "3")
}
