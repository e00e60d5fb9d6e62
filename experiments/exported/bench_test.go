package exported

import (
	"testing"

	"tnaml/nn/child"
	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// spaces are models of the widths that searches of the spaces hand over: 128 numbers a
// token, two hidden layers of 256.
var spaces = map[string]func(*child.Config){
	"paper": func(c *child.Config) { c.HiddenSize, c.WideStart = 256, -1 },
	"text": func(c *child.Config) {
		c.HiddenSize, c.WideFeatures, c.WideWeighting, c.WideNormalisation = 256, child.Both, sparse.TFIDF, child.L2
		c.WideSolver = child.Dual
	},
}

// BenchmarkPredict measures predictions of short messages by the CPU time that they take: 256
// together, as a server has them, and one alone.
func BenchmarkPredict(b *testing.B) {
	for name, edit := range spaces {
		m, err := Decode(encoded(b, 4000, 128, edit))
		if err != nil {
			b.Fatal(err)
		}
		r := rng.New(3, "exported/test", 0)
		var texts []string
		characters := 0
		for range 1024 {
			texts = append(texts, short(r, 4000))
			characters += len(texts[len(texts)-1])
		}
		for batch, of := range map[string]int{"together": 256, "alone": 1} {
			b.Run(name+"/"+batch, func(b *testing.B) {
				b.ReportAllocs()
				at, before := 0, cpuSeconds()
				for b.Loop() {
					m.Predict(texts[at:at+of], nil)
					at = (at + of) % len(texts)
				}
				b.ReportMetric(float64(b.N*of)/(cpuSeconds()-before), "texts/cpu-s")
				b.ReportMetric(float64(characters)/float64(len(texts)), "characters/text")
			})
		}
	}
}
