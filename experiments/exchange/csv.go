package exchange

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteCSV writes every trial of the ledgers, a line each, under a header line.
func WriteCSV(w io.Writer, ledgers []Ledger) error {
	t := newTable(ledgers)
	line := make([]string, len(t.columns))
	for i, c := range t.columns {
		line[i] = c.name
	}
	c := csv.NewWriter(w)
	err := c.Write(line)
	for row := range t.rows() {
		for i, v := range row {
			line[i] = harmless(cell(v))
		}
		if err = c.Write(line); err != nil {
			break
		}
	}
	if c.Flush(); err == nil {
		err = c.Error()
	}
	if err != nil {
		return fmt.Errorf("writing the trials: %w", err)
	}
	return nil
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// harmless is a cell that a spreadsheet takes for text where it would take it for a
// formula, with an apostrophe before it: names and reasons are not ours. Numbers stay. What
// has apostrophes there itself gets one more, so that unquoted gives it back.
func harmless(cell string) string {
	if !formula(cell) {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}

// unquoted takes back what harmless put before a cell, and MLflow, before numbers too.
func unquoted(cell string) string {
	if strings.HasPrefix(cell, "'") && formula(cell) {
		return cell[1:]
	}
	return cell
}

// formula says that a cell begins as formulas do, apostrophes aside.
func formula(cell string) bool {
	bare := strings.TrimLeft(cell, "'")
	return bare != "" && strings.IndexByte("=+-@\t\r", bare[0]) >= 0
}
