package labelled

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"tnaml/experiments/data/archive"
	"tnaml/experiments/data/text"
)

// ReadFolder reads a tree of text files, one an example: a folder for each
// class, or folders train, validation and test with one for each class in them.
// Folders around these that hold nothing else are skipped. The examples are in
// the order of their paths.
//
// Files above the folders of the classes, and folders named unsup or unlabelled,
// as the distribution of IMDB has them, are left out, and the report says so.
// The encoding is detected over the files together. Every file that is no text
// is a problem, named by its path; all are reported together.
func ReadFolder(tree fs.FS, name string, o Options) ([]text.Example, error) {
	entries, _, err := archive.FolderEntries(tree, name, archive.IsData)
	if err != nil {
		return nil, err
	}
	return all(func(each func(text.Example) error) error { return StreamFiles(entries, name, o, each) })
}

// unlabelled are the names of folders whose texts have no label.
var unlabelled = []string{"unsup", "unsupervised", "unlabelled", "unlabeled"}

// StreamFiles calls each with the examples that text files are, in their order; an
// error of it ends the reading. The files are read twice: first for their
// encoding. No more is held of them than one, and their names.
func StreamFiles(files []archive.Entry, name string, o Options, each func(text.Example) error) error {
	c, err := newCollector(name, o, each)
	if err != nil {
		return err
	}
	c.report.Format = Folder
	if o.Format != "" && o.Format != Folder {
		return fmt.Errorf("%s: the source is a folder or archive, not a table in the format %q", name, o.Format)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	places := archive.Places(names)
	loose, without, first := 0, 0, ""
	var kept []archive.Entry
	var where []archive.Place
	for i, f := range files {
		p := places[i]
		switch {
		case p.Err == archive.ErrLoose:
			if loose++; loose == 1 {
				first = f.Name
			}
		case p.Err != nil:
			c.Add("%s: %w", f.Name, p.Err)
		case slices.Contains(unlabelled, strings.ToLower(p.Class)):
			without++
		case c.contradicts(p.Split):
			c.Add("%s: %s", f.Name, c.twoSplits(p.Split))
		default:
			kept, where = append(kept, f), append(where, p)
		}
	}
	if loose > 0 {
		c.note("%d files that lie in no folder of a class were left out, such as %s", loose, first)
	}
	if without > 0 {
		c.note("%d files in folders of texts without a label were left out", without)
	}
	if loose > 0 && len(kept) == 0 && c.Len() == 0 {
		c.Add("%s: %w", first, archive.ErrLoose)
	}
	c.report.Files = len(kept)
	s, left := new(survey), c.o.limit()
	for _, f := range kept {
		whole := bounded{limit: left, left: left}
		err := read(f, func(r io.Reader) error {
			whole.r = r
			_, err := s.add(&whole)
			return err
		})
		if whole.left < 0 {
			return fmt.Errorf("%s: %s: more than %d bytes of files; split the data or raise the limit", name, f.Name, c.o.limit())
		}
		if left = whole.left; err != nil {
			c.Add("%s: %w", f.Name, err)
			s.parts = append(s.parts, part{utf8: true})
		}
	}
	encodings := c.settle(s, func(i, line int, err error) { c.Add("%s: line %d: %w", kept[i].Name, line, err) })
	for i, f := range kept {
		if c.Len() > 0 && s.parts[i].zero.line == 0 || c.stopped() { // only what holds zeros is looked at for more problems
			continue
		}
		if encodings[i] != "" {
			c.file(f, where[i], encodings[i])
		}
	}
	return c.done()
}

// read calls f with what a file holds.
func read(e archive.Entry, f func(r io.Reader) error) error {
	r, err := e.Open()
	if err != nil {
		return err
	}
	return errors.Join(f(r), r.Close())
}

// file hands on the text that a file is.
func (c *collector) file(f archive.Entry, p archive.Place, encoding string) {
	var b buffer
	b.reset(c.o.maxText(), false)
	problems := c.Len()
	err := read(f, func(r io.Reader) error {
		d, err := newDecoder(r, encoding, func(line int, err error) { c.Add("%s: line %d: %w", f.Name, line, err) })
		if err == nil {
			_, err = io.Copy(&b, d)
		}
		return err
	})
	if err == nil && b.over() {
		err = tooLong("a file", c.o.maxText())
	}
	if err != nil {
		c.Add("%s: %w", f.Name, err)
		return
	}
	words := b.String()
	switch i := strings.IndexByte(words, 0); {
	case c.Len() > problems:
	case i >= 0:
		c.Add("%s: byte %d is zero: the file is no text", f.Name, i)
	case strings.TrimSpace(p.Class) == "":
		c.Add("%s: the class's folder has no name", f.Name)
	default:
		c.take(text.Example{Text: strings.TrimSpace(words), Label: strings.TrimSpace(p.Class), Split: or(p.Split, c.o.Split)})
	}
}
