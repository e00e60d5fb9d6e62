package deploy

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
)

// VersionTemplate is how a command prints what Version says.
const VersionTemplate = "{{.DisplayName}}, {{.Version}}\n"

// Version says of which sources, and by what, the program was built. Where its arguments ask for the
// version, the program is read for its build's ID: the digest of what runs.
func Version(args []string) string {
	revision, changed := sources()
	switch {
	case revision == "":
		revision = "sources without version control"
	case changed:
		revision += " with changes"
	}
	text := fmt.Sprintf("built from %s by %s for %s/%s", revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if !slices.Contains(args, "--version") {
		return text
	}
	id, err := buildID()
	if err != nil {
		return fmt.Sprintf("%s, build ID unknown: %v", text, err)
	}
	return text + ", build ID " + id
}

// sources are those that the program was built from: their revision, "" where there is no version
// control, and whether there were changes.
func sources() (revision string, changed bool) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				changed = s.Value == "true"
			}
		}
	}
	return revision, changed
}

// Build names this build in short: the revision of its sources, or, where that does not tell, the
// program's own digest.
func Build() (string, error) {
	if revision, changed := sources(); revision != "" && !changed {
		return revision[:min(len(revision), 12)], nil
	}
	return buildID()
}

func buildID() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() // read only
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
