package space

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Load reads a space from YAML: name, description, and choices, each with a
// name and its options. Unknown fields and everything that Validate checks are
// errors.
func Load(b []byte) (*Space, error) {
	var s Space
	d := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("space: %s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	for i := range s.Choices {
		_ = s.Choices[i].normalise() // what it leaves as it was, Validate reports with all the rest
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &s, nil
}

// BuiltinNames lists the built-in spaces, sorted.
func BuiltinNames() []string {
	entries, err := fs.ReadDir(builtin, "builtin")
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Builtin returns a built-in space by name.
func Builtin(name string) (*Space, error) {
	if !slices.Contains(BuiltinNames(), name) {
		return nil, fmt.Errorf("no search space %q (built in: %s)", name, strings.Join(BuiltinNames(), ", "))
	}
	b, err := builtin.ReadFile("builtin/" + name + ".yaml")
	if err != nil {
		return nil, err
	}
	return Load(b)
}
