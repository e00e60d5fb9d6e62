package follow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"tnaml/experiments/metrics"
	"tnaml/experiments/study"
	"tnaml/starter/cli/terminal"
)

// StudyTables are an experiment's comparisons as text: what each arm reached,
// how many trials it took, and the ablations.
func StudyTables(s *study.Study) string {
	var parts []string
	add := func(title, body string) {
		if body != "" {
			parts = append(parts, title+"\n\n"+body)
		}
	}
	rows := s.Table(study.Transfer)
	add("Test accuracy-top10 at the end of the budget, ± 2 s.e.m. (* not to be told from the best)", armTable(rows, accuracyCells))
	add("Trials to the final validation accuracy-top10 of random search, median over seeds", armTable(rows, trialCells))
	add("Mean validation accuracy of the first ten trials: what an arm knows before it has learned about the task", armTable(rows, firstCells))
	add("Ablations: wins, draws and losses of the full method, and its mean difference in test accuracy-top10", ablationTable(s))
	add("Policy gradients: test accuracy-top10 at the end of the budget, ± 2 s.e.m.", armTable(s.Table(study.Policy), accuracyCells))
	if failed := failures(s); failed != "" {
		add("Searches that failed", failed)
	}
	for _, v := range study.Regressions(s.Verdicts) {
		parts = append(parts, "worse than before: "+v.Say())
	}
	return strings.Join(parts, "\n\n")
}

// armTable has a row for each task and a column for each arm.
func armTable(rows []study.Row, cells func(study.Row) map[string]string) string {
	var arms []string
	for _, r := range rows {
		for _, c := range r.Cells {
			if !slices.Contains(arms, c.Arm) {
				arms = append(arms, c.Arm)
			}
		}
	}
	if len(arms) == 0 {
		return ""
	}
	header, right := table.Row{"task", "budget"}, []string{"budget"}
	for _, a := range arms {
		header, right = append(header, a), append(right, a)
	}
	t := terminal.NewTable(header, right...)
	for _, r := range rows {
		text := cells(r)
		line := table.Row{r.Task, r.Budget}
		for _, a := range arms {
			line = append(line, text[a])
		}
		t.AppendRow(line)
	}
	return t.Render()
}

func accuracyCells(r study.Row) map[string]string {
	out := map[string]string{}
	var arms []string
	var estimates []metrics.Estimate
	for _, c := range r.Cells {
		if out[c.Arm] = "no model"; c.Models > 0 {
			arms, estimates = append(arms, c.Arm), append(estimates, c.Test)
		}
	}
	best := metrics.Best(estimates)
	for i, arm := range arms {
		mark := " "
		if best[i] {
			mark = "*"
		}
		out[arm] = fmt.Sprintf("%.2f ± %.2f%s", 100*estimates[i].Mean, 100*estimates[i].Error, mark)
	}
	return out
}

func trialCells(r study.Row) map[string]string {
	out := map[string]string{}
	for _, c := range r.Cells {
		switch {
		case c.Compared == 0:
			out[c.Arm] = "–"
		case c.ToRandom > float64(r.Budget):
			out[c.Arm] = fmt.Sprintf("> %d (%d of %d)", r.Budget, c.Reached, c.Compared)
		default:
			out[c.Arm] = fmt.Sprintf("%g (%d of %d)", c.ToRandom, c.Reached, c.Compared)
		}
	}
	return out
}

func firstCells(r study.Row) map[string]string {
	out := map[string]string{}
	for _, c := range r.Cells {
		out[c.Arm] = terminal.Percent(c.First)
	}
	return out
}

func ablationTable(s *study.Study) string {
	t := terminal.NewTable(table.Row{"without", "wins", "draws", "losses", "tasks", "mean difference"}, "wins", "draws", "losses", "tasks", "mean difference")
	there := false
	for _, arm := range []string{study.ArmNoTaskEmbedding, study.ArmSingleArchitecture, study.ArmNAML, study.ArmRandom} {
		c := s.Compare(study.Transfer, study.ArmTransfer, arm)
		if c.Tasks == 0 {
			continue
		}
		there = true
		t.AppendRow(table.Row{arm, c.Test.Wins, c.Test.Draws, c.Test.Losses, c.Tasks, fmt.Sprintf("%+.2f", 100*c.Difference)})
	}
	if !there {
		return ""
	}
	return t.Render()
}

func failures(s *study.Study) string {
	var lines []string
	for _, l := range s.Ledgers {
		if l.Status == "failed" || l.Status == "canceled" {
			lines = append(lines, fmt.Sprintf("%s: %s %s", l.Search, l.Status, l.Reason))
		}
	}
	return strings.Join(lines, "\n")
}
