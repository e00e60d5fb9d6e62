package image

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	nnimage "tnaml/nn/image"
)

// CIFAR is a variant of the CIFAR binary format: records of labels and 3072
// bytes, three planes (red, green, blue) of 32 × 32.
type CIFAR string

// The variants: CIFAR-10 has one byte of label, CIFAR-100 one of the 20 coarse
// classes and one of the 100 fine ones.
const (
	CIFAR10        CIFAR = "cifar10"
	CIFAR100       CIFAR = "cifar100"
	CIFAR100Coarse CIFAR = "cifar100-coarse"
)

const (
	cifarSide   = 32
	cifarPixels = 3 * cifarSide * cifarSide
)

// cifar10Classes are the names in the order of batches.meta.txt.
var cifar10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// layout returns the number of label bytes, the place of the label among them,
// and the number of classes.
func (c CIFAR) layout() (bytes, at, classes int, err error) {
	switch c {
	case CIFAR10:
		return 1, 0, 10, nil
	case CIFAR100:
		return 2, 1, 100, nil
	case CIFAR100Coarse:
		return 2, 0, 20, nil
	}
	return 0, 0, 0, fmt.Errorf("unknown variant %q of CIFAR (known: %s, %s, %s)", c, CIFAR10, CIFAR100, CIFAR100Coarse)
}

// ReadCIFAR reads one binary file of CIFAR (Krizhevsky, 2009), compressed or not.
// Errors name file and byte.
func ReadCIFAR(f File, variant CIFAR, split string) (*Set, error) {
	if err := checkSplit(split); err != nil {
		return nil, err
	}
	b, _, err := archive.ReadAll(f.Reader, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return parseCIFAR(b, f.Name, variant, split)
}

func parseCIFAR(b []byte, name string, variant CIFAR, split string) (*Set, error) {
	head, at, classes, err := variant.layout()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	record := head + cifarPixels
	var p data.Problems
	n := len(b) / record
	if len(b)%record != 0 || n == 0 {
		p.Add("byte %d: the file of %d bytes ends within a record of %d", n*record, len(b), record)
	}
	s := &Set{Images: nnimage.Images{Height: cifarSide, Width: cifarSide, Channels: 3, Pixels: make([]uint8, n*cifarPixels)},
		Labels: make([]int32, n), Splits: slices.Repeat([]string{split}, n)}
	for i := range n {
		r := b[i*record:][:record]
		if int(r[at]) >= classes {
			p.Add("byte %d: record %d has label %d, %s has 0 to %d", i*record+at, i, r[at], variant, classes-1)
			continue
		}
		s.Labels[i] = int32(r[at])
		out := s.At(i)
		for k := range cifarSide * cifarSide {
			for c := range 3 {
				out[3*k+c] = r[head+c*cifarSide*cifarSide+k]
			}
		}
	}
	if err := p.Err(name); err != nil {
		return nil, err
	}
	s.Classes = cifar10Classes
	if variant != CIFAR10 {
		s.Classes = nil
		for i := range classes {
			s.Classes = append(s.Classes, strconv.Itoa(i))
		}
	}
	return s, nil
}

// ReadCIFARArchive reads the archive, compressed or not, in which CIFAR is
// published: data_batch_<i>.bin and test_batch.bin, or train.bin and test.bin,
// wherever they lie in it. The class names are read from batches.meta.txt,
// fine_label_names.txt or coarse_label_names.txt where these are there.
func ReadCIFARArchive(f File, variant CIFAR) (*Set, error) {
	if _, _, _, err := variant.layout(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	files, err := archive.Read(f.Reader, f.Name, 0, func(name string) bool {
		return path.Ext(name) == ".bin" || strings.HasSuffix(name, "names.txt") || path.Base(name) == "batches.meta.txt"
	})
	if err != nil {
		return nil, err
	}
	return ReadCIFARFiles(files, f.Name, variant)
}

// ReadCIFARFiles makes a set of the files of CIFAR that have been read, as
// ReadCIFARArchive does.
func ReadCIFARFiles(files []archive.File, name string, variant CIFAR) (*Set, error) {
	_, _, classes, err := variant.layout()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	want := map[CIFAR]string{CIFAR10: "batches.meta.txt", CIFAR100: "fine_label_names.txt", CIFAR100Coarse: "coarse_label_names.txt"}[variant]
	var sets []*Set
	var names []string
	var p data.Problems
	for _, e := range files {
		if e.Err != nil {
			p.Add("%s: %w", e.Name, e.Err)
			continue
		}
		base := path.Base(e.Name)
		if base == want {
			names = strings.Fields(string(e.Data))
			for i := range names {
				names[i] = data.LabelOf(names[i])
			}
			if len(names) != classes {
				p.Add("%s: %d class names, %s has %d classes", e.Name, len(names), variant, classes)
			} else if distinct := slices.Compact(slices.Sorted(slices.Values(names))); len(distinct) != classes {
				p.Add("%s: a class name is there twice", e.Name)
			}
			continue
		}
		if path.Ext(base) != ".bin" {
			continue
		}
		split := ""
		switch {
		case strings.HasPrefix(base, "data_batch"), strings.HasPrefix(base, data.Train):
			split = data.Train
		case strings.HasPrefix(base, data.Test):
			split = data.Test
		default:
			p.Add("%s: cannot tell the split from the name (known: data_batch_<i>.bin, train.bin, test.bin, test_batch.bin)", e.Name)
			continue
		}
		s, err := parseCIFAR(e.Data, e.Name, variant, split)
		if err != nil {
			p.Fail(err)
			continue
		}
		sets = append(sets, s)
	}
	if p.Len() == 0 && len(sets) == 0 {
		p.Add("no file ends in .bin: it is no archive of CIFAR binaries")
	}
	if err := p.Err(name); err != nil {
		return nil, err
	}
	out, err := Join(sets...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if names != nil {
		out.Classes = names
	}
	return out, nil
}
