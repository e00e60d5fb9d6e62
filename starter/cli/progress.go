package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// plainEvery is how often progress is told where there is no terminal.
const plainEvery = 5 * time.Second

// progressLine shows the state of long work: on a terminal a line that
// changes, elsewhere a plain line now and then.
type progressLine struct {
	app    *app
	last   time.Time
	shown  string
	active bool
}

func (a *app) newProgress() *progressLine { return &progressLine{app: a} }

// quiet waits before the first plain line, for work that is mostly short.
func (p *progressLine) quiet() { p.last = time.Now() }

// update shows a new state. The lines share one place on a terminal.
func (p *progressLine) update(lines ...string) {
	if p.app.Terminal {
		p.clear()
		if width := p.app.Width(); width > 0 {
			for i := range lines {
				lines[i] = text.Trim(lines[i], width-1)
			}
		}
		p.shown = strings.Join(lines, "\n")
		_, _ = fmt.Fprint(p.app.Stderr, p.shown)
		p.active = true
		return
	}
	state := strings.Join(lines, "\n")
	if state == p.shown || time.Since(p.last) < plainEvery {
		return
	}
	p.shown, p.last = state, time.Now()
	p.app.say("%s", state)
}

// clear removes the line from a terminal, so that something else can be said.
func (p *progressLine) clear() {
	if !p.active {
		return
	}
	_, _ = fmt.Fprint(p.app.Stderr, "\r\x1b[K")
	for range strings.Count(p.shown, "\n") {
		_, _ = fmt.Fprint(p.app.Stderr, "\x1b[1A\x1b[K")
	}
	p.active = false
}

// say says a line that stays.
func (p *progressLine) say(format string, args ...any) {
	p.clear()
	p.app.say(format, args...)
}
