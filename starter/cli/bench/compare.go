package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/benchmark/compare"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// Figures of --csv: of regrets less is better, and objectives are shown in percent.
var (
	regrets    = []string{"regret", "found_regret"}
	objectives = []string{"validation", "test", "top10_validation", "top10_test", "validation_mean"}
)

// CompareCommand is the command bench compare.
func CompareCommand(t *terminal.App) *cobra.Command {
	var c comparing
	cmd := &cobra.Command{
		Use: "compare FILE...", Short: "Compare search methods by figures of their runs, whoever made them", Args: cobra.MinimumNArgs(1),
		Long: "Compare search methods by figures of their runs, from CSV files: of real training, of other tools, or what \"bench --csv\"\n" +
			"writes. A row is of a run: the columns arm, task, seed and trials, and figures of the run after so many trials. Several\n" +
			"files are taken as one. Only runs that all arms have are compared, pairs of a task and a seed.\n\n" +
			"More of a figure is better, but for regret, found_regret, and those of --lower. Figures named as in \"bench --csv\" are shown\n" +
			"in percent.\n\n" +
			"Ranks and tests are over tasks, where there are " + strconv.Itoa(compare.Enough) +
			" or more, else over runs: runs of one task have more in\n" +
			"common than those of two, so that p is of these tasks then, and not of others like them.",
		Example: "  starter bench compare figures.csv\n" +
			"  starter bench --strategies ladder --csv > ours.csv\n" +
			"  starter bench compare ours.csv theirs.csv --values test --at 10,100",
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), t, args) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.values, "values", nil, "figures to compare by (default: all that each file has)")
	f.StringSliceVar(&c.plan.Lower, "lower", nil, "figures of which less is better, beside regret and found_regret")
	f.StringSliceVar(&c.plan.Arms, "arms", nil, "arms to compare (default: all)")
	f.StringSliceVar(&c.plan.Tasks, "tasks", nil, "tasks to compare on (default: all)")
	f.IntSliceVar(&c.plan.Budgets, "at", nil, "numbers of trials to compare at (default: those that all arms have)")
	f.StringVar(&c.plan.Against, "against", "", "arm that the others are compared with (default: the first)")
	f.StringVar(&c.plan.Over, "over", "", "what ranks and tests are over: tasks or runs")
	return t.JSONFlag(cmd)
}

// comparing is what the flags say.
type comparing struct {
	values []string
	plan   compare.Plan
}

func (c *comparing) run(ctx context.Context, t *terminal.App, names []string) error {
	files := make([]compare.File, len(names))
	for i, name := range names {
		b, err := terminal.ReadFile(ctx, name)
		if err != nil {
			return client.Usage(err)
		}
		files[i] = compare.File{Name: name, CSV: b}
	}
	table, err := compare.Read(files, c.values)
	if err != nil {
		return client.Usage(err)
	}
	for _, name := range regrets {
		if slices.Contains(table.Values, name) && !slices.Contains(c.plan.Lower, name) {
			c.plan.Lower = append(c.plan.Lower, name)
		}
	}
	result, err := table.Compare(c.plan)
	if err != nil {
		return client.Usage(err)
	}
	if t.JSON {
		return t.PrintJSON(result)
	}
	t.Print("%s", comparison{result}.text(t.WidthOf(t.Stdout)))
	return nil
}

// comparison is a comparison for people.
type comparison struct{ *compare.Result }

func (r comparison) text(width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s that all %d arms have", counted(r.Runs, "run"), counted(len(r.Tasks), "task"), len(r.Arms))
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "; %s left out that some lack", counted(r.LeftOut, "run"))
	}
	b.WriteString(".\n")
	columns := []string{"arm"}
	for _, n := range r.Budgets {
		columns = append(columns, ">"+strconv.Itoa(n))
	}
	drawn := "tasks and seeds"
	if len(r.Tasks) < 2 {
		drawn = "seeds"
	}
	for i := range r.Values {
		v := &r.Values[i]
		write, title := form(v)
		table := func(what string, cell func(c compare.Comparison) string) {
			fmt.Fprintf(&b, "\n%s: %s\n\n%s\n", title, what, terminal.Table(width, columns, r.rows(v, cell)))
		}
		fmt.Fprintf(&b, "\n%s: mean, and mean rank over %s (p: Friedman)\n\n%s\n", title, r.Over,
			terminal.Table(width, columns, r.means(v, write)))
		table("how much better than "+r.Against+", with its 95 % interval over "+drawn+" (* p < 0.05, Wilcoxon–Holm over "+r.Over+")",
			func(c compare.Comparison) string { return better(c, write) })
		table(r.Over+" won/tied/lost against "+r.Against+", and Holm's p",
			func(c compare.Comparison) string {
				return fmt.Sprintf("%d/%d/%d %s", c.Wins, c.Draws, c.Losses, probability(c.Holm))
			})
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// form is how a figure is written, and its name.
func form(v *compare.Value) (write func(float64) string, title string) {
	if title = v.Name; v.Lower {
		title += " (less is better)"
	}
	if slices.Contains(objectives, v.Name) {
		return value, title + ", in percent"
	}
	most := 0.
	for _, at := range v.At {
		for _, m := range at.Means {
			most = max(most, math.Abs(m))
		}
	}
	digits := 4 - min(3, len(strconv.Itoa(int(min(most, 1e6)))))
	if most < 1 {
		digits = 4
	}
	return func(x float64) string { return strconv.FormatFloat(x, 'f', digits, 64) }, title
}

// means has a row for each arm.
func (r comparison) means(v *compare.Value, write func(float64) string) [][]any {
	var rows [][]any
	for a, arm := range r.Arms {
		row := []any{arm}
		for _, at := range v.At {
			row = append(row, fmt.Sprintf("%s (%.1f)", write(at.Means[a]), at.Ranks[a]))
		}
		rows = append(rows, row)
	}
	last := []any{"p"}
	for _, at := range v.At {
		last = append(last, probability(at.P))
	}
	return append(rows, last)
}

// rows has a row for each other arm.
func (r comparison) rows(v *compare.Value, cell func(compare.Comparison) string) [][]any {
	rows := make([][]any, len(r.Arms)-1)
	for _, at := range v.At {
		for i, c := range at.Comparisons {
			if rows[i] == nil {
				rows[i] = []any{c.Arm}
			}
			rows[i] = append(rows[i], cell(c))
		}
	}
	return rows
}

// better is what an arm is ahead by.
func better(c compare.Comparison, write func(float64) string) string {
	signed := func(x float64) string { return strings.Replace("+"+write(x), "+-", "-", 1) }
	between, star := dash, " "
	if c.Gain.Known() {
		between = signed(c.Gain.Low) + ", " + signed(c.Gain.High)
	}
	if c.Holm < .05 {
		star = "*"
	}
	return fmt.Sprintf("%s [%s]%s", signed(c.Gain.Mean), between, star)
}
