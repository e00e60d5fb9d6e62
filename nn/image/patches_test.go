package image

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// Training is a function of seed and images alone, and whitening whitens.
func TestTrainPatches(t *testing.T) {
	images := randomImages(50, 12, 12, 3)
	o := PatchOptions{Centroids: 8, Size: 12, Patch: 3, Samples: 4000, Iterations: 4, Seed: 9, Workers: 1}
	a, err := TrainPatches(images, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Workers = 3
	b, err := TrainPatches(images, o)
	if err != nil {
		t.Fatal(err)
	}
	if Digest(a) != Digest(b) {
		t.Error("the number of workers shows")
	}
	o.Seed++
	if c, err := TrainPatches(images, o); err != nil || Digest(a) == Digest(c) {
		t.Errorf("the seed does not show (%v)", err)
	}
	d := a.h.dim()
	x := samplePatches(images, a.h, 4000, 77, 0)
	for i := range 4000 {
		sum := 0.0
		for _, v := range x[i*d:][:d] {
			sum += float64(v)
		}
		if math.Abs(sum) > 1e-3 {
			t.Fatalf("patch %d has mean %v", i, sum/float64(d))
		}
	}
	z := make([]float32, len(x))
	a.project(z, x)
	for k := range d {
		mean, variance := 0.0, 0.0
		for i := range 4000 {
			v := float64(z[i*d+k])
			mean += v / 4000
			variance += v * v / 4000
		}
		if math.Abs(mean) > 0.1 || variance < 0.6 || variance > 1.1 {
			t.Errorf("whitened: dimension %d has mean %.3f and variance %.3f", k, mean, variance)
		}
	}
	stop := errors.New("stop")
	o.Progress = func(float64) error { return stop }
	if _, err := TrainPatches(images, o); !errors.Is(err, stop) {
		t.Errorf("%v; want the error of Progress", err)
	}
	_, err = TrainPatches(Images{4, 4, 2, nil}, PatchOptions{Centroids: 1, Samples: -1})
	for _, want := range []string{"1 centroids", "2 channels", "no images", "-1 samples"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
}

// A file of a few hundred kilobytes could otherwise say that an image has 17 thousand million
// features.
func TestPatchesOfTooManyFeatures(t *testing.T) {
	o := PatchOptions{Size: 1024, Patch: 2, Channels: 1, Centroids: 1 << 14, Grid: 1023}
	const want = "17146331136 features of an image; there can be up to 1048576"
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	h := o.header()
	d := h.dim()
	p := Patches{h: h, mean: make([]float32, d), whitening: make([]float32, d*d), centroids: make([]float32, h.Centroids*d)}
	if _, err := Decode(p.Encode()); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	o.Grid = 8
	if err := o.Validate(); err != nil {
		t.Errorf("a million features: %v", err)
	}
}

// Activations of an image of one patch, by the formulas.
func TestTriangle(t *testing.T) {
	images := randomImages(30, 3, 3, 1)
	p, err := TrainPatches(images, PatchOptions{Centroids: 5, Size: 3, Channels: 1, Patch: 3, Grid: 1, Samples: 200, Iterations: 2})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 5)
	p.Extract(got, images.Slice(4, 5))
	x, z := make([]float64, 9), make([]float64, 9)
	mean, variance := 0.0, 0.0
	for i, v := range images.At(4) {
		x[i] = float64(v)
		mean += x[i] / 9
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / 9
	}
	for i := range x {
		x[i] = (x[i]-mean)/math.Sqrt(variance+10) - float64(p.mean[i])
	}
	for i := range z {
		for k := range x {
			z[i] += x[k] * float64(p.whitening[k*9+i])
		}
	}
	distances, average := make([]float64, 5), 0.0
	for c := range distances {
		for k := range z {
			d := z[k] - float64(p.centroids[c*9+k])
			distances[c] += d * d
		}
		distances[c] = math.Sqrt(distances[c])
		average += distances[c] / 5
	}
	positive := 0
	for c, d := range distances {
		want := max(0, average-d)
		if math.Abs(float64(got[c])-want) > 1e-4 {
			t.Errorf("centroid %d: %v, want %v", c, got[c], want)
		}
		if want > 0 {
			positive++
		}
	}
	if positive == 0 {
		t.Error("nothing is active")
	}
}

func BenchmarkPatches(b *testing.B) {
	images := randomImages(64, 32, 32, 3)
	for _, o := range []PatchOptions{{Centroids: 200}, {Centroids: 400}, {Centroids: 800}} {
		o.Samples, o.Iterations = 2000, 1
		p, err := TrainPatches(images, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(p.Name(), func(b *testing.B) { benchmarkExtract(b, p, images) })
	}
}
