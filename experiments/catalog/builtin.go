package catalog

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// BuiltinNames lists the built-in experiments, sorted.
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

// IsBuiltin says that a name is a built-in experiment's.
func IsBuiltin(name string) bool { return slices.Contains(BuiltinNames(), name) }

// BuiltinYAML returns a built-in experiment as it is written.
func BuiltinYAML(name string) ([]byte, error) {
	if !IsBuiltin(name) {
		return nil, fmt.Errorf("no experiment %q (built in: %s)", name, strings.Join(BuiltinNames(), ", "))
	}
	return builtin.ReadFile("builtin/" + name + ".yaml")
}

// Builtin returns a built-in experiment.
func Builtin(name string) (*Experiment, error) {
	b, err := BuiltinYAML(name)
	if err != nil {
		return nil, err
	}
	return Parse(b)
}
