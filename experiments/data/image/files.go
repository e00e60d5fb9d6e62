package image

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the formats of image files that are read
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"sync"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	nnimage "tnaml/nn/image"
)

// FileOptions say how image files become a set. The zero value of each field is
// its default.
type FileOptions struct {
	// Height and Width to which the images are resized; 0 means the size that all
	// of them have, and it is an error when they differ.
	Height, Width int
	// Channels is 1 for grey or 3 for RGB; 0 means 1 where every image is grey,
	// else 3.
	Channels int
	// MaxBytes bounds the size of the files together; 0 means 2 GiB.
	MaxBytes int64
	// Workers is the number of goroutines that decode; 0 means one for each
	// processor. The result does not depend on it.
	Workers int
}

// maxPixels bounds an image file, against a header that promises gigabytes.
const maxPixels = 1 << 26

// ReadFolder reads a tree of image files (PNG, JPEG, GIF): a folder for each
// class, or folders train, validation and test with one for each class in them.
// Folders around these that hold nothing else are skipped. The images are in
// the order of their paths. Every file that is no image is a problem, named by
// its path; all are reported together.
func ReadFolder(tree fs.FS, name string, o FileOptions) (*Set, error) {
	files, err := archive.ReadFolder(tree, name, o.MaxBytes, archive.IsData)
	if err != nil {
		return nil, err
	}
	return ReadFiles(files, name, o)
}

// ReadArchive reads a tar (also compressed) or zip archive of what ReadFolder
// reads; which one it is, its first bytes say.
func ReadArchive(f File, o FileOptions) (*Set, error) {
	files, err := archive.Read(f.Reader, f.Name, o.MaxBytes, archive.IsData)
	if err != nil {
		return nil, err
	}
	return ReadFiles(files, f.Name, o)
}

func (o FileOptions) validate() error {
	if o.Height < 0 || o.Width < 0 || (o.Height == 0) != (o.Width == 0) || o.Channels != 0 && o.Channels != 1 && o.Channels != 3 {
		return fmt.Errorf("a size of %d × %d × %d; give both sides or none, and 1 or 3 channels or none", o.Height, o.Width, o.Channels)
	}
	return nil
}

// ReadFiles makes a set of image files that have been read, as ReadFolder and
// ReadArchive do.
func ReadFiles(files []archive.File, name string, o FileOptions) (*Set, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var p data.Problems
	if len(files) == 0 {
		p.Add("no image files")
		return nil, p.Err(name)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	where := archive.Places(names)
	for i, q := range where {
		if q.Err != nil {
			p.Add("%s: %w", names[i], q.Err)
		}
	}
	classes := map[string]bool{}
	for i := range where {
		q := &where[i]
		q.Class = data.LabelOf(q.Class)
		classes[q.Class] = true
	}
	if len(classes) > data.MaxClasses {
		p.Add("%d folders are no classes; there can be %d (is each image in a folder of its own?)", len(classes), data.MaxClasses)
		return nil, p.Err(name)
	}
	headers := make([]fileHeader, len(files))
	each(len(files), o.Workers, func(i int) { headers[i] = readHeader(files[i]) })
	h, w, c := size(files, headers, o, &p)
	if err := p.Err(name); err != nil {
		return nil, err
	}
	s := &Set{Images: nnimage.Images{Height: h, Width: w, Channels: c}, Classes: slices.Sorted(maps.Keys(classes))}
	n := h * w * c
	if h > 1<<14 || w > 1<<14 || int64(n)*int64(len(files)) > archive.DefaultMaxBytes {
		return nil, fmt.Errorf("%s: %d images of %d × %d × %d are more than %d bytes; give a smaller size", name, len(files), h, w, c,
			archive.DefaultMaxBytes)
	}
	s.Pixels = make([]uint8, n*len(files))
	failed := make([]error, len(files))
	each(len(files), o.Workers, func(i int) { failed[i] = decodeFile(s.At(i), files[i].Data, h, w, c) })
	for i, q := range where {
		if failed[i] != nil {
			p.Add("%s: %w", files[i].Name, failed[i])
		}
		label, _ := slices.BinarySearch(s.Classes, q.Class)
		s.Labels = append(s.Labels, int32(label))
		s.Splits = append(s.Splits, q.Split)
	}
	if err := p.Err(name); err != nil {
		return nil, err
	}
	return s, nil
}

// fileHeader is what the head of an image file says.
type fileHeader struct {
	height, width int
	grey          bool
	err           error
}

func readHeader(f archive.File) fileHeader {
	if f.Err != nil {
		return fileHeader{err: f.Err}
	}
	c, format, err := image.DecodeConfig(bytes.NewReader(f.Data))
	switch {
	case errors.Is(err, image.ErrFormat):
		return fileHeader{err: fmt.Errorf("byte 0: no PNG, JPEG or GIF image (%d bytes)", len(f.Data))}
	case err != nil:
		return fileHeader{err: fmt.Errorf("damaged %s image of %d bytes: %w", format, len(f.Data), err)}
	case c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height:
		return fileHeader{err: fmt.Errorf("an image of %d × %d pixels; there must be 1 to %d", c.Height, c.Width, maxPixels)}
	}
	return fileHeader{height: c.Height, width: c.Width, grey: greyModel(c.ColorModel)}
}

// greyModel reports whether a colour model has greys only.
func greyModel(m color.Model) bool {
	if p, ok := m.(color.Palette); ok {
		return !slices.ContainsFunc(p, func(c color.Color) bool {
			r, g, b, _ := c.RGBA()
			return r != g || g != b
		})
	}
	return m == color.GrayModel || m == color.Gray16Model
}

// size settles the size and channels of the set.
func size(files []archive.File, headers []fileHeader, o FileOptions, p *data.Problems) (h, w, c int) {
	h, w, c = o.Height, o.Width, o.Channels
	grey := true
	for i, f := range headers {
		if f.err != nil {
			p.Add("%s: %w", files[i].Name, f.err)
			continue
		}
		grey = grey && f.grey
		if h == 0 {
			h, w = f.height, f.width
		}
		if o.Height == 0 && (f.height != h || f.width != w) {
			p.Add("%s: an image of %d × %d among others of %d × %d; give the size to which they shall be resized", files[i].Name, f.height, f.width,
				h, w)
		}
	}
	if c == 0 {
		c = 3
		if grey {
			c = 1
		}
	}
	return h, w, c
}

// maxFilePixels bounds what an image file unpacks to: a small file can say that it is as large
// as it likes.
const maxFilePixels = 1 << 26

// decodeFile decodes and resizes an image. What is transparent shows black, and what the first
// picture of a GIF leaves of its canvas.
func decodeFile(dst []uint8, data []byte, h, w, c int) error {
	size, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err == nil && size.Width > maxFilePixels/max(1, size.Height) {
		return fmt.Errorf("an image of %d × %d pixels: there can be %d", size.Width, size.Height, maxFilePixels)
	}
	var m image.Image
	if err == nil {
		m, format, err = image.Decode(bytes.NewReader(data))
	}
	if err != nil {
		return fmt.Errorf("damaged %s image of %d bytes: %w", format, len(data), err)
	}
	there := m.Bounds()
	src := make([]uint8, 0, size.Width*size.Height*c)
	for y := range size.Height {
		for x := range size.Width {
			var red, green, blue uint32
			if (image.Point{X: x, Y: y}).In(there) {
				red, green, blue, _ = m.At(x, y).RGBA()
			}
			if c == 3 {
				src = append(src, uint8(red>>8), uint8(green>>8), uint8(blue>>8))
			} else {
				src = append(src, luma(red, green, blue))
			}
		}
	}
	if len(src) == 0 {
		return errors.New("an image without pixels")
	}
	nnimage.NewResizer(size.Height, size.Width, c, h, w).Bytes(dst, src)
	return nil
}

// luma is the grey of a colour of 16 bits a channel, as in color.GrayModel.
func luma(red, green, blue uint32) uint8 {
	return uint8((19595*red + 38470*green + 7471*blue + 1<<15) >> 24)
}

// each runs f for 0 to n−1 on a number of goroutines, 0 meaning one for each
// processor; f must write only what belongs to its number.
func each(n, workers int, f func(i int)) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	workers = min(workers, n)
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
