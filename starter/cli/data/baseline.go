package data

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tnaml/experiments/yardstick"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// BaselineCommand is the command baseline.
func BaselineCommand(t *terminal.App) *cobra.Command {
	a := app{t}
	var again bool
	help := "Train what a search's models are to beat, on the task's own splits, in this process and in seconds:\n\n"
	for _, y := range yardstick.All() {
		help += fmt.Sprintf("  %-26s %s\n", y.Name, y.Doc)
	}
	cmd := &cobra.Command{
		Use: "baseline TASK...", Short: "Train what a task's search is to beat: naive Bayes, NBSVM, TF-IDF with a linear SVM",
		Long: help + "\nWhat is tuned (an SVM's C) is tuned on the validation split. What came of it is kept with the task: its card,\n" +
			"a search's best models and reports show it.",
		Example: "  starter baseline sms_spam\n  starter baseline sms_spam airline --json", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				type entry struct {
					Task       string             `json:"task"`
					Yardsticks []yardstick.Result `json:"yardsticks"`
				}
				out := []entry{}
				var failed []error // of one task, which keeps nothing from the others
				for _, task := range args {
					line := a.NewProgress()
					found, err := c.Yardsticks(cmd.Context(), task, again, func(y string) { line.Update(task + ": " + y) })
					if line.Clear(); cmd.Context().Err() != nil {
						return cmd.Context().Err()
					}
					if err != nil {
						failed = append(failed, err)
						continue
					}
					if out = append(out, entry{task, found}); a.JSON {
						continue
					}
					if len(out) > 1 {
						a.Print("")
					}
					a.Print("%s: %d examples to validate, %d to test", task, found[0].Validation.Examples, found[0].Test.Examples)
					a.Print("%s", a.yardsticks(found))
				}
				if a.JSON {
					failed = append(failed, a.PrintJSON(out))
				}
				return errors.Join(failed...)
			})
		},
	}
	cmd.Flags().BoolVar(&again, "again", false, "train them again where they have been trained before")
	return a.JSONFlag(cmd)
}

// yardsticks is the table of a task's, ± a standard error.
func (a app) yardsticks(results []yardstick.Result) string {
	accuracy := func(s yardstick.Score) string { return fmt.Sprintf("%.2f ± %.2f", 100*s.Accuracy, 100*s.Error()) }
	var rows [][]any
	for _, r := range results {
		c := ""
		if r.C > 0 {
			c = fmt.Sprint(r.C)
		}
		rows = append(rows, []any{r.Name, accuracy(r.Validation), accuracy(r.Test), fmt.Sprintf("%.2f", 100*r.Test.MacroF1), c,
			terminal.Duration(r.CPUSeconds)})
	}
	return a.Table([]string{"to beat", ">validation, %", ">test, %", ">macro-F1, %", ">C", ">CPU"}, rows)
}
