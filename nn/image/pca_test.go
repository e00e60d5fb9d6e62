package image

import (
	"math"
	"strings"
	"testing"

	"tnaml/nn/rng"
)

// Images that are a mean and two orthogonal directions have those components,
// in the order of their variance.
func TestTrainPCA(t *testing.T) {
	r := rng.New(3, "test/pca", 0)
	const side, n = 4, 200
	m := Images{side, side, 1, nil}
	for range n {
		a, b := 20*r.NormFloat64(), 8*r.NormFloat64()
		for i := range side * side {
			v := 128.0
			if i < 8 {
				v += a
			}
			if i%2 == 0 {
				v += b
			} else {
				v -= b
			}
			m.Pixels = append(m.Pixels, uint8(min(max(math.Round(v), 0), 255)))
		}
	}
	p, err := TrainPCA(m, PCAOptions{Components: 3, Size: side, Channels: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	q, err := TrainPCA(m, PCAOptions{Components: 3, Size: side, Channels: 1, Workers: 3})
	if err != nil || Digest(p) != Digest(q) {
		t.Errorf("the number of workers shows (%v)", err)
	}
	for a := range 3 {
		for b := range 3 {
			dot := 0.0
			for i := range side * side {
				dot += float64(p.components[i*3+a]) * float64(p.components[i*3+b])
			}
			want := 0.0
			if a == b {
				want = 1
			}
			if math.Abs(dot-want) > 1e-4 {
				t.Errorf("components %d and %d have the product %v", a, b, dot)
			}
		}
	}
	v, err := Features(p, m, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	variance := make([]float64, 3)
	for i, x := range v {
		variance[i%3] += float64(x) * float64(x) / n
	}
	if variance[0] < 8*400*0.7 || variance[1] < 16*64*0.7 || variance[1] > 16*64*1.4 || variance[2] > 2 {
		t.Errorf("variances %v", variance)
	}
	_, err = TrainPCA(m.Slice(0, 2), PCAOptions{Components: 17, Size: side, Channels: 1})
	for _, want := range []string{"17 components", "2 images for 17"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
}

func BenchmarkPCA(b *testing.B) {
	images := randomImages(256, 32, 32, 3)
	p, err := TrainPCA(images, PCAOptions{Components: 128})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkExtract(b, p, images)
}
