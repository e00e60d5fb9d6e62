package corpora

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLine bounds a row of a table whose quotes are literal.
const maxLine = 16 << 20

// rows reads the rows of a table one after the other; line is where a row
// starts. io.EOF ends it.
type rows func() (fields []string, line int, err error)

// errRow is a row that cannot be read, which need not end the table.
var errRow = errors.New("row")

// rows returns the reader of the recipe's table.
func (r Recipe) rows(in io.Reader) rows {
	comma := ','
	if r.Delimiter != "" {
		comma, _ = utf8.DecodeRuneInString(r.Delimiter)
	}
	if r.CR {
		in = &lineReader{r: in}
	}
	if r.Literal {
		s := bufio.NewScanner(in)
		s.Buffer(make([]byte, 0, 1<<16), maxLine)
		line := 0
		return func() ([]string, int, error) {
			for s.Scan() {
				line++
				if row := strings.TrimSuffix(s.Text(), "\r"); row != "" {
					return strings.Split(row, string(comma)), line, nil
				}
			}
			if err := s.Err(); err != nil {
				return nil, line + 1, fmt.Errorf("line %d: %w", line+1, err)
			}
			return nil, line, io.EOF
		}
	}
	c := csv.NewReader(in)
	c.Comma, c.LazyQuotes, c.FieldsPerRecord, c.ReuseRecord = comma, true, -1, true
	return func() ([]string, int, error) {
		row, err := c.Read()
		var parse *csv.ParseError
		switch {
		case errors.As(err, &parse):
			return nil, parse.StartLine, fmt.Errorf("%w: %w", errRow, parse.Err)
		case err != nil:
			return nil, 0, err
		}
		line, _ := c.FieldPos(0)
		return row, line, nil
	}
}

// table reads the rows of a table, one at a time: public tables of gigabytes
// have few rows that are wanted.
func (c *collector) table(name string, in io.Reader, p Part) error {
	next := c.r.rows(c.r.utf8Reader(in))
	columns := c.r.Columns
	if len(columns) == 0 {
		header, _, err := next()
		if err != nil {
			return fmt.Errorf("%s: %w: no header line: %w", name, ErrLayout, err)
		}
		for _, h := range header {
			columns = append(columns, strings.TrimSpace(h))
		}
	}
	var missing []error
	column := func(name, otherwise string) int {
		if name == "" {
			name = otherwise
		}
		i := slices.IndexFunc(columns, func(c string) bool { return sameColumn(c, name) })
		if i < 0 {
			missing = append(missing, fmt.Errorf("no column %q; the columns are %q", name, columns))
		}
		return i
	}
	text, label := column(c.r.Text, "text"), column(c.r.Label, "label")
	where := make([]int, len(c.r.Where))
	for i, w := range c.r.Where {
		where[i] = column(w.Column, "")
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: %w: %w", name, ErrLayout, errors.Join(missing...))
	}
	for {
		row, line, err := next()
		if err == io.EOF {
			return nil
		}
		at := place{name, line}
		switch {
		case errors.Is(err, errRow):
			c.problem("%s: %v", at, err)
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case len(row) != len(columns):
			c.problem("%s: %d columns where there should be %d", at, len(row), len(columns))
			continue
		}
		if !c.wanted(row, where) {
			c.report.Dropped++
			continue
		}
		// A row is one string: a label alone must not keep all of it in memory.
		t, ok1 := c.field(row[text])
		l, ok2 := c.field(row[label])
		if !ok1 || !ok2 {
			c.problem("%s: not valid UTF-8", at)
			continue
		}
		c.add(at, t, l, p.Split)
	}
}

func (c *collector) wanted(row []string, where []int) bool {
	for i, w := range c.r.Where {
		v := row[where[i]]
		if w.Filled && strings.TrimSpace(v) == "" || w.From != "" && v < w.From || w.To != "" && v > w.To {
			return false
		}
	}
	return true
}

// sameColumn compares names of columns: copies of a table have underscores where
// others have spaces.
func sameColumn(a, b string) bool {
	return strings.ReplaceAll(a, "_", " ") == strings.ReplaceAll(b, "_", " ")
}
