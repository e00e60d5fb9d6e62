package command

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Config allows one program: a trainer's name, and what is run for it. It is the
// operator's; nothing in a search adds to it.
type Config struct {
	// Name is the trainer's, by which spaces ask for it.
	Name string
	// Command is the program and its arguments. Arguments are templates of the trial's
	// choices, {{.depth}}; no shell reads them.
	Command []string
	// Directory is where the program runs; "": in the trial's own directory.
	Directory string
	// Env holds what the program's environment has beside what every program is given:
	// NAME=value, or NAME, which passes the worker's own value on.
	Env []string
	// Slots is the number of trials at once; 0: the worker's default.
	Slots int
	// Timeout ends an attempt; 0: the search's trial_timeout alone does. Grace is the
	// time between SIGTERM and SIGKILL.
	Timeout, Grace time.Duration
	// MemoryMB bounds what each of the trial's processes may allocate, beside the search's limit; 0: that alone does.
	MemoryMB int
	// Version names the program's; "": a digest of the command and of what is in Directory.
	Version string
	// Cache says that outcomes may serve other searches: the same choices, task data, settings,
	// seed and limits give the same outcome.
	Cache bool
	// CheckpointMB and ModelMB bound what is stored of the two directories, CheckpointEvery
	// how often.
	CheckpointMB, ModelMB int
	CheckpointEvery       time.Duration
}

// Default is a configuration to which a command is all that is missing.
func Default(name string) Config {
	return Config{Name: name, Grace: 30 * time.Second, CheckpointMB: 256, ModelMB: 256, CheckpointEvery: time.Minute}
}

// reserved are the names of the trainers that are the platform's own.
func reserved(name string) bool {
	return name == "external" || slices.ContainsFunc(trainer.Definitions(), func(d trainer.Definition) bool { return d.Name() == name })
}

// Validate reports all that is wrong with a configuration in itself.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	sp := space.Space{Name: "s", Trainer: c.Name, Choices: []space.Choice{{Name: "c", Options: []any{true}}}}
	switch wrong := sp.Validate(); {
	case reserved(c.Name):
		bad("%q is the name of a trainer that the platform brings", c.Name)
	case len(wrong) > 0 || c.Name == "":
		bad("%q is no name of a trainer: letters, digits and _ - . /, at most %d", c.Name, space.MaxName)
	}
	if len(c.Command) == 0 || c.Command[0] == "" {
		bad("command is missing: the program and its arguments, as in [python3, train.py]")
	} else if strings.Contains(c.Command[0], "{{") {
		bad("command: the program itself is no template: %q", c.Command[0])
	}
	if _, err := c.templates(); err != nil {
		errs = append(errs, err)
	}
	for _, e := range c.Env {
		if name, _, _ := strings.Cut(e, "="); name == "" || strings.HasPrefix(name, "TNAML_") || strings.ContainsRune(e, 0) {
			bad("env: %q must be NAME=value, or NAME to pass the worker's own value on; TNAML_… are the platform's", name)
		}
	}
	for _, d := range []struct {
		what  string
		v     time.Duration
		least time.Duration
	}{{"timeout", c.Timeout, 0}, {"grace", c.Grace, 0}, {"checkpoint_every", c.CheckpointEvery, 100 * time.Millisecond}} {
		if d.v < d.least || d.v > 30*24*time.Hour {
			bad("%s is %v: it must lie between %v and 720h", d.what, d.v, d.least)
		}
	}
	for _, n := range []struct {
		what      string
		v, most   int
		otherwise string
	}{{"slots", c.Slots, 1024, ""}, {"memory_mb", c.MemoryMB, 1 << 24, ""}, {"checkpoint_mb", c.CheckpointMB, 4096, ""},
		{"model_mb", c.ModelMB, 4096, ""}} {
		if n.v < 0 || n.v > n.most {
			bad("%s is %d: it must lie between 0 and %d", n.what, n.v, n.most)
		}
	}
	return errors.Join(errs...)
}

// templates are the arguments' templates.
func (c Config) templates() (out []*template.Template, err error) {
	var errs []error
	for i, text := range c.Command[min(1, len(c.Command)):] {
		t, err := template.New("").Option("missingkey=error").Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("command: argument %d, %q: %s", i+1, text, strings.TrimPrefix(err.Error(), "template: ")))
		}
		out = append(out, t)
	}
	return out, errors.Join(errs...)
}

// program is where the program lies.
func (c Config) program() (string, error) {
	name := c.Command[0]
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		name = filepath.Join(c.Directory, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the program %s cannot be run: %w", c.Command[0], errors.Unwrap(err))
	}
	return path, nil
}

const (
	// maxSource and maxFiles bound what a version is the digest of.
	maxSource = 256 << 20
	maxFiles  = 10_000
)

// version is the digest of all that an outcome depends on besides the request, as far as it
// is in the configuration: command, environment, memory, and the files in Directory, or,
// without one, those that the command names.
func (c Config) version() (string, error) {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q %q %d\n", c.Command, c.Env, c.MemoryMB)
	files, size := 0, int64(0)
	add := func(name, path string) error {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			_, _ = fmt.Fprintf(h, "%q link %q\n", name, to)
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		files++
		if size += info.Size(); files > maxFiles || size > maxSource {
			return fmt.Errorf("there are more than %d files or %d MB in %s: say `version`, and change it with the program", maxFiles, maxSource>>20,
				c.Directory)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, _ = fmt.Fprintf(h, "%q %d\n", name, info.Size())
		_, err = io.Copy(h, f)
		return err
	}
	var err error
	if c.Directory != "" {
		err = filepath.WalkDir(c.Directory, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if name := d.Name(); path != c.Directory && (strings.HasPrefix(name, ".") || name == "__pycache__" || strings.HasSuffix(name, ".pyc")) {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			name, _ := filepath.Rel(c.Directory, path)
			return add(name, path)
		})
	} else {
		for _, arg := range c.Command {
			if info, err := os.Stat(arg); err == nil && filepath.IsAbs(arg) && info.Mode().IsRegular() {
				if err := add(arg, arg); err != nil {
					return "", err
				}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), err
}

// passed are the variables of the worker's that every program is given.
var passed = []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER"}

// environment is a trial's, sorted: what is passed to every program, what the
// operator says, and the platform's own. Nothing else of the worker's is in it.
func (c Config) environment(own map[string]string) []string {
	all := map[string]string{}
	pass := func(name string) {
		if v, ok := os.LookupEnv(name); ok {
			all[name] = v
		}
	}
	for _, name := range passed {
		pass(name)
	}
	maps.Copy(all, own) // TMPDIR may be the operator's
	for _, e := range c.Env {
		if name, value, given := strings.Cut(e, "="); given {
			all[name] = value
		} else {
			pass(name)
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}
