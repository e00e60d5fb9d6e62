package corpora

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"tnaml/experiments/data/archive"
)

// maxBytes bounds what is held in memory of the members of a part together.
// Tables are read row by row and have no bound.
const maxBytes = archive.DefaultMaxBytes

// member is one file of an archive, or a source itself.
type member struct {
	name string
	// where is the name that problems give it.
	where string
	// label and split are what the pattern captured.
	label, split string
	data         []byte
}

// match matches the path of a member with a pattern: folder by folder as
// path.Match does, where {label} and {split} stand for any folder name or a part
// of it, and "**/" at the start for any folders.
func match(pattern, name string) (label, split string, ok bool) {
	parts, names := strings.Split(pattern, "/"), strings.Split(name, "/")
	if parts[0] == "**" {
		parts = parts[1:]
		if len(names) < len(parts) {
			return "", "", false
		}
		names = names[len(names)-len(parts):]
	}
	if len(parts) != len(names) {
		return "", "", false
	}
	for i, p := range parts {
		into := &label
		before, after, captures := strings.Cut(p, "{label}")
		if !captures {
			into = &split
			before, after, captures = strings.Cut(p, "{split}")
		}
		if !captures {
			if matched, err := path.Match(p, names[i]); err != nil || !matched {
				return "", "", false
			}
			continue
		}
		value, ok1 := strings.CutPrefix(names[i], before)
		value, ok2 := strings.CutSuffix(value, after)
		if !ok1 || !ok2 || value == "" {
			return "", "", false
		}
		*into = value
	}
	return label, split, true
}

// reader reads a source from its start.
func (s Source) reader() *io.SectionReader { return io.NewSectionReader(s.Data, 0, s.Size) }

// plain opens a source that is to be no archive, inflated where it is
// compressed.
func (s Source) plain() (*archive.Reader, error) {
	in, err := archive.Inflate(s.reader())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	head, err := in.Peek(262)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if f := archive.FormatOf(head); f != "" {
		return nil, fmt.Errorf("%s: %w: a %s archive where a plain file was expected", s.Name, ErrLayout, f)
	}
	return in, nil
}

// readPlain reads a source that is to be no archive.
func (s Source) readPlain() ([]byte, error) {
	in, err := s.plain()
	if err != nil {
		return nil, err
	}
	b, err := in.ReadAll(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return b, nil
}

// stream visits the members of a source that match a pattern without holding
// them; an empty pattern means the source itself.
func stream(s Source, pattern string, visit func(name string, in io.Reader) error) error {
	if pattern == "" {
		in, err := s.plain()
		if err != nil {
			return err
		}
		return visit(s.Name, in)
	}
	z, err := zip.NewReader(s.Data, s.Size)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", s.Name, ErrLayout, err)
	}
	found := false
	for _, f := range z.File {
		name := archive.Clean(f.Name)
		if _, _, ok := match(pattern, name); !ok || f.FileInfo().IsDir() || strings.HasPrefix(name, "__MACOSX/") {
			continue
		}
		found = true
		if !f.Mode().IsRegular() { // a link's contents would be taken for the data
			return fmt.Errorf("%s: %s: %w: no regular file", s.Name, name, ErrLayout)
		}
		in, err := f.Open()
		if err == nil {
			err = errors.Join(visit(s.Name+": "+name, in), in.Close())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	if !found {
		return fmt.Errorf("%s: %w: no member %q", s.Name, ErrLayout, pattern)
	}
	return nil
}

// members reads the members of a part, sorted by name.
func (c *collector) members(s Source, p Part) ([]member, error) {
	if p.Member == "" {
		b, err := s.readPlain()
		if err != nil {
			return nil, err
		}
		return []member{{name: s.Name, where: s.Name, data: b}}, nil
	}
	files, err := archive.Read(s.reader(), s.Name, maxBytes, func(name string) bool {
		label, _, ok := match(p.Member, name)
		if ok && label != "" && slices.Contains(c.r.Drop, label) {
			c.report.Dropped++
			return false
		}
		return ok
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayout, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %w: no members %q", s.Name, ErrLayout, p.Member)
	}
	out := make([]member, len(files))
	for i, f := range files {
		if f.Err != nil {
			return nil, fmt.Errorf("%s: %s: %w: %w", s.Name, f.Name, ErrLayout, f.Err)
		}
		out[i] = member{name: f.Name, where: s.Name + ": " + f.Name, data: f.Data}
		out[i].label, out[i].split, _ = match(p.Member, f.Name)
	}
	return out, nil
}
