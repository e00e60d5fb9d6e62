package catalog

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
)

//go:embed vectors.yaml
var vectorsYAML []byte

// Vectors are published word vectors: where they are, under which terms, and how
// much of them becomes an embedding module.
type Vectors struct {
	// Name is the module's.
	Name string `yaml:"name" json:"name"`
	// Title says what they are and whose, as a text would cite them.
	Title    string `yaml:"title" json:"title"`
	Language string `yaml:"language" json:"language"`
	Dim      int    `yaml:"dim" json:"dim"`
	// Tokens is how many there are; Top is how many of them, the most frequent ones,
	// are kept. 0: all.
	Tokens   int    `yaml:"tokens" json:"tokens"`
	Top      int    `yaml:"top" json:"top,omitempty"`
	Homepage string `yaml:"homepage" json:"homepage"`
	Licence  string `yaml:"licence" json:"licence"`
	// Citation is a BibTeX entry in one line.
	Citation string `yaml:"citation" json:"citation"`
	// File has the vectors; several modules may be made of one archive.
	File PublishedFile `yaml:"file" json:"file"`
	// Member is the vectors' file in File, where that is a zip archive.
	Member  string   `yaml:"member" json:"member,omitempty"`
	Caveats []string `yaml:"caveats" json:"caveats,omitempty"`
}

// Kept is how many tokens the module is to have.
func (v *Vectors) Kept() int {
	if v.Top > 0 {
		return min(v.Top, v.Tokens)
	}
	return v.Tokens
}

// Source says in a module that has so many tokens where they are from, and of how many
// they are where they are not all.
func (v *Vectors) Source(tokens int) string {
	source := fmt.Sprintf("%s, %d dimensions", v.Title, v.Dim)
	of := fmt.Sprintf("%s of %s tokens", humanize.Comma(int64(tokens)), humanize.Comma(int64(v.Tokens)))
	switch {
	case tokens < v.Kept(): // the file had fewer, or some that cannot be read
		source += ", " + of
	case tokens == v.Top && v.Top < v.Tokens:
		source += ", the first " + of
	}
	return source
}

// PublishedVectors lists the published vectors in the order of the catalogue.
func PublishedVectors() []Vectors {
	out, err := ParseVectors(vectorsYAML)
	if err != nil {
		panic(err) // embedded
	}
	return out
}

// ParseVectors parses a catalogue of published vectors. Unknown fields are
// refused, and all problems are reported together.
func ParseVectors(b []byte) ([]Vectors, error) {
	return parsePublished[Vectors](b, "vectors", "vectors", "are")
}

func (v *Vectors) called() string { return v.Name }

// validate checks an entry; files are those seen so far.
func (v *Vectors) validate(files map[string]PublishedFile) error {
	errs := []error{v.File.validate(files), checkEntry(v.Name, v.Citation, field{"title", v.Title}, field{"language", v.Language},
		field{"homepage", v.Homepage}, field{"licence", v.Licence})}
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if v.Dim <= 0 || v.Tokens <= 0 {
		bad("%d tokens with vectors of length %d", v.Tokens, v.Dim)
	}
	if v.Top < 0 || v.Top >= v.Tokens && v.Top > 0 {
		bad("the first %d of %d tokens: give fewer, or 0 for all", v.Top, v.Tokens)
	}
	if strings.HasSuffix(v.File.Name, ".zip") != (v.Member != "") {
		bad("a member goes with a zip archive, and %q has %q", v.File.Name, v.Member)
	}
	return errors.Join(errs...)
}
