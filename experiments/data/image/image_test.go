package image

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	stdimage "image"
	"image/png"
	"slices"
	"strings"
	"testing"

	"tnaml/experiments/data"
	nnimage "tnaml/nn/image"
	"tnaml/nn/rng"
	"tnaml/nn/safetensors"
)

// testSet has n images of 2 × 3 × 3 in three classes, all different.
func testSet(n int) *Set {
	s := &Set{Images: nnimage.Images{Height: 2, Width: 3, Channels: 3, Pixels: make([]uint8, n*18)}, Classes: []string{"a", "b", "c"},
		Splits: make([]string, n)}
	r := rng.New(1, "test/set", 0)
	for i := range s.Pixels {
		s.Pixels[i] = uint8(r.IntN(256))
	}
	for i := range n {
		s.Labels = append(s.Labels, int32(i%3))
	}
	return s
}

func build(t testing.TB, s *Set, o data.Options) *Task {
	t.Helper()
	o.Name = "test"
	built, err := Build(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestBuildRandomSplit(t *testing.T) {
	s := testSet(100)
	// Image 1 four times, one of them with another label.
	for _, i := range []int{40, 60, 83} {
		copy(s.At(i), s.At(1))
	}
	s.Labels[1], s.Labels[40], s.Labels[60], s.Labels[83] = 1, 1, 1, 2
	whole := map[string]bool{}
	for seed := range uint64(20) {
		built := build(t, s, data.Options{Seed: seed + 1})
		c := built.Card
		if c.Train != 80 || c.Validation != 10 || c.Test != 10 || built.Train.Len() != 80 || len(built.Test.Labels) != 10 {
			t.Fatalf("split %d %d %d", c.Train, c.Validation, c.Test)
		}
		if c.GivenSplit || c.Leakage != 0 || c.Duplicates != 3 || c.Conflicts != 1 || len(c.Warnings) != 1 {
			t.Fatalf("card %+v", c)
		}
		for _, split := range built.splits() {
			n := 0
			for i := range split.Len() {
				if bytes.Equal(split.At(i), s.At(1)) {
					n++
				}
			}
			if n != 0 && n != 4 {
				t.Fatalf("seed %d: %d of 4 equal images in %s", seed, n, split.name)
			}
			if n == 4 {
				whole[split.name] = true
			}
		}
	}
	if len(whole) < 2 {
		t.Errorf("the equal images went to %v only: the seed does nothing", whole)
	}
	if a, b := build(t, s, data.Options{}), build(t, s, data.Options{Seed: 1}); a.Digest() != b.Digest() {
		t.Error("equal arguments give different tasks")
	}
	if a, b := build(t, s, data.Options{}), build(t, s, data.Options{Seed: 2}); a.Digest() == b.Digest() {
		t.Error("the seed does not show in the digest")
	}
}

func TestBuildGivenSplit(t *testing.T) {
	s := testSet(50)
	for i := range s.Splits {
		s.Splits[i] = data.Train
		if i >= 40 {
			s.Splits[i] = data.Test
		}
	}
	copy(s.At(45), s.At(2))
	copy(s.At(46), s.At(2))
	s.Labels[45], s.Labels[46] = s.Labels[2], s.Labels[2]
	built := build(t, s, data.Options{})
	if c := built.Card; !c.GivenSplit || c.Train != 36 || c.Validation != 4 || c.Test != 10 || c.Duplicates != 2 {
		t.Errorf("card %+v", c)
	}
	if !bytes.Equal(built.Test.Pixels, s.Pixels[40*18:]) {
		t.Error("the test split is not the source's")
	}
	s.Splits[2], s.Splits[3] = data.Train, data.Validation
	built = build(t, s, data.Options{})
	if c := built.Card; c.Validation != 1 || c.Leakage != 2 ||
		!strings.Contains(strings.Join(c.Warnings, "\n"), "2 validation and test examples have an image") {
		t.Errorf("card %+v", c)
	}
	if built.Card.Image.MeanPixel[0] < 100 || built.Card.Image.MeanPixel[0] > 155 || built.Card.Balance < 0.85 {
		t.Errorf("mean pixel %v, balance %v", built.Card.Image.MeanPixel, built.Card.Balance)
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		edit func(*Set, *data.Options)
	}{
		{"no name", func(s *Set, o *data.Options) { o.Name = "" }},
		{"not UTF-8", func(s *Set, o *data.Options) { o.Licence = "\xff" }},
		{"leave something to train on", func(s *Set, o *data.Options) { o.Test = 0.95 }},
		{"9 images are too few", func(s *Set, o *data.Options) { *s = *testSet(9) }},
		{"10 have none", func(s *Set, o *data.Options) {
			for i := range 20 {
				s.Splits[i] = data.Train
			}
		}},
		{"no test examples", func(s *Set, o *data.Options) {
			for i := range s.Splits {
				s.Splits[i] = data.Train
			}
		}},
		{`unknown split "x"`, func(s *Set, o *data.Options) { s.Splits[3] = "x" }},
		{"label 3 of 3", func(s *Set, o *data.Options) { s.Labels[4] = 3 }},
		{"two or more, and distinct", func(s *Set, o *data.Options) { s.Classes = []string{"a", "a", "c"} }},
		{`label 1 ("") is empty`, func(s *Set, o *data.Options) { s.Classes = []string{"a", "", "c"} }},
		{"too many equal ones", func(s *Set, o *data.Options) { clear(s.Pixels) }},
		{"29 labels", func(s *Set, o *data.Options) { s.Labels = s.Labels[1:] }},
	} {
		s, o := testSet(30), data.Options{Name: "x"}
		c.edit(s, &o)
		if built, err := Build(s, o); err == nil || !strings.Contains(err.Error(), c.want) || built != nil {
			t.Errorf("%v; want an error with %q", err, c.want)
		}
	}
}

func TestEncodeDecode(t *testing.T) {
	built := build(t, testSet(30), data.Options{Source: "noise"})
	b := built.Encode()
	got, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Encode(), b) || got.Digest() != built.Digest() || got.Card.Options.Source != "noise" ||
		!slices.Equal(got.Validation.Labels, built.Validation.Labels) {
		t.Error("another built after decoding")
	}
	edit := func(old, with string) []byte {
		f, err := safetensors.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		s := strings.Replace(f.Metadata[kind], old, with, 1)
		if s == f.Metadata[kind] {
			t.Fatalf("no %q in %s", old, s)
		}
		f.Metadata[kind] = s
		return f.Encode()
	}
	more, _ := safetensors.Decode(b)
	safetensors.Put(more, "more", []uint8{1})
	for _, c := range []struct {
		want string
		b    []byte
	}{
		{"shorter", nil},
		{"follow", b[:len(b)-1]},
		{"not an image task", safetensors.New("task").Encode()},
		{"no metadata", safetensors.New(kind).Encode()},
		{"distinct", edit(`["a","b","c"]`, `["a","b","b"]`)},
		{"of 2", edit(`["a","b","c"]`, `["a","b"]`)},
		{"shape", edit(`"height":2`, `"height":3`)},
		{"no name", edit(`"name":"test"`, `"name":""`)},
		{`unknown array "more"`, more.Encode()},
	} {
		if _, err := Decode(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want an error with %q", err, c.want)
		}
	}
}

func TestJoin(t *testing.T) {
	a, b := testSet(4), testSet(3)
	b.Classes = []string{"c", "d", "a"}
	s, err := Join(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 7 || !slices.Equal(s.Classes, []string{"a", "b", "c", "d"}) || !slices.Equal(s.Labels, []int32{0, 1, 2, 0, 2, 3, 0}) {
		t.Errorf("%d images of %v, %v", s.Len(), s.Classes, s.Labels)
	}
	b.Channels, b.Width = 1, 9
	if _, err := Join(a, b); err == nil || !strings.Contains(err.Error(), "part 2 has images of 2 × 9 × 1") {
		t.Errorf("%v", err)
	}
	if _, err := Join(); err == nil {
		t.Error("no error without sets")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(build(f, testSet(12), data.Options{}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		built, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(built.Encode())
		if err != nil || !bytes.Equal(again.Encode(), built.Encode()) {
			t.Fatalf("what was decoded does not encode to itself: %v", err)
		}
	})
}

// A file of some bytes that says that it is huge is refused before it is unpacked.
func TestHugeImage(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, stdimage.NewGray(stdimage.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]uint32{{60_000, 60_000}, {1 << 30, 1}, {1<<26 + 1, 1}} {
		b := file.Bytes() // signature, and a chunk: length, type, width, height, …, CRC
		binary.BigEndian.PutUint32(b[16:], size[0])
		binary.BigEndian.PutUint32(b[20:], size[1])
		binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
		if _, err := DecodeFile(b, 8, 8, 1); err == nil || !strings.Contains(err.Error(), "pixels: there can be 67108864") {
			t.Errorf("%v: %v", size, err)
		}
	}
}
