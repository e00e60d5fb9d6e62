// Command worker runs trials: it serves the workflows and activities until it
// is asked to stop, and may come and go at any time. Searches go on with
// whatever workers there are.
//
// Exit codes: 0 stopped as asked (SIGINT, SIGTERM), 1 failed, 2 wrong usage.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tnaml/deploy"
	"tnaml/worker/host"
)

// defaultDrain is how long a worker that stops lets trials end.
const defaultDrain = 30 * time.Second

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run is the program with everything it touches of the process.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	started := false
	cmd := &cobra.Command{
		Use:     "worker",
		Short:   "Run trials for searches until stopped",
		Version: deploy.Version(args),
		Long: "Run trials for searches until stopped. Start as many workers as there are machines: searches\n" +
			"find them through the Temporal server, and give the same result whatever their number.",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := deploy.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			started = true
			log := config.Logger(stderr, slog.LevelInfo)
			for _, w := range config.Warnings {
				log.Warn(w)
			}
			return serve(cmd.Context(), config, log)
		},
	}
	cmd.SetVersionTemplate(deploy.VersionTemplate)
	deploy.Flags(cmd.Flags(), "")
	deploy.Decimal(cmd.Flags())
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil, ctx.Err() != nil:
		return 0
	case started:
		_, _ = fmt.Fprintln(stderr, "worker:", err)
		return exitFailed
	}
	_, _ = fmt.Fprintf(stderr, "worker: %s; see `worker --help`\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	return exitUsage
}

// serve runs a worker until ctx ends.
func serve(ctx context.Context, config *deploy.Config, log *slog.Logger) error {
	serve, err := config.Worker.Serve()
	if err != nil {
		return err
	}
	drain, err := config.Worker.Grace(defaultDrain)
	if err != nil {
		return err
	}
	version, err := config.Worker.Version()
	if err != nil {
		return err
	}
	m, stop, err := host.Monitored(config, log)
	if err != nil {
		return err
	}
	defer stop()
	servers, err := config.Connect(ctx, log)
	if err != nil {
		return err
	}
	defer servers.Close()
	log.Info("worker starts", "namespace", servers.Namespace, "taskQueue", config.Temporal.TaskQueue, "store", config.S3)
	err = host.Run(ctx, servers.Client, servers.Store, host.Options{
		Namespace: servers.Namespace, TaskQueue: config.Temporal.TaskQueue, Slots: config.Worker.Slots, Serve: serve,
		CacheBytes: int64(config.Worker.CacheMB) << 20, Identity: config.Worker.Identity, Log: log,
		DiskCache: filepath.Join(config.DataDir, "blobs"), DiskCacheBytes: int64(config.Worker.DiskCacheMB) << 20,
		Commands: config.Trainers, Directory: host.TrialsDir(config), Drain: drain, Deployment: version, Monitor: m,
	})
	log.Info("worker stopped")
	return err
}
