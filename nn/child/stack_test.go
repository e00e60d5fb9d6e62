package child

import (
	"math"
	"slices"
	"testing"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// The shares are where the cross-entropy with the targets of logitScale is least: its
// derivatives, by differences, are 0, or the share is and it could only rise.
func TestStackShares(t *testing.T) {
	const n = 300
	for classes := 2; classes < 5; classes++ {
		r, labels := rng.New(1, "test/stack", uint64(classes)), make([]int32, n)
		views := [][]float32{make([]float32, n*classes), make([]float32, n*classes), make([]float32, n*classes)}
		for i := range labels {
			labels[i] = int32(r.IntN(classes))
			for v, tells := range []float64{.3, 2, -.5} { // the last says what is wrong
				for c := range classes {
					x := r.NormFloat64()
					if c == int(labels[i]) {
						x += tells
					}
					views[v][i*classes+c] = float32(x)
				}
			}
		}
		entropy := func(shares []float64) (sum float64) {
			rest := 1 / (float64(n+2) * float64(classes-1))
			for i, label := range labels {
				z, total := make([]float64, classes), 0.
				for c := range z {
					for v, s := range shares {
						z[c] += s * float64(views[v][i*classes+c])
					}
					total += math.Exp(z[c])
				}
				for c := range z {
					target := rest
					if c == int(label) {
						target = 1 - rest*float64(classes-1)
					}
					sum -= target * (z[c] - math.Log(total)) / n
				}
			}
			return sum
		}
		got := stackShares(views, labels, classes)
		for v := range got {
			const h = 1e-5
			up, down := slices.Clone(got), slices.Clone(got)
			up[v] += h
			down[v] -= h
			slope := (entropy(up) - entropy(down)) / (2 * h)
			if got[v] < 0 || math.Abs(slope) > 1e-3 && !(got[v] == 0 && slope > 0) {
				t.Errorf("%d classes: share %d is %v with a slope of %v", classes, v, got[v], slope)
			}
		}
		if got[2] != 0 || got[1] < got[0] {
			t.Errorf("%d classes: %v", classes, got)
		}
	}
}

// What no example is wrong in has a bound.
func TestStackSharesOfWhatIsAlwaysRight(t *testing.T) {
	view := []float32{1, -1, -1, 1, 1, -1}
	for _, s := range stackShares([][]float32{view, view}, []int32{0, 1, 0}, 2) {
		if !(s >= 0 && s <= maxLogitScale) {
			t.Errorf("a share of %v", s)
		}
	}
}

func TestBayesByHand(t *testing.T) {
	// The rows a a b, b c, c; c takes no part.
	x := wideBags(&Examples{Labels: []int32{0, 1, 1}, Wide: &sparse.Matrix{
		Columns: 3, Offsets: []int32{0, 2, 4, 5}, IDs: []int32{0, 1, 1, 2, 2}, Values: []float32{2, 1, .5, 1, 1},
	}}, 3)
	b := newBayes(x, []bool{true, true, false}, []int32{0, 1, 1}, 3, 2, .5)
	got := make([]float32, 6)
	b.weights(got)
	a, bb := math.Log(2.5/4)-math.Log(.5/1.5), math.Log(1.5/4)-math.Log(1/1.5)
	for k, want := range []float64{a / 2, -a / 2, bb / 2, -bb / 2, 0, 0} {
		if math.Abs(float64(got[k])-want) > 1e-6 {
			t.Errorf("weight %d is %v, want %v", k, got[k], want)
		}
	}
	// Without the second row the class 1 has nothing that counts.
	logits, before := make([]float32, 6), slices.Clone(b.sums)
	b.without([]int32{1}, logits)
	want := math.Log(.5/1) - math.Log(1.5/4)
	if math.Abs(float64(logits[3])-.5*want/2) > 1e-6 || math.Abs(float64(logits[2])+.5*want/2) > 1e-6 {
		t.Errorf("logits %v, want ±%v", logits[2:4], .5*want/2)
	}
	if !slices.Equal(before, b.sums) || logits[0] != 0 {
		t.Error("the counts have changed, or another example's logits")
	}
}

// Where the label shows in the vectors alone, the solved tower learns it from them.
func TestWideVectors(t *testing.T) {
	d, table := synthetic(400, 60, 2, 8, 20, .2)
	d = withFeatures(d)
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} { // each text has the one same feature
		n := e.Len()
		m := &sparse.Matrix{Columns: d.Features, Offsets: []int32{0}, IDs: make([]int32, n), Values: ones(n)}
		for i := range n {
			m.Offsets = append(m.Offsets, int32(i+1))
		}
		e.Wide = m
	}
	cfg := config(func(c *Config) {
		c.WideFeatures, c.WideSolver, c.HiddenLayers, c.DeepLearningRate, c.Steps = Both, Dual, 0, 1e-6, 1
	})
	_, without := train(t, cfg, d, table, 1)
	cfg.WideVectors = 1
	_, with := train(t, cfg, d, table, 1)
	if with.Test.Accuracy < without.Test.Accuracy+.2 {
		t.Errorf("%v with vectors, %v without", with.Test.Accuracy, without.Test.Accuracy)
	}
	if want := without.Parameters + 2*table.Dim; with.Parameters != want {
		t.Errorf("%d parameters, want %d", with.Parameters, want)
	}
	cfg.FineTune = true
	if _, _, err := Train(cfg, d, table, 1, Options{}); err == nil {
		t.Error("a module that is tuned was taken")
	}
}
