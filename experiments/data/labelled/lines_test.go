package labelled

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/text"
)

// linesOf reads lines as of a file, or, once, as of a pipe.
func linesOf(b []byte, o Options, once bool) (out []string, err error) {
	e := archive.Entry{Name: "f", Open: func() (io.ReadCloser, error) {
		if once {
			return io.NopCloser(struct{ io.Reader }{bytes.NewReader(b)}), nil
		}
		return struct {
			*bytes.Reader
			io.Closer
		}{bytes.NewReader(b), io.NopCloser(nil)}, nil
	}}
	err = Lines(e, o, func(line string) error { out = append(out, line); return nil })
	return out, err
}

func TestLines(t *testing.T) {
	french := "très bon café été déjà\n\ntrès mauvais hôtel forêt gâché"
	for name, b := range map[string][]byte{"UTF-8": []byte(french), "a mark, returns": []byte("\ufeff" + strings.ReplaceAll(french, "\n",
		"\r\n")),
		"old returns": []byte(strings.ReplaceAll(french, "\n", "\r")), "gzip": pack("gz", []byte(french)), "zstd": pack("zst", []byte(french)),
		"latin": []byte(encoded(t, windows1252, french)), "wide": []byte("\xff\xfe" + encoded(t, utf16LE, french))} {
		for _, once := range []bool{false, true} {
			got, err := linesOf(b, Options{}, once)
			if diff := cmp.Diff([]string{"très bon café été déjà", "", "très mauvais hôtel forêt gâché"}, got); err != nil || diff != "" {
				t.Errorf("%s, once %v: %v %s", name, once, err, diff)
			}
		}
	}
	// What is not certain is refused with the guesses, where nobody looks.
	latin := []byte(encoded(t, windows1252, "un café très cher\n"))
	for _, once := range []bool{false, true} {
		_, err := linesOf(latin, Options{Certainty: Certain}, once)
		if !errors.Is(err, ErrEncoding) || !strings.Contains(err.Error(), "perhaps windows-1252 (") || !strings.Contains(err.Error(),
			"less than 70 %") {
			t.Errorf("%v", err)
		}
	}
	late := append(bytes.Repeat([]byte("plain\n"), 20_000), latin...)
	if _, err := linesOf(late, Options{}, false); err != nil {
		t.Errorf("a file is looked at to its end: %v", err)
	}
	if _, err := linesOf(late, Options{}, true); err == nil || !strings.Contains(err.Error(), "line 20001: byte 7 is not valid UTF-8") {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := linesOf([]byte(strings.Repeat("x", 2000)), Options{MaxText: 1999}, false); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	stop := errors.New("stop")
	if err := Lines(archive.Entry{Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("a\nb")), nil }}, Options{},
		func(string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// What people's programs write is read, or refused with the name of the habit.
func TestHabits(t *testing.T) {
	ab := examplesOf("one, text", "a", "", "another", "b", "")
	for _, c := range []struct {
		file, input, note string
		want              []text.Example
	}{
		{"x.csv", "sep=;\r\ntext;label\r\none, text;a\r\nanother;b\r\n", "sep=;", ab},
		{"x.csv", "\"SEP=\t\"\ntext\tlabel\none, text\ta\nanother\tb\n", "as Excel has it", ab},
		{"x.tsv", "sep=;\ntext;label\none, text;a\nanother;b\n", "sep=;", ab},
		{"x.csv", "text, label\n \"one, text\" , a\n  \"another\", \"b\"\n", "spaces between a delimiter and a quotation mark", ab},
		{"x.csv", "text,label\r\n\"one, text\",a\r\nanother,b", "", ab},
		{"x.csv", "text¦label\none, text¦a\nanother¦b\n", "", ab},
	} {
		o := Options{Report: new(Report)}
		if strings.Contains(c.input, "¦") {
			o.Delimiter = "¦"
		}
		got, err := Read(strings.NewReader(c.input), c.file, o)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" || !strings.Contains(strings.Join(o.Report.Notes, "\n"), c.note) {
			t.Errorf("%q: %v, notes %q, %s", c.input, err, o.Report.Notes, diff)
		}
	}
	if _, err := Read(strings.NewReader("sep=;\ntext;label\none;a\nanother\n"), "x.tsv", Options{}); err == nil ||
		!strings.Contains(err.Error(), "line 4: 1 columns") {
		t.Errorf("lines count from the file's first: %v", err)
	}
	for input, want := range map[string]string{
		"text,label\n\"he said \\\"hi\\\" n\",a\n":          "line 2: byte 11: a quotation mark written as \\\"",
		"text,label\n\"he said \\\"hi, there\\\" n\",a\n":   "pandas",
		"text,label\n\"never\nclosed,a\n":                   "line 2: byte 1: a quotation mark opens a text that is never closed",
		"text,label\n" + strings.Repeat(",", 20_000) + "\n": "16385 columns, the header has 2",
		strings.Repeat("a,", 20_000) + "text,label\n":       "at most 16384 can be read",
	} {
		if got, err := Read(strings.NewReader(input), "x.csv", Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, %v; want %q", input, got, err, want)
		}
	}
}

// A text may have so many bytes and no more, in every form; what else is in its
// table does not count.
func TestTextsAreBounded(t *testing.T) {
	fits := strings.Repeat("é", 3<<19) // 3 MiB, of several blocks
	for _, n := range []int{len(fits), len(fits) - 1} {
		forms := map[string][]byte{}
		for _, f := range []Format{TSV, CSV, JSONL, Parquet} {
			forms["x."+string(f)] = table(t, f, []text.Example{{Text: "short", Label: "a"}, {Text: fits, Label: "b"}})
		}
		forms["wide.csv"] = []byte("text,other,label\nshort,\"" + strings.Repeat(fits, 2) + "\",a\n" + fits + ",,b\n")
		for name, b := range forms {
			got, err := Read(bytes.NewReader(b), name, Options{MaxText: int64(n)})
			switch {
			case n == len(fits) && (err != nil || len(got) != 2 || got[1].Text != fits):
				t.Errorf("%s: %v", name, err)
			case n < len(fits) && !errors.Is(err, ErrTooLong):
				t.Errorf("%s, too long: %v", name, err)
			}
		}
	}
	b := slices.Concat([]byte(`{"label":"a","text":"`), bytes.Repeat([]byte("x"), 500_000), []byte("\"}\n"))
	for _, in := range [][]byte{b, slices.Concat([]byte("["), b, []byte("]"))} {
		if _, err := Read(bytes.NewReader(in), "x.jsonl", Options{MaxText: 100_000}); !errors.Is(err, ErrTooLong) {
			t.Errorf("%.30q: %v", in, err)
		}
	}
}

// What a source is read with does not grow with it.
func TestStreamHoldsARow(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("text,label\n")
	for i := range 200_000 {
		fmt.Fprintf(&b, "\"row %d, %s\",a\n", i, strings.Repeat("word ", 20))
	}
	packed, n := pack("gz", b.Bytes()), 0
	allocated := testing.Benchmark(func(tb *testing.B) {
		tb.ReportAllocs()
		for range tb.N {
			n = 0
			err := Stream(archive.Entry{Name: "x.csv", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }},
				Options{}, func(e text.Example) error { n++; return nil })
			if err != nil {
				tb.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if n != 200_000 || allocated > 3*int64(b.Len()) {
		t.Errorf("%d rows; %d bytes were allocated for %d", n, allocated, b.Len())
	}
}

// What Go's reader of CSV reads, ours reads the same.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n\"c,\"\"d\"\"\r\ne\",f\r\n\n\"\"\n,\n", "\"a\"\n", "a\r", "\"a\r\"\r", " a, b\n", "\ufeff\"x\",é\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := csv.NewReader(bytes.NewReader(b))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil || !utf8.Valid(b) {
			return
		}
		var got [][]string
		ours := csvReader{r: bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(b)), 16), delimiter: ",", limit: 1 << 20, line: 1}
		for {
			row, err := ours.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%q: %v", b, err)
			}
			got = append(got, slices.Clone(row))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s", b, diff)
		}
	})
}

// Whatever a file holds, each line has its turn or there is a problem.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\n\nb\r\n"), false)
	f.Add([]byte("\xff\xfea\x00\n\x00"), true)
	f.Add(pack("gz", []byte("caf\xe9\n")), true)
	f.Fuzz(func(t *testing.T, b []byte, once bool) {
		got, err := linesOf(b, Options{MaxBytes: 1 << 20, MaxText: 1 << 16}, once)
		if plain := archive.CompressionOf(b) == archive.None && utf8.Valid(b) && !bytes.ContainsAny(b, "\x00\r") && markOf(b) == ""; plain {
			want := strings.Count(string(b), "\n")
			if len(b) > 0 && b[len(b)-1] != '\n' {
				want++
			}
			if err != nil && !errors.Is(err, ErrTooLong) || err == nil && len(got) != want {
				t.Fatalf("%q: %d lines, want %d, %v", b, len(got), want, err)
			}
		}
	})
}

// Strings of JSON are read as the standard library reads them.
func TestUnquote(t *testing.T) {
	for _, raw := range []string{`""`, `"a"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\u0000x"`, `"\ud83d\ude00!"`, `"\ufffd"`, `"é\n"`} {
		var want string
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := unquote([]byte(raw)); got != want || !ok {
			t.Errorf("%s: %q, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{`"\ud800"`, `"\ud800x"`, `"\ud800\n"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `"\ud83dde00"`} {
		if got, ok := unquote([]byte(raw)); ok {
			t.Errorf("%s: %q", raw, got)
		}
	}
}
