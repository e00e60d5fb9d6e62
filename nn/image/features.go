package image

import (
	"errors"
	"fmt"
	"math"

	kernels "tnaml/nn/blas"
	"tnaml/nn/safetensors"
)

// FeaturesVersion is part of the identity of features: it changes whenever those
// of some image could.
const FeaturesVersion = 1

// FeatureSet holds the features of a task's images under one extractor, or vectors of its
// texts: what is computed once and shared between trials. Each split is n × Dim, row-major.
type FeatureSet struct {
	// Module and ModuleDigest say whose features they are, Task and TaskDigest
	// of what.
	Module       string `json:"module"`
	ModuleDigest string `json:"module_digest"`
	Task         string `json:"task,omitempty"`
	TaskDigest   string `json:"task_digest,omitempty"`
	Dim          int    `json:"dim"`
	// Standardised says that the splits have been scaled by Mean and Deviation.
	Standardised bool `json:"standardised"`

	Train, Validation, Test []float32 `json:"-"`
	// Mean and Deviation of each feature over the training split, of length Dim:
	// what a new image's features are standardised with. They are nil unless
	// Standardised.
	Mean, Deviation []float32 `json:"-"`
}

// GivenFeatures is the set of vectors that come from elsewhere, standardised: of a task's
// images or texts, n × dim of each split. It takes them over.
func GivenFeatures(module, task, taskDigest string, dim int, train, validation, test []float32) (*FeatureSet, error) {
	s := &FeatureSet{Module: module, Task: task, TaskDigest: taskDigest, Dim: dim, Train: train, Validation: validation, Test: test}
	if dim > 0 {
		s.standardise()
	}
	return s, s.Validate()
}

// FeatureOptions say how the features of a task are computed.
type FeatureOptions struct {
	// Standardise brings each feature to mean 0 and deviation 1 over the training
	// split.
	Standardise bool
	// Task and TaskDigest are noted in the set.
	Task, TaskDigest string
	// Workers and Progress are those of Features; done and total count the images
	// of all splits.
	Workers  int
	Progress func(done, total int) error
}

// NewFeatureSet computes the features of the three splits of a task.
func NewFeatureSet(e Extractor, train, validation, test Images, o FeatureOptions) (*FeatureSet, error) {
	s := &FeatureSet{Module: e.Name(), ModuleDigest: Digest(e), Task: o.Task, TaskDigest: o.TaskDigest, Dim: e.Dim()}
	before, total := 0, train.Len()+validation.Len()+test.Len()
	for _, split := range []struct {
		images Images
		to     *[]float32
	}{{train, &s.Train}, {validation, &s.Validation}, {test, &s.Test}} {
		progress := o.Progress
		if progress != nil {
			progress = func(done, _ int) error { return o.Progress(before+done, total) }
		}
		v, err := Features(e, split.images, o.Workers, progress)
		if err != nil {
			return nil, err
		}
		*split.to = v
		before += split.images.Len()
	}
	if o.Standardise {
		s.standardise()
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// standardise sets Mean and Deviation and applies them to all the splits. A
// feature that never varies in the training split keeps its scale.
func (s *FeatureSet) standardise() {
	d := s.Dim
	n := len(s.Train) / max(1, d)
	sum, square := make([]float64, d), make([]float64, d)
	for i := range n {
		for k, v := range s.Train[i*d:][:d] {
			sum[k] += float64(v)
		}
	}
	for k := range sum {
		sum[k] /= float64(max(1, n))
	}
	for i := range n {
		for k, v := range s.Train[i*d:][:d] {
			c := float64(v) - sum[k]
			square[k] += float64(c * c)
		}
	}
	s.Mean, s.Deviation = make([]float32, d), make([]float32, d)
	for k := range d {
		s.Mean[k] = float32(sum[k])
		s.Deviation[k] = float32(math.Sqrt(square[k] / float64(max(1, n))))
		// What rounding alone leaves of a constant is no deviation.
		if float64(s.Deviation[k]) <= 1e-6*math.Abs(sum[k]) || s.Deviation[k] < 1e-12 {
			s.Deviation[k] = 1
		}
	}
	s.Standardised = true
	for _, v := range [][]float32{s.Train, s.Validation, s.Test} {
		s.Standardise(v)
	}
}

// Standardise brings new features, n × Dim, to the scale of the set, in place.
// It does nothing where the set is not standardised.
func (s *FeatureSet) Standardise(v []float32) {
	if !s.Standardised {
		return
	}
	for i := range v {
		k := i % s.Dim
		v[i] = (v[i] - s.Mean[k]) / s.Deviation[k]
	}
}

// Validate checks that the parts fit together and that every feature is a
// number.
func (s *FeatureSet) Validate() error {
	var errs []error
	if s.Dim < 1 {
		return fmt.Errorf("features %s of %s: vectors of length %d", s.Module, s.Task, s.Dim)
	}
	for _, a := range s.arrays() {
		switch {
		case a.vector && !s.Standardised && *a.data != nil:
			errs = append(errs, fmt.Errorf("%s in a set that is not standardised", a.name))
		case a.vector && s.Standardised && len(*a.data) != s.Dim:
			errs = append(errs, fmt.Errorf("%s has length %d, a vector %d", a.name, len(*a.data), s.Dim))
		case len(*a.data)%s.Dim != 0:
			errs = append(errs, fmt.Errorf("%s: %d numbers are no whole number of vectors of %d", a.name, len(*a.data), s.Dim))
		case !kernels.Finite(*a.data):
			errs = append(errs, fmt.Errorf("%s holds what is no number", a.name))
		}
	}
	for k, v := range s.Deviation {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("deviation %d is %v", k, v))
			break
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("features %s of %s: %w", s.Module, s.Task, err)
	}
	return nil
}

type namedArray struct {
	name   string
	data   *[]float32
	vector bool
}

func (s *FeatureSet) arrays() []namedArray {
	return []namedArray{
		{"train", &s.Train, false}, {"validation", &s.Validation, false}, {"test", &s.Test, false},
		{"mean", &s.Mean, true}, {"deviation", &s.Deviation, true},
	}
}

const featuresKind = "image-features"

// Encode returns the set as a safetensors file of kind "image-features": the
// arrays are "train", "validation" and "test" (n × dim) and, where the set is
// standardised, "mean" and "deviation". Equal sets give equal bytes.
func (s *FeatureSet) Encode() []byte {
	f := safetensors.New(featuresKind)
	f.PutJSON(featuresKind, s)
	for _, a := range s.arrays() {
		switch {
		case !a.vector:
			safetensors.Put(f, a.name, *a.data, len(*a.data)/s.Dim, s.Dim)
		case s.Standardised:
			safetensors.Put(f, a.name, *a.data)
		}
	}
	return f.Encode()
}

// DecodeFeatures reads what FeatureSet.Encode wrote; damage and inconsistencies
// are errors.
func DecodeFeatures(b []byte) (*FeatureSet, error) {
	f, err := safetensors.DecodeKind(b, featuresKind)
	if err != nil {
		return nil, fmt.Errorf("image features: %w", err)
	}
	s := &FeatureSet{}
	if err := f.GetJSON(featuresKind, s); err != nil {
		return nil, fmt.Errorf("image features: %w", err)
	}
	if s.Dim < 1 {
		return nil, fmt.Errorf("image features %s: vectors of length %d", s.Module, s.Dim)
	}
	var errs []error
	var known []string
	for _, a := range s.arrays() {
		dims := []int{-1, s.Dim}
		if a.vector {
			if !s.Standardised {
				continue
			}
			dims = dims[1:]
		}
		known = append(known, a.name)
		*a.data, err = get(f, a.name, dims...)
		errs = append(errs, err)
	}
	errs = append(errs, only(f, known...))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("image features %s: %w", s.Module, err)
	}
	return s, s.Validate()
}
