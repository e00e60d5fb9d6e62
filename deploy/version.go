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
	revision := "sources without version control"
	if info, ok := debug.ReadBuildInfo(); ok {
		changed := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with changes"
			}
		}
		revision += changed
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
