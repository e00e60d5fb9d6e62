// Package samples makes the tasks and modules that need no data: of the documentation
// comments in Go's standard library.
package samples

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tnaml/activities/library"
	"tnaml/experiments/data"
	"tnaml/experiments/data/godoc"
	"tnaml/experiments/data/text"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// prefix begins the names of all that is made.
const prefix = "godoc-"

// Ensure makes what an experiment needs of them and is not there; goroot is the Go
// installation to read, or empty.
func Ensure(ctx context.Context, a *terminal.App, c *client.Client, experiment, goroot string) error {
	missing, err := missing(ctx, c, experiment)
	if err != nil || !missing {
		return err
	}
	if goroot == "" {
		if goroot, err = findGoroot(ctx); err != nil {
			return err
		}
	}
	return publish(ctx, a, c, goroot)
}

// missing says whether an experiment needs what is not there.
func missing(ctx context.Context, c *client.Client, experiment string) (bool, error) {
	e, err := library.LoadExperiment(ctx, c.Store, experiment)
	if err != nil {
		return false, err
	}
	records, err := library.Datasets(ctx, c.Store)
	if err != nil {
		return false, err
	}
	there := map[string]bool{}
	for _, r := range records {
		there[r.Name] = true
	}
	needed := false
	for _, name := range e.Tasks() {
		if strings.HasPrefix(name, prefix) {
			if needed = true; !there[name] {
				return true, nil
			}
		}
	}
	if !needed {
		return false, nil
	}
	modules, err := library.Modules(ctx, c.Store)
	for _, m := range modules {
		if strings.HasPrefix(m.Name, prefix) {
			return false, nil
		}
	}
	return true, err
}

// publish makes tasks and modules.
func publish(ctx context.Context, a *terminal.App, c *client.Client, goroot string) error {
	p := a.NewProgress()
	defer p.Clear()
	corpus, err := godoc.Read(os.DirFS(filepath.Join(goroot, "src")), func(done, total int) {
		p.Update(fmt.Sprintf("reading the standard library's comments: %d of %d files", done, total))
	})
	if err != nil {
		return err
	}
	sources := corpus.Tasks()
	for i, source := range sources {
		p.Update(fmt.Sprintf("tasks: %d of %d, %s", i+1, len(sources), source.Name))
		t, err := text.Build(source.Examples, data.Options{Name: source.Name, Source: godoc.Source + ": " + source.Description,
			Licence: godoc.Licence})
		if err != nil {
			return err
		}
		if _, err := library.PublishTask(ctx, c.Store, t, true); err != nil {
			return err
		}
	}
	trained, err := corpus.Modules(func(module string, done float64) {
		p.Update(fmt.Sprintf("training the module %s: %.0f %%", module, 100*done))
	})
	if err != nil {
		return err
	}
	for _, m := range trained {
		if _, err := library.PublishModule(ctx, c.Store, m, true); err != nil {
			return err
		}
	}
	p.Say("%d tasks of %d documented declarations, %d embedding modules", len(sources), len(corpus.Comments), len(trained))
	return nil
}

// findGoroot asks the toolchain where it is.
func findGoroot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if dir := strings.TrimSpace(string(out)); err == nil && dir != "" {
		return dir, nil
	}
	return "", errors.New("no Go installation is found (`go env GOROOT` does not answer): give one with --goroot")
}
