package catalog

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"tnaml/experiments/data/corpora"
)

//go:embed datasets.yaml
var datasetsYAML []byte

// Dataset is a public data set: where it is, under which terms, and how it
// becomes a task.
type Dataset struct {
	// Name is the task's, as in the built-in experiments.
	Name  string `yaml:"name" json:"name,omitempty"`
	Title string `yaml:"title" json:"title,omitempty"`
	// Role is "pretraining" or "transfer"; Paper is the paper's name of the task,
	// which another set stands in for where StandIn is set.
	Role     string `yaml:"role" json:"role,omitempty"`
	Paper    string `yaml:"paper" json:"paper,omitempty"`
	StandIn  bool   `yaml:"stand_in" json:"stand_in,omitempty"`
	Language string `yaml:"language" json:"language,omitempty"`
	Homepage string `yaml:"homepage" json:"homepage,omitempty"`
	Licence  string `yaml:"licence" json:"licence,omitempty"`
	// Citation is a BibTeX entry in one line.
	Citation string          `yaml:"citation" json:"citation,omitempty"`
	Sources  []DatasetSource `yaml:"sources" json:"sources,omitempty"`
	Caveats  []string        `yaml:"caveats" json:"caveats,omitempty"`
	// Manual says how a person gets the files where they cannot be downloaded.
	Manual string `yaml:"manual" json:"manual,omitempty"`
}

// DatasetSource is one way to a data set; its files are needed together.
type DatasetSource struct {
	// Note says what a person must know who gets this source.
	Note  string          `yaml:"note" json:"note,omitempty"`
	Files []PublishedFile `yaml:"files" json:"files,omitempty"`
	Read  corpora.Recipe  `yaml:"read" json:"read,omitempty"`
}

// Images reports whether the set is one of images.
func (d *Dataset) Images() bool { return len(d.Sources) > 0 && d.Sources[0].Read.As.IsImages() }

// Pullable reports whether some source has an address for all of its files.
func (d *Dataset) Pullable() bool { return slices.ContainsFunc(d.Sources, DatasetSource.Pullable) }

// Pullable reports whether all files have an address.
func (s DatasetSource) Pullable() bool {
	return !slices.ContainsFunc(s.Files, func(f PublishedFile) bool { return len(f.URLs) == 0 })
}

// Size is the sum of the files' sizes, or 0 where one is not even known roughly;
// exact says that all are known.
func (s DatasetSource) Size() (sum int64, exact bool) {
	exact = true
	for _, f := range s.Files {
		n, known := f.Bytes()
		if n == 0 {
			return 0, false
		}
		sum, exact = sum+n, exact && known
	}
	return sum, exact
}

// Datasets lists the public data sets in the order of the catalogue.
func Datasets() []Dataset {
	out, err := ParseDatasets(datasetsYAML)
	if err != nil {
		panic(err) // embedded
	}
	return out
}

// ParseDatasets parses a catalogue of data sets. Unknown fields are refused, and
// all problems are reported together.
func ParseDatasets(b []byte) ([]Dataset, error) {
	return parsePublished[Dataset](b, "data sets", "data set", "is")
}

func (d *Dataset) called() string { return d.Name }

// validate checks a set; files are those seen so far.
func (d *Dataset) validate(files map[string]PublishedFile) error {
	errs := []error{checkEntry(d.Name, d.Citation, field{"title", d.Title}, field{"paper", d.Paper}, field{"homepage", d.Homepage},
		field{"licence", d.Licence}, field{"manual", d.Manual})}
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if d.Role != "pretraining" && d.Role != "transfer" {
		bad("role %q (known: pretraining, transfer)", d.Role)
	}
	if len(d.Sources) == 0 {
		bad("no sources")
	}
	if !d.Images() && d.Language == "" {
		bad("no language")
	}
	for i, s := range d.Sources {
		if err := s.validate(files); err != nil {
			bad("source %d: %w", i+1, err)
		}
		if s.Read.As.IsImages() != d.Images() {
			bad("source %d: texts and images in one set", i+1)
		}
	}
	return errors.Join(errs...)
}

func (s DatasetSource) validate(files map[string]PublishedFile) error {
	errs := []error{s.Read.Validate()}
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if len(s.Files) == 0 {
		bad("no files")
	}
	var names []string
	for _, f := range s.Files {
		names = append(names, f.Name)
		errs = append(errs, f.validate(files))
	}
	for _, p := range s.Read.Parts {
		for _, name := range []string{p.File, p.Labels} {
			if name != "" && !slices.Contains(names, name) {
				bad("the part %q is none of the files", name)
			}
		}
		if p.File == "" && len(s.Files) != 1 {
			bad("a part must name its file where there are several")
		}
	}
	return errors.Join(errs...)
}
