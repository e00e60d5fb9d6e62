package image

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/nn/rng"
)

// rawMobileNet makes random weights of the right shapes, up to a block, such
// that activations stay of the order of 1.
func rawMobileNet(block int) (manifest, data []byte) {
	type tensor struct {
		Name   string `json:"name"`
		Shape  []int  `json:"shape"`
		Offset int    `json:"offset"`
		Bytes  int    `json:"bytes"`
	}
	var m struct {
		Tensors []tensor `json:"tensors"`
	}
	r := rng.New(1, "test/mobilenet", 0)
	for _, t := range mobileNetTensors(block) {
		n := 1
		for _, d := range t.shape {
			n *= d
		}
		fan := n / t.shape[len(t.shape)-1]
		if strings.Contains(t.name, "depthwise") {
			fan = 9
		}
		m.Tensors = append(m.Tensors, tensor{t.name, t.shape, len(data), 4 * n})
		for range n {
			v := r.NormFloat64()
			switch {
			case strings.HasSuffix(t.name, "kernel"):
				v *= math.Sqrt(2 / float64(fan))
			case strings.HasSuffix(t.name, "gamma"):
				v = 1 + 0.1*v
			case strings.HasSuffix(t.name, "variance"):
				v = math.Exp(0.2 * v)
			default:
				v = 0.3 + 0.2*v
			}
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		}
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return manifest, data
}

func randomImages(n, h, w, c int) Images {
	m := Images{h, w, c, make([]uint8, n*h*w*c)}
	r := rng.New(2, "test/images", uint64(n*h*w*c))
	for i := range m.Pixels {
		m.Pixels[i] = uint8(r.IntN(256))
	}
	return m
}

func testMobileNet(t testing.TB, o MobileNetOptions) *MobileNet {
	t.Helper()
	block := o.Block
	if block == 0 {
		block = mobileNetBlocks
	}
	manifest, data := rawMobileNet(block)
	m, err := ImportMobileNet(manifest, data, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reference is the network as its paper and the weights' notes describe it, in
// plain loops over float64, with batch normalisation as a layer of its own.
func reference(m *MobileNet, pixels []float32) []float64 {
	s := m.h.Size
	at := func(v []float64, side, channels, y, x, c int) float64 {
		if y < 0 || x < 0 || y >= side || x >= side {
			return 0
		}
		return v[(y*side+x)*channels+c]
	}
	norm := func(name string, c int, v float64) float64 {
		p := func(s string) float64 { return float64(m.raw[name+"_bn/"+s][c]) }
		return min(6, max(0, p("gamma")*(v-p("moving_mean"))/math.Sqrt(p("moving_variance")+1e-3)+p("beta")))
	}
	x := make([]float64, len(pixels))
	for i, v := range pixels {
		x[i] = float64(v)/127.5 - 1
	}
	side := s / 2
	y := make([]float64, side*side*32)
	k := m.raw["conv1/kernel"]
	for i := range side {
		for j := range side {
			for o := range 32 {
				sum := 0.0
				for a := range 3 {
					for b := range 3 {
						for c := range 3 {
							sum += at(x, s, 3, 2*i+a, 2*j+b, c) * float64(k[((a*3+b)*3+c)*32+o])
						}
					}
				}
				y[(i*side+j)*32+o] = norm("conv1", o, sum)
			}
		}
	}
	x = y
	in := 32
	for block := 1; block <= m.h.Block; block++ {
		stride, pad := 1, 1
		if block == 2 || block == 4 || block == 6 || block == 12 {
			stride, pad = 2, 0
		}
		name := fmt.Sprintf("conv_dw_%d", block)
		k := m.raw[name+"/depthwise_kernel"]
		to := side / stride
		y := make([]float64, to*to*in)
		for i := range to {
			for j := range to {
				for c := range in {
					sum := 0.0
					for a := range 3 {
						for b := range 3 {
							sum += at(x, side, in, stride*i+a-pad, stride*j+b-pad, c) * float64(k[(a*3+b)*in+c])
						}
					}
					y[(i*to+j)*in+c] = norm(name, c, sum)
				}
			}
		}
		side = to
		name = fmt.Sprintf("conv_pw_%d", block)
		k = m.raw[name+"/kernel"]
		out := len(k) / in
		z := make([]float64, side*side*out)
		for p := range side * side {
			for o := range out {
				sum := 0.0
				for c := range in {
					sum += y[p*in+c] * float64(k[c*out+o])
				}
				z[p*out+o] = norm(name, o, sum)
			}
		}
		x, in = z, out
	}
	mean := make([]float64, in)
	for i, v := range x {
		mean[i%in] += v / float64(side*side)
	}
	return mean
}

// The fast network agrees with the plain one, at every kind of depth.
func TestMobileNetAgainstPlainLoops(t *testing.T) {
	for _, block := range []int{1, 2, 4, 5, 6, 7, 12} {
		m := testMobileNet(t, MobileNetOptions{Size: 32, Block: block})
		images := randomImages(3, 32, 32, 3)
		got := make([]float32, 3*m.Dim())
		m.Extract(got, images)
		for i := range images.Len() {
			pixels := make([]float32, 32*32*3)
			for k, v := range images.At(i) {
				pixels[k] = float32(v)
			}
			varies := 0.0
			for k, want := range reference(m, pixels) {
				if v := float64(got[i*m.Dim()+k]); math.Abs(v-want) > 2e-4*(1+want) {
					t.Fatalf("block %d, image %d, feature %d: %v, want %v", block, i, k, v, want)
				}
				varies = max(varies, math.Abs(want-float64(got[i*m.Dim()])))
			}
			if varies < 0.1 {
				t.Errorf("block %d: the features are all alike: the test says nothing", block)
			}
		}
	}
}

func TestImportMobileNetRefuses(t *testing.T) {
	manifest, data := rawMobileNet(2)
	edit := func(old, with string) []byte {
		out := bytes.Replace(manifest, []byte(old), []byte(with), 1)
		if bytes.Equal(out, manifest) {
			t.Fatalf("the manifest has no %q", old)
		}
		return out
	}
	nan := bytes.Clone(data)
	binary.LittleEndian.PutUint32(nan, 0x7fc00000)
	for _, c := range []struct {
		name           string
		manifest, data []byte
		o              MobileNetOptions
		want           []string
	}{
		{"no manifest", nil, data, MobileNetOptions{}, []string{"manifest"}},
		{"short weights", manifest, data[:len(data)-4], MobileNetOptions{Block: 2}, []string{"conv_pw_2_bn/moving_variance", "do not fit"}},
		{"deeper than the weights", manifest, data, MobileNetOptions{Block: 3},
			[]string{"no tensor conv_dw_3/depthwise_kernel", "no tensor conv_pw_3_bn/gamma"}},
		{"no such block", manifest, data, MobileNetOptions{Block: 13}, []string{"block 13"}},
		{"odd size", manifest, data, MobileNetOptions{Block: 2, Size: 100}, []string{"multiple of 32"}},
		{"another name", edit("conv1/kernel", "conv1/other"), data, MobileNetOptions{Block: 2}, []string{"no tensor conv1/kernel"}},
		{"twice", edit("conv1_bn/beta", "conv1_bn/gamma"), data, MobileNetOptions{Block: 2}, []string{"twice"}},
		{"fewer numbers", edit(`"bytes":3456`, `"bytes":3452`), data, MobileNetOptions{Block: 2}, []string{"863 numbers"}},
		{"NaN", manifest, nan, MobileNetOptions{Block: 2}, []string{"conv1/kernel holds what is no number"}},
	} {
		_, err := ImportMobileNet(c.manifest, c.data, c.o)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want an error with %q", c.name, err, want)
			}
		}
	}
}

// dataRoot is the directory of the real data sets.
func dataRoot(t testing.TB) string {
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = "../../../shared/data" // beside a checkout
	}
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
	}
	return root
}

func realMobileNet(t testing.TB, o MobileNetOptions) *MobileNet {
	t.Helper()
	dir := filepath.Join(dataRoot(t), "image-modules", "mobilenet_v1")
	manifest, err1 := os.ReadFile(filepath.Join(dir, "manifest.json"))
	data, err2 := os.ReadFile(filepath.Join(dir, "weights.f32le.bin"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	m, err := ImportMobileNet(manifest, data, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func benchmarkExtract(b *testing.B, e Extractor, images Images) {
	b.Helper()
	before := cpuSeconds()
	for b.Loop() {
		if _, err := Features(e, images, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*images.Len())/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric((cpuSeconds()-before)*1000/float64(b.N*images.Len()), "CPU-ms/image")
}

func BenchmarkMobileNet(b *testing.B) {
	for _, size := range []int{64, 96, 128} {
		for _, block := range []int{6, 12} {
			b.Run(fmt.Sprintf("size=%d/block=%d", size, block), func(b *testing.B) {
				benchmarkExtract(b, testMobileNet(b, MobileNetOptions{Size: size, Block: block}), randomImages(32, 32, 32, 3))
			})
		}
	}
}
