package embedding

import (
	"math"
	"math/bits"
	"slices"

	"tnaml/nn/blas"
	"tnaml/nn/rng"
)

// trainSGNS is skip-gram with negative sampling (Mikolov, Sutskever, Chen,
// Corrado and Dean, 2013): each word predicts the words around it, in a window
// drawn from 1…Window, against Negative words a pair, drawn from the counts to
// the power of 3/4. Documents are read in order by one goroutine: racing
// updates would be faster and never the same twice.
//
// The pairs of one centre word are one minibatch: its vector stays as it is
// while the window's context words and their negatives pass, and takes the sum
// of their steps after (as in Ji, Satish, Li and Dubey, 2016, who also share
// the negatives; here each pair draws its own). The context vectors move one
// after the other.
//
// With subwords a centre word's vector is the mean of its own and those of its
// n-grams' buckets, each of which takes the whole step (Bojanowski, Grave,
// Joulin and Mikolov, 2017, and their program).
//
// It returns the words' vectors, and the buckets' or nil; its errors are those of
// o.Progress.
func trainSGNS(c *counted, o TrainOptions) (words, buckets []float32, err error) {
	s := newSGNS(c.words, o)
	table := newAlias(c.counts, 0.75)
	keep := keepProbability(c, o.Subsample)
	total := float64(max(1, len(c.ids)*o.Epochs))
	read := 0
	var doc []int32
	var stream rng.Stream
	// One batch is filled and its rows asked for while another is worked on.
	batch, next := &pairs{}, &pairs{}
	for epoch := range o.Epochs {
		for d := range len(c.offsets) - 1 {
			if d%1024 == 0 {
				if err := o.Progress(float64(read) / total); err != nil {
					return nil, nil, err
				}
			}
			text := c.ids[c.offsets[d]:c.offsets[d+1]]
			rate := float32(o.LearningRate * math.Max(1-float64(read)/total, 1e-4))
			read += len(text)
			r := stream.At(o.Seed, "embedding/sgns", uint64(epoch)<<40|uint64(d))
			doc = doc[:0]
			for _, w := range text {
				if keep[w] >= 1 || r.Float64() < keep[w] {
					doc = append(doc, w)
				}
			}
			for i, centre := range doc {
				window := 1 + r.IntN(o.Window)
				next.reset(centre, rate)
				for j := max(0, i-window); j < min(len(doc), i+window+1); j++ {
					if j == i {
						continue
					}
					next.add(doc[j], 1)
					for n := 0; n < o.Negative; n += 2 {
						u := r.Uint64()
						next.negative(table.draw(uint32(u>>32)), doc[j])
						if n+1 < o.Negative {
							next.negative(table.draw(uint32(u)), doc[j])
						}
					}
				}
				s.prefetch(next)
				s.step(batch)
				batch, next = next, batch
			}
		}
	}
	s.step(batch)
	words, buckets = s.vectors(), s.in[len(c.words)*s.dim:]
	s.clearUnused(buckets)
	return words, buckets, nil
}

// pairs are the samples of one centre word: context words, and for each whether
// it is a true one (1) or a negative (0).
type pairs struct {
	centre   int32
	rate     float32
	contexts []int32
	truth    []float32
}

func (p *pairs) reset(centre int32, rate float32) {
	p.centre, p.rate, p.contexts, p.truth = centre, rate, p.contexts[:0], p.truth[:0]
}

func (p *pairs) add(context int32, truth float32) {
	p.contexts, p.truth = append(p.contexts, context), append(p.truth, truth)
}

// negative adds a negative, but for the pair's own context word.
func (p *pairs) negative(word, context int32) {
	if word != context {
		p.add(word, 0)
	}
}

// sgns is the model: vectors of length dim, for every word and then every
// bucket as centre (in), for every word as context (out).
type sgns struct {
	dim     int
	in, out []float32
	// rows[start[w]:start[w+1]] are the rows of in that make up word w, its own
	// first; without subwords both are nil, and it is that alone.
	rows  []int32
	start []int
	// The rest is a step's own: centre vector, its step, and numbers a sample
	// or a row.
	centre, grad, weights, slope []float32
	ones, means                  []float32
}

func newSGNS(words []string, o TrainOptions) *sgns {
	s := &sgns{dim: o.Dim, centre: make([]float32, o.Dim), grad: make([]float32, o.Dim)}
	rows := len(words)
	if o.Subword != nil {
		rows += o.Subword.Buckets
		s.start = make([]int, 1, len(words)+1)
		for w, word := range words {
			s.rows = append(s.rows, int32(w))
			from := len(s.rows)
			s.rows = o.Subword.ngrams(s.rows, word)
			for i := range s.rows[from:] {
				s.rows[from+i] += int32(len(words))
			}
			s.start = append(s.start, len(s.rows))
		}
	}
	s.in, s.out = make([]float32, rows*o.Dim), make([]float32, len(words)*o.Dim)
	r := rng.New(o.Seed, "embedding/sgns/init", 0)
	for i := range s.in {
		s.in[i] = (r.Float32() - 0.5) / float32(o.Dim)
	}
	return s
}

// step does the stochastic gradient step of a centre word's samples on
// L = −Σ (y log σ(u·v) + (1−y) log σ(−u·v)), u the centre's and v the contexts'
// vectors. With g = rate·(y − σ(u·v)), u += Σ g·v and v += g·u.
func (s *sgns) step(p *pairs) {
	n := len(p.contexts)
	if n == 0 {
		return
	}
	if len(s.weights) < n {
		s.weights, s.slope = make([]float32, 2*n), make([]float32, 2*n)
	}
	g := s.weights[:n]
	s.load(p.centre)
	clear(s.grad)
	blas.RowDots(g, s.out, s.dim, p.contexts, s.centre)
	blas.Sigmoid(g, g, s.slope[:n])
	for i, y := range p.truth {
		g[i] = p.rate * (y - g[i])
	}
	blas.Exchange(s.grad, s.out, s.dim, p.contexts, g, s.centre)
	if s.start == nil {
		blas.Add(s.grad, s.in[int(p.centre)*s.dim:][:s.dim])
		return
	}
	rows := s.rows[s.start[p.centre]:s.start[p.centre+1]]
	blas.Scatter(s.in, s.dim, rows, s.ones[:len(rows)], s.grad)
}

// load sets s.centre to a word's vector.
func (s *sgns) load(word int32) {
	if s.start == nil {
		copy(s.centre, s.in[int(word)*s.dim:][:s.dim])
		return
	}
	rows := s.rows[s.start[word]:s.start[word+1]]
	if len(s.ones) < len(rows) {
		s.ones, s.means = make([]float32, 2*len(rows)), make([]float32, 2*len(rows))
		for i := range s.ones {
			s.ones[i] = 1
		}
	}
	means := s.means[:len(rows)]
	for i := range means {
		means[i] = 1 / float32(len(rows))
	}
	blas.Gather(s.centre, s.in, s.dim, rows, means)
}

// vectors returns the words' vectors, words × dim.
func (s *sgns) vectors() []float32 {
	if s.start == nil {
		return s.in
	}
	out := make([]float32, len(s.out))
	for w := range len(s.start) - 1 {
		s.load(int32(w))
		copy(out[w*s.dim:], s.centre)
	}
	return out
}

// clearUnused sets the vectors of buckets to zero that belong to no word's
// n-grams: the start's noise, that no step has touched.
func (s *sgns) clearUnused(buckets []float32) {
	words := len(s.out) / s.dim
	used := make([]bool, len(buckets)/s.dim)
	for _, row := range s.rows {
		if int(row) >= words {
			used[int(row)-words] = true
		}
	}
	for b, is := range used {
		if !is {
			clear(buckets[b*s.dim:][:s.dim])
		}
	}
}

// prefetch asks for the rows that a step will need.
func (s *sgns) prefetch(p *pairs) {
	for _, c := range p.contexts {
		blas.Prefetch(s.out[int(c)*s.dim:][:s.dim])
	}
	if s.start == nil {
		blas.Prefetch(s.in[int(p.centre)*s.dim:][:s.dim])
		return
	}
	for _, row := range s.rows[s.start[p.centre]:s.start[p.centre+1]] {
		blas.Prefetch(s.in[int(row)*s.dim:][:s.dim])
	}
}

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
type alias []column

// column is one of as many equal parts of the unit as there are outcomes: it
// gives its own outcome for the first limit of 2³² parts, the other for the
// rest.
type column struct {
	limit uint32
	other int32
}

// newAlias is the distribution proportional to counts to a power, to 32 bits.
func newAlias(counts []int, power float64) alias {
	n := len(counts)
	probability, a := make([]float64, n), make(alias, n)
	sum := 0.0
	for i, c := range counts {
		probability[i] = math.Pow(float64(c), power)
		sum += probability[i]
	}
	var small, large []int32
	for i := range a {
		probability[i] *= float64(n) / sum
		a[i].other = int32(i)
		if probability[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	slices.Reverse(large) // hand out the frequent words first
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a[s].limit, a[s].other = uint32(math.Min(probability[s]*(1<<32), math.MaxUint32)), l
		probability[l] -= 1 - probability[s]
		if probability[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return a // what rounding left over is its own other
}

// draw turns 32 random bits into an index: the high part of u·n picks the
// column, the low part decides within it.
func (a alias) draw(u uint32) int32 {
	i, within := bits.Mul32(u, uint32(len(a)))
	if within < a[i].limit {
		return int32(i)
	}
	return a[i].other
}
