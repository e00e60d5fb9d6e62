package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"tnaml/experiments/data/parquetcheck"
)

// maxBytes bounds a row group's numbers.
const maxBytes = 8 * maxValues

// fromParquet reads a column with a list of numbers in each row. Rows with none are an
// error, as are those of other lengths.
func fromParquet(b []byte, name string) (m *Matrix, err error) {
	defer func() { // the library panics on some kinds of damage
		if v := recover(); v != nil {
			m, err = nil, fmt.Errorf("damaged Parquet file: %v", v)
		}
	}()
	file := bytes.NewReader(b)
	f, err := parquetcheck.Open(file, file.Size())
	if err != nil {
		return nil, err
	}
	var lists []string
	var column *parquet.Column
	for _, c := range f.Root().Columns() {
		leaf := c
		for !leaf.Leaf() && len(leaf.Columns()) == 1 {
			leaf = leaf.Columns()[0]
		}
		if !leaf.Leaf() || leaf.MaxRepetitionLevel() != 1 || leaf.Type().Kind() != parquet.Float && leaf.Type().Kind() != parquet.Double {
			continue
		}
		if lists = append(lists, c.Name()); c.Name() == name || name == "" {
			column = leaf
		}
	}
	switch {
	case len(lists) == 0:
		return nil, errors.New("the Parquet file has no column with lists of floats")
	case column == nil:
		return nil, fmt.Errorf("the Parquet file has no column %q with lists of floats (there are: %s)", name, list(lists))
	case name == "" && len(lists) > 1:
		return nil, fmt.Errorf("the Parquet file has several columns with lists of floats (%s): name one", list(lists))
	}
	r := listReader{m: &Matrix{}, column: column}
	for i, group := range f.RowGroups() {
		err := parquetcheck.Column(file, file.Size(), f, i, column.Index(), maxBytes)
		if err == nil {
			err = r.group(group)
		}
		if err != nil {
			return nil, fmt.Errorf("column %q, row group %d: %w", strings.Join(column.Path(), "."), i, err)
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	if r.m.Rows == 0 {
		return nil, errors.New("the Parquet file has no rows")
	}
	return r.m, nil
}

// listReader gathers lists of one length.
type listReader struct {
	m      *Matrix
	column *parquet.Column
	n      int  // numbers of the row under way
	began  bool // a row
}

func (r *listReader) group(group parquet.RowGroup) (err error) {
	pages := group.ColumnChunks()[r.column.Index()].Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	buffer := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for values := page.Values(); ; {
			n, err := values.ReadValues(buffer)
			for _, v := range buffer[:n] {
				if err := r.add(v); err != nil {
					return err
				}
			}
			if err == io.EOF {
				break
			}
			if err == nil && n == 0 {
				err = io.ErrNoProgress
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
}

func (r *listReader) add(v parquet.Value) error {
	if v.RepetitionLevel() == 0 {
		if err := r.end(); err != nil {
			return err
		}
		r.began = true
	}
	if v.IsNull() {
		return fmt.Errorf("row %d has no vector, or one with a hole", r.m.Rows+1)
	}
	number := v.Float()
	if v.Kind() == parquet.Double {
		number = float32(v.Double())
	}
	if r.n++; r.n > maxDim || len(r.m.Values) == maxValues {
		return fmt.Errorf("row %d: vectors can have %d numbers, %d in all", r.m.Rows+1, maxDim, maxValues)
	}
	r.m.Values = append(r.m.Values, number)
	return nil
}

// end ends the row under way.
func (r *listReader) end() error {
	if !r.began {
		return nil
	}
	if r.m.Rows++; r.m.Rows == 1 {
		r.m.Dim = r.n
	} else if r.n != r.m.Dim {
		return fmt.Errorf("row %d has %d numbers, those before have %d", r.m.Rows, r.n, r.m.Dim)
	}
	r.n, r.began = 0, false
	return nil
}
