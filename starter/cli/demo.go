package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/activities"
	"tnaml/deploy"
	"tnaml/deploy/stack"
	"tnaml/experiments/godoc"
	"tnaml/experiments/metrics"
	"tnaml/experiments/report"
	"tnaml/experiments/task"
	"tnaml/workflows"
)

// demoTasks are the tasks that the demonstration searches.
var demoTasks = []string{"godoc-area", "godoc-error"}

func (a *app) demoCommand() *cobra.Command {
	var trials int
	var keep bool
	var output, source string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it all work: real searches on real text, in about three minutes",
		Long: "Make text classification tasks of the documentation comments in Go's standard library, search two of them with random\n" +
			"search and with a controller, and compare. The searches are real workflows on a real Temporal server.\n\n" +
			"A running dev stack is used; else one is started, and stopped at the end (--keep leaves it running).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if trials < 1 {
				return usageError{fmt.Errorf("--trials is %d: give at least 1", trials)}
			}
			return a.demoServers(ctx, func(s *deploy.Servers) error {
				if err := a.demoData(ctx, s, source); err != nil {
					return err
				}
				if err := a.demoSearches(ctx, s, trials, output); err != nil || !keep {
					return err
				}
				a.say("\nRunning on, with a worker. Ctrl-C stops.")
				<-ctx.Done()
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&trials, "trials", 60, "trials of each search")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the servers and the worker running at the end")
	cmd.Flags().StringVarP(&output, "output", "o", "", "the report (default report.html in the data directory)")
	cmd.Flags().StringVar(&source, "goroot", "", "Go installation whose comments to read (default: that of `go`)")
	deploy.Flags(cmd.Flags(), "worker.")
	return cmd
}

// demoServers runs f on the configured servers, on a running dev stack, or on
// one started for the occasion; always with a worker of its own.
func (a *app) demoServers(ctx context.Context, f func(*deploy.Servers) error) error {
	servers, err := a.connect(ctx)
	if errors.Is(err, deploy.ErrNoServers) {
		a.say("Starting a Temporal server, its web UI and an S3 server on this machine.")
		var st *stack.Stack
		if st, err = a.startStack(ctx); err != nil {
			return err
		}
		defer st.Close()
		servers, err = a.config.ConnectStack(ctx, st.Addresses(), a.logger())
	}
	if err != nil {
		return err
	}
	defer servers.Close()
	if servers.UI != "" {
		a.say("web UI: %s", servers.UI)
	}
	workerContext, stop := context.WithCancel(ctx)
	worker := make(chan error, 1)
	go func() { worker <- a.work(workerContext, servers) }()
	done := make(chan error, 1)
	go func() { done <- f(servers) }()
	select {
	case err = <-done:
		stop()
		return errors.Join(err, <-worker)
	case err = <-worker:
		stop()
		if ctx.Err() != nil {
			<-done
			return errInterrupted
		}
		return fmt.Errorf("the worker ended: %w", err)
	}
}

// demoData publishes the tasks and modules that are not there yet.
func (a *app) demoData(ctx context.Context, s *deploy.Servers, goroot string) error {
	p := a.newProgress()
	defer p.clear()
	there := map[string]bool{}
	records, err := activities.Datasets(ctx, s.Store)
	if err != nil {
		return err
	}
	for _, r := range records {
		there[r.Card.Options.Name] = true
	}
	modules, err := activities.Modules(ctx, s.Store)
	if err != nil {
		return err
	}
	haveModules := false
	for _, m := range modules {
		haveModules = haveModules || strings.HasPrefix(m.Name, "godoc-")
	}
	if haveModules && there[demoTasks[0]] && there[demoTasks[1]] {
		return nil
	}
	if goroot == "" {
		if goroot, err = findGoroot(ctx); err != nil {
			return err
		}
	}
	corpus, err := godoc.Read(os.DirFS(filepath.Join(goroot, "src")), func(done, total int) {
		p.update(fmt.Sprintf("reading the standard library's comments: %d of %d files", done, total))
	})
	if err != nil {
		return err
	}
	sources := corpus.Tasks()
	for i, source := range sources {
		p.update(fmt.Sprintf("tasks: %d of %d, %s", i+1, len(sources), source.Name))
		t, err := task.Build(source.Examples, task.Options{Name: source.Name, Source: godoc.Source + ": " + source.Description, Licence: godoc.Licence})
		if err != nil {
			return err
		}
		if _, err := activities.PublishTask(ctx, s.Store, t, true); err != nil {
			return err
		}
	}
	trained, err := corpus.Modules(func(module string, done float64) {
		p.update(fmt.Sprintf("training the module %s: %.0f %%", module, 100*done))
	})
	if err != nil {
		return err
	}
	for _, m := range trained {
		if _, err := activities.PublishModule(ctx, s.Store, m, true); err != nil {
			return err
		}
	}
	p.say("%d tasks of %d documented declarations, %d embedding modules", len(sources), len(corpus.Comments), len(trained))
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

// demoSearches runs the searches side by side, compares them and writes the
// report.
func (a *app) demoSearches(ctx context.Context, s *deploy.Servers, trials int, output string) error {
	var names []string
	for _, task := range demoTasks {
		for _, strategy := range []string{"random", "naml"} {
			spec := workflows.DefaultSearchSpec()
			spec.Tasks, spec.Strategy, spec.Trials = []string{task}, strategy, trials
			spec.Space, spec.Experiment, spec.CheckpointEvery = "text-small", "demo", 20
			name, err := a.start(ctx, s, "", spec)
			if err != nil {
				return err
			}
			names = append(names, name)
		}
	}
	a.say("%d searches of %d trials each:", len(names), trials)
	for _, name := range names {
		a.say("  %s%s", name, a.where(s, name))
	}
	if _, err := a.wait(ctx, s, a.newProgress(), names...); err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	in, err := a.reportInput(ctx, s, "tnaml demo", names)
	if err != nil {
		return err
	}
	if output == "" {
		output = filepath.Join(a.config.DataDir, "report.html")
	}
	if err := writeFile(output, func(w io.Writer) error { return report.Write(w, in) }); err != nil {
		return err
	}
	a.print("\n%s\n", comparison(in))
	a.print("report  %s", output)
	if s.UI != "" {
		a.print("web UI  %s (`starter up` starts it again)", s.UI)
	}
	a.print("more    starter best %s · starter trials %s · starter predict %s", names[len(names)-1], names[len(names)-1], names[len(names)-1])
	return nil
}

// comparison is the searches side by side.
func comparison(in report.Input) string {
	t := newTable(table.Row{"task", "strategy", "trials", "top10 validation", "top10 test", "best test", "mean trial", "CPU"},
		"trials", "top10 validation", "top10 test", "best test", "mean trial", "CPU")
	for _, s := range in.Searches {
		cpu := 0.0
		for _, c := range s.Costs {
			cpu += c.CPUSeconds
		}
		for i, task := range s.Config.Tasks {
			top, ok := metrics.AccuracyTopN(s.Trials, i, 10)
			if !ok {
				t.AppendRow(table.Row{task.Name, s.Config.Strategy, len(s.Trials), "no model"})
				continue
			}
			var all []float64
			for _, trial := range s.Trials {
				if trial.Task == i {
					all = append(all, trial.Validation)
				}
			}
			t.AppendRow(table.Row{
				task.Name, s.Config.Strategy, len(all), percent(top.Validation.Mean),
				fmt.Sprintf("%.2f ± %.2f %%", 100*top.Test.Mean, 100*top.Test.Error), percent(top.Trials[0].Test), percent(metrics.Mean(all).Mean), duration(cpu),
			})
		}
	}
	return t.Render()
}
