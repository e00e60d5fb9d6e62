package catalog

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every task of the built-in experiments has a data set, but those that the
// demonstration makes itself.
func TestDatasetsOfExperiments(t *testing.T) {
	known := map[string]bool{}
	for _, d := range Datasets() {
		known[d.Name] = true
	}
	wanted := map[string]string{}
	for _, name := range BuiltinNames() {
		e, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range e.Tasks() {
			if !strings.HasPrefix(task, "godoc-") {
				wanted[task] = name
			}
		}
	}
	if len(wanted) < 24 {
		t.Errorf("only %d tasks in the built-in experiments", len(wanted))
	}
	for _, task := range slices.Sorted(maps.Keys(wanted)) {
		if !known[task] {
			t.Errorf("experiment %s has the task %s, which is no data set of the catalogue", wanted[task], task)
		}
	}
}

// The paper's 21 text sets and three image sets are there, each under its name
// there or with a stand-in.
func TestDatasetsOfPaper(t *testing.T) {
	paper := map[string]map[string]bool{}
	for _, d := range Datasets() {
		role := d.Role
		if d.Images() {
			role = "image " + role
		}
		if paper[role] == nil {
			paper[role] = map[string]bool{}
		}
		if !d.StandIn {
			paper[role][d.Paper] = true
		}
		if !d.Pullable() && d.Name != "mpqa_opinion" {
			t.Errorf("%s cannot be pulled", d.Name)
		}
	}
	want := map[string]int{"pretraining": 8, "transfer": 13, "image pretraining": 2, "image transfer": 1}
	for role, n := range want {
		if len(paper[role]) != n {
			t.Errorf("%d tasks of the paper for %s, want %d: %v", len(paper[role]), role, n, slices.Sorted(maps.Keys(paper[role])))
		}
	}
}

// A catalogue with a mistake in it is refused, and the message says which.
func TestParseDatasetsRefuses(t *testing.T) {
	const good = `- name: a
  title: A
  role: transfer
  paper: A
  language: en
  homepage: https://a.example
  licence: CC0
  citation: "@misc{a, title={A}}"
  manual: by hand
  sources:
    - files: [{name: a.tsv, urls: [{url: "https://a.example/a.tsv", tried: never}]}]
      read: {as: table, parts: [{}]}
`
	if _, err := ParseDatasets([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"name: a\n", "nam: a\n", "nam"},
		{"name: a\n", "name: A b\n", "small letters"},
		{"role: transfer", "role: other", `role "other"`},
		{"licence: CC0", "licence: \"\"", "no licence"},
		{"title={A}", "title={A}\\n", "BibTeX"},
		{"tried: never", "tried: once", "tried"},
		{"https://a.example/a.tsv", "ftp://a.example", "neither https nor http"},
		{"as: table", "as: tabel", `unknown layout "tabel"`},
		{"parts: [{}]", "parts: [{file: b.tsv}]", `"b.tsv" is none of the files`},
		{"parts: [{}]", "parts: []", "no parts"},
		{"name: a.tsv", "name: a.tsv, sha256: 00", "64 small"},
		{"name: a.tsv", "name: ../a.tsv", "a name of letters"},
		{"name: a.tsv", "name: a.tsv, sha256: " + strings.Repeat("0", 64), "whence"},
		{"parts: [{}]", "parts: [{}], encoding: klingon", "klingon"},
		{"parts: [{}]", "parts: [{}], repair: [x]", "wrong>right"},
		{"parts: [{}]", "parts: [{split: x}]", `unknown split "x"`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if _, err := ParseDatasets([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.new, err, c.want)
		}
	}
	if _, err := ParseDatasets([]byte(good + good)); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("twice: %v", err)
	}
}

// The catalogue can be edited without breaking the reader of any set: its data
// sets are in the folder of the shared data too, where that is there.
func TestDatasetsAreShared(t *testing.T) {
	dir := os.Getenv("TNAML_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	folders, err := filepath.Glob(filepath.Join(dir, "*", "*", "META.json"))
	if err != nil || len(folders) == 0 {
		t.Skipf("no data sets at %s (TNAML_DATA)", dir)
	}
	known := map[string]bool{}
	for _, d := range Datasets() {
		known[d.Name] = true
	}
	for _, f := range folders {
		kind, name := filepath.Base(filepath.Dir(filepath.Dir(f))), filepath.Base(filepath.Dir(f))
		if (kind == "text" || kind == "image") && !known[name] {
			t.Errorf("%s/%s is no data set of the catalogue", kind, name)
		}
	}
}
