// Package compare compares search methods by figures of their runs that tables hold,
// whoever made them: this program's searches, simulated or trained, and other tools'.
package compare

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/limit"
)

// Columns are those that say what a row is of: a run of an arm, on a task, with a seed,
// after so many trials. The others are its figures.
var Columns = []string{"arm", "task", "seed", "trials"}

// Table holds figures of runs.
type Table struct {
	// Values are the names of the figures, arms and tasks are in the order in which they
	// come.
	Values, Arms, Tasks []string

	known []string // all figures that some file has
	rows  []row
	at    map[key]int     // of rows
	seen  map[string]bool // arms and tasks
}

// key is what a row is of.
type key struct {
	arm, task, seed string
	trials          int
}

func (k key) String() string {
	return fmt.Sprintf("arm %q, task %q, seed %q, %d trials", k.arm, k.task, k.seed, k.trials)
}

// row is a row of a file.
type row struct {
	key
	values []float64
	file   string
	line   int
}

// File is a table as CSV with a header: Columns, and one column or more of figures, in any
// order.
type File struct {
	Name string
	CSV  []byte
}

// maxProblems bounds what is said of one file, and maxListed what is listed in one problem.
const (
	maxProblems = 10
	maxListed   = 10
)

// largest is what a figure can be at most: intervals take fourth powers.
const largest = 1e60

// ErrNoNumber is what a figure is that cannot be read: perhaps its column is of none.
var ErrNoNumber = errors.New("no number")

// body is what is left of a file behind its header.
type body struct {
	*csv.Reader
	head []string
	// figures are the columns of figures that have a name, has says which these are.
	figures []string
	has     map[string]bool
}

// Read reads files as one table. Values names the figures that are wanted: by default they
// are all those that each file has a named column of. Everything wrong comes together, by
// file and line.
func Read(files []File, values []string) (*Table, error) {
	t := &Table{Values: values, at: map[key]int{}, seen: map[string]bool{}}
	var errs []error
	var bodies []body
	have := map[string]int{} // files, of each figure
	for _, f := range files {
		b, err := header(f.CSV)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
			continue
		}
		bodies = append(bodies, b)
		for _, c := range b.figures {
			if have[c]++; have[c] == 1 {
				t.known = append(t.known, c)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if len(values) == 0 {
		for _, c := range t.known {
			if have[c] == len(bodies) {
				t.Values = append(t.Values, c)
			}
		}
	}
	if len(t.Values) == 0 {
		errs = append(errs, errors.New("there is no figure that all files have"))
	}
	wanted := map[string]bool{}
	for _, v := range t.Values {
		if wanted[v] {
			errs = append(errs, fmt.Errorf("the figure %q is there twice", v))
		}
		wanted[v] = true
	}
	for i, b := range bodies {
		has := list(limit.Quoted(b.figures))
		if len(t.Values) == 0 {
			errs = append(errs, fmt.Errorf("%s: it has the figures %s", files[i].Name, has))
		}
		for k, v := range t.Values {
			if !b.has[v] && !slices.Contains(t.Values[:k], v) {
				errs = append(errs, fmt.Errorf("%s: it has no figure %q (it has %s)", files[i].Name, v, has))
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for i, b := range bodies {
		errs = append(errs, t.read(files[i].Name, b)...)
	}
	return t, errors.Join(errs...)
}

// header reads the columns' names.
func header(text []byte) (body, error) {
	if bytes.IndexByte(text, 0) >= 0 {
		return body{}, errors.New("it is no UTF-8 text: save it as CSV in UTF-8")
	}
	b := body{Reader: csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))}
	head, err := b.Read()
	if errors.Is(err, io.EOF) {
		return b, errors.New("it is empty")
	}
	if err != nil {
		return b, err
	}
	line, _ := b.FieldPos(0)
	b.head = head
	var missing, twice []string
	b.has = map[string]bool{}
	seen := map[string]bool{}
	for i := range head {
		head[i] = strings.TrimSpace(head[i])
		if k := slices.IndexFunc(Columns, func(c string) bool { return strings.EqualFold(c, head[i]) }); k >= 0 {
			head[i] = Columns[k]
		}
		if seen[head[i]] && head[i] != "" {
			twice = append(twice, strconv.Quote(head[i]))
		}
		if seen[head[i]] = true; head[i] != "" && !slices.Contains(Columns, head[i]) {
			b.figures, b.has[head[i]] = append(b.figures, head[i]), true
		}
	}
	for _, c := range Columns {
		if !slices.Contains(head, c) {
			missing = append(missing, c)
		}
	}
	switch {
	case strings.Contains(strings.Join(head, ""), "\r"):
		err = errors.New("lines end in carriage returns: they must end in line feeds")
	case len(missing) > 0 && len(head) == 1 && strings.ContainsAny(head[0], ";\t"):
		err = errors.New("its columns are not separated by commas")
	case len(missing) > 0:
		err = fmt.Errorf("no column %s: a row is of an arm, a task, a seed and a number of trials, and has figures of them (the columns are %s)",
			strings.Join(missing, ", "), list(limit.Quoted(head)))
	case len(twice) > 0:
		err = fmt.Errorf("the column %s is there twice", list(twice))
	case len(b.figures) == 0:
		err = errors.New("there is no column of figures beside arm, task, seed and trials")
	default:
		return b, nil
	}
	return b, fmt.Errorf("line %d: %w", line, err)
}

// read reads a file's rows.
func (t *Table) read(name string, b body) (errs []error) {
	columns := map[string]int{}
	for i, c := range b.head {
		columns[c] = i
	}
	rows := 0
	for len(errs) <= maxProblems {
		cells, err := b.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		rows++
		if err != nil { // it names the line; behind a wrong quote nothing can be read
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			if !errors.Is(err, csv.ErrFieldCount) {
				return errs
			}
			continue
		}
		line, _ := b.FieldPos(0)
		one, problems := t.row(func(column string) string { return strings.TrimSpace(cells[columns[column]]) })
		one.file, one.line = name, line
		if other, twice := t.at[one.key]; twice && len(problems) == 0 {
			problems = append(problems, fmt.Errorf("%v: that is in line %d of %s already", one.key, t.rows[other].line, t.rows[other].file))
		}
		for _, p := range problems {
			errs = append(errs, fmt.Errorf("%s: line %d: %w", name, line, p))
		}
		if len(problems) == 0 {
			t.add(one)
		}
	}
	switch {
	case rows == 0:
		errs = append(errs, fmt.Errorf("%s: it has no rows", name))
	case len(errs) > maxProblems:
		errs = append(errs[:maxProblems], fmt.Errorf("%s: and more", name))
	}
	return errs
}

// row reads a row's cells.
func (t *Table) row(cell func(column string) string) (one row, problems []error) {
	one.key = key{arm: cell("arm"), task: cell("task"), seed: cell("seed")}
	for _, c := range Columns {
		if cell(c) == "" {
			problems = append(problems, fmt.Errorf("the column %s is empty", c))
		}
	}
	if trials := cell("trials"); trials != "" {
		n, err := strconv.ParseFloat(trials, 64) // some tools write 10.0
		if one.trials = int(n); err != nil || !(n >= 1 && n <= 1e12) || n != math.Trunc(n) {
			problems = append(problems, fmt.Errorf("%q is no number of trials", trials))
		}
	}
	for _, c := range t.Values {
		v, err := strconv.ParseFloat(cell(c), 64)
		switch {
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			problems = append(problems, fmt.Errorf("%s is %q, which is %w", c, cell(c), ErrNoNumber))
		case math.Abs(v) > largest:
			problems = append(problems, fmt.Errorf("%s is %s: figures must lie within ±%g", c, cell(c), largest))
		}
		one.values = append(one.values, v)
	}
	return one, problems
}

// add adds a row.
func (t *Table) add(one row) {
	t.at[one.key] = len(t.rows)
	t.rows = append(t.rows, one)
	if arm := "arm " + one.arm; !t.seen[arm] {
		t.seen[arm] = true
		t.Arms = append(t.Arms, one.arm)
	}
	if task := "task " + one.task; !t.seen[task] {
		t.seen[task] = true
		t.Tasks = append(t.Tasks, one.task)
	}
}

// list lists names or numbers, the first of them where there are many.
func list[T any](items []T) string { return limit.Listed(items, maxListed) }
