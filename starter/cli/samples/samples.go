// Package samples makes the tasks and modules that need no data: of the documentation
// comments in Go's standard library.
package samples

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/experiments/data"
	"tnaml/experiments/data/godoc"
	"tnaml/experiments/data/text"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// prefix begins the names of all that is made.
const prefix = "godoc-"

// Ensure makes what a run of an experiment needs of them and is not there, once the run is known to be one: nobody waits
// for samples to hear of a slip. goroot is the Go installation to read, or empty.
func Ensure(ctx context.Context, a *terminal.App, c *client.Client, kind catalog.Kind, experiment string, spec json.RawMessage,
	goroot string) error {
	e, err := library.LoadExperiment(ctx, c.Store, experiment)
	if err != nil {
		return err
	}
	plan, err := catalog.MakePlan(kind, e, spec)
	if err != nil {
		return client.Usage(err)
	}
	var needed, others []string
	for _, name := range plan.Tasks() {
		if strings.HasPrefix(name, prefix) && slices.Contains(e.Tasks(), name) {
			needed = append(needed, name)
		} else {
			others = append(others, name)
		}
	}
	if len(needed) == 0 {
		return nil
	}
	tasks, modules, err := published(ctx, c)
	if err != nil || len(modules) > 0 && !slices.ContainsFunc(needed, func(name string) bool { return !tasks[name] }) {
		return err
	}
	_, wrong, err := library.PinTasks(ctx, c.Store, others)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("experiment %q: %w", experiment, errors.Join(wrong...))
	}
	if goroot == "" {
		if goroot, err = findGoroot(ctx); err != nil {
			return fmt.Errorf("making the tasks of experiment %s: %w", experiment, err)
		}
	}
	return publish(ctx, a, c, goroot, tasks, modules)
}

// published are the tasks and modules that are there. A record that cannot be read
// concerns nobody who does not need it; who does is told when it is published.
func published(ctx context.Context, c *client.Client) (tasks, modules map[string]bool, err error) {
	tasks, modules = map[string]bool{}, map[string]bool{}
	records, err := library.Datasets(ctx, c.Store)
	if err != nil && !errors.Is(err, library.ErrUnreadable) {
		return nil, nil, err
	}
	for _, r := range records {
		tasks[r.Name] = true
	}
	others, err := library.Modules(ctx, c.Store)
	if err != nil && !errors.Is(err, library.ErrUnreadable) {
		return nil, nil, err
	}
	for _, m := range others {
		if strings.HasPrefix(m.Name, prefix) {
			modules[m.Name] = true
		}
	}
	return tasks, modules, nil
}

// publish makes the tasks and modules that are not there.
func publish(ctx context.Context, a *terminal.App, c *client.Client, goroot string, tasks, modules map[string]bool) error {
	p := a.NewProgress()
	defer p.Clear()
	corpus, err := godoc.Read(os.DirFS(filepath.Join(goroot, "src")), func(done, total int) {
		p.Update(fmt.Sprintf("reading the standard library's comments: %d of %d files", done, total))
	})
	if err != nil {
		return fmt.Errorf("the Go installation in %s: %w", goroot, err)
	}
	sources := corpus.Tasks()
	for i, source := range sources {
		if tasks[source.Name] {
			continue
		}
		p.Update(fmt.Sprintf("tasks: %d of %d, %s", i+1, len(sources), source.Name))
		t, err := text.Build(source.Examples, data.Options{Name: source.Name, Source: godoc.Source + ": " + source.Description,
			Licence: godoc.Licence})
		if err != nil {
			return err
		}
		if _, err := library.PublishTask(ctx, c.Store, t, false); err != nil {
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
		if modules[m.Name] {
			continue
		}
		if _, err := library.PublishModule(ctx, c.Store, m, false); err != nil {
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
	return "", errors.New("no Go installation is found (`go env GOROOT` does not answer): install Go, or run `starter demo --goroot DIR`")
}
