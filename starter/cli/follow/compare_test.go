package follow

import (
	"strings"
	"testing"

	"tnaml/experiments/report"
)

// Marks and notes stand behind the figures, marks only where they are told.
func TestTableText(t *testing.T) {
	table := report.Table{
		Title: "Accuracy", Marks: "not to be told from the best",
		Columns: []report.Column{{Name: "task"}, {Name: "budget", Number: true}, {Name: "a", Number: true, Arm: true},
			{Name: "b", Number: true, Arm: true}},
		Rows: [][]report.Cell{
			{{Text: "one"}, {Text: "50"}, {Text: "90.00", Marked: true}, {Text: "> 50", Note: "1 of 3", Paper: "4,815"}},
			{{Text: "another"}, {Text: "5"}, {}, {Text: "88.50"}},
		},
	}
	const want = `Accuracy (* not to be told from the best)

 task     budget       a               b 
─────────────────────────────────────────
 one          50  90.00*  > 50 (1 of 3)  
 another       5                  88.50  `
	if got := tableText(table); got != want {
		t.Errorf("%q, want\n%q", got, want)
	}
	table.Marks = ""
	if got := tableText(table); strings.Contains(got, "*") || !strings.Contains(got, "> 50 (1 of 3) \n") {
		t.Errorf("%q", got)
	}
}
