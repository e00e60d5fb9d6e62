package linear

import (
	"math"

	"tnaml/nn/rng"
	"tnaml/nn/sparse"
)

// See takes the machine of a class: its weights, which are its own until it returns, and its
// bias. Machines come in the order of the classes. Where these are many, of many columns,
// their weights together are more than a computer has; who wants no more than the classes of
// examples looks at one after the other: Votes.See.
type See func(class int, weights []float64, bias float64)

// Fit is how training ended, over all of a model's machines.
type Fit struct {
	// Passes is the number of passes over the examples, together.
	Passes int
	// Converged says that none was stopped by the bound on them.
	Converged bool
	// duals are the machines' variables.
	duals []duals
}

// duals are a machine's variables that are not 0, of examples: of many classes few are not.
type duals struct {
	ids    []int32
	values []float64
	all    int
}

func sparseDuals(alpha []float64) duals {
	n := 0
	for _, v := range alpha {
		if v != 0 {
			n++
		}
	}
	d := duals{make([]int32, 0, n), make([]float64, 0, n), len(alpha)}
	for i, v := range alpha {
		if v != 0 {
			d.ids, d.values = append(d.ids, int32(i)), append(d.values, v)
		}
	}
	return d
}

// into puts them in their places among zeros.
func (d duals) into(alpha []float64) {
	clear(alpha)
	for k, id := range d.ids {
		alpha[id] = d.values[k]
	}
}

// Train trains a machine for each class against all others, or one for two classes. Its
// bias is the weight of a column that is always 1, which the length includes, as in
// LIBLINEAR. From is how another such model, of another C, was trained on the same
// examples, to begin with, or nil.
func (o SVM) Train(x *sparse.Matrix, labels []int32, classes int, from *Fit) (*Model, *Fit, error) {
	return collect(x, classes, func(see See) (*Fit, error) { return o.Each(x, labels, classes, from, see) })
}

// TrainNB trains an NBSVM (Wang and Manning, 2012): each column's presence counts
// as much as its log-count ratio r, and the machine's weights w and bias b are
// interpolated with naive Bayes', brought to the weights' mean magnitude m = ‖w‖₁/columns:
//
//	score = β·b + (1 − β)·m·ln (n/n') + (β·w + (1 − β)·m) · (r ∘ presence)
//
// for a class of n examples against n' others. The paper leaves b as it is, which on classes
// of different sizes leaves little but b. X is taken as there or not, whatever its
// values: so must be what is predicted.
func (o SVM) TrainNB(x *sparse.Matrix, labels []int32, classes int, from *Fit) (*Model, *Fit, error) {
	return collect(x, classes, func(see See) (*Fit, error) { return o.EachNB(x, labels, classes, from, see) })
}

// collect makes a model of machines.
func collect(x *sparse.Matrix, classes int, each func(See) (*Fit, error)) (*Model, *Fit, error) {
	var m *Model // none for examples that are refused
	fit, err := each(func(class int, w []float64, bias float64) {
		if m == nil {
			m = newModel(classes, x.Columns)
		}
		copy(m.row(class), w)
		m.Bias[class] = bias
	})
	if err != nil {
		return nil, nil, err
	}
	return m, fit, nil
}

// Each is Train whose machines are seen, and not kept.
func (o SVM) Each(x *sparse.Matrix, labels []int32, classes int, from *Fit, see See) (*Fit, error) {
	t, err := o.machines(x, labels, classes, from)
	if err != nil {
		return nil, err
	}
	if classes > 2 {
		for c := range classes {
			t.train(c, nil)
			see(c, t.w, t.bias)
		}
		return t.fit, nil
	}
	t.train(1, nil)
	other := make([]float64, len(t.w))
	for k, v := range t.w {
		other[k] = -v
	}
	see(0, other, -t.bias)
	see(1, t.w, t.bias)
	return t.fit, nil
}

// EachNB is TrainNB whose machines are seen, and not kept.
func (o SVM) EachNB(x *sparse.Matrix, labels []int32, classes int, from *Fit, see See) (*Fit, error) {
	t, err := o.machines(x, labels, classes, from)
	if err != nil {
		return nil, err
	}
	t.x = &sparse.Matrix{Columns: x.Columns, Offsets: x.Offsets, IDs: x.IDs, Values: make([]float32, len(x.IDs))}
	examples := make([]int, classes)
	for _, l := range labels {
		examples[l]++
	}
	bayes := func(c int, w []float64, bias float64, r []float32) {
		mean := 0.0
		for _, v := range w {
			mean += math.Abs(v)
		}
		mean *= (1 - t.o.Beta) / float64(max(1, len(w)))
		for k, v := range w {
			w[k] = (float64(t.o.Beta*v) + mean) * float64(r[k])
		}
		n := examples[c]
		prior := math.Log(float64(max(n, 1))) - math.Log(float64(max(len(labels)-n, 1)))
		see(c, w, float64(t.o.Beta*bias)+float64(mean*prior))
	}
	if classes > 2 {
		c := 0
		sparse.EachOdds(x, labels, classes, func(r []float32) {
			t.train(c, r)
			bayes(c, t.w, t.bias, r)
			c++
		})
		return t.fit, nil
	}
	// Of two classes the machine is class 1's, and r of class 0 is that of class 1 with the
	// other sign, as the score is: the weights before r are the same, and the sign of the
	// mean is right for both.
	odds := sparse.Odds(x, labels, classes)
	t.train(1, odds[x.Columns:])
	other := make([]float64, len(t.w))
	copy(other, t.w)
	bayes(0, other, -t.bias, odds[:x.Columns])
	bayes(1, t.w, t.bias, odds[x.Columns:])
	return t.fit, nil
}

// machines trains a class's machine after another's, in the room of one.
type machines struct {
	problem
	o      SVM
	labels []int32
	from   *Fit
	fit    *Fit
}

func (o SVM) machines(x *sparse.Matrix, labels []int32, classes int, from *Fit) (*machines, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	if err := check(x, labels, classes); err != nil {
		return nil, err
	}
	n := len(labels)
	return &machines{o: o, labels: labels, from: from, fit: &Fit{Converged: true},
		problem: problem{x: x, y: make([]float64, n), square: make([]float64, n), order: make([]int32, n), alpha: make([]float64, n),
			w: make([]float64, x.Columns)}}, nil
}

// train trains a class's machine; the values of x are replaced by those of scale, if there
// are such.
func (t *machines) train(class int, scale []float32) {
	for i, l := range t.labels {
		t.y[i] = -1
		if int(l) == class {
			t.y[i] = 1
		}
	}
	if scale != nil {
		for k, id := range t.x.IDs {
			t.x.Values[k] = scale[id]
		}
	}
	clear(t.alpha)
	if n := len(t.fit.duals); t.from != nil && n < len(t.from.duals) && t.from.duals[n].all == len(t.labels) {
		t.from.duals[n].into(t.alpha)
	}
	passes, converged := t.solve(t.o, rng.Derive(t.o.Seed, "linear/svm", uint64(class)))
	t.fit.Passes, t.fit.Converged = t.fit.Passes+passes, t.fit.Converged && converged
	t.fit.duals = append(t.fit.duals, sparseDuals(t.alpha))
}

// Votes are the classes of examples by machines that come one after the other: Model.Predict
// without the model.
type Votes struct {
	// Classes are the examples' by the machines seen so far.
	Classes []int32
	x       *sparse.Matrix
	best    []float64
}

// NewVotes begins the votes on examples; Votes.See takes the machines.
func NewVotes(x *sparse.Matrix) *Votes {
	return &Votes{Classes: make([]int32, x.Rows()), x: x, best: make([]float64, x.Rows())}
}

// See takes the machine of a class, of which the first is 0.
func (v *Votes) See(class int, weights []float64, bias float64) {
	for i := range v.Classes {
		ids, values := v.x.Row(i)
		if s := bias + dot(weights, ids, values); class == 0 || s > v.best[i] {
			v.Classes[i], v.best[i] = int32(class), s
		}
	}
}
