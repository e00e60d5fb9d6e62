package labelled

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/uncompressed"
	"github.com/parquet-go/parquet-go/format"

	"tnaml/experiments/data"
	"tnaml/experiments/data/parquetcheck"
	"tnaml/experiments/data/parquetcheck/parquetchecktest"
	"tnaml/experiments/data/text"
)

// parquetRows writes rows of any struct.
func parquetRows[T any](t testing.TB, rows []T, o ...parquet.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out, o...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type nested struct {
	Doc struct {
		Body  *string `parquet:"body,optional,zstd"`
		Title string  `parquet:"title,dict"`
	} `parquet:"doc,optional"`
	Stars int32   `parquet:"stars"`
	Small uint8   `parquet:"small"`
	Big   uint64  `parquet:"big,delta"`
	Good  bool    `parquet:"good"`
	Mean  float64 `parquet:"mean"`
	Half  float32 `parquet:"half,optional"`
	Raw   []byte  `parquet:"raw"`
	Four  [4]byte `parquet:"four"`
	Kind  string  `parquet:"kind,enum"`
	Set   string  `parquet:"set,delta"`
	Tags  []string
	When  int64 `parquet:"when,timestamp"`
}

func TestParquetColumns(t *testing.T) {
	body := "one text"
	rows := make([]nested, 2)
	rows[0] = nested{Stars: -3, Small: 255, Big: 1<<64 - 1, Good: true, Mean: 2.5, Half: .5, Raw: []byte("raw"),
		Four: [4]byte{'f', 'o', 'u', 'r'}, Kind: "k", Set: "dev", Tags: []string{"x", "y"}, When: 5}
	rows[0].Doc.Body, rows[0].Doc.Title = &body, "the title"
	rows[1] = nested{Stars: 4, Mean: 3, Raw: []byte("b"), Four: [4]byte{'f', 'i', 'v', 'e'}, Kind: "l", Set: "test"}
	b := parquetRows(t, rows)
	for _, c := range []struct {
		text, label, split string
		want               []text.Example
	}{
		{"doc.body", "stars", "", examplesOf("one text", "-3", "", "", "4", "")},
		{"doc.title", "small", "set", examplesOf("the title", "255", data.Validation, "", "0", data.Test)},
		{"raw", "big", "", examplesOf("raw", "18446744073709551615", "", "b", "0", "")},
		{"four", "good", "", examplesOf("four", "true", "", "five", "false", "")},
		{"raw", "mean", "", examplesOf("raw", "2.5", "", "b", "3", "")},
		{"raw", "kind", "", examplesOf("raw", "k", "", "b", "l", "")},
	} {
		var r Report
		got, err := Read(bytes.NewReader(b), "x.parquet", Options{TextColumn: c.text, LabelColumn: c.label, SplitColumn: c.split, Report: &r})
		if err != nil {
			t.Errorf("%s, %s: %v", c.text, c.label, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s, %s: %s", c.text, c.label, diff)
		}
		i := slices.IndexFunc(r.Columns, func(k Column) bool { return k.Name == c.text })
		if i < 0 || r.Columns[i].Use != "text" || r.Columns[i].Example != c.want[0].Text {
			t.Errorf("%s: the report's columns are %+v", c.text, r.Columns)
		}
	}
	for _, c := range []struct{ text, label, want string }{
		{"text", "label", `x.parquet: no column "text"; the columns are ["doc.body"`},
		{"body", "label", `did you mean "doc.body"?`},
		{"raw", "Stars", `no column "Stars"; the columns are`},
		{"Tags", "stars", `column "Tags": a row has a list of values`},
		{"stars", "small", `column "stars": must be texts, not int32`},
		{"raw", "when", `column "when": values of type timestamp`},
		{"raw", "half", `row 2, column "half": empty label`},
		{"raw", "raw", "cannot be both"},
	} {
		got, err := Read(bytes.NewReader(b), "x.parquet", Options{TextColumn: c.text, LabelColumn: c.label})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v, %v; want %q", c.text, c.label, got, err, c.want)
		}
	}
	if _, err := Read(bytes.NewReader(b), "x.parquet", Options{Columns: []string{"a"}}); err == nil ||
		!strings.Contains(err.Error(), "give no columns") {
		t.Errorf("columns given: %v", err)
	}
}

// Parquet is recognised by its first bytes, and classes that Hugging Face's
// metadata name have these names.
func TestParquetClassNames(t *testing.T) {
	type row struct {
		Text  string `parquet:"text"`
		Label int64  `parquet:"label"`
	}
	const metadata = `{"info":{"features":{"text":{"dtype":"string","_type":"Value"},"label":{"names":["neg","pos"],"_type":"ClassLabel"}}}}`
	rows := []row{{"bad", 0}, {"good", 1}}
	got, err := Read(bytes.NewReader(parquetRows(t, rows, parquet.KeyValueMetadata("huggingface", metadata))), "train",
		Options{Split: "train"})
	if diff := cmp.Diff(examplesOf("bad", "neg", data.Train, "good", "pos", data.Train), got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	got, err = Read(bytes.NewReader(parquetRows(t, rows, parquet.KeyValueMetadata("huggingface", `{"info":[]}`))), "x", Options{})
	if err != nil || got[0].Label != "0" {
		t.Errorf("%v %v", got, err)
	}
	_, err = Read(bytes.NewReader(parquetRows(t, []row{{"a", 1}, {"b", -1}}, parquet.KeyValueMetadata("huggingface", metadata))), "x",
		Options{})
	if err == nil || !strings.Contains(err.Error(), "value 2: -1 is none of the 2 classes") {
		t.Errorf("%v", err)
	}
}

// Files that another program wrote (the Rust library of Apache Arrow, as
// parquet-wasm 0.8): row groups of 5, pages of both versions, dictionaries.
func TestParquetOfArrow(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "arrow-*.parquet"))
	if err != nil || len(files) != 6 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range []string{"label", "num", "good"} {
			got, err := Read(bytes.NewReader(b), file, Options{LabelColumn: label})
			var want []text.Example
			for i := range 12 {
				e := text.Example{Text: fmt.Sprintf("naïve 東京 %d", i)}
				if i == 7 {
					e.Text = ""
				}
				e.Label = map[string]string{"label": []string{"neg", "pos"}[i%2], "num": fmt.Sprint(i % 3), "good": fmt.Sprint(i%2 == 0)}[label]
				want = append(want, e)
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %s: %v %s", file, label, err, diff)
			}
		}
	}
}

func TestParquetRefuses(t *testing.T) {
	b := parquetOf(t, corpus(50, ""), parquet.Compression(&uncompressed.Codec{}))
	longer := bytes.Clone(b)
	binary.LittleEndian.PutUint32(longer[len(b)-8:], 1<<30)
	flipped := bytes.Clone(b)
	flipped[bytes.Index(b, []byte("awful <br> comma"))] ^= 1
	// A kilobyte or two, of long texts or many rows.
	long := slices.Repeat(examplesOf(strings.Repeat("a long text ", 100), "a", ""), 600)
	packed := table(t, Parquet, long) // of three row groups
	type sparse struct {
		Text  *string `parquet:"text,optional"`
		Label string  `parquet:"label,dict"`
	}
	nulls := parquetRows(t, slices.Repeat([]sparse{{Label: "a"}}, 50000))
	if len(packed) > 100_000 || len(nulls) > 100_000 {
		t.Fatalf("%d and %d bytes: the test needs smaller ones", len(packed), len(nulls))
	}
	latin := parquetOf(t, examplesOf("ok", "a", "", "caf\xe9", "b", ""))
	for _, c := range []struct {
		name string
		b    []byte
		o    Options
		want []string
	}{
		{"empty", nil, Options{}, []string{"byte 0: no Parquet file"}},
		{"something else", []byte("text\tlabel\na\tb\n"), Options{}, []string{"byte 0: no Parquet file"}},
		{"without the footer", b[:len(b)-4], Options{}, []string{"cut off", "footer is missing"}},
		{"a footer too long", longer, Options{}, []string{"the footer is said to have 1073741824 bytes"}},
		{"a page flipped", flipped, Options{}, []string{`column "text", row group 0 (rows 1 to 150): bytes 4 to `, "checksum"}},
		{"a text not UTF-8", latin, Options{}, []string{`row 2, column "text": not valid UTF-8`}},
		{"too much", b, Options{MaxBytes: int64(len(b)) - 1}, []string{"more than"}},
		{"too much in several row groups", packed, Options{MaxBytes: 550_000},
			[]string{`column "text", row group 2`, "too many values, or bytes of them"}},
		{"too many rows", nulls, Options{MaxBytes: 500_000}, []string{"too many values, or bytes of them"}},
		{"no rows", parquetOf(t, nil), Options{}, []string{"no examples"}},
	} {
		got, err := Read(bytes.NewReader(c.b), "x.parquet", c.o)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %d examples, %v; want %q", c.name, len(got), err, want)
			}
		}
	}
}

// Damaged LZ4 is refused in a moment and little memory, whatever byte it is.
func TestParquetDamagedLZ4(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "arrow-lz4.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	long := parquetOf(t, corpus(200, ""), parquet.Compression(&parquet.Lz4Raw))
	if got, err := Read(bytes.NewReader(long), "x", Options{}); err != nil || len(got) != 600 {
		t.Fatalf("%d examples, %v", len(got), err)
	}
	refused := 0
	for _, whole := range [][]byte{b, long} {
		for at := 4; at < len(whole)-8; at += 1 + len(whole)/3000 {
			for _, by := range []byte{0x01, 0x80, 0xff} {
				damaged := bytes.Clone(whole)
				damaged[at] ^= by
				if _, err := Read(bytes.NewReader(damaged), "x", Options{MaxBytes: 1 << 20}); err != nil {
					refused++
				}
			}
		}
	}
	if refused < 1000 {
		t.Errorf("%d damaged files were refused", refused)
	}
}

// What a damaged page says of itself is told, and no room is made for it.
func TestParquetPagesThatLie(t *testing.T) {
	type row struct {
		Label string  `parquet:"label"`
		Text  *string `parquet:"text,optional"`
	}
	words := "words"
	b := parquetRows(t, []row{{"a", &words}, {"b", nil}}, parquet.Compression(&parquet.Gzip), parquet.DataPageVersion(1))
	for _, c := range []struct {
		edit func(h *format.PageHeader)
		want string
	}{
		{func(*format.PageHeader) {}, ""},
		{nil, "a list is said to have 16777216"},
		{func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = 1 << 30 }, "page 0 is said to have 1073741824 values"},
		{func(h *format.PageHeader) { h.UncompressedPageSize = 1 << 30 }, "page 0 is said to have 1073741824 bytes decompressed"},
		{func(h *format.PageHeader) { h.DataPageHeader.V.Encoding = format.DeltaByteArray },
			"page 0 is said to be of the encoding DELTA_BYTE_ARRAY"},
		{func(h *format.PageHeader) { h.CompressedPageSize = 1 << 30 }, "page 0 is said to have 1073741824 bytes"},
	} {
		edited := append([]byte("PAR1\x15\x02\x19\xfc"), 0x80, 0x80, 0x80, 8, 8, 0, 0, 0, 'P', 'A', 'R', '1') // of a footer alone
		if c.edit != nil {
			edited = parquetchecktest.Edited(t, b, c.edit)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(edited), "x.parquet", Options{})
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%s: %d MiB were made room for", c.want, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func FuzzParquet(f *testing.F) {
	f.Add(table(f, Parquet, corpus(3, "train")))
	f.Add(parquetOf(f, corpus(2, ""), parquet.Compression(&uncompressed.Codec{})))
	f.Add(parquetRows(f, make([]nested, 2)))
	for _, name := range []string{"arrow-zstd.parquet", "arrow-lz4.parquet"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(append([]byte(parquetcheck.Magic), b...), parquetcheck.Magic...)
		checkRead(t, func(o Options) ([]text.Example, error) { return Read(bytes.NewReader(b), "x", o) })
		if len(b) > 8 {
			checkRead(t, func(o Options) ([]text.Example, error) { return Read(bytes.NewReader(b[4:len(b)-4]), "x.parquet", o) })
		}
	})
}

// checkRead checks what must hold of whatever a reader gives.
func checkRead(t *testing.T, read func(o Options) ([]text.Example, error)) {
	t.Helper()
	var r Report
	examples, err := read(Options{MaxBytes: 1 << 20, Report: &r})
	if err != nil {
		if examples != nil {
			t.Fatal("examples and an error")
		}
		return
	}
	if len(examples) == 0 || r.Rows != len(examples) {
		t.Fatalf("%d examples, no error, and a report of %d", len(examples), r.Rows)
	}
	for _, e := range examples {
		if err := valid(e); err != nil {
			t.Fatal(err)
		}
	}
}

func valid(e text.Example) error {
	for _, s := range []string{e.Text, e.Label} {
		if strings.ToValidUTF8(s, "") != s || strings.TrimSpace(s) != s {
			return fmt.Errorf("%q", s)
		}
	}
	if e.Label == "" || !slices.Contains([]string{"", data.Train, data.Validation, data.Test}, e.Split) {
		return fmt.Errorf("%+v", e)
	}
	return nil
}
