package image

import (
	"fmt"
	"path"

	"tnaml/experiments/data/archive"
	nnimage "tnaml/nn/image"
)

// Converted returns the set with images of the size and channels that the
// options name, those of IDX and CIFAR too, whose readers take no options; the
// set itself where they name none.
func (s *Set) Converted(o FileOptions) (*Set, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	h, w, c := s.Height, s.Width, s.Channels
	if o.Height > 0 {
		h, w = o.Height, o.Width
	}
	if o.Channels > 0 {
		c = o.Channels
	}
	if h == s.Height && w == s.Width && c == s.Channels {
		return s, nil
	}
	if n := int64(h) * int64(w) * int64(c) * int64(s.Len()); h > 1<<14 || w > 1<<14 || n > archive.DefaultMaxBytes {
		return nil, fmt.Errorf("%d images of %d × %d × %d are more than %d bytes; give a smaller size", s.Len(), h, w, c, archive.DefaultMaxBytes)
	}
	out := *s
	out.Images = nnimage.Images{Height: h, Width: w, Channels: c, Pixels: make([]uint8, h*w*c*s.Len())}
	each(s.Len(), o.Workers, func(i int) {
		pixels := s.At(i)
		switch {
		case c == 1 && s.Channels == 3:
			grey := make([]uint8, 0, len(pixels)/3)
			for k := 0; k < len(pixels); k += 3 {
				r, g, b := uint32(pixels[k]), uint32(pixels[k+1]), uint32(pixels[k+2])
				grey = append(grey, luma(r*0x101, g*0x101, b*0x101))
			}
			pixels = grey
		case c == 3 && s.Channels == 1:
			colour := make([]uint8, 0, 3*len(pixels))
			for _, v := range pixels {
				colour = append(colour, v, v, v)
			}
			pixels = colour
		}
		nnimage.NewResizer(s.Height, s.Width, c, h, w).Bytes(out.At(i), pixels)
	})
	return &out, nil
}

// CIFAROf tells by the names of files which variant of CIFAR's binaries they
// are, or returns "".
func CIFAROf(names []string) CIFAR {
	for _, name := range names {
		switch base := path.Base(name); base {
		case "data_batch_1.bin", "test_batch.bin":
			return CIFAR10
		case "train.bin", "test.bin":
			return CIFAR100
		}
	}
	return ""
}
