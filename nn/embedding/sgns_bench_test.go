//go:build unix

package embedding

import (
	"syscall"
	"testing"
)

// BenchmarkSGNS measures skip-gram on real film reviews as fastText measures
// itself: words of the text that are in the vocabulary, those not drawn
// included, by the clock and by the processor's time, of which a busy machine
// gives less; and the share of the intrinsic check's triples that are right.
// Compare experiments/bench/fasttext_skipgram.sh.
func BenchmarkSGNS(b *testing.B) {
	c := lines(b, 10000, "corpora/imdb_unsup.txt.gz")
	for _, bench := range []struct {
		name    string
		subword *Subword
	}{{"words", nil}, {"subwords", &Subword{Buckets: 2000000}}, {"subwords-65536", &Subword{}}} {
		b.Run(bench.name, func(b *testing.B) {
			o, err := TrainOptions{
				Name: "m", Method: SGNS, Dim: 128, Epochs: 1, LearningRate: 0.05, MaxVocabulary: 1 << 20, Subword: bench.subword,
			}.withDefaults()
			if err != nil {
				b.Fatal(err)
			}
			k, err := count(c, o.MinCount, o.MaxVocabulary)
			if err != nil {
				b.Fatal(err)
			}
			before := processorTime(b)
			m := &Module{Dim: o.Dim, Tokens: k.words, Subword: o.Subword}
			for b.Loop() {
				if m.Vectors, _, err = trainSGNS(k, o); err != nil {
					b.Fatal(err)
				}
			}
			words := float64(len(k.ids)) * float64(b.N)
			b.ReportMetric(words/b.Elapsed().Seconds(), "words/s")
			b.ReportMetric(words/(processorTime(b)-before), "words/cpu-s")
			b.ReportMetric(100*m.Check(Triples("en")).Share(), "%right")
		})
	}
}

// processorTime returns the seconds that this process has computed.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
