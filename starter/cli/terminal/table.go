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

const (
	// leastWidth is what a column that gives way keeps, before it goes.
	leastWidth = 12
	// nameWidth is what another one keeps, before a column goes for it.
	nameWidth = 32
)

// Table is rows under their columns' names in the house's style, fitted to the
// terminal that standard output is, and whole elsewhere.
func (a *App) Table(columns []string, rows [][]any) string {
	return Table(a.WidthOf(a.Stdout), columns, rows)
}

// Table is rows under their columns' names, for a terminal of a width, 0 being none. A
// column ">name" is set to the right; "~name" gives way where there is no room: those
// that are empty go, the others are cut, then left out from the right. Others that are
// wide lose their middle. Names and reasons that others wrote come without what a terminal
// would take for commands.
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
			if one.gives {
				s = text.Snip(s, one.width, "…")
			}
			lines[k] = append(lines[k], middleless(s, one.width))
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

// middleless is a text of at most so many columns, without its middle: the ends of names
// tell them apart.
func middleless(s string, width int) string {
	for runes := []rune(s); text.StringWidth(s) > width && len(runes) > 2; {
		middle := len(runes) / 2
		runes = append(runes[:middle:middle], runes[middle+1:]...)
		s = string(runes[:middle]) + "…" + string(runes[middle:])
	}
	return s
}

// fitted lets columns give way until all fit.
func fitted(c []column, width int) []column {
	without := func(i int) []column { return append(c[:i:i], c[i+1:]...) }
	for width > 0 {
		all, empty, widest, last, name := 0, -1, -1, -1, -1
		for i, one := range c {
			all += one.width + 2 // a blank on either side
			switch {
			case !one.gives && !one.right && one.width > leastWidth && (name < 0 || one.width > c[name].width):
				name = i
			case one.gives && strings.Join(one.cells[1:], "") == "":
				empty = i
			case one.gives:
				if last = i; one.width > leastWidth && (widest < 0 || one.width > c[widest].width) {
					widest = i
				}
			}
		}
		switch {
		case all <= width:
			return c
		case empty >= 0:
			c = without(empty)
		case widest >= 0:
			c[widest].width--
		case name >= 0 && (c[name].width > nameWidth || last < 0):
			c[name].width--
		case last >= 0:
			c = without(last)
		default:
			return c
		}
	}
	return c
}
