package labelled

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/uncompressed"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/archive/archivetest"
	"tnaml/experiments/data/text"
)

// pack compresses as "", "gz" or "zst".
func pack(how string, b []byte) []byte {
	switch how {
	case "gz":
		return archivetest.Gzip(b)
	case "zst":
		return archivetest.Zstd(b)
	}
	return b
}

// ReadArchive reads a tar (also compressed) or zip archive of text files.
func ReadArchive(r io.Reader, name string, o Options) ([]text.Example, error) {
	b, _, err := archive.ReadAll(r, o.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	entries, err := archive.Entries(bytes.NewReader(b), int64(len(b)), name, o.MaxBytes, archive.IsData)
	if err != nil {
		return nil, err
	}
	return all(func(each func(text.Example) error) error { return StreamFiles(entries, name, o, each) })
}

type parquetRow struct {
	ID    int64  `parquet:"id"`
	Text  string `parquet:"text,optional,snappy"`
	Label string `parquet:"label,dict"`
	Split string `parquet:"split,dict,optional"`
}

// table writes examples in a format.
func table(t testing.TB, f Format, examples []text.Example) []byte {
	t.Helper()
	var out bytes.Buffer
	switch f {
	case TSV:
		out.WriteString("text\tlabel\tsplit\n")
		for _, e := range examples {
			fmt.Fprintf(&out, "%s\t%s\t%s\n", e.Text, e.Label, e.Split)
		}
	case CSV:
		w := csv.NewWriter(&out)
		rows := [][]string{{"split", "label", "text"}}
		for _, e := range examples {
			rows = append(rows, []string{e.Split, e.Label, e.Text})
		}
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
	case JSONL:
		w := json.NewEncoder(&out)
		for _, e := range examples {
			if err := w.Encode(e); err != nil {
				t.Fatal(err)
			}
		}
	case Parquet:
		w := parquet.NewGenericWriter[parquetRow](&out, parquet.MaxRowsPerRowGroup(int64(len(examples)/3+1)), parquet.DataPageVersion(2))
		for i, e := range examples {
			if _, err := w.Write([]parquetRow{{int64(i), e.Text, e.Label, e.Split}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

type fileOf struct {
	name string
	data []byte
}

// filesOf are the examples as files, in the order of their paths.
func filesOf(examples []text.Example) []fileOf {
	var out []fileOf
	for i, e := range examples {
		split := e.Split
		if split != "" {
			split += "/"
		}
		out = append(out, fileOf{fmt.Sprintf("set/%s%s/%06d.txt", split, e.Label, i), []byte(e.Text + "\n")})
	}
	return out
}

func tree(files []fileOf) fstest.MapFS {
	out := fstest.MapFS{}
	for _, f := range files {
		out[f.name] = &fstest.MapFile{Data: f.data}
	}
	return out
}

// pairs are names and contents, as archivetest takes them.
func pairs(files []fileOf) (out []string) {
	for _, f := range files {
		out = append(out, f.name, string(f.data))
	}
	return out
}

func tarOf(files []fileOf) []byte { return archivetest.Tar(pairs(files)...) }
func zipOf(files []fileOf) []byte { return archivetest.Zip(pairs(files)...) }

// corpus are examples in the order of the paths that filesOf gives them.
func corpus(n int, splits ...string) []text.Example {
	words := strings.Fields("good bad film great awful plot story naïve “quoted” 東京 don't comma, tab; x=1 <br> \\n 100% a b c")
	var out []text.Example
	for _, split := range splits {
		for _, label := range []string{"neg", "pos", "zwölf"} {
			for i := range n {
				k := i + len(out)*7
				words := fmt.Sprintf("%s %s %s %d", words[k%len(words)], words[k/3%len(words)], words[k/11%len(words)], k%97)
				out = append(out, text.Example{Text: words, Label: label, Split: split})
			}
		}
	}
	return out
}

// The same examples give the same task, whatever form they come in.
func TestOneTaskFromEveryForm(t *testing.T) {
	for _, splits := range [][]string{{""}, {"test", "train", "validation"}} {
		examples := corpus(40, splits...)
		digest := func(name string, got []text.Example, err error) string {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return ""
			}
			built, err := text.Build(got, data.Options{Name: "x"})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return ""
			}
			return string(built.Encode())
		}
		want := digest("examples", examples, nil)
		files := filesOf(examples)
		mixed := append([]fileOf{{"set/README", []byte("\x00")}, {"set/notes.txt", []byte("x")}}, files...)
		for i := range mixed {
			j := (i*31 + 7) % len(mixed)
			mixed[i], mixed[j] = mixed[j], mixed[i]
		}
		forms := map[string][]byte{"set.tar": tarOf(mixed), "set.zip": zipOf(mixed)}
		for _, f := range []Format{TSV, CSV, JSONL, Parquet} {
			forms["set."+string(f)] = table(t, f, examples)
		}
		for name, b := range forms {
			for _, how := range []string{"", "gz", "zst"} {
				var r Report
				o := Options{Report: &r}
				read := Read
				if strings.HasSuffix(name, "tar") || strings.HasSuffix(name, "zip") {
					read = ReadArchive
				}
				full := strings.TrimSuffix(name+"."+how, ".")
				got, err := read(bytes.NewReader(pack(how, b)), full, o)
				if digest(full, got, err) != want {
					t.Errorf("%s, splits %q: another task", full, splits)
				}
				if r.Rows != len(examples) || r.Format == "" || (r.Format == Folder) != (r.Files > 0) {
					t.Errorf("%s: %+v", full, r)
				}
			}
		}
		got, err := ReadFolder(tree(mixed), "set", Options{})
		if digest("folder", got, err) != want {
			t.Errorf("folder, splits %q: another task", splits)
		}
	}
}

// Every damage is refused, and says where.
func TestDamageIsRefused(t *testing.T) {
	examples := corpus(300, "")
	files := filesOf(examples)
	plain := parquetOf(t, examples, parquet.Compression(&uncompressed.Codec{}))
	forms := []struct {
		name string
		b    []byte
		read func(io.Reader, string, Options) ([]text.Example, error)
		want string // in the errors
	}{
		{"x.tsv.gz", pack("gz", table(t, TSV, examples)), Read, "gzip: "},
		{"x.csv.zst", pack("zst", table(t, CSV, examples)), Read, "zstd: "},
		{"x.parquet", table(t, Parquet, examples), Read, "byte"},
		{"x.parquet, not compressed", plain, Read, "byte"},
		{"x.tar.gz", pack("gz", tarOf(files)), ReadArchive, "byte"},
		{"x.tar.zst", pack("zst", tarOf(files)), ReadArchive, "byte"},
		{"x.zip", zipOf(files), ReadArchive, "byte"},
		{"x.tar", tarOf(files), ReadArchive, "byte"}, // which has no checksums of its contents
	}
	for _, f := range forms {
		good, err := f.read(bytes.NewReader(f.b), f.name, Options{})
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		n := len(f.b)
		cuts := []int{n - 1, n - 5, n - 9, n / 2, n / 3, 40, 11}
		if f.name == "x.tar" {
			cuts = []int{n - 1024, n - 1030, n / 2, n / 3, n/3 + 100, 1024, 40} // its end is 1024 zeros, of which half are enough
		}
		for _, at := range cuts {
			_, err := f.read(bytes.NewReader(f.b[:at]), f.name, Options{})
			if err == nil {
				t.Errorf("%s cut off at %d of %d: accepted", f.name, at, n)
			} else if !strings.Contains(err.Error(), f.want) || !strings.HasPrefix(err.Error(), f.name+": ") {
				t.Errorf("%s cut off at %d of %d: %v", f.name, at, n, err)
			}
		}
		if f.name == "x.tar" {
			continue
		}
		// A flipped bit is an error, or, in what has no meaning (names, times), no
		// change of the examples.
		refused := 0
		for k := range 60 {
			at := 20 + k*(n-30)/60
			b := bytes.Clone(f.b)
			b[at] ^= 1 << (k % 8)
			got, err := f.read(bytes.NewReader(b), f.name, Options{})
			if err != nil {
				refused++
				if !strings.HasPrefix(err.Error(), f.name+": ") {
					t.Errorf("%s, byte %d flipped: %v", f.name, at, err)
				}
				continue
			}
			if len(got) != len(good) {
				t.Errorf("%s, byte %d flipped: %d examples of %d", f.name, at, len(got), len(good))
				continue
			}
			for i := range got {
				if got[i].Text != good[i].Text {
					t.Errorf("%s, byte %d flipped: example %d is %q, was %q", f.name, at, i, got[i].Text, good[i].Text)
					break
				}
			}
		}
		if refused < 10 {
			t.Errorf("%s: only %d of 60 flipped bits were noticed", f.name, refused)
		}
	}
}

func parquetOf(t testing.TB, examples []text.Example, o ...parquet.WriterOption) []byte {
	t.Helper()
	type row struct {
		Text  string `parquet:"text"`
		Label string `parquet:"label"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, o...)
	for _, e := range examples {
		if _, err := w.Write([]row{{e.Text, e.Label}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
