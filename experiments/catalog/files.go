package catalog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// PublishedFile is one file of what is published, a data set or vectors. Its name is unique in
// its catalogue: it is the file's in the directory of downloads and on a mirror.
type PublishedFile struct {
	Name string `yaml:"name" json:"name,omitempty"`
	// SHA256 is the file's digest in hexadecimal, where it is known, and
	// SHA256From says whence.
	SHA256     string `yaml:"sha256" json:"sha256,omitempty"`
	SHA256From string `yaml:"sha256_from" json:"sha256_from,omitempty"`
	// Size in bytes, where it is known; MaxSize bounds it where it is not, 0
	// meaning the downloader's own bound. About is roughly the size, for people.
	Size    int64 `yaml:"size" json:"size,omitempty"`
	MaxSize int64 `yaml:"max_size" json:"max_size,omitempty"`
	About   int64 `yaml:"about" json:"about,omitempty"`
	// URLs serve the same bytes, in order of preference; none: the file must be
	// got by hand.
	URLs []PublishedURL `yaml:"urls" json:"urls,omitempty"`
}

// PublishedURL is a public address.
type PublishedURL struct {
	URL string `yaml:"url" json:"url,omitempty"`
	// Tried is the day when the address was last tried against the real server
	// (2006-01-02), or "never".
	Tried string `yaml:"tried" json:"tried,omitempty"`
}

// Addresses are the file's, in order of preference.
func (f PublishedFile) Addresses() []string {
	out := make([]string, len(f.URLs))
	for i, u := range f.URLs {
		out[i] = u.URL
	}
	return out
}

// Bytes is the file's size, or 0 where it is not even known roughly; exact says
// that it is the size itself.
func (f PublishedFile) Bytes() (size int64, exact bool) {
	if f.Size > 0 {
		return f.Size, true
	}
	return f.About, false
}

// published is an entry of a catalogue of what others published. validate checks it; files
// are those of the catalogue seen so far.
type published interface {
	called() string
	validate(files map[string]PublishedFile) error
}

// parsePublished parses such a catalogue, of entries that are what. Unknown fields are
// refused, and all problems are reported together.
func parsePublished[T any, E interface {
	*T
	published
}](b []byte, catalogue, what, twice string) ([]T, error) {
	var out []T
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&out); err != nil {
		return nil, fmt.Errorf("%s: %w", catalogue, err)
	}
	var errs []error
	names, files := map[string]bool{}, map[string]PublishedFile{}
	for i := range out {
		e := E(&out[i])
		if names[e.called()] {
			errs = append(errs, fmt.Errorf("%s %q %s there twice", what, e.called(), twice))
		}
		names[e.called()] = true
		if err := e.validate(files); err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", what, e.called(), err))
		}
	}
	return out, errors.Join(errs...)
}

// field is one that must not be empty.
type field struct{ name, value string }

// checkEntry checks what all entries have.
func checkEntry(name, citation string, fields ...field) error {
	var errs []error
	if !publishedName.MatchString(name) {
		errs = append(errs, errors.New("the name must be of small letters, digits, _ and -"))
	}
	for _, f := range fields {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("no %s", f.name))
		}
	}
	if !citationForm.MatchString(citation) {
		errs = append(errs, errors.New("the citation must be one line of BibTeX"))
	}
	return errors.Join(errs...)
}

var (
	publishedName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	fileName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	triedForm     = regexp.MustCompile(`^(never|\d{4}-\d{2}-\d{2})$`)
	citationForm  = regexp.MustCompile(`^@[a-z]+\{[a-z0-9]+, .+\}$`)
)

// validate checks a file; files are those of the catalogue seen so far, and it joins them.
func (f PublishedFile) validate(files map[string]PublishedFile) error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if old, ok := files[f.Name]; ok && (old.SHA256 != f.SHA256 || !slices.Equal(old.URLs, f.URLs)) {
		bad("file %q is there twice and differs", f.Name)
	}
	files[f.Name] = f
	if !fileName.MatchString(f.Name) {
		bad("file %q: a name of letters, digits, points, _ and -", f.Name)
	}
	if b, err := hex.DecodeString(f.SHA256); err != nil || len(b) != 0 && len(b) != 32 || f.SHA256 != strings.ToLower(f.SHA256) {
		bad("file %q: the SHA-256 must be 64 small hexadecimal digits", f.Name)
	}
	if (f.SHA256 == "") != (f.SHA256From == "") {
		bad("file %q: the SHA-256 and whence it is known go together", f.Name)
	}
	if f.Size < 0 || f.MaxSize < 0 || f.About < 0 {
		bad("file %q: a negative size", f.Name)
	}
	for _, u := range f.URLs {
		if !strings.HasPrefix(u.URL, "https://") && !strings.HasPrefix(u.URL, "http://") {
			bad("file %q: address %q is neither https nor http", f.Name, u.URL)
		}
		if !triedForm.MatchString(u.Tried) {
			bad("file %q: address %q: tried must be a day or never", f.Name, u.URL)
		}
	}
	return errors.Join(errs...)
}
