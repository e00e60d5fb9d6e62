package module

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/starter/cli/fetch"
	"tnaml/starter/cli/terminal"
)

// One module that does not come keeps no other back, and is a failure with what to do by
// hand; where all were meant, one that has no address is none.
func TestPullFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/glove.6B.zip" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/zip")
		w.Write(archivetest.Zip("glove.6B.50d.txt", "the"+strings.Repeat(" 1", 50)+"\n"))
	}))
	defer server.Close()
	var sets []catalog.Vectors
	for _, v := range catalog.PublishedVectors() {
		switch v.Name {
		case "glove-6b-50", "glove-6b-100": // no address but the mirror's, and no digest of the real file
			v.File.URLs, v.File.Size, v.File.SHA256, v.Tokens = nil, 0, "", 1
		case "fasttext-es-300":
			v.File.URLs = []catalog.PublishedURL{{URL: server.URL + "/moved"}}
		default:
			continue
		}
		sets = append(sets, v)
	}
	for _, c := range []struct {
		mirror string
		all    bool
		sets   []catalog.Vectors
		says   []string // of the error
		told   string
		put    string // the archive's content, of a person
	}{
		{server.URL, false, sets, []string{"2 of 3 modules did not come; the others are there",
			`glove-6b-100: glove.6B.zip: there is no file "glove.6B.100d.txt" in the archive`, "fasttext-es-300: cc.es.300.vec.gz cannot be had",
			"404 Not Found", "By hand: Get cc.es.300.vec.gz from the links of https://fasttext.cc/docs/en/crawl-vectors.html"},
			"glove-6b-50: 1 tokens of length 50", ""},
		{server.URL, false, sets[1:2], []string{`there is no file "glove.6B.100d.txt"`, "set aside as ", "glove.6B.zip.bad"}, "", ""},
		{server.URL, false, sets[:1], []string{"glove.6B.zip was there already and cannot be read: remove it, and the next pull downloads it"},
			"", "vectors"},
		{"", false, sets[:1], []string{"glove-6b-50 must be got by hand. Get glove.6B.zip from"}, "", ""},
		{"", true, sets[:2], nil, "glove-6b-100 must be got by hand", ""},
	} {
		var stdout, stderr stacktest.Output
		a := app{&terminal.App{Process: terminal.Process{Stdout: &stdout, Stderr: &stderr, Width: func(io.Writer) int { return 100 }},
			Config: &deploy.Config{}}}
		dir := t.TempDir()
		if c.put != "" {
			if err := os.WriteFile(filepath.Join(dir, "glove.6B.zip"), []byte(c.put), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := a.pull(t.Context(), store.NewMemory(), c.sets, c.all, pullOptions{Options: fetch.Options{Dir: dir, Mirror: c.mirror}})
		if c.put != "" && err != nil && (strings.Contains(err.Error(), "Put it") || strings.Contains(err.Error(), "for the next pull")) {
			t.Errorf("what is there is to be put there: %v", err)
		}
		if (err == nil) != (c.says == nil) {
			t.Errorf("%q: %v", c.mirror, err)
		}
		for _, want := range c.says {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
		if !strings.Contains(stderr.String(), c.told) {
			t.Errorf("%q was not told:\n%s", c.told, stderr.String())
		}
	}
}
