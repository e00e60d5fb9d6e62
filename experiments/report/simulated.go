package report

import (
	"fmt"
	"slices"

	sim "tnaml/experiments/benchmark/simulate"
	"tnaml/experiments/study"
)

// maxNights bounds the nights that are shown of a benchmark.
const maxNights = 14

// SimulatedTables are what the last night of a benchmark found by searches of recorded
// tasks, and the nights before it that had the same plan.
func SimulatedTables(s *study.Study) []Table {
	var nights []study.Run // the latest first
	for _, r := range slices.Backward(s.Runs) {
		if r.Simulated != nil && (nights == nil || r.Simulated.Plan == nights[0].Simulated.Plan) {
			nights = append(nights, r)
		}
	}
	if nights == nil {
		return nil
	}
	out := []Table{tonightTable(nights[0])}
	if len(nights[0].Simulated.Drift) > 0 {
		out = append(out, driftTable(nights[0]))
	}
	if len(nights) > 1 {
		out = append(out, nightsTable(nights[:min(len(nights), maxNights)]))
	}
	return out
}

// tonightTable is a night's verdict, arm by arm.
func tonightTable(r study.Run) Table {
	n, arms := r.Simulated.Nightly, float64(max(len(r.Simulated.Nightly.Arms), 1))
	searches := 0
	for _, p := range r.Simulated.Arms {
		searches += p.Searches
	}
	t := Table{
		Title: fmt.Sprintf("Simulated searches of %s, trials to the target: %s", r.Name, r.Simulated.Say()),
		Columns: []Column{
			{Name: "arm"}, {Name: "trials", Number: true}, {Name: "95 %", Number: true}, {Name: "reached", Number: true},
		},
		Note: fmt.Sprintf("%s searches of recorded tasks, with %d seeds and %d trials each; nothing is trained. Geometric means over tasks "+
			"and seeds of the trials until the best model lies %s of the way from the median random configuration to the best known; a "+
			"search that never gets there counts as its budget. p is that of the one-sided test that the arm is no slower: it is slower below "+
			"%.4f, and of the drift below %.4f, so that a night on which none is slower is called so in at most %s of cases.",
			count(searches), n.Seeds, n.Trials, percent(n.Share), sim.LatestLevel/arms, sim.DriftLevel/arms, percent(sim.Alarm)),
	}
	t.Columns = append(t.Columns, slowdownColumns("before")...)
	for i, p := range r.Simulated.Arms {
		row := []Cell{
			{Text: p.Arm}, {Text: fmt.Sprintf("%.2f", p.Trials)}, {Text: fmt.Sprintf("%.2f–%.2f", p.Low, p.High)},
			{Text: percent(float64(p.Reached) / float64(max(p.Searches, 1)))},
		}
		if i < len(r.Simulated.Slowdowns) {
			row = append(row, slowdownCells(r.Simulated.Slowdowns[i])...)
		} else {
			row = append(row, make([]Cell, 5)...)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// driftTable compares a night with the one that drift is counted from, arm by arm.
func driftTable(r study.Run) Table {
	t := Table{
		Title:   "Drift of simulated searches: the same trials, beside those of an earlier night",
		Columns: append([]Column{{Name: "arm"}, {Name: "since"}, {Name: "trials", Number: true}}, slowdownColumns("then")...),
		Note: "Since the night after the latest on which the arm was told to be slower or faster than before, else since the first of " +
			"this plan that drift was counted on. Slowdowns that are too small to be told from one night to the next add up here.",
	}
	for _, s := range r.Simulated.Drift {
		t.Rows = append(t.Rows, append([]Cell{{Text: s.Arm}, {Text: s.Since}, {Text: fmt.Sprintf("%.2f", s.Tonight)}},
			slowdownCells(s.Slowdown)...))
	}
	return t
}

// slowdownColumns are those of a comparison with an earlier night.
func slowdownColumns(before string) []Column {
	return []Column{
		{Name: before, Number: true}, {Name: "ratio", Number: true}, {Name: "95 %", Number: true}, {Name: "p", Number: true}, {Name: ""},
	}
}

// slowdownCells are an arm's comparison with an earlier night.
func slowdownCells(s sim.Slowdown) []Cell {
	cells := []Cell{{Text: fmt.Sprintf("%.2f", s.Earlier)}, {}, {}, {}, {Text: "unchanged"}}
	if s.Unchanged {
		return cells
	}
	cells[1].Text, cells[2].Text = fmt.Sprintf("%.3f", s.Ratio), fmt.Sprintf("%.3f–%.3f", s.Low, s.High)
	cells[3].Text, cells[4].Text = fmt.Sprintf("%.2g", s.P), "no slower"
	switch {
	case s.Slower:
		cells[4] = Cell{Text: "slower", Marked: true}
	case s.Faster:
		cells[4].Text = "faster"
	}
	return cells
}

// percent is a share.
func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

// nightsTable has the arms' trials to the target, night by night.
func nightsTable(nights []study.Run) Table {
	t := Table{Title: "Simulated searches, night by night: trials to the target", Columns: []Column{{Name: "run"}, {Name: ""}}}
	for _, a := range nights[0].Simulated.Arms {
		t.Columns = append(t.Columns, Column{Name: a.Arm, Number: true})
	}
	for _, r := range nights {
		row := []Cell{{Text: r.Name}, {Text: r.Status}}
		for i, p := range r.Simulated.Arms {
			cell := Cell{Text: fmt.Sprintf("%.2f", p.Trials)}
			slower := func(s []sim.Slowdown) bool { return i < len(s) && s[i].Slower }
			drifted := slices.ContainsFunc(r.Simulated.Drift, func(d study.Drift) bool { return d.Arm == p.Arm && d.Slower })
			if slower(r.Simulated.Slowdowns) || drifted {
				cell.Marked, cell.Note = true, "slower"
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
