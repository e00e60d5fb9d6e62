// Package image turns images into feature vectors: the modules of an image
// child model's deep tower. A pretrained MobileNet v1, patch features learned
// by k-means, and principal components of the pixels are extractors of one
// interface. An extractor takes images of any size, grey or RGB, and brings
// them to its own.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	kernels "tnaml/nn/blas"
	"tnaml/nn/parallel"
	"tnaml/nn/safetensors"
)

// Images are n images of one size: pixels are n × Height × Width × Channels,
// row-major, 0 to 255. With one channel they are grey, with three RGB.
type Images struct {
	Height, Width, Channels int
	Pixels                  []uint8
}

// stride is the number of values of one image.
func (m Images) stride() int { return m.Height * m.Width * m.Channels }

// Len returns the number of images.
func (m Images) Len() int {
	if m.stride() == 0 {
		return 0
	}
	return len(m.Pixels) / m.stride()
}

// At returns the pixels of image i, Height × Width × Channels.
func (m Images) At(i int) []uint8 { return m.Pixels[i*m.stride():][:m.stride():m.stride()] }

// Slice returns images from to to−1, sharing their pixels.
func (m Images) Slice(from, to int) Images {
	m.Pixels = m.Pixels[from*m.stride() : to*m.stride()]
	return m
}

// maxSide bounds the sides of an image, against damaged headers: the product of
// a size cannot overflow.
const maxSide = 1 << 14

// Validate checks the shape: sides of 1 to 16384, one or three channels, and a
// whole number of images.
func (m Images) Validate() error {
	var errs []error
	if m.Height < 1 || m.Width < 1 || m.Height > maxSide || m.Width > maxSide {
		errs = append(errs, fmt.Errorf("images of %d × %d pixels; a side must be 1 to %d", m.Height, m.Width, maxSide))
	}
	if m.Channels != 1 && m.Channels != 3 {
		errs = append(errs, fmt.Errorf("images of %d channels; they must be grey (1) or RGB (3)", m.Channels))
	}
	if len(errs) == 0 && len(m.Pixels)%m.stride() != 0 {
		errs = append(errs, fmt.Errorf("%d bytes of pixels are no whole number of images of %d × %d × %d",
			len(m.Pixels), m.Height, m.Width, m.Channels))
	}
	return errors.Join(errs...)
}

// Extractor computes feature vectors of images. It is immutable and safe for
// concurrent use.
type Extractor interface {
	// Name is the module's name in the catalogue.
	Name() string
	// Source says in words where the module comes from and how it was made.
	Source() string
	// Dim is the length of a feature vector.
	Dim() int
	// Extract writes the features of n valid images into dst, n × Dim. A vector
	// depends on its image alone. It uses one core and panics where dst is of
	// another length: a programmer error.
	Extract(dst []float32, images Images)
	// Encode returns the extractor as a safetensors file of kind "image-module",
	// which Decode reads. Equal extractors give equal bytes.
	Encode() []byte
}

// Digest returns the SHA-256 of an extractor's encoded form, in hexadecimal.
func Digest(e Extractor) string {
	sum := sha256.Sum256(e.Encode())
	return hex.EncodeToString(sum[:])
}

// kind is the container kind of an encoded extractor, and the key of its JSON.
const kind = "image-module"

// header is the part of an encoded extractor that is JSON. Fields that a type
// does not use are left out.
type header struct {
	Type string `json:"type"`
	Name string `json:"name"`
	// Source says in words where the weights come from.
	Source string `json:"source,omitempty"`
	// Size is the side, in pixels, to which images are resized.
	Size int `json:"size"`
	// Channels to which images are brought: 1 or 3.
	Channels int `json:"channels"`
	// Block is the depth at which MobileNet's features are taken.
	Block int `json:"block,omitempty"`
	// Patch, Stride, Centroids and Grid are those of patch features.
	Patch     int `json:"patch,omitempty"`
	Stride    int `json:"stride,omitempty"`
	Centroids int `json:"centroids,omitempty"`
	Grid      int `json:"grid,omitempty"`
	// Components of the pixels' principal component analysis.
	Components int `json:"components,omitempty"`
}

// The types of extractors.
const (
	typeMobileNet = "mobilenet_v1"
	typePatches   = "kmeans_patches"
	typePCA       = "pca"
)

// maxWorking bounds the side of the working size of an extractor.
const maxWorking = 1024

func (h header) validate() error {
	var errs []error
	if h.Name == "" {
		errs = append(errs, errors.New("no name"))
	}
	if h.Size < 1 || h.Size > maxWorking {
		errs = append(errs, fmt.Errorf("a size of %d; it must be 1 to %d", h.Size, maxWorking))
	}
	if h.Channels != 1 && h.Channels != 3 {
		errs = append(errs, fmt.Errorf("%d channels; there must be 1 or 3", h.Channels))
	}
	return errors.Join(errs...)
}

// Decode reads what an extractor's Encode wrote. Damage, inconsistencies,
// unknown or missing arrays, and numbers that are not finite are errors.
func Decode(b []byte) (Extractor, error) {
	f, err := safetensors.DecodeKind(b, kind)
	if err != nil {
		return nil, fmt.Errorf("image module: %w", err)
	}
	var h header
	if err := f.GetJSON(kind, &h); err != nil {
		return nil, fmt.Errorf("image module: %w", err)
	}
	if err := h.validate(); err != nil {
		return nil, fmt.Errorf("image module %s: %w", h.Name, err)
	}
	var e Extractor
	switch h.Type {
	case typeMobileNet:
		e, err = decodeMobileNet(h, f)
	case typePatches:
		e, err = decodePatches(h, f)
	case typePCA:
		e, err = decodePCA(h, f)
	default:
		err = fmt.Errorf("unknown type %q (known: %s, %s, %s)", h.Type, typeMobileNet, typePatches, typePCA)
	}
	if err != nil {
		return nil, fmt.Errorf("image module %s: %w", h.Name, err)
	}
	return e, nil
}

// get reads an array of finite numbers of a fixed shape.
func get(f *safetensors.File, name string, dims ...int) ([]float32, error) {
	v, _, err := safetensors.Get[float32](f, name, dims...)
	if err == nil && !kernels.Finite(v) {
		err = fmt.Errorf("array %q holds what is no number", name)
	}
	return v, err
}

// only reports the arrays of a file that are not among the known ones.
func only(f *safetensors.File, known ...string) error {
	has := make(map[string]bool, len(known))
	for _, name := range known {
		has[name] = true
	}
	var errs []error
	for _, name := range f.Names() {
		if !has[name] {
			errs = append(errs, fmt.Errorf("unknown array %q", name))
		}
	}
	return errors.Join(errs...)
}

// blockSize is the number of images that a worker takes at a time. It is fixed,
// so that blocks are the same whatever the number of workers.
const blockSize = 16

// Features computes the features of n images, n × Dim, on a number of workers
// (0 means one for each processor). The result is the same bit for bit whatever
// their number.
//
// Progress, if given, is called with the number of images done, rising, never
// by two goroutines at once. An error of it ends the work and is returned.
func Features(e Extractor, images Images, workers int, progress func(done, total int) error) ([]float32, error) {
	if err := images.Validate(); err != nil {
		return nil, fmt.Errorf("features of %s: %w", e.Name(), err)
	}
	n, dim := images.Len(), e.Dim()
	out := make([]float32, n*dim)
	var mu sync.Mutex
	done := 0
	err := parallel.Blocks(n, blockSize, workers, func(from, to int) error {
		e.Extract(out[from*dim:to*dim], images.Slice(from, to))
		mu.Lock()
		defer mu.Unlock()
		if done += to - from; progress != nil {
			return progress(done, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("features of %s: %w", e.Name(), err)
	}
	return out, nil
}
