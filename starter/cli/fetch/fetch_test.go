package fetch

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"tnaml/activities/download"
	"tnaml/activities/pull"
	"tnaml/deploy/stack/stacktest"
	"tnaml/starter/cli/terminal"
)

// onTerminal is a program on a terminal.
func onTerminal() (*terminal.App, *stacktest.Output) {
	stderr := &stacktest.Output{}
	return &terminal.App{Process: terminal.Process{Stdout: io.Discard, Stderr: stderr, Terminal: true,
		Width: func(io.Writer) int { return 100 }}}, stderr
}

// Bars may be stopped at any moment, also before they were first drawn.
func TestProgressStops(t *testing.T) {
	for i := range 500 {
		a, _ := onTerminal()
		p := newProgress(a)
		if i%2 == 1 {
			p.show(download.Progress{File: "cine.zip", Done: 1, Total: 2})
		}
		time.Sleep(time.Duration(i%5) * 10 * time.Microsecond)
		p.stop()
	}
}

// What is said beside a bar that ends before it is next drawn is shown all the same.
func TestProgressSays(t *testing.T) {
	a, stderr := onTerminal()
	p := newProgress(a)
	p.bars.Log("as a line is said while the last bar goes")
	p.stop()
	if !strings.Contains(stderr.String(), "as a line is said") {
		t.Errorf("told: %q", stderr.String())
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"sms_spam", "SMS-Spam", 0}, {"kitten", "sitting", 3}, {"mnist", "minst", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// What came of a set that did not come whole is told with the failure.
func TestKept(t *testing.T) {
	if got := kept(pull.Outcome{Files: []pull.Piece{{Name: "a.gz"}, {Name: "b.gz"}}}, "/d"); got != "\na.gz, b.gz: in /d, for the next pull" {
		t.Errorf("%q", got)
	}
	if got := kept(pull.Outcome{}, "/d"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestChoose(t *testing.T) {
	known := []string{"glove-6b-50", "glove-6b-100", "fasttext-es-300"}
	for _, c := range []struct {
		names []string
		list  bool
		want  []string
		all   bool
		says  []string
	}{
		{[]string{"all", "other"}, false, known, true, nil},
		{nil, true, known, true, nil},
		{[]string{"fasttext-es-300", "glove-6b-50", "fasttext-es-300"}, true, []string{"fasttext-es-300", "glove-6b-50"}, false, nil},
		{nil, false, nil, false, []string{"which things? Give their names, or all"}},
		{[]string{"glove-6b-10", "glove-6b-50", "es"}, false, nil, false, []string{`no thing "glove-6b-10"; there are glove-6b-100,`,
			`no thing "es"; there are fasttext-es-300,`}},
	} {
		got, all, err := Choose("thing", known, func(s string) string { return s }, c.names, c.list)
		if (err != nil) != (c.says != nil) || err == nil && (!slices.Equal(got, c.want) || all != c.all) {
			t.Errorf("%q: %q, %v, %v", c.names, got, all, err)
		}
		for _, s := range c.says {
			if err != nil && !strings.Contains(err.Error(), s) {
				t.Errorf("%q is not in: %v", s, err)
			}
		}
	}
}

func TestShown(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		there *bool
		files bool
		want  string
	}{{&yes, true, "module"}, {&no, true, "files"}, {nil, true, "files"}, {nil, false, "?"}, {&no, false, "–"}} {
		if got := Here(c.there, c.files, "module"); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for want, got := range map[string]string{"?": SizeOf(0, true), "1.0 kB": SizeOf(1000, true), "~1.0 kB": SizeOf(1000, false)} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	o := Options{Mirror: "https://me:geheim@files.example/sets/"}
	if got := o.mirrorOf("a.zip"); got != "https://me:xxxxx@files.example/sets/a.zip" {
		t.Errorf("the mirror: %s", got)
	}
	if got := (&Options{}).mirrorOf("a.zip"); got != "" {
		t.Errorf("no mirror: %s", got)
	}
}
