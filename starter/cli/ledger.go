package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy"
	"tnaml/experiments/metrics"
	"tnaml/experiments/report"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// found is a search with its ledger so far.
type found struct {
	name   string
	record library.SearchRecord
	config *search.Config
	trials []search.Trial
	costs  []search.Cost
}

// find reads a search's ledger: the checkpoints, and for a running search what
// its workflow has told since.
func (a *app) find(ctx context.Context, s *deploy.Servers, name string) (*found, error) {
	record, err := library.ReadRecord(ctx, s.Store, name)
	if errors.Is(err, store.ErrNotFound) {
		if a.liveStatus(ctx, s, name) == "running" {
			return nil, fmt.Errorf("search %s has not begun: its names are being looked up; is a worker running?", name)
		}
		return nil, fmt.Errorf("%w; see `starter list`", err)
	}
	if err != nil {
		return nil, err
	}
	f := &found{name: name, record: record}
	if f.config, err = library.ReadConfig(ctx, s.Store, record.Config); err != nil {
		return nil, err
	}
	ledger, costs := record.Ledger, record.Costs
	var journal []activities.Row
	if record.Status == "running" {
		// Without an answer (no worker, or the run is gone) the checkpoints are
		// what there is.
		if p, err := queryPosition(ctx, s.Client, name); err == nil {
			ledger, costs, journal = p.Ledger, p.Costs, p.Journal
		}
	}
	if f.trials, err = library.ReadLedger(ctx, s.Store, ledger); err != nil {
		return nil, err
	}
	if f.costs, err = library.ReadCosts(ctx, s.Store, costs); err != nil {
		return nil, err
	}
	for _, r := range journal {
		f.trials = append(f.trials, r.Trial)
		f.costs = append(f.costs, r.Cost)
	}
	return f, nil
}

func queryPosition(ctx context.Context, c client.Client, name string) (activities.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var p activities.Position
	value, err := c.QueryWorkflow(ctx, name, "", workflows.PositionQuery)
	if err != nil {
		return p, err
	}
	return p, value.Get(&p)
}

// best returns a task's best trials, as accuracy-topN has them.
func (f *found) best(task int) (metrics.TopN, bool) {
	return metrics.AccuracyTopN(f.trials, task, search.TopN)
}

// row is a trial for scripts.
type row struct {
	search.Trial
	TaskName string `json:"task_name"`
	Summary  string `json:"summary"`
	// Choices holds the option taken of each choice, by its name.
	Choices     map[string]any `json:"choices"`
	CPUSeconds  float64        `json:"cpu_seconds"`
	WallSeconds float64        `json:"wall_seconds"`
	Cached      bool           `json:"cached"`
	Worker      string         `json:"worker"`

	// validation and test are the objective's values for people.
	validation, test string
}

func (f *found) row(i int) row {
	t := f.trials[i]
	r := row{Trial: t, TaskName: f.config.Tasks[t.Task].Name, Summary: trainer.Describe(&f.config.Space, t.Actions)}
	r.Choices, _ = f.config.Space.Values(t.Actions) // told trials fit their space
	r.validation, r.test = f.value(t.Validation), f.onTest(t.Test)
	if i < len(f.costs) {
		c := f.costs[i]
		r.CPUSeconds, r.WallSeconds, r.Cached, r.Worker = c.CPUSeconds, c.WallSeconds, c.Cached, c.Worker
	}
	return r
}

func (a *app) trialsCommand() *cobra.Command {
	var format string
	var last int
	cmd := &cobra.Command{
		Use: "trials SEARCH", Short: "List a search's trials, of a running one too", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"table", "csv", "jsonl"}, format) {
				return usageError{fmt.Errorf("unknown format %q (known: table, csv, jsonl)", format)}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				f, err := a.find(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				from := 0
				if last > 0 {
					from = max(len(f.trials)-last, 0)
				}
				switch format {
				case "csv":
					return a.trialsCSV(f, from)
				case "jsonl":
					return a.trialsJSONL(f, from)
				}
				t := newTable(table.Row{"trial", "task", "status", "validation", "test", "CPU", "model"}, "trial", "validation", "test", "CPU")
				for i := from; i < len(f.trials); i++ {
					r := f.row(i)
					cpu := duration(r.CPUSeconds)
					if r.Cached {
						cpu = "cached"
					}
					summary := r.Summary
					if r.Reason != "" {
						summary += " · " + r.Reason
					}
					t.AppendRow(table.Row{r.Trial.Trial, r.TaskName, r.Status, r.validation, r.test, cpu, summary})
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table, csv or jsonl")
	cmd.Flags().IntVar(&last, "last", 0, "only the last so many (default: all)")
	positive(cmd, "last")
	return cmd
}

// value writes an objective's value for people.
func (f *found) value(v float64) string { return trainer.Text(f.config.Space.Objective, v) }

// onTest writes a value on the test split, which a trainer may not have.
func (f *found) onTest(v float64) string {
	if !metrics.Tested(f.trials, f.config.Space.Objective) {
		return "–"
	}
	return f.value(v)
}

func (a *app) trialsCSV(f *found, from int) error {
	return report.WriteCSV(a.Stdout, report.Input{Searches: []report.Search{{
		Name: f.name, Config: *f.config, Trials: f.trials[from:], Costs: f.costs,
	}}})
}

func (a *app) trialsJSONL(f *found, from int) error {
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	for i := from; i < len(f.trials); i++ {
		if err := e.Encode(f.row(i)); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) bestCommand() *cobra.Command {
	var task string
	cmd := &cobra.Command{
		Use: "best SEARCH", Short: "Show a search's ten best models of each task", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				f, err := a.find(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				type entry struct {
					Task       string  `json:"task"`
					Models     int     `json:"models"`
					Validation float64 `json:"validation_top10"`
					Test       float64 `json:"test_top10"`
					TestError  float64 `json:"test_2sem"`
					Best       []row   `json:"best"`
				}
				var out []entry
				for i, t := range f.config.Tasks {
					top, ok := f.best(i)
					if !ok || task != "" && task != t.Name {
						continue
					}
					e := entry{Task: t.Name, Models: len(top.Trials), Validation: top.Validation.Mean, Test: top.Test.Mean, TestError: top.Test.Error}
					for _, b := range top.Trials {
						e.Best = append(e.Best, f.row(b.Trial))
					}
					out = append(out, e)
				}
				if len(out) == 0 {
					return fmt.Errorf("search %s has no trained model yet%s", args[0], of(task))
				}
				if a.json {
					return a.printJSON(out)
				}
				for i, e := range out {
					if i > 0 {
						a.print("")
					}
					a.print("%s: %s-top%d validation %s, test %s ± %s", e.Task, f.config.Space.Objective.Metric, e.Models,
						f.value(e.Validation), f.onTest(e.Test), strings.TrimSuffix(f.onTest(e.TestError), " %"))
					t := newTable(table.Row{"", "trial", "validation", "test", "model"}, "trial", "validation", "test")
					for k, r := range e.Best {
						t.AppendRow(table.Row{k + 1, r.Trial.Trial, r.validation, r.test, r.Summary})
					}
					a.print("%s", t.Render())
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&task, "task", "", "only this task")
	return a.jsonFlag(cmd)
}

func of(task string) string {
	if task == "" {
		return ""
	}
	return fmt.Sprintf(" of task %q", task)
}

func (a *app) listCommand() *cobra.Command {
	var experiment string
	cmd := &cobra.Command{
		Use: "list", Short: "List the searches", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				records, err := library.Searches(cmd.Context(), s.Store)
				if err := a.allRead(err); err != nil {
					return err
				}
				type entry struct {
					Name       string   `json:"name"`
					Status     string   `json:"status"`
					Told       int      `json:"told"`
					Trials     int      `json:"trials"`
					Tasks      []string `json:"tasks"`
					Strategy   string   `json:"strategy"`
					Seed       uint64   `json:"seed"`
					Experiment string   `json:"experiment,omitempty"`
				}
				out := []entry{}
				for _, r := range records {
					spec, err := workflows.ParseSearchSpec(r.Spec)
					if err != nil || experiment != "" && spec.Experiment != experiment {
						continue
					}
					l := entry{r.Name, r.Status, r.Told, spec.Trials, spec.Tasks, spec.Strategy, spec.Seed, spec.Experiment}
					if r.Status == "running" {
						l.Status = a.liveStatus(cmd.Context(), s, r.Name)
					}
					out = append(out, l)
				}
				if a.json {
					return a.printJSON(out)
				}
				if len(out) == 0 {
					a.say("There are no searches yet: start one with `starter search`.")
					return nil
				}
				t := newTable(table.Row{"search", "status", "trials", "tasks", "strategy", "seed", "experiment"}, "trials", "seed")
				for _, l := range out {
					t.AppendRow(table.Row{l.Name, l.Status, fmt.Sprintf("%d/%d", l.Told, l.Trials), strings.Join(l.Tasks, ", "), l.Strategy, l.Seed, l.Experiment})
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&experiment, "experiment", "", "only those with this label")
	return a.jsonFlag(cmd)
}

// liveStatus asks Temporal about a search whose record says that it runs: a
// terminated workflow leaves its record behind.
func (a *app) liveStatus(ctx context.Context, s *deploy.Servers, name string) string {
	status, err := workflowStatus(ctx, s, name)
	switch {
	case err != nil:
		return "unknown"
	case status == noWorkflow:
		return "gone"
	}
	return strings.ToLower(status.String())
}

// noWorkflow is the status of a workflow that Temporal does not know.
const noWorkflow = enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED

func workflowStatus(ctx context.Context, s *deploy.Servers, name string) (enumspb.WorkflowExecutionStatus, error) {
	d, err := s.Client.DescribeWorkflowExecution(ctx, name, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return noWorkflow, nil
	}
	if err != nil {
		return noWorkflow, fmt.Errorf("workflow %s: %w", name, err)
	}
	return d.GetWorkflowExecutionInfo().GetStatus(), nil
}

// isOpen says whether a workflow is open.
func isOpen(ctx context.Context, s *deploy.Servers, name string) (bool, error) {
	status, err := workflowStatus(ctx, s, name)
	return status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}
