// Package cli is the starter's command line. One value, Process, holds all it
// touches of its process, so that every path runs in a test.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"tnaml/deploy"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells have it for SIGINT
)

// Process is what a command touches of its process.
type Process struct {
	Args, Environ  []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal says that Stderr is a terminal: progress is one line that
	// changes, instead of plain lines.
	Terminal bool
	// Interactive says that Stdin is a terminal too: questions may be asked.
	Interactive bool
	// Width is the terminal's, in columns, or 0; it may be nil.
	Width func() int
}

// Run runs a command line and returns its exit code.
func Run(ctx context.Context, p Process) int {
	if p.Width == nil {
		p.Width = func() int { return 0 }
	}
	a := &app{Process: p}
	root := a.root()
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted), ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case a.running && !errors.As(err, new(usageError)):
		a.say("starter: %s", message(err))
		return exitFailed
	}
	a.say("starter: %s\nSee `starter %s--help`.", message(err), a.named(root))
	return exitUsage
}

// errInterrupted is a Ctrl-C that has been dealt with.
var errInterrupted = errors.New("interrupted")

// message is an error as a person wants to read it: a failed workflow or
// activity by its cause, without the wrapping that says only where it was.
func message(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		text := strings.Replace(err.Error(), "sql: no rows in result set", "there is none of that name (see `starter list`)", 1)
		if !strings.Contains(text, "`") {
			text += " (see `starter list` and `starter experiment list`)"
		}
		return text
	}
	return err.Error()
}

// columns is the width to write for: the terminal's, within bounds.
func (a *app) columns() int {
	if w := a.Width(); w > 0 {
		return min(max(w, 60), 140)
	}
	return 80
}

// app is one run of the program.
type app struct {
	Process
	config *deploy.Config
	// running: the command line was right, what fails now is not its fault.
	running bool
	json    bool
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Transfer Neural AutoML: searches for good models, as durable workflows",
		Long: "tnaml searches for good models for your tasks: it trains child models on the workers there are,\n" +
			"learns a controller from their accuracy, and keeps everything in Temporal and S3.\n\n" +
			"Start with `starter demo`. With your own data:\n\n" +
			"  starter up                                     # servers and a worker, in another terminal\n" +
			"  starter data import spam.tsv --name spam       # columns text and label\n" +
			"  starter search --task spam --trials 200        # follow it, here and in the web UI\n" +
			"  starter best spam-naml-s1-1\n" +
			"  echo 'free prize, call now' | starter predict spam-naml-s1-1\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkNumbers(cmd.Flags()); err != nil {
				return err
			}
			if a.config, err = deploy.Load(cmd.Flags(), a.Environ); err == nil {
				a.running = true
			}
			return err
		},
	}
	deploy.Flags(root.PersistentFlags(), "data_dir", "log_level", "temporal.", "s3.")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.demoCommand(), a.upCommand(),
		a.dataCommand(), a.moduleCommand(), a.spaceCommand(),
		a.searchCommand(), a.watchCommand(), a.listCommand(), a.trialsCommand(), a.bestCommand(),
		a.modelCommand(), a.predictCommand(), a.reportCommand(), a.removeCommand(removeSearch), a.gcCommand(),
		a.runCommand(), a.experimentCommand(), a.controllerCommand(), a.scheduleCommand(),
	)
	root.AddCommand(a.controlCommands()...)
	return root
}

// named is the path of the command that was meant, for a hint.
func (a *app) named(root *cobra.Command) string {
	cmd, _, err := root.Find(a.Args)
	if err != nil || cmd == root {
		return ""
	}
	return strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ") + " "
}

// jsonFlag gives a command --json.
func (a *app) jsonFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON, for scripts")
	return cmd
}

// say writes a line to standard error: for people, not for pipes.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.Stderr, format+"\n", args...)
}

// print writes a line to standard output: what was asked for.
func (a *app) print(format string, args ...any) {
	_, _ = fmt.Fprintf(a.Stdout, format+"\n", args...)
}

func (a *app) logger() *slog.Logger {
	level, _ := a.config.Level(slog.LevelWarn) // validated
	return slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: level}))
}

// connect opens the servers.
func (a *app) connect(ctx context.Context) (*deploy.Servers, error) {
	s, err := a.config.Connect(ctx, a.logger())
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, errInterrupted
	}
	return s, err
}

// withServers runs f with open servers.
func (a *app) withServers(ctx context.Context, f func(s *deploy.Servers) error) error {
	s, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s)
}
