package vectors

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tnaml/experiments/data/parquetcheck/parquetchecktest"
)

// expected is what the files hold: (3i+j)/8 − 1, which every type has exactly.
func expected() *Matrix {
	m := &Matrix{Rows: 4, Dim: 3}
	for i := range 12 {
		m.Values = append(m.Values, float32(i)/8-1)
	}
	return m
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// safetensorsOf is a file with the array in a type.
func safetensorsOf(kind string, name string) []byte {
	var body []byte
	for _, v := range expected().Values {
		switch kind {
		case "F64":
			body = binary.LittleEndian.AppendUint64(body, math.Float64bits(float64(v)))
		case "F32":
			body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
		case "BF16":
			body = binary.LittleEndian.AppendUint16(body, uint16(math.Float32bits(v)>>16))
		}
	}
	header := `{"__metadata__":{"x":"y"},"` + name + `":{"dtype":"` + kind + `","shape":[4,3],"data_offsets":[0,` +
		map[string]string{"F64": "96", "F32": "48", "BF16": "24"}[kind] + `]}}  `
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), body...)
}

type row[T float32 | float64] struct {
	Text      string `parquet:"text"`
	Embedding []T    `parquet:"embedding,list"`
}

func parquetOf[T float32 | float64](t testing.TB, lengths ...int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row[T]](&b)
	at := 0
	for i, n := range lengths {
		r := row[T]{Text: "x"}
		for range n {
			r.Embedding = append(r.Embedding, T(at)/8-1)
			at++
		}
		if _, err := w.Write([]row[T]{r}); err != nil {
			t.Fatal(err)
		}
		if i == 1 { // two row groups
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// NumPy's files (made by numpy 1.24) of all versions, orders and types, Parquet lists and
// safetensors give the same numbers.
func TestRead(t *testing.T) {
	for name, b := range map[string][]byte{
		"f4.npy": nil, "f8.npy": nil, "f2.npy": nil, "big.npy": nil, "fortran.npy": nil,
		"F32": safetensorsOf("F32", "v"), "F64": safetensorsOf("F64", "v"), "BF16": safetensorsOf("BF16", "v"),
		"float": parquetOf[float32](t, 3, 3, 3, 3), "double": parquetOf[float64](t, 3, 3, 3, 3),
	} {
		if b == nil {
			b = file(t, name)
		}
		m, err := Read(b, "")
		if d := cmp.Diff(expected(), m); err != nil || d != "" {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
	if m, err := Read(safetensorsOf("F32", "other"), "other"); err != nil || m.Rows != 4 {
		t.Error(err)
	}
	for v, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x0001: math.Exp2(-24), 0x83ff: -1023 * math.Exp2(-24), 0x7bff: 65504,
		0x7c00: math.Inf(1)} {
		if got := half(v); float64(got) != want {
			t.Errorf("%x is %v, want %v", v, got, want)
		}
	}
}

// What is no matrix of finite numbers is told, with its row.
func TestReadRefuses(t *testing.T) {
	f4 := file(t, "f4.npy")
	for _, c := range []struct {
		name   string
		b      []byte
		column string
		want   string
	}{
		{"zip", []byte("PK\x03\x04and more"), "", "numpy.save"}, {"gzip", []byte("\x1f\x8band more"), "", "unpack it"},
		{"empty", nil, "", "none of"}, {"text", []byte("a,b,c\n1,2,3\n"), "", "none of"},
		{"not a number", file(t, "nan.npy"), "", "row 3: number 2 is NaN"}, {"whole numbers", file(t, "int.npy"), "", "astype"},
		{"flat", file(t, "flat.npy"), "", "1 dimensions"}, {"cut", f4[:len(f4)-1], "", "is it whole"}, {"short", f4[:9], "", "cut off"},
		{"version", append([]byte(npyMagic+"\x09"), f4[7:]...), "", "version 9"}, {"named", f4, "x", "no column"},
		{"header", append([]byte(npyMagic+"\x02\x00\xff\xff\xff\xff"), f4[12:]...), "", "header"},
		{"array", safetensorsOf("F32", "v"), "w", `no array "w" (there are: v)`},
		{"header of safetensors", append([]byte{255, 255, 255, 255, 0, 0, 0, 0}, "{}"...), "", "header"},
		{"offsets", bytes.Replace(safetensorsOf("F32", "v"), []byte("[0,48]"), []byte("[0,90]"), 1), "", "bytes [0 90] of 48"},
		{"shape", bytes.Replace(safetensorsOf("F32", "v"), []byte("[4,3]"), []byte("[4,9]"), 1), "", "4 × 9 needs 144"},
		{"lengths", parquetOf[float32](t, 3, 3, 2, 3), "", "row 3 has 2 numbers"},
		{"hole", parquetOf[float32](t, 3, 0, 3), "", "row 2 has no vector"},
		{"column", parquetOf[float32](t, 3), "text", `no column "text"`}, {"rows", parquetOf[float32](t), "", "no rows"},
	} {
		if _, err := Read(c.b, c.column); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q is not in: %v", c.name, c.want, err)
		}
	}
}

// What a damaged page says of itself is told, and no room is made for it.
func TestParquetPagesThatLie(t *testing.T) {
	b := parquetOf[float32](t, 3)
	for _, c := range []struct {
		edit func(h *format.PageHeader)
		want string
	}{
		{func(*format.PageHeader) {}, ""},
		{func(h *format.PageHeader) {
			h.DataPageHeaderV2.V.NumValues, h.DataPageHeader.V.NumValues = 1<<30, 1<<30
		}, "1073741824 values"},
		{func(h *format.PageHeader) { h.CompressedPageSize = 1 << 30 }, "page 0 is said to have 1073741824 bytes"},
	} {
		edited := parquetchecktest.Edited(t, b, c.edit)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(edited, "")
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%s: %d MiB were made room for", c.want, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// Rows that are no numbers are told together.
func TestReadTellsAllRows(t *testing.T) {
	b := safetensorsOf("F32", "v")
	for _, at := range []int{2, 7, 8} {
		binary.LittleEndian.PutUint32(b[len(b)-48+4*at:], math.Float32bits(float32(math.NaN())))
	}
	if _, err := Read(b, ""); err == nil || err.Error() != "row 1: number 3 is NaN; 2 rows have what is no finite number: 1, 3" {
		t.Error(err)
	}
}

// Python 2 wrote 4L where Python 3 writes 4.
func TestNumPyOfPython2(t *testing.T) {
	b := file(t, "f4.npy")
	old := bytes.Replace(bytes.Replace(b, []byte("(4, 3)"), []byte("(4L, 3L)"), 1), []byte("  \n"), []byte("\n"), 1)
	for len(old) > len(b) {
		old = bytes.Replace(old, []byte(" \n"), []byte("\n"), 1)
	}
	m, err := Read(old, "")
	if d := cmp.Diff(expected(), m); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

// Whatever a file holds, what is read has the numbers that it says, all finite.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"f4.npy", "f2.npy", "fortran.npy"} {
		f.Add(file(f, name))
	}
	f.Add(safetensorsOf("BF16", "v"))
	f.Add(parquetOf[float32](f, 2, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(b, "")
		if err == nil && (m.Rows < 1 || m.Dim < 1 || len(m.Values) != m.Rows*m.Dim) {
			t.Fatalf("%d × %d of %d numbers", m.Rows, m.Dim, len(m.Values))
		}
	})
}
