package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/deploy/stack/stacktest"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/starter/cli/fetch"
	"tnaml/starter/cli/terminal"
)

// filesServer serves files by their names.
func filesServer(t *testing.T, files map[string][]byte) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, files) }))
	t.Cleanup(server.Close)
	return server.URL
}

func serveFile(w http.ResponseWriter, r *http.Request, files map[string][]byte) {
	b, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// economicNews is the file of the set economic_news, in small.
func economicNews() []byte {
	var b strings.Builder
	b.WriteString("_unit_id,_golden,relevance,relevance:confidence,headline,text\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%d,FALSE,%s,1,x,\"Prices, as of day %d\"\n", i, []string{"yes", "no", "not sure"}[i%3], i)
	}
	return []byte(b.String())
}

// cine is the archive of the set sentiment_cine, in small.
func cine() []byte {
	var pairs []string
	for i := range 40 {
		pairs = append(pairs, fmt.Sprintf("corpusCriticasCine/%d.xml", i+2),
			fmt.Sprintf("<?xml version=\"1.0\"?>\n<review author=\"A\" rank=\"%d\" maxRank=\"5\"><summary>s</summary><body>Una pel\xedcula "+
				"%d</body></review>", i%5+1, i))
	}
	return archivetest.Zip(pairs...)
}

// pullRun runs the command's work on a store in memory.
type pullRun struct {
	app            app
	stdout, stderr stacktest.Output
	err            error
}

func newPullRun(t *testing.T, tty bool) *pullRun {
	r := &pullRun{}
	r.app = app{&terminal.App{
		Process: terminal.Process{Stdout: &r.stdout, Stderr: &r.stderr, Terminal: tty, Width: func(io.Writer) int { return 100 }},
		Config:  &deploy.Config{DataDir: t.TempDir()},
	}}
	return r
}

func (r *pullRun) pull(ctx context.Context, s store.Store, sets []catalog.Dataset, all bool, o pullOptions) {
	r.err = r.app.pull(ctx, s, sets, all, o)
}

func runPull(t *testing.T, ctx context.Context, s store.Store, terminal bool, sets []catalog.Dataset, all bool, o pullOptions) *pullRun {
	r := newPullRun(t, terminal)
	r.pull(ctx, s, sets, all, o)
	return r
}

func chosen(t *testing.T, names ...string) []catalog.Dataset {
	sets, _, err := chooseDatasets(catalog.Datasets(), names, "", false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sets { // no address but the mirror's
		for k := range sets[i].Sources {
			for j := range sets[i].Sources[k].Files {
				f := &sets[i].Sources[k].Files[j]
				if len(f.URLs) > 0 {
					f.URLs = []catalog.PublishedURL{{URL: "http://127.0.0.1:1/" + f.Name}}
				}
			}
		}
	}
	return sets
}

func TestPull(t *testing.T) {
	mirror := filesServer(t, map[string][]byte{"Full-Economic-News-DFE-839861.csv": economicNews(), "corpusCine.zip": cine(),
		"brown.zip": []byte("not the archive")})
	for _, terminal := range []bool{false, true} {
		s := store.NewMemory()
		o := pullOptions{Options: fetch.Options{Dir: t.TempDir(), Mirror: mirror}}
		r := runPull(t, t.Context(), s, terminal, chosen(t, "economic_news", "sentiment_cine"), false, o)
		if r.err != nil {
			t.Fatal(r.err)
		}
		for _, want := range []string{"economic_news", "40", "sentiment_cine", "32"} {
			if !strings.Contains(r.stdout.String(), want) {
				t.Errorf("%q is not in:\n%s", want, r.stdout.String())
			}
		}
		if !strings.Contains(r.stderr.String(), "sentiment_cine: 32 examples in 2 classes") {
			t.Errorf("told:\n%s", r.stderr.String())
		}
		if r = runPull(t, t.Context(), s, terminal, chosen(t, "economic_news"), false, o); r.err != nil ||
			!strings.Contains(r.stderr.String(), "economic_news is there") || r.stdout.String() != "" {
			t.Errorf("again: %v\n%s%s", r.err, r.stdout.String(), r.stderr.String())
		}
	}
	s := store.NewMemory()
	o := pullOptions{Options: fetch.Options{Dir: t.TempDir(), Mirror: mirror}}
	r := runPull(t, t.Context(), s, false, chosen(t, "brown_corpus", "economic_news", "mpqa_opinion"), false, o)
	if r.err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"2 of 3 data sets did not come", "brown_corpus: brown.zip cannot be had",
		mirror + "/brown.zip: not the file expected: its SHA-256", "By hand: Download brown.zip", "mpqa_opinion", "Put mpqa.all into " + o.Dir} {
		if !strings.Contains(r.err.Error(), want) {
			t.Errorf("%q is not in: %v", want, r.err)
		}
	}
	if !strings.Contains(r.stdout.String(), "economic_news") {
		t.Errorf("what came stays:\n%s", r.stdout.String())
	}
	// All: what must be got by hand is told, and is no failure.
	o.Mirror = ""
	if r = runPull(t, t.Context(), s, false, chosen(t, "mpqa_opinion", "mnist"), false,
		pullOptions{Options: fetch.Options{Dir: t.TempDir(), Mirror: mirror}}); r.err == nil || strings.Contains(r.err.Error(), "the others") {
		t.Errorf("none came: %v", r.err)
	}
	if r = runPull(t, t.Context(), s, false, chosen(t, "mpqa_opinion", "economic_news"), true, o); r.err != nil ||
		!strings.Contains(r.stderr.String(), "mpqa_opinion must be got by hand") {
		t.Errorf("all: %v\n%s", r.err, r.stderr.String())
	}
}

// An interrupted pull says how to go on, and goes on where it was.
func TestPullInterrupted(t *testing.T) {
	files := map[string][]byte{"corpusCine.zip": cine()}
	half := int64(len(files["corpusCine.zip"]) / 2)
	for _, terminal := range []bool{false, true} {
		var ranges []string // of one request after the other: the first stops half-way
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if ranges = append(ranges, r.Header.Get("Range")); len(ranges) > 1 {
				serveFile(w, r, files)
				return
			}
			b := files["corpusCine.zip"]
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			_, _ = w.Write(b[:half])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		o := pullOptions{Options: fetch.Options{Dir: t.TempDir(), Mirror: server.URL}}
		ctx, cancel := context.WithCancel(t.Context())
		r := newPullRun(t, terminal)
		go func() { // the interrupt, when all that was sent is there and to be seen
			defer cancel()
			for ctx.Err() == nil {
				info, err := os.Stat(filepath.Join(o.Dir, "corpusCine.zip.part"))
				if err == nil && info.Size() == half && (!terminal || strings.Contains(r.stderr.String(), "corpusCine.zip")) {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		r.pull(ctx, store.NewMemory(), chosen(t, "sentiment_cine"), false, o)
		if !errors.Is(r.err, context.Canceled) || !strings.Contains(r.stderr.String(), "run the command again to go on") {
			t.Errorf("%v\n%s", r.err, r.stderr.String())
		}
		if r = runPull(t, t.Context(), store.NewMemory(), terminal, chosen(t, "sentiment_cine"), false, o); r.err != nil {
			t.Error(r.err)
		}
		server.Close()
		if want := []string{"", fmt.Sprintf("bytes=%d-", half)}; !slices.Equal(ranges, want) {
			t.Errorf("ranges %q, want %q", ranges, want)
		}
	}
}
