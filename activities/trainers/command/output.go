package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tnaml/experiments/limit"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

const (
	// maxLine bounds a line of standard output; of a longer one nothing is read.
	maxLine = 64 << 10
	// maxOutcome bounds outcome.json.
	maxOutcome = 1 << 20
	// maxText bounds the metrics that lines of text give.
	maxText = 60
	// maxTail is how much is kept of the end of standard error.
	maxTail = 16 << 10
)

// output reads a program's standard output: lines of JSON, {"step":…} and {"status":…},
// and lines of text with name=value in them, as Katib's collector takes them. Whatever
// is written, it holds a line at most.
type output struct {
	told chan<- trainer.Progress

	line    []byte
	tooLong bool
	// skipped counts the lines that were too long.
	skipped int
	// unread counts the progress that could not be taken, firstUnread is why, of the first.
	unread      int
	firstUnread string
	step        int
	// outcome is the last line with a status, text the last value of each metric in
	// lines of text.
	outcome []byte
	text    map[string]float64
	// lost: there was more that was never read.
	lost bool
}

// ReadFrom implements io.ReaderFrom, by which a program's output is copied until its end, or until
// that is given up: a read that had waited for a while has then seen all that the program wrote.
func (o *output) ReadFrom(r io.Reader) (n int64, err error) {
	const waited = time.Second
	for b := make([]byte, 32<<10); ; {
		began := time.Now()
		k, err := r.Read(b)
		if err != nil && !errors.Is(err, io.EOF) {
			o.lost = time.Since(began) < waited
			return n, err
		}
		n += int64(k)
		if _, _ = o.Write(b[:k]); err != nil {
			return n, nil
		}
	}
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		part, rest, ended := bytes.Cut(b, []byte{'\n'})
		if o.tooLong = o.tooLong || len(o.line)+len(part) > maxLine; !o.tooLong {
			o.line = append(o.line, part...)
		}
		if ended {
			o.end()
		}
		b = rest
	}
	return n, nil
}

// end ends a line; the last one may lack its break.
func (o *output) end() {
	if o.tooLong {
		o.skipped++
	} else {
		o.read(bytes.TrimSpace(o.line))
	}
	o.line, o.tooLong = o.line[:0], false
}

func (o *output) read(line []byte) {
	if len(line) > 0 && line[0] == '{' {
		o.readJSON(line)
	} else if bytes.IndexByte(line, '=') > 0 {
		o.readText(line)
	}
}

func (o *output) readJSON(line []byte) {
	var v struct {
		trainer.Progress
		Status json.RawMessage `json:"status"`
	}
	err := json.Unmarshal(line, &v)
	if v.Status != nil || err != nil && bytes.Contains(line, []byte(`"status"`)) {
		o.outcome = bytes.Clone(line)
		return
	}
	if err != nil {
		o.miss(func() string { return fmt.Sprintf("%v: %s", err, limit.Cut(limit.OneLine(string(line)), 200)) })
		return
	}
	o.tell(v.Progress)
}

// miss counts progress that cannot be taken: without it nothing is seen of the trial, and it is
// never pruned.
func (o *output) miss(why func() string) {
	if o.unread++; o.unread == 1 { // of the others, which may be a gigabyte, nothing is kept
		o.firstUnread = why()
	}
}

// tell passes on how far the trial is. Steps never go back.
func (o *output) tell(p trainer.Progress) {
	if p.Step < o.step || p.Steps < 0 {
		o.miss(func() string { return fmt.Sprintf("step %d of %d after step %d", p.Step, p.Steps, o.step) })
		return
	}
	if p.Steps < p.Step {
		p.Steps = 0
	}
	o.step = p.Step
	o.told <- p.Checked()
}

// pair is a metric in a line of text: Katib's default filter, with nan and inf, so that
// they are noticed.
var pair = regexp.MustCompile(`([\w|./-]+)\s*=\s*([+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|(?i:nan|inf(?:inity)?)\b))`)

func (o *output) readText(line []byte) {
	p := trainer.Progress{Step: o.step, Metrics: map[string]float64{}}
	for _, m := range pair.FindAllSubmatch(line, maxText) {
		name := string(m[1])
		v, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil || len(name) > space.MaxName {
			continue
		}
		if whole := v == math.Trunc(v) && v >= 0 && v < 1<<53; (name == "step" || name == "epoch") && whole {
			p.Step = int(v)
			continue
		}
		if o.text == nil {
			o.text = map[string]float64{}
		}
		if _, there := o.text[name]; there || len(o.text) < maxText {
			o.text[name], p.Metrics[name] = v, v
		}
	}
	if len(p.Metrics) > 0 || p.Step > o.step {
		o.tell(p)
	}
}

// outcomeOf is what the program says that came of the trial: in the file outcome.json, in
// a line of standard output, or in lines of text that hold the objective. ok is false
// where it says nothing, and the outcome then says that.
func (o *output) outcomeOf(file string, objective space.Objective) (out trainer.Outcome, ok bool) {
	written, err := readOutcome(file)
	written, o.outcome = unplaced(written, filepath.Dir(file)), unplaced(o.outcome, filepath.Dir(file))
	switch {
	case err != nil:
		return trainer.Outcome{Status: trainer.Failed, Reason: "outcome.json " + err.Error()}, true
	case written != nil && o.outcome != nil:
		a, b := trainer.DecodeOutcome(written, objective), trainer.DecodeOutcome(o.outcome, objective)
		if out = a; !reflect.DeepEqual(a, b) {
			out = trainer.Outcome{Status: trainer.Failed, Reason: fmt.Sprintf("outcome.json and standard output disagree: %s and %s",
				limit.Cut(string(written), 200), limit.Cut(string(o.outcome), 200))}
		}
	case written != nil:
		out = trainer.DecodeOutcome(written, objective)
	case o.outcome != nil:
		out = trainer.DecodeOutcome(o.outcome, objective)
	case trainer.Key(o.text, objective) != "":
		out = trainer.Outcome{Status: trainer.OK, Metrics: o.text}.Checked(objective)
	default:
		reason := `it ended without an outcome: neither a line {"status": …} nor outcome.json nor ` + objective.Metric + "=…"
		if o.skipped > 0 {
			reason += fmt.Sprintf("; %d of its lines had more than %d KiB and were not read", o.skipped, maxLine>>10)
		}
		if o.unread > 0 {
			reason += fmt.Sprintf("; %d of its lines could not be taken as progress, the first: %s", o.unread,
				unplaced([]byte(o.firstUnread), filepath.Dir(file)))
		}
		return trainer.Outcome{Status: trainer.Failed, Reason: reason}, false
	}
	out.Model, out.Examples = "", "" // what is stored is the platform's to say
	if out.Steps == 0 {
		out.Steps = o.step
	}
	return out, true
}

// readOutcome is nil where there is no file.
func readOutcome(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, errors.New("cannot be read")
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > maxOutcome:
		return nil, fmt.Errorf("has more than %d MiB", maxOutcome>>20)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	return b, nil
}

// tail keeps the end of what is written.
type tail struct {
	b   []byte
	cut bool // there was more before it
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	n := len(b)
	t.cut = t.cut || len(t.b)+n > maxTail
	b = b[max(0, len(b)-maxTail):]
	t.b = append(t.b[:copy(t.b, t.b[max(0, len(t.b)+len(b)-maxTail):])], b...) // in place
	return n, nil
}

var _ io.Writer = (*tail)(nil)

// text is what it keeps, without the trial's directory, another one each time, and without
// what is hidden.
func (t *tail) text(dir string, h hidden) string {
	s := string(t.b)
	if t.cut {
		s = h.begun(s)
	}
	return strings.ToValidUTF8(h.hide(string(unplaced([]byte(s), dir))), "\uFFFD")
}

// unplaced is what a program says without the trial's directory, which is another one at each
// attempt: outcomes are not. nil stays nil.
func unplaced(b []byte, dir string) []byte {
	if b == nil {
		return nil
	}
	return bytes.ReplaceAll(b, []byte(filepath.Clean(dir)), []byte(directoryVariable))
}

// lastLine is the last line that says something: where a program tells what it died of.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return limit.Cut(limit.OneLine(lines[len(lines)-1]), 500)
}

// hidden are the values of an operator's variables, the longest first, with their names: a
// reason goes into the history and the ledger, which others read.
type hidden [][2]string

// leastHidden is the length from which a value is hidden: of a shorter one every other word
// would have a part.
const leastHidden = 4

// hidden are the values of Env, those that are the worker's own among them.
func (c Config) hidden() (h hidden) {
	for _, e := range c.Env {
		name, value, given := strings.Cut(e, "=")
		if !given {
			value = os.Getenv(name)
		}
		// Of more lines than one, or with a break at its end, it is told in one line, or as JSON.
		quoted, _ := json.Marshal(value)
		for _, form := range []string{value, limit.OneLine(value), string(quoted[1 : len(quoted)-1])} {
			if len(form) >= leastHidden {
				h = append(h, [2]string{form, "${" + name + "}"})
			}
		}
	}
	slices.SortStableFunc(h, func(a, b [2]string) int { return len(b[0]) - len(a[0]) })
	return h
}

// hide replaces the values by their names, those too whose ends limit.Cut has cut away.
func (h hidden) hide(s string) string {
	var pairs []string
	for _, v := range h {
		pairs = append(pairs, v[:]...)
	}
	s = strings.NewReplacer(pairs...).Replace(s)
	if !strings.Contains(s, limit.More) {
		return s
	}
	for _, v := range h {
		for i := min(len(v[0]), len(s)) - 1; i >= leastHidden; i-- {
			s = strings.ReplaceAll(s, v[0][:i]+limit.More, v[1]+limit.More)
		}
	}
	return s
}

// begun is a text that was cut at its beginning, without the end of a value there.
func (h hidden) begun(s string) string {
	for _, v := range h {
		for i := 1; i <= len(v[0])-leastHidden; i++ {
			if rest, ok := strings.CutPrefix(s, v[0][i:]); ok {
				return rest
			}
		}
	}
	return s
}

// memoryWords are what programs say whose allocation is refused: Python, NumPy, C++, Go and
// libc, Rust, Java.
var memoryWords = regexp.MustCompile(
	`(?i)MemoryError|unable to allocate|bad_alloc|out of memory|cannot allocate memory|memory allocation of|OutOfMemory`)
