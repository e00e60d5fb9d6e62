package embedding

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// binaryForm writes word2vec's binary form: with a newline after each vector as
// its own program does, or without.
func binaryForm(m *Module, end string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %d\n", len(m.Tokens), m.Dim)
	for i, token := range m.Tokens {
		b.WriteString(token + " ")
		binary.Write(&b, binary.LittleEndian, m.Vectors[i*m.Dim:(i+1)*m.Dim])
		b.WriteString(end)
	}
	return b.String()
}

func zstandard(s string) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return string(w.EncodeAll([]byte(s), nil))
}

// Every form and compression of a module is found out and gives it again.
func TestReadForms(t *testing.T) {
	m := &Module{Name: "n", Dim: 3, Tokens: []string{"a", "naïve", "'re"}, Vectors: []float32{1, 2, -3.5, 0, 1e-30, 4, 5, 6, 7}}
	// Floating-point numbers whose bytes are newlines, spaces and digits.
	odd := &Module{Name: "n", Dim: 2, Tokens: []string{"x", "y"}}
	for _, bits := range []uint32{0x0a0a0a0a, 0x20202020, 0x31203120, 0x400a2020} {
		odd.Vectors = append(odd.Vectors, math.Float32frombits(bits))
	}
	for name, c := range map[string]struct {
		want *Module
		text string
	}{
		"text":                    {m, "3 3\na 1 2 -3.5\nnaïve 0 1e-30 4\n're 5 6 7\n"},
		"GloVe":                   {m, "a 1 2 -3.5\nnaïve 0 1e-30 4\n're 5 6 7\n"},
		"binary, newlines":        {m, binaryForm(m, "\n")},
		"binary, no newlines":     {m, binaryForm(m, "")},
		"binary, odd bytes":       {odd, binaryForm(odd, "\n")},
		"binary, odd, no newline": {odd, binaryForm(odd, "")},
	} {
		for packing, f := range map[string]func(string) string{"plain": strings.Clone, "gzip": zipped, "zstd": zstandard} {
			for _, top := range []int{0, 1, 2, 100} {
				want := &Module{Name: "n", Dim: c.want.Dim, Tokens: c.want.Tokens, Vectors: c.want.Vectors}
				if top > 0 && top < len(want.Tokens) {
					want.Tokens, want.Vectors = want.Tokens[:top], want.Vectors[:top*want.Dim]
				}
				got, err := Read(strings.NewReader(f(c.text)), "n", top)
				if err != nil {
					t.Errorf("%s, %s, top %d: %v", name, packing, top, err)
				} else if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %s, top %d: %s", name, packing, top, diff)
				}
			}
		}
	}
}

// What ReadBinary leaves out: a token that came before, one with white space,
// one cut in the middle of a character.
func TestReadBinaryLeavesOut(t *testing.T) {
	m := &Module{Dim: 1, Tokens: []string{"a", "x\u00a0y", "a", "caf\xc3", "\xe2\x96", "b"}, Vectors: []float32{1, 2, 3, 4, 5, 6}}
	// A token of a cut character alone has no valid head, and is damage.
	m.Tokens[4] = "y\xe2\x96"
	got, err := ReadBinary(strings.NewReader(binaryForm(m, "\n")), "n", 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Module{Name: "n", Dim: 1, Tokens: []string{"a", "b"}, Vectors: []float32{1, 6}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadBinaryRefuses(t *testing.T) {
	good := binaryForm(&Module{Dim: 2, Tokens: []string{"a", "b"}, Vectors: []float32{1, 2, 3, 4}}, "\n")
	nan := float32(math.NaN())
	many := &Module{Dim: 1}
	for i := range 12 {
		many.Tokens, many.Vectors = append(many.Tokens, fmt.Sprint("t", i)), append(many.Vectors, nan)
	}
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"byte 0", "header"}},
		{"no header", "word and more\nrest", []string{"byte 0", "header", "3 fields"}},
		{"a negative number", "-2 3\n", []string{"byte 0", `"-2 3"`}},
		{"endless header", strings.Repeat("1", 200), []string{"within 100 bytes"}},
		{"a huge vector", "1 99999999\na ", []string{"99999999"}},
		{"a header alone", "2 2\n", []string{"byte 4", "token 1 of the 2"}},
		{"cut short", good[:len(good)-5], []string{fmt.Sprintf("byte %d", len(good)-5), "token 2 of the 2", "whole"}},
		{"longer than it says", good + "c 12345678", []string{fmt.Sprintf("byte %d", len(good)), "more follows the 2 tokens"}},
		{"wrong length of a vector", strings.Replace(good, "2 2", "2 1", 1), []string{"byte 21", "more follows", "1, the length of a vector"}},
		{"endless token", "1 1\n" + strings.Repeat("x", 5000), []string{"token 1", "within 4096 bytes"}},
		{"no token", "1 1\n \x00\x00\x00\x00", []string{"byte 4", "without a name"}},
		{"not UTF-8", "1 1\n\xff \x00\x00\x00\x00", []string{"byte 4", "UTF-8"}},
		{"NaN", binaryForm(&Module{Dim: 2, Tokens: []string{"a", "b"}, Vectors: []float32{1, 2, 3, nan}}, ""),
			[]string{"byte 14", "number 2", `"b"`, "NaN"}},
		{"many problems", binaryForm(many, ""), []string{`"t0"`, `"t9"`, "and 2 more"}},
		{"damaged gzip", zipped(good)[:30], []string{"byte 19", "is it whole"}},
		{"damaged zstd", zstandard(good)[:15], []string{"EOF"}},
		{"gzip of nothing", "\x1f\x8b", []string{"gzip"}},
	} {
		m, err := ReadBinary(strings.NewReader(c.text), "n", 0)
		if err == nil || m != nil {
			t.Errorf("%s: accepted, %v", c.name, m)
			continue
		}
		for _, want := range append(c.want, "vectors n: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
}

func FuzzReadBinary(f *testing.F) {
	for _, m := range []*Module{
		{Dim: 2, Tokens: []string{"a", "b"}, Vectors: []float32{1, 2, 3, 4}},
		{Dim: 1, Tokens: []string{"naïve", "caf\xc3", "x y"}, Vectors: []float32{1, 2, 3}},
	} {
		for _, end := range []string{"", "\n"} {
			f.Add([]byte(binaryForm(m, end)), 0)
			f.Add([]byte(zipped(binaryForm(m, end))), 1)
		}
	}
	f.Add([]byte("2 2\na 1 2\nb 3 4\n"), 0)
	f.Fuzz(func(t *testing.T, b []byte, top int) {
		if m, err := Read(bytes.NewReader(b), "n", top); (m == nil) == (err == nil) {
			t.Fatalf("%v and %v", m, err)
		} else if err == nil && m.Validate() != nil {
			t.Fatalf("read, but not valid: %v", m.Validate())
		}
		m, err := ReadBinary(bytes.NewReader(b), "n", top)
		if err != nil {
			if m != nil {
				t.Fatal("a module and an error")
			}
			return
		}
		if top > 0 && len(m.Tokens) > top {
			t.Fatalf("%d tokens, %d wanted", len(m.Tokens), top)
		}
		again, err := ReadBinary(strings.NewReader(binaryForm(m, "\n")), "n", 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error(diff)
		}
	})
}

// BPEmb's binary file and its text hold one module; the text has six digits of
// each number.
func TestReadBinaryPublishedVectors(t *testing.T) {
	bin := published(t, "embeddings/bpemb_en_vs1000_d25/en.wiki.bpe.vs1000.d25.w2v.bin")
	text := published(t, "embeddings/bpemb_en_vs1000_d25/vectors.vec")
	for i, v := range bin.Vectors {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', 6, 32), 32)
		bin.Vectors[i] = float32(short)
	}
	if diff := cmp.Diff(text, bin); diff != "" || len(bin.Tokens) != 1000 || bin.Dim != 25 {
		t.Errorf("%d tokens of length %d; %s", len(bin.Tokens), bin.Dim, diff)
	}
}
