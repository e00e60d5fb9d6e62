package labelled

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/text"
)

// BenchmarkRead reads 5,000 texts of about 1,100 characters, as reviews of
// films have, in every form. MB are those of the texts, whatever the form.
func BenchmarkRead(b *testing.B) {
	words := strings.Fields("this film is a good one but the plot has some holes in it " +
		"and nobody of the cast seemed to care much about what was naïve from the start")
	var examples []text.Example
	size := 0
	for i := range 5000 {
		var s strings.Builder
		for k := range 240 {
			s.WriteString(words[(i*31+k*k)%len(words)])
			s.WriteByte(' ')
		}
		examples = append(examples, text.Example{Text: strings.TrimSpace(s.String()), Label: []string{"neg", "pos"}[i*2/5000]})
		size += s.Len()
	}
	files := filesOf(examples)
	folder := tree(files)
	run := func(name string, read func() ([]text.Example, error)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got, err := read()
				if err != nil || len(got) != len(examples) {
					b.Fatal(len(got), err)
				}
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(len(examples))/seconds, "examples/s")
			b.ReportMetric(float64(size)/1e6/seconds, "MB/s")
		})
	}
	for _, f := range []Format{TSV, CSV, JSONL, Parquet} {
		plain := table(b, f, examples)
		for _, how := range []string{"", "gz", "zst"} {
			if f == Parquet && how != "" {
				continue // compressed in itself
			}
			packed := pack(how, plain)
			name := strings.TrimSuffix(string(f)+"."+how, ".")
			run(name, func() ([]text.Example, error) { return Read(bytes.NewReader(packed), "x."+name, Options{}) })
		}
	}
	latin := []byte(encoded(b, windows1252, string(table(b, TSV, examples))))
	run("tsv in windows-1252", func() ([]text.Example, error) { return Read(bytes.NewReader(latin), "x.tsv", Options{}) })
	run("folder", func() ([]text.Example, error) { return ReadFolder(folder, "x", Options{}) })
	tarred, zipped := tarOf(files), zipOf(files)
	for _, how := range []string{"", "gz", "zst"} {
		packed := pack(how, tarred)
		name := strings.TrimSuffix("tar."+how, ".")
		run(name, func() ([]text.Example, error) { return ReadArchive(bytes.NewReader(packed), name, Options{}) })
	}
	run("zip", func() ([]text.Example, error) { return ReadArchive(bytes.NewReader(zipped), "x.zip", Options{}) })
}

// BenchmarkJSONLines reads 100,000 rows of a few short members, where what is done for
// each row counts.
func BenchmarkJSONLines(b *testing.B) {
	var file bytes.Buffer
	for i := range 100_000 {
		fmt.Fprintf(&file, `{"id":%d,"text":"some words number %d of a short message","label":"%c","meta":{"lang":"en","at":[1,2]}}`+"\n",
			i, i, 'a'+i%2)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		entry := archive.Entry{Name: "x.jsonl", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file.Bytes())), nil }}
		if err := Stream(entry, Options{}, func(text.Example) error { rows++; return nil }); err != nil || rows != 100_000 {
			b.Fatal(rows, err)
		}
	}
	b.ReportMetric(100_000/(b.Elapsed().Seconds()/float64(b.N)), "examples/s")
}
