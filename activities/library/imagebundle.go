package library

import (
	"context"
	"errors"
	"fmt"

	"tnaml/activities/store"
	"tnaml/experiments/data/image"
	"tnaml/experiments/search"
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

// imageBundle is the part of a bundle that only image models have: the arrays
// "image-module" (an encoded image module), "feature-mean" and
// "feature-deviation" (F32, what the features are standardised with).
type imageBundle struct {
	module   nnimage.Extractor
	features nnimage.FeatureSet // scale only
}

// exportImage makes the bundle of an image model; data is its encoded task.
func exportImage(ctx context.Context, s store.Store, config *search.Config, t search.Trial, data []byte, info BundleInfo) ([]byte, error) {
	decoded, err := image.Decode(data)
	if err != nil {
		return nil, err
	}
	info.Labels, info.Image = decoded.Labels, &ImageSize{decoded.Height, decoded.Width, decoded.Channels}
	b, err := s.Get(ctx, store.Ref(t.Model))
	if err != nil {
		return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	model, err := child.DecodeModel(b)
	if err != nil {
		return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	f, err := safetensors.Decode(model.EncodeAlone())
	if err != nil {
		return nil, fmt.Errorf("model of trial %d: %w", t.Trial, err)
	}
	f.PutJSON("bundle", info)
	if err := putImage(ctx, s, f, config, t); err != nil {
		return nil, err
	}
	return f.Encode(), nil
}

// decodeImage reads an image model's bundle, whose info has been read.
func (b *Bundle) decodeImage(f *safetensors.File, encoded []byte) (err error) {
	if b.Model, err = child.DecodeModel(encoded); err == nil {
		b.image, err = getImage(f, b.Model, *b.Info.Image)
	}
	if err == nil && b.Model.Classes() != len(b.Info.Labels) {
		err = fmt.Errorf("%d labels for a model of %d classes", len(b.Info.Labels), b.Model.Classes())
	}
	if err != nil {
		return fmt.Errorf("exported model: %w", err)
	}
	return nil
}

// putImage adds to a bundle what an image model needs beside its weights.
func putImage(ctx context.Context, s store.Store, f *safetensors.File, config *search.Config, t search.Trial) error {
	name, ref, err := moduleOf(config, t)
	if err != nil {
		return err
	}
	module, err := s.Get(ctx, ref)
	if err != nil {
		return fmt.Errorf("module %q: %w", name, err)
	}
	set, err := featuresAnyway(ctx, s, store.Ref(config.Tasks[t.Task].Data), ref)
	if err != nil {
		return fmt.Errorf("module %q: %w", name, err)
	}
	safetensors.Put(f, "image-module", module)
	safetensors.Put(f, "feature-mean", set.Mean)
	safetensors.Put(f, "feature-deviation", set.Deviation)
	return nil
}

// getImage reads what putImage added.
func getImage(f *safetensors.File, m *child.Model, size ImageSize) (*imageBundle, error) {
	b, _, err := safetensors.Get[uint8](f, "image-module", -1)
	if err != nil {
		return nil, err
	}
	out := &imageBundle{}
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

// getScale reads what features of a module are standardised with.
func getScale(f *safetensors.File, module string, dim int) (*nnimage.FeatureSet, error) {
	out := &nnimage.FeatureSet{Module: module, Dim: dim, Standardised: true}
	var errs [2]error
	out.Mean, _, errs[0] = safetensors.Get[float32](f, "feature-mean", dim)
	out.Deviation, _, errs[1] = safetensors.Get[float32](f, "feature-deviation", dim)
	return out, errors.Join(errors.Join(errs[:]...), out.Validate())
}

// ReadImage reads an image file (PNG, JPEG, GIF) as the model takes it. It
// panics on a bundle of a text model: a programmer error.
func (b *Bundle) ReadImage(file []byte) ([]uint8, error) {
	s := b.Info.Image
	return image.DecodeFile(file, s.Height, s.Width, s.Channels)
}

// PredictImages classifies images, given by ReadImage, one after another.
func (b *Bundle) PredictImages(pixels []uint8) ([]Prediction, error) {
	features, err := b.features(pixels)
	if err != nil {
		return nil, err
	}
	return b.predictions(b.probabilities(pixels, features)), nil
}

func (b *Bundle) images(pixels []uint8) nnimage.Images {
	s := b.Info.Image
	return nnimage.Images{Height: s.Height, Width: s.Width, Channels: s.Channels, Pixels: pixels}
}

// features are those of images under the model's module.
func (b *Bundle) features(pixels []uint8) ([]float32, error) {
	features, err := nnimage.Features(b.image.module, b.images(pixels), 0, nil)
	if err == nil {
		b.image.features.Standardise(features)
	}
	return features, err
}

// probabilities are those of images' classes.
func (b *Bundle) probabilities(pixels []uint8, features []float32) []float32 {
	examples := image.Examples(b.images(pixels))
	return b.Model.PredictFrom(&examples, features)
}
