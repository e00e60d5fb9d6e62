package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"

	"tnaml/experiments/metrics"
	"tnaml/experiments/search/strategy"
	"tnaml/experiments/study"
	"tnaml/experiments/trainer"
	"tnaml/experiments/yardstick"
)

// Table is a comparison for people, to be shown on a page or in a terminal. The
// first column holds the rows' heads.
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]Cell
	// Marks says what the marked cells are, where that must be told with them;
	// Note what the table shows, for whoever has room for it.
	Marks, Note string
	// Detail says that the table can be left out where there is little room.
	Detail bool
}

// Column is a column's head.
type Column struct {
	Name string
	// Number says that it holds numbers, Arm that its name is an arm's.
	Number, Arm bool
}

// Cell is a cell of a table.
type Cell struct {
	Text string
	// Note stands behind the text; Paper is the paper's figure beside it.
	Note, Paper string
	// Marked is what the eye should find first.
	Marked bool
}

const (
	marks = "not to be told from the best"
	// errorsOver says what the errors of a study's estimates are, behind "± two standard
	// errors".
	errorsOver = ": of the mean over seeds, with one seed of the mean over the models. " +
		"In brackets the standard deviation over seeds. Bold: the best, and those within two standard errors of it, the paper's rule."
)

// Tables compares the arms of a study: what each reached, how many trials it
// took, what it knew at the start, and how the others do against the reference.
func Tables(s *study.Study) []Table {
	rows := s.Table()
	if len(rows) == 0 {
		return nil
	}
	sc, tested := scale{Objective: s.Objective()}, s.Tested()
	m := matrix{rows, s.ArmNames(), sc.Metric == trainer.Accuracy && inPaper(rows)}
	budget := func(r study.Row) int { return r.Budget }
	var out []Table
	if tested {
		out = append(out, m.toBeat(s, sc, m.table(Table{
			Title: "Test " + sc.Name() + " at the end of the budget, ± 2 s.e.m.", Marks: marks, Note: sc.about(errorsOver),
		}, "budget", budget, func(r study.Row) []Cell {
			cells := estimates(r, sc, func(c study.Cell) *metrics.Estimate { return &c.Test })
			for i, c := range r.Cells {
				cells[i].Note = sc.deviation(c.TestSD)
			}
			return cells
		})))
	}
	if tested && (m.paper || slices.ContainsFunc(rows, func(r study.Row) bool { return r.Fixed != r.Budget })) {
		note := "As in Table 1 of the paper, right."
		if m.paper {
			note += " Below, the paper's figure at 500 trials, 250 for Brown."
		}
		out = append(out, m.table(Table{
			Title: "Test " + sc.Name() + " at a fixed budget, ± 2 s.e.m.", Marks: marks, Note: note, Detail: true,
		}, "after trials", func(r study.Row) int { return r.Fixed }, func(r study.Row) []Cell {
			cells := estimates(r, sc, func(c study.Cell) *metrics.Estimate { return c.AtFixed })
			for i, c := range r.Cells {
				cells[i].Paper = paperTest(r.Task, c.Arm)
			}
			return cells
		}))
	}
	note := sc.about(errorsOver)
	if tested {
		note = sc.gapNote()
	} else if l := s.Untested(); l != nil {
		models, of := metrics.Untested(l.Trials, sc.Objective)
		note += fmt.Sprintf(" There are no test figures: of %s in %s %d %s no test value.", english.Plural(of, "model", ""), l.Search, models,
			english.PluralWord(models, "has", "have"))
	}
	out = append(out, m.table(Table{
		Title: "Validation " + sc.Name() + " at the end of the budget, ± 2 s.e.m.", Marks: marks, Note: note, Detail: tested,
	}, "budget", budget, func(r study.Row) []Cell {
		cells := estimates(r, sc, func(c study.Cell) *metrics.Estimate { return &c.Validation })
		for i, c := range r.Cells {
			if tested && c.Models > 0 {
				cells[i].Note = "gap " + sc.Gap(c.Gap())
			} else if !tested {
				cells[i].Note = sc.deviation(c.ValidationSD)
			}
		}
		return cells
	}))
	if s.Baseline != "" {
		const of = "In brackets the seeds that got there; %s is that of the same seed (Table 1 of the paper, left). Bold: the fewest."
		note := fmt.Sprintf(of, baselineWords(s))
		if m.paper {
			note += " Below, the paper's figure, of 5,000 trials, 250 for Brown and 2,500 for 20 Newsgroups."
		}
		out = append(out, m.table(Table{
			Title: "Trials to the final validation " + sc.Name() + " of " + baselineWords(s) + ", median over seeds", Note: note,
		}, "budget", budget, trialCells))
	}
	out = append(out, m.table(Table{
		Title: "Mean validation " + sc.Metric + " of the first ten trials" + sc.Unit() +
			", ± 2 s.e.m.: what an arm knows before it has learned about the task",
	}, "budget", budget, func(r study.Row) (cells []Cell) {
		for _, c := range r.Cells {
			cell := Cell{Text: "–"}
			if c.First != nil {
				cell.Text = sc.Estimate(*c.First)
			}
			cells = append(cells, cell)
		}
		return cells
	}))
	for _, t := range []Table{againstTable(s), rankTable(s), tuningTable(s)} {
		if len(t.Rows) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// Unfinished says which searches of targets run or were stopped, and what that means for
// the tables; empty where all have come to their end.
func Unfinished(s *study.Study) string {
	searches := s.Unfinished()
	if len(searches) == 0 {
		return ""
	}
	const most = 8
	var which []string
	for _, l := range searches[:min(most, len(searches))] {
		which = append(which, fmt.Sprintf("%s: %s, %d of %d trials", l.Search, l.Status, len(l.Trials), l.Budget))
	}
	if more := len(searches) - most; more > 0 {
		which = append(which, fmt.Sprintf("and %d more", more))
	}
	return "Not at their end, and counted with the trials that they have:\n\n" + strings.Join(which, "\n")
}

// baselineWords is what the baseline is called in a sentence.
func baselineWords(s *study.Study) string {
	if s.Arm(s.Baseline).Strategy == strategy.Random {
		return "random search"
	}
	return s.Baseline
}

// matrix makes tables with a row for each task and a column for each arm.
type matrix struct {
	rows []study.Row
	arms []string
	// paper says that the paper's figures stand beside the study's.
	paper bool
}

// table fills a table: trials is a number of trials of the task under the
// heading head, cells makes the cells of a row's arms.
func (m matrix) table(t Table, head string, trials func(study.Row) int, cells func(study.Row) []Cell) Table {
	t.Columns = []Column{{Name: "task"}, {Name: head, Number: true}}
	for _, a := range m.arms {
		t.Columns = append(t.Columns, Column{Name: a, Number: true, Arm: true})
	}
	for _, r := range m.rows {
		line := make([]Cell, len(t.Columns))
		line[0].Text, line[1].Text = r.Task, strconv.Itoa(trials(r))
		for i, cell := range cells(r) {
			c := r.Cells[i]
			if !m.paper {
				cell.Paper = ""
			}
			if c.Unfinished > 0 && c.Told < trials(r) {
				cell.Note = strings.TrimPrefix(cell.Note+", after "+strconv.Itoa(c.Told), ", ")
			}
			line[2+slices.Index(m.arms, c.Arm)] = cell
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// toBeat adds the column of the best simple model of each task, chosen by validation, to a
// table of test accuracies, where any was trained.
func (m matrix) toBeat(s *study.Study, sc scale, t Table) Table {
	cells, any := make([]Cell, len(m.rows)), false
	for i, r := range m.rows {
		cells[i].Text = "–"
		for _, c := range s.Cards {
			if best, ok := yardstick.ToBeat(c.Yardsticks); ok && c.Task == r.Task {
				cells[i] = Cell{Text: sc.Estimate(metrics.Estimate{Mean: best.Test.Accuracy, Error: 2 * best.Test.Error()}), Note: best.Name}
				any = true
			}
		}
	}
	if !any || sc.Metric != trainer.Accuracy {
		return t
	}
	t.Columns = append(t.Columns, Column{Name: "to beat", Number: true})
	for i := range t.Rows {
		t.Rows[i] = append(t.Rows[i], cells[i])
	}
	t.Note += " To beat: the simple model with the best validation accuracy, ± two standard errors of its test examples."
	return t
}

// estimates are the cells of an objective, the best marked.
func estimates(r study.Row, sc scale, of func(study.Cell) *metrics.Estimate) []Cell {
	cells := make([]Cell, len(r.Cells))
	var at []int
	var all []metrics.Estimate
	for i, c := range r.Cells {
		cells[i].Text = "no model"
		if e := of(c); c.Models > 0 && e != nil {
			cells[i].Text = sc.Estimate(*e)
			at, all = append(at, i), append(all, e.Reward(sc.Objective))
		}
	}
	for k, best := range metrics.Best(all) {
		cells[at[k]].Marked = best
	}
	return cells
}

// trialCells are the trials to the baseline's best, the fewest marked.
func trialCells(r study.Row) []Cell {
	cells := make([]Cell, len(r.Cells))
	var reached []float64
	for _, c := range r.Cells {
		if c.Ends() {
			reached = append(reached, c.ToBaseline)
		}
	}
	for i, c := range r.Cells {
		cells[i] = Cell{Text: "–", Paper: paperTrials(r.Task, c.Arm)}
		if c.Compared == 0 {
			continue
		}
		cells[i].Note = fmt.Sprintf("%d of %d", c.Reached, c.Compared)
		if cells[i].Text = fmt.Sprintf("> %d", r.Budget); c.Ends() {
			cells[i].Text, cells[i].Marked = fmt.Sprintf("%g", c.ToBaseline), c.ToBaseline == slices.Min(reached)
		}
	}
	return cells
}

// againstTable counts wins, draws and losses of the reference arm by the paper's rule,
// and says what its difference may be.
func againstTable(s *study.Study) Table {
	sc, what := scale{Objective: s.Objective()}, measured(s)
	t := Table{
		Title: s.Against + " against each other arm: its wins, draws and losses by the paper's rule, and its mean difference in " + what,
		Note: "By " + what + " at the end of the budget. The paper's rule: within two standard errors, of models or of seeds, is a draw. " +
			"The difference is " + sc.points() + sc.less() + ", ± two standard errors over the tasks. The intervals, of 95 %, know seeds and test " +
			"examples too: by a bootstrap that draws other tasks, or takes these; bold where they leave out 0. " +
			"p: Wilcoxon's signed-rank test over the tasks, adjusted for all arms by Holm's method.",
		Columns: []Column{
			{Name: "against"}, {Name: "wins", Number: true}, {Name: "draws", Number: true}, {Name: "losses", Number: true},
			{Name: "tasks", Number: true}, {Name: "mean difference", Number: true}, {Name: "on other tasks, 95 %", Number: true},
			{Name: "on these tasks, 95 %", Number: true}, {Name: "p", Number: true},
		},
	}
	beside := false
	for _, c := range s.Comparisons() {
		row := []Cell{{Text: c.B}}
		for _, n := range []int{c.Test.Wins, c.Test.Draws, c.Test.Losses, c.Tasks} {
			row = append(row, Cell{Text: strconv.Itoa(n)})
		}
		row = append(row, Cell{Text: sc.difference(c.Difference)})
		if p := paper.Against[c.B]; len(p) == len(row)-1 && s.Against == paper.Reference && sc.Metric == trainer.Accuracy {
			for i := range p {
				row[i+1].Paper = p[i]
			}
			beside = true
		}
		others, p := Cell{Text: "–"}, Cell{Text: "–"}
		if c.Tasks > 1 {
			others, p = sc.interval(c.Interval), Cell{Text: probability(c.P)}
		}
		t.Rows = append(t.Rows, append(row, others, sc.interval(c.OnTheseTasks), p))
	}
	if beside {
		t.Note += " Below, the paper's figures (§4.3)."
	}
	return t
}
