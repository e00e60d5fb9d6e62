package embedding

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func TestReadText(t *testing.T) {
	ab := &Module{Name: "n", Dim: 2, Tokens: []string{"a", "b"}, Vectors: []float32{1, 2, -3.5, 4e-3}}
	for _, c := range []struct {
		name, text string
		top        int
		want       *Module
	}{
		{"word2vec", "2 2\na 1 2\nb -3.5 4e-3\n", 0, ab},
		{"GloVe", "a 1 2\nb -3.5 4e-3", 0, ab},
		{"gzip", zipped("2 2\na 1 2\nb -3.5 4e-3\n"), 0, ab},
		{"tabs, trailing spaces, CRLF, byte order mark, empty line", "\ufeffa\t1  2 \r\n\r\nb -3.5 4e-3 \r\n", 0, ab},
		{"top", "3 2\na 1 2\nb -3.5 4e-3\nc 5 6\n", 2, ab},
		{"top stops before damage", "a 1 2\nb -3.5 4e-3\nc 5\n", 2, ab},
		{"top beyond the end", "a 1 2\nb -3.5 4e-3\n", 5, ab},
		{"the first of two wins", "4 2\na 1 2\nb -3.5 4e-3\na 7 7\nb 8 8\n", 0, ab},
		{"top counts different tokens", "a 1 2\na 9 9\nb -3.5 4e-3\nc 1 1\n", 2, ab},
		{"tokens with white space are left out", "a 1 2\n. . . 3 4\nx\u00a0y 5 6\nb -3.5 4e-3\nat name@host 1 2\n", 0, ab},
		{"a token that is a number", "3 2 7\n4 5 6\n", 0, &Module{Name: "n", Dim: 2, Tokens: []string{"3", "4"}, Vectors: []float32{2, 7, 5, 6}}},
		{"vectors of length one", "a 1\nb 2\n", 0, &Module{Name: "n", Dim: 1, Tokens: []string{"a", "b"}, Vectors: []float32{1, 2}}},
	} {
		got, err := ReadText(strings.NewReader(c.text), "n", c.top)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestReadTextRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"vectors n: no vectors"}},
		{"a header alone", "2 3\n", []string{"announces 2 tokens, there are 0"}},
		{"a header of no tokens", "0 10\n", []string{"announces 0 tokens", "nothing to read"}},
		{"a header of no length", "3 0\na 1\n", []string{"announces 3 tokens with vectors of length 0"}},
		{"a header of a huge length", "3 2000000\n", []string{"line 1: the header announces vectors of length 2000000; at most 1048576"}},
		{"token alone", "a\n", []string{`line 1`, `"a" alone`}},
		{"short line", "a 1 2\n\nb 1\n", []string{"line 3", "2 numbers", "2 fields"}},
		{"long line", "a 1 2\nb 1 2 3\n", []string{"line 2", "4 fields"}},
		{"other length than the header's", "1 3\na 1 2\n", []string{"line 2", "3 numbers"}},
		{"file cut off", "3 2\na 1 2\nb 1 2\n", []string{"announces 3 tokens, there are 2", "whole"}},
		{"file too long", "1 2\na 1 2\nb 1 2\n", []string{"announces 1 tokens, there are 2"}},
		{"no number", "a 1 2\nb 1 x\n", []string{"line 2", `number 2 of "b" is "x"`}},
		{"not finite", "a 1 NaN\nb Inf 1\nc 1e60 1\n", []string{"line 1", "line 2", "line 3"}},
		{"several problems", "a 1 2\nb 1\nc 1 y\n", []string{"line 2", "line 3"}},
		{"not UTF-8", "a 1 2\ncaf\xe9 1 2\n", []string{"line 2", "UTF-8"}},
		{"gzip cut off", zipped("a 1 2\nb 1 2\n")[:24], []string{"unexpected EOF"}},
		{"gzip damaged", "\x1f\x8bnot gzip", []string{"gzip"}},
		{"one endless line", "a 1 2\n" + strings.Repeat("1 ", maxLine), []string{"line 2", "no text file of vectors"}},
		{"no spaces", strings.Repeat("x", maxLine/2) + "\n", []string{"line 1", `xxx" alone`}},
		{"no numbers", "a " + strings.Repeat("x", maxLine/2) + "\n", []string{"line 1", "number 1"}},
		{"binary word2vec", "2 2\na \x00\x00\x80?\x00\x00\x00@\nb \x00\x00\x80?", []string{"line 2"}},
	} {
		m, err := ReadText(strings.NewReader(c.text), "n", 0)
		if err == nil || m != nil {
			t.Errorf("%s: accepted: %v", c.name, m)
			continue
		}
		if len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", c.name, len(err.Error()))
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
	many := "a 1 2\n" + strings.Repeat("b 1\n", 25)
	if _, err := ReadText(strings.NewReader(many), "n", 0); err == nil || strings.Count(err.Error(), "\n") != maxProblems ||
		!strings.Contains(err.Error(), "and 15 more") {
		t.Errorf("25 problems: %v", err)
	}
}

// Of other forms in which vectors are published the way out is told.
func TestReadOtherForms(t *testing.T) {
	for begins, want := range map[string]string{"PK\x03\x04": "zip archive: unpack it", "BZh91AY&SY": "bzip2: unpack it",
		"\xfd7zXZ\x00": "xz: unpack it", "\xba\x16\x4f\x2f": "fastText's own binary form: give its vectors as text",
		"\x93NUMPY": "a token and its vector a line"} {
		if _, err := Read(strings.NewReader(begins+"\x01\x00 more\n1 2\n"), "n", 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", begins, err, want)
		}
	}
	if m, err := Read(strings.NewReader("BZh 1 2\nb 3 4\n"), "n", 0); err != nil || m.Tokens[0] != "BZh" {
		t.Errorf("a token: %v", err)
	}
}

func FuzzReadText(f *testing.F) {
	for _, s := range []string{
		"2 2\na 1 2\nb 3 4\n", "a 1 2\n. . 1 2\n", "1 1\n", "a\u00a0b 1\nc 2", zipped("a 1 2\n"), "\ufeffa 1e-50 -0\r\n", "a 0x1p-2 1_0\n",
	} {
		f.Add([]byte(s), 0)
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, top int) {
		m, err := ReadText(bytes.NewReader(b), "n", top)
		if err != nil {
			if m != nil {
				t.Fatal("a module and an error")
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("read, but not valid: %v", err)
		}
		if top > 0 && len(m.Tokens) > top {
			t.Fatalf("%d tokens, %d wanted", len(m.Tokens), top)
		}
		// Written out and read again, it is the same module.
		var text strings.Builder
		fmt.Fprintf(&text, "%d %d\n", len(m.Tokens), m.Dim)
		for i, token := range m.Tokens {
			text.WriteString(token)
			for _, v := range m.Vectors[i*m.Dim : (i+1)*m.Dim] {
				fmt.Fprintf(&text, " %v", v)
			}
			text.WriteByte('\n')
		}
		again, err := ReadText(strings.NewReader(text.String()), "n", 0)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text.String())
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error(diff)
		}
	})
}

// data returns a file of the real data sets, or skips the test.
func data(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = "../../../shared/data" // beside a checkout
	}
	path := filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
	}
	return path
}

// published reads vectors among the real data, in whichever form they are.
func published(t testing.TB, name string) *Module {
	t.Helper()
	f, err := os.Open(data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Read(f, "published", 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReadTextPublishedVectors(t *testing.T) {
	for _, c := range []struct {
		file, token string
		tokens, dim int
		near        []string
	}{
		{"embeddings/glove6b_50d_10k/vectors.vec.gz", "france", 10000, 50, []string{"french", "belgium", "paris", "spain"}},
		{"embeddings/bpemb_en_vs1000_d25/vectors.vec", "", 1000, 25, nil},
	} {
		file, err := os.Open(data(t, c.file))
		if err != nil {
			t.Fatal(err)
		}
		m, err := ReadText(file, "published", 0)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Tokens) != c.tokens || m.Dim != c.dim {
			t.Errorf("%s: %d tokens of length %d; want %d and %d", c.file, len(m.Tokens), m.Dim, c.tokens, c.dim)
		}
		if c.token == "" {
			continue
		}
		got := map[string]bool{}
		for _, n := range m.Neighbours(c.token, 10) {
			got[n.Token] = true
		}
		for _, want := range c.near {
			if !got[want] {
				t.Errorf("%s: %q is not near %q: %v", c.file, want, c.token, got)
			}
		}
	}
}
