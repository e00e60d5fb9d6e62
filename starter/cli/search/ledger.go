package search

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/experiments/report"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

func (a app) trialsCommand() *cobra.Command {
	var format string
	var last int
	cmd := &cobra.Command{
		Use: "trials SEARCH", Short: "List a search's trials, of a running one too", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"table", "csv", "jsonl"}, format) {
				return client.Usage(fmt.Errorf("unknown format %q (known: table, csv, jsonl)", format))
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				f, err := c.Find(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				from := 0
				if last > 0 {
					from = max(len(f.Trials)-last, 0)
				}
				switch format {
				case "csv":
					return a.trialsCSV(f, from)
				case "jsonl":
					return a.trialsJSONL(f, from)
				}
				t := terminal.NewTable(table.Row{"trial", "task", "status", "validation", "test", "CPU", "model"}, "trial", "validation", "test", "CPU")
				for i := from; i < len(f.Trials); i++ {
					r := f.Row(i)
					cpu := terminal.Duration(r.CPUSeconds)
					if r.Cached {
						cpu = "cached"
					}
					summary := r.Summary
					if r.Reason != "" {
						summary += " · " + r.Reason
					}
					t.AppendRow(table.Row{r.Trial.Trial, r.TaskName, r.Status, r.OnValidation, r.OnTest, cpu, summary})
				}
				a.Print("%s", t.Render())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table, csv or jsonl")
	cmd.Flags().IntVar(&last, "last", 0, "only the last so many (default: all)")
	terminal.Positive(cmd, "last")
	return cmd
}

func (a app) trialsCSV(f *client.Ledger, from int) error {
	return report.WriteCSV(a.Stdout, report.Input{Searches: []report.Search{{
		Name: f.Name, Config: *f.Config, Trials: f.Trials[from:], Costs: f.Costs,
	}}})
}

func (a app) trialsJSONL(f *client.Ledger, from int) error {
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	for i := from; i < len(f.Trials); i++ {
		if err := e.Encode(f.Row(i)); err != nil {
			return err
		}
	}
	return nil
}

func (a app) bestCommand() *cobra.Command {
	var task string
	cmd := &cobra.Command{
		Use: "best SEARCH", Short: "Show a search's ten best models of each task", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
				}
				var out []entry
				for i, t := range f.Config.Tasks {
					top, ok := f.Best(i)
					if !ok || task != "" && task != t.Name {
						continue
					}
					e := entry{Task: t.Name, Models: len(top.Trials), Validation: top.Validation.Mean, Test: top.Test.Mean, TestError: top.Test.Error}
					for _, b := range top.Trials {
						e.Best = append(e.Best, f.Row(b.Trial))
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
					t := terminal.NewTable(table.Row{"", "trial", "validation", "test", "model"}, "trial", "validation", "test")
					for k, r := range e.Best {
						t.AppendRow(table.Row{k + 1, r.Trial.Trial, r.OnValidation, r.OnTest, r.Summary})
					}
					a.Print("%s", t.Render())
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&task, "task", "", "only this task")
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
	cmd := &cobra.Command{
		Use: "list", Short: "List the searches", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				out, err := c.Searches(cmd.Context(), experiment)
				if err := a.AllRead(err); err != nil {
					return err
				}
				if a.JSON {
					return a.PrintJSON(out)
				}
				if len(out) == 0 {
					a.Say("There are no searches yet: start one with `starter search`.")
					return nil
				}
				t := terminal.NewTable(table.Row{"search", "status", "trials", "tasks", "strategy", "seed", "experiment"}, "trials", "seed")
				for _, l := range out {
					t.AppendRow(table.Row{l.Name, l.Status, fmt.Sprintf("%d/%d", l.Told, l.Trials), strings.Join(l.Tasks, ", "), l.Strategy, l.Seed,
						l.Experiment})
				}
				a.Print("%s", t.Render())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&experiment, "experiment", "", "only those with this label")
	return a.JSONFlag(cmd)
}
