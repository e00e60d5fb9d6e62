package image

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func testSet(t testing.TB, standard bool) *FeatureSet {
	t.Helper()
	images := randomImages(30, 8, 8, 1)
	pca, err := TrainPCA(images, PCAOptions{Components: 3, Size: 8, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	s, err := NewFeatureSet(pca, images.Slice(0, 20), images.Slice(20, 25), images.Slice(25, 30), FeatureOptions{
		Standardise: standard, Task: "noise",
		Progress: func(done, total int) error {
			if done <= last || total != 30 {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != 30 {
		t.Errorf("progress ended at %d", last)
	}
	return s
}

func TestFeatureSet(t *testing.T) {
	plain, s := testSet(t, false), testSet(t, true)
	for k := range s.Dim {
		sum, square := 0.0, 0.0
		for i := range 20 {
			v := float64(s.Train[i*s.Dim+k])
			sum += v
			square += v * v
		}
		if math.Abs(sum/20) > 1e-5 || math.Abs(square/20-1) > 1e-4 {
			t.Errorf("feature %d has mean %v and variance %v", k, sum/20, square/20)
		}
	}
	v := slices.Clone(plain.Test)
	s.Standardise(v)
	if !slices.Equal(v, s.Test) || slices.Equal(v, plain.Test) {
		t.Error("the test split is not in the scale of the training split")
	}
	for _, s := range []*FeatureSet{plain, s} {
		got, err := DecodeFeatures(s.Encode())
		if err != nil || !bytes.Equal(got.Encode(), s.Encode()) || !slices.Equal(got.Validation, s.Validation) {
			t.Errorf("another set after decoding: %v", err)
		}
	}
	constant := &FeatureSet{Dim: 1, Train: []float32{3, 3, 3}, Test: []float32{4}}
	constant.standardise()
	if constant.Train[0] != 0 || constant.Test[0] != 1 {
		t.Errorf("a constant feature became %v and %v", constant.Train, constant.Test)
	}
	for want, bad := range map[string]*FeatureSet{
		"length 0":         {Dim: 0},
		"whole number":     {Dim: 2, Train: make([]float32, 3)},
		"no number":        {Dim: 1, Test: []float32{float32(math.NaN())}},
		"not standardised": {Dim: 1, Mean: []float32{1}},
		"has length 1":     {Dim: 2, Standardised: true, Mean: []float32{1}, Deviation: []float32{1, 1}},
		"deviation 0":      {Dim: 1, Standardised: true, Mean: []float32{1}, Deviation: []float32{0}},
	} {
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
}

func FuzzDecodeFeatures(f *testing.F) {
	for _, standard := range []bool{false, true} {
		f.Add(testSet(f, standard).Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeFeatures(b)
		if err != nil {
			return
		}
		if again, err := DecodeFeatures(s.Encode()); err != nil || !bytes.Equal(again.Encode(), s.Encode()) {
			t.Fatalf("what was decoded does not encode to itself: %v", err)
		}
	})
}
