package embedding

import (
	"math"
	"math/bits"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"tnaml/nn/rng"
)

// trainSGNS is skip-gram with negative sampling (Mikolov, Sutskever, Chen,
// Corrado and Dean, 2013): each word predicts the words around it, in a window
// drawn from 1…Window, against Negative words drawn from the counts to the
// power of 3/4. Documents are read in order by one goroutine: racing updates
// would be faster and never the same twice.
func trainSGNS(c *counted, o TrainOptions) []float32 {
	s := newSGNS(len(c.words), o.Dim, o.Seed)
	table := newAlias(c.counts, 0.75)
	keep := keepProbability(c, o.Subsample)
	total := float64(max(1, len(c.ids)*o.Epochs))
	read := 0
	var doc []int32
	for epoch := range o.Epochs {
		for d := range len(c.offsets) - 1 {
			if d%1024 == 0 {
				o.Progress(float64(read) / total)
			}
			words := c.ids[c.offsets[d]:c.offsets[d+1]]
			rate := float32(o.LearningRate * math.Max(1-float64(read)/total, 1e-4))
			read += len(words)
			r := rng.New(o.Seed, "embedding/sgns", uint64(epoch)<<40|uint64(d))
			doc = doc[:0]
			for _, w := range words {
				if keep[w] >= 1 || r.Float64() < keep[w] {
					doc = append(doc, w)
				}
			}
			for i, centre := range doc {
				window := 1 + r.IntN(o.Window)
				for j := max(0, i-window); j < min(len(doc), i+window+1); j++ {
					if j == i {
						continue
					}
					clear(s.grad)
					s.step(centre, doc[j], 1, rate)
					for range o.Negative {
						if n := table.draw(r.Uint64()); n != doc[j] {
							s.step(centre, n, 0, rate)
						}
					}
					s.apply(centre)
				}
			}
		}
	}
	return s.in
}

// sgns is the model: a vector of length dim for every word as centre (in) and
// as context (out), both words × dim.
type sgns struct {
	dim     int
	in, out []float32
	grad    []float32 // step for the centre word, summed over a pair's samples
}

func newSGNS(words, dim int, seed uint64) *sgns {
	s := &sgns{dim: dim, in: make([]float32, words*dim), out: make([]float32, words*dim), grad: make([]float32, dim)}
	r := rng.New(seed, "embedding/sgns/init", 0)
	for i := range s.in {
		s.in[i] = (r.Float32() - 0.5) / float32(dim)
	}
	return s
}

// step does one sample's stochastic gradient step on
// L = −y log σ(u·v) − (1−y) log σ(−u·v), u the centre and v the context
// vector: v is updated, u's step is added to grad. With g = rate·(y − σ(u·v)),
// grad += g·v and v += g·u.
func (s *sgns) step(centre, context int32, y, rate float32) {
	u := vec(s.in[int(centre)*s.dim:][:s.dim])
	v := vec(s.out[int(context)*s.dim:][:s.dim])
	g := rate * (y - sigmoid(blas32.Dot(u, v)))
	blas32.Axpy(g, v, vec(s.grad))
	blas32.Axpy(g, u, v)
}

// apply adds the summed step to the centre word's vector.
func (s *sgns) apply(centre int32) {
	blas32.Axpy(1, vec(s.grad), vec(s.in[int(centre)*s.dim:][:s.dim]))
}

func vec(v []float32) blas32.Vector { return blas32.Vector{N: len(v), Inc: 1, Data: v} }

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// keepProbability returns the probability with which an occurrence of each
// word is kept: √(t/f) + t/f for relative frequency f above t, as word2vec's
// own program does.
func keepProbability(c *counted, t float64) []float64 {
	total := float64(max(1, len(c.ids)))
	p := make([]float64, len(c.counts))
	for i, n := range c.counts {
		q := t * total / float64(n)
		p[i] = math.Min(1, math.Sqrt(q)+q)
	}
	return p
}

// alias draws from a discrete distribution in constant time (Walker, 1977;
// Vose, 1991).
type alias struct {
	probability []float64
	other       []int32
}

// newAlias is the distribution proportional to counts to a power.
func newAlias(counts []int, power float64) *alias {
	n := len(counts)
	a := &alias{make([]float64, n), make([]int32, n)}
	sum := 0.0
	for i, c := range counts {
		a.probability[i] = math.Pow(float64(c), power)
		sum += a.probability[i]
	}
	var small, large []int32
	for i := range a.probability {
		a.probability[i] *= float64(n) / sum
		a.other[i] = int32(i)
		if a.probability[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	slices.Reverse(large) // hand out the frequent words first
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = l
		a.probability[l] -= 1 - a.probability[s]
		if a.probability[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // what rounding left over
		a.probability[i] = 1
	}
	return a
}

// draw turns 64 random bits into an index: the high part of u·n picks the
// column, the low part decides within it.
func (a *alias) draw(u uint64) int32 {
	i, within := bits.Mul64(u, uint64(len(a.probability)))
	if float64(within) < a.probability[i]*(1<<64) {
		return int32(i)
	}
	return a.other[i]
}
