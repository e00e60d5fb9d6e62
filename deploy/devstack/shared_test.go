package main

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What both the dev stack and the command line are made of is built once where both have it in one
// version; and one version that differs, of protobuf say, has all built twice that stands on it.
func TestVersionsAreShared(t *testing.T) {
	modules := func(dir, of string) map[string]string {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", of)
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
	ours, starters := modules(".", "."), modules("../..", "./starter")
	if len(ours) < 50 || len(starters) < 50 {
		t.Fatalf("%d and %d modules", len(ours), len(starters))
	}
	for _, path := range slices.Sorted(maps.Keys(ours)) {
		if other, ok := starters[path]; ok && other != ours[path] {
			t.Errorf("%s is %s here, %s in the main module: raise the lower one", path, ours[path], other)
		}
	}
}
