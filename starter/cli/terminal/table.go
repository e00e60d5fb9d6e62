package terminal

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// How a column is set, before its name.
const (
	toTheRight = ">"
	givesWay   = "~"
)

// leastWidth is what a column that gives way keeps, before it goes.
const leastWidth = 12

// Table is rows under their columns' names in the house's style, fitted to the
// terminal that standard output is, and whole elsewhere.
func (a *App) Table(columns []string, rows [][]any) string {
	return Table(a.WidthOf(a.Stdout), columns, rows)
}

// Table is rows under their columns' names, for a terminal of a width, 0 being none. A
// column ">name" is set to the right; "~name" gives way where there is no room: those
// are cut, then left out from the right. Names and reasons that others wrote come
// without what a terminal would take for commands.
func Table(width int, columns []string, rows [][]any) string {
	c := make([]column, len(columns))
	for i, name := range columns {
		name, c[i].right = strings.CutPrefix(name, toTheRight)
		name, c[i].gives = strings.CutPrefix(name, givesWay)
		c[i].cells = []string{cell(name)}
		for _, row := range rows {
			if i < len(row) {
				c[i].cells = append(c[i].cells, cell(row[i]))
			} else {
				c[i].cells = append(c[i].cells, "")
			}
		}
		for _, s := range c[i].cells {
			c[i].width = max(c[i].width, text.StringWidth(s))
		}
	}
	c = fitted(c, width)
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.Style().Format.Header = text.FormatDefault
	var configs []table.ColumnConfig
	lines := make([]table.Row, 1+len(rows))
	for i, one := range c {
		if one.right {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
		for k, s := range one.cells {
			lines[k] = append(lines[k], text.Snip(s, one.width, "…"))
		}
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(lines[0])
	t.AppendRows(lines[1:])
	return t.Render()
}

// column is a column with its name and cells, as wide as it may be.
type column struct {
	right, gives bool
	cells        []string
	width        int
}

// cell is a value as one line.
func cell(v any) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, Clean(fmt.Sprint(v)))
}

// fitted lets columns give way until all fit: the widest first, then the last.
func fitted(c []column, width int) []column {
	for width > 0 {
		all, widest, last := 0, -1, -1
		for i, one := range c {
			if all += one.width + 2; !one.gives { // a blank on either side
				continue
			}
			if last = i; one.width > leastWidth && (widest < 0 || one.width > c[widest].width) {
				widest = i
			}
		}
		switch {
		case all <= width || last < 0:
			return c
		case widest >= 0:
			c[widest].width--
		default:
			c = append(c[:last:last], c[last+1:]...)
		}
	}
	return c
}
