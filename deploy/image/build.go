package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// programs are the main packages of the image, by the names of their programs.
var programs = []string{"starter", "worker"}

// built are the programs for one platform.
type built struct {
	platform v1.Platform
	programs []program
	// revision is the version control's, "" where there is none; version is the module's.
	revision, version string
	// created is when the sources were committed: a build's own time would make no two equal.
	created time.Time
}

type program struct {
	name string
	body []byte
	info *buildinfo.BuildInfo
}

// build builds the programs: static, without the paths of this machine, and with the
// revision where the sources are under version control.
func build(ctx context.Context, source, platform string) (*built, error) {
	p, err := v1.ParsePlatform(platform)
	if err != nil || p.OS != "linux" || p.Architecture == "" {
		return nil, fmt.Errorf("platform %q: not like linux/amd64", platform)
	}
	dir, err := os.MkdirTemp("", "tnaml-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // as well as it can
	vcs := "-buildvcs=false"
	if exec.CommandContext(ctx, "git", "-C", source, "rev-parse", "HEAD").Run() == nil {
		vcs = "-buildvcs=true"
	}
	b := &built{platform: *p, created: time.Unix(0, 0).UTC()}
	for _, name := range programs {
		file := filepath.Join(dir, name)
		// timetzdata: the image has no time zones, and schedules have one.
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", vcs, "-tags", "timetzdata", "-ldflags", "-s -w", "-o", file, "./"+name)
		cmd.Dir, cmd.Stderr = source, os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Architecture, "GOWORK=off",
			"GOFLAGS=", "GOAMD64=", "GOARM64=", "GOEXPERIMENT=", "GODEBUG=")
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("build %s for %s: %w", name, platform, err)
		}
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		info, err := buildinfo.Read(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("build information of %s: %w", name, err)
		}
		b.programs = append(b.programs, program{name, body, info})
	}
	return b, b.stamp()
}

// stamp takes over what the build says of its sources.
func (b *built) stamp() error {
	info := b.programs[0].info
	b.version = strings.TrimPrefix(info.Main.Version, "(devel)")
	changed := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changed = "-modified"
			}
		case "vcs.time":
			t, err := time.Parse(time.RFC3339, s.Value)
			if err != nil {
				return fmt.Errorf("time of the revision: %w", err)
			}
			b.created = t.UTC()
		}
	}
	b.revision += changed
	return nil
}
