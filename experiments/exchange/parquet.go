package exchange

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// rowGroup is how many rows of a Parquet file are in memory before they are written.
const rowGroup = 1 << 16

// WriteParquet writes every trial of the ledgers as a row of a Parquet file, with the
// columns of WriteCSV, each of its own type and null where there is nothing.
func WriteParquet(w io.Writer, ledgers []Ledger) error {
	t := newTable(ledgers)
	group := parquet.Group{}
	at := map[string]parquet.Field{}
	for _, c := range t.columns {
		group[c.name] = parquet.Compressed(parquet.Optional(nodeOf(c.zero)), &parquet.Zstd)
	}
	for _, f := range group.Fields() {
		at[f.Name()] = f
	}
	root := inOrder{Group: group}
	for _, c := range t.columns {
		root.fields = append(root.fields, at[c.name])
	}
	out := parquet.NewGenericWriter[any](w, parquet.NewSchema("trials", root))
	rows := []parquet.Row{make(parquet.Row, len(t.columns))}
	n := 0
	for row := range t.rows() {
		for i, v := range row {
			if rows[0][i] = parquet.NullValue().Level(0, 0, i); v != nil {
				rows[0][i] = parquet.ValueOf(v).Level(0, 1, i)
			}
		}
		if _, err := out.WriteRows(rows); err != nil {
			return fmt.Errorf("writing the trials: %w", err)
		}
		if n++; n%rowGroup == 0 {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("writing the trials: %w", err)
			}
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing the trials: %w", err)
	}
	return nil
}

func nodeOf(zero any) parquet.Node {
	switch zero.(type) {
	case int:
		return parquet.Int(64)
	case uint64:
		return parquet.Uint(64)
	case float64:
		return parquet.Leaf(parquet.DoubleType)
	case bool:
		return parquet.Leaf(parquet.BooleanType)
	}
	return parquet.String()
}

// inOrder is a group whose fields are in their own order, not in that of their names.
type inOrder struct {
	parquet.Group
	fields []parquet.Field
}

func (g inOrder) Fields() []parquet.Field { return g.fields }
