// Package archive reads the files that data sets are published as: it undoes
// compression (gzip, zstd), lists the files of tar and zip archives and of
// folders, and tells class and split of a file by the folders it lies in.
package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// DefaultMaxBytes bounds what is read of one source, decompressed, where no
// limit is given.
const DefaultMaxBytes = 2 << 30

// File is one file of a folder or archive. Reading a damaged one is a problem
// of its own: Err then says what is wrong.
type File struct {
	// Name is the path, with slashes and without a leading one.
	Name string
	Data []byte
	Err  error
}

// Format is a form of archive.
type Format string

// The forms of archive.
const (
	Tar Format = "tar"
	Zip Format = "zip"
)

// FormatOf returns the form of archive that the first bytes of a source are,
// decompressed, or "". A tar archive shows itself from 262 bytes on.
func FormatOf(head []byte) Format {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return Zip
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return Tar
	}
	return ""
}

// Read reads the wanted files of a tar (also compressed) or zip archive, sorted
// by name: their order in the archive does not show. Files of the system that
// packed it, such as .DS_Store, are left out. Errors name the archive, and the
// file or byte; limit bounds the size of the files together, 0 meaning
// DefaultMaxBytes.
func Read(r io.Reader, name string, limit int64, wanted func(name string) bool) ([]File, error) {
	in, err := Inflate(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	head, err := in.Peek(262)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if FormatOf(head) == Zip {
		b, err := in.ReadAll(limit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		entries, err := zipEntries(bytes.NewReader(b), int64(len(b)), name, wanted)
		if err != nil {
			return nil, err
		}
		return Load(entries, name, limit)
	}
	return readTar(in, name, orDefault(limit), wanted)
}

// Clean returns a path without leading and doubled slashes and dots.
func Clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

// IsData leaves out what commonly lies beside the examples of a data set and is
// none: a licence, a readme.
func IsData(name string) bool {
	base := strings.ToLower(path.Base(name))
	return !strings.HasPrefix(base, "license") && !strings.HasPrefix(base, "licence") && !strings.HasPrefix(base, "readme")
}

// hidden reports whether a file belongs to the system that packed the archive,
// not to the data: .DS_Store, ._name, __MACOSX and the like.
func hidden(name string) bool {
	at, _ := hides(name)
	return at != ""
}

// Hidden is the part of a name up to what begins with a point in it, which is never read: a class
// may be called so. Empty where nothing does, and of what systems leave beside the data.
func Hidden(name string) string {
	at, ofSystem := hides(name)
	if ofSystem {
		return ""
	}
	return at
}

// hides is the part of a name up to what hides the file, and says that a system leaves such beside the data.
func hides(name string) (at string, ofSystem bool) {
	n := 0
	for part := range strings.SplitSeq(name, "/") {
		n += len(part)
		ofSystem = part == "__MACOSX" || part == ".DS_Store" || strings.HasPrefix(part, "._") || strings.EqualFold(part, "thumbs.db")
		if ofSystem || strings.HasPrefix(part, ".") {
			return name[:n], ofSystem
		}
		n++
	}
	return "", false
}

func tooLarge(archive, file string, limit int64) error {
	return fmt.Errorf("%s: %s: more than %d bytes of files; split the data or raise the limit", archive, file, limit)
}

func readTar(in io.Reader, archive string, limit int64, wanted func(name string) bool) ([]File, error) {
	counted := &countReader{r: in}
	var out []File
	at, left := map[string]int{}, limit
	err := eachOfTar(counted, archive, limit, wanted, func(name string, h *tar.Header, r io.Reader) error {
		f := File{Name: name}
		if f.Err = noFile(h.FileInfo().Mode()); f.Err != nil {
			out = append(out, f)
			return nil
		}
		if h.Typeflag == tar.TypeLink {
			to, there := at[Clean(h.Linkname)]
			if !there {
				return lost(archive, h)
			}
			f.Data = out[to].Data
		} else if b, err := readSized(r, h.Size); err != nil {
			return fmt.Errorf("%s: %s: byte %d of the archive: %w", archive, h.Name, counted.n, err)
		} else {
			f.Data = b
		}
		if left -= int64(len(f.Data)); left < 0 { // with the links' contents too
			return tooLarge(archive, h.Name, limit)
		}
		at[name] = len(out)
		out = append(out, f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The checksum of gzip and zstd comes after the end of the archive.
	if _, err := io.Copy(io.Discard, io.LimitReader(counted, limit)); err != nil {
		return nil, fmt.Errorf("%s: byte %d of the archive: %w", archive, counted.n, err)
	}
	return sorted(out), nil
}

// lost says that a tar archive has but a link in the place of a file.
func lost(archive string, h *tar.Header) error {
	return fmt.Errorf("%s: %s: it is a hard link to %s, which is none of the files before it that are read: pack the archive anew with "+
		"--hard-dereference", archive, h.Name, h.Linkname)
}

// noFile says why what an archive has in the place of a file cannot be read, nil where it is a file.
func noFile(mode fs.FileMode) error {
	if mode.IsRegular() {
		return nil
	}
	if mode&fs.ModeSymlink != 0 {
		return errors.New("a symbolic link, to what the archive may not have: pack it anew with the file itself " +
			"(tar with --dereference, zip without --symlinks), or without the link")
	}
	return errors.New("a device or a pipe, which has no contents: pack the archive anew without it")
}

// eachOfTar calls f for each wanted file of a tar archive, of which limit bounds the
// sizes together; r reads it. One that is a hard link has the contents of a file before it, and
// of what is no file noFile says why it cannot be read.
func eachOfTar(in *countReader, archive string, limit int64, wanted func(name string) bool,
	f func(name string, h *tar.Header, r io.Reader) error,
) error {
	r := tar.NewReader(in)
	for left := limit; ; {
		h, err := r.Next()
		if err == io.EOF && in.zeros < tarBlock { // the reader takes the end of the data for that of the archive
			err = fmt.Errorf("the archive is cut off, its end of zeros is missing: %w", io.ErrUnexpectedEOF)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: byte %d of the archive: %w", archive, in.n, err)
		}
		name := Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeLink, tar.TypeCont, tar.TypeGNUSparse, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		default: // a directory, or what is said of the whole archive
			continue
		}
		if !wanted(name) || hidden(name) {
			continue
		}
		if h.Size > left {
			return tooLarge(archive, h.Name, limit)
		}
		if err := f(name, h, r); err != nil {
			return err
		}
		left -= h.Size
	}
}

// readSized reads a file that is said to have so many bytes, without trusting
// that it has.
func readSized(r io.Reader, size int64) ([]byte, error) {
	if size > 1<<20 {
		return io.ReadAll(r)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b, err
}

// tarBlock is the size of a tar archive's blocks; it ends with some of zeros.
const tarBlock = 512

// countReader counts the bytes read, and the zeros they end with.
type countReader struct {
	r     io.Reader
	n     int64
	zeros int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	k := n
	for k > 0 && p[k-1] == 0 {
		k--
	}
	if k > 0 {
		c.zeros = 0
	}
	c.zeros += int64(n - k)
	return n, err
}

var errTooLarge = errors.New("too large")

func readLimited[R io.ReadCloser](open func() (R, error), limit int64) ([]byte, error) {
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

// ReadFolder reads the wanted regular files of a tree, sorted by name, as Read
// does those of an archive.
func ReadFolder(tree fs.FS, folder string, limit int64, wanted func(name string) bool) ([]File, error) {
	entries, _, err := FolderEntries(tree, folder, wanted)
	if err != nil {
		return nil, err
	}
	return Load(entries, folder, limit)
}

func sorted(f []File) []File {
	slices.SortStableFunc(f, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return f
}
