package embedding

import (
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
)

// loss is L of one pair: −ln σ(u·v₀) − Σ ln σ(−u·vₖ), in float64.
func loss(u []float64, v [][]float64) float64 {
	sum := 0.0
	for k, w := range v {
		x := 0.0
		for i := range u {
			x += u[i] * w[i]
		}
		if k > 0 {
			x = -x
		}
		sum += math.Log1p(math.Exp(-x))
	}
	return sum
}

// One step of rate 1 changes centre and context vectors by minus the gradient
// of the loss, as finite differences give it; with subwords, each of the rows
// that make up the centre word takes the whole step.
func TestSGNSGradient(t *testing.T) {
	const dim = 7
	words := []string{"ab", "cd", "ef", "gh", "ij", "kl"}
	for _, subword := range []*Subword{nil, {Kind: NGrams, MinN: 2, MaxN: 3, Buckets: 1000}} {
		for _, scale := range []float32{0.1, 1, 2} {
			s := newSGNS(words, TrainOptions{Dim: dim, Seed: 3, Subword: subword})
			r := rng.New(7, "test", 0)
			for i := range s.in {
				s.in[i] = scale * float32(r.NormFloat64())
			}
			for i := range s.out {
				s.out[i] = scale * float32(r.NormFloat64())
			}
			const centre = 2
			contexts := []int32{4, 0, 5, 1} // the first one true, the rest negative
			rows := []int32{centre}
			if subword != nil {
				rows = s.rows[s.start[centre]:s.start[centre+1]]
				if len(rows) != 6 { // itself, <e, <ef, ef, ef>, f>
					t.Fatalf("rows %v", rows)
				}
			}
			u := make([]float64, dim)
			for _, row := range rows {
				for i, x := range s.in[int(row)*dim:][:dim] {
					u[i] += float64(x) / float64(len(rows))
				}
			}
			v := make([][]float64, len(contexts))
			for k, c := range contexts {
				v[k] = wide(s.out[c*dim:][:dim])
			}
			in, out, whole := wide(s.in), wide(s.out), slices.Clone(u)
			p := &pairs{centre: centre, rate: 1}
			for k, c := range contexts {
				y := float32(0)
				if k == 0 {
					y = 1
				}
				p.add(c, y)
			}
			s.step(p)
			check := func(what string, x *float64, step float64) {
				const h = 1e-5
				before := *x
				*x = before + h
				up := loss(u, v)
				*x = before - h
				down := loss(u, v)
				*x = before
				if want := -(up - down) / (2 * h); math.Abs(step-want) > 4e-6*float64(1+scale) {
					t.Errorf("scale %v, %s: the step is %.8f, minus the gradient %.8f", scale, what, step, want)
				}
			}
			for i := range u {
				for _, row := range rows {
					at := int(row)*dim + i
					check("centre", &u[i], float64(s.in[at])-in[at])
				}
				for k, c := range contexts {
					check("context", &v[k][i], float64(s.out[int(c)*dim+i])-out[int(c)*dim+i])
				}
			}
			if !slices.Equal(u, whole) {
				t.Fatal("the check changed the vector")
			}
			for i := range in {
				if !slices.Contains(rows, int32(i/dim)) && in[i] != float64(s.in[i]) {
					t.Fatalf("row %d moved as a centre", i/dim)
				}
			}
			for i := range out {
				if w := i / dim; (w == 2 || w == 3) && out[i] != float64(s.out[i]) {
					t.Fatalf("word %d moved as a context", w)
				}
			}
		}
	}
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

func TestAlias(t *testing.T) {
	for _, c := range []struct {
		counts []int
		power  float64
	}{
		{[]int{1}, 1}, {[]int{5, 5, 5}, 0.75}, {[]int{1000, 100, 10, 1}, 0.75}, {[]int{1, 1, 1, 97}, 1}, {[]int{3, 2, 1}, 0},
	} {
		a := newAlias(c.counts, c.power)
		n := len(c.counts)
		// The columns' shares add up to the distribution.
		got := make([]float64, n)
		for i := range n {
			p := float64(a[i].limit) / (1 << 32)
			got[i] += p / float64(n)
			got[a[i].other] += (1 - p) / float64(n)
		}
		sum := 0.0
		for _, k := range c.counts {
			sum += math.Pow(float64(k), c.power)
		}
		for i, k := range c.counts {
			if want := math.Pow(float64(k), c.power) / sum; math.Abs(got[i]-want) > 1e-9 {
				t.Errorf("%v to the power of %v: %d has probability %v, want %v", c.counts, c.power, i, got[i], want)
			}
		}
		// And drawing follows them.
		const draws = 40000
		drawn := make([]int, n)
		r := rng.New(1, "test", 0)
		for range draws {
			drawn[a.draw(r.Uint32())]++
		}
		for i := range drawn {
			if sd := math.Sqrt(got[i] * (1 - got[i]) * draws); math.Abs(float64(drawn[i])-got[i]*draws) > 5*sd+1e-9 {
				t.Errorf("%v: %d was drawn %d times of %d, want %.0f ± %.0f", c.counts, i, drawn[i], draws, got[i]*draws, sd)
			}
		}
		for _, u := range []uint32{0, math.MaxUint32} {
			if i := a.draw(u); i < 0 || int(i) >= n {
				t.Errorf("draw(%d) = %d of %d", u, i, n)
			}
		}
	}
}

func TestKeepProbability(t *testing.T) {
	// Frequencies 0.5, 0.4, 0.1 against a threshold of 0.1.
	c := &counted{counts: []int{50, 40, 10}, ids: make([]int32, 100)}
	want := []float64{math.Sqrt(0.2) + 0.2, 0.75, 1}
	for i, got := range keepProbability(c, 0.1) {
		if math.Abs(got-want[i]) > 1e-12 {
			t.Errorf("word %d is kept with probability %v, want %v", i, got, want[i])
		}
	}
}

// A pair's context is never its negative sample too. In a text of two words by
// turns, each is the other's only context, and itself the only negative left:
// nothing pulls against the pair, and the vectors grow. Were the context drawn
// as well, they would stay near zero.
func TestSGNSContextIsNoNegative(t *testing.T) {
	c := &counted{words: []string{"a", "b"}, counts: []int{400, 400}, offsets: make([]int, 1)}
	for range 400 {
		c.ids = append(c.ids, 0, 1)
		c.offsets = append(c.offsets, len(c.ids))
	}
	o, err := TrainOptions{Name: "m", Dim: 4, Subsample: 1, Epochs: 20, Negative: 10, LearningRate: 0.1}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	in, _, err := trainSGNS(c, o)
	if err != nil {
		t.Fatal(err)
	}
	for w := range 2 {
		norm := 0.0
		for _, x := range in[w*4 : w*4+4] {
			norm += float64(x) * float64(x)
		}
		if norm = math.Sqrt(norm); norm < 1 {
			t.Errorf("the vector of %s has the length %.3f", c.words[w], norm)
		}
	}
	if got := cosine(in[:4], in[4:]); got > -0.5 {
		t.Errorf("the cosine of the two is %.3f", got)
	}
}
