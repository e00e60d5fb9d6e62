// Package schema has the trainers' contract as JSON schemas (draft 2020-12), for
// trainers in other languages: what a trial's request, progress and outcome are. The
// files are made from the Go types, by a test of package activities.
package schema

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed *.json
var files embed.FS

// Names lists the schemas.
func Names() []string { return []string{"request", "progress", "outcome"} }

// Of returns a schema as JSON.
func Of(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no schema %q (there are: %s)", name, strings.Join(Names(), ", "))
	}
	b, err := files.ReadFile(name + ".json")
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return b, nil
}
