package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tnaml/activities/pull"
	"tnaml/experiments/catalog"
)

func TestPullWithoutServers(t *testing.T) {
	b := offline(t)
	list := b.ok("data", "pull", "--list")
	for _, want := range []string{"sms_spam", "SMS Spam, transfer", "84 MB", "by hand", "for Sentiment Cine", "CC BY 4.0"} {
		if !strings.Contains(list, want) {
			t.Errorf("%q is not in the list:\n%s", want, list)
		}
	}
	if o := b.run("data", "pull", "--list", "mnist"); strings.Count(o.stdout, "\n") != 3 ||
		!strings.Contains(o.stderr, "None of the addresses has been tried") {
		t.Errorf("one set: %+v", o)
	}
	var sets []struct {
		There             *bool
		Files             bool
		Licence, Citation string
	}
	if err := json.Unmarshal([]byte(b.ok("data", "pull", "--list", "--json")), &sets); err != nil || len(sets) != len(catalog.Datasets()) {
		t.Errorf("%d sets: %v", len(sets), err)
	}
	for _, s := range sets {
		if s.There != nil || s.Files || s.Licence == "" || s.Citation == "" {
			t.Errorf("%+v", s)
		}
	}
	dry := b.ok("data", "pull", "--dry-run", "sms_spam", "mpqa_opinion", "--mirror", "https://files.example/sets/")
	for _, want := range []string{"https://files.example/sets/sms-spam-collection.zip", "https://archive.ics.uci.edu/", "(tried: never)",
		"SHA-256 1587ea43", "@inproceedings{almeida2011sms", "Put mpqa.all into " +
			filepath.Join(b.dir, "data", "downloads"), "starter data pull mpqa_opinion"} {
		if !strings.Contains(dry, want) {
			t.Errorf("%q is not in:\n%s", want, dry)
		}
	}
	small := b.ok("data", "pull", "--dry-run", "--experiment", "nlp-small")
	if strings.Count(small, "\n  citation ") != 6 || !strings.Contains(small, "global_warming") {
		t.Errorf("an experiment:\n%s", small)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "data", "downloads")); !os.IsNotExist(err) {
		t.Errorf("a dry run makes no directory: %v", err)
	}
	b.fails(exitUsage, []string{`no data set "sms-spam"; there are sms_spam,`, `no data set "imdb"; there are`}, "data", "pull", "sms-spam",
		"imdb", "mnist")
	b.fails(exitUsage, []string{`no data set "mpqa"; there are mpqa_opinion,`}, "data", "pull", "mpqa")
	b.fails(exitUsage, []string{"--mirror is no address"}, "data", "pull", "mnist", "--mirror", "files.example/sets")
	if o := b.run("data", "pull", "--dry-run", "mnist", "--mirror",
		"https://me:geheim@files.example/sets"); strings.Contains(o.stdout+o.stderr, "geheim") ||
		!strings.Contains(o.stdout, "https://me:xxxxx@files.example/sets/") {
		t.Errorf("the mirror's password: %+v", o)
	}
	if out := b.ok("data", "pull", "--dry-run", "mnist", "--json"); !strings.Contains(out, `"sha256": "`) ||
		!strings.Contains(out, `"as": "idx"`) {
		t.Errorf("JSON:\n%s", out)
	}
	b.fails(exitUsage, []string{"Give their names, or all"}, "data", "pull")
	b.fails(exitUsage, []string{"godoc"}, "data", "pull", "--experiment", "godoc")
	b.fails(exitUsage, []string{"no public data sets"}, "data", "pull", "--experiment", "demo")
	b.fails(exitFailed, []string{"starter up"}, "data", "pull", "mnist")
}

// The whole command against real servers.
func TestPullCommand(t *testing.T) {
	b, _ := online(t)
	var news strings.Builder // in small
	news.WriteString("_unit_id,_golden,relevance,relevance:confidence,headline,text\n")
	for i := range 60 {
		fmt.Fprintf(&news, "%d,FALSE,%s,1,x,\"Prices, as of day %d\"\n", i, []string{"yes", "no", "not sure"}[i%3], i)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/Full-Economic-News-DFE-839861.csv" {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "x.csv", time.Time{}, strings.NewReader(news.String()))
	}))
	defer server.Close()
	mirror := server.URL
	var out []pull.Outcome
	if err := json.Unmarshal([]byte(b.ok("data", "pull", "economic_news", "--mirror", mirror, "--json", "--keep", "--dir", b.dir)),
		&out); err != nil || len(out) != 1 || out[0].Status != pull.Stored || out[0].Card.Examples != 40 {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "Full-Economic-News-DFE-839861.csv")); err != nil {
		t.Errorf("kept: %v", err)
	}
	shown := b.ok("data", "show", "economic_news")
	if !strings.Contains(shown, "not_relevant") || !strings.Contains(shown, "data.world") {
		t.Errorf("the card:\n%s", shown)
	}
	if list := b.ok("data", "pull", "--list", "economic_news", "--dir", b.dir); !strings.Contains(list, "task") {
		t.Errorf("the list:\n%s", list)
	}
}
