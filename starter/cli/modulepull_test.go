package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tnaml/activities/pull"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data/archive/archivetest"
)

func TestModulePullWithoutServers(t *testing.T) {
	b := offline(t)
	list := b.ok("module", "pull", "--list")
	for _, want := range []string{"glove-6b-100", "400,000 of 1,193,514", "160 MB", "862 MB", "~1.3 GB", "CC BY-SA 3.0", "glove.6B.zip"} {
		if !strings.Contains(list, want) {
			t.Errorf("%q is not in the list:\n%s", want, list)
		}
	}
	if o := b.run("module", "pull", "--list", "fasttext-es-300", "--top", "1000"); strings.Count(o.stdout, "\n") != 3 ||
		!strings.Contains(o.stdout, "1,000 of 2,000,000") || !strings.Contains(o.stderr, "None of the addresses has been tried") {
		t.Errorf("one module: %+v", o)
	}
	var listed []struct {
		Name, Licence, Citation string
		There                   *bool
		Dim, Tokens, Kept       int
		Downloaded              bool
	}
	if err := json.Unmarshal([]byte(b.ok("module", "pull", "--list", "--json")), &listed); err != nil ||
		len(listed) != len(catalog.PublishedVectors()) {
		t.Errorf("%d modules: %v", len(listed), err)
	}
	for _, l := range listed {
		if l.There != nil || l.Downloaded || l.Licence == "" || l.Citation == "" || l.Kept == 0 || l.Kept > l.Tokens {
			t.Errorf("%+v", l)
		}
	}
	dry := b.ok("module", "pull", "--dry-run", "glove-6b-50", "fasttext-es-300", "--top", "70000",
		"--mirror", "https://me:geheim@files.example/vectors/")
	for _, want := range []string{"https://me:xxxxx@files.example/vectors/glove.6B.zip\n",
		"https://nlp.stanford.edu/data/glove.6B.zip (tried: never)",
		"SHA-256 617afb2f", "@inproceedings{pennington2014glove", "of which glove.6B.50d.txt is read", "cc.es.300.vec.gz (SHA-256 not known)",
		"Downloads go to " + filepath.Join(b.dir, "data", "downloads"), "the first 70,000 of 400,000 tokens"} {
		if !strings.Contains(dry, want) {
			t.Errorf("%q is not in:\n%s", want, dry)
		}
	}
	if strings.Contains(dry, "geheim") {
		t.Errorf("the mirror's password:\n%s", dry)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "data", "downloads")); !os.IsNotExist(err) {
		t.Errorf("a dry run makes no directory: %v", err)
	}
	var sets []catalog.Vectors
	if err := json.Unmarshal([]byte(b.ok("module", "pull", "--dry-run", "all", "--json")), &sets); err != nil || len(sets) != len(listed) {
		t.Errorf("%d modules: %v", len(sets), err)
	}
	b.fails(exitUsage, []string{`no module "glove-6b-10"; there are glove-6b-100,`, `no module "glove"; there are glove-6b-50,`},
		"module", "pull", "glove-6b-10", "glove", "glove-6b-50")
	b.fails(exitUsage, []string{"which modules? Give their names, or all"}, "module", "pull")
	b.fails(exitUsage, []string{"--mirror is no address"}, "module", "pull", "glove-6b-50", "--mirror", "files.example")
	b.fails(exitUsage, []string{"--list and --dry-run"}, "module", "pull", "glove-6b-50", "--list", "--dry-run")
	b.fails(exitUsage, []string{`no module "glvoe"; there are glove-`}, "module", "pull", "all", "glvoe", "--dry-run")
	b.fails(exitUsage, []string{"--top"}, "module", "pull", "glove-6b-50", "--top", "-1")
	b.fails(exitFailed, []string{"starter up"}, "module", "pull", "glove-6b-50")
	if help := b.ok("module", "pull", "--help"); !strings.Contains(help, "None of the addresses has been tried") {
		t.Errorf("the help:\n%s", help)
	}
}

// vectorsFile is word2vec's text form, of 300 numbers a token.
func vectorsFile(tokens int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d 300\n", tokens)
	for i := range tokens {
		fmt.Fprintf(&b, "word%d%s\n", i, strings.Repeat(fmt.Sprintf(" %d.25", i), 300))
	}
	return b.String()
}

// The whole command against real servers: what comes, what is there already, what breaks
// off and is resumed, and what cannot be had.
func TestModulePullCommand(t *testing.T) {
	b, _ := online(t)
	if o := b.run("module", "list"); !strings.Contains(o.stdout+o.stderr, "starter module pull") {
		t.Errorf("without modules: %+v", o)
	}
	files := map[string][]byte{
		"wiki-news-300d-1M.vec.zip": archivetest.Zip("wiki-news-300d-1M.vec", vectorsFile(30)),
		"cc.es.300.vec.gz":          archivetest.Gzip([]byte(vectorsFile(40))),
	}
	var mu sync.Mutex
	var ranges []string // of the requests of the zip archive, of which the first breaks off
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		file, there := files[name]
		if !there {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Type", "application/octet-stream")
		if strings.HasPrefix(name, "wiki") {
			mu.Lock()
			ranges = append(ranges, r.Header.Get("Range"))
			first := len(ranges) == 1
			mu.Unlock()
			if first {
				w.Header().Set("Content-Length", fmt.Sprint(len(file)))
				w.Write(file[:len(file)/2])
				return
			}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	}))
	defer server.Close()
	downloads := filepath.Join(b.dir, "data", "downloads")
	var out []pull.Outcome
	printed := b.ok("module", "pull", "fasttext-wiki-news-300", "fasttext-es-300", "--mirror", server.URL, "--top", "20", "--json")
	if err := json.Unmarshal([]byte(printed), &out); err != nil || len(out) != 2 || out[0].Status != pull.Stored ||
		out[0].Module.Tokens != 20 || out[1].Module.Language != "es" {
		t.Fatalf("%+v, %v", out, err)
	}
	if want := []string{"", fmt.Sprintf("bytes=%d-", len(files["wiki-news-300d-1M.vec.zip"])/2)}; !slices.Equal(ranges, want) {
		t.Errorf("ranges %q, want %q", ranges, want)
	}
	left, err := filepath.Glob(filepath.Join(downloads, "*"))
	if err != nil || slices.ContainsFunc(left, func(f string) bool { return !strings.HasSuffix(f, ".lock") }) {
		t.Errorf("left over: %q", left)
	}
	shown := b.ok("module", "show", "fasttext-wiki-news-300", "--neighbours", "word3")
	for _, want := range []string{"20 tokens of length 300, language en", "fastText (Mikolov and others, 2018)",
		"300 dimensions, the first 20 of 999,994 tokens",
		"word3:"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in:\n%s", want, shown)
		}
	}
	o := b.run("module", "pull", "fasttext-wiki-news-300", "--mirror", server.URL)
	if o.code != 0 || !strings.Contains(o.stderr, "fasttext-wiki-news-300 is there\n") || len(ranges) != 2 {
		t.Errorf("again: %+v, %d requests", o, len(ranges))
	}
	if o = b.run("module", "pull", "fasttext-wiki-news-300", "--top", "40", "--mirror", server.URL); o.code != 0 ||
		!strings.Contains(o.stderr, "fasttext-wiki-news-300 is there: --overwrite makes it anew") {
		t.Errorf("with other tokens: %+v", o)
	}
	o = b.run("module", "pull", "fasttext-wiki-news-300", "--overwrite", "--keep", "--top", "40", "--mirror", server.URL)
	if o.code != 0 || !strings.Contains(o.stdout, "30") || !strings.Contains(o.stderr, "30 tokens of length 300") ||
		!strings.Contains(o.stderr, "note: wiki-news-300d-1M.vec.zip: wiki-news-300d-1M.vec has 30 tokens, 40 are expected") {
		t.Errorf("all its tokens: %+v", o)
	}
	if _, err := os.Stat(filepath.Join(downloads, "wiki-news-300d-1M.vec.zip")); err != nil {
		t.Errorf("kept: %v", err)
	}
	if list := b.ok("module", "pull", "--list", "fasttext-wiki-news-300", "fasttext-es-300"); strings.Count(list, " module ") < 2 {
		t.Errorf("the list:\n%s", list)
	}
	// Which file of an archive is meant need not be said where there is one.
	zipped := filepath.Join(downloads, "wiki-news-300d-1M.vec.zip")
	if out := b.ok("module", "add", zipped, "--name", "zipped"); !strings.Contains(out, "30 tokens of length 300") {
		t.Error(out)
	}
	if out := b.ok("module", "add", zipped, "--name", "member", "--member", "wiki-news-300d-1M.vec"); !strings.Contains(out,
		"wiki-news-300d-1M.vec.zip, wiki-news-300d-1M.vec") {
		t.Error(out)
	}
	b.fails(exitFailed, []string{`no file "b.vec" in the archive; there are: a.vec, c.vec`, "--member says which"}, "module", "add",
		b.write("two.zip", string(archivetest.Zip("a.vec", "x 1\n", "c.vec", "x 1\n"))), "--member", "b.vec")
	if o := b.run("module", "add", b.write("cut.zip", string(archivetest.Zip("a.vec", "x 1\n")[:30]))); o.code != exitFailed ||
		!strings.Contains(o.stderr, "not a valid zip file") || strings.Contains(o.stderr, "--member") {
		t.Errorf("cut off: %+v", o)
	}
	if o := b.run("module", "add", b.write("empty.zip", string(archivetest.Zip()))); o.code != exitFailed ||
		!strings.Contains(o.stderr, "there is no file in the archive") || strings.Contains(o.stderr, "--member") {
		t.Errorf("empty: %+v", o)
	}
	b.fails(exitFailed, []string{"is no zip archive"}, "module", "add", b.write("one.vec", "x 1\n"), "--member", "one.vec")
}
