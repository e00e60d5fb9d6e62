package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	compose "github.com/compose-spec/compose-go/v2/types"
)

// passwords are what compose.yaml takes from its environment.
var passwords = map[string]string{"POSTGRES_PASSWORD": "a", "MINIO_PASSWORD": "b", "GRAFANA_PASSWORD": "c"}

func loadCompose(t *testing.T, environment map[string]string) (*compose.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), compose.ConfigDetails{
		WorkingDir: "..", ConfigFiles: []compose.ConfigFile{{Filename: "../compose.yaml"}},
		Environment: maps.Clone(environment), // the loader adds to it
	}, func(o *loader.Options) { o.Profiles = []string{"*"} })
}

// compose.yaml is what Compose takes; the files it mounts are there; nothing is open to other
// machines, and no password has a default.
func TestCompose(t *testing.T) {
	project, err := loadCompose(t, passwords)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgresql", "temporal", "temporal-ui", "minio", "worker", "starter", "prometheus", "grafana"} {
		if _, ok := project.Services[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	// Temporal does not start without its dynamic configuration, which its image has not.
	server, dynamic := project.Services["temporal"], ""
	if v := server.Environment["DYNAMIC_CONFIG_FILE_PATH"]; v != nil {
		dynamic = *v
	}
	if !slices.ContainsFunc(server.Volumes, func(v compose.ServiceVolumeConfig) bool { return v.Target == dynamic }) {
		t.Errorf("Temporal's dynamic configuration %q is not mounted", dynamic)
	}
	mounted := 0
	for name, s := range project.Services {
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s is open to other machines at %s", name, p.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != compose.VolumeTypeBind {
				continue
			}
			mounted++
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s, read only %v: %v", name, v.Source, v.ReadOnly, err)
			}
		}
		if tag := s.Image[strings.LastIndex(s.Image, ":")+1:]; s.Image != "tnaml" && (tag == s.Image || tag == "latest") {
			t.Errorf("%s has no version of %s", name, s.Image)
		}
	}
	if mounted < 5 {
		t.Errorf("only %d files are mounted", mounted)
	}
	w := project.Services["worker"]
	if w.Deploy == nil || w.Deploy.Replicas == nil || *w.Deploy.Replicas != 2 || !w.ReadOnly || !slices.Contains(w.CapDrop, "ALL") {
		t.Errorf("the worker: %+v", w)
	}
	drain := time.Duration(0)
	for _, argument := range w.Command {
		if value, ok := strings.CutPrefix(argument, "--drain="); ok {
			if drain, err = time.ParseDuration(value); err != nil {
				t.Error(err)
			}
		}
	}
	if w.StopGracePeriod == nil || drain == 0 || time.Duration(*w.StopGracePeriod) < drain+25*time.Second {
		t.Errorf("a worker drains for %v, and is killed after %v", drain, w.StopGracePeriod)
	}
	if _, err := os.Stat(filepath.Join(w.Build.Context, w.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	for missing := range passwords {
		rest := map[string]string{}
		for k, v := range passwords {
			if k != missing {
				rest[k] = v
			}
		}
		if _, err := loadCompose(t, rest); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}
