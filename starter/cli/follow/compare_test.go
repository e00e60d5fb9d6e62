package follow

import (
	"testing"
	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
)

// The marks of a table: the best, and what is not to be told from it.
func TestTablesOfArms(t *testing.T) {
	row := study.Row{Task: "t", Budget: 50, Cells: []study.Cell{
		{Arm: "a", Models: 10, Test: metrics.Estimate{Mean: .9, Error: .02}, ToRandom: 51, Reached: 1, Compared: 3, First: .5},
		{Arm: "b", Models: 10, Test: metrics.Estimate{Mean: .885, Error: .001}, ToRandom: 12.5, Reached: 3, Compared: 3},
		{Arm: "c", Models: 10, Test: metrics.Estimate{Mean: .87, Error: .1}},
		{Arm: "d"},
	}}
	got := accuracyCells(row)
	if got["a"] != "90.00 ± 2.00*" || got["b"] != "88.50 ± 0.10*" || got["c"] != "87.00 ± 10.00*" || got["d"] != "no model" {
		t.Errorf("%q", got)
	}
	got = trialCells(row)
	if got["a"] != "> 50 (1 of 3)" || got["b"] != "12.5 (3 of 3)" || got["c"] != "–" {
		t.Errorf("%q", got)
	}
	if out := armTable(nil, firstCells); out != "" {
		t.Errorf("a table of nothing: %q", out)
	}
}
