package child

import (
	"encoding/json"
	"math"
	"runtime"
	"slices"
	"testing"

	"tnaml/nn/rng"
)

// logit gives two classes the log-odds of p for class 1.
func logit(p float64) []float32 { return []float32{0, float32(math.Log(p / (1 - p)))} }

func tallied(classes int, labels []int32, logits [][]float32) Metrics {
	t := newTally(len(labels), classes)
	for i, l := range labels {
		t.add(l, logits[i])
	}
	return t.metrics()
}

func near(t *testing.T, name string, got, want Metrics) {
	t.Helper()
	const tolerance = 1e-6 // of logits in float32
	if got.Accuracy != want.Accuracy || math.Abs(got.MacroF1-want.MacroF1) > 1e-15 || math.Abs(got.LogLoss-want.LogLoss) > tolerance ||
		got.AUC != want.AUC || got.HasAUC != want.HasAUC {
		t.Errorf("%s: %+v, want %+v", name, got, want)
	}
}

// The wanted values are worked out by hand.
func TestMetrics(t *testing.T) {
	ln := math.Log
	for _, c := range []struct {
		name    string
		classes int
		labels  []int32
		logits  [][]float32
		want    Metrics
	}{
		{"an empty split", 2, nil, nil, Metrics{}},
		{
			// Pairs of (positive, negative): .9 > .6, .9 > .2, .4 < .6, .4 > .2.
			"two classes", 2, []int32{1, 1, 0, 0}, [][]float32{logit(.9), logit(.4), logit(.6), logit(.2)},
			Metrics{Accuracy: .5, MacroF1: .5, LogLoss: -(ln(.9) + ln(.4) + ln(.4) + ln(.8)) / 4, AUC: .75, HasAUC: true},
		},
		{
			// Of 6 pairs 3 are won and 1 is tied. Class 0: TP 1, FP 2, FN 1. Class 1: TP 1, FP 1, FN 2.
			"ties", 2, []int32{1, 0, 1, 0, 1}, [][]float32{logit(.7), logit(.7), logit(.3), logit(.25), logit(.3)},
			Metrics{Accuracy: .4, MacroF1: (2./5 + 2./5) / 2, LogLoss: -(ln(.7) + 3*ln(.3) + ln(.75)) / 5, AUC: 3.5 / 6, HasAUC: true},
		},
		{
			// Equal logits go to class 0: TP 1, FP 2, FN 0; class 1: FN 2.
			"all tied", 2, []int32{1, 0, 1}, [][]float32{{3, 3}, {-1, -1}, {0, 0}},
			Metrics{Accuracy: 1. / 3, MacroF1: 2. / 4 / 2, LogLoss: ln(2), AUC: .5, HasAUC: true},
		},
		{
			"one label of two", 2, []int32{1, 1}, [][]float32{logit(.8), logit(.8)},
			Metrics{Accuracy: 1, MacroF1: 1, LogLoss: -ln(.8)},
		},
		{
			"one prediction of two", 2, []int32{1, 0}, [][]float32{logit(.8), logit(.6)},
			Metrics{Accuracy: .5, MacroF1: (0 + 2./3) / 2, LogLoss: -(ln(.8) + ln(.4)) / 2, AUC: 1, HasAUC: true},
		},
		{
			// Class 3 is neither a label nor a prediction; class 2 is predicted only, class 1 a label only.
			"absent classes", 4, []int32{0, 0, 1}, [][]float32{{9, 0, 0, 0}, {0, 0, 9, 0}, {9, 0, 0, 0}},
			Metrics{Accuracy: 1. / 3, MacroF1: (2. / 4) / 3, LogLoss: ln(1+3*math.Exp(-9)) + 2*9./3},
		},
		{
			"one class", 1, []int32{0, 0}, [][]float32{{5}, {-5}},
			Metrics{Accuracy: 1, MacroF1: 1},
		},
		{
			// Σ exp overflows and p of the label is 0 in float64, its logarithm is not.
			"large logits", 2, []int32{0, 1}, [][]float32{{-2e4, 2e4}, {-1e30, 1e30}},
			Metrics{Accuracy: .5, MacroF1: (0 + 2./3) / 2, LogLoss: 2e4, AUC: 1, HasAUC: true},
		},
	} {
		got := tallied(c.classes, c.labels, c.logits)
		near(t, c.name, got, c.want)
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var back Metrics
		if err := json.Unmarshal(b, &back); err != nil || back != got {
			t.Errorf("%s: %s became %+v, %v", c.name, b, back, err)
		}
	}
}

// plainMetrics is the definitions in plain loops.
func plainMetrics(classes int, labels []int32, logits [][]float32) Metrics {
	var m Metrics
	n := float64(len(labels))
	predictions := make([]int32, len(labels))
	for i, l := range logits {
		predictions[i] = int32(slices.Index(l, slices.Max(l)))
		if predictions[i] == labels[i] {
			m.Accuracy++
		}
		sum := 0.0
		for _, v := range l {
			sum += math.Exp(float64(v))
		}
		m.LogLoss -= math.Log(math.Exp(float64(l[labels[i]]))/sum) / n
	}
	m.Accuracy /= n
	var f1 []float64
	for c := range int32(classes) {
		tp, fp, fn := 0., 0., 0.
		for i, label := range labels {
			switch {
			case label == c && predictions[i] == c:
				tp++
			case predictions[i] == c:
				fp++
			case label == c:
				fn++
			}
		}
		if tp+fp+fn > 0 {
			f1 = append(f1, 2*tp/(2*tp+fp+fn))
		}
	}
	for _, f := range f1 {
		m.MacroF1 += f / float64(len(f1))
	}
	pairs := 0.0
	for i, x := range labels {
		for k, y := range labels {
			if classes != 2 || x != 1 || y != 0 {
				continue
			}
			pairs++
			p, q := float64(logits[i][1])-float64(logits[i][0]), float64(logits[k][1])-float64(logits[k][0])
			if p > q {
				m.AUC++
			} else if p == q {
				m.AUC += .5
			}
		}
	}
	if pairs > 0 {
		m.AUC /= pairs
		m.HasAUC = true
	}
	return m
}

// Random splits, their logits on a coarse grid so that many tie.
func TestMetricsAgainstPlainLoops(t *testing.T) {
	for seed := range uint64(400) {
		r := rng.New(seed, "test/metrics", 0)
		classes, n := 1+r.IntN(6), 1+r.IntN(60)
		if seed%2 == 0 {
			classes = 2
		}
		shown := 1 + r.IntN(classes)
		labels, logits := make([]int32, n), make([][]float32, n)
		for i := range labels {
			labels[i] = int32(r.IntN(shown))
			for range classes {
				logits[i] = append(logits[i], float32(r.IntN(9)-4)/2)
			}
		}
		got, want := tallied(classes, labels, logits), plainMetrics(classes, labels, logits)
		if math.Abs(got.LogLoss-want.LogLoss) > 1e-12 || math.Abs(got.MacroF1-want.MacroF1) > 1e-12 || math.Abs(got.AUC-want.AUC) > 1e-15 {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
		if got.Accuracy != want.Accuracy || got.HasAUC != want.HasAUC {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
	}
}

// Of a trained model the metrics are those of its probabilities, and an empty split has none.
func TestMetricsOfAModel(t *testing.T) {
	for _, classes := range []int{2, 3} {
		d, table := synthetic(600, 60, classes, 8, 6, .6)
		d.Validation = Examples{}
		m, out := train(t, config(func(c *Config) { c.Steps = 30 }), d, table, 1)
		p := m.Predict(&d.Test)
		loss := 0.0
		for i, label := range d.Test.Labels {
			loss -= math.Log(float64(p[i*classes+int(label)])) / float64(d.Test.Len())
		}
		if out.Validation != (Metrics{}) || math.Abs(out.Test.LogLoss-loss) > 1e-5 || out.Test.HasAUC != (classes == 2) || out.Steps != 30 {
			t.Errorf("%+v, want a log-loss of %v", out, loss)
		}
		if out.Test.MacroF1 < .5 || classes == 2 && !(out.Test.AUC > .7 && out.Test.AUC < 1) {
			t.Errorf("%+v", out.Test)
		}
	}
}

// The logits of the test split, which may be far larger than the others, are not kept.
func TestEvaluationKeepsNoTestLogits(t *testing.T) {
	const classes = 100
	d, table := synthetic(400, 60, classes, 10, 6, .3)
	big, _ := synthetic(40000, 60, classes, 10, 6, .3)
	allocated := func(test Examples) int64 {
		all := *d
		all.Test = test
		documents := Embed(&all, table)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, out, err := Train(config(func(c *Config) { c.Steps = 2 }), &all, table, 1, Options{Documents: documents})
		if runtime.ReadMemStats(&after); err != nil || out.Status != OK {
			t.Fatal(out, err)
		}
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	if more, logits := allocated(big.Train)-allocated(d.Test), int64(4*classes*big.Train.Len()); more > logits/2 {
		t.Errorf("%d bytes more for %d documents more, whose logits take %d", more, big.Train.Len(), logits)
	}
}

// BenchmarkEvaluate measures the evaluation of 4,000 documents by the cheapest models.
func BenchmarkEvaluate(b *testing.B) {
	for _, c := range []struct {
		name            string
		classes, layers int
	}{{"2 classes", 2, 0}, {"20 classes", 20, 0}, {"20 classes 2x256", 20, 2}} {
		b.Run(c.name, func(b *testing.B) {
			d, table := synthetic(16000, 10000, c.classes, 20, 128, .5)
			m, _ := train(b, config(func(f *Config) { f.HiddenLayers, f.HiddenSize, f.Steps = c.layers, 256, 10 }), d, table, 1)
			vectors := Embed(d, table).Test
			b.ReportAllocs()
			for b.Loop() {
				m.evaluate(&d.Test, vectors, func(int32, []float32) {})
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*d.Test.Len()), "ns/example")
		})
	}
}
