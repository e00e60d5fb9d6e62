package yamlnode

import (
	"errors"
	"fmt"
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
	if name != "x" || !on || count != 7 || size != 0 || share != .5 || word != "a" || len(words) != 1 || !reflect.DeepEqual(seeds, []uint64{1, 1<<64 - 1}) {
		t.Error(name, on, count, size, share, words, seeds)
	}
	if got := root.Entry("deep").Value.Plain(); !reflect.DeepEqual(got, []any{map[string]any{"k": 1.5}}) || root.Entry("none") != nil {
		t.Errorf("%v", got)
	}
	want := []string{
		`line 4: "size" is big, it must be a whole number from 1 to 10000000`, `line 6: "words" holds "a" twice`, `line 6: "words" holds 3, it must hold words`,
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
		"":                      "line 1: the file is empty",
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
