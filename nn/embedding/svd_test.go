package embedding

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// byHand is two documents, "a b c" and "a b", counted with a window of 2: a
// pair at distance 1 counts 2, at distance 2 it counts 1, in units of 1/2.
//
//	    a  b  c | sum
//	a   0  4  1 |  5
//	b   4  0  2 |  6
//	c   1  2  0 |  3
var byHand = &counted{words: []string{"a", "b", "c"}, counts: []int{2, 2, 1}, offsets: []int{0, 3, 5}, ids: []int32{0, 1, 2, 0, 1}}

func dense(m *sparse) *mat.Dense {
	out := mat.NewDense(m.rows(), m.columns, nil)
	for i := range m.rows() {
		for e := m.start[i]; e < m.start[i+1]; e++ {
			out.Set(i, int(m.column[e]), float64(m.value[e]))
		}
	}
	return out
}

func TestPPMIByHand(t *testing.T) {
	counts := [3][3]float64{{0, 4, 1}, {4, 0, 2}, {1, 2, 0}}
	sums := [3]float64{5, 6, 3}
	total := 0.0
	for _, s := range sums {
		total += math.Pow(s, 0.75)
	}
	got := dense(ppmi(byHand, 2))
	positive := 0
	for w := range 3 {
		for c := range 3 {
			want := 0.0
			if n := counts[w][c]; n > 0 { // p(w,c)/p(w) = n/sums[w]; p_α(c) = sums[c]^α/total
				want = math.Max(0, math.Log(n/sums[w]*total/math.Pow(sums[c], 0.75)))
			}
			if want > 0 {
				positive++
			}
			if math.Abs(got.At(w, c)-want) > 1e-6 {
				t.Errorf("PPMI(%d, %d) = %v, want %v", w, c, got.At(w, c), want)
			}
		}
	}
	if positive == 0 || positive == 9 {
		t.Errorf("%d of 9 are positive: this case tests nothing", positive)
	}
}

// Contexts end with their document, and a far word does not count.
func TestPPMIWindow(t *testing.T) {
	c := &counted{words: []string{"a", "b", "c"}, counts: []int{1, 1, 1}, offsets: []int{0, 2, 3}, ids: []int32{0, 1, 2}}
	if m := dense(ppmi(c, 5)); m.At(1, 2) != 0 || m.At(2, 1) != 0 || m.At(0, 1) == 0 {
		t.Errorf("a window of two documents: %v", mat.Formatted(m))
	}
	c.offsets = []int{0, 3}
	if m := dense(ppmi(c, 1)); m.At(0, 2) != 0 || m.At(0, 1) == 0 {
		t.Errorf("a window of one word: %v", mat.Formatted(m))
	}
}

func TestSparse(t *testing.T) {
	m := &sparse{columns: 3, start: []int{0, 2, 2, 3}, column: []int32{0, 2, 1}, value: []float32{1, -2, 3}}
	mt := m.transpose()
	if !mat.Equal(dense(mt), dense(m).T()) {
		t.Errorf("transposed: %v", mat.Formatted(dense(mt)))
	}
	x := []float32{1, 2, 3, 4, 5, 6}
	out := []float32{9, 9, 9, 9, 9, 9} // must be overwritten
	m.times(out, x, 2)
	for i, want := range []float32{-9, -10, 0, 0, 9, 12} {
		if out[i] != want {
			t.Errorf("element %d of the product is %v, want %v", i, out[i], want)
		}
	}
}

// exact returns (U√Σ)(U√Σ)ᵀ = U Σ Uᵀ of the dim largest singular values: what
// remains of the vectors when rotation and signs are left out.
func exact(m *mat.Dense, dim int) *mat.Dense {
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDThin) {
		panic("no factorisation")
	}
	var u mat.Dense
	svd.UTo(&u)
	values := svd.Values(nil)
	n, _ := m.Dims()
	scaled := mat.NewDense(n, dim, nil)
	for i := range n {
		for d := range dim {
			scaled.Set(i, d, u.At(i, d)*math.Sqrt(values[d]))
		}
	}
	var out mat.Dense
	out.Mul(scaled, scaled.T())
	return &out
}

func gramOf(v []float32, dim int) *mat.Dense {
	m := mat.NewDense(len(v)/dim, dim, wide(v))
	var out mat.Dense
	out.Mul(m, m.T())
	return &out
}

func options(dim, window int) TrainOptions {
	o, err := TrainOptions{Name: "test", Dim: dim, Window: window, Seed: 5}.withDefaults()
	if err != nil {
		panic(err)
	}
	return o
}

func TestSVDAgainstExact(t *testing.T) {
	if got, want := gramOf(trainedSVD(t, byHand, options(3, 2)), 3), exact(dense(ppmi(byHand, 2)), 3); !mat.EqualApprox(got, want, 1e-4) {
		t.Errorf("three words: %v\nwant\n%v", mat.Formatted(got), mat.Formatted(want))
	}
	// More words than the range finder has columns: the leading part only.
	c, err := count(groups(), 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	const dim = 3 // before the gap in the singular values of four groups
	got, want := gramOf(trainedSVD(t, c, options(dim, 3)), dim), exact(dense(ppmi(c, 3)), dim)
	var diff mat.Dense
	diff.Sub(got, want)
	if e := mat.Norm(&diff, 2) / mat.Norm(want, 2); e > 0.01 {
		t.Errorf("%d words: relative error %v", len(c.words), e)
	}
	// Columns come by falling singular value, and are orthogonal.
	v := mat.NewDense(len(c.words), dim, wide(trainedSVD(t, c, options(dim, 3))))
	var columns mat.Dense
	columns.Mul(v.T(), v)
	for d := range dim {
		if d > 0 && columns.At(d, d) > columns.At(d-1, d-1)*1.0001 {
			t.Errorf("column %d has the singular value %v after %v", d, columns.At(d, d), columns.At(d-1, d-1))
		}
		for e := range d {
			if math.Abs(columns.At(d, e)) > 1e-3*columns.At(0, 0) {
				t.Errorf("columns %d and %d have the product %v", d, e, columns.At(d, e))
			}
		}
	}
}

func trainedSVD(t *testing.T, c *counted, o TrainOptions) []float32 {
	t.Helper()
	v, err := trainSVD(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
