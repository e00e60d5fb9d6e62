package fetch

import (
	"fmt"
	"io"
	"path/filepath"
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
	if got := kept(pull.Outcome{Aside: []string{"/d/a.gz.bad"}}, "/d"); got != "\nset aside as /d/a.gz.bad" {
		t.Errorf("%q", got)
	}
	if got := kept(pull.Outcome{}, "/d"); got != "" {
		t.Errorf("%q", got)
	}
}

// One thing alone is told of without a count; a file in the way, in the place of what a person
// can do by hand.
func TestFailures(t *testing.T) {
	a, _ := onTerminal()
	j := Job{What: "things", Hint: func(int) string { return "Get it." }}
	one := pull.Outcome{Name: "x", Status: pull.ByHand}
	there := pull.Outcome{Name: "y", Status: pull.There}
	for _, c := range []struct {
		outcomes []pull.Outcome
		want     string
	}{
		{[]pull.Outcome{one}, "x must be got by hand. Get it."},
		{[]pull.Outcome{one, there}, "1 of 2 things did not come; the others are there:\n\nx must be got by hand. Get it."},
		{[]pull.Outcome{there}, "<nil>"},
	} {
		if got := fmt.Sprint(j.failures(a, c.outcomes)); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	failed := pull.Outcome{Name: "x", Status: pull.Failed, InTheWay: []string{"/d/a.zip"}}
	says := "/d/a.zip was there already and cannot be read: remove it, and the next pull downloads it"
	if got := fmt.Sprint(j.failures(a, []pull.Outcome{failed})); !strings.HasSuffix(got, says) || strings.Contains(got, "Get it.") {
		t.Errorf("in the way: %q", got)
	}
	if got := inTheWay([]string{"a", "b"}); !strings.HasPrefix(got, "a, b were there") {
		t.Errorf("two: %q", got)
	}
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Mirror: "https://files.example/sets"}, ""},
		{Options{Mirror: "files.example"}, "no address"},
		{Options{Mirror: "https://files.example/sets?key=geheim"}, "a query or a fragment"},
		{Options{Mirror: "https://files.example/sets?"}, "a query or a fragment"},
		{Options{Mirror: "https://files.example/sets#all"}, "a query or a fragment"},
		{Options{List: true, DryRun: true}, "--list and --dry-run"},
	} {
		err := c.o.Complete("/data")
		if (err != nil) != (c.want != "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim")) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
		if err == nil && c.o.Dir != filepath.Join("/data", "downloads") {
			t.Errorf("downloads in %s", c.o.Dir)
		}
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
		{[]string{"all", "glove-6b-50"}, false, known, true, nil},
		{[]string{"all", "glvoe-6b-50"}, false, nil, false, []string{`no thing "glvoe-6b-50"; there are glove-6b-50,`}},
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
