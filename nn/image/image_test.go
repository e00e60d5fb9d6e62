package image

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	kernels "tnaml/nn/blas"
	"tnaml/nn/safetensors"
)

// extractors are small ones of every type.
func extractors(t testing.TB) []Extractor {
	t.Helper()
	images := randomImages(40, 9, 11, 3)
	patches, err := TrainPatches(images, PatchOptions{Centroids: 6, Size: 10, Patch: 3, Samples: 300, Iterations: 3, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	grey, err := TrainPatches(images, PatchOptions{
		Name: "grey", Centroids: 4, Size: 12, Channels: 1, Patch: 4, Stride: 3, Grid: 1, Samples: 200, Iterations: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	pca, err := TrainPCA(images, PCAOptions{Components: 5, Size: 8, Channels: 1, Source: "noise"})
	if err != nil {
		t.Fatal(err)
	}
	two, seven := testMobileNet(t, MobileNetOptions{Size: 32, Block: 2}), testMobileNet(t, MobileNetOptions{Size: 32, Block: 7})
	return []Extractor{two, seven, patches, grey, pca}
}

// Features depend on the image alone: not on the number of workers, nor on the
// images around it, nor on how the work is cut.
func TestFeaturesAreTheImagesOwn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	images := randomImages(37, 20, 13, 3)
	for _, e := range extractors(t) {
		var calls []int
		want, err := Features(e, images, 1, func(done, total int) error {
			if total != 37 {
				t.Errorf("%s: a total of %d", e.Name(), total)
			}
			calls = append(calls, done)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(calls, []int{16, 32, 37}) {
			t.Errorf("%s: progress %v", e.Name(), calls)
		}
		got, err := Features(e, images, 3, nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: 3 workers give other bits than one (%v)", e.Name(), err)
		}
		one := make([]float32, e.Dim())
		e.Extract(one, images.Slice(20, 21))
		if !slices.Equal(one, want[20*e.Dim():21*e.Dim()]) {
			t.Errorf("%s: an image alone has other features than among others", e.Name())
		}
		if slices.Equal(one, want[21*e.Dim():22*e.Dim()]) || !kernels.Finite(want) {
			t.Errorf("%s: two images have the same features, or they are no numbers", e.Name())
		}
	}
}

func TestFeaturesStopAndRefuse(t *testing.T) {
	e := extractors(t)[4]
	stop := errors.New("stop")
	calls := 0
	_, err := Features(e, randomImages(100, 8, 8, 3), 2, func(done, total int) error { calls++; return stop })
	if !errors.Is(err, stop) || calls > 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
	for want, m := range map[string]Images{
		"2 channels":  {4, 4, 2, make([]uint8, 32)},
		"whole numbe": {4, 4, 1, make([]uint8, 17)},
		"0 × 4":       {0, 4, 1, nil},
	} {
		if _, err := Features(e, m, 1, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %q", err, want)
		}
	}
	if v, err := Features(e, Images{4, 4, 1, nil}, 1, nil); err != nil || len(v) != 0 {
		t.Errorf("no images: %v, %v", v, err)
	}
}

func TestEncodeDecode(t *testing.T) {
	images := randomImages(3, 9, 9, 1)
	seen := map[string]bool{}
	for _, e := range extractors(t) {
		b := e.Encode()
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), b) || got.Name() != e.Name() || Digest(got) != Digest(e) {
			t.Errorf("%s: another one after decoding", e.Name())
		}
		x, y := make([]float32, 3*e.Dim()), make([]float32, 3*e.Dim())
		e.Extract(x, images)
		got.Extract(y, images)
		if !slices.Equal(x, y) {
			t.Errorf("%s: other features after decoding", e.Name())
		}
		if seen[Digest(e)] {
			t.Errorf("%s: two extractors of one digest", e.Name())
		}
		seen[Digest(e)] = true
	}
}

func TestDecodeRefuses(t *testing.T) {
	all := extractors(t)
	edit := func(e Extractor, old, with string) []byte {
		f, err := safetensors.Decode(e.Encode())
		if err != nil {
			t.Fatal(err)
		}
		s := strings.Replace(f.Metadata[kind], old, with, 1)
		if s == f.Metadata[kind] {
			t.Fatalf("no %q in %s", old, s)
		}
		f.Metadata[kind] = s
		return f.Encode()
	}
	more := func(e Extractor) []byte {
		f, _ := safetensors.Decode(e.Encode())
		safetensors.Put(f, "more", []float32{1})
		return f.Encode()
	}
	nan := func(e Extractor) []byte {
		b := e.Encode()
		copy(b[len(b)-4:], "\xff\xff\xff\xff")
		return b
	}
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{"nothing", "shorter", nil},
		{"another kind", `of kind "task", not "image-module"`, safetensors.New("task").Encode()},
		{"no header", "no metadata", safetensors.New(kind).Encode()},
		{"unknown type", "unknown type", edit(all[4], `"pca"`, `"ica"`)},
		{"no name", "no name", edit(all[4], `"pca_5"`, `""`)},
		{"size", "size of 0", edit(all[4], `"size":8`, `"size":0`)},
		{"huge size", "size of", edit(all[4], `"size":8`, `"size":1000000`)},
		{"channels", "2 channels", edit(all[4], `"channels":1`, `"channels":2`)},
		{"components", "shape", edit(all[4], `"components":5`, `"components":6`)},
		{"no components", "0 components", edit(all[4], `"components":5`, `"components":0`)},
		{"no centroids", "0 centroids", edit(all[2], `"centroids":6`, `"centroids":0`)},
		{"stride", "stride", edit(all[2], `"stride":1`, `"stride":0`)},
		{"patch", "patches of side 11", edit(all[2], `"patch":3`, `"patch":11`)},
		{"grid", "grid", edit(all[2], `"grid":2`, `"grid":9`)},
		{"block", "block 0", edit(all[0], `"block":2`, `"block":0`)},
		{"deeper", "no array", edit(all[0], `"block":2`, `"block":3`)},
		{"shallower", "unknown array", edit(all[0], `"block":2`, `"block":1`)},
		{"more", `unknown array "more"`, more(all[2])},
		{"NaN in pca", "no number", nan(all[4])},
		{"NaN in patches", "no number", nan(all[2])},
		{"NaN in mobilenet", "no number", nan(all[0])},
	} {
		if _, err := Decode(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", c.name, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range extractors(f)[2:] {
		f.Add(e.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(e.Encode())
		if err != nil || !bytes.Equal(again.Encode(), e.Encode()) {
			t.Fatalf("what was decoded does not encode to itself: %v", err)
		}
	})
}

func TestResize(t *testing.T) {
	for _, c := range []struct {
		name         string
		src          []uint8
		h, w         int
		height, wide int
		want         []float32
	}{
		{"same", []uint8{1, 2, 3, 4}, 2, 2, 2, 2, []float32{1, 2, 3, 4}},
		{"up", []uint8{0, 100}, 1, 2, 1, 4, []float32{0, 25, 75, 100}},
		{"down by two", []uint8{0, 0, 100, 100}, 1, 4, 1, 2, []float32{100. / 7, 600. / 7}},
		{"from one", []uint8{7}, 1, 1, 2, 2, []float32{7, 7, 7, 7}},
		{"to one", []uint8{0, 100}, 2, 1, 1, 1, []float32{50}},
	} {
		got := make([]float32, len(c.want))
		NewResizer(c.h, c.w, 1, c.height, c.wide).Float(got, c.src)
		for i := range got {
			if math.Abs(float64(got[i]-c.want[i])) > 1e-4 {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
	// A plain area stays plain, whatever the sizes, and colours do not mix.
	src := bytes.Repeat([]uint8{10, 200, 255}, 7*5)
	for side := 1; side < 20; side++ {
		dst := make([]uint8, side*side*3)
		NewResizer(7, 5, 3, side, side).Bytes(dst, src)
		if !bytes.Equal(dst, bytes.Repeat([]uint8{10, 200, 255}, side*side)) {
			t.Fatalf("side %d: %v", side, dst[:3])
		}
	}
	grey := make([]float32, 1)
	newWorking(Images{1, 1, 3, nil}, 1, 1).load(grey, []uint8{255, 0, 0})
	if math.Abs(float64(grey[0])-0.299*255) > 1e-3 {
		t.Errorf("red is %v", grey[0])
	}
}

// A linear classifier on MobileNet's features of the first CIFAR-10 images gets
// what it should: a network wired wrongly does not.
func TestRealCIFAR(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds: left out with -short")
	}
	file, err := os.Open(filepath.Join(dataRoot(t), "image", "cifar10", "lossless_first4000.bin.gz"))
	if err != nil {
		t.Skipf("CIFAR-10 is not there: %v", err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	const n, train = 1300, 1000
	images := Images{32, 32, 3, make([]uint8, n*3072)}
	labels := make([]int, n)
	for i := range n {
		labels[i] = int(b[i*3073])
		for k, v := range b[i*3073+1:][:3072] {
			images.Pixels[i*3072+k%1024*3+k/1024] = v
		}
	}
	m := realMobileNet(t, MobileNetOptions{Size: 96})
	s, err := NewFeatureSet(m, images.Slice(0, train), images.Slice(train, train), images.Slice(train, n), FeatureOptions{Standardise: true})
	if err != nil {
		t.Fatal(err)
	}
	accuracy := logistic(s, labels[:train], labels[train:], 10)
	t.Logf("accuracy %.3f of %d images after training on %d", accuracy, n-train, train)
	if accuracy < 0.65 {
		t.Errorf("accuracy %.3f, want at least 0.65", accuracy)
	}
}

// logistic is softmax regression by batch gradient descent with momentum.
func logistic(s *FeatureSet, train, test []int, classes int) float64 {
	d := s.Dim
	w, move := make([]float64, d*classes), make([]float64, d*classes)
	predict := func(x []float32) []float64 {
		p := make([]float64, classes)
		for k, v := range x {
			for c := range p {
				p[c] += float64(v) * w[k*classes+c]
			}
		}
		return p
	}
	for range 40 {
		for i := range move {
			move[i] = 0.9*move[i] - 0.01*0.05*w[i]
		}
		for i, label := range train {
			x := s.Train[i*d:][:d]
			p := predict(x)
			sum, largest := 0.0, slices.Max(p)
			for c := range p {
				p[c] = math.Exp(p[c] - largest)
				sum += p[c]
			}
			for c := range p {
				p[c] /= sum
			}
			p[label]--
			for k, v := range x {
				for c, g := range p {
					move[k*classes+c] -= 0.01 / float64(len(train)) * float64(v) * g
				}
			}
		}
		for i := range w {
			w[i] += move[i]
		}
	}
	right := 0
	for i, label := range test {
		p := predict(s.Test[i*d:][:d])
		if p[label] == slices.Max(p) {
			right++
		}
	}
	return float64(right) / float64(len(test))
}
