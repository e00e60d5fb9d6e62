package main

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What the dev stack and the command line are made of, and the cluster of the tests, is built once where all have it in
// one version; and one version that differs, of protobuf say, has all built twice that stands on it.
func TestVersionsAreShared(t *testing.T) {
	modules := func(dir string, of ...string) map[string]string {
		args := append([]string{"list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}"}, of...)
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]string{}
		for line := range strings.Lines(string(out)) {
			if path, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok && version != "" {
				versions[path] = version
			}
		}
		return versions
	}
	ours := modules(".", ".")
	for other, theirs := range map[string]map[string]string{
		"the main module": modules("../..", "./starter"),
		"deploy/cluster":  modules("../cluster", "go.temporal.io/server/cmd/server", "go.temporal.io/server/cmd/tools/sql"),
	} {
		if len(ours) < 50 || len(theirs) < 50 {
			t.Fatalf("%d modules and, in %s, %d", len(ours), other, len(theirs))
		}
		for _, path := range slices.Sorted(maps.Keys(ours)) {
			if version, ok := theirs[path]; ok && version != ours[path] {
				t.Errorf("%s is %s here, %s in %s: have one version of it in both", path, ours[path], version, other)
			}
		}
	}
}
