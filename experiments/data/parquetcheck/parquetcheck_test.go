package parquetcheck

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"
)

// footed is a file of nothing but a footer.
func footed(footer ...byte) []byte {
	b := append([]byte(Magic), footer...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), Magic...)
}

// A footer that says more than there is is refused, and no room is made for it.
func TestFootersThatLie(t *testing.T) {
	long := binary.AppendUvarint(nil, 1<<24)
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a long list", footed(append([]byte{0x15, 2, 0x19, 0xfc}, long...)...), "a list is said to have 16777216"},
		{"a long text", footed(append([]byte{0x15, 2, 0x19, 0x1c, 0x48}, long...)...), "a text is said to have 16777216"},
		{"a long map", footed(append([]byte{0x15, 2, 0x1b}, long...)...), "a map is said to have 16777216"},
		{"deep", footed(bytes.Repeat([]byte{0x1c}, 1000)...), "too deep"},
		{"deep lists", footed(append([]byte{0x19}, bytes.Repeat([]byte{0x19}, 1000)...)...), "too deep"},
		{"a type", footed(0x1e), "unknown type 14"},
		{"nothing", footed(), "unexpected EOF"},
		{"cut off", footed(0x15), "unexpected EOF"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Open(bytes.NewReader(c.b), int64(len(c.b)))
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 16<<20 {
			t.Errorf("%s: %d MiB were made room for", c.name, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// arrows are files that another program wrote.
func arrows(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "labelled", "testdata", "arrow-*.parquet"))
	if err != nil || len(files) != 6 {
		t.Fatalf("%q, %v", files, err)
	}
	out := map[string][]byte{}
	for _, name := range files {
		if out[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Files of another program are sound: row groups of 5, pages of both versions, dictionaries.
// Of what no library here decompresses the way out is told.
func TestColumns(t *testing.T) {
	for name, b := range arrows(t) {
		r := bytes.NewReader(b)
		f, err := Open(r, r.Size())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		groups := f.Metadata().RowGroups
		for g := range groups {
			for c := range groups[g].Columns {
				if err := Column(r, r.Size(), f, g, c, 1<<20); err != nil {
					t.Errorf("%s: row group %d, column %d: %v", name, g, c, err)
				}
			}
		}
		m := func(g int) *format.ColumnMetaData { return &groups[g].Columns[0].MetaData }
		refused := func(g int, want string) {
			t.Helper()
			if err := Column(r, r.Size(), f, g, 0, 1<<20); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		codec := m(0).Codec
		m(1).Codec = format.LZO
		refused(1, "compressed by LZO, but "+codec.String()+" before")
		for _, codec := range []format.CompressionCodec{format.Lz4, format.LZO, 77} {
			m(0).Codec = codec
			refused(0, codec.String()+", which is not read: write the file with zstd, snappy, gzip, brotli, lz4_raw or no compression")
		}
		m(0).Codec = codec
		n := m(0).NumValues
		m(0).NumValues = 1 << 40
		refused(0, "it is said to have 1099511627776 values")
		m(0).NumValues = n - 1
		refused(0, "the column has")
		m(0).NumValues, m(0).TotalCompressedSize = n, 1<<40
		refused(0, "the file has")
		m(0).TotalUncompressedSize = 1 << 21
		refused(0, "more than 1048576; split the file")
	}
}
