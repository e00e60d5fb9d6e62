package archive

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Entry is a file that is read when it is opened, as often as need be: on disk,
// or in a folder or archive.
type Entry struct {
	// Name is the path, with slashes and without a leading one.
	Name string
	Open func() (io.ReadCloser, error)
}

// Load reads files, of which none may be larger than what is left of limit, 0
// meaning DefaultMaxBytes.
func Load(entries []Entry, archive string, limit int64) ([]File, error) {
	left := orDefault(limit)
	var out []File
	for _, e := range entries {
		f := File{Name: e.Name}
		f.Data, f.Err = readLimited(e.Open, left)
		if errors.Is(f.Err, errTooLarge) {
			return nil, tooLarge(archive, e.Name, orDefault(limit))
		}
		left -= int64(len(f.Data))
		out = append(out, f)
	}
	return out, nil
}

func orDefault(limit int64) int64 {
	if limit <= 0 {
		return DefaultMaxBytes
	}
	return limit
}

// FolderEntries lists the wanted files of a tree, sorted by name, and the names
// of what else lies there. What is hidden is none of them, though wanted is asked of it too.
// Only regular files are data: a pipe would be waited for, a device may never end. What a link leads to counts, as far as the tree
// lets it be seen: one of os.Root shows nothing outside.
func FolderEntries(tree fs.FS, folder string, wanted func(name string) bool) (entries []Entry, others []string, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
		case d.IsDir():
			if hidden(d.Name()) {
				wanted(name)
				return fs.SkipDir
			}
		case !wanted(name) || hidden(name):
		case !regular(tree, name, d):
			others = append(others, name)
		default:
			entries = append(entries, Entry{name, func() (io.ReadCloser, error) { return tree.Open(name) }})
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", folder, err)
	}
	return sortedEntries(entries), others, nil
}

func regular(tree fs.FS, name string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := fs.Stat(tree, name)
	return err == nil && info.Mode().IsRegular()
}

func sortedEntries(e []Entry) []Entry {
	slices.SortStableFunc(e, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return e
}

// Entries lists the wanted files of a tar or zip archive that is not compressed
// as a whole, sorted by name. What is hidden is none of them, though wanted is asked of it
// too. limit bounds the size of a tar archive's files
// together, 0 meaning DefaultMaxBytes; a zip archive's are bounded where they are
// read.
func Entries(r io.ReaderAt, size int64, name string, limit int64, wanted func(name string) bool) ([]Entry, error) {
	head := make([]byte, min(size, 262))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if FormatOf(head) == Zip {
		return zipEntries(r, size, name, wanted)
	}
	return tarEntries(r, size, name, orDefault(limit), wanted)
}

func zipEntries(r io.ReaderAt, size int64, archive string, wanted func(name string) bool) ([]Entry, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: the directory at the end of its %d bytes: %w", archive, size, err)
	}
	var out []Entry
	for _, f := range z.File {
		name := Clean(f.Name)
		if !f.Mode().IsDir() && wanted(name) && !hidden(name) {
			out = append(out, Entry{name, func() (io.ReadCloser, error) {
				if err := noFile(f.Mode()); err != nil {
					return nil, err
				}
				if f.Flags&encrypted != 0 {
					return nil, errors.New("encrypted: unpack the archive with its password, and import what is in it")
				}
				r, err := f.Open()
				if errors.Is(err, zip.ErrAlgorithm) {
					err = fmt.Errorf("packed by method %d, which is not read: pack the archive anew by deflate", f.Method)
				}
				if at, err2 := f.DataOffset(); err != nil && err2 == nil {
					err = fmt.Errorf("packed at byte %d of the archive: %w", at, err)
				}
				return packed{r, f}, err
			}})
		}
	}
	return sortedEntries(out), nil
}

// encrypted is the flag of a file in a zip archive that needs a password.
const encrypted = 1

// packed says in errors where they are.
type packed struct {
	io.ReadCloser
	f *zip.File
}

func (p packed) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		at, _ := p.f.DataOffset()
		err = fmt.Errorf("packed at byte %d of the archive: %w", at, err)
	}
	return n, err
}

func tarEntries(r io.ReaderAt, size int64, archive string, limit int64, wanted func(name string) bool) ([]Entry, error) {
	counted := &countReader{r: io.NewSectionReader(r, 0, size)}
	var out []Entry
	places := map[string]int{}
	err := eachOfTar(counted, archive, limit, wanted, func(name string, h *tar.Header, _ io.Reader) error {
		at := counted.n
		if err := noFile(h.FileInfo().Mode()); err != nil {
			out = append(out, Entry{name, func() (io.ReadCloser, error) { return nil, err }})
			return nil
		}
		switch {
		case h.Typeflag == tar.TypeLink:
			to, there := places[Clean(h.Linkname)]
			if !there {
				return lost(archive, h)
			}
			places[name] = len(out)
			out = append(out, Entry{name, out[to].Open})
			return nil
		case h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.size"] != "":
			return fmt.Errorf("%s: %s: byte %d of the archive: a sparse file: pack it without --sparse", archive, h.Name, at)
		case at+h.Size > size:
			return fmt.Errorf("%s: %s: byte %d of the archive: %w", archive, h.Name, size, io.ErrUnexpectedEOF)
		}
		places[name] = len(out)
		out = append(out, Entry{name, func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(r, at, h.Size)), nil }})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sortedEntries(out), nil
}
