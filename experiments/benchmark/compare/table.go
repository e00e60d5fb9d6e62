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
)

// Columns are those that say what a row is of: a run of an arm, on a task, with a seed,
// after so many trials. The others are its figures.
var Columns = []string{"arm", "task", "seed", "trials"}

// Table holds figures of runs.
type Table struct {
	// Values are the names of the figures, arms and tasks are in the order in which they
	// come.
	Values, Arms, Tasks []string

	rows []row
	at   map[key]int // of rows
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

// File is a table as CSV with a header: Columns and one column or more of figures, in any
// order.
type File struct {
	Name string
	CSV  []byte
}

// maxProblems bounds what is said of one file.
const maxProblems = 10

// Read reads files as one table. Values names the figures that are wanted: by default they
// are all those that each file has. Everything wrong comes together, by file and line.
func Read(files []File, values []string) (*Table, error) {
	t := &Table{at: map[key]int{}}
	var errs []error
	var heads [][]string
	var bodies []*csv.Reader
	for _, f := range files {
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(f.CSV, []byte("\ufeff"))))
		head, err := header(r)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
		}
		heads, bodies = append(heads, head), append(bodies, r)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	t.Values = values
	if len(values) == 0 {
		t.Values = shared(heads)
	}
	for i, head := range heads {
		if len(t.Values) == 0 {
			errs = append(errs, fmt.Errorf("%s: it has the figures %s", files[i].Name, strings.Join(figures(head), ", ")))
		}
		for _, v := range t.Values {
			if !slices.Contains(figures(head), v) {
				errs = append(errs, fmt.Errorf("%s: it has no figure %q (it has %s)", files[i].Name, v, strings.Join(figures(head), ", ")))
			}
		}
	}
	if len(t.Values) == 0 {
		return nil, errors.Join(append([]error{errors.New("there is no figure that all files have")}, errs...)...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for i, f := range files {
		if err := t.read(f.Name, bodies[i], heads[i]); err != nil {
			errs = append(errs, err)
		}
	}
	return t, errors.Join(errs...)
}

// header reads the columns' names.
func header(r *csv.Reader) ([]string, error) {
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, err
	}
	var missing, twice []string
	for i := range head {
		if head[i] = strings.TrimSpace(head[i]); slices.Contains(head[:i], head[i]) {
			twice = append(twice, strconv.Quote(head[i]))
		}
	}
	for _, c := range Columns {
		if !slices.Contains(head, c) {
			missing = append(missing, c)
		}
	}
	switch {
	case len(missing) > 0:
		return nil, fmt.Errorf("line 1: no column %s: a row is of an arm, a task, a seed and a number of trials, and has figures of them",
			strings.Join(missing, ", "))
	case len(twice) > 0:
		return nil, fmt.Errorf("line 1: the column %s is there twice", strings.Join(twice, ", "))
	case len(head) == len(Columns):
		return nil, errors.New("line 1: there is no column of figures beside arm, task, seed and trials")
	}
	return head, nil
}

// figures are a header's columns of figures.
func figures(head []string) (out []string) {
	for _, c := range head {
		if !slices.Contains(Columns, c) {
			out = append(out, c)
		}
	}
	return out
}

// shared are the figures that all headers have.
func shared(heads [][]string) (out []string) {
	for _, c := range figures(heads[0]) {
		if !slices.ContainsFunc(heads, func(head []string) bool { return !slices.Contains(head, c) }) {
			out = append(out, c)
		}
	}
	return out
}

// read reads a file's rows.
func (t *Table) read(name string, r *csv.Reader, head []string) error {
	var errs []error
	bad := func(line int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: line %d: %w", name, line, fmt.Errorf(format, args...)))
	}
	rows := 0
	for len(errs) < maxProblems {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			if rows == 0 && len(errs) == 0 {
				errs = append(errs, fmt.Errorf("%s: it has no rows", name))
			}
			return errors.Join(errs...)
		}
		if err != nil { // it names the line; behind a wrong quote nothing can be read
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			if !errors.Is(err, csv.ErrFieldCount) {
				return errors.Join(errs...)
			}
			continue
		}
		rows++
		sound := len(errs)
		line, _ := r.FieldPos(0)
		cell := func(column string) string { return strings.TrimSpace(cells[slices.Index(head, column)]) }
		one := row{key: key{arm: cell("arm"), task: cell("task"), seed: cell("seed")}, file: name, line: line}
		for _, c := range Columns {
			if cell(c) == "" {
				bad(line, "the %s is missing", c)
			}
		}
		if one.trials, err = strconv.Atoi(cell("trials")); cell("trials") != "" && (err != nil || one.trials < 1) {
			bad(line, "%q is no number of trials", cell("trials"))
		}
		for _, c := range t.Values {
			v, err := strconv.ParseFloat(cell(c), 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				bad(line, "%s is %q, which is no number", c, cell(c))
			}
			one.values = append(one.values, v)
		}
		if other, twice := t.at[one.key]; twice && len(errs) == sound {
			bad(line, "%v: that is in line %d of %s already", one.key, t.rows[other].line, t.rows[other].file)
		}
		t.add(one)
	}
	return errors.Join(append(errs, fmt.Errorf("%s: and perhaps more", name))...)
}

// add adds a row.
func (t *Table) add(one row) {
	t.at[one.key] = len(t.rows)
	t.rows = append(t.rows, one)
	if !slices.Contains(t.Arms, one.arm) {
		t.Arms = append(t.Arms, one.arm)
	}
	if !slices.Contains(t.Tasks, one.task) {
		t.Tasks = append(t.Tasks, one.task)
	}
}
