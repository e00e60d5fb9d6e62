package terminal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tnaml/starter/client"
)

// FileName is a name of something in the store as that of a file in the working
// directory: whatever a name holds, it leads nowhere else.
func FileName(name, ending string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, Flat(name))
	if strings.HasPrefix(name, ".") {
		name = "_" + name[1:]
	}
	return name + ending
}

// Output writes a command's output: to a file, or standard output where the name is "-".
// A file is written whole or not at all, beside it first and then renamed, where a link
// to it leads; it keeps the mode it has. What is no regular file (a device, a
// pipe) is written through.
func (a *App) Output(name string, write func(w io.Writer) error) error {
	if name == "-" {
		return write(a.Stdout)
	}
	was, err := os.Stat(name)
	switch {
	case err == nil && !was.Mode().IsRegular():
		err = writeThrough(name, write)
	case err == nil || errors.Is(err, fs.ErrNotExist):
		err = replace(name, was, write)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// writeThrough writes to what is there.
func writeThrough(name string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// replace puts a file in the place of another, which may be nil.
func replace(name string, was fs.FileInfo, write func(w io.Writer) error) error {
	name, err := target(name)
	if err != nil {
		return err
	}
	if was != nil { // whoever may not write to it may not replace it
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	beside := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8])
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // less the umask
	if failed := new(fs.PathError); errors.As(err, &failed) {
		return fmt.Errorf("in %s: %w", filepath.Dir(name), failed.Err)
	}
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil && was != nil {
		err = f.Chmod(was.Mode().Perm())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(beside, name)
	}
	if err != nil {
		_ = os.Remove(beside)
		return fmt.Errorf("%w; nothing was left half-written", err)
	}
	return nil
}

// maxLinks bounds a chain of links.
const maxLinks = 40

// target is the file that a link leads to, be it there or not.
func target(name string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil // no link: what is wrong shows when it is opened
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return "", errors.New("too many links")
}

// NewFolder refuses to write a folder over what is there, or to standard output; flag is
// what names it.
func NewFolder(name, flag string) error {
	if name == "-" {
		return client.Usage(fmt.Errorf("a folder is written, which standard output cannot take: give its name with --%s", flag))
	}
	name = filepath.Clean(name) // a file's with a slash would be told as no directory
	there, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case there.IsDir():
		return client.Usage(fmt.Errorf("%s is a folder that exists already: remove it, or give another name with --%s", name, flag))
	}
	return client.Usage(fmt.Errorf("%s exists already, and is no folder: give another name with --%s", name, flag))
}

// OutputFolder writes a new folder, all its files or none: write makes each by its path,
// parted by slashes.
func OutputFolder(name string, write func(create func(path string) (io.WriteCloser, error)) error) (err error) {
	name = filepath.Clean(name) // with a slash at its end it would be its own parent
	beside, err := os.MkdirTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
	if failed := new(fs.PathError); errors.As(err, &failed) {
		return fmt.Errorf("writing %s: in %s: %w", name, filepath.Dir(name), failed.Err)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w; nothing was left half-written", name, errors.Join(err, os.RemoveAll(beside)))
		}
	}()
	err = write(func(path string) (io.WriteCloser, error) {
		path = filepath.Join(beside, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, err
		}
		return os.Create(path)
	})
	if err == nil {
		err = os.Chmod(beside, 0o755) // MkdirTemp's is for its user alone
	}
	if err == nil {
		err = os.Rename(beside, name)
	}
	return err
}
