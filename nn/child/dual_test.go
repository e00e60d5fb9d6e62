package child

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// withFeatures gives a synthetic task counted features: its tokens, and others that come
// with them at random.
func withFeatures(d *Data) *Data {
	out := *d
	out.WideFeatures, out.Features = Both, d.Vocabulary+5
	for k, e := range []*Examples{&out.Train, &out.Validation, &out.Test} {
		r := rng.New(1, "synthetic/features", uint64(k))
		m := &sparse.Matrix{Columns: out.Features, Offsets: []int32{0}}
		for i := range e.Labels {
			for n := e.Offsets[i]; n < e.Offsets[i+1]; n++ {
				m.IDs, m.Values = append(m.IDs, e.IDs[n]), append(m.Values, e.Counts[n])
			}
			m.IDs, m.Values = append(m.IDs, int32(d.Vocabulary+r.IntN(5))), append(m.Values, 1)
			m.Offsets = append(m.Offsets, int32(len(m.IDs)))
		}
		e.Wide = m
	}
	return &out
}

// The gradients of the towers' losses, of weighted classes, of weighted and normalised
// features, and of a deep tower on the logits of a solved wide one.
func TestGradientsOfFeatures(t *testing.T) {
	d, table := synthetic(12, 14, 3, 5, 4, .5)
	for _, w := range sparse.Weights {
		for _, norm := range []RowNormalisation{NoRowNorm, L2} {
			for _, loss := range []Loss{Softmax, SquaredHinge} {
				for _, solver := range []Solver{Adagrad, Dual} {
					cfg := config(func(c *Config) {
						c.WideFeatures, c.WideWeighting, c.WideNormalisation, c.WideSolver, c.Loss = Both, w, norm, solver, loss
						c.ClassWeights, c.FineTune, c.BatchSize, c.WideCost = Balanced, w == sparse.TF, 9, .1
						c.Pooling = map[bool]Pooling{false: Mean, true: SIF}[norm == L2]
						if w == sparse.TFIDF {
							c.WideVectors, c.WideBayes = .7, .1
						}
					})
					d := withFeatures(d)
					d = Weigh(cfg, d).in(d)
					name := fmt.Sprintf("%s %s %s %s", w, norm, loss, solver)
					checkGradients(t, name, cfg, d, table, pooled(&d.Train, table, cfg.Pooling, cfg.Pooling.tokenWeights(d)))
				}
			}
		}
	}
}

// dualOf is the problem of a synthetic task, of features and dense columns, solved.
func dualOf(classes, dim int, cost float64, weights []float32, passes int) (*dual, *Data) {
	d, _ := synthetic(120, 30, classes, 5, 4, .6)
	d = withFeatures(d)
	dense, r := make([]float32, dim*len(d.Train.Labels)), rng.New(1, "synthetic/dense", 0)
	for i := range dense {
		dense[i] = .3 * float32(r.NormFloat64())
	}
	p := newDual(wideBags(&d.Train, d.Features), dense, d.Train.Labels, d.Features, classes, cost, weights, 1)
	for range passes {
		order := make([]int32, len(d.Train.Labels))
		for i := range order {
			order[i] = int32(i)
		}
		p.pass(order)
	}
	return p, d
}

// At the optimum the gradient of the primal problem is 0: w = 2C Σ k·y·max(0, 1 − y·s)·x.
func TestDualIsOptimal(t *testing.T) {
	for classes := 2; classes < 5; classes++ {
		weights := []float32{1, 2, .5, 1}[:classes]
		p, d := dualOf(classes, 3, .3, weights, 3000)
		m := d.Train.Wide
		for c := range p.cols {
			gradient, bias := make([]float64, d.Features+p.dim), float64(p.bias[c])
			for k, v := range p.v[c*p.dim:][:p.dim] {
				gradient[d.Features+k] = float64(v)
			}
			for id := range d.Features {
				gradient[id] = float64(p.w[id*p.cols+c])
			}
			for i, label := range d.Train.Labels {
				p.scores(i)
				y := float64(p.sign(i, c))
				xi := 2 * .3 * float64(weights[label]) * y * math.Max(0, 1-y*float64(p.score[c]))
				bias -= xi
				ids, values := m.Row(i)
				for k, id := range ids {
					gradient[id] -= xi * float64(values[k])
				}
				for k, v := range p.denseRow(i) {
					gradient[d.Features+k] -= xi * float64(v)
				}
			}
			for id, g := range append(gradient, bias) {
				if math.Abs(g) > 5e-4 { // single precision
					t.Errorf("%d classes, problem %d: the gradient of column %d is %v", classes, c, id, g)
				}
			}
		}
	}
}

// An example's ‖x‖² is summed from the bias's one on, in the columns' order: what is added to the one alone is too little
// to count, and together would round up.
func TestSquaresAreInOrder(t *testing.T) {
	v := []float32{0x1p-12, 0x1p-27, 0x1p-27, 0x1p-27, 0x1p-27}
	x := &bags{from: []int32{0}, to: []int32{5}, ids: []int32{0, 1, 2, 3, 4}, weights: v}
	for _, dense := range [][]float32{nil, v[1:]} {
		if got := newDual(x, dense, []int32{0}, 5, 2, 1, nil, 1).square[0]; got != 1 {
			t.Errorf("%d dense columns: %v", len(dense), got)
		}
	}
}

// What a fold's logits are of has not seen its examples: it is close to the solution of
// the others, which the solution of all is not.
func TestDualWithoutAFold(t *testing.T) {
	p, d := dualOf(3, 1, .3, nil, 300)
	var held, others []int32
	for i := range int32(120) {
		if i%5 == 0 {
			held = append(held, i)
		} else {
			others = append(others, i)
		}
	}
	q := newDual(p.x, p.dense, p.labels, d.Features, 3, .3, nil, 1)
	for range 300 {
		q.pass(others)
	}
	before, dense := slices.Clone(p.w), slices.Clone(p.v)
	got := make([]float32, 120*3)
	p.without(held, others, got)
	if !slices.Equal(before, p.w) || !slices.Equal(dense, p.v) {
		t.Fatal("the solution of all has changed")
	}
	far, near := 0., 0.
	for _, i := range held {
		q.scores(int(i))
		p.scores(int(i))
		for c, want := range q.score {
			far += math.Abs(float64(want - p.score[c]))
			near += math.Abs(float64(want - got[int(i)*3+c]))
		}
	}
	if near > far/8 {
		t.Errorf("the logits of what was held are off by %v together, those of all examples' solution by %v", near, far)
	}
	if !slices.Equal(got[3:6], []float32{0, 0, 0}) {
		t.Error("an example that was not held has logits")
	}
}

// A label that shows in the features is learnt by the solved tower, whatever the deep
// one; the model predicts from counts, stored in either way, and is a function of the seed.
func TestSolvedWideTower(t *testing.T) {
	for n := range 4 {
		classes := 2 + n%2
		d, table := synthetic(400, 60, classes, 8, 5, .4)
		d = withFeatures(d)
		cfg := config(func(c *Config) {
			if n > 1 {
				c.WideVectors, c.WideBayes = .7, .1
			}
			c.WideFeatures, c.WideWeighting, c.WideNormalisation, c.WideSolver = Both, sparse.TFIDF, L2, Dual
			c.Normalisation, c.DeepLearningRate, c.WideLearningRate, c.Pooling = BatchNorm, .001, 1, SIF
		})
		m, out := train(t, cfg, d, table, 1)
		if out.Test.Accuracy < .8 {
			t.Errorf("%d classes: accuracy %v", classes, out.Test.Accuracy)
		}
		if got := m.Evaluate(&d.Test); got != out.Test {
			t.Errorf("%+v of the counts, %+v in training", got, out.Test)
		}
		again, _ := train(t, cfg, d, table, 1)
		if diff := cmp.Diff(m.Predict(&d.Test), again.Predict(&d.Test)); diff != "" {
			t.Error(diff)
		}
		alone, err := DecodeModel(m.EncodeAlone())
		if err != nil {
			t.Fatal(err)
		}
		stored, err := DecodeModel(m.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if err := stored.Attach(table); err != nil {
			t.Fatal(err)
		}
		for name, back := range map[string]*Model{"alone": alone, "stored": stored} {
			if diff := cmp.Diff(m.Predict(&d.Test), back.Predict(&d.Test)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		share := cfg
		share.WideShare, share.DeepLearningRate = .25, .001
		if less, _ := train(t, share, d, table, 1); math.Abs(float64(less.wide[7]/m.wide[7])-.25) > .1 {
			t.Errorf("weights of %v for a quarter of %v", less.wide[7], m.wide[7])
		}
	}
}

// What does not fit together is refused: other features, none, a wide tower of pixels.
func TestFeaturesThatDoNotFit(t *testing.T) {
	plain, table := synthetic(30, 14, 3, 5, 4, .5)
	d := withFeatures(plain)
	cfg := config(func(c *Config) { c.WideFeatures, c.WideSolver = Both, Dual })
	without := *d
	without.Test.Wide = nil
	other := *d
	other.Features++
	images, imageTable, v := syntheticImages(20, 12, 2, 4)
	solved := config(func(c *Config) { c.WideSolver = Dual })
	for want, err := range map[string]error{
		`features "" and a configuration of "both"`: third(Train(cfg, plain, table, 1, Options{})),
		`features "both" and a configuration of ""`: third(Train(solved, d, table, 1, Options{})),
		"features of the test split are not 19":     third(Train(cfg, &without, table, 1, Options{})),
		"split are not 20":                          third(Train(cfg, &other, table, 1, Options{})),
		`of images has no solver "dual"`:            third(Train(solved, images, imageTable, 1, Options{Documents: v})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("examples without features were taken")
		}
	}()
	m, _ := train(t, cfg, d, table, 1)
	m.Predict(&plain.Test)
}

func third(_ *Model, _ Outcome, err error) error { return err }

// Features are weighed only by a trial that keeps to its limit, which counts what weighing
// takes: less where the weighted ones are shared.
func TestWeighingCountsAsMemory(t *testing.T) {
	d, table := synthetic(120, 30, 3, 5, 4, .6)
	d = withFeatures(d)
	asked := 0
	shared := func() (*WeightedFeatures, error) { asked++; return nil, errors.New("asked") }
	for _, w := range sparse.Weights {
		cfg := config(func(c *Config) { c.WideFeatures, c.WideWeighting = Both, w })
		need, values := Memory(cfg, d, table), int64(0)
		cfg.WideWeighting = sparse.Binary
		if got, want := need-Memory(cfg, d, table), (sparse.Weighting{Weight: w}).Bytes(d.Features); got != want {
			t.Errorf("%s: %d bytes to weigh, want %d", w, got, want)
		}
		cfg.WideWeighting = w
		for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
			values += 4 * int64(len(e.Wide.Values))
		}
		for _, c := range []struct {
			name  string
			limit int64
			from  func() (*WeightedFeatures, error)
			want  Status
		}{
			{"shared, too much", need - 1, shared, OverMemory}, {"its own, too much", need + values - 1, nil, OverMemory},
			{"its own", need + values, nil, OK},
		} {
			if _, out, err := Train(cfg, d, table, 1, Options{MemoryLimit: c.limit, Weighted: c.from}); err != nil || out.Status != c.want {
				t.Errorf("%s, %s: %+v, %v", w, c.name, out, err)
			}
		}
		if _, _, err := Train(cfg, d, table, 1, Options{MemoryLimit: need, Weighted: shared}); err == nil || asked != 1 {
			t.Errorf("%s: shared features were asked for %d times, %v", w, asked, err)
		}
		asked = 0
	}
}
