package image

import (
	"bytes"
	"errors"
	"fmt"
	"image"

	"tnaml/nn/child"
	nnimage "tnaml/nn/image"
)

// WideSide is the side, in pixels, to which images are brought for the wide
// tower where they are larger. The tower is linear: a photograph's 49,152
// values would mostly be weights that its few thousand examples cannot fill.
const WideSide = 32

// Data returns the task for child models: labels, and the pixels that the wide
// tower sees. The features of the deep tower depend on a module: see
// nn/image.NewFeatureSet.
func (t *Task) Data() *child.Data {
	h, w := wideSize(t.Height, t.Width)
	return &child.Data{
		Train: t.examples(&t.Train, h, w), Validation: t.examples(&t.Validation, h, w), Test: t.examples(&t.Test, h, w),
		Classes: len(t.Labels), Pixels: Pixels(t.Height, t.Width, t.Channels),
	}
}

// Pixels is the number of values that the wide tower sees of an image of a size.
func Pixels(height, width, channels int) int {
	h, w := wideSize(height, width)
	return h * w * channels
}

// wideSize is the size of the images for the wide tower: the larger side
// becomes WideSide, the other one keeps its proportion.
func wideSize(height, width int) (h, w int) {
	largest := max(height, width)
	if largest <= WideSide {
		return height, width
	}
	return max(1, (height*WideSide+largest/2)/largest), max(1, (width*WideSide+largest/2)/largest)
}

func (t *Task) examples(s *Split, h, w int) child.Examples {
	return child.Examples{Offsets: make([]int32, s.Len()+1), Labels: s.Labels, Pixels: widePixels(s.Images, h, w)}
}

// widePixels brings images to the wide tower's size.
func widePixels(m nnimage.Images, h, w int) []uint8 {
	if h == m.Height && w == m.Width {
		return m.Pixels
	}
	size := h * w * m.Channels
	out := make([]uint8, m.Len()*size)
	resizer := nnimage.NewResizer(m.Height, m.Width, m.Channels, h, w)
	for i := range m.Len() {
		resizer.Bytes(out[i*size:][:size], m.At(i))
	}
	return out
}

// Examples prepares images of a task's size for a child model that was trained
// on it; their labels are all zero.
func Examples(m nnimage.Images) child.Examples {
	h, w := wideSize(m.Height, m.Width)
	return child.Examples{Offsets: make([]int32, m.Len()+1), Labels: make([]int32, m.Len()), Pixels: widePixels(m, h, w)}
}

// DecodeFile reads one image file (PNG, JPEG, GIF) and brings it to height ×
// width × channels, as an import does.
func DecodeFile(b []byte, height, width, channels int) ([]uint8, error) {
	if _, _, err := image.DecodeConfig(bytes.NewReader(b)); errors.Is(err, image.ErrFormat) {
		return nil, fmt.Errorf("no PNG, JPEG or GIF image (%d bytes)", len(b))
	}
	out := make([]uint8, height*width*channels)
	return out, decodeFile(out, b, height, width, channels)
}
