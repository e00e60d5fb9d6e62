package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"tnaml/activities/download"
	"tnaml/activities/pull"
	"tnaml/activities/store"
	"tnaml/starter/cli/terminal"
)

// Job is a pull of some things.
type Job struct {
	Options
	// What is their name in the plural; All says that nobody named them: those that a
	// person must get do not count as failures then.
	What string
	All  bool
	// Run pulls them, Line says what came of one, Columns and Row are the table of what
	// came, and Hint says what a person can do for the ith that did not. There is said
	// besides of one that is there already.
	Run     func(ctx context.Context, p *pull.Puller) []pull.Outcome
	Line    func(pull.Outcome) string
	Columns []string
	Row     func(pull.Outcome) []any
	Hint    func(i int) string
	There   string
}

// Pull downloads, makes and stores, and tells how it went.
func (j Job) Pull(ctx context.Context, a *terminal.App, s store.Store) error {
	show := newProgress(a)
	client := &download.Client{Dir: j.Dir, Mirror: j.Mirror, HTTP: download.NewHTTP(env(a)), Progress: show.show}
	outcomes := j.Run(ctx, &pull.Puller{Store: s, Client: client, Overwrite: j.Overwrite, Keep: j.Keep, Tell: func(e pull.Event) {
		if line := j.line(e); line != "" {
			show.say(line)
		}
	}})
	show.stop()
	switch {
	case a.JSON:
		if err := a.PrintJSON(outcomes); err != nil {
			return err
		}
	case slices.ContainsFunc(outcomes, func(o pull.Outcome) bool { return o.Status == pull.Stored }):
		var rows [][]any
		for _, o := range outcomes {
			if o.Status == pull.Stored {
				rows = append(rows, append(j.Row(o), humanize.Bytes(bytesOf(o))))
			}
		}
		a.Print("%s", a.Table(append(slices.Clone(j.Columns), ">downloaded"), rows))
	}
	if ctx.Err() != nil {
		a.Say("Interrupted. What has been downloaded is in %s; run the command again to go on.", j.Dir)
		return errors.Join(terminal.ErrInterrupted, ctx.Err())
	}
	return j.failures(a, outcomes)
}

// failures tells together of all that did not come.
func (j Job) failures(a *terminal.App, outcomes []pull.Outcome) error {
	var failed []string
	var first error
	for i, o := range outcomes {
		var err error
		switch {
		case o.Status == pull.ByHand && j.All:
			a.Say("\n%s must be got by hand. %s", o.Name, j.Hint(i))
		case o.Status == pull.ByHand:
			err = fmt.Errorf("%s must be got by hand. %s", o.Name, j.Hint(i))
		case o.Status == pull.Failed:
			hint := "By hand: " + j.Hint(i)
			if len(o.InTheWay) > 0 { // it is there already, what a hint would say to put there
				hint = inTheWay(o.InTheWay)
			}
			err = fmt.Errorf("%s: %w%s\n%s", o.Name, o.Err(), kept(o, j.Dir), hint)
		}
		if err != nil {
			failed = append(failed, err.Error())
			if first == nil {
				first = err
			}
		}
	}
	if len(failed) == 0 || len(outcomes) == 1 {
		return first
	}
	others := ""
	if len(failed) < len(outcomes) {
		others = "; the others are there"
	}
	return fmt.Errorf("%d of %d %s did not come%s:\n\n%s", len(failed), len(outcomes), j.What, others, strings.Join(failed, "\n\n"))
}

// kept says what came of a thing that did not come whole, and where it is.
func kept(o pull.Outcome, dir string) string {
	said := ""
	if len(o.Files) > 0 {
		names := make([]string, len(o.Files))
		for i, f := range o.Files {
			names[i] = f.Name
		}
		said = fmt.Sprintf("\n%s: in %s, for the next pull", strings.Join(names, ", "), dir)
	}
	if len(o.Aside) > 0 {
		said += "\nset aside as " + strings.Join(o.Aside, ", ")
	}
	return said
}

// inTheWay says what to do about files that a person put there and that cannot be read.
func inTheWay(paths []string) string {
	if len(paths) == 1 {
		return paths[0] + " was there already and cannot be read: remove it, and the next pull downloads it"
	}
	return strings.Join(paths, ", ") + " were there already and cannot be read: remove them, and the next pull downloads them"
}

// bytesOf is the size of a thing's files.
func bytesOf(o pull.Outcome) uint64 {
	var sum int64
	for _, f := range o.Files {
		sum += f.Size
	}
	return uint64(sum)
}

// line is what is said of a thing.
func (j Job) line(e pull.Event) string {
	o := e.Outcome
	if o == nil {
		return e.Message
	}
	switch o.Status {
	case pull.There:
		return fmt.Sprintf("%s is there%s", e.Set, j.There)
	case pull.Stored:
		line := fmt.Sprintf("%s: %s, of %s", e.Set, j.Line(*o), humanize.Bytes(bytesOf(*o)))
		for _, n := range o.Notes {
			line += "\n  note: " + n
		}
		return line
	}
	return "" // failures are told together at the end
}

// env reads the process's environment.
func env(a *terminal.App) func(name string) string {
	return func(name string) string {
		for _, e := range a.Environ {
			if k, v, ok := strings.Cut(e, "="); ok && k == name {
				return v
			}
		}
		return ""
	}
}
