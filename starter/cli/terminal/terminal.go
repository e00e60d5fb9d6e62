// Package terminal is what the commands of a program share: its streams, lines, tables
// and progress, its flags, and the way to the servers.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/temporal"

	"tnaml/deploy"
	"tnaml/starter/client"
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

// App is one run of the program.
type App struct {
	Process
	// Config is there once a command runs.
	Config *deploy.Config
	// JSON says that scripts read the output.
	JSON bool
}

// ErrInterrupted is a Ctrl-C that has been dealt with.
var ErrInterrupted = errors.New("interrupted")

// Columns is the width to write for: the terminal's, within bounds.
func (a *App) Columns() int {
	if w := a.Width(); w > 0 {
		return min(max(w, 60), 140)
	}
	return 80
}

// JSONFlag gives a command --json.
func (a *App) JSONFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&a.JSON, "json", false, "print JSON, for scripts")
	return cmd
}

// Say writes a line to standard error: for people, not for pipes.
func (a *App) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.Stderr, format+"\n", args...)
}

// Print writes a line to standard output: what was asked for.
func (a *App) Print(format string, args ...any) {
	_, _ = fmt.Fprintf(a.Stdout, format+"\n", args...)
}

// Logger writes to standard error what the configuration asks for.
func (a *App) Logger() *slog.Logger {
	level, _ := a.Config.Level(slog.LevelWarn) // validated
	return slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: level}))
}

// Connect opens the servers.
func (a *App) Connect(ctx context.Context) (*deploy.Servers, error) {
	s, err := a.Config.Connect(ctx, a.Logger())
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, ErrInterrupted
	}
	return s, err
}

// Client is a client of open servers.
func (a *App) Client(s *deploy.Servers) *client.Client {
	return &client.Client{Temporal: s.Client, Store: s.Store, Namespace: s.Namespace, TaskQueue: a.Config.Temporal.TaskQueue, UI: s.UI}
}

// WithClient runs f with a client of the servers.
func (a *App) WithClient(ctx context.Context, f func(c *client.Client) error) error {
	s, err := a.Connect(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(a.Client(s))
}

// Message is an error as a person wants to read it, with the way out: a failed workflow
// or activity by its cause, without the wrapping that says only where it was.
func Message(err error) string {
	var cause *temporal.ApplicationError
	var missing *client.NotFoundError
	var taken *client.TakenError
	switch text := err.Error(); {
	case errors.As(err, &cause):
		return cause.Message()
	case errors.As(err, &missing) && missing.Kind == client.Schedule:
		return text + ": see `starter schedule list`"
	case errors.As(err, &missing):
		return text + " (see `starter list` and `starter experiment list`)"
	case errors.As(err, &taken) && taken.Kind == client.Schedule:
		return fmt.Sprintf("%s: delete it with `starter schedule delete %s`, or choose another name", text, taken.Name)
	case errors.As(err, &taken):
		return fmt.Sprintf("%s: follow it with `starter watch %s`, or choose another name", text, taken.Name)
	case errors.Is(err, client.ErrNotBegun):
		return text + "; is a worker running?"
	default:
		return text
	}
}
