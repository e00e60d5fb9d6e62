package stack

import (
	"bufio"
	"io"
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
