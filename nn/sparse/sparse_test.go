package sparse

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
)

// small has the rows a a b, b c, none, c.
func small() *Matrix {
	return &Matrix{Columns: 3, Offsets: []int32{0, 2, 4, 4, 5}, IDs: []int32{0, 1, 1, 2, 2}, Values: []float32{2, 1, 1, 1, 1}}
}

func TestWeightsByHand(t *testing.T) {
	m, labels := small(), []int32{0, 1, 1, 1}
	// Of 4 rows a is in 1, b in 2, c in 2.
	idf := []float64{math.Log(5./2) + 1, math.Log(5./3) + 1, math.Log(5./3) + 1}
	// Of class 0: p = 2 2 1 of 5; of class 1: q = 1 2 3 of 6.
	odds := []float64{math.Log(2. / 5 / (1. / 6)), math.Log(2. / 5 / (2. / 6)), math.Log(1. / 5 / (3. / 6))}
	unit := func(v ...float64) []float64 {
		sum := 0.0
		for _, x := range v {
			sum += x * x
		}
		for i := range v {
			v[i] /= math.Sqrt(sum)
		}
		return v
	}
	l := 1 + math.Log(2)
	for _, c := range []struct {
		w    Weighting
		want []float64
	}{
		{Weighting{Weight: Binary}, []float64{1, 1, 1, 1, 1}},
		{Weighting{Weight: TF}, []float64{2, 1, 1, 1, 1}},
		{Weighting{Weight: TF, Sublinear: true}, []float64{l, 1, 1, 1, 1}},
		{Weighting{Weight: TFIDF}, []float64{2 * idf[0], idf[1], idf[1], idf[2], idf[2]}},
		{Weighting{Weight: TFIDF, Sublinear: true, Normalise: true}, append(unit(l*idf[0], idf[1]), append(unit(idf[1], idf[2]), 1)...)},
		{Weighting{Weight: LogOdds}, []float64{odds[0], odds[1], odds[1], -odds[2], -odds[2]}},
		{Weighting{Weight: Binary, Normalise: true}, append(unit(1, 1), append(unit(1, 1), 1)...)},
	} {
		if err := c.w.Validate(); err != nil {
			t.Error(err)
		}
		got := c.w.Apply(m, c.w.Columns(m, labels, 2))
		for k, v := range got.Values {
			if math.Abs(float64(v)-c.want[k]) > 1e-6 {
				t.Errorf("%+v: value %d is %v, want %v", c.w, k, v, c.want[k])
			}
		}
	}
	if diff := cmp.Diff(small(), m); diff != "" {
		t.Errorf("the counts have changed: %s", diff)
	}
	if err := (Weighting{Weight: "bm25"}).Validate(); err == nil || !strings.Contains(err.Error(), "known: [binary tf tf_idf log_odds]") {
		t.Error(err)
	}
}

// Of more classes each is against all others.
func TestOdds(t *testing.T) {
	got := Odds(small(), []int32{0, 1, 1, 2}, 3)
	for i, want := range []float64{
		math.Log(2. / 5 / (1. / 6)), math.Log(2. / 5 / (2. / 6)), math.Log(1. / 5 / (3. / 6)),
		math.Log(1. / 5 / (2. / 6)), math.Log(2. / 5 / (2. / 6)), math.Log(2. / 5 / (2. / 6)),
		math.Log(1. / 4 / (2. / 7)), math.Log(1. / 4 / (3. / 7)), math.Log(2. / 4 / (2. / 7)),
	} {
		if math.Abs(float64(got[i])-want) > 1e-6 {
			t.Errorf("class %d, column %d: %v, want %v", i/3, i%3, got[i], want)
		}
	}
}

func TestCounter(t *testing.T) {
	const columns = 5000
	c := NewCounter(columns, 0)
	var want Matrix
	want.Columns, want.Offsets = columns, []int32{0}
	for i := range 50 {
		r, counts := rng.New(1, "sparse/test", uint64(i)), make([]float32, columns)
		for range r.IntN(400) {
			id := r.IntN(columns)
			counts[id]++
			c.Add(int32(id))
		}
		for id, n := range counts {
			if n > 0 {
				want.IDs, want.Values = append(want.IDs, int32(id)), append(want.Values, n)
			}
		}
		want.Offsets = append(want.Offsets, int32(len(want.IDs)))
		c.End()
	}
	got := c.Matrix()
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	if want := 4 * int64(len(got.IDs)*2+51); got.Bytes() != want {
		t.Errorf("%d bytes, want %d", got.Bytes(), want)
	}
}

func TestBeside(t *testing.T) {
	got := Beside(small(), small())
	want := &Matrix{Columns: 6, Offsets: []int32{0, 4, 8, 8, 10}, IDs: []int32{0, 1, 3, 4, 1, 2, 4, 5, 2, 5},
		Values: []float32{2, 1, 2, 1, 1, 1, 1, 1, 1, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Weighing takes room by the columns, not by the classes too, and says how much.
func TestColumnsMemory(t *testing.T) {
	const columns, classes = 20_000, 300
	c := NewCounter(columns, classes)
	labels := make([]int32, classes)
	for i := range labels {
		labels[i] = int32(i)
		c.Add(int32(i))
		c.End()
	}
	m := c.Matrix()
	for _, weight := range Weights {
		w := Weighting{Weight: weight}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w.Columns(m, labels, classes)
		runtime.ReadMemStats(&after)
		if got, said := int64(after.TotalAlloc-before.TotalAlloc), w.Bytes(columns); got > said+100_000 || got < said {
			t.Errorf("%s: %d bytes, said to be %d", weight, got, said)
		}
	}
}
