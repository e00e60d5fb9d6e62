package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/metrics"
	"tnaml/experiments/search"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// KindOf says whether a workflow is a search, a run of an experiment or a collection.
func (c *Client) KindOf(ctx context.Context, name string) (Kind, error) {
	d, err := c.Temporal.DescribeWorkflowExecution(ctx, name, "")
	if err != nil {
		return "", called("", name, c.away(ctx, err))
	}
	switch workflow := d.GetWorkflowExecutionInfo().GetType().GetName(); {
	case slices.Contains(catalog.Kinds(), catalog.Kind(workflow)):
		return Run, nil
	case workflow == workflows.CollectWorkflow:
		return Collection, nil
	}
	return Search, nil
}

// Status is what Temporal says of a workflow: "running", "completed" and so on, "gone"
// where it does not know it, "unknown" where it does not answer. A terminated workflow
// leaves a record behind that says it runs.
func (c *Client) Status(ctx context.Context, name string) string {
	status, err := c.status(ctx, name)
	switch {
	case err != nil:
		return "unknown"
	case status == noWorkflow:
		return "gone"
	}
	return strings.ToLower(status.String())
}

// Open says whether a workflow is open.
func (c *Client) Open(ctx context.Context, name string) (bool, error) {
	status, err := c.status(ctx, name)
	return status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, err
}

// noWorkflow is the status of a workflow that Temporal does not know.
const noWorkflow = enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED

func (c *Client) status(ctx context.Context, name string) (enumspb.WorkflowExecutionStatus, error) {
	d, err := c.Temporal.DescribeWorkflowExecution(ctx, name, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return noWorkflow, nil
	}
	if err != nil {
		return noWorkflow, fmt.Errorf("workflow %s: %w", name, err)
	}
	return d.GetWorkflowExecutionInfo().GetStatus(), nil
}

// ErrNotBegun says that a search has been started, but no worker has looked up yet what
// its names stand for.
var ErrNotBegun = errors.New("it has not begun: its names are being looked up")

// Ledger is a search with its trials so far.
type Ledger struct {
	Name   string
	Record library.SearchRecord
	Config *search.Config
	Trials []search.Trial
	Costs  []search.Cost
	// Behind says why the trials are those of the last checkpoint alone, of a search that runs: ErrSilent
	// or ErrAway. Those told since are not lost, but nobody says them.
	Behind error
}

// Find reads a search's ledger: the checkpoints, and for a running search what its
// workflow has told since.
func (c *Client) Find(ctx context.Context, name string) (*Ledger, error) {
	record, err := library.ReadRecord(ctx, c.Store, name)
	if errors.Is(err, store.ErrNotFound) && c.Status(ctx, name) == "running" {
		return nil, fmt.Errorf("search %s: %w", name, ErrNotBegun)
	}
	if err != nil {
		return nil, err
	}
	if record.Config == "" {
		return nil, fmt.Errorf("search %s could not start: %s", name, record.Reason)
	}
	l := &Ledger{Name: name, Record: record}
	if l.Config, err = library.ReadConfig(ctx, c.Store, record.Config); err != nil {
		return nil, err
	}
	ledger, costs := record.Ledger, record.Costs
	var journal []activities.Row
	if record.Status == "running" {
		// Without an answer (no worker, or the run is gone) the checkpoints are
		// what there is.
		switch p, err := c.position(ctx, name); {
		case err == nil:
			ledger, costs, journal = p.Ledger, p.Costs, p.Journal
		case errors.Is(err, ErrSilent), errors.Is(err, ErrAway):
			if l.Behind = err; c.Warn != nil {
				c.Warn(fmt.Sprintf("%s is shown as of its last checkpoint: %v", name, err))
			}
		}
	}
	if l.Trials, err = library.ReadLedger(ctx, c.Store, ledger); err != nil {
		return nil, err
	}
	if l.Costs, err = library.ReadCosts(ctx, c.Store, costs); err != nil {
		return nil, err
	}
	for _, r := range journal {
		l.Trials = append(l.Trials, r.Trial)
		l.Costs = append(l.Costs, r.Cost)
	}
	search.FillRewards(l.Config, l.Trials)
	return l, nil
}

func (c *Client) position(ctx context.Context, name string) (p activities.Position, err error) {
	err = c.queried(ctx, name, workflows.PositionQuery, &p)
	return p, err
}

// Best returns a task's ten best trials by the objective, as accuracy-topN has them; false where there is none with a model.
func (l *Ledger) Best(task int) (metrics.TopN, bool) {
	return metrics.AccuracyTopN(l.Trials, task, search.TopN)
}

// Task finds a task by its name; a search over one task needs none.
func (l *Ledger) Task(name string) (int, error) {
	var names []string
	for i, t := range l.Config.Tasks {
		if t.Name == name || name == "" && len(l.Config.Tasks) == 1 {
			return i, nil
		}
		names = append(names, t.Name)
	}
	known := strings.Join(names, ", ")
	if name == "" {
		return 0, Usage(fmt.Errorf("search %s has several tasks: choose one (%s)", l.Name, known))
	}
	return 0, fmt.Errorf("search %s has no task %q (there are: %s)", l.Name, name, known)
}

// Row is a trial with all that is known of it.
type Row struct {
	search.Trial
	TaskName string `json:"task_name"`
	Summary  string `json:"summary"`
	// Choices holds the option taken of each choice, by its name.
	Choices     map[string]any `json:"choices"`
	CPUSeconds  float64        `json:"cpu_seconds"`
	WallSeconds float64        `json:"wall_seconds"`
	Cached      bool           `json:"cached"`
	Worker      string         `json:"worker"`
	// OnValidation and OnTest are the objective's values for people, a dash where
	// there is none.
	OnValidation string `json:"-"`
	OnTest       string `json:"-"`
	// Refitted is the model that was trained anew on the validation examples too, nil where
	// none was.
	Refitted *Refitted `json:"refitted,omitempty"`
}

// Refitted is a trial's model that has been taught the validation examples too.
type Refitted struct {
	// Test is its value of the objective on the test split; OnTest is the same for people.
	Test   float64 `json:"test"`
	OnTest string  `json:"-"`
}

const none = "–"

// Value writes an objective's value for people.
func (l *Ledger) Value(v float64) string { return trainer.Text(l.Config.Space.Objective, v) }

// OnTest is Value on the test split, a dash where the trainer has none.
func (l *Ledger) OnTest(v float64) string {
	if !metrics.Tested(l.Trials, l.Config.Space.Objective) {
		return none
	}
	return l.Value(v)
}

// onTest is the test value of a trial's model, a dash where it has none.
func (l *Ledger) onTest(t search.Trial) string {
	if _, _, tested := trainer.Values(t.Metrics, l.Config.Space.Objective); !tested {
		return none
	}
	return l.Value(t.Test)
}

// Row returns the trial of a number.
func (l *Ledger) Row(i int) Row {
	t := l.Trials[i]
	r := Row{Trial: t, TaskName: l.Config.Tasks[t.Task].Name, Summary: trainer.Describe(&l.Config.Space, t.Actions)}
	r.Choices, _ = l.Config.Space.Values(t.Actions) // told trials fit their space
	if r.OnValidation, r.OnTest = none, none; !t.Status.Failure() {
		if r.OnValidation = l.Value(t.Validation); t.Status != trainer.Pruned {
			r.OnTest = l.onTest(t)
		}
	}
	if i < len(l.Costs) {
		c := l.Costs[i]
		r.CPUSeconds, r.WallSeconds, r.Cached, r.Worker = c.CPUSeconds, c.WallSeconds, c.Cached, c.Worker
	}
	return r
}
