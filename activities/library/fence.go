package library

import (
	"errors"
	"slices"
	"time"

	"tnaml/activities/store"
)

// ErrLate says that a record has been written since by who came after: a process that was asleep in an attempt, which
// was taken for lost, wakes up when another has done its work. Nothing is written.
var ErrLate = errors.New("its record was written since by a later attempt, or by a later run of the workflow: this attempt is too late")

// Fence keeps who is too late from writing a record. The runs of one workflow that continue each other as new are a line,
// which goes only forward; a reset begins another one. A line that the record has not seen takes it, and may take it back to
// where it was reset to; those before it have nothing more to say.
type Fence struct {
	// Line is the line that wrote last, by its first run.
	Line string `json:"line,omitempty"`
	// Replaced are the lines before it, oldest first, no more than maxReplaced.
	Replaced []string `json:"replaced,omitempty"`
	// Began is when the attempt began that wrote last, by the server's clock: of a search, the one that started it.
	Began time.Time `json:"began,omitzero"`
}

// maxReplaced bounds the lines that a record remembers: nobody sleeps through more.
const maxReplaced = 16

// pass is the fence after a line has written. taken says that it is another one than before; "" is of who does not
// say which it is.
func (f Fence) pass(line string) (after Fence, taken bool, err error) {
	switch {
	case line == "":
		return f, true, nil
	case line == f.Line:
		return f, false, nil
	case slices.Contains(f.Replaced, line):
		return f, false, ErrLate
	}
	after = Fence{Line: line, Replaced: f.Replaced}
	if f.Line != "" {
		after.Replaced = append(slices.Clone(f.Replaced), f.Line)
		after.Replaced = after.Replaced[max(0, len(after.Replaced)-maxReplaced):]
	}
	return after, true, nil
}

// Saw says that a line has written the record, as far as that is remembered.
func (f Fence) Saw(line string) bool { return line == f.Line || slices.Contains(f.Replaced, line) }

// begin is pass for an attempt that began at a time: of two of the same line the later one holds.
func (f Fence) begin(by Fence) (after Fence, taken bool, err error) {
	after, taken, err = f.pass(by.Line)
	if err == nil && !taken && by.Began.Before(f.Began) {
		err = ErrLate
	}
	after.Began = by.Began
	return after, taken, err
}

// Writer is who writes the record of a search that goes on: RunID is the first run of its chain, Line its line (Fence), ""
// where nobody knows.
type Writer struct {
	RunID, Line string
	Config      store.Ref
}
