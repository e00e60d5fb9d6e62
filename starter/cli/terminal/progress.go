package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// PlainEvery is how often progress is told where there is no terminal.
const PlainEvery = 5 * time.Second

// Progress shows the state of long work: on a terminal a line that
// changes, elsewhere a plain line now and then.
type Progress struct {
	app    *App
	last   time.Time
	shown  string
	active bool
}

func (a *App) NewProgress() *Progress { return &Progress{app: a} }

// Quiet waits before the first plain line, for work that is mostly short.
func (p *Progress) Quiet() { p.last = time.Now() }

// Update shows a new state. The lines share one place on a terminal.
func (p *Progress) Update(lines ...string) {
	if p.app.Terminal {
		p.Clear()
		for i := range lines {
			lines[i] = cell(lines[i])
			if width := p.app.WidthOf(p.app.Stderr); width > 0 {
				lines[i] = text.Trim(lines[i], width-1)
			}
		}
		p.shown = strings.Join(lines, "\n")
		_, _ = fmt.Fprint(p.app.Stderr, p.shown)
		p.active = true
		return
	}
	state := strings.Join(lines, "\n")
	if state == p.shown || time.Since(p.last) < PlainEvery {
		return
	}
	p.shown, p.last = state, time.Now()
	p.app.Say("%s", state)
}

// Clear removes the line from a terminal, so that something else can be said.
func (p *Progress) Clear() {
	if !p.active {
		return
	}
	_, _ = fmt.Fprint(p.app.Stderr, "\r\x1b[K")
	for range strings.Count(p.shown, "\n") {
		_, _ = fmt.Fprint(p.app.Stderr, "\x1b[1A\x1b[K")
	}
	p.active = false
}

// Say says a line that stays.
func (p *Progress) Say(format string, args ...any) {
	p.Clear()
	p.app.Say(format, args...)
}
