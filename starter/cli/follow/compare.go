package follow

import (
	"fmt"
	"strings"

	"tnaml/experiments/report"
	"tnaml/experiments/study"
	"tnaml/starter/cli/terminal"
)

// StudyTables are an experiment's comparisons as text, with what failed and what
// got worse.
func StudyTables(s *study.Study) string {
	var parts []string
	for _, t := range report.Tables(s) {
		if !t.Detail {
			parts = append(parts, tableText(t))
		}
	}
	for _, t := range report.SimulatedTables(s) {
		parts = append(parts, tableText(t))
	}
	if text := report.Unfinished(s); text != "" {
		parts = append(parts, text)
	}
	var failed []string
	for _, l := range s.Failed() {
		failed = append(failed, fmt.Sprintf("%s: %s %s", l.Search, l.Status, l.Reason))
	}
	if len(failed) > 0 {
		parts = append(parts, "Searches that failed\n\n"+strings.Join(failed, "\n"))
	}
	for _, v := range study.Regressions(s.Verdicts) {
		parts = append(parts, "worse than before: "+v.Say())
	}
	return strings.Join(parts, "\n\n")
}

// tableText is a comparison under its title. Marks stand behind the figures,
// and are told in the title.
func tableText(t report.Table) string {
	var columns []string
	for _, c := range t.Columns {
		set := ""
		if c.Number {
			set = ">"
		}
		columns = append(columns, set+c.Name)
	}
	var rows [][]any
	for _, row := range t.Rows {
		var line []any
		for i, c := range row {
			text := c.Text
			if c.Note != "" {
				text += " (" + c.Note + ")"
			}
			switch {
			case t.Marks == "" || !t.Columns[i].Arm || text == "":
			case c.Marked:
				text += "*"
			default:
				text += " " // in line with the marked ones
			}
			line = append(line, text)
		}
		rows = append(rows, line)
	}
	title := t.Title
	if t.Marks != "" {
		title += " (* " + t.Marks + ")"
	}
	return title + "\n\n" + terminal.Table(0, columns, rows)
}
