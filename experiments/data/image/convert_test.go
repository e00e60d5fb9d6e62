package image

import (
	"bytes"
	"image/color"
	"strings"
	"testing"

	"tnaml/experiments/data"
	nnimage "tnaml/nn/image"
)

func TestConverted(t *testing.T) {
	s := &Set{Images: nnimage.Images{Height: 2, Width: 1, Channels: 3, Pixels: []uint8{255, 0, 0, 255, 0, 0, 9, 9, 9, 9, 9, 9}},
		Classes: []string{"a", "b"}, Labels: []int32{0, 1}, Splits: []string{data.Train, ""}}
	same, err := s.Converted(FileOptions{})
	if err != nil || same != s {
		t.Errorf("nothing to do: %v", err)
	}
	grey, err := s.Converted(FileOptions{Channels: 1, Height: 1, Width: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := color.GrayModel.Convert(color.NRGBA{255, 0, 0, 255}).(color.Gray).Y
	if !bytes.Equal(grey.Pixels, []uint8{want, want, 9, 9}) || grey.Validate() != nil || grey.Splits[0] != data.Train {
		t.Errorf("%+v", grey)
	}
	back, err := grey.Converted(FileOptions{Channels: 3, Workers: 1})
	if err != nil || back.Height != 1 || back.Width != 2 || !bytes.Equal(back.Pixels[6:], []uint8{9, 9, 9, 9, 9, 9}) {
		t.Errorf("%+v %v", back, err)
	}
	for _, o := range []FileOptions{{Height: 3}, {Channels: 2}, {Height: 1 << 15, Width: 1}, {Height: 1 << 14, Width: 1 << 14, Channels: 3}} {
		if _, err := (&Set{Images: nnimage.Images{Height: 1, Width: 1, Channels: 3, Pixels: make([]uint8, 30)}}).Converted(o); err == nil ||
			!strings.Contains(err.Error(), "give") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestCIFAROf(t *testing.T) {
	for want, names := range map[CIFAR][]string{
		CIFAR10: {"cifar-10-batches-bin/readme.html", "cifar-10-batches-bin/test_batch.bin"}, CIFAR100: {"a/train.bin"},
		"": {"train/a.png", "b.bin"},
	} {
		if got := CIFAROf(names); got != want {
			t.Errorf("%q are of %q, want %q", names, got, want)
		}
	}
}
