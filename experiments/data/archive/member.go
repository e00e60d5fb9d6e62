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

// Member finds one file of a zip archive, to be read as a stream: the one of this
// path, or of this name in some folder; "" means the only one there is. An error
// says which files there are.
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
	if i := slices.IndexFunc(found, func(e Entry) bool { return e.Name == Clean(member) }); i >= 0 {
		found = found[i : i+1]
	}
	if len(names) > maxNamed {
		names = append(names[:maxNamed], fmt.Sprintf("and %d more", len(names)-maxNamed))
	}
	switch there := strings.Join(names, ", "); {
	case len(names) == 0:
		return Entry{}, fmt.Errorf("%s: there is no file in the archive", archive)
	case len(found) == 0:
		return Entry{}, fmt.Errorf("%s: there is no file %q in the archive; there are: %s", archive, member, there)
	case len(found) > 1 && member == "":
		return Entry{}, fmt.Errorf("%s: several files are in the archive, say which of them: %s", archive, there)
	case len(found) > 1:
		return Entry{}, fmt.Errorf("%s: %d files %q are in the archive, give the path of one: %s", archive, len(found), member, there)
	}
	return found[0], nil
}
