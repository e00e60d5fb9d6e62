package child

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tnaml/nn/rng"
)

// syntheticImages makes an image task: class c is brighter in the pixels
// congruent to c, and its features favour component c.
func syntheticImages(examples, pixels, classes, dim int) (*Data, *Table, *DocumentVectors) {
	split := func(n int, index uint64) (Examples, []float32) {
		r := rng.New(1, "synthetic/images", index)
		e := Examples{Offsets: make([]int32, n+1)}
		var features []float32
		for range n {
			label := r.IntN(classes)
			e.Labels = append(e.Labels, int32(label))
			for k := range pixels {
				v := 128 + 30*r.NormFloat64()
				if k%classes == label {
					v += 40
				}
				e.Pixels = append(e.Pixels, uint8(min(max(v, 0), 255)))
			}
			for k := range dim {
				v := .5 * r.NormFloat64()
				if k%classes == label {
					v++
				}
				features = append(features, float32(v))
			}
		}
		return e, features
	}
	d, v := &Data{Classes: classes, Pixels: pixels}, &DocumentVectors{}
	d.Train, v.Train = split(examples, 0)
	d.Validation, v.Validation = split(examples/4+1, 1)
	d.Test, v.Test = split(examples/4+1, 2)
	return d, &Table{Dim: dim}, v
}

func trainImages(t testing.TB, cfg Config, d *Data, table *Table, v *DocumentVectors, seed uint64) (*Model, Outcome) {
	t.Helper()
	m, out, err := Train(cfg, d, table, seed, Options{Documents: v})
	if err != nil || out.Status != OK {
		t.Fatalf("%v %+v", err, out)
	}
	return m, out
}

// The wide tower's gradient from pixels, and that of everything beside it,
// against central differences.
func TestGradientsFromPixels(t *testing.T) {
	d, table, v := syntheticImages(12, 7, 3, 4)
	for layers := range 3 {
		for _, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
			cfg := config(func(c *Config) { c.HiddenLayers, c.HiddenSize, c.BatchSize, c.Normalisation = layers, 5, 9, norm })
			checkGradients(t, fmt.Sprintf("%d layers, %s", layers, norm), cfg, d, table, v.Train)
		}
	}
}

// A pixel enters as (v/127.5 − 1)/√n.
func TestPixelScale(t *testing.T) {
	for _, n := range []int{1, 4, 3072} {
		s := pixelScale(n)
		for v, want := range map[int]float64{0: -1, 255: 1, 51: -.6} {
			if got := float64(s[v]) * math.Sqrt(float64(n)); math.Abs(got-want) > 1e-6 {
				t.Errorf("pixel %d of %d: %v, want %v", v, n, got, want)
			}
		}
	}
}

// Each tower of an image model learns where the other one has nothing to learn
// from.
func TestImageTowers(t *testing.T) {
	for _, c := range []struct {
		name      string
		blind     func(*Data, *DocumentVectors)
		least     float64
		wideCount int
	}{
		{"both", func(*Data, *DocumentVectors) {}, .95, 60},
		{"deep alone", func(d *Data, _ *DocumentVectors) {
			for _, e := range []*Examples{&d.Train, &d.Validation, &d.Test} {
				for i := range e.Pixels {
					e.Pixels[i] = 128
				}
			}
		}, .9, 60},
		{"wide alone", func(_ *Data, v *DocumentVectors) {
			for _, x := range [][]float32{v.Train, v.Validation, v.Test} {
				clear(x)
			}
		}, .75, 60},
	} {
		d, table, v := syntheticImages(400, 20, 3, 8)
		c.blind(d, v)
		m, out := trainImages(t, config(func(c *Config) { c.Steps, c.WideLearningRate = 400, 1 }), d, table, v, 1)
		if out.Validation.Accuracy < c.least || out.Test.Accuracy < c.least {
			t.Errorf("%s: %+v", c.name, out)
		}
		if len(m.pixels) != c.wideCount || m.Pixels() != 20 {
			t.Errorf("%s: %d weights of pixels", c.name, len(m.pixels))
		}
	}
}

func TestImageModelRoundTrip(t *testing.T) {
	d, table, v := syntheticImages(200, 12, 3, 6)
	for _, norm := range []Normalisation{NoNorm, BatchNorm, LayerNorm} {
		m, out := trainImages(t, config(func(c *Config) { c.Normalisation = norm }), d, table, v, 1)
		if want := len(m.out) + len(m.outBias) + len(m.pixels); out.Parameters < want {
			t.Errorf("%d parameters", out.Parameters)
		}
		if m.Detached() {
			t.Error("a model of images has no table to lack")
		}
		want := m.PredictFrom(&d.Test, v.Test)
		for _, b := range [][]byte{m.Encode(), m.EncodeAlone()} {
			back, err := DecodeModel(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, back.PredictFrom(&d.Test, v.Test)); diff != "" {
				t.Error(diff)
			}
		}
		if other, _ := trainImages(t, m.Config(), d, table, v, 1); !slices.Equal(other.Encode(), m.Encode()) {
			t.Error("the same seed gives another model")
		}
		for name, f := range map[string]func(){
			"no features":        func() { m.Predict(&d.Test) },
			"too few features":   func() { m.PredictFrom(&d.Test, v.Test[6:]) },
			"images without any": func() { m.PredictFrom(&Examples{Labels: d.Test.Labels, Offsets: d.Test.Offsets}, v.Test) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				f()
			}()
		}
	}
}

func TestImageInputsThatDoNotFit(t *testing.T) {
	d, table, v := syntheticImages(40, 12, 3, 6)
	short := *d
	short.Test.Pixels = d.Test.Pixels[1:]
	for _, c := range []struct {
		want string
		cfg  Config
		d    *Data
		v    *DocumentVectors
	}{
		{"cannot be fine-tuned", config(func(c *Config) { c.FineTune = true }), d, v},
		{"features must be given", config(nil), d, nil},
		{"131 pixels for the test split of 11 × 12", config(nil), &short, v},
	} {
		if _, _, err := Train(c.cfg, c.d, table, 1, Options{Documents: c.v}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %q", err, c.want)
		}
	}
	if _, out, err := Train(config(nil), d, table, 1, Options{Documents: v, MemoryLimit: 100}); err != nil || out.Status != OverMemory {
		t.Errorf("%+v, %v", out, err)
	}
}
