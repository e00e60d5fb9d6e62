// Package terminal is what the commands of a program share: its streams, lines, tables
// and progress, its flags, and the way to the servers.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	// Width is the columns of the terminal that a stream is, or 0; it may be nil.
	Width func(stream io.Writer) int
	// Program is how the program was called, for hints; empty is "starter".
	Program string
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

// ErrUnfinished says that what was followed was stopped, canceled or paused before its
// end, so that it has not found all that it was to find.
var ErrUnfinished = errors.New("unfinished")

// Unfinished marks an error as ErrUnfinished, and leaves its text as it is.
func Unfinished(err error) error { return unfinished{err} }

type unfinished struct{ error }

func (u unfinished) Unwrap() error { return u.error }

func (unfinished) Is(target error) bool { return target == ErrUnfinished }

// WidthOf is the columns of the terminal that a stream is, or 0.
func (a *App) WidthOf(stream io.Writer) int {
	if a.Width == nil {
		return 0
	}
	if w, ok := stream.(*Written); ok {
		stream = w.To
	}
	return a.Width(stream)
}

// Columns is the width to write for: the terminal's, within bounds.
func (a *App) Columns() int {
	if w := a.WidthOf(a.Stdout); w > 0 {
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
	_, _ = fmt.Fprintln(a.Stderr, a.called(Clean(fmt.Sprintf(format, args...))))
}

// Print writes a line to standard output: what was asked for.
func (a *App) Print(format string, args ...any) {
	_, _ = fmt.Fprintln(a.Stdout, a.called(Clean(fmt.Sprintf(format, args...))))
}

// program is the program's name, as texts have it.
const program = "starter"

// Named has a program's help name it as it was called.
func (a *App) Named(root *cobra.Command) {
	if a.Program == "" || a.Program == program {
		return
	}
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: a.Program}
	inHelp := strings.NewReplacer("`"+program+" ", "`"+a.Program+" ", "  "+program+" ", "  "+a.Program+" ", "| "+program+" ",
		"| "+a.Program+" ", "see "+program+" ", "see "+a.Program+" ")
	var rename func(cmd *cobra.Command)
	rename = func(cmd *cobra.Command) {
		for _, text := range []*string{&cmd.Short, &cmd.Long, &cmd.Example} {
			*text = inHelp.Replace(*text)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = inHelp.Replace(f.Usage) })
		for _, c := range cmd.Commands() {
			rename(c)
		}
	}
	rename(root)
}

// called has hints, `starter list`, name the program as it was called.
func (a *App) called(text string) string {
	if a.Program == "" || a.Program == program {
		return text
	}
	return strings.ReplaceAll(text, "`"+program+" ", "`"+a.Program+" ")
}

// Logger writes to standard error what the configuration asks for.
func (a *App) Logger() *slog.Logger {
	return a.Config.Logger(a.Stderr, slog.LevelWarn)
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
	return &client.Client{
		Temporal: s.Client, Store: s.Store, Namespace: s.Namespace, TaskQueue: a.Config.Temporal.TaskQueue, UI: s.UI,
		Warn: func(text string) { a.Say("warning: %s", text) },
	}
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
