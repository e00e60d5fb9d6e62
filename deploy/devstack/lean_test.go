package main

import (
	"os/exec"
	"strings"
	"testing"
)

// mostPackages is what the program may be made of: each costs whoever builds it first.
const mostPackages = 1240

// What the dev stack never uses is not built: whole clouds stand behind a few imports of the
// servers. Each stand-in of absent/ is still asked for.
func TestLean(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{.ImportPath}}{{with .Module}}{{with .Replace}} {{.Path}}{{end}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		path, replaced, _ := strings.Cut(line, " ")
		used[replaced] = true
		for _, cloud := range []string{"k8s.io/", "sigs.k8s.io/", "cloud.google.com/", "google.golang.org/api/", "github.com/envoyproxy/"} {
			small := strings.HasPrefix(path, "cloud.google.com/go/compute/metadata")
			if strings.HasPrefix(path, cloud) && !strings.HasPrefix(replaced, "./absent/") && !small {
				t.Errorf("%s is built", path)
			}
		}
	}
	if len(lines) > mostPackages {
		t.Errorf("it is made of %d packages, at most %d: see what asks for the new ones", len(lines), mostPackages)
	}
	mod, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{with .Replace}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range strings.Fields(string(mod)) {
		if !used[dir] {
			t.Errorf("%s stands in for what nothing asks for", dir)
		}
	}
}
