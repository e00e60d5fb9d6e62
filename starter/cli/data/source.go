package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"tnaml/experiments/data"
	"tnaml/experiments/data/archive"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// form is what a source of an import is.
type form string

const (
	aTable     form = "table"
	aFolder    form = "folder"
	anArchive  form = "archive"
	idxImages  form = "IDX images"
	idxLabels  form = "IDX labels"
	cifarBatch form = "CIFAR batch"
)

// source is one file or folder of an import.
type source struct {
	path, name string
	split      string
	written    bool // the split is a person's, and no guess by the file's name
	form       form
	// open reads it, as often as need be: nil for a file or folder at path, else of a
	// file within an archive, which has no path, or what a pipe gave.
	open func() (io.ReadCloser, error)
}

// onDisk is what is read from any place, closed without an effect.
type onDisk struct{ *io.SectionReader }

func (onDisk) Close() error { return nil }

// reader opens the source.
func (s source) reader() (io.ReadCloser, error) {
	if s.open != nil {
		return s.open()
	}
	return os.Open(s.path)
}

// sourcesOf finds what the arguments of an import are: paths, each also as
// train=PATH, validation=PATH or test=PATH.
func (im *importer) sourcesOf(args []string) ([]source, error) {
	var out []source
	var wrong []error
	for _, arg := range args {
		var s source
		s.split, s.path = splitArg(arg)
		s.written = s.split != ""
		s.name = filepath.Base(s.path)
		inner, err := []source{s}, im.look(&s)
		if inner[0] = s; err == nil && s.form == aFolder {
			inner, err = im.expand(&s)
		}
		if im.ctx.Err() != nil {
			return nil, terminal.ErrInterrupted
		}
		if err != nil {
			wrong = append(wrong, err)
		}
		out = append(out, inner...)
	}
	if len(wrong) > 0 {
		return nil, together(wrong)
	}
	return out, nameSplits(out)
}

// splitArg parts train=PATH and the like; split is "" for a path alone.
func splitArg(arg string) (split, path string) {
	if word, rest, ok := strings.Cut(arg, "="); ok && archive.SplitWord(word) != "" {
		if _, err := os.Stat(arg); err != nil { // no file of that very name
			return archive.SplitWord(word), rest
		}
	}
	return "", arg
}

// look tells the form by the first bytes, decompressed.
func (im *importer) look(s *source) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		s.form = aFolder
		return nil
	}
	if !info.Mode().IsRegular() { // a pipe can be read but once
		f, err := terminal.Open(im.ctx, s.path)
		if err == nil {
			s.open, err = im.spool(f)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	f, err := s.reader()
	if err != nil {
		return err
	}
	defer f.Close() // read only
	in, err := archive.Inflate(f)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	head, err := in.Peek(512)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.form = formOf(s.name, head)
	return nil
}

func formOf(name string, head []byte) form {
	switch {
	case archive.FormatOf(head) != "":
		return anArchive
	case bytes.HasPrefix(head, []byte{0, 0, 8, 1}):
		return idxLabels
	case bytes.HasPrefix(head, []byte{0, 0, 8, 3}), bytes.HasPrefix(head, []byte{0, 0, 8, 4}):
		return idxImages
	case path.Ext(unpackedName(name)) == ".bin":
		return cifarBatch
	}
	return aTable
}

// unpackedName is a file's name without the ending of its compression.
func unpackedName(name string) string {
	for _, ending := range []string{".gz", ".zst", ".zstd"} {
		if n := len(name) - len(ending); n > 0 && strings.EqualFold(name[n:], ending) {
			return name[:n]
		}
	}
	return name
}

// expand returns the sources in a folder that has no folders in it, such as the
// four files of MNIST or a training and a test table: else the folder itself.
func (im *importer) expand(s *source) ([]source, error) {
	root, err := os.OpenRoot(s.path)
	if err != nil {
		return nil, err
	}
	defer root.Close() // read only
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var out []source
	forms := map[form][]string{}
	var beside []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			return []source{*s}, nil
		}
		if strings.HasPrefix(e.Name(), ".") || !archive.IsData(e.Name()) {
			continue
		}
		if info, err := root.Stat(e.Name()); err != nil || !info.Mode().IsRegular() {
			if err == nil && info.IsDir() { // a link to one
				return []source{*s}, nil
			}
			im.leftOut(s.name, notRegular, []string{e.Name()})
			continue
		}
		inner := source{path: filepath.Join(s.path, e.Name()), name: e.Name(), split: s.split, written: s.written}
		if err := im.look(&inner); err != nil {
			return nil, err
		}
		if inner.form == aTable && !isTable(e.Name()) { // a description, say
			beside = append(beside, e.Name())
			continue
		}
		f := inner.form
		if f == idxLabels {
			f = idxImages
		}
		forms[f] = append(forms[f], e.Name())
		out = append(out, inner)
	}
	if len(out) == 0 {
		return []source{*s}, nil // whose reader says what is missing
	}
	if len(forms) > 1 || len(forms[anArchive]) > 1 {
		var names []string
		for _, o := range out {
			names = append(names, fmt.Sprintf("%s (%s)", o.name, o.form))
		}
		return nil, fmt.Errorf("%s holds several data sets: %s; name the files to import", s.path, strings.Join(names, ", "))
	}
	im.leftOut(s.name, "since they lie beside the data and are no table", beside)
	if len(forms[aTable]) > 0 {
		im.otherSplits(*s, out)
	}
	return out, nil
}

// nameSplits gives several sources the splits that their names mean, where they
// mean different ones. It is an error when some have a split and others none.
func nameSplits(s []source) error {
	if len(s) < 2 {
		return nil
	}
	named, given := 0, 0
	splits := map[string]bool{}
	for i := range s {
		if s[i].split != "" {
			given++
		} else if split := splitOfName(s[i].name); split != "" {
			named++
			splits[split] = true
		}
	}
	switch {
	case given+named == 0, named == len(s) && len(splits) < 2: // such as the parts of one training set
		return nil
	case given+named == len(s):
		for i := range s {
			if s[i].split == "" {
				s[i].split = splitOfName(s[i].name)
			}
		}
		return nil
	}
	var without []string
	for _, x := range s {
		if x.split == "" && splitOfName(x.name) == "" {
			without = append(without, x.name)
		}
	}
	return client.Usage(fmt.Errorf("of %d files some have a split and %s has none: write train=FILE, validation=FILE or test=FILE, a "+
		"file at a time", len(s), strings.Join(without, ", ")))
}

// splitOfName knows MNIST's name of its test set too.
func splitOfName(name string) string {
	name = path.Base(name)
	if strings.HasPrefix(strings.ToLower(name), "t10k-") {
		return data.Test
	}
	return archive.SplitOf(name)
}
