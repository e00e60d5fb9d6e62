package image

import (
	"crypto/sha256"
	"fmt"

	"tnaml/experiments/data"
	nnimage "tnaml/nn/image"
)

// minExamples is the number of images that Build needs.
const minExamples = 10

// Build makes a task of labelled images: splits and card. Equal arguments give
// equal tasks. Images of equal pixels stay on one side of every cut that Build
// makes; a split that the source gives is kept as it is, and what leaks through
// it is counted in the card.
//
// It is an error when fewer than 10 images or two classes are there, or more than
// data.MaxClasses, when a split is empty, or when some images have a split and others have none.
func Build(s *Set, o data.Options) (*Task, error) {
	o, err := o.OfExamples()
	if err != nil {
		return nil, fmt.Errorf("image task %s: %w", o.Name, err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("image task %s: %w", o.Name, err)
	}
	if len(s.Classes) > data.MaxClasses {
		return nil, fmt.Errorf("image task %s: %d classes; there can be %d", o.Name, len(s.Classes), data.MaxClasses)
	}
	if s.Len() < minExamples {
		return nil, fmt.Errorf("image task %s: %d images are too few; at least %d are needed", o.Name, s.Len(), minExamples)
	}
	groups := groupEqual(s.Images)
	parts, given, err := data.Divide(s.Splits, s.Labels, groups, o)
	if err != nil {
		return nil, fmt.Errorf("image task %s: %w", o.Name, err)
	}
	t := &Task{Name: o.Name, Labels: s.Classes, Height: s.Height, Width: s.Width, Channels: s.Channels}
	dst := []*Split{&t.Train, &t.Validation, &t.Test}
	var n [3]int
	for _, p := range parts {
		n[p]++
	}
	for i, d := range dst {
		d.Images = nnimage.Images{Height: s.Height, Width: s.Width, Channels: s.Channels,
			Pixels: make([]uint8, 0, n[i]*s.Height*s.Width*s.Channels)}
	}
	for i, p := range parts {
		dst[p].Pixels = append(dst[p].Pixels, s.At(i)...)
		dst[p].Labels = append(dst[p].Labels, s.Labels[i])
	}
	t.Card = data.NewCard(s.Classes, s.Labels, groups, parts, given, o)
	t.Card.Image = &data.ImageCard{Height: s.Height, Width: s.Width, Channels: s.Channels, MeanPixel: meanPixel(t.Train.Images)}
	t.Card.Warn("an image")
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
}

// meanPixel is the mean of each channel, 0 to 255.
func meanPixel(m nnimage.Images) []float64 {
	sums := make([]uint64, m.Channels)
	for i, v := range m.Pixels {
		sums[i%m.Channels] += uint64(v)
	}
	out := make([]float64, m.Channels)
	for k, v := range sums {
		out[k] = float64(v) / float64(max(1, len(m.Pixels)/m.Channels))
	}
	return out
}

// groupEqual numbers the distinct images by first appearance and returns each
// image's number. Images are equal when all of their pixels are.
func groupEqual(m nnimage.Images) []int {
	index := make(map[[sha256.Size]byte]int, m.Len())
	out := make([]int, m.Len())
	for i := range out {
		k := sha256.Sum256(m.At(i))
		g, ok := index[k]
		if !ok {
			g = len(index)
			index[k] = g
		}
		out[i] = g
	}
	return out
}
