// Package serve is the commands that run servers and a worker on this machine, and
// searches over HTTP.
package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tnaml/deploy"
	"tnaml/deploy/stack"
	"tnaml/starter/cli/terminal"
	"tnaml/worker/host"
	"tnaml/worker/monitor"
)

// app is the program, with what serving takes.
type app struct{ *terminal.App }

// Commands run servers and a worker: until stopped, or for a demonstration.
func Commands(t *terminal.App) []*cobra.Command {
	a := app{t}
	return []*cobra.Command{a.demoCommand(), a.upCommand(), a.serveCommand(), a.serveModelCommand()}
}

// ofWorkers are the settings of a worker beside servers on its own machine: a disk cache would have what
// lies on that disk already.
var ofWorkers = []string{"worker.identity", "worker.slots", "worker.trainers", "worker.cache_mb", "worker.drain", "worker.deployment",
	"worker.build_id", "metrics"}

func (a app) upCommand() *cobra.Command {
	var noWorker bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the dev stack and a worker until stopped",
		Long: "Run a Temporal server with its web UI, an S3 server and a worker on this machine until Ctrl-C.\n\n" +
			"Everything is kept in the data directory: starting again goes on where it stopped, running searches included.\n" +
			"The first time the servers are built, which takes several minutes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := a.refuseExternal(); err != nil {
				return err
			}
			st, err := a.startStack(ctx)
			if errors.Is(err, stack.ErrHeld) {
				return fmt.Errorf("a dev stack is running on %s already: use it, or give another --data-dir", a.Config.DataDir)
			}
			if err != nil {
				return err
			}
			defer st.Close()
			addresses := st.Addresses()
			a.Print("web UI    %s\nTemporal  %s, namespace %s\nS3        %s, credentials in %s\ndata      %s\nlog       %s",
				addresses.UI, addresses.Temporal, addresses.Namespace, addresses.S3Endpoint,
				stack.CredentialsPath(a.Config.DataDir), a.Config.DataDir, addresses.Log)
			worker, serves := make(chan error, 1), make(chan struct{})
			if noWorker {
				a.Say("Running without a worker. Ctrl-C stops.")
			} else {
				m, stop, err := host.Monitored(a.Config, a.Logger())
				if err != nil {
					return err
				}
				defer stop()
				servers, err := a.Config.ConnectStack(ctx, addresses, a.Logger())
				if err != nil {
					return err
				}
				defer servers.Close()
				workerContext, stopWorker := context.WithCancel(ctx)
				defer stopWorker()
				go func() { worker <- Work(workerContext, a.App, servers, m, func() { close(serves) }) }()
				if a.Config.Metrics != "" {
					a.Print("metrics   http://%s/metrics", a.Config.Metrics)
				}
			}
			for {
				select {
				case <-serves:
					a.Say("A worker runs too. Ctrl-C stops; start again to go on.")
					serves = nil
					continue
				case <-ctx.Done():
					a.Say("stopping")
					if !noWorker {
						<-worker
					}
					return nil
				case err := <-worker:
					return err
				case <-st.Done():
					return fmt.Errorf("the dev stack ended by itself (%w): see %s", st.Err(), addresses.Log)
				}
			}
		},
	}
	cmd.Flags().BoolVar(&noWorker, "no-worker", false, "run the servers only")
	deploy.Flags(cmd.Flags(), ofWorkers...)
	return cmd
}

// refuseExternal refuses to start a dev stack beside configured servers.
func (a app) refuseExternal() error {
	external, err := a.Config.External()
	if err != nil {
		return err
	}
	if external {
		return errors.New("a Temporal server is configured (TNAML_TEMPORAL_ADDRESS or the SDK's own settings): no dev stack is needed; " +
			"run the worker program instead")
	}
	return nil
}

// startStack starts the dev stack on the data directory and says what happens.
func (a app) startStack(ctx context.Context) (*stack.Stack, error) {
	p := a.NewProgress()
	defer p.Clear()
	return stack.Start(ctx, a.stackOptions(func(line string) { p.Update(line) }))
}

func (a app) stackOptions(progress func(string)) stack.Options {
	return stack.Options{Dir: a.Config.DataDir, Cache: filepath.Join(a.Config.DataDir, "cache"), Progress: progress}
}

// Work serves as a worker until ctx ends; m watches it, or is nil, and serves is called once it takes
// work, or is nil.
func Work(ctx context.Context, a *terminal.App, s *deploy.Servers, m *monitor.Monitor, serves func()) error {
	identity := a.Config.Worker.Identity
	if identity == "" {
		hostname, _ := os.Hostname()
		identity = fmt.Sprintf("starter-%d@%s", os.Getpid(), hostname)
	}
	serve, err := a.Config.Worker.Serve()
	if err != nil {
		return err
	}
	drain, err := a.Config.Worker.Grace(0)
	if err != nil {
		return err
	}
	version, err := a.Config.Worker.Version()
	if err != nil {
		return err
	}
	return host.Run(ctx, s.Client, s.Store, host.Options{
		Namespace: s.Namespace, TaskQueue: a.Config.Temporal.TaskQueue, Slots: a.Config.Worker.Slots, Serve: serve,
		CacheBytes: int64(a.Config.Worker.CacheMB) << 20, Identity: identity, Log: a.Logger(),
		Commands: a.Config.Trainers, Directory: host.TrialsDir(a.Config), Drain: drain, Deployment: version, Monitor: m,
		Serves: serves,
	})
}
