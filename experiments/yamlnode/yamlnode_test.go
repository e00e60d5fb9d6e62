package yamlnode

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// All that is wrong is told at once, with lines, and what is right is read.
func TestReader(t *testing.T) {
	r, root := Read([]byte(`name: " x "
on: true
count: 7
size: big
share: .5
words: [a, a, 3]
seeds: [1, 18446744073709551615, -1]
colour: red
section: {}
deep:
  - {k: 1.5}
name: again
`), "thing")
	var name, word string
	var on bool
	var count, size int
	var share float64
	var words []string
	var seeds []uint64
	r.Fields(root, "the thing", map[string]func(Entry){
		"name": r.Text(&name), "on": r.Flag(&on), "count": r.Number(&count, 1), "size": r.Number(&size, 1), "share": r.Real(&share),
		"words": r.Words(&words, func(_ int, w string) { word = w }), "seeds": r.Seeds(&seeds),
		"section": func(e Entry) { r.Fields(e.Value, e.Key, nil); r.Need(e, "tasks", false) },
		"deep": func(e Entry) {
			r.BadEach(e.Line, e.Key, errors.Join(errors.New("one"), errors.Join(errors.New("two\nlines"))))
		},
	})
	if name != "x" || !on || count != 7 || size != 0 || share != .5 || word != "a" || len(words) != 1 ||
		!reflect.DeepEqual(seeds, []uint64{1, 1<<64 - 1}) {
		t.Error(name, on, count, size, share, words, seeds)
	}
	if got := root.Entry("deep").Value.Plain(); !reflect.DeepEqual(got, []any{map[string]any{"k": 1.5}}) || root.Entry("none") != nil {
		t.Errorf("%v", got)
	}
	want := []string{
		`line 4: "size" is big, it must be a whole number from 1 to 10000000`, `line 6: "words" holds "a" twice`,
		`line 6: "words" holds 3, it must hold words`,
		`line 7: "seeds" holds -1, it must hold whole numbers`,
		`line 8: unknown field "colour" of the thing (known: count, deep, name, on, section, seeds, share, size, words)`,
		`line 9: "section" lacks "tasks"`, `line 10: deep: one`, `line 10: deep: two; lines`, `line 12: "name" is there twice, in line 1 already`,
	}
	if got := fmt.Sprint(r.Err()); got != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "line 1: it is nothing, it must be a mapping",
		"# words alone\n":       "line 1: it is nothing, it must be a mapping",
		"- a\n":                 "line 1: it is a list, it must be a mapping",
		"null\n":                "line 1: it is nothing, it must be a mapping",
		"a: 1\nb: [":            "not valid YAML",
		"a: 1\n---\nb: 1\n":     "a second document: one thing a file",
		"a: &x 1\n":             "line 1: anchor: write it out",
		"1: y\n":                "the key 1 is no word",
		strings.Repeat("[", 40): "line 1",
		"a: " + strings.Repeat("[", 30) + strings.Repeat("]", 30): "line 1: nested more than 20 deep",
		strings.Repeat("a", 1<<20+1):                              "the file has 1048577 bytes",
	} {
		r, root := Read([]byte(text), "thing")
		r.Fields(root, "it", map[string]func(Entry){"a": func(Entry) {}, "b": func(Entry) {}})
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %q is not in: %v", text, want, err)
		}
	}
}

// Scalars without quotes are those of YAML 1.2's core schema; what is in quotes
// is text.
func TestScalars(t *testing.T) {
	for text, want := range map[string]any{
		"1e-5": 1e-5, "1E5": 1e5, "1e5": 1e5, "1.5e+3": 1500., ".5": .5, "-.5": -.5, "5.": 5., "+1": uint64(1), "-1": int64(-1),
		"0x1F": uint64(31),
		"0o17": uint64(15), "017": uint64(17), "1.": 1., "-0": uint64(0), "0.1": .1, "1_000": "1_000", "0b11": "0b11", "-0x1": "-0x1",
		"0o8": "0o8",
		"1e":  "1e", "e5": "e5", "1:30": "1:30", "1 2": "1 2", "2018-01-01": "2018-01-01", ".": ".", "+": "+", "1.2.3": "1.2.3", "0x": "0x",
		"18446744073709551615": uint64(1<<64 - 1), "18446744073709551616": 0x1p64, "-9223372036854775808": int64(-1 << 63), "1e400": math.Inf(1),
		".inf": math.Inf(1), "-.inf": math.Inf(-1), `"1e-5"`: "1e-5", "'1'": "1", `"true"`: "true", "true": true, "false": false, "yes": "yes",
		"null": nil, "~": nil, "": nil, `""`: "", "|\n  1e-5": "1e-5\n", ">-\n  1\n  2": "1 2", "1e-5 # of it": 1e-5, "word": "word",
	} {
		r, root := Read([]byte("a: "+text+"\n"), "thing")
		if err := r.Err(); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := root.Entry("a").Value.Plain(); got != want {
			t.Errorf("%s is %v (%T), want %v (%T)", text, got, got, want, want)
		}
	}
	r, root := Read([]byte("a: [.nan, .5, 1e-5, \"1e-5\"]\nb: {k: 1e3}\n1e5: x\n"), "thing")
	list := root.Entry("a").Value.Plain().([]any)
	if f, _ := list[0].(float64); !math.IsNaN(f) || !reflect.DeepEqual(list[1:], []any{.5, 1e-5, "1e-5"}) {
		t.Errorf("%v", list)
	}
	if got := root.Entry("b").Value.Plain(); !reflect.DeepEqual(got, map[string]any{"k": 1e3}) || r.Problems() != 0 ||
		root.Entry("1e5") == nil {
		t.Errorf("%v, %v", got, r.Err())
	}
}

// A byte order mark, as editors on Windows write it, is no part of the text, and
// their line ends are line ends.
func TestByteOrderMark(t *testing.T) {
	for _, text := range []string{"\ufeffname: x\nsize: 2\n", "\ufeffname: x\r\nsize: 2\r\n", "\ufeff# words\nname: x\nsize: 2\n",
		"\ufeff---\nname: x\nsize: 2\n"} {
		r, root := Read([]byte(text), "thing")
		if got := root.Plain(); r.Err() != nil || !reflect.DeepEqual(got, map[string]any{"name": "x", "size": uint64(2)}) {
			t.Errorf("%q: %v, %v", text, got, r.Err())
		}
	}
}
