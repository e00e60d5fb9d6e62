package archive

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// maxNamed is how many files of an archive an error names.
const maxNamed = 10

// ChoiceError says which files an archive has: another choice among them mends it.
type ChoiceError struct{ says string }

func (e *ChoiceError) Error() string { return e.says }

// OpenMember opens the file that Member finds, and says where it is, for errors.
func OpenMember(r io.ReaderAt, size int64, archive, member string) (in io.ReadCloser, where string, err error) {
	e, err := Member(r, size, archive, member)
	if err != nil {
		return nil, archive, err
	}
	where = archive + ": " + e.Name
	if in, err = e.Open(); err != nil {
		return nil, where, fmt.Errorf("%s: %w", where, err)
	}
	return in, where, nil
}

// Member finds one file of a zip archive, to be read as a stream: the one of this
// path, or of this name in some folder; "" means the only one there is. Where it is
// not to be found, or several are meant, and there is a choice, the error is a
// *ChoiceError.
func Member(r io.ReaderAt, size int64, archive, member string) (Entry, error) {
	entries, err := zipEntries(r, size, archive, func(string) bool { return true })
	if err != nil {
		return Entry{}, err
	}
	var names []string
	var found []Entry
	for _, e := range entries {
		names = append(names, e.Name)
		if member == "" || e.Name == Clean(member) || path.Base(e.Name) == member {
			found = append(found, e)
		}
	}
	// A path says more than a name.
	exactly := func(e Entry) bool { return e.Name == Clean(member) }
	if slices.ContainsFunc(found, exactly) {
		found = slices.DeleteFunc(found, func(e Entry) bool { return !exactly(e) })
	}
	choice := func(says string) (Entry, error) { return Entry{}, &ChoiceError{archive + ": " + says} }
	if len(names) > maxNamed {
		names = append(names[:maxNamed], fmt.Sprintf("and %d more", len(names)-maxNamed))
	}
	switch there := strings.Join(names, ", "); {
	case len(names) == 0:
		return Entry{}, fmt.Errorf("%s: there is no file in the archive", archive)
	case len(found) == 0:
		return choice(fmt.Sprintf("there is no file %q in the archive; there are: %s", member, there))
	case len(found) > 1 && found[0].Name == found[len(found)-1].Name: // they are sorted
		return Entry{}, fmt.Errorf("%s: %d files of the one path %q are in the archive: pack it anew with the one that is meant", archive,
			len(found), found[0].Name)
	case len(found) > 1 && member == "":
		return choice("several files are in the archive, say which of them: " + there)
	case len(found) > 1:
		return choice(fmt.Sprintf("%d files %q are in the archive, give the path of one: %s", len(found), member, there))
	}
	return found[0], nil
}
