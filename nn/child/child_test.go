package child

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	kernels "tnaml/nn/blas"
	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// synthetic makes a task whose label shows in its tokens: class c favours the
// tokens congruent to c. Every ninth token has no vector.
func synthetic(examples, vocabulary, classes, length, dim int, noise float64) (*Data, *Table) {
	split := func(n int, index uint64) Examples {
		r := rng.New(1, "synthetic", index)
		e := Examples{Offsets: []int32{0}}
		for range n {
			label := r.IntN(classes)
			counts := map[int32]float32{}
			for range length {
				id := int32(r.IntN(vocabulary))
				if r.Float64() > noise {
					id = min(id-id%int32(classes)+int32(label), int32(vocabulary-1))
				}
				counts[id]++
			}
			var ids []int32
			for id := range counts {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			for _, id := range ids {
				e.IDs = append(e.IDs, id)
				e.Counts = append(e.Counts, counts[id])
			}
			e.Offsets = append(e.Offsets, int32(len(e.IDs)))
			e.Labels = append(e.Labels, int32(label))
		}
		return e
	}
	d := &Data{
		Train: split(examples, 0), Validation: split(examples/4+1, 1), Test: split(examples/4+1, 2),
		Classes: classes, Vocabulary: vocabulary, WideVocabulary: vocabulary * 3 / 4,
	}
	t := &Table{Dim: dim, Vectors: make([]float32, vocabulary*dim), Known: make([]bool, vocabulary)}
	r := rng.New(1, "synthetic/vectors", 0)
	for i := range t.Vectors {
		t.Vectors[i] = float32(r.NormFloat64())
	}
	for i := range t.Known {
		t.Known[i] = i%9 != 8
	}
	return d, t
}

// withNGrams gives a synthetic task n-grams, drawn at random, half of them telling
// the label.
func withNGrams(d *Data, n int) *Data {
	out := *d
	out.NGrams, out.WideNGrams = n, 2
	for k, e := range []*Examples{&out.Train, &out.Validation, &out.Test} {
		r := rng.New(1, "synthetic/ngrams", uint64(k))
		w := &sparse.Matrix{Offsets: []int32{0}}
		for i, label := range e.Labels {
			ids := e.IDs[e.Offsets[i]:e.Offsets[i+1]]
			known, _ := slices.BinarySearch(ids, int32(d.WideVocabulary))
			w.IDs = append(w.IDs, ids[:known]...)
			first := len(w.IDs)
			for range r.IntN(4) {
				id := int32(r.IntN(n))
				if r.Float64() < .5 {
					id = min(id-id%int32(d.Classes)+label, int32(n-1))
				}
				w.IDs = append(w.IDs, int32(d.WideVocabulary)+id)
			}
			slices.Sort(w.IDs[first:])
			w.IDs = w.IDs[:first+len(slices.Compact(w.IDs[first:]))]
			w.Offsets = append(w.Offsets, int32(len(w.IDs)))
		}
		e.Wide = w
	}
	return &out
}

func config(change func(*Config)) Config {
	c := Config{
		HiddenLayers: 1, HiddenSize: 8, Activation: Swish, Normalisation: NoNorm,
		DeepLearningRate: .1, WideLearningRate: .1, Steps: 60, BatchSize: 20,
	}
	if change != nil {
		change(&c)
	}
	return c
}

// Every parameter of the whole child model is checked against central
// differences of the float64 reference, for all activations, normalisations,
// depths, and a frozen or tuned module.
func TestGradientsAgainstFiniteDifferences(t *testing.T) {
	d, table := synthetic(12, 14, 3, 5, 4, .5)
	var cases []Config
	for _, f := range []Activation{ReLU, ReLU6, LeakyReLU, Swish, Sigmoid, Tanh} {
		for _, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
			for _, tune := range []bool{false, true} {
				for layers := range 4 {
					cases = append(cases, config(func(c *Config) {
						c.Activation, c.Normalisation, c.FineTune, c.HiddenLayers = f, norm, tune, layers
						c.HiddenSize, c.BatchSize = 5, 9
					}))
				}
			}
		}
	}
	for _, cfg := range cases {
		name := fmt.Sprintf("%s %s tuned %v %d layers", cfg.Activation, cfg.Normalisation, cfg.FineTune, cfg.HiddenLayers)
		checkGradients(t, name, cfg, d, table, pooled(&d.Train, table, Mean, nil))
	}
}

// So are those of a wide tower that sees n-grams.
func TestGradientsOfNGrams(t *testing.T) {
	d, table := synthetic(12, 14, 3, 5, 4, .5)
	d = withNGrams(d, 6)
	for _, tune := range []bool{false, true} {
		cfg := config(func(c *Config) { c.WideNGrams, c.FineTune, c.BatchSize = 2, tune, 9 })
		n := newNetwork(cfg, d, table, nil, 3)
		if rows := len(n.wide.value) / 3; rows != d.WideVocabulary+6 {
			t.Fatalf("%d rows for %d tokens and 6 n-grams", rows, d.WideVocabulary)
		}
		checkGradients(t, fmt.Sprintf("n-grams, tuned %v", tune), cfg, d, table, pooled(&d.Train, table, Mean, nil))
	}
}

// A label that shows in n-grams alone is learnt from them, and the model kept.
func TestNGrams(t *testing.T) {
	d, table := synthetic(600, 60, 3, 12, 8, 1)
	tokens := config(func(c *Config) { c.HiddenLayers, c.Steps, c.BatchSize = 0, 300, 50 })
	_, without := train(t, tokens, d, table, 1)
	d = withNGrams(d, 9)
	cfg := tokens
	cfg.WideNGrams = 2
	m, with := train(t, cfg, d, table, 1)
	if with.Test.Accuracy < without.Test.Accuracy+.15 {
		t.Errorf("%v with n-grams, %v without", with.Test.Accuracy, without.Test.Accuracy)
	}
	if want := without.Parameters + 9*3; with.Parameters != want || m.NGrams() != 9 {
		t.Errorf("%d parameters, want %d; %d n-grams", with.Parameters, want, m.NGrams())
	}
	back, err := DecodeModel(m.EncodeAlone())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.Predict(&d.Test), back.Predict(&d.Test)); diff != "" {
		t.Error(diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("examples without n-grams were taken")
		}
	}()
	d.Test.Wide = nil
	back.Predict(&d.Test)
}

// checkGradients compares all derivatives of one batch with central differences
// of the reference.
func checkGradients(t *testing.T, name string, cfg Config, d *Data, table *Table, documents []float32) {
	t.Helper()
	n := newNetwork(cfg, d, table, documents, 3)
	r := rng.New(2, "test", 0)
	parameters := gradients(n)
	for _, name := range slices.Sorted(maps.Keys(parameters)) { // leave the special starting values
		for i, v := range parameters[name].value {
			parameters[name].value[i] = v + float32(.3*r.NormFloat64())
		}
	}
	rows := []int32{0, 3, 3, 5, 7, 8, 9, 10, 11}
	bags, oneHot := meanBags(&d.Train, n.known, n.tokens), wideBags(&d.Train, d.wideRows())
	if n.base == nil {
		n.wide.turn(oneHot, rows)
	}
	if n.embedding != nil {
		n.embedding.turn(bags, rows)
	}
	n.gather(bags, rows, documents)
	n.forward(&d.Train, oneHot, rows, 0)
	loss := n.loss(&d.Train, rows) / float64(len(rows))
	n.backward(bags, rows)
	s := newReference(n)
	wide := widen(documents)
	if want := s.loss(&d.Train, rows, wide); math.Abs(loss-want) > 1e-5*(1+want) {
		t.Errorf("%s: loss %v, want %v", name, loss, want)
	}
	nonzero := 0
	for param, v := range gradients(n) {
		for i, got := range v.grad {
			const h = 1e-6
			at := s.params[param][i]
			s.params[param][i] = at + h
			up := s.loss(&d.Train, rows, wide)
			s.params[param][i] = at - h
			down := s.loss(&d.Train, rows, wide)
			s.params[param][i] = at
			want := (up - down) / (2 * h)
			if math.Abs(float64(got)-want) > 2e-5+2e-4*math.Abs(want) {
				t.Fatalf("%s: %s[%d]: %v by back-propagation, %v by differences", name, param, i, got, want)
			}
			if got != 0 {
				nonzero++
			}
		}
	}
	if nonzero < 20 {
		t.Errorf("%s: only %d derivatives are not zero", name, nonzero)
	}
}

// Dropout: the same units are dropped in forward and backward, their share is
// right, and the expectation is kept.
func TestDropout(t *testing.T) {
	const n = 40000
	for _, share := range []float64{.05, .3, .5} {
		y, d := make([]float32, n), make([]float32, n)
		fill(y, 2)
		fill(d, 3)
		drop(share, 17, y, d)
		zero, sum := 0, 0.0
		for i := range y {
			if (y[i] == 0) != (d[i] == 0) {
				t.Fatal("a unit dropped in one direction only")
			}
			if y[i] == 0 {
				zero++
			}
			sum += float64(y[i])
		}
		if got := float64(zero) / n; math.Abs(got-share) > 4*math.Sqrt(share*(1-share)/n) {
			t.Errorf("dropped %v for %v", got, share)
		}
		if mean := sum / n; math.Abs(mean-2) > .06 {
			t.Errorf("share %v: mean %v, want 2", share, mean)
		}
		other := make([]float32, n)
		fill(other, 2)
		drop(share, 18, other, d)
		if slices.Equal(y, other) {
			t.Error("another key drops the same")
		}
	}
}

func TestProximalAdagradByHand(t *testing.T) {
	// s = .1 + 4 = 4.1, η = .5/√4.1; then again with the accumulator grown.
	eta1 := .5 / math.Sqrt(4.1)
	eta2 := .5 / math.Sqrt(8.1)
	soft := func(u, t float64) float64 { return math.Copysign(math.Max(math.Abs(u)-t, 0), u) }
	for _, c := range []struct{ l1, l2 float64 }{{0, 0}, {.3, 0}, {0, .7}, {.3, .7}} {
		w := 1.0
		value, sum, grad := []float32{1, 1e-3, -1}, []float32{.1, .1, .1}, []float32{2, 0, -2}
		for _, eta := range []float64{eta1, eta2} {
			w = soft(w-eta*2, eta*c.l1) / (1 + eta*c.l2)
			kernels.Adagrad(value, sum, grad, .5, float32(c.l1), float32(c.l2))
			if math.Abs(float64(value[0])-w) > 1e-6 || value[2] != -value[0] {
				t.Errorf("l1 %v l2 %v: %v, want %v", c.l1, c.l2, value, w)
			}
		}
		if (value[1] == 0) != (c.l1 > 0) {
			t.Errorf("l1 %v: a small weight without gradient became %v", c.l1, value[1])
		}
	}
}

func TestExp(t *testing.T) {
	for x := -86.9; x < 88; x += .0137 {
		want := math.Exp(float64(float32(x)))
		if got := float64(kernels.Exp(float32(x))); math.Abs(got-want) > 2e-7*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	if kernels.Exp(-200) != 0 || !math.IsInf(float64(kernels.Exp(100)), 1) || kernels.Exp(0) != 1 ||
		kernels.Exp(float32(math.NaN())) == kernels.Exp(float32(math.NaN())) {
		t.Error("special values")
	}
}

func train(t testing.TB, cfg Config, d *Data, table *Table, seed uint64) (*Model, Outcome) {
	t.Helper()
	m, out, err := Train(cfg, d, table, seed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != OK {
		t.Fatalf("status %s: %s", out.Status, out.Reason)
	}
	return m, out
}

// Every architecture learns a task that can be learned, and no model does
// better than guessing on one that cannot.
func TestLearns(t *testing.T) {
	d, table := synthetic(400, 60, 3, 12, 8, .4)
	for _, f := range []Activation{ReLU, ReLU6, LeakyReLU, Swish, Sigmoid, Tanh} {
		for _, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
			for _, tune := range []bool{false, true} {
				cfg := config(func(c *Config) {
					c.Activation, c.Normalisation, c.FineTune, c.HiddenLayers = f, norm, tune, 2
					c.Dropout, c.Steps, c.DeepLearningRate = .1, 200, .05
				})
				if _, out := train(t, cfg, d, table, 1); out.Test.Accuracy < .9 || out.Validation.Accuracy < .9 {
					t.Errorf("%+v: %+v", cfg, out)
				}
			}
		}
	}
	noise, table := synthetic(400, 60, 3, 12, 8, 1)
	if _, out := train(t, config(nil), noise, table, 1); out.Test.Accuracy > .5 {
		t.Errorf("learned from noise: %+v", out)
	}
}

// The towers work alone: very strong regularisation removes one.
func TestTowers(t *testing.T) {
	d, table := synthetic(400, 60, 3, 12, 8, .2)
	m, out := train(t, config(func(c *Config) { c.WideRegularisation, c.Steps = 100, 400 }), d, table, 1)
	if slices.ContainsFunc(m.wide, func(v float32) bool { return v != 0 }) || out.Test.Accuracy < .8 {
		t.Errorf("deep alone: %+v", out)
	}
	m, out = train(t, config(func(c *Config) { c.DeepRegularisation = 1e6; c.HiddenLayers = 0 }), d, table, 1)
	for _, v := range m.out {
		if math.Abs(float64(v)) > 1e-3 {
			t.Fatalf("deep weight %v", v)
		}
	}
	if out.Test.Accuracy < .8 {
		t.Errorf("wide alone: %+v", out)
	}
}

// XOR of two tokens needs a hidden layer.
func TestHiddenLayersMatter(t *testing.T) {
	e := Examples{Offsets: []int32{0}}
	r := rng.New(1, "xor", 0)
	for range 300 {
		a, b := int32(r.IntN(2)), int32(r.IntN(2))
		e.IDs = append(e.IDs, a, 2+b)
		e.Counts = append(e.Counts, 1, 1)
		e.Offsets = append(e.Offsets, int32(len(e.IDs)))
		e.Labels = append(e.Labels, a^b)
	}
	d := &Data{Train: e, Validation: e, Test: e, Classes: 2, Vocabulary: 4, WideVocabulary: 4}
	table := &Table{Dim: 2, Vectors: []float32{-2, 0, 2, 0, 0, -2, 0, 2}, Known: []bool{true, true, true, true}}
	cfg := config(func(c *Config) { c.Steps, c.HiddenSize = 400, 16 })
	if _, out := train(t, cfg, d, table, 1); out.Test.Accuracy < .99 {
		t.Errorf("one hidden layer: %+v", out)
	}
	cfg.HiddenLayers = 0
	if _, out := train(t, cfg, d, table, 1); out.Test.Accuracy > .8 {
		t.Errorf("no hidden layer: %+v", out)
	}
}

// One seed, one model: whatever the number of processors, with shared document
// vectors or own ones.
func TestDeterminism(t *testing.T) {
	d, table := synthetic(300, 80, 3, 10, 70, .5)
	before := slices.Clone(table.Vectors)
	for _, tune := range []bool{false, true} {
		cfg := config(func(c *Config) {
			c.FineTune, c.HiddenLayers, c.HiddenSize, c.BatchSize = tune, 2, 200, 100
			c.Dropout, c.Normalisation, c.Steps = .2, BatchNorm, 12
		})
		var want []byte
		for _, procs := range []int{1, 4} {
			old := runtime.GOMAXPROCS(procs)
			m, _ := train(t, cfg, d, table, 1)
			runtime.GOMAXPROCS(old)
			got := m.EncodeAlone()
			if want == nil {
				want = got
			}
			if string(got) != string(want) {
				t.Errorf("tuned %v: another model with GOMAXPROCS %d", tune, procs)
			}
		}
		m, _, err := Train(cfg, d, table, 1, Options{Documents: Embed(d, table)})
		if err != nil || string(m.EncodeAlone()) != string(want) {
			t.Errorf("tuned %v: another model with shared document vectors, %v", tune, err)
		}
		if m, _ := train(t, cfg, d, table, 2); string(m.EncodeAlone()) == string(want) {
			t.Error("another seed gives the same model")
		}
	}
	if !slices.Equal(before, table.Vectors) {
		t.Error("training changed the shared table")
	}
}

func TestOutcomes(t *testing.T) {
	d, table := synthetic(120, 40, 3, 10, 6, .5)
	m, out, err := Train(config(func(c *Config) { c.FineTune = true }), d, table, 1, Options{MemoryLimit: 1000})
	if m != nil || out.Status != OverMemory || out.Steps != 0 || !strings.Contains(out.Reason, "limit") || err != nil {
		t.Errorf("over memory: %+v, %v", out, err)
	}
	m, out, err = Train(config(func(c *Config) { c.DeepLearningRate = 1e30; c.HiddenLayers = 3; c.Activation = ReLU }), d, table, 1, Options{})
	at := fmt.Sprintf("at step %d of 60", out.Steps)
	if m != nil || out.Status != Diverged || !strings.Contains(out.Reason, at) || out.Validation != (Metrics{}) || err != nil {
		t.Errorf("diverged: %+v, %v", out, err)
	}
	stop := errors.New("enough")
	var steps []int
	_, out, err = Train(config(nil), d, table, 1, Options{Progress: func(step, of int, loss float64) error {
		steps = append(steps, step)
		if of != 60 || !(loss > 0) {
			t.Errorf("progress %d of %d, loss %v", step, of, loss)
		}
		if step == 30 {
			return stop
		}
		return nil
	}})
	if !errors.Is(err, stop) || out.Parameters == 0 || !slices.Equal(steps, []int{10, 20, 30}) {
		t.Errorf("stopped: %+v, %v, %v", out, err, steps)
	}
	if _, _, err := Train(Config{}, d, table, 1, Options{}); err == nil {
		t.Error("an invalid configuration was taken")
	}
	// 6·8+8 hidden, 8·3+3 out, 30 wide tokens × 3
	if _, out := train(t, config(nil), d, table, 1); out.Parameters != 56+27+90 {
		t.Errorf("%d parameters", out.Parameters)
	}
}

// Sets smaller than a batch wrap around, documents may be empty.
func TestSmallAndEmpty(t *testing.T) {
	d, table := synthetic(3, 10, 2, 3, 2, .1)
	d.Train.Offsets = append(d.Train.Offsets, d.Train.Offsets[3])
	d.Train.Labels = append(d.Train.Labels, 1)
	for _, tune := range []bool{false, true} {
		train(t, config(func(c *Config) { c.FineTune, c.BatchSize, c.Normalisation = tune, 0, BatchNorm }), d, table, 1)
	}
}

func TestNoAllocationInAStep(t *testing.T) {
	d, table := synthetic(400, 300, 3, 20, 70, .5)
	for _, tune := range []bool{false, true} {
		cfg := config(func(c *Config) {
			c.FineTune, c.HiddenLayers, c.HiddenSize, c.BatchSize = tune, 2, 200, 100
			c.Normalisation, c.Dropout = BatchNorm, .2
		})
		n := newNetwork(cfg, d, table, nil, 1)
		var documents *DocumentVectors
		if !tune {
			documents = Embed(d, table)
		}
		r := newRun(n, d, documents, 1)
		step := 0
		// A new epoch makes one generator; nothing else may allocate.
		if got := testing.AllocsPerRun(3, func() { r.at = 0; r.step(step); step++ }); got > 0 {
			t.Errorf("tuned %v: %v allocations a step", tune, got)
		}
	}
}

func TestConfigReportsEverything(t *testing.T) {
	err := Config{
		HiddenLayers: 6, HiddenSize: 0, Activation: "gelu", Normalisation: "group", Dropout: 1, DeepRegularisation: -1, Steps: 0, BatchSize: -1,
	}.Validate()
	for _, want := range []string{
		"6 hidden", "size of 0", "gelu", "group", "dropout of 1", "deep learning rate of 0", "deep regularisation of -1",
		"wide learning rate of 0", "0 training steps", "batch size of -1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for norm, want := range map[Normalisation]bool{BatchNorm: false, LayerNorm: true, NoNorm: true} {
		one := config(func(c *Config) { c.BatchSize, c.Normalisation = 1, norm })
		if err := one.Validate(); (err == nil) != want || err != nil && !strings.Contains(err.Error(), "one example has no variance") {
			t.Errorf("a batch of one, normalised by %s: %v", norm, err)
		}
	}
}
