package embedding

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	"tnaml/nn/rng"
)

var vectorFiles = flag.String("vectors", "", "files of vectors, by commas, for BenchmarkQuality to look at too")

// stepAPair is skip-gram as word2vec's program does it, as a reference: the
// centre word's vector takes its step after each pair.
func stepAPair(c *counted, o TrainOptions) []float32 {
	s := newSGNS(c.words, o)
	table, keep := newAlias(c.counts, 0.75), keepProbability(c, o.Subsample)
	read := 0
	for d := range len(c.offsets) - 1 {
		rate := float32(o.LearningRate * math.Max(1-float64(read)/float64(len(c.ids)), 1e-4))
		r := rng.New(o.Seed, "test", uint64(d))
		var doc []int32
		for _, w := range c.ids[c.offsets[d]:c.offsets[d+1]] {
			if read++; r.Float64() < keep[w] {
				doc = append(doc, w)
			}
		}
		for i, centre := range doc {
			u := vec(s.in[int(centre)*s.dim:][:s.dim])
			window := 1 + r.IntN(o.Window)
			for j := max(0, i-window); j < min(len(doc), i+window+1); j++ {
				if j == i {
					continue
				}
				clear(s.grad)
				for k := range o.Negative + 1 {
					context, y := doc[j], float32(1)
					if k > 0 {
						if context, y = table.draw(r.Uint32()), 0; context == doc[j] {
							continue
						}
					}
					v := vec(s.out[int(context)*s.dim:][:s.dim])
					g := rate * (y - float32(1/(1+math.Exp(-float64(blas32.Dot(u, v))))))
					blas32.Axpy(g, v, vec(s.grad))
					blas32.Axpy(g, u, v)
				}
				blas32.Axpy(1, vec(s.grad), u)
			}
		}
	}
	return s.in
}

// documents returns the mean vectors of a task's texts, each column of mean 0
// and variance 1, with a column of ones; and which texts are of the class that
// comes first.
func documents(b *testing.B, m *Module, task string) (x [][]float64, first []bool) {
	s := gzipped(b, "text/"+task+"/data.tsv.gz")
	s.Scan() // the header
	l, v, class := m.Lookup(), make([]float32, m.Dim), ""
	for s.Scan() {
		fields := strings.SplitN(s.Text(), "\t", 3)
		row, n := make([]float64, m.Dim+1), 0
		for _, w := range strings.Fields(others.ReplaceAllString(strings.ToLower(fields[2]), " ")) {
			if l.Vector(v, w) != Unknown {
				n++
				for k := range v {
					row[k] += float64(v[k])
				}
			}
		}
		for k := range v {
			row[k] /= float64(max(1, n))
		}
		row[m.Dim] = 1
		if class == "" {
			class = fields[1]
		}
		x, first = append(x, row), append(first, fields[1] == class)
	}
	for k := range m.Dim {
		var sum, squares float64
		for _, row := range x {
			sum, squares = sum+row[k], squares+row[k]*row[k]
		}
		mean := sum / float64(len(x))
		for _, row := range x {
			row[k] = (row[k] - mean) / math.Sqrt(squares/float64(len(x))-mean*mean)
		}
	}
	return x, first
}

// accuracy is that of logistic regression with an L2 penalty, in five folds, by
// six steps of Newton's method.
func accuracy(x [][]float64, first []bool) float64 {
	const folds, penalty = 5, 10
	d, right := len(x[0]), 0
	order := rng.New(1, "test/folds", 0).Perm(len(x))
	for fold := range folds {
		w := make([]float64, d)
		margin := func(row []float64) (sum float64) {
			for k, v := range row {
				sum += w[k] * v
			}
			return sum
		}
		for range 6 {
			hessian, gradient := mat.NewSymDense(d, nil), mat.NewVecDense(d, nil)
			for k := range d {
				hessian.SetSym(k, k, penalty)
				gradient.SetVec(k, -penalty*w[k])
			}
			for i, at := range order {
				if i%folds == fold {
					continue
				}
				p, y := 1/(1+math.Exp(-margin(x[at]))), 0.0
				if first[at] {
					y = 1
				}
				row := mat.NewVecDense(d, x[at])
				hessian.SymRankOne(hessian, p*(1-p), row)
				gradient.AddScaledVec(gradient, y-p, row)
			}
			var c mat.Cholesky
			var step mat.VecDense
			if !c.Factorize(hessian) || c.SolveVecTo(&step, gradient) != nil {
				panic("singular")
			}
			for k := range w {
				w[k] += step.AtVec(k)
			}
		}
		for i, at := range order {
			if i%folds == fold && margin(x[at]) > 0 == first[at] {
				right++
			}
		}
	}
	return float64(right) / float64(len(x))
}

// BenchmarkQuality says how good vectors are for telling texts apart, those of
// skip-gram trained on film reviews and those of files: the percentage
// of texts whose class their mean vector tells, and of the intrinsic check.
func BenchmarkQuality(b *testing.B) {
	report := func(name string, make func(b *testing.B) *Module) {
		b.Run(name, func(b *testing.B) {
			var m *Module
			for b.Loop() {
				m = make(b)
			}
			for _, task := range []string{"subj_movie", "customer_reviews", "sentiment_sst"} {
				b.ReportMetric(100*accuracy(documents(b, m, task)), "%"+task)
			}
			b.ReportMetric(100*m.Check(Triples("en")).Share(), "%check")
		})
	}
	if *vectorFiles != "" {
		for _, file := range strings.Split(*vectorFiles, ",") {
			report(filepath.Base(file), func(b *testing.B) *Module {
				f, err := os.Open(file)
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				m, err := Read(f, file, 0)
				if err != nil {
					b.Fatal(err)
				}
				return m
			})
		}
	}
	c := lines(b, 10000, "corpora/imdb_unsup.txt.gz")
	for seed := uint64(1); seed <= 2; seed++ {
		o := TrainOptions{Name: "m", Method: SGNS, Dim: 128, Epochs: 1, MaxVocabulary: 1 << 20, Seed: seed}
		report(fmt.Sprint("pair-", seed), func(b *testing.B) *Module {
			o, err := o.withDefaults()
			if err != nil {
				b.Fatal(err)
			}
			k, err := count(c, o.MinCount, o.MaxVocabulary)
			if err != nil {
				b.Fatal(err)
			}
			return &Module{Name: "m", Dim: o.Dim, Tokens: k.words, Vectors: stepAPair(k, o)}
		})
		for _, v := range []struct {
			name    string
			epochs  int
			subword *Subword
		}{{"centre", 1, nil}, {"ngrams", 1, &Subword{}}, {"centre-5-passes", 5, nil}, {"ngrams-5-passes", 5, &Subword{}}} {
			o := o
			o.Epochs, o.Subword = v.epochs, v.subword
			if v.epochs > 1 && seed > 1 {
				continue
			}
			report(fmt.Sprint(v.name, "-", seed), func(b *testing.B) *Module {
				m, err := Train(c, o)
				if err != nil {
					b.Fatal(err)
				}
				return m
			})
		}
	}
}
