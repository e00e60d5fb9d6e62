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

// lines reads a corpus of a document a line, gzipped, and tokenises it plainly:
// tags dropped, lower case, words of letters, digits and apostrophes. So does
// experiments/bench/fasttext_skipgram.sh. limit bounds the documents.
func lines(t testing.TB, limit int, name string) *Corpus {
	t.Helper()
	f, err := os.Open(data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
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

// BenchmarkSGNS measures skip-gram on real film reviews as fastText's own
// default measures itself: words of the text a second, those not drawn for a
// context included. Compare experiments/bench/fasttext_skipgram.sh.
func BenchmarkSGNS(b *testing.B) {
	c := lines(b, 10000, "corpora/imdb_unsup.txt.gz")
	for _, bench := range []struct {
		name    string
		subword *Subword
	}{{"words", nil}, {"subwords", &Subword{Buckets: 2000000}}, {"subwords-65536", &Subword{}}} {
		b.Run(bench.name, func(b *testing.B) {
			o, err := TrainOptions{Name: "m", Method: SGNS, Dim: 128, Epochs: 1, LearningRate: 0.05, MaxVocabulary: 1 << 20, Subword: bench.subword}.withDefaults()
			if err != nil {
				b.Fatal(err)
			}
			k, err := count(c, o.MinCount, o.MaxVocabulary)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				trainSGNS(k, o)
			}
			b.ReportMetric(float64(len(k.ids))*float64(b.N)/b.Elapsed().Seconds(), "words/s")
		})
	}
}
