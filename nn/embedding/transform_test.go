package embedding

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tnaml/nn/rng"
)

var near = cmpopts.EquateApprox(0, 1e-6)

// The mean of (1, 0), (3, 4), (−1, −4) is (1, 0): what remains is (0, 0), (2, 4)
// and (−2, −4), of which the last two get the length √2.
func TestStandardiseByHand(t *testing.T) {
	m := &Module{Name: "m", Dim: 2, Tokens: []string{"a", "b", "c"}, Vectors: []float32{1, 0, 3, 4, -1, -4}}
	m.Standardise()
	x := float32(math.Sqrt(2.0 / 20))
	if diff := cmp.Diff([]float32{0, 0, 2 * x, 4 * x, -2 * x, -4 * x}, m.Vectors, near); diff != "" {
		t.Error(diff)
	}
}

// What is equal to the mean stays zero, whatever rounding makes of the mean: all vectors of ten
// that are equal, and one of zeros among others that are opposite.
func TestStandardiseLeavesTheMean(t *testing.T) {
	equal, opposite := &Module{Name: "m", Dim: 3}, &Module{Name: "m", Dim: 3, Tokens: []string{"zero"}, Vectors: make([]float32, 3)}
	for i := range 10 {
		equal.Tokens, equal.Vectors = append(equal.Tokens, fmt.Sprint(i)), append(equal.Vectors, .1, .2, -.7)
		x := float32(i+1) / 7
		opposite.Tokens = append(opposite.Tokens, fmt.Sprint(i), fmt.Sprint(-1-i))
		opposite.Vectors = append(opposite.Vectors, x, .1, -3*x, -x, -.1, 3*x)
	}
	for name, m := range map[string]*Module{"equal": equal, "opposite": opposite} {
		for components := range 2 {
			got, err := m.Derive("d", Variant{Components: components, Standardise: true})
			if err != nil {
				t.Fatal(err)
			}
			if v := got.Vectors[:3]; v[0] != 0 || v[1] != 0 || v[2] != 0 {
				t.Errorf("%s, without %d components: %v", name, components, v)
			}
		}
	}
}

// Shares of 3/4 and 1/4 with a of 1/4: weights 1/4 and 1/2.
func TestWeighByHand(t *testing.T) {
	m := &Module{Name: "m", Dim: 1, Tokens: []string{"a", "b"}, Vectors: []float32{8, 8}}
	m.Weigh([]float64{3, 1}, 0.25)
	if diff := cmp.Diff([]float32{2, 4}, m.Vectors, near); diff != "" {
		t.Error(diff)
	}
}

func TestJoinByHand(t *testing.T) {
	a := &Module{Name: "a", Language: "en", Dim: 1, Tokens: []string{"x", "y", "z"}, Vectors: []float32{2, 2, -2}, Source: "one"}
	b := &Module{
		Name: "b", Language: "en", Dim: 2, Source: "two",
		Tokens: []string{"z", "x", "w"}, Vectors: []float32{0.5, 0.5, -0.5, 0.5, -0.5, -0.5},
	}
	got, err := Join("ab", a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := &Module{Name: "ab", Language: "en", Dim: 3, Tokens: []string{"x", "y", "z", "w"}, Source: "one | two", Vectors: []float32{
		1, -1, 1, // both
		1, 0, 0, // a alone
		-1, 1, 1,
		0, -1, -1, // b alone
	},
		// By rank 6, 3 and 2 of 11 in each, and each is half of all.
		Frequencies: []float64{9. / 22, 3. / 22, 8. / 22, 2. / 22},
	}
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Error(diff)
	}
	if a.Vectors[0] != 2 || b.Vectors[0] != 0.5 {
		t.Error("joining changed what was joined")
	}
	pieces := &Module{Name: "p", Dim: 1, Tokens: []string{boundary + "x"}, Vectors: []float32{1}, Subword: &Subword{Kind: Pieces}}
	if _, err := Join("pp", pieces, pieces); err == nil || !strings.Contains(err.Error(), "no words") {
		t.Errorf("got %v", err)
	}
	if _, err := Join("none"); err == nil {
		t.Error("nothing was joined")
	}
}

func TestTrainedModuleIsStandardisedAndWeighed(t *testing.T) {
	plain, err := Train(groups(), TrainOptions{Name: "m", Dim: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Train(groups(), TrainOptions{Name: "m", Dim: 8, Seed: 1, Variant: Variant{Standardise: true, Smoothing: 1e-3}})
	if err != nil {
		t.Fatal(err)
	}
	plain.Standardise()
	length := func(m *Module, i int) float64 {
		sum := 0.0
		for _, v := range m.Vectors[i*m.Dim:][:m.Dim] {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum)
	}
	last := len(got.Tokens) - 1 // common words come first
	if l := length(got, 0) / length(plain, 0); l > 0.05 || length(got, last)/length(plain, last) < 1.2*l {
		t.Errorf("the most frequent word keeps %v of its length, the rarest %v", l, length(got, last)/length(plain, last))
	}
	if !strings.Contains(got.Source, "standardised") || !strings.Contains(got.Source, "0.001") {
		t.Errorf("source %q does not say how", got.Source)
	}
}

// Vectors along one axis, but for a little: without it the little is left.
func TestRemoveComponentsByHand(t *testing.T) {
	// The mean is (1, 1); about it (±3, ±3) and (±.1, ∓.1).
	m := &Module{Name: "m", Dim: 2, Tokens: []string{"a", "b", "c", "d"}, Vectors: []float32{4, 4, -2, -2, 1.1, 0.9, 0.9, 1.1},
		Subword: &Subword{Kind: NGrams, MinN: 1, MaxN: 1, Buckets: 2, Vectors: []float32{3, 1, 0, 0}}}
	m.RemoveComponents(1)
	if diff := cmp.Diff([]float32{0, 0, 0, 0, 0.1, -0.1, -0.1, 0.1}, m.Vectors, near); diff != "" {
		t.Error(diff)
	}
	// (3, 1) − (1, 1) is (2, 0), of which (1, −1) is across; no bucket stays none.
	if diff := cmp.Diff([]float32{1, -1, 0, 0}, m.Subword.Vectors, near); diff != "" {
		t.Error(diff)
	}
}

func TestDerive(t *testing.T) {
	m := withBuckets()
	m.Source = "s"
	before := m.Encode()
	got, err := m.Derive("d", Variant{Components: 1, Standardise: true, Smoothing: 1e-3})
	if err != nil {
		t.Fatal(err)
	}
	want := "s, without the first 1 principal components, standardised, smoothed by 0.001 with frequencies by rank"
	if got.Name != "d" || got.Source != want {
		t.Errorf("%q: %q, want %q", got.Name, got.Source, want)
	}
	if !bytes.Equal(before, m.Encode()) {
		t.Error("the module that it was derived from has changed")
	}
	if got.Subword.Length == 0 || cmp.Equal(got.Subword.Vectors, m.Subword.Vectors) {
		t.Errorf("the subwords are as they were: %+v", got.Subword)
	}
	// The k-th of four words occurs in proportion to 1/k: 12, 6, 4, 3 of 25.
	plain, err := m.Derive("d", Variant{Components: 1, Standardise: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []float64{12. / 25, 6. / 25, 4. / 25, 3. / 25} {
		for k, v := range plain.Vectors[i*2:][:2] {
			if want := float64(v) * 1e-3 / (1e-3 + p); math.Abs(float64(got.Vectors[i*2+k])-want) > 1e-6 {
				t.Errorf("element %d of word %d: %v, want %v", k, i, got.Vectors[i*2+k], want)
			}
		}
	}
	pieces := small()
	pieces.Subword = &Subword{Kind: Pieces}
	for _, c := range []struct {
		m    *Module
		v    Variant
		want string
	}{
		{m, Variant{Components: 2}, "2 components cannot be removed from vectors of length 2"},
		{m, Variant{Components: -1}, "-1 components"},
		{m, Variant{Smoothing: -1}, "smoothing of -1"},
		{pieces, Variant{Smoothing: 1e-3}, "without smoothing"},
	} {
		if got, err := c.m.Derive("d", c.v); err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v does not say %q", err, c.want)
		}
	}
}

// The most frequent word of the second module is as frequent in both joined as
// that of the first, though it comes after all of that: it loses as much weight.
func TestJoinedModuleIsWeighedByItsParts(t *testing.T) {
	a := &Module{Name: "a", Dim: 1, Tokens: []string{"the", "of", "zebra"}, Vectors: []float32{1, 1, 1}}
	b := &Module{Name: "b", Dim: 1, Tokens: []string{"el", "de", "cebra"}, Vectors: []float32{1, 1, 1}}
	joined, err := Join("ab", a, b)
	if err != nil {
		t.Fatal(err)
	}
	if joined, err = Decode(joined.Encode()); err != nil { // as it comes from the store
		t.Fatal(err)
	}
	got, err := joined.Derive("w", Variant{Smoothing: 1e-2})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []float64{3. / 11, 3. / 22, 1. / 11} {
		w := 1e-2 / (1e-2 + p)
		pair := slices.Concat(got.Vectors[2*i:][:2], got.Vectors[2*(i+3):][:2])
		if diff := cmp.Diff([]float32{float32(w), 0, 0, float32(w)}, pair, near); diff != "" {
			t.Errorf("%s and %s: %s", a.Tokens[i], b.Tokens[i], diff)
		}
	}
	if !strings.Contains(got.Source, "by rank in the joined modules") {
		t.Error(got.Source)
	}
}

// The parts of a joined module may come from subwords.
func TestJoinComposes(t *testing.T) {
	b := withBuckets()
	zero, none := inBucket(b.Subword, 0), inBucket(b.Subword, 2)
	a := &Module{Name: "a", Dim: 1, Tokens: []string{"the", zero, none}, Vectors: []float32{1, 1, 1}}
	got, err := Join("ab", a, b)
	if err != nil {
		t.Fatal(err)
	}
	s := float32(1 / b.RMS())
	row := func(token string) []float32 {
		for i, x := range got.Tokens {
			if x == token {
				return got.Vectors[3*i:][:3]
			}
		}
		return nil
	}
	for token, want := range map[string][]float32{"the": {1, s, 2 * s}, zero: {1, s, 0}, none: {1, 0, 0}} {
		if diff := cmp.Diff(want, row(token), near); diff != "" {
			t.Errorf("%s: %s", token, diff)
		}
	}
}

// random is a module of n vectors of length d.
func random(n, d int) *Module {
	m := &Module{Name: "m", Dim: d, Tokens: make([]string, n), Vectors: make([]float32, n*d)}
	r := rng.New(1, "test/random", 0)
	for i := range m.Tokens {
		m.Tokens[i] = fmt.Sprintf("w%d", i)
	}
	for i := range m.Vectors {
		m.Vectors[i] = float32(r.NormFloat64())
	}
	return m
}

// The blocks of scatter change no bit of the sums in the order of the tokens.
func TestScatterIsThePlainSum(t *testing.T) {
	for _, c := range []struct{ n, d int }{{1, 1}, {3, 2}, {64, 5}, {65, 3}, {131, 70}} {
		m := random(c.n, c.d)
		got := m.scatter()
		for a := range c.d {
			for b := a; b < c.d; b++ {
				want := 0.0
				for i := range c.n {
					want += float64(float64(m.Vectors[i*c.d+a]) * float64(m.Vectors[i*c.d+b]))
				}
				if got[a*c.d+b] != want {
					t.Fatalf("%d × %d, element %d, %d: %v, want %v", c.n, c.d, a, b, got[a*c.d+b], want)
				}
			}
		}
	}
}

func BenchmarkRemoveComponents(b *testing.B) {
	m := random(100_000, 300)
	for b.Loop() {
		m.RemoveComponents(3)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/100000x300")
}
