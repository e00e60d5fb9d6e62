package bench

import (
	"fmt"
	"strconv"

	"tnaml/experiments/benchmark/simulate"
)

// baseline shows the arms as the paper's Table 1 does, and what its ablations compare.
func (p *page) baseline(table func(title string, columns []string, rows [][]any)) {
	columns := []string{"task"}
	for _, arm := range p.Arms {
		columns = append(columns, ">"+arm.Name)
	}
	rows := func(cell func(simulate.BaselineArms) string) (out [][]any) {
		for _, t := range p.Baseline.Tasks {
			row := []any{t.Name}
			for _, arm := range t.Arms {
				row = append(row, cell(arm))
			}
			out = append(out, row)
		}
		return out
	}
	table(fmt.Sprintf("Trials until the ten best models have the validation value that those of %s have after %d, with the same seed:\n"+
		"median over seeds (share that got there)", p.Baseline.Arm, p.Trials), columns, rows(func(arm simulate.BaselineArms) string {
		median := "> " + strconv.Itoa(p.Trials)
		if arm.Median > 0 {
			median = strconv.FormatFloat(arm.Median, 'f', 0, 64)
		}
		return fmt.Sprintf("%s (%.0f %%)", median, 100*float64(arm.Reached)/float64(p.Seeds))
	}))
	for k, n := range p.Budgets {
		table(fmt.Sprintf("Test value of the ten best models after %d trials, ± 2 s.e.m. over seeds", n), columns,
			rows(func(arm simulate.BaselineArms) string { return plus(arm.Top[k], value, p.Seeds) }))
	}
	if len(p.Arms) > 1 {
		table(fmt.Sprintf("Test value of the ten best models less that of %s, in points, with its 95 %% interval over %s,\n"+
			"and tasks won/tied/lost (95 %% interval over seeds)", p.Against, drawn(len(p.Tasks))), p.columns("arm"),
			compared(p, p.Baseline.Tops, func(c simulate.Comparison) string {
				return gain(c.Gain, value) + " " + tally(c.Tally, p.Seeds > 1)
			}))
	}
}
