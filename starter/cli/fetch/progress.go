package fetch

import (
	"fmt"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	gopretty "github.com/jedib0t/go-pretty/v6/progress"

	"tnaml/activities/download"
	"tnaml/starter/cli/terminal"
)

// progress shows how downloads go: bars on a terminal, else a plain line now
// and then.
type progress struct {
	app   *terminal.App
	mu    sync.Mutex
	bars  gopretty.Writer // nil where there is no terminal
	files map[string]*gopretty.Tracker
	last  time.Time
	ended chan struct{} // closed when the bars are no longer drawn
}

func newProgress(a *terminal.App) *progress {
	p := &progress{app: a, files: map[string]*gopretty.Tracker{}, last: time.Now()}
	if !a.Terminal {
		return p
	}
	w := gopretty.NewWriter()
	w.SetOutputWriter(a.Stderr)
	w.SetAutoStop(false)
	w.SetUpdateFrequency(200 * time.Millisecond)
	w.SetTrackerLength(20)
	w.SetTrackerPosition(gopretty.PositionRight) // of the message
	w.SetMessageLength(36)
	if width := a.WidthOf(a.Stderr); width > 0 {
		w.SetTerminalWidth(width - 1)
	}
	w.SetSortBy(gopretty.SortByNone)
	w.SetStyle(gopretty.StyleBlocks)
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

// show is told by the downloader.
func (p *progress) show(d download.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars != nil {
		t := p.files[d.File]
		if t == nil {
			t = &gopretty.Tracker{Message: d.File, Units: gopretty.UnitsBytes, RemoveOnCompletion: true, AutoStopDisabled: true}
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
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars != nil && p.bars.LengthActive() > 0 { // without bars nothing is rendered, logs neither
		p.bars.Log("%s", line)
		return
	}
	p.app.Say("%s", line)
}

// stop ends the bars.
func (p *progress) stop() {
	if p.bars == nil {
		return
	}
	p.mu.Lock()
	for _, t := range p.files {
		t.MarkAsErrored()
	}
	// A line that was said while the last bar went waits for another bar to be drawn
	// beside: this one is not seen itself.
	last := &gopretty.Tracker{RemoveOnCompletion: true}
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
