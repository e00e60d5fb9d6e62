package data

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/progress"

	"tnaml/activities/download"
	"tnaml/activities/pull"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/terminal"
)

// pull downloads and imports data sets. Where nobody named them, all, those that
// a person must get do not count as failures.
func (a app) pull(ctx context.Context, s store.Store, sets []catalog.Dataset, all bool, o pullOptions) error {
	show := a.newPullProgress()
	client := &download.Client{Dir: o.dir, Mirror: o.mirror, HTTP: download.NewHTTP(a.env), Progress: show.progress}
	p := &pull.Puller{Store: s, Client: client, Overwrite: o.overwrite, Keep: o.keep, Tell: func(e pull.Event) {
		if line := pullLine(e); line != "" {
			show.say(line)
		}
	}}
	outcomes := p.Run(ctx, sets)
	show.stop()
	switch {
	case a.JSON:
		if err := a.PrintJSON(outcomes); err != nil {
			return err
		}
	case slices.ContainsFunc(outcomes, func(o pull.Outcome) bool { return o.Status == pull.Stored }):
		a.Print("%s", a.storedTable(outcomes))
	}
	if ctx.Err() != nil {
		a.Say("Interrupted. What has been downloaded is in %s; run the command again to go on.", o.dir)
		return errors.Join(terminal.ErrInterrupted, ctx.Err())
	}
	var failed []error
	for i, out := range outcomes {
		switch {
		case out.Status == pull.ByHand && all:
			a.Say("\n%s must be got by hand. %s", out.Name, pull.Hint(&sets[i], o.dir))
		case out.Status == pull.ByHand:
			failed = append(failed, fmt.Errorf("%s must be got by hand. %s", out.Name, pull.Hint(&sets[i], o.dir)))
		case out.Status == pull.Failed:
			failed = append(failed, fmt.Errorf("%s: %w%s\nBy hand: %s", out.Name, out.Err(), kept(out, o.dir), pull.Hint(&sets[i], o.dir)))
		}
	}
	switch {
	case len(failed) > 0 && len(sets) > 1:
		others := ""
		if len(failed) < len(sets) {
			others = "; the others are there"
		}
		return fmt.Errorf("%d of %d data sets did not come%s:\n\n%s", len(failed), len(sets), others, joined(failed, "\n\n"))
	case len(failed) > 0:
		return failed[0]
	}
	return nil
}

// kept says what came of a set that did not come whole.
func kept(o pull.Outcome, dir string) string {
	if len(o.Files) == 0 {
		return ""
	}
	names := make([]string, len(o.Files))
	for i, f := range o.Files {
		names[i] = f.Name
	}
	return fmt.Sprintf("\n%s: in %s, for the next pull", strings.Join(names, ", "), dir)
}

// storedTable shows the tasks that came.
func (a app) storedTable(outcomes []pull.Outcome) string {
	var rows [][]any
	for _, o := range outcomes {
		if o.Status == pull.Stored {
			rows = append(rows, []any{o.Name, humanize.Comma(int64(o.Card.Examples)), len(o.Card.Classes), terminal.Percent(o.Card.MajorityAccuracy),
				humanize.Bytes(bytesOf(o))})
		}
	}
	return a.Table([]string{"task", ">examples", ">classes", ">majority", ">downloaded"}, rows)
}

// bytesOf is the size of a set's files.
func bytesOf(o pull.Outcome) uint64 {
	var sum int64
	for _, f := range o.Files {
		sum += f.Size
	}
	return uint64(sum)
}

func joined(errs []error, by string) string {
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	return strings.Join(lines, by)
}

// env reads the process's environment.
func (a app) env(name string) string {
	for _, e := range a.Environ {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// pullLine is what is said of a set.
func pullLine(e pull.Event) string {
	o := e.Outcome
	if o == nil {
		return e.Message
	}
	switch o.Status {
	case pull.There:
		return fmt.Sprintf("%s is there", e.Set)
	case pull.Stored:
		line := fmt.Sprintf("%s: %s examples in %d classes, of %s", e.Set, humanize.Comma(int64(o.Card.Examples)), len(o.Card.Classes),
			humanize.Bytes(bytesOf(*o)))
		for _, n := range o.Notes {
			line += "\n  note: " + n
		}
		return line
	}
	return "" // failures are told together at the end
}

// pullProgress shows how downloads go: bars on a terminal, else a plain line now
// and then.
type pullProgress struct {
	app   app
	mu    sync.Mutex
	bars  progress.Writer // nil where there is no terminal
	files map[string]*progress.Tracker
	last  time.Time
	ended chan struct{} // closed when the bars are no longer drawn
}

func (a app) newPullProgress() *pullProgress {
	p := &pullProgress{app: a, files: map[string]*progress.Tracker{}, last: time.Now()}
	if !a.Terminal {
		return p
	}
	w := progress.NewWriter()
	w.SetOutputWriter(a.Stderr)
	w.SetAutoStop(false)
	w.SetUpdateFrequency(200 * time.Millisecond)
	w.SetTrackerLength(20)
	w.SetTrackerPosition(progress.PositionRight) // of the message
	w.SetMessageLength(36)
	if width := a.WidthOf(a.Stderr); width > 0 {
		w.SetTerminalWidth(width - 1)
	}
	w.SetSortBy(progress.SortByNone)
	w.SetStyle(progress.StyleBlocks)
	w.Style().Options.TimeInProgressPrecision = time.Second
	w.Style().Visibility.ETA = true
	w.Style().Visibility.ETAOverall = false
	w.Style().Visibility.TrackerOverall = false
	p.bars, p.ended = w, make(chan struct{})
	go func() {
		defer close(p.ended)
		w.Render()
	}()
	return p
}

// progress is told by the downloader.
func (p *pullProgress) progress(d download.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars != nil {
		t := p.files[d.File]
		if t == nil {
			t = &progress.Tracker{Message: d.File, Units: progress.UnitsBytes, RemoveOnCompletion: true, AutoStopDisabled: true}
			p.files[d.File] = t
			p.bars.AppendTracker(t)
		}
		message := d.File
		if d.Note != "" {
			message += ": " + d.Note
		}
		t.UpdateMessage(message)
		t.UpdateTotal(d.Total)
		t.SetValue(d.Done)
		if d.Total > 0 && d.Done == d.Total && d.Note == "" {
			t.MarkAsDone()
			delete(p.files, d.File)
		}
		return
	}
	if time.Since(p.last) < terminal.PlainEvery && d.Note == "" {
		return
	}
	p.last = time.Now()
	p.app.Say("%s", state(d))
}

// state is a file's progress in a line.
func state(d download.Progress) string {
	line := d.File + ": " + humanize.Bytes(uint64(d.Done))
	if d.Total > 0 {
		line += fmt.Sprintf(" of %s, %.0f %%", humanize.Bytes(uint64(d.Total)), 100*float64(d.Done)/float64(d.Total))
	}
	if d.Note != "" {
		line += "; " + d.Note
	}
	return line
}

// say says a line that stays, above the bars.
func (p *pullProgress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars != nil && p.bars.LengthActive() > 0 { // without bars nothing is rendered, logs neither
		p.bars.Log("%s", line)
		return
	}
	p.app.Say("%s", line)
}

// stop ends the bars.
func (p *pullProgress) stop() {
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	for _, t := range p.files {
		t.MarkAsErrored()
	}
	// A line that was said while the last bar went waits for another bar to be drawn
	// beside: this one is not seen itself.
	last := &progress.Tracker{RemoveOnCompletion: true}
	p.bars.AppendTracker(last)
	last.MarkAsDone()
	p.mu.Unlock()
	// A Stop before Render has made its context stops nothing, and nothing tells
	// from outside when it has (IsRenderInProgress is true before): ask until it ends.
	for {
		p.bars.Stop()
		select {
		case <-p.ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}
