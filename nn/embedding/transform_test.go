package embedding

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

// Shares of 3/4 and 1/4 with a of 1/4: weights 1/4 and 1/2.
func TestWeighByHand(t *testing.T) {
	m := &Module{Name: "m", Dim: 1, Tokens: []string{"a", "b"}, Vectors: []float32{8, 8}}
	m.Weigh([]int{3, 1}, 0.25)
	if diff := cmp.Diff([]float32{2, 4}, m.Vectors, near); diff != "" {
		t.Error(diff)
	}
}

func TestJoinByHand(t *testing.T) {
	a := &Module{Name: "a", Language: "en", Dim: 1, Tokens: []string{"x", "y", "z"}, Vectors: []float32{2, 2, -2}, Source: "one"}
	b := &Module{Name: "b", Language: "en", Dim: 2, Tokens: []string{"z", "x"}, Vectors: []float32{0.5, 0.5, -0.5, 0.5}, Source: "two"}
	got, err := Join("ab", a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := &Module{Name: "ab", Language: "en", Dim: 3, Tokens: []string{"x", "z"}, Vectors: []float32{1, -1, 1, -1, 1, 1}, Source: "one | two"}
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Error(diff)
	}
	if a.Vectors[0] != 2 || b.Vectors[0] != 0.5 {
		t.Error("joining changed what was joined")
	}
	c := &Module{Name: "c", Dim: 1, Tokens: []string{"w"}, Vectors: []float32{1}}
	if _, err := Join("ac", a, c); err == nil || !strings.Contains(err.Error(), "no token in common") {
		t.Errorf("got %v", err)
	}
}

func TestTrainedModuleIsStandardisedAndWeighed(t *testing.T) {
	plain, err := Train(groups(), TrainOptions{Name: "m", Dim: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Train(groups(), TrainOptions{Name: "m", Dim: 8, Seed: 1, Standardise: true, Smoothing: 1e-3})
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
