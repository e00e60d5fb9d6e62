package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
)

// rankTable shows the arms' mean ranks, with letters for those not told apart.
func rankTable(s *study.Study) Table {
	r := s.Ranking()
	if r == nil {
		return Table{}
	}
	sc := scale{Objective: s.Objective()}
	t := Table{
		Title: fmt.Sprintf("Mean ranks on %d tasks by %s: Friedman's p = %s", r.Tasks, measured(s), probability(r.FP)),
		Note: fmt.Sprintf("1 is the best%s; equal values share their ranks. p is of Iman and Davenport's F, exact for few tasks and arms; "+
			"of Friedman's χ² = %.2f it is %s.", sc.less(), r.ChiSquared, probability(r.P)),
		Columns: []Column{{Name: "arm"}, {Name: "mean rank", Number: true}},
	}
	several := r.CriticalDifference > 0
	if several {
		t.Title += fmt.Sprintf(", critical difference %.2f", r.CriticalDifference)
		t.Note += " Arms that share a letter are not told apart at 5 % (Nemenyi)."
		t.Columns = append(t.Columns, Column{Name: "not told apart"})
	} else {
		t.Note += " Of two arms p is the sign test's."
	}
	var left []string
	for _, arm := range s.ArmNames() {
		if !slices.Contains(r.Arms, arm) {
			left = append(left, arm)
		}
	}
	if len(left) > 0 {
		t.Note += " Without a model on every task, or of other data: " + strings.Join(left, ", ") + "."
	}
	for k, arm := range r.Arms {
		letters := ""
		for g, group := range r.Groups {
			if slices.Contains(group, arm) {
				letters += string(rune('a' + g))
			}
		}
		row := []Cell{{Text: arm}, {Text: fmt.Sprintf("%.2f", r.MeanRanks[k])}}
		if several {
			row = append(row, Cell{Text: letters})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// tuningTable shows what each arm's choice by validation costs on the test split.
func tuningTable(s *study.Study) Table {
	sc := scale{Objective: s.Objective()}
	t := Table{
		Title: "What choosing by validation costs: the model with the best validation " + sc.Metric + ", on the test split",
		Note: fmt.Sprintf("At the end of the budget, %s: the mean over tasks of the mean over seeds, ± two standard errors over tasks. "+
			"Meta-overfitting: %s of the chosen model. Overtuning: what it is worse on the test split than the best of the models chosen before "+
			"it; relative: as a share of what that one had improved over the first, the median over searches, in brackets those that had "+
			"improved. Test regret: what it is worse than the best of all models tried (Schneider, Bischl and Feurer, 2025).",
			sc.points(), sc.gap()),
		Columns: []Column{
			{Name: "arm"}, {Name: "meta-overfitting", Number: true}, {Name: "overtuning", Number: true},
			{Name: "relative overtuning", Number: true}, {Name: "test regret", Number: true},
		},
	}
	for _, a := range s.Tunings() {
		relative := Cell{Text: "–"}
		if a.Improved > 0 {
			relative = Cell{Text: fmt.Sprintf("%.2f", a.Relative), Note: fmt.Sprintf("%d of %d", a.Improved, a.Searches)}
		}
		t.Rows = append(t.Rows, []Cell{
			{Text: a.Arm}, {Text: sc.Estimate(a.MetaOverfitting)}, {Text: sc.Estimate(a.Overtuning)}, relative, {Text: sc.Estimate(a.TestRegret)},
		})
	}
	return t
}

// measured is what arms are compared by.
func measured(s *study.Study) string {
	sc := scale{Objective: s.Objective()}
	if !s.Tested() {
		return "validation " + sc.Name()
	}
	return "test " + sc.Name()
}

// probability writes a p.
func probability(p float64) string {
	if p < .001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

// interval is the cell of a difference's interval, marked where it leaves out 0; a dash
// where nothing is known that it might vary by.
func (s scale) interval(i metrics.Interval) Cell {
	n, ok := decimals(s.factor() * (i.High - i.Low) / 4)
	if !ok || !i.Known() {
		return Cell{Text: "–"}
	}
	end := func(v float64) string { return minus(fmt.Sprintf("%+.*f", n, s.factor()*v)) }
	return Cell{Text: end(i.Low) + " … " + end(i.High), Marked: i.Clear()}
}
