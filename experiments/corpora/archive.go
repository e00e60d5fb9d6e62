package corpora

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// maxMember bounds what is held in memory of one member, and maxMembers of all
// members of a part together.
const (
	maxMember  = 1 << 30
	maxMembers = 2 << 30
)

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
// path.Match does, where {label} and {split} stand for any folder name, and
// "**/" at the start for any folders.
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
		if before, after, found := cutAny(p, "{label}", "{split}"); found {
			value, ok1 := strings.CutPrefix(names[i], before)
			value, ok2 := strings.CutSuffix(value, after)
			if !ok1 || !ok2 || value == "" {
				return "", "", false
			}
			if strings.Contains(p, "{label}") {
				label = value
			} else {
				split = value
			}
		} else if matched, err := path.Match(p, names[i]); err != nil || !matched {
			return "", "", false
		}
	}
	return label, split, true
}

func cutAny(s string, seps ...string) (before, after string, found bool) {
	for _, sep := range seps {
		if before, after, found = strings.Cut(s, sep); found {
			return before, after, true
		}
	}
	return "", "", false
}

// clean returns a path without leading and doubled slashes and dots.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/")
}

// hidden reports whether a member belongs to the system that packed the archive.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" {
			return true
		}
	}
	return false
}

// stream visits the members of a source that match a pattern, in the order of
// the archive: zip, or tar, gzipped or not, as its first bytes say. A source
// that is no archive is its own only member, inflated where it is gzipped. An
// empty pattern means the source itself.
func stream(s Source, pattern string, visit func(m member, in io.Reader) error) error {
	wrap := func(err error) error {
		if err == nil || errors.Is(err, ErrLayout) {
			return err
		}
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	var magic [4]byte
	if n, err := s.Data.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return wrap(err)
	} else if n == 0 {
		return fmt.Errorf("%s: %w: the file is empty", s.Name, ErrLayout)
	}
	if string(magic[:]) == "PK\x03\x04" {
		if pattern == "" {
			return fmt.Errorf("%s: %w: a zip archive where a plain file was expected", s.Name, ErrLayout)
		}
		return wrap(streamZip(s, pattern, visit))
	}
	in := bufio.NewReaderSize(io.NewSectionReader(s.Data, 0, s.Size), 1<<16)
	if magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return wrap(fmt.Errorf("gzip: %w", err))
		}
		in = bufio.NewReaderSize(z, 1<<16)
	}
	if head, _ := in.Peek(512); len(head) == 512 && string(head[257:262]) == "ustar" || pattern != "" && len(head) == 512 && oldTar(head) {
		if pattern == "" {
			return fmt.Errorf("%s: %w: a tar archive where a plain file was expected", s.Name, ErrLayout)
		}
		return wrap(streamTar(s, in, pattern, visit))
	}
	if pattern != "" {
		return fmt.Errorf("%s: %w: an archive was expected, and this is neither zip nor tar", s.Name, ErrLayout)
	}
	return wrap(visit(member{name: s.Name, where: s.Name}, in))
}

// oldTar reports whether a block is a header of tar before POSIX: no magic, but
// a name and, at 100, an octal mode.
func oldTar(b []byte) bool {
	for _, c := range b[100:107] {
		if c != ' ' && c != 0 && (c < '0' || c > '7') {
			return false
		}
	}
	return b[0] != 0
}

func streamZip(s Source, pattern string, visit func(m member, in io.Reader) error) error {
	z, err := zip.NewReader(s.Data, s.Size)
	if err != nil {
		return err
	}
	for _, f := range z.File {
		name := clean(f.Name)
		label, split, ok := match(pattern, name)
		if !ok || f.FileInfo().IsDir() || hidden(name) {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		err = visit(member{name: name, where: s.Name + ": " + name, label: label, split: split}, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

func streamTar(s Source, in io.Reader, pattern string, visit func(m member, in io.Reader) error) error {
	r := tar.NewReader(in)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		name := clean(h.Name)
		label, split, ok := match(pattern, name)
		if !ok || h.Typeflag != tar.TypeReg || hidden(name) {
			continue
		}
		if err := visit(member{name: name, where: s.Name + ": " + name, label: label, split: split}, r); err != nil {
			return err
		}
	}
	// The checksum of gzip comes after the end of the archive.
	_, err := io.Copy(io.Discard, io.LimitReader(in, maxMembers))
	return err
}

// members reads the members of a part, sorted by name: their order in the
// archive does not show.
func (c *collector) members(s Source, p Part) ([]member, error) {
	var out []member
	left := int64(maxMembers)
	err := stream(s, p.Member, func(m member, in io.Reader) error {
		if slices.Contains(c.r.Drop, m.label) && m.label != "" {
			c.report.Dropped++
			return nil
		}
		limit := min(left, maxMember)
		b, err := io.ReadAll(io.LimitReader(in, limit+1))
		if err != nil {
			return fmt.Errorf("%s: after %d bytes: %w", m.name, len(b), err)
		}
		if int64(len(b)) > limit {
			return fmt.Errorf("%s: more than %d bytes", m.name, limit)
		}
		left -= int64(len(b))
		m.data = b
		out = append(out, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w: no members %q", s.Name, ErrLayout, p.Member)
	}
	slices.SortStableFunc(out, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return out, nil
}
