package image

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
)

// Options says how to build a task. The zero value of each field but Name is
// its default.
type Options struct {
	// Name is the task's catalogue name.
	Name string `json:"name"`
	// Seed of the random split; 0 means 1.
	Seed uint64 `json:"seed,omitempty"`
	// Validation and Test are the fractions cut off by the random split; 0
	// means 0.1 each. Test is not used where the source gives a test split, nor
	// is Validation where it gives a validation split.
	Validation float64 `json:"validation,omitempty"`
	Test       float64 `json:"test,omitempty"`
	// Source says in words where the images come from, and Licence under which
	// terms; both go to the card.
	Source  string `json:"source,omitempty"`
	Licence string `json:"licence,omitempty"`
	// SourceDigest is the SHA-256 of the file imported, in hexadecimal.
	SourceDigest string `json:"source_digest,omitempty"`
}

// minExamples is the number of images that Build needs.
const minExamples = 10

// withDefaults fills in the defaults and reports what is out of range.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Validation == 0 {
		o.Validation = 0.1
	}
	if o.Test == 0 {
		o.Test = 0.1
	}
	if !(o.Validation > 0 && o.Test > 0 && o.Validation+o.Test < 1) {
		errs = append(errs, fmt.Errorf("validation fraction %v and test fraction %v must be positive and leave something to train on", o.Validation, o.Test))
	}
	for _, f := range []struct{ name, value string }{{"name", o.Name}, {"source", o.Source}, {"licence", o.Licence}, {"source digest", o.SourceDigest}} {
		if !utf8.ValidString(f.value) {
			errs = append(errs, fmt.Errorf("the %s %q is not UTF-8", f.name, f.value))
		}
	}
	if o.Name == "" {
		errs = append(errs, errors.New("the task has no name"))
	}
	return o, errors.Join(errs...)
}

// part is the split an image is in.
type part uint8

const (
	inTrain part = iota
	inValidation
	inTest
)

// Build makes a task of labelled images: splits and card. Equal arguments give
// equal tasks. Images of equal pixels stay on one side of every cut that Build
// makes; a split that the source gives is kept as it is, and what leaks through
// it is counted in the card.
//
// It is an error when fewer than 10 images or two classes are there, when a
// split is empty, or when some images have a split and others have none.
func Build(s *Set, o Options) (*Task, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("image task %s: %w", o.Name, err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("image task %s: %w", o.Name, err)
	}
	if s.Len() < minExamples {
		return nil, fmt.Errorf("image task %s: %d images are too few; at least %d are needed", o.Name, s.Len(), minExamples)
	}
	groups := groupEqual(s.Images)
	parts, given, err := split(s, groups, o)
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
	t.Card = makeCard(s, groups, parts, o)
	t.Card.GivenSplit = given
	t.Card.warn()
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return t, nil
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

// split assigns every image to a split; given says that the source did so. The
// random split is not stratified: the paper splits randomly (§4.1).
func split(s *Set, groups []int, o Options) (parts []part, given bool, err error) {
	parts = make([]part, s.Len())
	var n [3]int
	for i, name := range s.Splits {
		switch name {
		case Train:
			parts[i] = inTrain
		case Validation:
			parts[i] = inValidation
		case Test:
			parts[i] = inTest
		default:
			continue
		}
		n[parts[i]]++
	}
	total, known := s.Len(), n[0]+n[1]+n[2]
	members := make([]int, 0, total)
	for i, p := range parts {
		if p == inTrain {
			members = append(members, i)
		}
	}
	switch {
	case known == 0:
		cut(parts, members, groups, o.Seed, target{inTest, share(o.Test, total)}, target{inValidation, share(o.Validation, total)})
	case known < total:
		return nil, false, fmt.Errorf("%d images have a split and %d have none; give all or none of them one", known, total-known)
	default:
		given = true
		var errs []error
		for i, name := range []string{Train, Validation, Test} {
			if n[i] == 0 && i != int(inValidation) {
				errs = append(errs, fmt.Errorf("the source's own split has no %s images; add some, or give no split for a random one", name))
			}
		}
		if len(errs) > 0 {
			return nil, true, errors.Join(errs...)
		}
		if n[inValidation] == 0 {
			cut(parts, members, groups, o.Seed, target{inValidation, share(o.Validation, len(members))})
		}
	}
	n = [3]int{}
	for _, p := range parts {
		n[p]++
	}
	for i, name := range []string{Train, Validation, Test} {
		if n[i] == 0 {
			return nil, given, fmt.Errorf("no images are left for the %s split of %d: too many equal ones, which must stay together; add images", name, total)
		}
	}
	return parts, given, nil
}

// share returns a fraction of n, at least 1.
func share(fraction float64, n int) int {
	return max(1, int(math.Round(fraction*float64(n))))
}

type target struct {
	part part
	size int
}

// cut moves images to other splits: whole groups of equal images in a seeded
// order, each to the first target that still has room for all of it. So the
// sizes are met exactly as long as there are groups small enough.
func cut(parts []part, members, groups []int, seed uint64, targets ...target) {
	size := map[int]int{}
	var order []int
	for _, i := range members {
		if size[groups[i]] == 0 {
			order = append(order, groups[i])
		}
		size[groups[i]]++
	}
	r := rng.New(seed, "image/split", 0)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	to := map[int]part{}
	for _, g := range order {
		for k := range targets {
			if t := &targets[k]; size[g] <= t.size {
				t.size -= size[g]
				to[g] = t.part
				break
			}
		}
	}
	for _, i := range members {
		if p, ok := to[groups[i]]; ok {
			parts[i] = p
		}
	}
}
