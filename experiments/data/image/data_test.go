package image

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/data"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
)

func TestData(t *testing.T) {
	built := build(t, testSet(40), data.Options{})
	d := built.Data()
	if d.Classes != 3 || d.Pixels != 18 || d.Vocabulary != 0 || d.WideVocabulary != 0 {
		t.Fatalf("%+v", d)
	}
	for _, c := range []struct {
		split *Split
		n     int
		got   []uint8
		label []int32
	}{
		{&built.Train, d.Train.Len(), d.Train.Pixels, d.Train.Labels},
		{&built.Validation, d.Validation.Len(), d.Validation.Pixels, d.Validation.Labels},
		{&built.Test, d.Test.Len(), d.Test.Pixels, d.Test.Labels},
	} {
		if c.n != c.split.Len() || !bytes.Equal(c.got, c.split.Pixels) || !slices.Equal(c.label, c.split.Labels) {
			t.Errorf("%d examples of %d", c.n, c.split.Len())
		}
	}
}

func TestWideSize(t *testing.T) {
	for _, c := range [][4]int{{28, 28, 28, 28}, {32, 32, 32, 32}, {128, 128, 32, 32}, {64, 32, 32, 16}, {40, 400, 3, 32}, {33, 1, 32, 1},
		{1, 16384, 1, 32}} {
		if h, w := wideSize(c[0], c[1]); h != c[2] || w != c[3] {
			t.Errorf("%d × %d becomes %d × %d, want %d × %d", c[0], c[1], h, w, c[2], c[3])
		}
	}
}

// Larger images enter the wide tower as their averages, in training as in use.
func TestWidePixels(t *testing.T) {
	m := nnimage.Images{Height: 64, Width: 64, Channels: 1, Pixels: make([]uint8, 2*64*64)}
	r := rng.New(1, "test/wide", 0)
	for i := range m.Pixels {
		m.Pixels[i] = uint8(r.IntN(256))
	}
	e := Examples(m)
	if e.Len() != 2 || len(e.Pixels) != 2*32*32 {
		t.Fatalf("%d examples, %d pixels", e.Len(), len(e.Pixels))
	}
	sum := func(v []uint8) (s int) {
		for _, x := range v {
			s += int(x)
		}
		return s / len(v)
	}
	for i := range 2 {
		if got, want := sum(e.Pixels[i*1024:][:1024]), sum(m.At(i)); got < want-2 || got > want+2 {
			t.Errorf("image %d: a mean of %d from one of %d", i, got, want)
		}
	}
	set := &Set{Images: m, Classes: []string{"a", "b"}, Labels: []int32{0, 1}, Splits: []string{"", ""}}
	for range 10 {
		set.Pixels = append(set.Pixels, uint8(r.IntN(256)))
		set.Pixels = append(set.Pixels, m.Pixels[1:4096]...)
		set.Labels, set.Splits = append(set.Labels, 1), append(set.Splits, "")
	}
	built := build(t, set, data.Options{})
	if d := built.Data(); !bytes.Equal(d.Train.Pixels, Examples(built.Train.Images).Pixels) {
		t.Error("the tower sees other pixels in training than in use")
	}
}

func TestDecodeFileRefuses(t *testing.T) {
	for want, b := range map[string][]byte{"no PNG, JPEG or GIF": []byte("text"), "damaged png": []byte("\x89PNG\r\n\x1a\n")} {
		if _, err := DecodeFile(b, 2, 2, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// The first picture of a GIF lies in its place on the canvas, whose size is the image's.
func TestDecodeFileOfACanvas(t *testing.T) {
	picture := image.NewPaletted(image.Rect(1, 2, 3, 3), color.Palette{color.White, color.Gray{100}})
	picture.SetColorIndex(2, 2, 1)
	var b bytes.Buffer
	canvas := image.Config{Width: 4, Height: 3}
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{picture}, Delay: []int{0}, Config: canvas}); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeFile(b.Bytes(), 3, 4, 1)
	if want := []uint8{0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 100, 0}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, want %v, %v", got, want, err)
	}
}
