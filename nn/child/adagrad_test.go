package child

import (
	"math"
	"slices"
	"testing"

	kernels "tnaml/nn/blas"
	"tnaml/nn/rng"
)

// A weight without gradient ends at zero under L2, not among the denormals, and
// a NaN stays one.
func TestShrinksToZero(t *testing.T) {
	for _, n := range []int{3, 8} { // the loop, the assembly
		value, sum, grad := make([]float32, n), make([]float32, n), make([]float32, n)
		fill(value, -1)
		fill(sum, accumulatorStart)
		value[1] = float32(math.NaN())
		for range 400 {
			kernels.Adagrad(value, sum, grad, .1, 0, 1)
		}
		for i, v := range value {
			if i == 1 && v == v || i != 1 && v != 0 {
				t.Errorf("of %d weights, %d ended at %v", n, i, v)
			}
		}
	}
}

// Rows that are not touched keep their values, and a row's gradient starts at
// zero each time it is touched, whatever the number of columns.
func TestTable(t *testing.T) {
	for _, cols := range []int{1, 2, 5, 15, 16, 40} {
		value := make([]float32, 200*cols)
		for i := range value {
			value[i] = float32(1 + i/cols)
		}
		s := newTable(value, cols, 3)
		// Token 2 in both documents, token 150 in the second; the batch repeats the second.
		b := &bags{from: []int32{0, 1}, to: []int32{1, 3}, ids: []int32{2, 2, 150}, weights: []float32{1, .5, 2}}
		batch := []int32{0, 1, 1}
		d := make([]float32, 3*cols)
		for i := range d {
			d[i] = float32(1 + i/cols) // document by document: 1, 2, 3
		}
		for range 2 {
			s.turn(b, batch)
			if !slices.Equal(s.rows, []int32{2, 150}) {
				t.Fatalf("touched: %v", s.rows)
			}
			g := make([]float32, cols)
			for at, want := range []float32{1 + .5*2 + .5*3, 2*2 + 2*3} {
				if s.backward(at, d, g); g[0] != want || g[cols-1] != want {
					t.Errorf("%d columns: gradient %v, want %v", cols, g, want)
				}
			}
		}
		s.step(d, .1, 0, .5)
		for r := range 200 {
			want := float64(1 + r)
			if r == 2 || r == 150 {
				g := map[int]float64{2: 3.5, 150: 10}[r]
				eta := .1 / math.Sqrt(.1+g*g)
				want = (want - eta*g) / (1 + .5*eta)
			}
			for _, v := range s.value[r*cols:][:cols] {
				if math.Abs(float64(v)-want) > 1e-5*want {
					t.Fatalf("%d columns: row %d is %v, want %v", cols, r, v, want)
				}
			}
		}
	}
}

// The wide tower sees the leading tokens alone.
func TestWideBags(t *testing.T) {
	e := &Examples{Offsets: []int32{0, 2, 2, 5}, IDs: []int32{1, 7, 0, 3, 4}, Labels: make([]int32, 3)}
	rows := make([]float32, 8)
	for i := range rows {
		rows[i] = float32(math.Pow(2, float64(i)))
	}
	for limit, want := range map[int][]float32{8: {130, 0, 25}, 7: {2, 0, 25}, 4: {2, 0, 9}, 1: {0, 0, 1}, 0: {0, 0, 0}} {
		b := wideBags(e, limit)
		for i := range want {
			var x [1]float32
			if b.sum(i, rows[:max(limit, 1)], x[:]); x[0] != want[i] {
				t.Errorf("%d tokens seen: document %d sums to %v, want %v", limit, i, x[0], want[i])
			}
		}
	}
	if !slices.Equal(e.Offsets, []int32{0, 2, 2, 5}) {
		t.Error("the shared offsets were changed")
	}
}

// maxTokens against the largest documents by sorting; no batch touches more.
func TestMaxTouched(t *testing.T) {
	r := rng.New(1, "sizes", 0)
	for range 50 {
		e := Examples{Offsets: []int32{0}}
		var sizes []int
		for range r.IntN(30) {
			size := r.IntN(6)
			sizes = append(sizes, size)
			e.Offsets = append(e.Offsets, e.Offsets[len(e.Offsets)-1]+int32(size))
			e.Labels = append(e.Labels, 0)
		}
		slices.Sort(sizes)
		slices.Reverse(sizes)
		batch, want := 1+r.IntN(40), 0
		for _, size := range sizes[:min(batch, len(sizes))] {
			want += size
		}
		if got := maxTokens(e.Offsets, batch); got != want {
			t.Fatalf("%v in batches of %d: %d, want %d", sizes, batch, got, want)
		}
	}
}
