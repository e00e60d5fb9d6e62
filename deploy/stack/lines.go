package stack

import (
	"bufio"
	"io"
	"os"
	"strings"
	"sync"
)

// scanLines calls f for each line until r ends.
func scanLines(r io.Reader, f func(string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f(lines.Text())
	}
	_, _ = io.Copy(io.Discard, r) // after an endless line: never block the writer
}

// teller passes lines on, one at a time, until it is ended: a stack goes on
// talking when it has started, and nobody listens any more.
type teller struct {
	mu sync.Mutex
	f  func(string) // nil where nobody listens
}

func (t *teller) tell(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f != nil {
		t.f(line)
	}
}

func (t *teller) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.f = nil
}

// tailLines is how much of what a process said goes into an error.
const tailLines = 20

// tail keeps the last lines of a process.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// logMark is a place in a log, so that an error shows only what came after.
type logMark struct {
	name string
	size int64
}

func markLog(name string) logMark {
	m := logMark{name: name}
	if info, err := os.Stat(name); err == nil {
		m.size = info.Size()
	}
	return m
}

// tail returns the last lines written since the mark.
func (m logMark) tail() string {
	f, err := os.Open(m.name)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	const most = 16 << 10
	from := m.size
	if info.Size() < from {
		from = 0 // the old log was put aside
	}
	cut := info.Size()-from > most
	if cut {
		from = info.Size() - most
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if cut {
		lines = lines[1:] // the first is not whole
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
