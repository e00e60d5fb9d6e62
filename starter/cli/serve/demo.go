package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tnaml/deploy"
	"tnaml/deploy/stack"
	"tnaml/experiments/catalog"
	"tnaml/experiments/report"
	"tnaml/experiments/study"
	"tnaml/starter/cli/follow"
	"tnaml/starter/cli/samples"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/worker/host"
)

// demoExperiment is the experiment that the demonstration runs.
const demoExperiment = "demo"

func (a app) demoCommand() *cobra.Command {
	var trials int
	var keep bool
	var output, source string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it all work: real searches on real text, in about three minutes",
		Long: "Make text classification tasks of the documentation comments in Go's standard library, pretrain a controller on four of\n" +
			"them, and search two others with random search, from scratch, with the transferred controller and with both ablations.\n" +
			"The searches are real workflows on a real Temporal server.\n\n" +
			"A running dev stack is used; else one is started, and stopped at the end (--keep leaves it running).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.demoServers(ctx, source, func(c *client.Client) error {
				if err := samples.Ensure(ctx, a.App, c, catalog.KindExperiment, demoExperiment, json.RawMessage("{}"), source); err != nil {
					return err
				}
				if err := a.demoRun(ctx, c, trials, output); err != nil || !keep {
					return err
				}
				a.Say("\nRunning on, with a worker. Ctrl-C stops.")
				<-ctx.Done()
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&trials, "trials", 60, "trials of each search")
	terminal.Positive(cmd, "trials")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the servers and the worker running at the end")
	cmd.Flags().StringVarP(&output, "output", "o", "", "the report (default report.html in the data directory)")
	cmd.Flags().StringVar(&source, "goroot", "", "Go installation whose comments to read (default: that of the command go)")
	deploy.Flags(cmd.Flags(), ofWorkers...)
	return cmd
}

// demoServers runs f on the configured servers, on a running dev stack, or on
// one started for the occasion, always with a worker of its own. While the dev stack is built for
// the first time there is a search to look at, of Go's documentation in source.
func (a app) demoServers(ctx context.Context, source string, f func(*client.Client) error) error {
	m, unwatch, err := host.Monitored(a.Config, a.Logger())
	if err != nil {
		return err
	}
	defer unwatch()
	servers, err := a.Connect(ctx)
	if errors.Is(err, deploy.ErrNoServers) {
		a.Say("Starting a Temporal server, its web UI and an S3 server on this machine.")
		var st *stack.Stack
		start := func(progress func(string)) error {
			st, err = stack.Start(ctx, a.stackOptions(progress))
			return err
		}
		if options := a.stackOptions(nil); a.Terminal && !stack.Built(options.Cache) {
			err = a.whileBuilding(ctx, source, start)
		} else {
			st, err = a.startStack(ctx)
		}
		if err != nil {
			return err
		}
		defer st.Close()
		servers, err = a.Config.ConnectStack(ctx, st.Addresses(), a.Logger())
	}
	if err != nil {
		return err
	}
	defer servers.Close()
	if servers.UI != "" {
		a.Say("web UI: %s", servers.UI)
	}
	workerContext, stop := context.WithCancel(ctx)
	worker := make(chan error, 1)
	go func() { worker <- Work(workerContext, a.App, servers, m, nil) }()
	done := make(chan error, 1)
	go func() { done <- f(a.Client(servers)) }()
	select {
	case err = <-done:
		stop()
		return errors.Join(err, <-worker)
	case err = <-worker:
		stop()
		if ctx.Err() != nil {
			<-done
			return terminal.ErrInterrupted
		}
		return fmt.Errorf("the worker ended: %w", err)
	}
}

// demoRun runs the experiment demo, compares its arms and writes the report.
func (a app) demoRun(ctx context.Context, c *client.Client, trials int, output string) error {
	spec, err := json.Marshal(map[string]any{"experiment": demoExperiment, "trials": trials})
	if err != nil {
		return err
	}
	name, err := c.StartRun(ctx, catalog.KindExperiment, "", demoExperiment, spec)
	if err != nil {
		return err
	}
	a.Say("run %s: a controller pretrained on some tasks, and searches of %d trials in every arm on others%s", name, trials,
		follow.Where(c, name))
	found, err := follow.Wait(ctx, a.App, c, client.Run, name)
	if ctx.Err() != nil {
		return terminal.ErrInterrupted
	}
	if err != nil {
		return err
	}
	result := found.Run
	st, err := c.ReportStudy(ctx, demoExperiment, name)
	if err != nil {
		return err
	}
	if output == "" {
		output = filepath.Join(a.Config.DataDir, "report.html")
	}
	if err := a.Output(output, func(w io.Writer) error {
		return report.WriteExperiment(w, st, time.Now().Format(terminal.DateFormat))
	}); err != nil {
		return err
	}
	a.Print("\n%d searches, %d trials, %s of CPU time\n\n%s\n", result.Searches, result.Trials, terminal.Duration(result.CPUSeconds),
		follow.StudyTables(st))
	a.Print("report  %s", output)
	if c.UI != "" {
		a.Print("web UI  %s (`starter up` starts it again)", c.UI)
	}
	search := result.Outcomes[len(result.Outcomes)-1].Search
	for _, o := range result.Outcomes {
		if o.Arm == st.Against && o.Phase == study.Transfer {
			search = o.Search
		}
	}
	a.Print("more    `starter best %s` · `starter predict %s` · `starter controller show demo` · `starter run --help`", search, search)
	return nil
}
