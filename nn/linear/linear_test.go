package linear

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// golden is what testdata/golden.py prints.
type golden struct {
	Counts     [][]float32
	Labels     []int32
	TFIDF      [][]float32
	NaiveBayes machine `json:"naive_bayes"`
	Squared    machine `json:"squared_hinge"`
	Two        machine `json:"two_classes"`
}

type machine struct {
	Coef      [][]float64
	Intercept []float64
}

func readGolden(t *testing.T) (g golden, counts, tfidf *sparse.Matrix) {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	counts = dense(g.Counts...)
	w := sparse.Weighting{Weight: sparse.TFIDF, Sublinear: true, Normalise: true}
	return g, counts, w.Apply(counts, w.Columns(counts, nil, 0))
}

// dense makes a matrix of rows with zeros.
func dense(rows ...[]float32) *sparse.Matrix {
	m := &sparse.Matrix{Columns: len(rows[0]), Offsets: []int32{0}}
	for _, row := range rows {
		for k, v := range row {
			if v != 0 {
				m.IDs, m.Values = append(m.IDs, int32(k)), append(m.Values, v)
			}
		}
		m.Offsets = append(m.Offsets, int32(len(m.IDs)))
	}
	return m
}

// same compares a model with scikit-learn's, which has one machine for two classes.
func same(t *testing.T, m *Model, want machine, tolerance float64) {
	t.Helper()
	first := m.Classes - len(want.Intercept)
	for c, b := range want.Intercept {
		if got := m.Bias[first+c]; math.Abs(got-b) > tolerance {
			t.Errorf("class %d: bias %v, want %v", c, got, b)
		}
		for k, w := range want.Coef[c] {
			if got := m.row(first + c)[k]; math.Abs(got-w) > tolerance {
				t.Errorf("class %d, column %d: %v, want %v", c, k, got, w)
			}
		}
	}
}

func TestScikitLearn(t *testing.T) {
	g, counts, tfidf := readGolden(t)
	if diff := cmp.Diff(g.TFIDF, rows(tfidf), cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 })); diff != "" {
		t.Errorf("tf-idf: %s", diff)
	}
	nb, err := NaiveBayes(counts, g.Labels, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, nb, g.NaiveBayes, 1e-12)
	two := make([]int32, len(g.Labels))
	for i, l := range g.Labels {
		two[i] = l / 2
	}
	for _, c := range []struct {
		SVM
		labels  []int32
		classes int
		want    machine
	}{
		{SVM{C: .5}, g.Labels, 3, g.Squared}, {SVM{C: 8}, two, 2, g.Two},
	} {
		c.Tolerance, c.Passes = 1e-9, 1e6
		m, fit, err := c.Train(tfidf, c.labels, c.classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		if off := gap(c.SVM, m, fit, tfidf, c.labels); !fit.Converged || !(off < 1e-9) {
			t.Errorf("%+v: gap %v after %d passes", c.SVM, off, fit.Passes)
		}
		same(t, m, c.want, 1e-5)
		if c.classes == 2 {
			scores := m.Scores(tfidf)
			for i := range c.labels {
				if scores[2*i] != -scores[2*i+1] {
					t.Fatalf("example %d has the scores %v", i, scores[2*i:2*i+2])
				}
			}
		}
	}
}

// rows is a matrix with its zeros.
func rows(m *sparse.Matrix) [][]float32 {
	var out [][]float32
	for i := range m.Rows() {
		row := make([]float32, m.Columns)
		ids, values := m.Row(i)
		for k, id := range ids {
			row[id] = values[k]
		}
		out = append(out, row)
	}
	return out
}

// problemOf is a synthetic set of examples whose columns tell of their class.
func problemOf(n, columns, classes int) (*sparse.Matrix, []int32) {
	c, labels := sparse.NewCounter(columns, n), make([]int32, n)
	for i := range n {
		r := rng.New(1, "linear/test", uint64(i))
		labels[i] = int32(r.IntN(classes))
		for range 12 {
			k := r.IntN(columns)
			if r.IntN(3) == 0 {
				k = k/classes*classes + int(labels[i])
			}
			c.Add(int32(min(k, columns-1)))
		}
		c.End()
	}
	return c.Matrix(), labels
}

// At the optimum of the squared hinge the primal gradient, w − 2C Σ y·ξ·x, is zero.
func TestGradientIsZero(t *testing.T) {
	x, labels := problemOf(300, 90, 3)
	for _, c := range []float64{.03, 1, 30} {
		m, fit, err := SVM{C: c, Tolerance: 1e-7, Passes: 1e5}.Train(x, labels, 3, nil)
		if err != nil || !fit.Converged {
			t.Fatalf("%v, %+v", err, fit)
		}
		scores := m.Scores(x)
		for class := range 3 {
			gradient, bias := slices.Clone(m.row(class)), m.Bias[class]
			for i, l := range labels {
				y := -1.0
				if int(l) == class {
					y = 1
				}
				xi := 2 * c * y * max(0, 1-y*scores[3*i+class])
				bias -= xi
				ids, values := x.Row(i)
				for k, id := range ids {
					gradient[id] -= xi * float64(values[k])
				}
			}
			for k, g := range append(gradient, bias) {
				if math.Abs(g) > 1e-4 {
					t.Errorf("C of %v, class %d: gradient %d is %v", c, class, k, g)
				}
			}
		}
	}
}

// What training begins with, and the order of the examples, changes how long it takes, not where it ends.
func TestOneOptimum(t *testing.T) {
	x, labels := problemOf(400, 300, 2)
	o := SVM{C: 4, Tolerance: 1e-8, Passes: 1e5}
	m, cold, err := o.Train(x, labels, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]SVM{"the same": o, "C of 1": {C: 1}, "C of 30": {C: 30}} {
		_, before, err := from.Train(x, labels, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		o.Seed++
		again, warm, err := o.Train(x, labels, 2, before)
		if err != nil || !warm.Converged || !(gap(o, again, warm, x, labels) < 1e-7) {
			t.Fatalf("%s: %v, %+v", name, err, warm)
		}
		if name == "the same" && warm.Passes*4 > cold.Passes {
			t.Errorf("%d passes from the optimum, %d from nothing", warm.Passes, cold.Passes)
		}
		if diff := cmp.Diff(m.Weights, again.Weights, near(1e-6)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if one, _, _ := o.Train(x, labels, 2, nil); one != nil {
		if two, _, _ := o.Train(x, labels, 2, nil); !slices.Equal(one.Weights, two.Weights) {
			t.Error("one seed gave two models")
		}
	}
	o.Tolerance, o.Passes = 1e-12, 2
	if m, fit, _ := o.Train(x, labels, 2, nil); fit.Converged || fit.Passes != 2 || gap(o, m, fit, x, labels) <= 0 {
		t.Errorf("two passes: %+v", fit)
	}
}

// gap is the greatest of the differences of the machines' primal and dual objectives,
// each as a share of the primal: 0 at the optimum.
func gap(o SVM, m *Model, fit *Fit, x *sparse.Matrix, labels []int32) (most float64) {
	first := m.Classes - len(fit.duals)
	alpha := make([]float64, len(labels))
	for n, of := range fit.duals {
		of.into(alpha)
		w, bias := m.row(first+n), m.Bias[first+n]
		length, loss, dual := bias*bias, 0., 0.
		for _, v := range w {
			length += v * v
		}
		for i, l := range labels {
			y := -1.
			if int(l) == first+n {
				y = 1
			}
			ids, values := x.Row(i)
			xi := max(0, 1-y*(bias+dot(w, ids, values)))
			loss += xi * xi
			dual += alpha[i] - alpha[i]*alpha[i]/(4*o.C)
		}
		primal := length/2 + o.C*loss
		most = max(most, (primal-(dual-length/2))/primal)
	}
	return most
}

func near(tolerance float64) cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= tolerance })
}

// An NBSVM is the machine of the examples whose columns are their ratios, interpolated.
func TestNBSVMByHand(t *testing.T) {
	x, labels := problemOf(200, 40, 2)
	for k := range x.Values {
		x.Values[k] = 1
	}
	o := SVM{C: 1, Tolerance: 1e-9, Passes: 1e5}
	m, fit, err := o.TrainNB(x, labels, 2, nil)
	if err != nil || !fit.Converged {
		t.Fatal(err, fit)
	}
	odds := sparse.Odds(x, labels, 2)[x.Columns:]
	scaled := &sparse.Matrix{Columns: x.Columns, Offsets: x.Offsets, IDs: x.IDs}
	for _, id := range x.IDs {
		scaled.Values = append(scaled.Values, odds[id])
	}
	plain, _, err := o.Train(scaled, labels, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, mean := plain.row(1), 0.0
	for _, v := range w {
		mean += math.Abs(v) / float64(len(w))
	}
	for k, v := range w {
		want := float64(odds[k]) * (.25*v + .75*mean)
		if got := m.row(1)[k]; math.Abs(got-want) > 1e-6 {
			t.Errorf("column %d: %v, want %v", k, got, want)
		}
		if got := m.row(0)[k]; math.Abs(got+want) > 1e-6 {
			t.Errorf("column %d of class 0: %v, want %v", k, got, -want)
		}
	}
	zero, one := 0., 0.
	for _, l := range labels {
		if l == 0 {
			zero++
		} else {
			one++
		}
	}
	if want := .25*plain.Bias[1] + .75*mean*math.Log(one/zero); math.Abs(m.Bias[1]-want) > 1e-6 || math.Abs(m.Bias[0]+want) > 1e-6 {
		t.Errorf("biases %v, want ±%v", m.Bias, want)
	}
	o.Beta = 1
	if whole, _, err := o.TrainNB(x, labels, 2, fit); err != nil || math.Abs(whole.Bias[1]-plain.Bias[1]) > 1e-6 ||
		math.Abs(whole.row(1)[3]-plain.row(1)[3]*float64(odds[3])) > 1e-6 {
		t.Errorf("of beta 1: %v", err)
	}
	if three, _, err := o.TrainNB(x, append(slices.Clone(labels[:199]), 2), 3, nil); err != nil || len(three.Bias) != 3 {
		t.Errorf("of three classes: %v", err)
	}
}

// Machines that are seen one after the other vote as the model of them predicts, and take
// the room of a few, however many there are.
func TestVotes(t *testing.T) {
	for _, classes := range []int{2, 3, 7} {
		x, labels := problemOf(80, 40, classes)
		other, _ := problemOf(60, 40, 5)
		o := SVM{C: 3, Tolerance: .01, Passes: 30}
		for name, f := range map[string]struct {
			model func() (*Model, *Fit, error)
			each  func(See) (*Fit, error)
		}{
			"SVM": {func() (*Model, *Fit, error) { return o.Train(x, labels, classes, nil) },
				func(see See) (*Fit, error) { return o.Each(x, labels, classes, nil, see) }},
			"NBSVM": {func() (*Model, *Fit, error) { return o.TrainNB(x, labels, classes, nil) },
				func(see See) (*Fit, error) { return o.EachNB(x, labels, classes, nil, see) }},
			"naive Bayes": {func() (*Model, *Fit, error) { m, err := NaiveBayes(x, labels, classes, 1); return m, nil, err },
				func(see See) (*Fit, error) { return nil, EachNaiveBayes(x, labels, classes, 1, see) }},
		} {
			m, fit, err := f.model()
			if err != nil {
				t.Fatal(err)
			}
			votes := NewVotes(other)
			again, err := f.each(votes.See)
			if err != nil {
				t.Fatal(err)
			}
			if want := m.Predict(other); !slices.Equal(votes.Classes, want) {
				t.Errorf("%s of %d classes: votes %v, want %v", name, classes, votes.Classes, want)
			}
			if diff := cmp.Diff(fit, again, cmp.AllowUnexported(Fit{}, duals{})); diff != "" {
				t.Errorf("%s of %d classes: %s", name, classes, diff)
			}
		}
	}
	const classes, columns = 100, 20000
	x, labels := problemOf(300, columns, classes)
	for name, each := range map[string]func(See) (*Fit, error){
		"SVM":         func(see See) (*Fit, error) { return SVM{Passes: 2}.Each(x, labels, classes, nil, see) },
		"NBSVM":       func(see See) (*Fit, error) { return SVM{Passes: 2}.EachNB(x, labels, classes, nil, see) },
		"naive Bayes": func(see See) (*Fit, error) { return nil, EachNaiveBayes(x, labels, classes, 1, see) },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := each(NewVotes(x).See); err != nil {
			t.Fatal(err)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 8*columns*classes/10 {
			t.Errorf("%s allocated %d bytes; %d classes of %d columns", name, after.TotalAlloc-before.TotalAlloc, classes, columns)
		}
	}
}

// Examples without a column are told by how frequent the classes are.
func TestNoColumns(t *testing.T) {
	x, labels := &sparse.Matrix{Offsets: make([]int32, 5)}, []int32{1, 1, 0, 2}
	for _, classes := range []int{2, 3} {
		n := 1 + classes
		x := &sparse.Matrix{Offsets: x.Offsets[:n+1]}
		m, _, err := SVM{}.TrainNB(x, labels[:n], classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		for c, b := range m.Bias {
			if math.IsNaN(b) || c != 1 && !(b < m.Bias[1]) {
				t.Errorf("%d classes: the biases are %v", classes, m.Bias)
			}
		}
	}
}

func TestMajority(t *testing.T) {
	x, _ := problemOf(5, 6, 2)
	if got := Majority([]int32{1, 2, 2, 1, 0}, 3, 6).Predict(x); !slices.Equal(got, []int32{1, 1, 1, 1, 1}) {
		t.Errorf("predicted %v", got)
	}
}

func TestWhatCannotBeTrained(t *testing.T) {
	x, labels := problemOf(5, 6, 2)
	for want, err := range map[string]error{
		"C of -1":              second(SVM{C: -1}.Train(x, labels, 2, nil)),
		"C of NaN":             second(SVM{C: math.NaN()}.TrainNB(x, labels, 2, nil)),
		"4 labels for 5":       second(SVM{}.TrainNB(x, labels[:4], 2, nil)),
		"fewer than two":       second(SVM{}.Train(x, labels, 1, nil)),
		"has label 7 of 2":     second(SVM{}.Train(x, []int32{0, 7, 0, 0, 0}, 2, nil)),
		"alpha of 0":           first(NaiveBayes(x, labels, 2, 0)),
		"0 labels for 5":       first(NaiveBayes(x, nil, 2, 1)),
		"beta of 2":            second(SVM{Beta: 2}.TrainNB(x, labels, 2, nil)),
		"passes must be posit": second(SVM{Passes: -1}.Train(x, labels, 2, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func second(_ *Model, _ *Fit, err error) error { return err }
func first(_ *Model, err error) error          { return err }

func TestGrid(t *testing.T) {
	if got := Grid(1./32, 32, 4); !slices.Equal(got, []float64{1. / 32, 1. / 8, .5, 2, 8, 32}) {
		t.Errorf("%v", got)
	}
}

// Reported: million values/s that all the machines' passes see together.
func BenchmarkSVM(b *testing.B) {
	for _, classes := range []int{2, 8} {
		b.Run(fmt.Sprintf("classes=%d", classes), func(b *testing.B) {
			x, labels := problemOf(10000, 20000, classes)
			passes := 0
			for b.Loop() {
				_, fit, err := SVM{C: 1}.Train(x, labels, classes, nil)
				if err != nil {
					b.Fatal(err)
				}
				passes += fit.Passes
			}
			b.ReportMetric(float64(passes*len(x.IDs))/1e6/b.Elapsed().Seconds(), "Mvalues/s")
			b.ReportMetric(float64(passes)/float64(b.N), "passes")
		})
	}
}
