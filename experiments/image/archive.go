package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// entry is one file of a folder or archive. Reading a damaged one is a problem
// of its own: err then says what is wrong.
type entry struct {
	name string
	data []byte
	err  error
}

// clean returns a path without leading and doubled slashes and dots.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

// hidden reports whether a file belongs to the system that packed the archive,
// not to the data: .DS_Store, ._name, __MACOSX and the like.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" || strings.EqualFold(part, "thumbs.db") {
			return true
		}
	}
	return false
}

// readTar reads the wanted files of a tar archive, gzipped or not, sorted by
// name: their order in the archive does not show.
func readTar(f File, limit int64, wanted func(name string) bool) ([]entry, error) {
	in, err := inflate(f.Reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	counted := &countReader{r: in}
	r := tar.NewReader(counted)
	var out []entry
	left := limit
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: byte %d of the archive: %w", f.Name, counted.n, err)
		}
		name := clean(h.Name)
		if h.Typeflag != tar.TypeReg || hidden(name) || !wanted(name) {
			continue
		}
		if h.Size > left {
			return nil, fmt.Errorf("%s: %s: more than %d bytes of files; split the archive or raise the limit", f.Name, h.Name, limit)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: byte %d of the archive: %w", f.Name, h.Name, counted.n, err)
		}
		left -= int64(len(b))
		out = append(out, entry{name: name, data: b})
	}
	// The checksum of gzip comes after the end of the archive.
	if _, err := io.Copy(io.Discard, io.LimitReader(counted, limit)); err != nil {
		return nil, fmt.Errorf("%s: byte %d of the archive: %w", f.Name, counted.n, err)
	}
	return sorted(out), nil
}

type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// readZip reads the wanted files of a zip archive, sorted by name.
func readZip(b []byte, archive string, limit int64, wanted func(name string) bool) ([]entry, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	var out []entry
	left := limit
	for _, f := range z.File {
		name := clean(f.Name)
		if f.FileInfo().IsDir() || hidden(name) || !wanted(name) {
			continue
		}
		e := entry{name: name}
		e.data, e.err = readLimited(f.Open, left)
		if errors.Is(e.err, errTooLarge) {
			return nil, fmt.Errorf("%s: %s: more than %d bytes of files; split the archive or raise the limit", archive, f.Name, limit)
		}
		left -= int64(len(e.data))
		out = append(out, e)
	}
	return sorted(out), nil
}

var errTooLarge = errors.New("too large")

func readLimited(open func() (io.ReadCloser, error), limit int64) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", len(b), err)
	}
	if int64(len(b)) > limit {
		return nil, errTooLarge
	}
	return b, nil
}

// readFolder reads the wanted files of a tree, sorted by name.
func readFolder(tree fs.FS, folder string, limit int64, wanted func(name string) bool) ([]entry, error) {
	var out []entry
	left := limit
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == "." || d.IsDir() || hidden(name) || !wanted(name) {
			return nil
		}
		e := entry{name: name}
		e.data, e.err = readLimited(func() (io.ReadCloser, error) { return tree.Open(name) }, left)
		if errors.Is(e.err, errTooLarge) {
			return fmt.Errorf("%s: more than %d bytes of files; split the folder or raise the limit", name, limit)
		}
		left -= int64(len(e.data))
		out = append(out, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	return sorted(out), nil
}

func sorted(e []entry) []entry {
	slices.SortStableFunc(e, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return e
}
