package image

import (
	"fmt"
	"os"
	"testing"
	"time"
	"compress/gzip"
	"io"
	"tnaml/nn/child"
)

// throwaway
func TestZZProbe(t *testing.T) {
	f, err := os.Open("../../../shared/data/image/cifar10/lossless_first4000.bin.gz")
	if err != nil { t.Skip() }
	z, _ := gzip.NewReader(f)
	b, _ := io.ReadAll(z)
	n := len(b) / 3073
	im := Images{32, 32, 3, make([]uint8, n*3072)}
	labels := make([]int32, n)
	for i := range n {
		r := b[i*3073:]
		labels[i] = int32(r[0])
		for k := range 1024 { for c := range 3 { im.At(i)[3*k+c] = r[1+c*1024+k] } }
	}
	manifest, _ := os.ReadFile("../../../shared/data/image-modules/mobilenet_v1/manifest.json")
	data, _ := os.ReadFile("../../../shared/data/image-modules/mobilenet_v1/weights.f32le.bin")
	var es []Extractor
	for _, blk := range []int{3, 5, 6, 8, 11, 12} {
		m, err := ImportMobileNet(manifest, data, MobileNetOptions{Block: blk})
		if err != nil { t.Fatal(err) }
		es = append(es, m)
	}
	for _, c := range []int{100, 400} {
		p, err := TrainPatches(im.Slice(0, 3000), PatchOptions{Centroids: c}); if err != nil { t.Fatal(err) }
		es = append(es, p)
	}
	p, err := TrainPCA(im.Slice(0, 3000), PCAOptions{Components: 128}); if err != nil { t.Fatal(err) }
	es = append(es, p)
	for _, e := range es {
		start := time.Now()
		s, err := NewFeatureSet(e, im.Slice(0, 3000), im.Slice(3000, 3500), im.Slice(3500, n), FeatureOptions{Standardise: true})
		if err != nil { t.Fatal(err) }
		took := time.Since(start)
		d := &child.Data{Classes: 10, Pixels: 3072}
		mk := func(a, bb int) child.Examples { return child.Examples{Offsets: make([]int32, bb-a+1), Labels: labels[a:bb], Pixels: im.Slice(a, bb).Pixels} }
		d.Train, d.Validation, d.Test = mk(0, 3000), mk(3000, 3500), mk(3500, n)
		for _, cfg := range []child.Config{
			{HiddenLayers: 0, HiddenSize: 8, Activation: "relu", Normalisation: "none", DeepLearningRate: .01, DeepRegularisation: .001, WideLearningRate: .001, WideRegularisation: 0, Steps: 800},
			{HiddenLayers: 1, HiddenSize: 256, Activation: "relu", Normalisation: "batch", Dropout: .4, DeepLearningRate: .03, DeepRegularisation: .001, WideLearningRate: .01, WideRegularisation: 0, Steps: 800},
			{HiddenLayers: 0, HiddenSize: 256, Activation: "relu", Normalisation: "batch", Dropout: .4, DeepLearningRate: .001, DeepRegularisation: 1, WideLearningRate: .1, WideRegularisation: 0, Steps: 1600},
			{HiddenLayers: 0, HiddenSize: 256, Activation: "relu", Normalisation: "batch", Dropout: .4, DeepLearningRate: .001, DeepRegularisation: 1, WideLearningRate: 1, WideRegularisation: 0.0001, Steps: 1600},
		} {
			st := time.Now()
			_, out, err := child.Train(cfg, d, &child.Table{Dim: s.Dim}, 1, child.Options{Documents: &child.DocumentVectors{Train: s.Train, Validation: s.Validation, Test: s.Test}})
			fmt.Println(e.Name(), e.Dim(), took.Seconds(), "s", float64(n)/took.Seconds(), "img/s", cfg.HiddenLayers, cfg.WideLearningRate, "val", out.Validation, "test", out.Test, err, out.Reason, time.Since(st).Seconds())
		}
	}
}
