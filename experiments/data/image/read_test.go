package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/archive/archivetest"
	nnimage "tnaml/nn/image"
)

func file(name string, b []byte) File { return File{name, bytes.NewReader(b)} }

// idx makes an IDX file.
func idx(data []byte, shape ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, d := range shape {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func TestReadIDX(t *testing.T) {
	images, labels := idx([]byte("abcdefghijkl"), 2, 2, 3), idx([]byte{0, 2}, 2)
	for _, pair := range [][2][]byte{{images, labels}, {archivetest.Gzip(images), archivetest.Gzip(labels)}} {
		s, err := ReadIDX(file("i", pair[0]), file("l", pair[1]), data.Train)
		if err != nil {
			t.Fatal(err)
		}
		if s.Height != 2 || s.Width != 3 || s.Channels != 1 || string(s.Pixels) != "abcdefghijkl" || !slices.Equal(s.Labels, []int32{0, 2}) ||
			!slices.Equal(s.Classes, []string{"0", "1", "2"}) || !slices.Equal(s.Splits, []string{data.Train, data.Train}) {
			t.Errorf("%+v", s)
		}
	}
	if s, err := ReadIDX(file("i", idx([]byte("abcdef"), 1, 1, 2, 3)), file("l", idx([]byte{0}, 1)), ""); err != nil || s.Channels != 3 {
		t.Errorf("colour: %v", err)
	}
	packed := archivetest.Gzip(images)
	for _, c := range []struct {
		images, labels []byte
		want           []string
	}{
		{nil, labels, []string{"i: byte 0: the file ends within the magic"}},
		{[]byte("\x1f\x8b"), labels, []string{"i: gzip"}},
		{packed[:len(packed)-9], labels, []string{"i: gzip: damaged at or before byte"}},
		{[]byte("P5 2 2\n"), labels, []string{"i: byte 0: the file begins with 50 35"}},
		{[]byte{0, 0, 13, 3, 0}, labels, []string{"i: byte 2: elements of type 0x0d"}},
		{labels, images, []string{"i: byte 3: 1 dimensions", "l: byte 3: 3 dimensions", "exchanged"}},
		{images[:10], labels, []string{"i: byte 10: the file ends within the header of 16 bytes"}},
		{images[:20], labels[:9], []string{"i: byte 20: the file ends 8 bytes before", "l: byte 9: the file ends 1 bytes before"}},
		{append(slices.Clone(images), 1), labels, []string{"i: byte 28: 1 bytes after"}},
		{idx(nil, 0, 2, 2), labels, []string{"i: byte 4: dimension 0 of 0"}},
		{idx(nil, 1<<31, 1<<31, 1<<31), labels, []string{"i: byte 8: dimension 1"}},
		{idx(make([]byte, 1<<15), 1, 1, 1<<15), labels, []string{"i: byte 4: images of 1 × 32768"}},
		{idx([]byte("abcdef"), 1, 2, 3), labels, []string{"i has 1 images and l has 2 labels"}},
		{idx([]byte("ab"), 1, 1, 1, 2), idx([]byte{0}, 1), []string{"2 channels"}},
	} {
		s, err := ReadIDX(file("i", c.images), file("l", c.labels), "")
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || s != nil {
				t.Errorf("%v; want an error with %q", err, want)
			}
		}
	}
	if _, err := ReadIDX(file("i", images), file("l", labels), "some"); err == nil || !strings.Contains(err.Error(), "unknown split") {
		t.Errorf("%v", err)
	}
}

// records makes CIFAR records of the given heads; pixel k of image i is i+k.
func records(heads ...[]byte) []byte {
	var out []byte
	for i, h := range heads {
		out = append(out, h...)
		for k := range cifarPixels {
			out = append(out, uint8(i+k/1024*100+k%1024%7))
		}
	}
	return out
}

func TestReadCIFAR(t *testing.T) {
	b := records([]byte{3}, []byte{9})
	for _, in := range [][]byte{b, archivetest.Gzip(b)} {
		s, err := ReadCIFAR(file("f", in), CIFAR10, data.Test)
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != 2 || !slices.Equal(s.Labels, []int32{3, 9}) || s.Classes[3] != "cat" || s.Splits[1] != data.Test {
			t.Errorf("%d images, %v", s.Len(), s.Labels)
		}
		if got := s.At(1)[5*3 : 5*3+3]; !bytes.Equal(got, []byte{6, 106, 206}) {
			t.Errorf("pixel 5 is %v", got)
		}
	}
	b100 := records([]byte{19, 99}, []byte{0, 1})
	if s, err := ReadCIFAR(file("f", b100), CIFAR100, ""); err != nil || len(s.Classes) != 100 || !slices.Equal(s.Labels, []int32{99, 1}) {
		t.Errorf("%v", err)
	}
	if s, err := ReadCIFAR(file("f", b100), CIFAR100Coarse, ""); err != nil || len(s.Classes) != 20 ||
		!slices.Equal(s.Labels, []int32{19, 0}) {
		t.Errorf("%v", err)
	}
	many := make([][]byte, 15)
	for i := range many {
		many[i] = []byte{10}
	}
	for _, c := range []struct {
		b       []byte
		variant CIFAR
		want    []string
	}{
		{nil, CIFAR10, []string{"f: byte 0"}},
		{b[:4000], CIFAR10, []string{"f: byte 3073: the file of 4000 bytes ends within a record of 3073"}},
		{append(records([]byte{1}, []byte{200}), 7), CIFAR10, []string{"byte 6146: the file", "byte 3073: record 1 has label 200"}},
		{records(many...), CIFAR10, []string{"byte 27657: record 9", "and 5 more"}},
		{records([]byte{0, 100}), CIFAR100, []string{"byte 1: record 0 has label 100"}},
		{b, "svhn", []string{`unknown variant "svhn"`}},
	} {
		_, err := ReadCIFAR(file("f", c.b), c.variant, "")
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want an error with %q", err, want)
			}
		}
	}
}

type named struct {
	name string
	data []byte
}

// pairs are names and contents, as archivetest takes them.
func pairs(files []named) (out []string) {
	for _, f := range files {
		out = append(out, f.name, string(f.data))
	}
	return out
}

func tarOf(files ...named) []byte { return archivetest.Tar(pairs(files)...) }
func zipOf(files ...named) []byte { return archivetest.Zip(pairs(files)...) }

func TestReadCIFARArchive(t *testing.T) {
	names := []byte("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n")
	archive := tarOf(named{"c/test_batch.bin", records([]byte{4})}, named{"c/readme.html", []byte("x")}, named{"c/batches.meta.txt", names},
		named{"c/data_batch_2.bin", records([]byte{2})}, named{"c/data_batch_1.bin", records([]byte{1}, []byte{9})})
	for _, b := range [][]byte{archive, archivetest.Gzip(archive)} {
		s, err := ReadCIFARArchive(file("f", b), CIFAR10)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Labels, []int32{1, 9, 2, 4}) || !slices.Equal(s.Splits, []string{data.Train, data.Train, data.Train, data.Test}) ||
			s.Classes[9] != "j" {
			t.Errorf("%v %v %v", s.Labels, s.Splits, s.Classes)
		}
	}
	for _, c := range []struct {
		b    []byte
		want []string
	}{
		{tarOf(named{"a.txt", nil}), []string{"no file ends in .bin"}},
		{tarOf(named{"x.bin", records([]byte{1})}, named{"test_batch.bin", []byte("short")}, named{"batches.meta.txt", []byte("a b")}),
			[]string{"x.bin: cannot tell the split", "test_batch.bin: byte 0: the file of 5 bytes", "2 class names"}},
		{archive[:700], []string{"f: c/test_batch.bin: byte"}},
		{archivetest.Gzip(archive)[:300], []string{"f: "}},
		{[]byte("no archive at all, but some text that is long enough" + strings.Repeat(".", 1000)), []string{"f: byte"}},
	} {
		_, err := ReadCIFARArchive(file("f", c.b), CIFAR10)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want an error with %q", err, want)
			}
		}
	}
}

// picture is a plain image in a format.
func picture(format string, h, w int, c color.Color) []byte {
	var m interface {
		image.Image
		Set(x, y int, c color.Color)
	} = image.NewNRGBA(image.Rect(0, 0, w, h))
	switch format {
	case "grey":
		m = image.NewGray(image.Rect(0, 0, w, h))
	case "gif":
		m = image.NewPaletted(image.Rect(0, 0, w, h), palette.Plan9)
	}
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	var out bytes.Buffer
	var err error
	switch format {
	case "jpeg":
		err = jpeg.Encode(&out, m, &jpeg.Options{Quality: 100})
	case "gif":
		err = gif.Encode(&out, m, nil)
	default:
		err = png.Encode(&out, m)
	}
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}

var (
	red  = color.NRGBA{255, 0, 0, 255}
	blue = color.NRGBA{0, 0, 255, 255}
)

// The same images give the same set from a folder, a tar, a gzipped tar and a
// zip, whatever their order and the folders around them.
func TestReadFiles(t *testing.T) {
	files := []named{
		{"top/train/rose/2.png", picture("png", 2, 2, blue)},
		{"top/train/rose/1.jpg", picture("jpeg", 8, 8, red)},
		{"top/train/daisy/x.gif", picture("gif", 4, 2, color.White)},
		{"top/test/rose/9.png", picture("grey", 3, 3, color.Gray{77})},
		{"top/train/rose/.DS_Store", []byte("x")},
		{"__MACOSX/top/train/._rose", []byte("x")},
		{"LICENSE.txt", []byte("x")}, {"Licence", []byte("x")},
	}
	tree := fstest.MapFS{}
	for _, f := range files {
		tree[f.name] = &fstest.MapFile{Data: f.data}
	}
	slices.Reverse(files)
	o := FileOptions{Height: 2, Width: 3}
	want, err := ReadFolder(tree, "folder", o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(want.Classes, []string{"daisy", "rose"}) || !slices.Equal(want.Labels, []int32{1, 0, 1, 1}) ||
		!slices.Equal(want.Splits, []string{data.Test, data.Train, data.Train, data.Train}) {
		t.Errorf("%v %v %v", want.Classes, want.Labels, want.Splits)
	}
	for i, c := range [][]int{{77, 77, 77}, {255, 255, 255}, {255, 0, 0}, {0, 0, 255}} {
		for k, v := range want.At(i) {
			if d := int(v) - c[k%3]; d < -2 || d > 2 {
				t.Errorf("image %d has %v, want %v", i, want.At(i), c)
				break
			}
		}
	}
	for name, b := range map[string][]byte{"tar": tarOf(files...), "tar.gz": archivetest.Gzip(tarOf(files...)), "zip": zipOf(files...)} {
		o.Workers = 3
		s, err := ReadArchive(file(name, b), o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Pixels, want.Pixels) || !slices.Equal(s.Labels, want.Labels) || !slices.Equal(s.Splits, want.Splits) {
			t.Errorf("%s: another set", name)
		}
	}
	o.Channels = 1
	s, err := ReadFolder(tree, "folder", o)
	if err != nil || s.Channels != 1 || s.At(0)[0] != 77 || s.At(1)[0] != 255 || s.At(3)[0] != 29 {
		t.Errorf("in grey: %v", err)
	}
	if s, err := ReadArchive(file("t",
		tarOf(named{"a/1.png", picture("grey", 2, 2, color.White)}, named{"b/2.png", picture("grey", 2, 2, color.Black)})),
		FileOptions{}); err != nil || s.Channels != 1 || s.Height != 2 {
		t.Errorf("grey images: %v", err)
	}
}

func TestReadFilesRefuses(t *testing.T) {
	good := picture("png", 2, 2, red)
	big := slices.Clone(good)
	binary.BigEndian.PutUint32(big[16:], 1<<30) // the width
	for _, c := range []struct {
		name  string
		files []named
		o     FileOptions
		want  []string
	}{
		{"nothing", nil, FileOptions{}, []string{"no image files"}},
		{"several", []named{{"a/1.png", good}, {"a/2.png", []byte("text")}, {"b/3.png", good[:50]}, {"b/4.png", picture("png", 3, 2, red)}},
			FileOptions{},
			[]string{"a/2.png: byte 0: no PNG, JPEG or GIF image (4 bytes)", "b/4.png: an image of 3 × 2 among others of 2 × 2"}},
		{"cut short", []named{{"a/1.png", good}, {"b/3.png", good[:len(good)-20]}}, FileOptions{}, []string{"b/3.png: damaged png image of"}},
		{"no class", []named{{"1.png", good}, {"a/2.png", good}}, FileOptions{}, []string{"1.png: the file must lie in a folder of its class"}},
		{"too deep", []named{{"a/b/1.png", good}, {"c/2.png", good}}, FileOptions{}, []string{"a/b/1.png: the file must lie"}},
		{"too large", []named{{"a/1.png", good}}, FileOptions{MaxBytes: 10}, []string{"more than 10 bytes"}},
		{"bomb", []named{{"a/1.png", big}}, FileOptions{}, []string{"a/1.png: "}},
		{"half a size", []named{{"a/1.png", good}}, FileOptions{Height: 3}, []string{"give both sides or none"}},
		{"huge size", []named{{"a/1.png", good}}, FileOptions{Height: 1 << 20, Width: 1 << 20}, []string{"give a smaller size"}},
	} {
		for kind, b := range map[string][]byte{"tar": tarOf(c.files...), "zip": zipOf(c.files...)} {
			if kind == "zip" && len(c.files) == 0 {
				continue // an empty zip has no file to begin with
			}
			s, err := ReadArchive(file("f", b), c.o)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) || s != nil {
					t.Errorf("%s, %s: %v; want an error with %q", c.name, kind, err, want)
				}
			}
		}
	}
	z := zipOf(named{"a/1.png", good}, named{"b/2.png", good})
	z[60] ^= 0xff // in the data of the first file
	if _, err := ReadArchive(file("f", z), FileOptions{}); err == nil || !strings.Contains(err.Error(), "a/1.png") {
		t.Errorf("a damaged zip: %v", err)
	}
	if _, err := ReadArchive(file("f", z[:100]), FileOptions{}); err == nil ||
		!strings.Contains(err.Error(), "f: the directory at the end of its 100 bytes: zip") {
		t.Errorf("half a zip: %v", err)
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add(idx([]byte("abcdefghijkl"), 2, 2, 3), idx([]byte{0, 2}, 2))
	f.Add(archivetest.Gzip(idx([]byte("abc"), 1, 1, 3)), idx([]byte{0}, 1))
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		s, err := ReadIDX(file("i", images), file("l", labels), "")
		if err == nil {
			err = s.Validate()
		} else if s != nil {
			t.Error("a set beside an error")
			return
		}
		if s != nil && err != nil {
			t.Error(err)
		}
	})
}

func FuzzReadCIFAR(f *testing.F) {
	f.Add(records([]byte{3}), true)
	f.Add(records([]byte{3, 4}), false)
	f.Fuzz(func(t *testing.T, b []byte, ten bool) {
		variant := CIFAR100
		if ten {
			variant = CIFAR10
		}
		if s, err := ReadCIFAR(file("f", b), variant, data.Train); err == nil && s.Validate() != nil {
			t.Error(s.Validate())
		}
	})
}

func FuzzReadArchive(f *testing.F) {
	files := []named{{"a/1.png", picture("png", 2, 2, red)}, {"b/2.gif", picture("gif", 2, 2, blue)}}
	f.Add(tarOf(files...))
	f.Add(archivetest.Gzip(tarOf(files...)))
	f.Add(zipOf(files...))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := FileOptions{Height: 4, Width: 4, MaxBytes: 1 << 20}
		if s, err := ReadArchive(file("f", b), o); err == nil && s.Validate() != nil {
			t.Error(s.Validate())
		}
		_, _ = ReadCIFARArchive(file("f", b), CIFAR10)
	})
}

// The real sets are what their descriptions say.
func TestRealData(t *testing.T) {
	root := os.Getenv("TNAML_DATA")
	if root == "" {
		root = "../../../../shared/data" // beside a checkout
	}
	open := func(t *testing.T, name string) File {
		f, err := os.Open(filepath.Join(root, "image", name))
		if errors.Is(err, os.ErrNotExist) {
			t.Skipf("real data are not there (set TNAML_DATA to their directory): %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return File{filepath.Base(name), f}
	}
	check := func(t *testing.T, s *Set, err error, want string, duplicates bool) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		built, err := Build(s, data.Options{Name: "real"})
		if err != nil {
			t.Fatal(err)
		}
		c := built.Card
		if got := fmt.Sprintf("%d×%d×%d: %d+%d+%d, %d classes", c.Image.Height, c.Image.Width, c.Image.Channels, c.Train, c.Validation, c.Test,
			len(c.Classes)); got != want || duplicates != (c.Duplicates > 0) {
			t.Errorf("%s, %d duplicates; want %s", got, c.Duplicates, want)
		}
	}
	t.Run("mnist", func(t *testing.T) {
		train, err := ReadIDX(open(t, "mnist/train-images-idx3-ubyte.gz"), open(t, "mnist/train-labels-idx1-ubyte.gz"), data.Train)
		if err != nil {
			t.Fatal(err)
		}
		test, err := ReadIDX(open(t, "mnist/t10k-images-idx3-ubyte.gz"), open(t, "mnist/t10k-labels-idx1-ubyte.gz"), data.Test)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Join(train, test)
		check(t, s, err, "28×28×1: 54000+6000+10000, 10 classes", false)
	})
	t.Run("flowers", func(t *testing.T) {
		s, err := ReadArchive(open(t, "flowers5/images.tar.gz"), FileOptions{Height: 32, Width: 32})
		check(t, s, err, "32×32×3: 3453+432+432, 5 classes", true)
	})
	t.Run("cifar10 lossless", func(t *testing.T) {
		s, err := ReadCIFAR(open(t, "cifar10/lossless_first4000.bin.gz"), CIFAR10, "")
		check(t, s, err, "32×32×3: 3200+400+400, 10 classes", false)
	})
	t.Run("cifar10", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes some seconds: left out with -short")
		}
		s, err := ReadArchive(open(t, "cifar10/images.tar.gz"), FileOptions{})
		check(t, s, err, "32×32×3: 45000+5000+10000, 10 classes", false)
	})
}

// Class names are as those of texts are: composed, so that what macOS has unpacked is
// in the classes of what Linux has.
func TestReadFilesNormalisesClasses(t *testing.T) {
	white := picture("png", 2, 2, color.White)
	s, err := ReadArchive(file("x.zip", zipOf(named{"cafe\u0301/1.png", white}, named{"café/2.png", white}, named{"1.0/3.png", white},
		named{"1/4.png", white})), FileOptions{})
	if err != nil || !slices.Equal(s.Classes, []string{"1", "café"}) || !slices.Equal(s.Labels, []int32{0, 0, 1, 1}) {
		t.Errorf("%q %v, %v", s.Classes, s.Labels, err)
	}
}

// Folders of more classes than a task can have are told before an image is looked at, and in
// the time that they take to count.
func TestReadFilesOfTooManyClasses(t *testing.T) {
	files := make([]archive.File, data.MaxClasses+1)
	for i := range files {
		files[i].Name = fmt.Sprintf("%d/x.png", i)
	}
	if _, err := ReadFiles(files, "x", FileOptions{}); err == nil || !strings.Contains(err.Error(), "x: 10001 folders are no classes") {
		t.Error(err)
	}
	set := &Set{Images: nnimage.Images{Height: 1, Width: 1, Channels: 1, Pixels: make([]uint8, len(files))},
		Labels: make([]int32, len(files)), Splits: make([]string, len(files))}
	for i := range files {
		set.Labels[i], set.Classes = int32(i), append(set.Classes, fmt.Sprint(i))
	}
	if _, err := Build(set, data.Options{Name: "t"}); err == nil || !strings.Contains(err.Error(), "10001 classes") {
		t.Error(err)
	}
}
