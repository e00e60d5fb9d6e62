package corpora

import (
	"fmt"
	"io"

	"tnaml/experiments/data/image"
)

// Images reads the images of a data set from its files.
func (r Recipe) Images(sources []Source) (*image.Set, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if !r.As.IsImages() {
		return nil, fmt.Errorf("the layout %s holds no images", r.As)
	}
	open := func(name string) (image.File, error) {
		s, err := find(sources, name)
		return image.File{Name: s.Name, Reader: io.NewSectionReader(s.Data, 0, s.Size)}, err
	}
	var sets []*image.Set
	for _, p := range r.Parts {
		f, err := open(p.File)
		if err != nil {
			return nil, err
		}
		var s *image.Set
		switch r.As {
		case IDX:
			var l image.File
			if l, err = open(p.Labels); err == nil {
				s, err = image.ReadIDX(f, l, p.Split)
			}
		case CIFAR:
			s, err = image.ReadCIFARArchive(f, image.CIFAR10)
		case Pictures:
			s, err = image.ReadArchive(f, image.FileOptions{Height: r.Height, Width: r.Width})
		}
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	set, err := image.Join(sets...)
	if err != nil {
		return nil, err
	}
	for i, name := range set.Classes {
		if r.Labels == nil {
			break
		}
		other, ok := r.Labels[name]
		if !ok {
			return nil, fmt.Errorf("%w: unknown class %q", ErrLayout, name)
		}
		set.Classes[i] = other
	}
	return set, nil
}
