package exchange

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tnaml/experiments/limit"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
)

// Options say how the trials of a file are read.
type Options struct {
	// Space is the one that they are of, filled.
	Space *space.Space
	// Task is what they are all trials of; empty: the file says.
	Task string
	// Columns say what the file calls a choice, the objective's metric, one that a constraint
	// is about, or one of task, status, reason and steps, where it is not found by itself.
	Columns map[string]string
	// Study is the only one of Optuna's that is read; empty: all.
	Study string
	// MaxBytes bounds the file; 0: 1 GiB.
	MaxBytes int64
}

// Imported are the trials of a file, numbered in its order.
type Imported struct {
	// Tasks are named as they appear.
	Tasks []string
	// Data are the digests of the tasks' objects, where they are known: a task of the name
	// with another object is another one.
	Data   map[string]string
	Trials []search.Trial
	// Refused is the number of rows that the space cannot hold, Refusals says of the first
	// ones why; Unfinished is that of the trials that have not ended.
	Refused    int
	Refusals   []string
	Unfinished int
}

// Formats are those that Read takes.
func Formats() []string { return []string{"csv", "jsonl", "optuna"} }

// maxTrials bounds the trials of a file.
const maxTrials = 1_000_000

// Read reads the trials of a file as WriteCSV, `starter trials --format jsonl` and
// WriteOptuna write them, or as another program does: each row has the options of the
// choices and the objective's value by their names, or under names that pandas, MLflow and
// Optuna give them (params_NAME, params.NAME, value); the metrics that constraints are about
// have names of the same forms. A trial without the metric has failed. A row with a value
// that is no option of the space is refused, and counted; what is wrong with the file is told
// together, with its lines, and nothing is read then.
func Read(r io.Reader, format string, o Options) (*Imported, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	in := &reader{o: o, bounded: io.LimitedReader{R: r, N: o.MaxBytes + 1}, tasks: map[string]int{}, choices: map[string][]any{}}
	of := map[string]func(){"csv": in.csv, "jsonl": in.jsonl, "optuna": in.optuna}[format]
	if of == nil {
		return nil, fmt.Errorf("unknown format %q (known: %s)", format, strings.Join(Formats(), ", "))
	}
	in.text = bufio.NewReaderSize(&in.bounded, 1<<16)
	head, _ := in.text.Peek(16) // what is wrong with it is told where it is read
	for _, k := range others {
		if strings.HasPrefix(string(head), k.begins) {
			return nil, errors.New(k.says)
		}
	}
	if strings.HasPrefix(string(head), "\ufeff") { // a byte order mark
		_, _ = in.text.Discard(len("\ufeff"))
	}
	of()
	if in.bounded.N <= 0 {
		in.wrong = append(in.wrong, fmt.Errorf("the file has more than %d bytes: split it", o.MaxBytes))
	}
	if len(in.wrong) == 0 && len(in.out.Trials) == 0 {
		why := "the file has no trials that have ended"
		if in.out.Refused > 0 {
			why = fmt.Sprintf("the space %s can hold none of the file's %d trials: %s; make a space with these options (starter space add), "+
				"or one that has the file's values", o.Space.Name, in.out.Refused, strings.Join(in.out.Refusals[:min(3, len(in.out.Refusals))], "; "))
		}
		in.wrong = append(in.wrong, errors.New(why))
	}
	if len(in.wrong) > 0 {
		if more := in.problems - len(in.wrong); more > 0 {
			in.wrong = append(in.wrong, fmt.Errorf("and %d problems more", more))
		}
		return nil, errors.Join(in.wrong...)
	}
	return &in.out, nil
}

// others are the files that people take for one of trials, by their first bytes, each with
// the way out.
var others = []struct{ begins, says string }{
	{"SQLite format 3\x00", "it is an SQLite database, not a journal: copy the study with " +
		"optuna.copy_study(…, to_storage=JournalStorage(JournalFileBackend(\"journal.log\")))"},
	{"PAR1", "it is a Parquet file: write the trials as CSV or JSON lines"},
	{"PK\x03\x04", "it is a zip archive, or a workbook of Excel: unpack it, or save its table as CSV"},
	{"\x1f\x8b", "it is compressed by gzip: unpack it"},
	{"\x28\xb5\x2f\xfd", "it is compressed by zstd: unpack it"},
	{"BZh", "it is compressed by bzip2: unpack it"},
	{"\xfd7zXZ\x00", "it is compressed by xz: unpack it"},
	{"\xff\xfe", "it is UTF-16: save it as UTF-8"},
	{"\xfe\xff", "it is UTF-16: save it as UTF-8"},
}

// reader reads one file.
type reader struct {
	o        Options
	bounded  io.LimitedReader
	text     *bufio.Reader // of bounded, after a byte order mark
	out      Imported
	tasks    map[string]int
	wrong    []error
	problems int
	choices  map[string][]any // of Optuna's distributions, by their text
}

// record is one row of a file: what it holds by name, its line, and the objective on the way.
type record struct {
	line   int
	values map[string]any
	curve  []trainer.Point
}

// bad notes a problem of a line, 0 for the whole file.
func (in *reader) bad(line int, format string, args ...any) {
	if in.problems++; len(in.wrong) >= limit.MaxProblems {
		return
	}
	err := fmt.Errorf(format, args...)
	if line > 0 {
		err = fmt.Errorf("line %d: %w", line, err)
	}
	in.wrong = append(in.wrong, errors.New(limit.Reason(err.Error())))
}

func (in *reader) refuse(line int, format string, args ...any) {
	if in.out.Refused++; len(in.out.Refusals) < limit.MaxProblems {
		in.out.Refusals = append(in.out.Refusals, limit.Note(fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...)))
	}
}

// named are the words that a file may have for a thing, the likeliest first, or that which
// Options.Columns gives.
func (in *reader) named(name string, words ...string) []string {
	if as := in.o.Columns[name]; as != "" {
		return []string{as}
	}
	return words
}

// choice lists what a file may call a choice: ours, the data frames of Optuna and MLflow,
// and its name.
func (in *reader) choice(name string) []string {
	return in.named(name, choicePrefix+name, "params_"+name, "params."+name, name)
}

// objective lists what a file may call the objective.
func (in *reader) objective() []string {
	return in.named(in.o.Space.Objective.Metric, append(metricNames(in.o.Space.Objective.Metric), "value")...)
}

// bounds lists what a file may call a metric that a constraint is about.
func (in *reader) bounds(metric string) []string { return in.named(metric, metricNames(metric)...) }

func metricNames(metric string) []string {
	return []string{metricPrefix + "validation_" + metric, metricPrefix + metric, "metrics.validation_" + metric, "metrics." + metric,
		"validation_" + metric, metric}
}

// status is the word that a row has for how its trial ended; Status is that of MLflow's own
// tables.
func (in *reader) status(r record) string {
	return text(r.first(in.named("status", "status", "state", "Status")))
}

// columns checks a header, or the names of all that a row may have.
func (in *reader) columns(names []string) {
	unknown := func(what, name string, tried []string) {
		some, cut := limit.List(names, 300)
		more := ""
		if cut {
			more = ", …"
		}
		in.bad(0, "no column for %s (looked for %s; there are: %s%s): name it with --columns %s=COLUMN", what, strings.Join(tried, ", "),
			strings.Join(some, ", "), more, name)
	}
	has := func(tried []string) bool {
		return slices.ContainsFunc(tried, func(t string) bool { return slices.Contains(names, t) })
	}
	for i := range in.o.Space.Choices {
		c := &in.o.Space.Choices[i]
		if tried := in.choice(c.Name); !has(tried) && len(c.Options) > 1 {
			unknown("the choice "+c.Name, c.Name, tried)
		}
	}
	objective := in.o.Space.Objective.Metric
	if tried := in.objective(); !has(tried) {
		unknown(objective, objective, tried)
	}
	for _, c := range in.o.Space.Constraints {
		if tried := in.bounds(c.Metric); c.Metric != objective && !has(tried) {
			unknown(c.Metric+", which a constraint is about", c.Metric, tried)
		}
	}
	known := map[string]bool{}
	for _, of := range in.o.Columns {
		known[of] = true
	}
	var more []string
	for _, name := range names {
		for _, p := range []string{choicePrefix, "params_", "params."} {
			if choice, ok := strings.CutPrefix(name, p); ok && in.o.Space.Choice(choice) == nil && !known[name] {
				more = append(more, strconv.Quote(choice))
			}
		}
	}
	if len(more) > 0 {
		some, _ := limit.List(more, 300)
		in.bad(0, "the trials have the choice %s, which the space %s lacks: trials of it say nothing there; name a space that has it",
			strings.Join(some, ", "), in.o.Space.Name)
	}
}

// unmeasured adds to names what none of the trials need have where all have failed, or were
// pruned.
func (in *reader) unmeasured(names map[string]bool) {
	names[in.objective()[0]] = true
	for _, c := range in.o.Space.Constraints {
		names[in.bounds(c.Metric)[0]] = true
	}
}

// checkColumns refuses names in Options.Columns that mean nothing.
func (in *reader) checkColumns() {
	for _, name := range slices.Sorted(maps.Keys(in.o.Columns)) {
		if in.o.Space.Choice(name) == nil && name != in.o.Space.Objective.Metric &&
			!slices.ContainsFunc(in.o.Space.Constraints, func(c space.Constraint) bool { return c.Metric == name }) &&
			!slices.Contains([]string{"task", "status", "reason", "steps"}, name) {
			in.bad(0, "--columns: %q is no choice of the space %s, nor its metric %s, nor one that a constraint is about, nor task, status, "+
				"reason or steps", name, in.o.Space.Name, in.o.Space.Objective.Metric)
		}
	}
}

// first is the first of some names that a row has something under.
func (r record) first(names []string) any {
	for _, name := range names {
		if v := r.values[name]; v != nil && v != "" {
			return v
		}
	}
	return nil
}

func text(v any) string {
	if v == nil {
		return ""
	}
	if n, is := v.(float64); is && n == math.Trunc(n) && math.Abs(n) < 1e21 { // a name: 1234567, not 1.234567e+06
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

// add makes a trial of a row.
func (in *reader) add(r record) {
	if len(in.out.Trials)+in.out.Refused >= maxTrials {
		if in.problems == 0 {
			in.bad(r.line, "more than %d trials: split the file", maxTrials)
		}
		return
	}
	before := in.problems
	t := search.Trial{Trial: len(in.out.Trials), Actions: make([]int, len(in.o.Space.Choices))}
	word := in.status(r)
	status, ended, known := statusOf(word)
	if !known {
		in.bad(r.line, "the status %q is none of %s, COMPLETE, PRUNED, FAIL", limit.Cut(word, 40), statuses())
		return
	}
	if !ended {
		in.out.Unfinished++
		return
	}
	task := in.o.Task
	if task == "" {
		switch task = text(r.first(in.named("task", "task_name", "task"))); {
		case task == "":
			in.bad(r.line, "it does not say of which task the trial is: give --task, or --columns task=COLUMN")
		case len(task) > limit.MaxName || !utf8.ValidString(task) || strings.ContainsFunc(task, unicode.IsControl):
			in.bad(r.line, "the task's name %q must be UTF-8 of at most %d bytes, without control characters: give --task, or "+
				"--columns task=COLUMN", limit.Cut(task, 40), limit.MaxName)
		}
	}
	t.Reason = limit.Reason(text(r.first(in.named("reason", "reason"))))
	if v := r.first(in.named("steps", "steps")); v != nil {
		if n, ok := number(v); ok && n >= 0 && n == math.Trunc(n) && n <= trainer.MaxSteps {
			t.Steps = int(n)
		} else {
			in.bad(r.line, "steps are %q: they must be a whole number of 0 to %d", limit.Cut(text(v), 40), trainer.MaxSteps)
		}
	}
	in.measure(&t, r, status)
	if in.problems > before {
		return
	}
	for i := range in.o.Space.Choices {
		c := &in.o.Space.Choices[i]
		v := r.first(in.choice(c.Name))
		switch at := optionOf(c.Options, v); {
		case at >= 0:
			t.Actions[i] = at
		case v == nil && len(c.Options) == 1:
		case v == nil:
			in.refuse(r.line, "nothing for the choice %s", c.Name)
			return
		default:
			in.refuse(r.line, "%s is %s, none of the options %s", c.Name, limit.Cut(text(v), 40), limit.Cut(space.List(c.Options), 80))
			return
		}
	}
	at, there := in.tasks[task]
	if !there {
		if at = len(in.out.Tasks); at == limit.MaxTasks {
			in.bad(r.line, "the trials are of more than %d tasks", limit.MaxTasks)
			return
		}
		in.tasks[task], in.out.Tasks = at, append(in.out.Tasks, task)
	}
	t.Task = at
	in.out.Trials = append(in.out.Trials, t)
}

// measure fills in a trial's status and metrics: the objective, and whatever is marked as
// a metric.
func (in *reader) measure(t *search.Trial, r record, status trainer.Status) {
	objective := in.o.Space.Objective
	t.Status, t.Metrics, t.Curve = cmp.Or(status, trainer.OK), map[string]float64{}, r.curve // without a status the file does not say
	metric := func(name string, v any) {
		n, ok := number(v)
		switch {
		case !ok:
			in.bad(r.line, "%s is %q, no number", limit.Cut(name, space.MaxName), limit.Cut(text(v), 40))
		case !(math.Abs(n) <= trainer.MaxMetric):
			if name == objective.Metric && t.OK() {
				t.Status, t.Reason = trainer.Diverged, fmt.Sprintf("its %s is %v", objective.Metric, n)
			}
		default:
			t.Metrics[name] = n
		}
	}
	from := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		for _, p := range []string{metricPrefix, "metrics."} {
			v := r.values[name]
			own, ok := strings.CutPrefix(name, p)
			if !ok || own == "" || len(own) > space.MaxName || v == nil || v == "" {
				continue
			}
			if from[own] != "" {
				in.bad(r.line, "the metric %s is there twice, as %s and as %s: leave one out", own, from[own], name)
				continue
			}
			from[own] = name
			metric(own, v)
		}
	}
	measured := t.OK() || t.Status == trainer.Infeasible
	if value := r.first(in.objective()); value != nil && measured && trainer.Key(t.Metrics, objective) == "" {
		metric(objective.Metric, value)
	}
	for _, c := range in.o.Space.Constraints {
		v := r.first(in.bounds(c.Metric))
		if c.Metric != objective.Metric && v != nil && trainer.Key(t.Metrics, space.Objective{Metric: c.Metric}) == "" {
			metric(c.Metric, v)
		}
	}
	if onTest := r.first([]string{"test_" + objective.Metric}); onTest != nil {
		metric("test_"+objective.Metric, onTest)
	}
	in.judge(t)
	if len(t.Metrics) == 0 {
		t.Metrics = nil
	}
}

// judge says of a trial with its metrics and curve what a search would: one that breaks a
// constraint is infeasible, one that does not say what it had reached has failed.
func (in *reader) judge(t *search.Trial) {
	objective := in.o.Space.Objective
	o := trainer.Outcome{Status: t.Status, Metrics: t.Metrics, Curve: t.Curve}
	reached, has := o.Reached(objective)
	switch {
	case t.Status.Failure():
		return
	case !has && t.Status == trainer.Pruned:
		t.Status, t.Reason = trainer.Failed, cmp.Or(t.Reason, "it was pruned, and the file does not say what it had reached")
		return
	case !has:
		t.Status, t.Reason = trainer.Failed, fmt.Sprintf("the file has no %s of it", objective.Metric)
		return
	case t.Status == trainer.Pruned:
		if n := len(t.Curve); n > 0 {
			t.Steps = cmp.Or(t.Steps, t.Curve[n-1].Step)
		}
	default:
		said := t.Status
		o.Status = trainer.OK
		if o = o.Judged(in.o.Space.Constraints); o.Status != trainer.OK {
			t.Status, t.Reason = o.Status, o.Reason
		} else if said == trainer.Infeasible {
			t.Status, t.Reason = trainer.Failed, cmp.Or(t.Reason, "it breaks a constraint that the space lacks")
		}
		if t.Status == trainer.Failed {
			return
		}
		_, t.Test, _ = trainer.Values(t.Metrics, objective)
	}
	t.Validation = reached
}

// curveOf is a curve of its values by step, all steps so much later: what is no number is
// left out, and of many points each so many-th, the last among them.
func curveOf(values map[int]float64, later int) []trainer.Point {
	var all, out []trainer.Point
	for _, step := range slices.Sorted(maps.Keys(values)) {
		if v := values[step]; step+later >= 1 && step+later <= limit.MaxTrialSteps && math.Abs(v) <= trainer.MaxMetric {
			all = append(all, trainer.Point{Step: step + later, Value: v})
		}
	}
	each := (len(all) + trainer.MaxCurve - 1) / trainer.MaxCurve
	for i, p := range all {
		if (len(all)-1-i)%each == 0 {
			out = append(out, p)
		}
	}
	return out
}

// optionOf finds a value of a file among a choice's options, −1 where it is none. Texts
// stand for numbers and truth values as they are written; a number is an option if it is
// that very number, or else the only one that differs but in what arithmetic leaves in the
// last digits: Optuna's third step of 0.1 is 0.30000000000000004.
func optionOf(options []any, v any) int {
	if i := slices.IndexFunc(options, func(o any) bool { return isOption(o, v) }); i >= 0 {
		return i
	}
	n, ok := number(v)
	found := -1
	for i, o := range options {
		if f, is := o.(float64); is && ok && math.Abs(n-f) <= rounding*math.Abs(f) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// rounding is how far apart, as a share, numbers are that differ in their last digits only.
const rounding = 1e-12

func isOption(o, v any) bool {
	switch o := o.(type) {
	case string:
		switch v := v.(type) {
		case string:
			return v == o
		case bool: // Python has True
			return strings.EqualFold(strconv.FormatBool(v), o)
		}
		return text(v) == o
	case bool:
		b, is := v.(bool)
		if s, ok := v.(string); ok {
			var err error
			b, err = strconv.ParseBool(strings.ToLower(strings.TrimSpace(s)))
			is = err == nil
		}
		return is && b == o
	case int64:
		n, ok := number(v)
		return ok && n == float64(o)
	case float64:
		n, ok := number(v)
		return ok && n == o
	}
	return false
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil // infinite, or as good as 0
		}
		return n, err == nil
	}
	return 0, false
}

// statusOf reads a status, ours or another tool's; "" is not said. ended is false of a
// trial that is still to come, or under way.
func statusOf(word string) (status trainer.Status, ended, known bool) {
	switch strings.ToLower(word) {
	case "":
		return "", true, true
	case "complete", "finished":
		return trainer.OK, true, true
	case "fail", "killed":
		return trainer.Failed, true, true
	case "running", "waiting", "scheduled":
		return "", false, true
	}
	status = trainer.Status(strings.ToLower(word))
	return status, true, slices.Contains(trainer.Statuses(), status)
}

func statuses() string {
	var out []string
	for _, s := range trainer.Statuses() {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}
