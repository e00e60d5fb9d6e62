package embedding

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/safetensors"
)

func small() *Module {
	return &Module{Name: "m-2", Language: "en", Source: "by hand", Dim: 2,
		Tokens: []string{"the", "<url>", "naïve", "'re"}, Vectors: []float32{1, 2, -3, 4, 0, 0, 0.5, -0.25}}
}

func TestRoundTrip(t *testing.T) {
	m := small()
	m.Length, m.Frequencies = math.Sqrt2, []float64{0.5, 0.25, 0.25, 0}
	b := m.Encode()
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(b, got.Encode()) {
		t.Error("encoding again gives other bytes")
	}
	for i := range b {
		damaged := bytes.Clone(b[:i])
		if _, err := Decode(damaged); err == nil {
			t.Fatalf("the first %d of %d bytes were accepted", i, len(b))
		}
	}
}

// container builds a module's file from parts, which need not fit together.
func container(kind, header, tokens string, vectors []float32, shape ...int) []byte {
	f := safetensors.New(kind)
	if header != "" {
		f.Metadata["module"] = header
	}
	safetensors.Put(f, "tokens", []byte(tokens))
	safetensors.Put(f, "vectors", vectors, shape...)
	return f.Encode()
}

func TestDecodeRefuses(t *testing.T) {
	const header = `{"name":"m","dim":2}`
	two := []float32{1, 2, 3, 4}
	nan := []float32{1, 2, 3, float32(math.NaN())}
	if _, err := Decode(container("module", header, "a\nb\n", two, 2, 2)); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{"no container", "safetensors", []byte("no container at all")},
		{"another kind", `of kind "task", not "module"`, container("task", header, "a\nb\n", two, 2, 2)},
		{"no header", `no metadata "module"`, container("module", "", "a\nb\n", two, 2, 2)},
		{"header no JSON", "metadata", container("module", "{", "a\nb\n", two, 2, 2)},
		{"no final newline", "end with a newline", container("module", header, "a\nb", two, 2, 2)},
		{"too few tokens", "shape", container("module", header, "a\n", two, 2, 2)},
		{"other dim", "shape", container("module", header, "a\nb\n", two, 4, 1)},
		{"negative dim", "length -1", container("module", `{"name":"m","dim":-1}`, "a\nb\n", two, 2, 2)},
		{"no tokens", "no tokens", container("module", header, "", nil, 0, 2)},
		{"token twice", "there twice", container("module", header, "a\na\n", two, 2, 2)},
		{"empty token", "empty", container("module", header, "a\n\n", two, 2, 2)},
		{"token of two words", "single word", container("module", header, "a\nb c\n", two, 2, 2)},
		{"invalid UTF-8", "UTF-8", container("module", header, "a\n\xff\n", two, 2, 2)},
		{"NaN", "element 3 of the vectors, of token 1, is not finite", container("module", header, "a\nb\n", nan, 2, 2)},
		{"no name", "no name", container("module", `{"dim":2}`, "a\nb\n", two, 2, 2)},
	} {
		m, err := Decode(c.b)
		if err == nil || !strings.Contains(err.Error(), c.want) || m != nil {
			t.Errorf("%s: %v, %v; want an error with %q and nothing else", c.name, m, err, c.want)
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	m := &Module{Vectors: []float32{float32(math.Inf(1))}, Frequencies: []float64{2}, Length: -1}
	err := m.Validate()
	if err == nil {
		t.Fatal("an empty module is valid")
	}
	for _, want := range []string{
		"no name", "length 0", "no tokens", "1 numbers for 0 tokens", "not finite", "1 frequencies for 0 tokens", "2, which is no share",
		"vectors of length -1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}

func TestTable(t *testing.T) {
	m := small()
	// The first three tokens are trained, the one after them is not.
	vocabulary := []string{"'re", "unheard", "another", "untrained", "the"}
	table := m.Table(vocabulary, 3)
	if table.Dim != 2 || len(table.Vectors) != 10 {
		t.Fatalf("dim %d, %d numbers", table.Dim, len(table.Vectors))
	}
	if diff := cmp.Diff([]bool{true, true, true, false, true}, table.Known); diff != "" {
		t.Error(diff)
	}
	row := func(i int) []float32 { return table.Vectors[i*2 : i*2+2] }
	for i, want := range map[int][]float32{0: {0.5, -0.25}, 3: {0, 0}, 4: {1, 2}} {
		if !cmp.Equal(row(i), want) {
			t.Errorf("%q has the vector %v, want %v", vocabulary[i], row(i), want)
		}
	}
	// An unknown word's vector is its own, and the same in every task.
	if cmp.Equal(row(1), row(2)) || cmp.Equal(row(1), []float32{0, 0}) {
		t.Errorf("unknown words have the vectors %v and %v", row(1), row(2))
	}
	other := m.Table([]string{"x", "y", "another"}, 3)
	if !cmp.Equal(row(2), other.Vectors[4:6]) {
		t.Error("the same unknown word has another vector in another task")
	}
	renamed := small()
	renamed.Name = "m-3"
	if cmp.Equal(row(1), renamed.Table(vocabulary, 3).Vectors[2:4]) {
		t.Error("unknown words have equal vectors in two modules")
	}
	if !cmp.Equal(m, small()) {
		t.Error("the table changed the module")
	}
	row(0)[0] = 99
	if m.Vectors[6] != 0.5 {
		t.Error("the table shares memory with the module")
	}
}

// The vectors of unknown words have the size of the module's own.
func TestTableScale(t *testing.T) {
	m := &Module{Name: "m", Dim: 4, Tokens: []string{"a", "b"}, Vectors: []float32{3, -3, 3, -3, 3, 3, -3, -3}}
	var vocabulary []string
	for i := range 5000 {
		vocabulary = append(vocabulary, "w"+strings.Repeat("x", i%50)+string(rune('a'+i/50%26))+string(rune('a'+i/1300)))
	}
	table := m.Table(vocabulary, len(vocabulary))
	var sum, squares float64
	for _, v := range table.Vectors {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(table.Vectors))
	// Standard errors: mean 3/√20000 = 0.021, variance 9·√(2/20000) = 0.09.
	if mean, variance := sum/n, squares/n; math.Abs(mean) > 0.1 || math.Abs(variance-9) > 0.45 {
		t.Errorf("mean %.3f and variance %.3f; want 0 and 9", mean, variance)
	}
}

func TestRMSAndCoverage(t *testing.T) {
	m := small()
	if got, want := m.RMS(), math.Sqrt((1+4+9+16+0.25+0.0625)/8); math.Abs(got-want) > 1e-12 {
		t.Errorf("RMS %v, want %v", got, want)
	}
	if got := m.Coverage([]string{"the", "x", "'re", "naïve"}); got != (Coverage{Known: 3, Unknown: 1}) || got.Share() != 0.75 {
		t.Errorf("coverage %+v, want 0.75", got)
	}
	if got := m.Coverage(nil); got != (Coverage{}) || got.Share() != 0 {
		t.Errorf("coverage of nothing %+v", got)
	}
	if got := (&Module{}).RMS(); got != 0 {
		t.Errorf("RMS of nothing %v", got)
	}
}

func TestNeighbours(t *testing.T) {
	m := &Module{Name: "m", Dim: 2, Tokens: []string{"east", "zero", "north", "northeast", "west", "farnorth"},
		Vectors: []float32{1, 0, 0, 0, 0, 1, 1, 1, -1, 0, 0, 5}}
	half := math.Sqrt(0.5)
	// Ties are broken by the token.
	want := []Neighbour{{"northeast", half}, {"farnorth", 0}, {"north", 0}, {"zero", 0}, {"west", -1}}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	if diff := cmp.Diff(want, m.Neighbours("east", 10), near); diff != "" {
		t.Error(diff)
	}
	if got := m.Neighbours("east", 2); len(got) != 2 {
		t.Errorf("2 neighbours wanted, got %v", got)
	}
	if got := m.Neighbours("east", -1); len(got) != 0 {
		t.Errorf("no neighbours wanted, got %v", got)
	}
	if got := m.Neighbours("nowhere", 2); got != nil {
		t.Errorf("neighbours of an unknown word: %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(small().Encode())
	f.Add(container("module", `{"name":"m","dim":2}`, "a\nb\n", []float32{1, 2, 3, 4}, 2, 2))
	f.Add(container("module", `{"name":"m","dim":-1}`, "\n", []float32{1}, 1, 1))
	f.Add([]byte{8, 0, 0, 0, 0, 0, 0, 0, '{', '}'})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("decoded, but not valid: %v", err)
		}
		again, err := Decode(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error(diff)
		}
		m.Table([]string{m.Tokens[0], "unheard"}, 2)
		m.Neighbours(m.Tokens[0], 1)
	})
}
