package embedding

import (
	"math"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	kernels "tnaml/nn/blas"
	"tnaml/nn/parallel"
	"tnaml/nn/rng"
)

// Settings of the factorisation, as recommended by Levy, Goldberg and Dagan
// (2015), §7, and Halko, Martinsson and Tropp (2011), §4.5.
const (
	contextSmoothing = 0.75 // power of the context counts
	singularPower    = 0.5  // power of the singular values in the vectors
	oversampling     = 8
	powerIterations  = 2
)

// trainSVD factorises the words × contexts matrix of positive pointwise mutual
// information, PPMI(w, c) = max(0, ln p(w,c) / (p(w) p_α(c))), in which a
// context at distance d of a window of W counts (W+1−d)/W, the chance that a
// window drawn from 1…W reaches it. With PPMI ≈ U Σ Vᵀ the vectors are U √Σ.
func trainSVD(c *counted, o TrainOptions) ([]float32, error) {
	return factorise(ppmi(c, o.Window), o)
}

// factorise returns the o.Dim left singular vectors of the largest singular
// values of a matrix, scaled by the roots of these, rows × o.Dim. Its errors are
// those of o.Progress.
func factorise(m *sparse, o TrainOptions) ([]float32, error) {
	if err := o.Progress(0.4); err != nil {
		return nil, err
	}
	mt := m.transpose()
	n, columns := m.rows(), mt.rows()
	k := min(o.Dim+oversampling, n, columns)
	y := make([]float32, columns*k)
	r := rng.New(o.Seed, "embedding/svd", 0)
	for i := range y {
		y[i] = float32(r.NormFloat64())
	}
	z := make([]float32, n*k)
	m.times(z, y, k) // range finder with power iterations: Z = (M Mᵀ)^q M Ω
	for i := range powerIterations {
		kernels.Orthonormalise(z, n, k)
		mt.times(y, z, k)
		kernels.Orthonormalise(y, columns, k)
		m.times(z, y, k)
		if err := o.Progress(0.4 + 0.5*float64(i+1)/powerIterations); err != nil {
			return nil, err
		}
	}
	kernels.Orthonormalise(z, n, k)
	mt.times(y, z, k) // M ≈ Z Yᵀ, Z orthonormal

	// Yᵀ Y = P Σ² Pᵀ, so U = Z P.
	gram := mat.NewSymDense(k, nil)
	for a := range k {
		for b := a; b < k; b++ {
			sum := 0.0
			for i := range columns {
				sum += float64(y[i*k+a]) * float64(y[i*k+b])
			}
			gram.SetSym(a, b, sum)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		panic("embedding: eigenvalues of a Gram matrix did not converge") // cannot happen with finite numbers
	}
	values := eigen.Values(nil) // ascending
	var p mat.Dense
	eigen.VectorsTo(&p)
	rotation := make([]float32, k*o.Dim)
	for d := range o.Dim {
		scale := math.Pow(math.Sqrt(math.Max(values[k-1-d], 0)), singularPower)
		for a := range k {
			rotation[a*o.Dim+d] = float32(p.At(a, k-1-d) * scale)
		}
	}
	out := make([]float32, n*o.Dim)
	rows(n, func(i int) {
		for a, v := range z[i*k : (i+1)*k] {
			blas32.Axpy(v, vec(rotation[a*o.Dim:][:o.Dim]), vec(out[i*o.Dim:][:o.Dim]))
		}
	})
	return out, nil
}

// sparse is a matrix in compressed sparse row form.
type sparse struct {
	columns int
	start   []int
	column  []int32
	value   []float32
}

func (m *sparse) rows() int { return len(m.start) - 1 }

// times computes out = M x for dense n × k matrices.
func (m *sparse) times(out, x []float32, k int) {
	rows(m.rows(), func(i int) {
		row := vec(out[i*k:][:k])
		clear(row.Data)
		for e := m.start[i]; e < m.start[i+1]; e++ {
			blas32.Axpy(m.value[e], vec(x[int(m.column[e])*k:][:k]), row)
		}
	})
}

// transpose returns Mᵀ, columns ascending.
func (m *sparse) transpose() *sparse {
	n := m.columns
	t := &sparse{m.rows(), make([]int, n+1), make([]int32, len(m.column)), make([]float32, len(m.value))}
	for _, c := range m.column {
		t.start[c+1]++
	}
	for i := range n {
		t.start[i+1] += t.start[i]
	}
	at := append([]int(nil), t.start...)
	for i := range m.rows() {
		for e := m.start[i]; e < m.start[i+1]; e++ {
			c := m.column[e]
			t.column[at[c]], t.value[at[c]] = int32(i), m.value[e]
			at[c]++
		}
	}
	return t
}

// ppmi counts words in each other's windows and weighs the counts.
func ppmi(c *counted, window int) *sparse {
	n := len(c.words)
	type place struct{ at, begin, end int32 }
	// The places of every word, so that one goroutine makes a whole row.
	first := make([]int, n+1)
	for i, k := range c.counts {
		first[i+1] = first[i] + k
	}
	places := make([]place, first[n])
	next := append([]int(nil), first[:n]...)
	for d := range len(c.offsets) - 1 {
		for i := c.offsets[d]; i < c.offsets[d+1]; i++ {
			w := c.ids[i]
			places[next[w]] = place{int32(i), int32(c.offsets[d]), int32(c.offsets[d+1])}
			next[w]++
		}
	}
	// Counts in units of 1/window, so that sums are exact.
	columns, counts := make([][]int32, n), make([][]int32, n)
	sums := make([]float64, n)
	blocks(n, func(from, to int) {
		count := make([]int32, n)
		for w := from; w < to; w++ {
			for _, p := range places[first[w]:first[w+1]] {
				at, near := int(p.at), window
				for j := max(int(p.begin), at-near); j < at; j++ {
					count[c.ids[j]] += int32(near + 1 - (at - j))
				}
				for j := at + 1; j < min(int(p.end), at+near+1); j++ {
					count[c.ids[j]] += int32(near + 1 - (j - at))
				}
			}
			for j, k := range count {
				if k != 0 {
					columns[w] = append(columns[w], int32(j))
					counts[w] = append(counts[w], k)
					sums[w] += float64(k)
					count[j] = 0
				}
			}
		}
	})
	total := 0.0
	context := make([]float64, n)
	for i, s := range sums {
		context[i] = math.Pow(s, contextSmoothing)
		total += context[i]
	}
	values := make([][]float32, n)
	blocks(n, func(from, to int) {
		for w := from; w < to; w++ {
			kept := 0
			for e, j := range columns[w] {
				v := math.Log(float64(counts[w][e]) * total / (sums[w] * context[j]))
				if v > 0 {
					columns[w][kept] = j
					values[w] = append(values[w], float32(v))
					kept++
				}
			}
			columns[w] = columns[w][:kept]
		}
	})
	m := &sparse{columns: n, start: make([]int, n+1)}
	for w := range n {
		m.column = append(m.column, columns[w]...)
		m.value = append(m.value, values[w]...)
		m.start[w+1] = len(m.column)
	}
	return m
}

// blocks runs f over [0, n) in blocks, on all processors, as parallel.Blocks does.
func blocks(n int, f func(from, to int)) {
	_ = parallel.Blocks(n, 64, 0, func(from, to int) error {
		f(from, to)
		return nil
	})
}

// rows runs f for every row, as blocks does.
func rows(n int, f func(i int)) {
	blocks(n, func(from, to int) {
		for i := from; i < to; i++ {
			f(i)
		}
	})
}

func vec(v []float32) blas32.Vector { return blas32.Vector{N: len(v), Inc: 1, Data: v} }
