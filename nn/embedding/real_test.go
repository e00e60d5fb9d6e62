package embedding

import (
	"bufio"
	"compress/gzip"
	"os"
	"regexp"
	"strings"
	"testing"
)

var tags, others = regexp.MustCompile(`<[^>]*>`), regexp.MustCompile(`[^a-z0-9'áéíóúüñ]+`)

// gzipped scans a file of the real data line by line.
func gzipped(t testing.TB, name string) *bufio.Scanner {
	t.Helper()
	f, err := os.Open(data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<24)
	return s
}

// lines reads a corpus of a document a line, gzipped, and tokenises it plainly:
// tags dropped, lower case, words of letters, digits and apostrophes. So does
// experiments/bench/fasttext_skipgram.sh. limit bounds the documents.
func lines(t testing.TB, limit int, name string) *Corpus {
	t.Helper()
	s := gzipped(t, name)
	var documents [][]string
	for s.Scan() && len(documents) < limit {
		text := others.ReplaceAllString(strings.ToLower(tags.ReplaceAllString(s.Text(), " ")), " ")
		documents = append(documents, strings.Fields(text))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return Tokens(documents)
}
