package data

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/labelled"
	"tnaml/starter/cli/terminal"
)

// entries lists the files of a folder or an archive, and takes its digest.
func (im *importer) entries(s source) ([]archive.Entry, error) {
	var out []archive.Entry
	var hidden []string
	wanted := func(name string) bool {
		if h := archive.Hidden(name); h != "" && !slices.Contains(hidden, h) && len(hidden) <= shownRows {
			hidden = append(hidden, h)
		}
		return archive.IsData(name)
	}
	if s.form == aFolder {
		root, err := os.OpenRoot(s.path) // whose links lead nowhere else
		if err != nil {
			return nil, err
		}
		im.closers = append(im.closers, root)
		var others []string
		if out, others, err = archive.FolderEntries(root.FS(), s.name, wanted); err != nil {
			return nil, err
		}
		im.leftOut(s.name, notRegular, others)
	} else {
		if err := im.open(s, func(io.Reader) error { return nil }); err != nil { // its digest
			return nil, err
		}
		r, size, err := im.unpacked(s)
		if err == nil {
			out, err = archive.Entries(r, size, s.name, im.read.MaxBytes, wanted)
		}
		if err != nil {
			return nil, err
		}
	}
	im.leftOut(s.name, areHidden, hidden)
	n := 0
	for i, e := range out {
		out[i].Open = func() (io.ReadCloser, error) {
			if im.ctx.Err() != nil {
				return nil, terminal.ErrInterrupted
			}
			n++
			im.show(func() string { return fmt.Sprintf("reading %s: %s files", s.name, humanize.Comma(int64(n))) })
			return e.Open()
		}
	}
	if s.form == aFolder {
		sum := sha256.New()
		for _, e := range out {
			h := sha256.New()
			if f, err := e.Open(); err == nil { // what cannot be read is told where it is wanted
				_, _ = io.Copy(h, f)
				_ = f.Close()
			}
			_, _ = fmt.Fprintf(sum, "%x %s\n", h.Sum(nil), e.Name)
		}
		im.sum(s.name, sum.Sum(nil))
	}
	return out, nil
}

// Why something of a folder or archive is left out.
const (
	notRegular   = "since only regular files below the folder are read"
	areHidden    = "since what begins with a point is not data: rename it if it is"
	besideTables = "since they lie beside tables and are none"
)

// leftOut notes what of a folder or archive is not read, and why.
func (im *importer) leftOut(of, why string, names []string) {
	if len(names) > 0 {
		im.others = append(im.others, fmt.Sprintf("%s: left out, %s: %s", of, why, some(names)))
	}
}

// some are the first of several names.
func some(names []string) string {
	return strings.Join(names[:min(len(names), shownRows)], ", ") + map[bool]string{true: ", …"}[len(names) > shownRows]
}

// otherSplits notes which tables of a folder or archive have names that mean another
// split than the one that was given for all of it.
func (im *importer) otherSplits(s source, tables []source) {
	var names []string
	for _, t := range tables {
		if own := splitOfName(t.name); s.written && own != "" && own != s.split {
			names = append(names, path.Base(t.name))
		}
	}
	if len(names) > 0 {
		im.others = append(im.others, fmt.Sprintf("%s: read as %s, since that was given for all of it, though the names say otherwise: %s; "+
			"leave %s= out to go by the names", s.name, s.split, some(names), s.split))
	}
}

func isTable(name string) bool {
	_, err := labelled.FormatOf(name)
	return err == nil
}

func isPicture(name string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif"}, strings.ToLower(path.Ext(name)))
}

// holdsTables says what the files of a folder or archive are read as: tables, where
// there are some, and no folders of texts of two classes or more, which only have a table
// beside them.
func holdsTables(names []string) bool {
	tables, classes := false, map[string]bool{}
	for i, p := range archive.Places(names) {
		switch {
		case isTable(names[i]):
			tables = true
		case p.Err == nil && !isPicture(names[i]) && !strings.EqualFold(path.Ext(names[i]), ".pdf"):
			classes[p.Class] = true
		}
	}
	return tables && len(classes) < 2
}

// unpacked opens an archive to be read from any place: where it lies, or, if it is
// compressed, in a file of its own.
func (im *importer) unpacked(s source) (io.ReaderAt, int64, error) {
	f, err := s.reader()
	if err != nil {
		return nil, 0, err
	}
	im.closers = append(im.closers, f)
	in, err := archive.Inflate(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", s.name, err)
	}
	on, ok := f.(anywhere)
	if !ok || in.Compression != archive.None {
		open, err := im.spool(in)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", s.name, err)
		}
		if f, err = open(); err != nil {
			return nil, 0, err
		}
		on = f.(anywhere)
	}
	size, err := on.Seek(0, io.SeekEnd)
	return on, size, err
}

// spool writes what can be read only once to a file that has no name and goes with
// the program, and returns what opens it.
func (im *importer) spool(r io.Reader) (func() (io.ReadCloser, error), error) {
	f, err := os.CreateTemp("", "tnaml-import-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil { // on Windows it stays till the system's cleaning
		im.progress.Say("%v", err)
	}
	im.closers = append(im.closers, f)
	limit := cmp.Or(im.read.MaxBytes, archive.DefaultMaxBytes)
	n, err := io.Copy(f, io.LimitReader(&stopped{r, im.ctx}, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("more than %s; split the data, or raise --max-bytes", humanize.IBytes(uint64(limit)))
	}
	return func() (io.ReadCloser, error) { return onDisk{io.NewSectionReader(f, 0, n)}, nil }, nil
}

// stopped reads until ctx ends.
type stopped struct {
	io.Reader
	ctx context.Context
}

func (s *stopped) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, terminal.ErrInterrupted
	}
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF && s.ctx.Err() != nil {
		err = terminal.ErrInterrupted
	}
	return n, err
}
