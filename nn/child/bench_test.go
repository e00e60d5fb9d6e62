package child

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkStep measures training steps of batch 100 on one core.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name                       string
		vocabulary, dim, layers    int
		hidden, classes, tokens, n int
		norm                       Normalisation
		activation                 Activation
		tune                       bool
	}{
		{"10k dim128 1x64 2 classes 20 tokens tuned", 10000, 128, 1, 64, 2, 20, 4000, NoNorm, ReLU, true},
		{"10k dim128 2x256 13 classes 20 tokens tuned", 10000, 128, 2, 256, 13, 20, 4000, NoNorm, ReLU, true},
		{"30k dim128 3x256 batch 20 classes 300 tokens tuned", 30000, 128, 3, 256, 20, 300, 2000, BatchNorm, ReLU, true},
		{"30k dim250 2x256 2 classes 250 tokens tuned", 30000, 250, 2, 256, 2, 250, 2000, NoNorm, ReLU, true},
		{"30k dim128 no layer 2 classes 100 tokens tuned", 30000, 128, 0, 1, 2, 100, 2000, NoNorm, ReLU, true},
		{"10k dim128 no layer 2 classes 20 tokens frozen", 10000, 128, 0, 1, 2, 20, 4000, NoNorm, ReLU, false},
		{"10k dim128 2x256 2 classes 20 tokens frozen", 10000, 128, 2, 256, 2, 20, 4000, NoNorm, ReLU, false},
		{"10k dim128 2x256 2 classes 20 tokens frozen swish", 10000, 128, 2, 256, 2, 20, 4000, NoNorm, Swish, false},
		{"10k dim128 5x512 batch 2 classes 20 tokens frozen", 10000, 128, 5, 512, 2, 20, 4000, BatchNorm, ReLU, false},
	} {
		b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			d, table := synthetic(c.n, c.vocabulary, c.classes, c.tokens, c.dim, .5)
			cfg := config(func(f *Config) {
				f.HiddenLayers, f.HiddenSize, f.Normalisation, f.FineTune, f.BatchSize = c.layers, c.hidden, c.norm, c.tune, 0
				f.Activation = c.activation
			})
			r := newRun(newNetwork(cfg, d, table, nil, 1), d, Embed(d, table), 1)
			step := 0
			for b.Loop() {
				r.step(step)
				step++
			}
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(float64(step*100)/seconds, "examples/s")
			b.ReportMetric(float64(step*100*c.tokens)/seconds, "tokens/s")
		})
	}
}

// BenchmarkPooledStep measures the steps of a deep tower on a frozen module, by what it
// makes of the token vectors.
func BenchmarkPooledStep(b *testing.B) {
	for _, tokens := range []int{20, 100} {
		d, table := synthetic(4000, 10000, 2, tokens, 128, .5)
		for _, p := range []Pooling{Mean, Max, Attention} {
			b.Run(fmt.Sprintf("2x256_%d_tokens_%s", tokens, p), func(b *testing.B) {
				cfg := config(func(f *Config) {
					f.HiddenLayers, f.HiddenSize, f.BatchSize, f.Activation, f.Pooling = 2, 256, 0, ReLU, p
				})
				r := newRun(newNetwork(cfg, d, table, nil, 1), d, EmbedBy(d, table, p), 1)
				step := 0
				for b.Loop() {
					r.step(step)
					step++
				}
				b.ReportMetric(float64(step*100)/b.Elapsed().Seconds(), "examples/s")
			})
		}
	}
}

// BenchmarkActivation measures activations of a batch of 100 × 256.
func BenchmarkActivation(b *testing.B) {
	z, y, d := make([]float32, 25600), make([]float32, 25600), make([]float32, 25600)
	for i := range z {
		z[i] = float32(i%977)/100 - 5
	}
	for _, f := range []Activation{ReLU, ReLU6, LeakyReLU, Swish, Sigmoid, Tanh} {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				activate(f, z, y, d)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*len(z)), "ns/unit")
		})
	}
}

// A step of an image model as CIFAR-10 gives it: 1,024 features of MobileNet,
// 3,072 pixels.
func BenchmarkImageStep(b *testing.B) {
	d, table, v := syntheticImages(2000, 3072, 10, 1024)
	for _, c := range []struct {
		name           string
		layers, hidden int
	}{{"no hidden layer", 0, 1}, {"2x256", 2, 256}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := config(func(cfg *Config) { cfg.HiddenLayers, cfg.HiddenSize, cfg.BatchSize = c.layers, c.hidden, 100 })
			r := newRun(newNetwork(cfg, d, table, nil, 1), d, v, 1)
			b.ResetTimer()
			for i := range b.N {
				r.step(i)
			}
			b.ReportMetric(float64(b.N)*100/b.Elapsed().Seconds(), "examples/s")
		})
	}
}
