package exported

import (
	"errors"
	"fmt"

	"tnaml/experiments/data/image"
	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// ImageSize is the size to which an image model's images are brought.
type ImageSize struct {
	Height   int `json:"height"`
	Width    int `json:"width"`
	Channels int `json:"channels"`
}

// images is the part of an exported model that only those of images have: the arrays
// "image-module" (an encoded image module), "feature-mean" and
// "feature-deviation" (F32, what the features are standardised with).
type images struct {
	module   nnimage.Extractor
	features nnimage.FeatureSet // scale only
}

// EncodeImages encodes a model of images, whose Info is given; module is its encoded image
// module, set the scale of its features.
func EncodeImages(info Info, m *child.Model, module []byte, set *nnimage.FeatureSet) ([]byte, error) {
	f, err := safetensors.Decode(m.EncodeAlone())
	if err != nil {
		return nil, err
	}
	f.PutJSON("bundle", info)
	safetensors.Put(f, "image-module", module)
	putScale(f, set)
	return f.Encode(), nil
}

// getImages reads what only models of images have.
func getImages(f *safetensors.File, m *child.Model, size ImageSize) (*images, error) {
	b, _, err := safetensors.Get[uint8](f, "image-module", -1)
	if err != nil {
		return nil, err
	}
	out := &images{}
	if out.module, err = nnimage.Decode(b); err != nil {
		return nil, err
	}
	scale, err := getScale(f, out.module.Name(), out.module.Dim())
	if err != nil {
		return nil, err
	}
	out.features = *scale
	one := nnimage.Images{Height: size.Height, Width: size.Width, Channels: size.Channels}
	if err := one.Validate(); err != nil {
		return nil, err
	}
	if got := image.Pixels(size.Height, size.Width, size.Channels); got != m.Pixels() || m.Dim != out.module.Dim() {
		return nil, fmt.Errorf("a model of %d pixels and %d features for images of %d and %d", m.Pixels(), m.Dim, got, out.module.Dim())
	}
	return out, nil
}

// putScale writes what features of a module are standardised with.
func putScale(f *safetensors.File, set *nnimage.FeatureSet) {
	safetensors.Put(f, "feature-mean", set.Mean)
	safetensors.Put(f, "feature-deviation", set.Deviation)
}

// getScale reads what putScale wrote.
func getScale(f *safetensors.File, module string, dim int) (*nnimage.FeatureSet, error) {
	out := &nnimage.FeatureSet{Module: module, Dim: dim, Standardised: true}
	var errs [2]error
	out.Mean, _, errs[0] = safetensors.Get[float32](f, "feature-mean", dim)
	out.Deviation, _, errs[1] = safetensors.Get[float32](f, "feature-deviation", dim)
	return out, errors.Join(errors.Join(errs[:]...), out.Validate())
}

// ReadImage reads an image file (PNG, JPEG, GIF) as the model takes it. It
// panics on a model of texts: a programmer error.
func (m *Model) ReadImage(file []byte) ([]uint8, error) {
	s := m.Info.Image
	return image.DecodeFile(file, s.Height, s.Width, s.Channels)
}

// PredictImages classifies images, given by ReadImage, one after another.
func (m *Model) PredictImages(pixels []uint8) ([]Prediction, error) {
	features, err := m.Features(pixels)
	if err != nil {
		return nil, err
	}
	return m.Predictions(m.OfImages(pixels, features)), nil
}

func (m *Model) sized(pixels []uint8) nnimage.Images {
	s := m.Info.Image
	return nnimage.Images{Height: s.Height, Width: s.Width, Channels: s.Channels, Pixels: pixels}
}

// Features are those of images under the model's module, n × dim, which are the same for
// all models with the module of one task.
func (m *Model) Features(pixels []uint8) ([]float32, error) {
	features, err := nnimage.Features(m.images.module, m.sized(pixels), 0, nil)
	if err == nil {
		m.images.features.Standardise(features)
	}
	return features, err
}

// OfImages are the probabilities of the classes of images, n × classes.
func (m *Model) OfImages(pixels []uint8, features []float32) []float32 {
	examples := image.Examples(m.sized(pixels))
	return m.child.PredictFrom(&examples, features)
}
