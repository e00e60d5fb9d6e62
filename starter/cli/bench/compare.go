package bench

import (
	"context"
	"errors"
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

// CompareCommand is the command bench compare.
func CompareCommand(t *terminal.App) *cobra.Command {
	var c comparing
	cmd := &cobra.Command{
		Use: "compare FILE...", Short: "Compare search methods by figures of their runs, whoever made them", Args: cobra.MinimumNArgs(1),
		Long: "Compare search methods by figures of their runs, from CSV files (- for standard input): of real training, of other tools,\n" +
			"or what \"bench --csv\" writes. A row is of a run: the columns arm, task, seed and trials, and figures of the run after so\n" +
			"many trials. Several files are taken as one. Only runs that all arms have are compared, pairs of a task and a seed.\n\n" +
			"More of a figure is better, but for regret, found_regret, and those of --lower. Figures named as in \"bench --csv\" that\n" +
			"lie between 0 and 1 are shown in percent.\n\n" +
			"Ranks and tests are over tasks, where there are enough of them for p < 0.05 (6 for two arms, 8 for seven), else over\n" +
			"runs: runs of one task have more in common than those of two, so that p is of these tasks then, and not of others like\n" +
			"them. Over tasks one is won or lost where its interval over seeds leaves out 0; over runs each that differs is.",
		Example: "  starter bench compare figures.csv\n" +
			"  starter bench --strategies ladder --csv > ours.csv\n" +
			"  starter bench compare ours.csv theirs.csv --values test --at 10,100",
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, f := range []string{"values", "lower", "arms", "tasks", "at", "against", "over"} {
				if flag := cmd.Flags().Lookup(f); flag.Changed && strings.Trim(flag.Value.String(), "[]") == "" {
					return client.Usage(fmt.Errorf("--%s is empty: leave it out, or say something", f))
				}
			}
			return c.run(cmd.Context(), t, args)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&c.values, "values", nil, "figures to compare by (default: all that each file has)")
	f.StringSliceVar(&c.plan.Lower, "lower", nil, "figures of which less is better, beside regret and found_regret")
	f.StringSliceVar(&c.plan.Arms, "arms", nil, "arms to compare (default: all)")
	f.StringSliceVar(&c.plan.Tasks, "tasks", nil, "tasks to compare on (default: all)")
	f.IntSliceVar(&c.plan.Budgets, "at", nil, "numbers of trials to compare at (default: those that most shared runs have)")
	f.StringVar(&c.plan.Against, "against", "", "arm that the others are compared with (default: the first)")
	f.StringVar(&c.plan.Over, "over", "", "what ranks and tests are over: tasks or runs (default: tasks, where there are enough)")
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
		b, err := t.ReadInput(ctx, name)
		if err != nil {
			return err
		}
		files[i] = compare.File{Name: name, CSV: b}
	}
	table, err := compare.Read(files, c.values)
	if err != nil {
		if len(c.values) == 0 && errors.Is(err, compare.ErrNoNumber) {
			err = fmt.Errorf("%w\nwhere not all columns are figures, name those that are with --values", err)
		}
		return client.Usage(err)
	}
	for _, f := range figures {
		if f.regret && slices.Contains(table.Values, f.name) && !slices.Contains(c.plan.Lower, f.name) {
			c.plan.Lower = append(c.plan.Lower, f.name)
		}
	}
	result, err := table.Compare(ctx, c.plan)
	switch {
	case ctx.Err() != nil:
		return terminal.ErrInterrupted
	case err != nil:
		return client.Usage(err)
	case t.JSON:
		return t.PrintJSON(result)
	}
	t.Print("%s", comparison{result, len(c.plan.Budgets) == 0}.text(t.WidthOf(t.Stdout)))
	return nil
}

// comparison is a comparison for people; its numbers of trials may be those by default.
type comparison struct {
	*compare.Result
	byDefault bool
}

// seen is what is compared, and what is not.
func (r comparison) seen() string {
	text := fmt.Sprintf("%s of %s that all %d arms have.", counted(r.Runs, "run"), counted(len(r.Tasks), "task"), len(r.Arms))
	if left := r.LeftOut; left.Runs > 0 {
		var lacks []string
		for _, arm := range r.Arms {
			if n := left.Lacks[arm]; n > 0 {
				lacks = append(lacks, fmt.Sprintf("%s lacks %d", arm, n))
			}
		}
		text += fmt.Sprintf(" Left out: %s (%s).", counted(left.Runs, "run"), strings.Join(lacks, ", "))
	}
	if left := r.LeftOut.Budgets; len(left) > 0 && r.byDefault {
		text += fmt.Sprintf(" Not shown, as most runs lack them: figures after %s trials.", strings.Trim(fmt.Sprint(left), "[]"))
	}
	return text + "\n"
}

func (r comparison) text(width int) string {
	var b strings.Builder
	b.WriteString(r.seen())
	head := columns("arm", r.Budgets)
	for i := range r.Values {
		v := &r.Values[i]
		mean, ahead, title := form(v)
		table := func(what string, cell func(c compare.Comparison) string) {
			fmt.Fprintf(&b, "\n%s: %s\n\n%s\n", title, what, terminal.Table(width, head, r.rows(v, cell)))
		}
		fmt.Fprintf(&b, "\n%s: mean, and mean rank over %s\n\n%s\n", title, r.Over,
			terminal.Table(width, head, r.means(v, mean)))
		table("how much better than "+r.Against+", with its 95 % interval over "+drawn(len(r.Tasks))+
			" (* p < 0.05, Wilcoxon–Holm over "+r.Over+")",
			func(c compare.Comparison) string { return gain(c.Gain, ahead) + star(c.Holm) })
		by := ""
		if r.Over == compare.Tasks {
			by = " (95 % interval over seeds)"
		}
		table(r.Over+" won/tied/lost against "+r.Against+by+", and Holm's p", func(c compare.Comparison) string {
			known := r.Over == compare.Runs || r.Runs > len(r.Tasks)
			return tally(c.Tally, known) + " " + probability(c.Holm)
		})
	}
	return terminal.Clean(strings.TrimSuffix(b.String(), "\n"))
}

// form is how a figure's means are written and what arms are ahead by, and its name.
func form(v *compare.Value) (mean, ahead func(float64) string, title string) {
	if title = v.Name; v.Lower {
		title += " (less is better)"
	}
	var means, gains float64 // the largest
	shares := slices.ContainsFunc(figures, func(f figure) bool { return f.name == v.Name && !f.regret })
	for _, at := range v.At {
		for _, m := range at.Means {
			means, shares = max(means, math.Abs(m)), shares && m >= 0 && m <= 1
		}
		for _, c := range at.Comparisons {
			gains = max(gains, math.Abs(c.Gain.Mean))
		}
	}
	if shares {
		return value, value, title + ", in percent"
	}
	return digits(means), digits(gains), title
}

// digits writes numbers of which this is the largest with four digits or more.
func digits(largest float64) func(float64) string {
	format, n := byte('f'), 2
	switch magnitude := math.Floor(math.Log10(largest)); {
	case largest == 0:
	case magnitude < -4 || magnitude > 7:
		format, n = 'e', 3
	default:
		n = max(1, 3-int(magnitude))
	}
	return func(x float64) string {
		text := strconv.FormatFloat(x, format, n, 64)
		if strings.Trim(text, "-0.") == "" { // no negative zero
			text = strings.TrimPrefix(text, "-")
		}
		return text
	}
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
	last := []any{"Friedman's p"}
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
