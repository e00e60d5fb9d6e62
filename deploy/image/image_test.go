package main

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Two builds of the same sources have the same digest; what they wrote is a layout that the
// library finds whole, of an image that runs as nobody, from its own files alone.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the programs")
	}
	directories := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	pushed := strings.TrimPrefix(server.URL, "http://") + "/tnaml:test"
	var indexes []v1.ImageIndex
	for i, dir := range directories {
		args := []string{"-out", dir}
		if i == 1 {
			args = append(args, "-push", pushed)
		}
		if err := run(t.Context(), args); err != nil {
			t.Fatal(err)
		}
		index, err := layout.ImageIndexFromPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Errorf("the layout: %v", err)
		}
		indexes = append(indexes, index)
	}
	first, second := digest(t, indexes[0]), digest(t, indexes[1])
	if first != second {
		t.Errorf("two builds: %s and %s", first, second)
	}
	if got, err := crane.Digest(pushed); err != nil || got != first {
		t.Errorf("pushed: %s, %v; want %s", got, err, first)
	}

	manifest, err := indexes[0].IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 2 {
		t.Fatalf("%d manifests, want the image and its bill of materials", len(manifest.Manifests))
	}
	image, err := indexes[0].Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	referring, err := indexes[0].Image(manifest.Manifests[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	bill, err := referring.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if bill.Subject == nil || bill.Subject.Digest != manifest.Manifests[0].Digest || bill.Config.MediaType != types.MediaType(billType) {
		t.Errorf("the bill of materials is of %v, as %s", bill.Subject, bill.Config.MediaType)
	}
	checkConfig(t, image)
	root := filepath.Join(t.TempDir(), "root")
	unpack(t, image, root)
	checkBill(t, directories[0], root)
	checkPrograms(t, root)
}

func digest(t *testing.T, index v1.ImageIndex) string {
	t.Helper()
	d, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// checkConfig checks the image's configuration, and that the Dockerfile's is the same.
func checkConfig(t *testing.T, image v1.Image) {
	t.Helper()
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/local/bin/worker"}) || len(c.Cmd) > 0 || len(c.Volumes) > 0 {
		t.Errorf("configuration: %+v", c)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 2 {
		t.Errorf("%d layers, %v", len(layers), err)
	}
	for _, label := range []string{"title", "description", "created"} {
		if c.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("no label %s in %v", label, c.Labels)
		}
	}

	last := lastStage(t)
	if last.BaseName != "scratch" {
		t.Errorf("the Dockerfile's image is on %s", last.BaseName)
	}
	var d v1.Config
	for _, command := range last.Commands {
		switch command := command.(type) {
		case *instructions.UserCommand:
			d.User = command.User
		case *instructions.EntrypointCommand:
			d.Entrypoint = command.CmdLine
		case *instructions.WorkdirCommand:
			d.WorkingDir = command.Path
		case *instructions.StopSignalCommand:
			d.StopSignal = command.Signal
		case *instructions.EnvCommand:
			for _, e := range command.Env {
				d.Env = append(d.Env, e.Key+"="+e.Value)
			}
		}
	}
	c.Labels = nil
	if got, want := fmt.Sprintf("%+v", d), fmt.Sprintf("%+v", c); got != want {
		t.Errorf("the Dockerfile's configuration\n%s\nis not the layout's\n%s", got, want)
	}
}

// lastStage is the Dockerfile's image.
func lastStage(t *testing.T) instructions.Stage {
	t.Helper()
	f, err := os.Open("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // read only
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages[len(stages)-1]
}

// The Dockerfile copies each file with its owner and mode, and nothing else: a copy gives them
// to what it makes, and leaves a directory that is there as it is.
func TestDockerfileCopies(t *testing.T) {
	root := t.TempDir()
	files := append(base(), (&built{programs: []program{{name: "worker", body: []byte("x")}}}).own(nil)...)
	if err := write(root, files); err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{"/": "drwxr-xr-x 0"}
	for _, f := range files {
		for dir := path.Dir("/" + f.name); want[dir] == ""; dir = path.Dir(dir) {
			want[dir] = "drwxr-xr-x 0"
		}
		want["/"+f.name] = fmt.Sprint(f.mode, " ", f.owner)
	}
	for _, command := range lastStage(t).Commands {
		c, ok := command.(*instructions.CopyCommand)
		if !ok {
			continue
		}
		owner := "0"
		if c.Chown != "" {
			owner, _, _ = strings.Cut(c.Chown, ":")
		}
		from, ok := strings.CutPrefix(c.SourcePaths[0], "/out")
		if !ok || len(c.SourcePaths) != 1 || c.Chown != "" && c.Chown != "65532:65532" || got[path.Clean(c.DestPath)] == "" {
			t.Fatalf("%v: not from /out, to what is not there, or for somebody else", c)
		}
		from = filepath.Join(root, from)
		if err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if to := path.Join(c.DestPath, strings.TrimPrefix(name, from)); got[to] == "" {
				got[to] = fmt.Sprint(info.Mode(), " ", owner)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is %s, want %s", name, got[name], want[name])
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("and %v", got)
	}
}

// unpack unpacks the image's files, and checks that none can be changed by its user but in
// the directories that are for that.
func unpack(t *testing.T, image v1.Image, root string) {
	t.Helper()
	extracted := mutate.Extract(image)
	defer extracted.Close() // read only
	var names []string
	for r := tar.NewReader(extracted); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %v %d:%d", h.Name, h.FileInfo().Mode(), h.Uid, h.Gid))
		name := filepath.Join(root, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(name, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Chmod(name, h.FileInfo().Mode()), chown(name, h)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(name, b, 0o600), os.Chmod(name, h.FileInfo().Mode()), chown(name, h)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	want := `etc drwxr-xr-x 0:0
etc/group -r--r--r-- 0:0
etc/passwd -r--r--r-- 0:0
etc/ssl drwxr-xr-x 0:0
etc/ssl/certs drwxr-xr-x 0:0
etc/ssl/certs/ca-certificates.crt -r--r--r-- 0:0
tmp dtrwxrwxrwx 0:0
usr drwxr-xr-x 0:0
usr/local drwxr-xr-x 0:0
usr/local/bin drwxr-xr-x 0:0
usr/local/bin/starter -r-xr-xr-x 0:0
usr/local/bin/worker -r-xr-xr-x 0:0
usr/share drwxr-xr-x 0:0
usr/share/doc drwxr-xr-x 0:0
usr/share/doc/tnaml drwxr-xr-x 0:0
usr/share/doc/tnaml/sbom.cdx.json -r--r--r-- 0:0
var drwxr-xr-x 0:0
var/lib drwxr-xr-x 0:0
var/lib/tnaml drwx------ 65532:65532`
	if got := strings.Join(names, "\n"); got != want {
		t.Errorf("files:\n%s\nwant:\n%s", got, want)
	}
}

func chown(name string, h *tar.Header) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(name, h.Uid, h.Gid)
}

// checkBill checks that the bill of materials is the same in the image and beside it, and
// names the toolchain and modules of both programs, with their hashes.
func checkBill(t *testing.T, dir, root string) {
	t.Helper()
	inside, err := os.ReadFile(filepath.Join(root, billFile))
	if err != nil {
		t.Fatal(err)
	}
	beside, _ := filepath.Glob(filepath.Join(dir, "sbom-*.cdx.json"))
	if len(beside) != 1 {
		t.Fatalf("beside the layout: %v", beside)
	}
	if b, err := os.ReadFile(beside[0]); err != nil || !bytes.Equal(b, inside) {
		t.Errorf("another bill of materials beside the image: %v", err)
	}
	var bom cdx.BOM
	if err := json.Unmarshal(inside, &bom); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"std", "go.temporal.io/sdk", "github.com/minio/minio-go/v7", "github.com/spf13/cobra", "worker", "starter"} {
		at := slices.IndexFunc(*bom.Components, func(c cdx.Component) bool { return c.Name == want })
		if at < 0 {
			t.Errorf("no %s in the bill of materials", want)
			continue
		}
		if c := (*bom.Components)[at]; strings.Contains(want, "/") && (c.Hashes == nil || c.Version == "") {
			t.Errorf("%s has no version or hash: %+v", want, c)
		}
	}
	refs := map[string]bool{"tnaml": true}
	for _, c := range *bom.Components {
		if refs[c.BOMRef] {
			t.Errorf("%s twice", c.BOMRef)
		}
		refs[c.BOMRef] = true
	}
	for _, d := range *bom.Dependencies {
		for _, ref := range *d.Dependencies {
			if !refs[ref] {
				t.Errorf("%s needs %s, which is not there", d.Ref, ref)
			}
		}
	}
}

// checkPrograms runs the programs: as the image's user in the unpacked root where the test
// may, else only from there.
func checkPrograms(t *testing.T, root string) {
	t.Helper()
	for args, want := range map[string]string{
		"worker --help":         "Run trials for searches until stopped",
		"worker --version":      "build ID",
		"starter --help":        "--data-dir",
		"starter strategy list": "naml",
		// Its time zones are in the program, its servers nowhere.
		"starter schedule create x --collect --cron 0_3_*_*_* --time-zone Europe/Vienna": "no Temporal server is configured",
	} {
		words := strings.Fields(args)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "_", " ")
		}
		name := "/" + programDir + "/" + words[0]
		f, err := elf.Open(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s is not static", words[0])
			}
		}
		_ = f.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, name, words[1:]...)
		if os.Getuid() == 0 {
			cmd.Dir = "/" + dataDir
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
		} else {
			cmd.Path, cmd.Dir = filepath.Join(root, name), root
		}
		cmd.Env = []string{"TNAML_DATA_DIR=/" + dataDir}
		out, err := cmd.CombinedOutput()
		cancel()
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, and says no %q:\n%s", args, err, want, out)
		}
	}
}

// A directory that holds something is left alone, and wrong usage says so.
func TestUsage(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"nothing to do":          {},
		"is not empty":           {"-out", full},
		"not like linux/amd64":   {"-out", t.TempDir(), "-platforms", "plan9/amd64"},
		"files of one platform":  {"-root", t.TempDir(), "-platforms", "linux/amd64,linux/arm64"},
		"could not parse":        {"-push", "UPPER CASE"},
		`unexpected "something"`: {"-out", t.TempDir(), "something"},
	} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
