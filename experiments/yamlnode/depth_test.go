package yamlnode

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// blocks is a mapping in a mapping and so on, n of them, a line each.
func blocks(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%s\n", strings.Repeat(" ", i), line)
	}
	return b.String()
}

// What is nested without an end is refused before it is parsed: a hundred thousand
// brackets took more memory than there is, and many keys took minutes.
func TestExcess(t *testing.T) {
	var keys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, "k%d:\n", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"brackets": {"a:\n  " + strings.Repeat("[", 1<<20-100), "line 2: nested more than 20 deep"},
		"braces":   {strings.Repeat("{a: ", 1<<18), "line 1: nested more than 20 deep"},
		"dashes":   {strings.Repeat("- ", 1<<19), "line 1: nested more than 20 deep"},
		"question": {strings.Repeat("? ", 1<<19), "line 1: nested more than 20 deep"},
		"indented": {blocks(1000, "a:"), "line 22: nested more than 20 deep"},
		"keys":     {keys.String(), "line 5001: a mapping of more than 5000 keys"},
		"in flow":  {"a: {" + strings.ReplaceAll(keys.String(), "\n", " ,") + "}", "a mapping of more than 5000 keys"},
	} {
		begin := time.Now()
		r, _ := Read([]byte(c.text), "thing")
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200v, want %s", name, err, c.want)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}

// What may be read is read, as deep and as wide as may be.
func TestExcessLeaves(t *testing.T) {
	var wide strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&wide, "%d-x: {a: [1, {b: 2}]}\n\"q%d\":\n- a: 1\n  b: [c]\n- - d\n  - e: {}\n", i, i)
	}
	for name, text := range map[string]string{
		"blocks": blocks(maxDepth, "a:"),
		"flow":   strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
		"dashes": strings.Repeat("- ", maxDepth) + "x",
		"both":   strings.Repeat("- ", 10) + strings.Repeat("{a: ", 10) + "x" + strings.Repeat("}", 10),
		"wide":   wide.String(), "siblings": "a:\n" + strings.Repeat("- [[], [[]]]\n- b:\n    c:\n      d: 1\n", 2000),
		"documents": "# one\n---\n" + blocks(maxDepth, "a:"),
		"texts":     "a: |\n  - - - - [[[[[[[[[[[[[[[[[[[[[[[[[[\nb: \"[[[[[[[[[[[[[[[[[[[[[[[[[[[\"\n",
	} {
		if r, root := Read([]byte(text), "thing"); r.Err() != nil || root.Kind == Null {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}

// What is refused before parsing as too deep would be refused after it too.
func FuzzExcess(f *testing.F) {
	for _, s := range []string{blocks(30, "a:"), strings.Repeat("- ", 30), strings.Repeat("[", 22) + strings.Repeat("]", 22), "a: [b]\n",
		"? - a\n: - b\n", "a: &x {b: !t c}\r\n---\n- |\n  x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 || strings.Count(s, "[")+strings.Count(s, "{") > 200 {
			return
		}
		tokens := lexer.Tokenize(s)
		if _, err := excess(tokens); !errors.Is(err, errTooDeep) {
			return
		}
		file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
		if err != nil {
			return
		}
		r := &Reader{}
		for _, d := range file.Docs {
			if d.Body != nil {
				r.convert(d.Body, 0)
			}
		}
		if r.Problems() == 0 {
			t.Errorf("%q is not too deep", s)
		}
	})
}

// Of thousands of problems the first are told, and keys that are there twice do not
// take a time that grows with their square.
func TestManyProblems(t *testing.T) {
	var text strings.Builder
	for range 4 {
		for i := range 1000 {
			fmt.Fprintf(&text, "k%d: 1\n", i)
		}
	}
	r, root := Read([]byte(text.String()), "thing")
	r.Fields(root, "the thing", nil)
	lines := strings.Split(r.Err().Error(), "\n")
	if len(lines) != 21 || lines[0] != `line 1: unknown field "k0" of the thing (known: )` || lines[20] != "and 3980 problems more" {
		t.Errorf("%d lines: %s", len(lines), lines)
	}
}

// Nothing, and comments alone, are read without a problem: who needs more says so.
func TestEmpty(t *testing.T) {
	for _, text := range []string{"", "\n", "# words\n", "\ufeff# words\n\n# more\n", "---\n", "# words\n---\n# more\n"} {
		if r, root := Read([]byte(text), "thing"); r.Err() != nil || root.Kind != Null || root.Line != 1 {
			t.Errorf("%q: %+v, %v", text, root, r.Err())
		}
	}
}

// A scalar's source is what stands there.
func TestSource(t *testing.T) {
	r, root := Read([]byte("[007, 0x1F, 1.50, true, ~, .inf, 'a b', \"007\", 1e3, +5, word, 0o17]\n"), "thing")
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	var got []string
	for _, n := range root.Items {
		got = append(got, n.Source)
	}
	if want := "007|0x1F|1.50|true||.inf|a b|007|1e3|+5|word|0o17"; strings.Join(got, "|") != want {
		t.Errorf("%s, want %s", strings.Join(got, "|"), want)
	}
}
