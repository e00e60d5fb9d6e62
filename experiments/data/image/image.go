// Package image is an image classification task: import from IDX, CIFAR
// binaries, folders and archives of images, split, data card, and the encoded
// form that child models are trained on.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"tnaml/experiments/data"
	nnimage "tnaml/nn/image"
	"tnaml/nn/safetensors"
)

// Set is labelled images as a reader gives them: all of one size.
type Set struct {
	nnimage.Images
	// Classes are the class names, sorted where the source has no order of its
	// own.
	Classes []string
	// Labels index Classes, one an image.
	Labels []int32
	// Splits holds data.Train, data.Validation, data.Test or "" where the source gives none,
	// one an image.
	Splits []string
}

// Validate checks that the parts of a set fit together.
func (s *Set) Validate() error {
	errs := []error{s.Images.Validate()}
	if errs[0] == nil && (len(s.Labels) != s.Len() || len(s.Splits) != s.Len()) {
		errs = append(errs, fmt.Errorf("%d images, %d labels and %d splits", s.Len(), len(s.Labels), len(s.Splits)))
	}
	errs = append(errs, validateLabels(s.Labels, len(s.Classes)))
	for i, split := range s.Splits {
		if err := checkSplit(split); err != nil {
			errs = append(errs, fmt.Errorf("image %d has %w", i, err))
			break
		}
	}
	return errors.Join(errs...)
}

// checkSplit refuses a split that is none.
func checkSplit(split string) error {
	switch split {
	case "", data.Train, data.Validation, data.Test:
		return nil
	}
	return fmt.Errorf("unknown split %q (known: train, validation, test, or empty)", split)
}

func validateLabels(labels []int32, classes int) error {
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return fmt.Errorf("image %d has label %d of %d", i, l, classes)
		}
	}
	return nil
}

// Join puts sets of one size together, in order, such as a training and a test
// file. Classes are joined by name.
func Join(sets ...*Set) (*Set, error) {
	if len(sets) == 0 {
		return nil, errors.New("no images")
	}
	out := &Set{Images: nnimage.Images{Height: sets[0].Height, Width: sets[0].Width, Channels: sets[0].Channels}}
	index := map[string]int32{}
	for i, s := range sets {
		if s.Height != out.Height || s.Width != out.Width || s.Channels != out.Channels {
			return nil, fmt.Errorf("part %d has images of %d × %d × %d, the first %d × %d × %d; resize them on reading", i+1, s.Height, s.Width,
				s.Channels, out.Height, out.Width, out.Channels)
		}
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
		to := make([]int32, len(s.Classes))
		for k, name := range s.Classes {
			id, ok := index[name]
			if !ok {
				id = int32(len(out.Classes))
				index[name] = id
				out.Classes = append(out.Classes, name)
			}
			to[k] = id
		}
		for _, l := range s.Labels {
			out.Labels = append(out.Labels, to[l])
		}
		out.Pixels = append(out.Pixels, s.Pixels...)
		out.Splits = append(out.Splits, s.Splits...)
	}
	return out, nil
}

// Split is one part of a task's images.
type Split struct {
	nnimage.Images
	// Labels index Task.Labels.
	Labels []int32
}

// Task is a built image task: everything a child model needs of it.
type Task struct {
	Name string
	// Labels are the class names.
	Labels []string
	// Height, Width and Channels are those of every image.
	Height, Width, Channels int
	Train, Validation, Test Split
	Card                    data.Card
}

// kind is the container kind of an encoded task.
const kind = "image-task"

// header is the part of an encoded task that is JSON.
type header struct {
	Name     string    `json:"name"`
	Labels   []string  `json:"labels"`
	Height   int       `json:"height"`
	Width    int       `json:"width"`
	Channels int       `json:"channels"`
	Card     data.Card `json:"card"`
}

type namedSplit struct {
	name string
	*Split
}

func (t *Task) splits() []namedSplit {
	return []namedSplit{{data.Train, &t.Train}, {data.Validation, &t.Validation}, {data.Test, &t.Test}}
}

// Encode returns the task as a safetensors file of kind "image-task": the
// metadata "image-task" holds name, labels, size and card as JSON; the arrays
// are, for each split, "<split>.pixels" (U8, n × height × width × channels) and
// "<split>.labels" (I32). Equal tasks give equal bytes.
func (t *Task) Encode() []byte {
	f := safetensors.New(kind)
	f.PutJSON(kind, header{t.Name, t.Labels, t.Height, t.Width, t.Channels, t.Card})
	for _, s := range t.splits() {
		safetensors.Put(f, s.name+".pixels", s.Pixels, s.Len(), t.Height, t.Width, t.Channels)
		safetensors.Put(f, s.name+".labels", s.Labels)
	}
	return f.Encode()
}

// Digest returns the SHA-256 of the encoded task, in hexadecimal.
func (t *Task) Digest() string {
	sum := sha256.Sum256(t.Encode())
	return hex.EncodeToString(sum[:])
}

// Decode reads what Encode wrote. A task that is damaged or inconsistent is an
// error.
func Decode(b []byte) (*Task, error) {
	f, err := safetensors.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("image task: %w", err)
	}
	return decode(f)
}

func decode(f *safetensors.File) (*Task, error) {
	if f.Kind() != kind {
		return nil, fmt.Errorf("image task: the object is a %q, not an image task", f.Kind())
	}
	var h header
	if err := f.GetJSON(kind, &h); err != nil {
		return nil, fmt.Errorf("image task: %w", err)
	}
	t := &Task{Name: h.Name, Labels: h.Labels, Height: h.Height, Width: h.Width, Channels: h.Channels, Card: h.Card}
	var errs []error
	known := map[string]bool{}
	for _, s := range t.splits() {
		s.Height, s.Width, s.Channels = h.Height, h.Width, h.Channels
		var err error
		if s.Pixels, _, err = safetensors.Get[uint8](f, s.name+".pixels", -1, h.Height, h.Width, h.Channels); err != nil {
			errs = append(errs, err)
		}
		if s.Labels, _, err = safetensors.Get[int32](f, s.name+".labels", -1); err != nil {
			errs = append(errs, err)
		}
		known[s.name+".pixels"], known[s.name+".labels"] = true, true
	}
	for _, name := range f.Names() {
		if !known[name] {
			errs = append(errs, fmt.Errorf("unknown array %q", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("image task %s: %w", t.Name, err)
	}
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
}

// Validate checks that the parts of a task fit together; a task that passes can
// be trained on without further checks. Build and Decode return only such.
func (t *Task) Validate() error {
	var errs []error
	if t.Name == "" {
		errs = append(errs, errors.New("no name"))
	}
	sorted := slices.Sorted(slices.Values(t.Labels))
	if len(t.Labels) < 2 || len(slices.Compact(sorted)) != len(t.Labels) {
		errs = append(errs, errors.New("labels must be two or more, and distinct"))
	}
	for i, l := range t.Labels {
		if l == "" || !utf8.ValidString(l) {
			errs = append(errs, fmt.Errorf("label %d (%q) is empty or not UTF-8", i, l))
		}
	}
	for _, s := range t.splits() {
		if err := s.validate(t); err != nil {
			errs = append(errs, fmt.Errorf("%s split: %w", s.name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("image task %s: %w", t.Name, err)
	}
	return nil
}

func (s *Split) validate(t *Task) error {
	if s.Height != t.Height || s.Width != t.Width || s.Channels != t.Channels {
		return fmt.Errorf("images of %d × %d × %d in a task of %d × %d × %d", s.Height, s.Width, s.Channels, t.Height, t.Width, t.Channels)
	}
	if err := s.Images.Validate(); err != nil {
		return err
	}
	if len(s.Labels) == 0 || len(s.Labels) != s.Len() {
		return fmt.Errorf("%d images and %d labels; there must be as many, and some", s.Len(), len(s.Labels))
	}
	return validateLabels(s.Labels, len(t.Labels))
}
