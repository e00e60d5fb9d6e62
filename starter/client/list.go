package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"tnaml/activities"
	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/catalog"
	"tnaml/experiments/search"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/workflows"
)

// Entry is a search, or a run of an experiment, in a list.
type Entry struct {
	Name string `json:"name"`
	// Status and Reason are those of its progress, for what has ended how; "gone" is the
	// status of what the store has as running and Temporal does not know.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Told is the number of trials done, Trials the budget, extensions counted.
	Told       int      `json:"told"`
	Trials     int      `json:"trials"`
	Tasks      []string `json:"tasks"`
	Strategy   string   `json:"strategy,omitempty"`
	Seed       uint64   `json:"seed"`
	Experiment string   `json:"experiment,omitempty"`
	// Namespace is another one than the client's, of Temporal's, in which it was started, if it was.
	Namespace string `json:"namespace,omitempty"`
	// Started and Ended are absent where nobody knows any more, and while it runs.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Best is a search's best value on the validation split, OnValidation the same for
	// people.
	Best         *float64 `json:"best_validation,omitempty"`
	OnValidation string   `json:"-"`
	// Kind, Searches and Done are a run's: what it runs, how many searches, and how many of
	// them have ended.
	Kind     catalog.Kind `json:"kind,omitempty"`
	Searches int          `json:"searches,omitempty"`
	Done     int          `json:"done,omitempty"`
	// settled: the search's record says how it ended.
	settled bool
}

const (
	// listAtOnce is how many are asked at once for a list.
	listAtOnce = 16
	// listTimeout bounds all questions of a list together: what does not answer in time is
	// shown as Temporal has it.
	listTimeout = 10 * time.Second
)

// noAnswer is the reason of what is open, and nobody answers for.
func noAnswer(err error) string {
	who := "no worker answers"
	if errors.Is(err, ErrAway) {
		who = "the Temporal server does not answer"
	}
	return who + ": as last recorded"
}

// Searches lists the searches by the time of their start, those of an experiment's label
// where one is given: open ones as their workflows say, those that have ended as they ended, and
// those that only the store still knows. Records that cannot be read are a library.ErrUnreadable beside the rest.
func (c *Client) Searches(ctx context.Context, experiment string) ([]*Entry, error) {
	found, err := c.executions(ctx, workflows.SearchWorkflow)
	if err != nil {
		return nil, err
	}
	records, unread := library.Searches(ctx, c.Store)
	if unread != nil && !errors.Is(unread, library.ErrUnreadable) {
		return nil, unread
	}
	ends := map[string]end{}
	for _, r := range records {
		ends[r.Name] = end{r.Ended, r.Status != "failed"}
	}
	all := entries(found, ends, unread != nil)
	recorded := map[*Entry]library.SearchRecord{}
	for _, r := range records {
		e := all[r.Name]
		if e == nil {
			e = &Entry{Name: r.Name, Status: r.Status, Tasks: []string{}}
			all[r.Name] = e
		}
		e.recorded(r, found[r.Name])
		e.Namespace = c.other(r.Namespace)
		recorded[e] = r
	}
	out := c.complete(ctx, all, found, experiment, func(ctx context.Context, e *Entry) { c.forgotten(ctx, e, recorded[e]) })
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, unread
}

// refusal is how long a start under a held name may be listed as running: it is refused
// at once, but the list lags behind. A run that was reset is older, before long.
const refusal = 10 * time.Second

// end is when what is on record ended, and whether it holds its name.
type end struct {
	at    time.Time
	holds bool
}

// entries is what Temporal's list says, where ends says of all names on record when what
// has them ended. What has ended and is not on record was removed, if all records could
// be read. A start that was refused its name is taken out of found: it failed, and began
// when what holds the name had ended. The name leads to the holder, which only the store knows then.
func entries(found map[string]*execution, ends map[string]end, unread bool) map[string]*Entry {
	all := map[string]*Entry{}
	for name, x := range found {
		ended, recorded := ends[name]
		status := x.info.GetStatus()
		switch {
		case !ended.at.IsZero() && x.started.After(ended.at) && (status == enumspb.WORKFLOW_EXECUTION_STATUS_FAILED ||
			status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING && ended.holds && time.Since(x.started) < refusal):
			delete(found, name)
		case recorded || unread || status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
			all[name] = &Entry{Name: name, Tasks: []string{}}
			all[name].executed(x)
		}
	}
	return all
}

// complete asks for what a list does not have: open ones how they stand, others that are not settled how they
// ended, and what Temporal has forgotten by forgotten. It returns those of a label, where one is given, by the
// time of their start: the newest last, where a terminal has the eye.
func (c *Client) complete(ctx context.Context, all map[string]*Entry, found map[string]*execution, experiment string,
	forgotten func(context.Context, *Entry)) []*Entry {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	out := []*Entry{}
	var g errgroup.Group
	g.SetLimit(listAtOnce)
	for name, e := range all {
		if experiment != "" && e.Experiment != experiment {
			continue
		}
		out = append(out, e)
		g.Go(func() error {
			switch x := found[name]; {
			case e.settled:
			case x == nil:
				forgotten(ctx, e)
			case x.info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
				c.live(ctx, e)
			default:
				c.ended(ctx, e, x)
			}
			return nil
		})
	}
	_ = g.Wait() // none fails
	slices.SortFunc(out, func(a, b *Entry) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Name, b.Name)) })
	return out
}

// Runs lists the runs of experiments, as Searches does searches.
func (c *Client) Runs(ctx context.Context, experiment string) ([]*Entry, error) {
	found, err := c.executions(ctx, kindNames()...)
	if err != nil {
		return nil, err
	}
	records, unread := library.Experiments(ctx, c.Store)
	if unread != nil && !errors.Is(unread, library.ErrUnreadable) {
		return nil, unread
	}
	ends := map[string]end{}
	for _, x := range records {
		for _, r := range x.Runs {
			ends[r.Name] = end{r.Ended, r.Status != "failed"}
		}
	}
	all := entries(found, ends, unread != nil)
	reports := map[*Entry]store.Ref{}
	for _, x := range records {
		for _, r := range x.Runs {
			e := all[r.Name]
			if e == nil {
				e = &Entry{Name: r.Name, Status: r.Status, Tasks: []string{}}
				all[r.Name] = e
			} else if r.Status != "running" {
				e.Status = r.Status // a benchmark's says how it was judged
			}
			e.Experiment, e.Kind, e.Searches, e.Started = x.Name, r.Kind, r.Searches, r.Started
			e.Reason, e.Ended = r.Reason, cmp.Or(e.Ended, r.Ended)
			e.Namespace = c.other(r.Namespace)
			reports[e] = r.Report
		}
	}
	out := c.complete(ctx, all, found, experiment, func(ctx context.Context, e *Entry) {
		c.unlisted(ctx, e)
		if report, err := library.ReadReport(ctx, c.Store, reports[e]); err == nil { // else those who need it say so
			for _, o := range report.Outcomes {
				e.Told += o.Trials
			}
			e.Trials, e.Done = e.Told, len(report.Outcomes)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, unread
}

func kindNames() []string {
	var names []string
	for _, k := range catalog.Kinds() {
		names = append(names, string(k))
	}
	return names
}

// other is a namespace that is not the client's, "" of one that is, or is not known.
func (c *Client) other(namespace string) string {
	if namespace == cmp.Or(c.Namespace, namespace) {
		return ""
	}
	return namespace
}

// unlisted has what is on record as running, and not in Temporal's list, not run, unless it may: in
// another namespace, or on another task queue.
func (c *Client) unlisted(ctx context.Context, e *Entry) {
	if e.Status != "running" {
		return
	}
	if e.Namespace != "" {
		e.Reason = fmt.Sprintf("as last recorded: it is in the namespace %q", e.Namespace)
		return
	}
	switch e.Status = c.Status(ctx, e.Name); e.Status {
	case "running":
		if time.Since(e.Started) > refusal { // else the list lags behind
			e.Reason = "as last recorded: it is on another task queue"
		}
	case "unknown":
		e.Status, e.Reason = "running", noAnswer(ErrAway) // which alone knows
	}
}

// execution is a workflow as Temporal lists it: the newest of its chain, with the start
// of the first.
type execution struct {
	info    *workflowpb.WorkflowExecutionInfo
	started time.Time
	whole   bool // the chain's first has been seen
}

// executions lists the workflows of some types on the task queue.
func (c *Client) executions(ctx context.Context, types ...string) (map[string]*execution, error) {
	query := fmt.Sprintf("WorkflowType IN ('%s') AND TaskQueue = '%s'", strings.Join(types, "', '"),
		strings.ReplaceAll(c.TaskQueue, "'", "''"))
	out := map[string]*execution{}
	var page []byte
	for {
		r, err := c.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: c.Namespace, Query: query,
			NextPageToken: page})
		if err != nil {
			return nil, fmt.Errorf("listing workflows: %w", c.away(ctx, err))
		}
		for _, info := range r.GetExecutions() { // the newest first
			name := info.GetExecution().GetWorkflowId()
			goesOn := info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
			e := out[name]
			switch {
			case e == nil:
				e = &execution{info: info}
				out[name] = e
			case e.whole || !goesOn:
				e.whole = true
				continue
			}
			e.started = info.GetStartTime().AsTime()
		}
		if page = r.GetNextPageToken(); len(page) == 0 {
			return out, nil
		}
	}
}

// recorded is what a search's record says, which is all of one that has ended as Temporal
// lists it: nobody need be asked then, though there are thousands.
func (e *Entry) recorded(r library.SearchRecord, x *execution) {
	e.Told, e.Reason, e.Ended = max(e.Told, r.Told), r.Reason, cmp.Or(e.Ended, r.Ended)
	if e.Started.IsZero() {
		e.Started = r.Started
	}
	if r.Status == library.Imported {
		var of library.Names
		_ = json.Unmarshal(r.Spec, &of) // as it was imported
		e.Trials, e.Tasks, e.Strategy = e.Told, of.Tasks, of.Strategy
	} else if spec, err := workflows.ParseSearchSpec(r.Spec); err == nil {
		e.Trials, e.Tasks = max(spec.Trials, r.Trials, e.Told), spec.Tasks
		e.Strategy, e.Seed, e.Experiment = spec.Strategy, spec.Seed, spec.Experiment
	}
	ended := !r.Ended.IsZero() && r.Status != library.Imported
	if ended && (x == nil || x.info.GetCloseTime() != nil && !x.info.GetStartTime().AsTime().After(r.Ended)) {
		e.settled, e.Status = true, r.Status
		if r.Status == "completed" {
			e.Trials = e.Told
		}
		if r.Best != nil {
			e.Best, e.OnValidation = r.Best, trainer.Text(r.Objective, *r.Best)
		}
	}
}

// executed is what Temporal's list says.
func (e *Entry) executed(x *execution) {
	if kind := catalog.Kind(x.info.GetType().GetName()); slices.Contains(catalog.Kinds(), kind) {
		e.Kind = kind
	}
	e.Status, e.Started = strings.ToLower(x.info.GetStatus().String()), x.started
	if t := x.info.GetCloseTime(); t != nil {
		e.Ended = t.AsTime()
	}
	attribute := func(name string, to any) {
		if p := x.info.GetSearchAttributes().GetIndexedFields()[name]; p != nil {
			_ = converter.GetDefaultDataConverter().FromPayload(p, to) // another's attribute of the name leaves what is known
		}
	}
	attribute(workflows.AttributeTasks.GetName(), &e.Tasks)
	attribute(workflows.AttributeStrategy.GetName(), &e.Strategy)
	attribute(workflows.AttributeSeed.GetName(), &e.Seed)
	attribute(workflows.AttributeExperiment.GetName(), &e.Experiment)
	attribute(workflows.AttributeTrials.GetName(), &e.Told)
}

// live asks the workflow.
func (c *Client) live(ctx context.Context, e *Entry) {
	kind := Search
	if e.Kind != "" {
		kind = Run
	}
	p, err := c.progress(ctx, kind, e.Name)
	if err != nil {
		e.Reason = noAnswer(err)
		return
	}
	if r := p.Run; r != nil {
		e.Status, e.Reason, e.Started = r.Status, r.Reason, r.Started
		e.Told, e.Trials, e.Searches, e.Done = r.AllTold(), r.Trials, r.Searches, r.Done
		return
	}
	s := p.Search
	e.Status, e.Reason, e.Told, e.Trials, e.Tasks, e.Started = s.Status, s.Reason, s.Told, s.Trials, s.Tasks, s.Started
	e.best(s.Best, s.Objective)
}

func (e *Entry) best(best []workflows.Best, objective space.Objective) {
	if len(best) == 0 {
		return
	}
	b := slices.MaxFunc(best, func(a, b workflows.Best) int { return cmp.Compare(a.Reward, b.Reward) })
	e.Best, e.OnValidation = &b.Validation, trainer.Text(objective, b.Validation)
}

// ended asks Temporal how the workflow ended.
func (c *Client) ended(ctx context.Context, e *Entry, x *execution) {
	run := c.Temporal.GetWorkflow(ctx, e.Name, x.info.GetExecution().GetRunId())
	var err error
	if e.Kind != "" {
		var r workflows.ExperimentResult
		if err = run.Get(ctx, &r); err == nil {
			e.Told, e.Trials, e.Searches, e.Done = r.Trials, r.Trials, r.Searches, len(r.Outcomes)
			if e.Status == "completed" {
				e.Status = r.Status
			}
		}
	} else {
		var r workflows.SearchResult
		if err = run.Get(ctx, &r); err == nil {
			e.Status, e.Reason, e.Told = r.Status, cmp.Or(e.Reason, r.Reason), r.Trials
			if e.Trials = max(e.Trials, r.Trials); r.Status == "completed" {
				e.Trials = r.Trials
			}
			e.best(r.Best, r.Objective)
		}
	}
	if cause := new(temporal.ApplicationError); errors.As(err, &cause) {
		e.Reason = cause.Message()
	}
}

// forgotten reads of a search that Temporal has forgotten what the store has.
func (c *Client) forgotten(ctx context.Context, e *Entry, r library.SearchRecord) {
	c.unlisted(ctx, e)
	config, err := library.ReadConfig(ctx, c.Store, r.Config)
	if err != nil {
		return // what cannot be read is reported by those who need it
	}
	trials, err := library.ReadLedger(ctx, c.Store, r.Ledger)
	if err != nil {
		return
	}
	search.FillRewards(config, trials)
	var best []workflows.Best
	for _, t := range trials {
		if t.OK() {
			best = append(best, workflows.Best{Best: activities.Best{Reward: t.Reward, Validation: t.Validation}})
		}
	}
	e.best(best, config.Space.Objective)
}
