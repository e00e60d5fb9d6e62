package labelled

import (
	"bytes"
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
	files, err := archive.ReadFolder(tree, name, o.MaxBytes, archive.IsData)
	if err != nil {
		return nil, err
	}
	return ReadFiles(files, name, o)
}

// ReadArchive reads a tar (also compressed) or zip archive of what ReadFolder
// reads; which one it is, its first bytes say.
func ReadArchive(r io.Reader, name string, o Options) ([]text.Example, error) {
	files, err := archive.Read(r, name, o.MaxBytes, archive.IsData)
	if err != nil {
		return nil, err
	}
	return ReadFiles(files, name, o)
}

// unlabelled are the names of folders whose texts have no label.
var unlabelled = []string{"unsup", "unsupervised", "unlabelled", "unlabeled"}

// ReadFiles makes examples of text files that have been read, as ReadFolder and
// ReadArchive do.
func ReadFiles(files []archive.File, name string, o Options) ([]text.Example, error) {
	c, err := newCollector(name, o)
	if err != nil {
		return nil, err
	}
	c.report.Format = Folder
	if o.Format != "" && o.Format != Folder {
		return nil, fmt.Errorf("%s: the source is a folder or archive, not a table in the format %q", name, o.Format)
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	places := archive.Places(names)
	loose, without, first := 0, 0, ""
	kept := make([]archive.File, 0, len(files))
	where := make([]archive.Place, 0, len(files))
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
		case f.Err != nil:
			c.Add("%s: %w", f.Name, f.Err)
		default:
			kept, where = append(kept, f), append(where, p)
		}
	}
	if loose > 0 {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf("%d files that lie in no folder of a class were left out, such as %s", loose, first))
	}
	if without > 0 {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf("%d files in folders of texts without a label were left out", without))
	}
	if loose > 0 && len(kept) == 0 && c.Len() == 0 {
		c.Add("%s: %w", first, archive.ErrLoose)
	}
	c.report.Files = len(kept)
	texts, ok := c.decodeFiles(kept)
	if !ok {
		return nil, c.Err(c.name)
	}
	for i, f := range kept {
		if bytes.IndexByte(texts[i], 0) >= 0 {
			c.Add("%s: byte %d is zero: the file is no text", f.Name, bytes.IndexByte(texts[i], 0))
			continue
		}
		c.out = append(c.out, text.Example{Text: strings.TrimSpace(string(texts[i])), Label: strings.TrimSpace(where[i].Class),
			Split: or(where[i].Split, c.o.Split)})
		if c.out[len(c.out)-1].Label == "" {
			c.Add("%s: %w", f.Name, errors.New("the class's folder has no name"))
		}
	}
	return c.examples()
}
