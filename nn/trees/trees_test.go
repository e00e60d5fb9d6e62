package trees

import (
	"math"
	"testing"

	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

var three = []Feature{{Levels: 5, Ordered: true}, {Levels: 4}, {Levels: 3}}

// rows are all there are of three, with the values of a function.
func rows(f func(x []int) float64) (x [][]int, y []float64) {
	for a := range 5 {
		for b := range 4 {
			for c := range 3 {
				x = append(x, []int{a, b, c})
				y = append(y, f([]int{a, b, c}))
			}
		}
	}
	return x, y
}

type fitter func([]Feature, [][]int, []float64, []float64, Options) (*Model, error)

func fit(t *testing.T, f fitter, x [][]int, y, w []float64, o Options) *Model {
	t.Helper()
	m, err := f(three, x, y, w, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOneSplitByHand(t *testing.T) {
	// One split of the whole: feature 1, levels {0, 2} against {1, 3}.
	x, y := rows(func(x []int) float64 { return []float64{1, 5, 1, 5}[x[1]] })
	m := fit(t, Boost, x, y, nil, Options{Trees: 1, Depth: 1, Shrinkage: 1, Ridge: 1e-9})
	for i, row := range x {
		if got := m.Predict(row); math.Abs(got-y[i]) > 1e-6 {
			t.Fatalf("%v: %v, want %v", row, got, y[i])
		}
	}
	// Shrinkage and ridge: base 3, residuals ±2 on 30 rows each: 3 ± 0.1 · 60/(30 + 10).
	m = fit(t, Boost, x, y, nil, Options{Trees: 1, Depth: 1, Ridge: 10})
	if low, high := m.Predict(x[0]), m.Predict([]int{0, 1, 0}); math.Abs(low-2.85) > 1e-9 || math.Abs(high-3.15) > 1e-9 {
		t.Errorf("%v and %v, want 2.85 and 3.15", low, high)
	}
	// Weights: rows of no weight are not there, one of weight 3 is there three times.
	w := make([]float64, len(y))
	w[0], w[3] = 3, 1 // values 1 and 5
	m = fit(t, Boost, x, y, w, Options{Trees: 1, Depth: 1, Shrinkage: 1, Ridge: 1e-9, MinLeaf: 4})
	if got := m.Predict(x[0]); math.Abs(got-2) > 1e-9 {
		t.Errorf("a weighted mean of %v, want 2", got)
	}
}

// What no row of a split has is where it belongs: on its side of a cut, and, without an
// order, where most rows are.
func TestUnseenLevels(t *testing.T) {
	o := Options{Trees: 1, Depth: 1, Shrinkage: 1, Ridge: 1e-9}
	x := [][]int{{0, 0, 0}, {2, 0, 0}, {2, 0, 0}, {4, 0, 0}}
	m := fit(t, Boost, x, []float64{1, 1, 1, 5}, nil, o)
	for level, want := range []float64{1, 1, 1, 5, 5} {
		if got := m.Predict([]int{level, 0, 0}); math.Abs(got-want) > 1e-6 {
			t.Errorf("level %d: %v, want %v", level, got, want)
		}
	}
	x = [][]int{{0, 0, 0}, {0, 2, 0}, {0, 2, 0}, {0, 2, 0}}
	for _, high := range []float64{5, -5} {
		m = fit(t, Boost, x, []float64{1, high, high, high}, nil, o)
		for level, want := range []float64{1, high, high, high} {
			if got := m.Predict([]int{0, level, 0}); math.Abs(got-want) > 1e-6 {
				t.Errorf("level %d of %v: %v, want %v", level, high, got, want)
			}
		}
	}
}

func TestInteractions(t *testing.T) {
	f := func(x []int) float64 {
		v := 0.2 * float64(x[0])
		if x[0] >= 3 && x[1] == 2 {
			v += 2
		}
		if x[2] == 1 {
			v -= 1
		}
		return v
	}
	x, y := rows(f)
	for name, m := range map[string]*Model{
		"boosted": fit(t, Boost, x, y, nil, Options{Trees: 200, Depth: 3}),
		"forest":  fit(t, Forest, x, y, nil, Options{Trees: 300, Features: 1}),
	} {
		squares, around, mean := 0.0, 0.0, 0.0
		for _, v := range y {
			mean += v / float64(len(y))
		}
		for i, row := range x {
			squares += math.Pow(m.Predict(row)-y[i], 2)
			around += math.Pow(y[i]-mean, 2)
		}
		if r2 := 1 - squares/around; r2 < 0.97 {
			t.Errorf("%s: R² %v", name, r2)
		}
	}
}

func TestForestSpread(t *testing.T) {
	r := rng.New(1, "test", 0)
	x, y := rows(func([]int) float64 { return r.NormFloat64() })
	m := fit(t, Forest, x, y, nil, Options{Trees: 50})
	mean, deviation := make([]float64, len(x)), make([]float64, len(x))
	m.Spread(NewRows(three, x), mean, deviation)
	for i, row := range x {
		if mean[i] != m.Predict(row) || deviation[i] <= 0 {
			t.Errorf("%v ± %v, alone %v", mean[i], deviation[i], m.Predict(row))
		}
	}
	flat := fit(t, Forest, x, make([]float64, len(y)), nil, Options{Trees: 50})
	if flat.Spread(NewRows(three, x), mean, deviation); mean[0] != 0 || deviation[0] != 0 {
		t.Errorf("of nothing but zeros: %v ± %v", mean[0], deviation[0])
	}
	none, err := Forest(three, nil, nil, nil, Options{})
	if err != nil || none.Predict(x[0]) != 0 {
		t.Errorf("without rows: %v, %v", none.Predict(x[0]), err)
	}
}

func TestManyLevels(t *testing.T) {
	features := []Feature{{Levels: 1000, Ordered: true}, {Levels: 300}}
	var x [][]int
	var y []float64
	for i := range 1000 {
		x, y = append(x, []int{i, i % 300}), append(y, float64(i/500))
	}
	m, err := Boost(features, x, y, nil, Options{Trees: 1, Depth: 1, Shrinkage: 1, Ridge: 1e-9})
	if err != nil || math.Abs(m.Predict([]int{100, 299})) > 1e-6 || math.Abs(m.Predict([]int{900, 0})-1) > 1e-6 {
		t.Errorf("%v, %v, %v", m.Predict([]int{100, 299}), m.Predict([]int{900, 0}), err)
	}
}

func TestStateAndSeeds(t *testing.T) {
	r := rng.New(2, "test", 0)
	x, y := rows(func([]int) float64 { return r.NormFloat64() })
	for _, f := range []func([]Feature, [][]int, []float64, []float64, Options) (*Model, error){Forest, Boost} {
		o := Options{Trees: 20, Seed: 7, Features: 0.5, Sample: 0.7}
		a, b := fit(t, f, x, y, nil, o), fit(t, f, x, y, nil, o)
		o.Seed = 8
		other := fit(t, f, x, y, nil, o)
		file := safetensors.New("test")
		a.PutArrays(file, "m/")
		read, err := FromFile(file, "m/", three)
		if err != nil {
			t.Fatal(err)
		}
		differ := false
		for _, row := range x {
			if v := a.Predict(row); v != b.Predict(row) || v != read.Predict(row) {
				t.Fatalf("%v: %v, again %v, read back %v", row, v, b.Predict(row), read.Predict(row))
			}
			differ = differ || a.Predict(row) != other.Predict(row)
		}
		if !differ {
			t.Error("another seed gives the same")
		}
	}
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		x    [][]int
		y, w []float64
	}{
		{[][]int{{0, 0}}, []float64{1}, nil}, {[][]int{{0, 0, 3}}, []float64{1}, nil}, {[][]int{{0, 0, 0}}, []float64{math.NaN()}, nil},
		{[][]int{{0, 0, 0}}, nil, nil}, {[][]int{{0, 0, 0}}, []float64{1}, []float64{-1}},
	} {
		if _, err := Forest(three, c.x, c.y, c.w, Options{}); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// BenchmarkForest fits 500 rows of 12 features and asks 1,000 predictions.
func BenchmarkForest(b *testing.B) {
	features := make([]Feature, 12)
	for i := range features {
		features[i] = Feature{Levels: 7, Ordered: i%2 == 0}
	}
	r := rng.New(3, "bench", 0)
	var x [][]int
	var y []float64
	for range 500 {
		row := make([]int, 12)
		for k := range row {
			row[k] = r.IntN(7)
		}
		x, y = append(x, row), append(y, float64(row[0]*row[1])+r.NormFloat64())
	}
	b.Run("fit", func(b *testing.B) {
		for range b.N {
			if _, err := Forest(features, x, y, nil, Options{Trees: 50}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*50/b.Elapsed().Seconds(), "trees/s")
	})
	m, _ := Forest(features, x, y, nil, Options{Trees: 50})
	b.Run("predict", func(b *testing.B) {
		r, out := NewRows(features, x), make([]float64, len(x))
		for range b.N {
			m.Values(r, out)
		}
		b.ReportMetric(float64(b.N*len(x))/b.Elapsed().Seconds(), "predictions/s")
	})
}
