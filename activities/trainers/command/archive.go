package command

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tnaml/experiments/limit"
)

// errTooLarge and errChanging say why there is no archive of a directory.
var (
	errTooLarge = errors.New("too large")
	errChanging = errors.New("something in it was written or renamed meanwhile")
)

// maxEntries bounds the files and directories of an archive.
const maxEntries = 10_000

// pack makes a tar archive of a directory: the files and directories below it by their names,
// without owners and times, so that equal directories give equal bytes. nil is an empty
// one. Links and other files that are none are refused: what they lead to is not the
// trial's. skip says what is left out. It is the directory of one moment, or errChanging: files
// that go together, and are renamed into place one after another, are never of two.
func pack(dir string, most int64, skip func(name string) bool) ([]byte, error) {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // the program has removed it
	case err != nil:
		return nil, named("", err)
	case !info.IsDir():
		return nil, fmt.Errorf("it is no directory any more, but a %s", kindOf(info.Mode()))
	}
	root, err := os.OpenRoot(dir) // what a link leads to that a file has become meanwhile is not the trial's either
	if err != nil {
		return nil, named("", err)
	}
	defer func() { _ = root.Close() }()
	before, err := list(dir, skip)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = walk(dir, skip, func(name string, d fs.DirEntry) error { return packOne(w, &b, root, filepath.ToSlash(name), d, most) })
	if err != nil {
		return nil, err
	}
	after, err := list(dir, skip)
	if err != nil {
		return nil, err
	}
	if !maps.EqualFunc(before, after, same) {
		return nil, errChanging
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// walk calls do for the files and directories below a directory, in the order of their names.
func walk(dir string, skip func(name string) bool, do func(name string, d fs.DirEntry) error) error {
	entries := 0
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return errChanging
			}
			return named(strings.TrimPrefix(path, dir), err)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		if skip != nil && skip(name) {
			if d.IsDir() {
				return fs.SkipDir // what is in it is left out with it
			}
			return nil
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("more than %d files: %w", maxEntries, errTooLarge)
		}
		return do(name, d)
	})
}

// list is what lies below a directory, by name.
func list(dir string, skip func(name string) bool) (map[string]fs.FileInfo, error) {
	out := map[string]fs.FileInfo{}
	err := walk(dir, skip, func(name string, d fs.DirEntry) (err error) {
		if out[name], err = d.Info(); errors.Is(err, fs.ErrNotExist) {
			return errChanging
		}
		if err != nil {
			return named(name, err)
		}
		return nil
	})
	return out, err
}

// same says that what has a name is what had it before. A directory's time is that of its
// entries, those that are left out among them.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Mode() == b.Mode() && (a.IsDir() || a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()))
}

func packOne(w *tar.Writer, b *bytes.Buffer, root *os.Root, name string, d fs.DirEntry, most int64) error {
	header := tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case d.IsDir():
		header.Typeflag, header.Mode, header.Name = tar.TypeDir, 0o755, name+"/"
		return w.WriteHeader(&header)
	case !d.Type().IsRegular():
		return irregular(name, d.Type())
	}
	// Not to wait for whoever writes into a pipe that the file has become.
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return errChanging
	}
	if err != nil {
		return named(name, err)
	}
	defer func() { _ = f.Close() }()
	before, err := f.Stat()
	if err != nil {
		return named(name, err)
	}
	if !before.Mode().IsRegular() {
		return irregular(name, before.Mode())
	}
	if int64(b.Len())+before.Size() > most {
		return fmt.Errorf("more than %d MB: %w", most>>20, errTooLarge)
	}
	if before.Mode()&0o100 != 0 {
		header.Mode = 0o755
	}
	header.Typeflag, header.Size = tar.TypeReg, before.Size()
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	if _, err := io.CopyN(w, f, before.Size()); err != nil {
		return errChanging // shorter than it was
	}
	after, err := f.Stat()
	if err == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		err = errChanging
	}
	return err
}

// named is what is wrong with a file, by its name in the directory alone: the rest of its
// path is another one at each attempt.
func named(name string, err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return fmt.Errorf("%q: %w", limit.Cut(name, limit.MaxNote), err)
}

func irregular(name string, m fs.FileMode) error {
	return fmt.Errorf("%q is no regular file, but a %s", limit.Cut(name, limit.MaxNote), kindOf(m))
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

// unpack writes what pack made into a directory that is there, and empty.
func unpack(b []byte, dir string) error {
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
		if !filepath.IsLocal(name) {
			return fmt.Errorf("it holds the name %q", h.Name)
		}
		path := filepath.Join(dir, name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.Mkdir(path, 0o700)
		case tar.TypeReg:
			err = unpackFile(path, r, fs.FileMode(h.Mode)&0o700)
		default:
			err = fmt.Errorf("%q is neither a file nor a directory", h.Name)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(path string, r io.Reader, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
