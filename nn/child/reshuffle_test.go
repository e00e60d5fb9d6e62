package child

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"tnaml/nn/sparse"
)

// sorted writes a split's examples with their vectors, in order of what they are.
func sorted(e *Examples, v []float32, dim int) (out []string) {
	for i := range e.Len() {
		low, high := e.Offsets[i], e.Offsets[i+1]
		s := fmt.Sprint(e.IDs[low:high], e.Counts[low:high], e.Labels[i], v[i*dim:(i+1)*dim])
		if w := e.Wide; w != nil {
			s += fmt.Sprint(w.IDs[w.Offsets[i]:w.Offsets[i+1]])
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func classes(e *Examples, n int) []int {
	out := make([]int, n)
	for _, label := range e.Labels {
		out[label]++
	}
	return out
}

// A reshuffled task has the examples of before, each with its vector and its n-grams, as
// many of each class on each side, and the test split untouched; equal seeds give equal
// splits, others others, and models train on it.
func TestReshuffle(t *testing.T) {
	d, table := synthetic(120, 40, 3, 6, 4, .3)
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
		e.Wide = &sparse.Matrix{Offsets: slices.Clone(e.Offsets), IDs: slices.Clone(e.IDs)}
	}
	before := Embed(d, table)
	got, v := Reshuffle(d, before, table.Dim, 7)
	if want := Embed(got, table); !reflect.DeepEqual(v, want) {
		t.Error("the vectors are not those of the documents")
	}
	all := func(d *Data, v *DocumentVectors) []string {
		out := append(sorted(&d.Train, v.Train, table.Dim), sorted(&d.Validation, v.Validation, table.Dim)...)
		slices.Sort(out)
		return out
	}
	if !slices.Equal(all(got, v), all(d, before)) {
		t.Error("other examples than before")
	}
	if !slices.Equal(classes(&got.Validation, 3), classes(&d.Validation, 3)) || !reflect.DeepEqual(got.Test, d.Test) {
		t.Errorf("validation %v, was %v", classes(&got.Validation, 3), classes(&d.Validation, 3))
	}
	again, _ := Reshuffle(d, nil, 0, 7)
	other, _ := Reshuffle(d, nil, 0, 8)
	equal := func(a, b *Data) bool { return reflect.DeepEqual(a.Validation, b.Validation) }
	if !reflect.DeepEqual(again, got) || equal(other, got) || equal(got, d) {
		t.Error("not a function of the seed")
	}
	if _, out, err := Train(config(func(*Config) {}), got, table, 1, Options{}); err != nil || out.Status != OK {
		t.Errorf("%+v, %v", out, err)
	}
}

// A pooled task is trained on all that chose and taught, each example with its vector and
// its n-grams, and judged by what it was; a temperature that is given is kept, and the
// probabilities are off by what they then are.
func TestWithValidation(t *testing.T) {
	d, table := synthetic(120, 40, 3, 6, 4, .3)
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
		e.Wide = &sparse.Matrix{Offsets: slices.Clone(e.Offsets), IDs: slices.Clone(e.IDs)}
	}
	before := Embed(d, table)
	got, v := WithValidation(d, before, table.Dim)
	want := append(sorted(&d.Train, before.Train, table.Dim), sorted(&d.Validation, before.Validation, table.Dim)...)
	slices.Sort(want)
	if have := sorted(&got.Train, v.Train, table.Dim); !slices.Equal(have, want) {
		t.Errorf("trained on %d examples, want %d", len(have), len(want))
	}
	if !reflect.DeepEqual(v, Embed(got, table)) {
		t.Error("the vectors are not those of the documents")
	}
	if !reflect.DeepEqual(got.Validation, d.Validation) || !reflect.DeepEqual(got.Test, d.Test) {
		t.Error("the other splits have changed")
	}
	cfg := config(func(*Config) {})
	of := func(o Options) (*Model, Outcome) {
		m, out, err := Train(cfg, got, table, 1, o)
		if err != nil || out.Status != OK {
			t.Fatalf("%+v, %v", out, err)
		}
		return m, out
	}
	fitted, own := of(Options{})
	m, out := of(Options{Temperature: 3})
	if out.Temperature != 3 || m.Temperature != 3 || own.Temperature == 3 || fitted.Temperature != own.Temperature {
		t.Errorf("temperatures %v and %v, fitted %v", out.Temperature, m.Temperature, own.Temperature)
	}
	if a, b := out.TestCalibration, own.TestCalibration; a.After == b.After || a.Before != b.Before || out.Test != own.Test {
		t.Errorf("%+v, fitted %+v", out, own)
	}
}

// A model that is refitted weighs tokens as the vectors do that it is trained on: each
// example counts once, though the validation examples are in two of its splits. What it
// says of documents by itself is what it is judged by.
func TestRefittedWeighsTokensOnce(t *testing.T) {
	d, table := synthetic(200, 60, 3, 10, 6, .5)
	want := SIF.tokenWeights(d)
	pooled, v := WithValidation(d, EmbedBy(d, table, SIF), table.Dim)
	if !slices.Equal(SIF.tokenWeights(pooled), want) {
		t.Error("the weights are others with the validation split in the training split")
	}
	m, out, err := Train(config(func(c *Config) { c.Pooling = SIF }), pooled, table, 1, Options{Documents: v, Temperature: 1})
	if err != nil || out.Status != OK {
		t.Fatal(out, err)
	}
	if !slices.Equal(m.tokens, want) {
		t.Error("the model keeps other weights than those of the vectors it was trained on")
	}
	if got := m.Evaluate(&d.Test); got != out.Test {
		t.Errorf("the model has %+v by itself, its outcome %+v", got, out.Test)
	}
}

// Of ten documents, each there twice under two labels, none is on both sides.
func TestReshuffledEqualsStayTogether(t *testing.T) {
	d := &Data{Classes: 2, Vocabulary: 10}
	add := func(e *Examples, id, label int) {
		e.IDs, e.Counts = append(e.IDs, int32(id)), append(e.Counts, 1)
		e.Offsets, e.Labels = append(e.Offsets, int32(len(e.IDs))), append(e.Labels, int32(label))
	}
	d.Train.Offsets, d.Validation.Offsets = []int32{0}, []int32{0}
	for i := range 20 {
		e := &d.Train
		if i >= 14 {
			e = &d.Validation
		}
		add(e, i/2, i%2)
	}
	for seed := range uint64(20) {
		got, _ := Reshuffle(d, nil, 0, seed)
		if !slices.Equal(classes(&got.Validation, 2), []int{3, 3}) {
			t.Fatalf("seed %d: validation %v", seed, classes(&got.Validation, 2))
		}
		for _, id := range got.Validation.IDs {
			if slices.Contains(got.Train.IDs, id) {
				t.Fatalf("seed %d: document %d is on both sides", seed, id)
			}
		}
	}
	// Five of one document do not fit in a split of two: they are trained on.
	d = &Data{Classes: 1, Vocabulary: 10}
	d.Train.Offsets, d.Validation.Offsets = []int32{0}, []int32{0}
	for range 5 {
		add(&d.Train, 1, 0)
	}
	add(&d.Validation, 2, 0)
	add(&d.Validation, 3, 0)
	if got, _ := Reshuffle(d, nil, 0, 1); got.Train.Len() != 5 || slices.Contains(got.Validation.IDs, 1) {
		t.Errorf("%v", got.Validation.IDs)
	}
}

// Where all documents are equal none can be on the other side of the rest: the split stays,
// and there is something to judge models by.
func TestReshuffledOfEqualsAlone(t *testing.T) {
	d := &Data{Classes: 2, Vocabulary: 1, WideFeatures: Words1, Features: 1}
	for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
		*e = Examples{Offsets: []int32{0, 1, 2}, IDs: []int32{0, 0}, Counts: []float32{1, 1}, Labels: []int32{0, 1},
			Wide: &sparse.Matrix{Columns: 1, Offsets: []int32{0, 1, 2}, IDs: []int32{0, 0}, Values: []float32{1, 1}}}
	}
	table := &Table{Dim: 1, Vectors: []float32{1}, Known: []bool{true}}
	before := Embed(d, table)
	got, v := Reshuffle(d, before, table.Dim, 1)
	if !reflect.DeepEqual(got, d) || !reflect.DeepEqual(v, before) {
		t.Errorf("validation %v, training %v", got.Validation, got.Train)
	}
	cfg := config(func(c *Config) { c.WideFeatures = Words1 })
	if _, out, err := Train(cfg, got, table, 1, Options{Documents: v}); err != nil || out.Validation.Accuracy != .5 {
		t.Errorf("%+v, %v", out, err)
	}
}
