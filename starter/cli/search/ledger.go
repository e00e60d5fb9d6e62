package search

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/guard"
	"tnaml/experiments/yardstick"
	"tnaml/starter/cli/follow"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) bestCommand() *cobra.Command {
	var task, by string
	var top, repeats int
	cmd := &cobra.Command{
		Use: "best SEARCH", Short: "Show a search's ten best models of each task, and which to use", Args: cobra.ExactArgs(1),
		Long: "Show a search's ten best models of each task. The best of many owes a part of its accuracy to having been chosen by it: where\n" +
			"it is kept which examples each model has right (--examples), what it is expected to have on new ones is told beside it.\n\n" +
			"A guard chooses the final model with that in mind; predict and model export take it too:\n" +
			"  plain       the best on the validation split\n" +
			"  posterior   that of the largest expected accuracy, given that of all models\n" +
			"  reevaluate  the best when --top of them are trained --repeats times again, with other seeds and with validation splits drawn\n" +
			"              anew from the training and validation examples (not the test split): by a search of its own, SEARCH-reevaluated",
		Example: "  starter best spam-naml-s1-1 --guard reevaluate\n  starter predict spam-naml-s1-1 --guard reevaluate messages.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if by != client.Reevaluation {
				if err := terminal.Idle(cmd.Flags(), "goes with --guard "+client.Reevaluation+" alone", "top", "repeats"); err != nil {
					return err
				}
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				f, err := c.Find(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				type entry struct {
					Task       string       `json:"task"`
					Models     int          `json:"models"`
					Validation float64      `json:"validation_top10"`
					Test       float64      `json:"test_top10"`
					TestError  float64      `json:"test_2sem"`
					Best       []client.Row `json:"best"`
					// Corrected is what the best one is expected to have on new examples.
					Corrected *guard.Corrected `json:"corrected,omitempty"`
					// Yardsticks are what simple models have on the task, if they were trained.
					Yardsticks []yardstick.Result `json:"yardsticks,omitempty"`
					// Choice is the guard's.
					Choice *client.Choice `json:"choice,omitempty"`
				}
				var out []entry
				if task != "" {
					if _, err := f.Task(task); err != nil {
						return err
					}
				}
				for i, t := range f.Config.Tasks {
					best, ok := f.Best(i)
					if !ok || task != "" && task != t.Name {
						continue
					}
					e := entry{Task: t.Name, Models: len(best.Trials), Validation: best.Validation.Mean, Test: best.Test.Mean,
						TestError: best.Test.Error}
					for _, b := range best.Trials {
						e.Best = append(e.Best, f.Row(b.Trial))
					}
					if e.Corrected, err = c.Corrected(cmd.Context(), f, i); err != nil {
						return err
					}
					if e.Yardsticks, err = library.YardsticksOf(cmd.Context(), c.Store, t); err != nil {
						return err
					}
					if by == client.Reevaluation {
						again, err := c.Reevaluate(cmd.Context(), f, i, top, repeats)
						if err != nil {
							return err
						}
						if _, err := follow.Wait(cmd.Context(), a.App, c, client.Search, again); err != nil {
							return fmt.Errorf("search %s, which trains them again: %w", again, err)
						}
					}
					if by != "" {
						if e.Choice, err = c.Choose(cmd.Context(), f, i, by); err != nil {
							return err
						}
					}
					out = append(out, e)
				}
				if len(out) == 0 {
					return fmt.Errorf("search %s has no trained model yet%s", args[0], of(task))
				}
				if a.JSON {
					return a.PrintJSON(out)
				}
				for i, e := range out {
					if i > 0 {
						a.Print("")
					}
					a.Print("%s: %s-top%d validation %s, test %s ± %s", e.Task, f.Config.Space.Objective.Metric, e.Models,
						f.Value(e.Validation), f.OnTest(e.Test), strings.TrimSuffix(f.OnTest(e.TestError), " %"))
					a.Print("The best: %s", f.Say(e.Best[0].Trial, e.Corrected))
					if best, ok := yardstick.ToBeat(e.Yardsticks); ok {
						a.Print("To beat: %s", best.Say())
					}
					var rows [][]any
					for k, r := range e.Best {
						rows = append(rows, []any{k + 1, r.Trial.Trial, r.OnValidation, r.OnTest, r.Summary})
					}
					if e.Choice != nil {
						a.Print("%s", f.SayChoice(e.Choice))
					}
					a.Print("%s", a.Table([]string{">", ">trial", ">validation", ">test", "~model"}, rows))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&task, "task", "", "only this task")
	cmd.Flags().StringVar(&by, "guard", "", "also choose the final model: "+strings.Join(client.Guards(), ", "))
	cmd.Flags().IntVar(&top, "top", 0, fmt.Sprintf("models that reevaluate trains again (default %d)", client.DefaultTop))
	cmd.Flags().IntVar(&repeats, "repeats", 0, fmt.Sprintf("how often it trains each (default %d)", client.DefaultRepeats))
	terminal.Positive(cmd, "top", "repeats")
	return a.JSONFlag(cmd)
}

func of(task string) string {
	if task == "" {
		return ""
	}
	return fmt.Sprintf(" of task %q", task)
}

func (a app) listCommand() *cobra.Command {
	var experiment string
	var runs bool
	of := func(n, all int) string {
		if all == 0 {
			return "" // nobody has said it yet
		}
		return fmt.Sprintf("%d/%d", n, all)
	}
	// A narrow terminal loses columns from the right: why a search stands still is what it keeps.
	l := terminal.Listing[*client.Entry]{
		Short:   "List the searches, or the runs of experiments, by the time of their start",
		Empty:   "There are no searches yet: start one with `starter search`.",
		Columns: []string{"search", "status", ">trials", ">best", "~reason", "~started", "~tasks", "~strategy", "~experiment"},
		Row: func(e *client.Entry) []any {
			return []any{e.Name, e.Status, of(e.Told, e.Trials), e.OnValidation, e.Reason, terminal.When(e.Started),
				strings.Join(e.Tasks, ", "), e.Strategy, e.Experiment}
		},
	}
	l.Read = func(ctx context.Context, c *client.Client) ([]*client.Entry, error) {
		read := c.Searches
		if runs {
			read = c.Runs
			l.Empty = "There are no runs yet: `starter run` runs an experiment."
			l.Columns = []string{"run", "status", ">searches", ">trials", "~reason", "~started", "~kind", "~experiment"}
			l.Row = func(e *client.Entry) []any {
				return []any{e.Name, e.Status, of(e.Done, e.Searches), of(e.Told, e.Trials), e.Reason,
					terminal.When(e.Started), e.Kind, e.Experiment}
			}
		}
		if experiment != "" {
			l.Empty = fmt.Sprintf("There are none of the label %q.", experiment)
		}
		entries, err := read(ctx, experiment)
		if err != nil || runs || len(entries) > 0 {
			return entries, err
		}
		// A run that no worker has taken up yet has no searches.
		all, err := c.Runs(ctx, experiment)
		if slices.ContainsFunc(all, func(e *client.Entry) bool { return e.Ended.IsZero() }) {
			l.Empty = "There are no searches yet, but runs of experiments that have not ended: `starter list --runs`."
			if experiment != "" {
				l.Empty = strings.TrimSuffix(l.Empty, "`.") + " --experiment " + experiment + "`."
			}
		}
		return entries, err
	}
	cmd := l.Command(a.App)
	cmd.Long = l.Short + ".\n\nThose that run say themselves how far they are, within seconds; best is the best value on the validation split."
	cmd.Flags().StringVar(&experiment, "experiment", "", "only those of this label, or experiment")
	cmd.Flags().BoolVar(&runs, "runs", false, "list the runs of experiments")
	return cmd
}
