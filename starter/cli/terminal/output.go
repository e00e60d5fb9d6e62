package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/starter/client"
)

// Written is a stream that remembers the first error of being written to: no line that is
// printed is looked after by itself. After it nothing more is written.
type Written struct {
	To io.Writer

	mu  sync.Mutex
	err error
}

// Write implements io.Writer.
func (w *Written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.To.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if at := new(fs.PathError); errors.As(err, &at) { // whose path is that of a descriptor
		err = at.Err
	}
	if err != nil {
		w.err = fmt.Errorf("writing standard output: %w", err)
	}
	return n, w.err
}

// Err is the first error, or nil.
func (w *Written) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// PrintJSON writes a value as indented JSON to standard output.
func (a *App) PrintJSON(v any) error {
	e := json.NewEncoder(a.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Answer gives what was asked for: as JSON for scripts, else as text.
func (a *App) Answer(v any, format string, args ...any) error {
	if a.JSON {
		return a.PrintJSON(v)
	}
	a.Print(format, args...)
	return nil
}

// Listing is a kind of things that a command lists, and what people see of each.
type Listing[T any] struct {
	Short string
	// Empty is said where there are none.
	Empty string
	// Columns are as Table has them, Row is one thing's.
	Columns []string
	Row     func(T) []any
	// Read reads them all; the client is nil where Local says that no server is needed.
	Read  func(ctx context.Context, c *client.Client) ([]T, error)
	Local bool
}

// Command is the command list.
func (l *Listing[T]) Command(a *App) *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "list", Short: l.Short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.Local {
				return l.show(cmd.Context(), a, nil)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error { return l.show(cmd.Context(), a, c) })
		},
	})
}

func (l *Listing[T]) show(ctx context.Context, a *App, c *client.Client) error {
	things, err := l.Read(ctx, c)
	if err := a.AllRead(err); err != nil {
		return err
	}
	if len(things) == 0 && !a.JSON {
		a.Say("%s", l.Empty)
		return nil
	}
	rows := make([][]any, len(things))
	for i, t := range things {
		rows[i] = l.Row(t)
	}
	return a.Answer(append([]T{}, things...), "%s", a.Table(l.Columns, rows))
}

// Shown is a kind of things of which a command shows one by its name.
type Shown[T any] struct {
	// Use, Short and Long are the command's; Use names what the argument is.
	Use, Short, Long string
	Read             func(ctx context.Context, c *client.Client, name string) (T, error)
	// Print shows it to people; scripts get it as JSON.
	Print func(T)
}

// Command is the command that shows one.
func (s Shown[T]) Command(a *App) *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: s.Use, Short: s.Short, Long: s.Long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				thing, err := s.Read(cmd.Context(), c, args[0])
				switch {
				case err != nil:
					return err
				case a.JSON:
					return a.PrintJSON(thing)
				}
				s.Print(thing)
				return nil
			})
		},
	})
}

// Percent is a fraction for people.
func Percent(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }

// Duration is a time span in two units at most.
func Duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// AllRead lets a list be shown of which some records cannot be read, and says which
// those are.
func (a *App) AllRead(err error) error {
	if errors.Is(err, library.ErrUnreadable) {
		a.Say("warning: %v", err)
		return nil
	}
	return err
}

// DateFormat is how a report writes its date.
const DateFormat = "2 January 2006, 15:04"

// When is a point in time for people, in few columns; empty where it is not known.
func When(t time.Time) string {
	const near = 300 * 24 * time.Hour // of one year, whichever that is
	switch t = t.Local(); {
	case t.IsZero():
		return ""
	case time.Since(t).Abs() < near:
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2006-01-02")
}

// Span is a duration without zeros at its end: 24h, not 24h0m0s.
func Span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
