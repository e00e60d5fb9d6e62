package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"tnaml/activities"
	"tnaml/activities/gc"
	"tnaml/deploy"
	"tnaml/workflows"
)

func (a *app) gcCommand() *cobra.Command {
	var yes, dry bool
	grace := gc.DefaultGrace
	cmd := &cobra.Command{
		Use: "gc", Short: "Free the space of what no name leads to any more", Args: cobra.NoArgs,
		Long: "Free the space of objects that no name leads to any more: of removed searches, tasks, modules and controllers, and of data that was overwritten.\n" +
			"What remains keeps all it needs: a search keeps its models, its task's data and its modules, also where their own names are gone.\n\n" +
			"It is a workflow that a worker runs, at any time, beside searches and imports. Objects are set aside first, if they are older than the grace period, and deleted by a gc\n" +
			"a grace period later; whatever asks for one until then gets it back. So run it twice, a day apart, or every night:\n" +
			"`starter schedule create gc --collect --cron \"0 4 * * *\"`.\n\n" +
			"At once it is done with --grace 0, while no search and no experiment is open, in any namespace that keeps its objects in the bucket, and nobody\n" +
			"imports anything.",
		Example: "  starter gc --dry-run\n  starter gc --yes\n  starter gc --grace 0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if yes && dry {
				return usageError{errors.New("--yes and --dry-run exclude each other")}
			}
			if grace < 0 {
				return usageError{fmt.Errorf("--grace is %s: it must be 0 or more", span(grace))}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				return a.gc(cmd.Context(), s, grace, yes, dry)
			})
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", grace, "age from which an object may be set aside, and from which what was set aside is deleted")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be done, and do nothing")
	return a.jsonFlag(cmd)
}

// gc shows what a collection would do, asks, and has it done; what is done is found
// anew.
func (a *app) gc(ctx context.Context, s *deploy.Servers, grace time.Duration, yes, dry bool) error {
	c, err := a.collect(ctx, s, workflows.CollectSpec{Grace: grace.String(), DryRun: !yes})
	if err != nil {
		return err
	}
	if !a.json {
		a.showPlan(c, grace)
	}
	if !yes && !dry && !c.Empty() {
		do := false
		if a.Interactive && !a.json {
			if do, err = a.askOr(ctx, "\nDo it? [y/N] ", false); err != nil {
				return err
			}
		}
		if !do {
			a.say("Nothing was done: say --yes to do it.")
		} else if c, err = a.collect(ctx, s, workflows.CollectSpec{Grace: grace.String()}); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(c)
	}
	if c.Done {
		a.print("\nSet aside %s, deleted %s.", amount(gc.Sum(c.SetAside)), amount(c.Deleted))
	}
	if c.Done && grace > 0 && len(c.SetAside) > 0 {
		a.say("What was set aside is deleted by a `starter gc` from %s on.", time.Now().Add(grace).Format("2006-01-02 15:04"))
	}
	return nil
}

// collectionPrefix begins the workflow IDs of collections; no search's name has it.
const collectionPrefix = "gc:"

// collect has a worker collect garbage, and follows it.
func (a *app) collect(ctx context.Context, s *deploy.Servers, spec workflows.CollectSpec) (*activities.Collected, error) {
	run, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: collectionPrefix + time.Now().UTC().Format("20060102-150405.000"), TaskQueue: a.config.Temporal.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.CollectWorkflow, spec)
	if err != nil {
		return nil, fmt.Errorf("starting the collection: %w", err)
	}
	return a.followCollection(ctx, s, run)
}

// followCollection shows a collection's progress until it ends.
func (a *app) followCollection(ctx context.Context, s *deploy.Servers, run client.WorkflowRun) (*activities.Collected, error) {
	var out activities.Collected
	done := make(chan error, 1)
	go func() { done <- run.Get(ctx, &out) }()
	p := a.newProgress()
	p.quiet()
	defer p.clear()
	for heard := time.Now(); ; {
		select {
		case err := <-done:
			if ctx.Err() != nil {
				p.clear()
				a.say("The collection goes on. Follow it again with `starter watch %s`.%s", run.GetID(), a.where(s, run.GetID()))
				return nil, errInterrupted
			}
			return &out, err
		case <-time.After(pollEvery):
		}
		d, err := s.Client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
		if err != nil {
			continue // what is the matter, the result will say
		}
		if line := collecting(d.GetPendingActivities()); line != "" {
			p.update(line)
			heard = time.Now()
		} else if time.Since(heard) > queryTimeout {
			p.update("no worker answers: is one running? (`starter up`, or the worker program)")
		}
	}
}

// collecting says how far a collection is, by its activity; it is empty where no
// worker has it.
func collecting(pending []*workflowpb.PendingActivityInfo) string {
	for _, one := range pending {
		if one.GetState() != enumspb.PENDING_ACTIVITY_STATE_STARTED {
			if one.GetLastFailure() != nil {
				return "waiting to try again: " + one.GetLastFailure().GetMessage()
			}
			continue
		}
		var at activities.Collecting
		if converter.GetDefaultDataConverter().FromPayloads(one.GetHeartbeatDetails(), &at) != nil || at.Step == "" {
			return "collecting"
		}
		line := at.Step + " " + humanize.Comma(int64(at.Done))
		if at.Total > 0 {
			line += "/" + humanize.Comma(int64(at.Total))
		}
		return line
	}
	return ""
}

// span is a duration without zeros at its end: 24h, not 24h0m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func amount(t gc.Tally) string {
	return fmt.Sprintf("%s in %s objects", humanize.Bytes(uint64(t.Bytes)), humanize.Comma(int64(t.Objects)))
}

// showPlan shows what a collection would do.
func (a *app) showPlan(p *activities.Collected, grace time.Duration) {
	t := newTable(table.Row{"", "objects", "kept", "objects ", "to set aside"}, "objects", "kept", "objects ", "to set aside")
	kinds := map[string][2]gc.Tally{}
	var order []string
	for i, tallies := range [][]gc.Tally{p.Kept, p.SetAside} {
		for _, k := range tallies {
			both := kinds[k.Kind]
			both[i] = k
			kinds[k.Kind] = both
			if !slices.Contains(order, k.Kind) {
				order = append(order, k.Kind)
			}
		}
	}
	slices.Sort(order)
	cells := func(k gc.Tally) (string, string) {
		if k.Objects == 0 {
			return "", ""
		}
		return humanize.Comma(int64(k.Objects)), humanize.Bytes(uint64(k.Bytes))
	}
	row := func(name string, both [2]gc.Tally) {
		n, bytes := cells(both[0])
		m, more := cells(both[1])
		t.AppendRow(table.Row{name, n, bytes, m, more})
	}
	for _, kind := range order {
		row(kind, kinds[kind])
	}
	row("all", [2]gc.Tally{gc.Sum(p.Kept), gc.Sum(p.SetAside)})
	a.print("%s", t.Render())
	if p.Young.Objects > 0 {
		a.print("\nUnreachable, but younger than %s: %s.", span(grace), amount(p.Young))
	}
	if p.Deleted.Objects+p.Waiting.Objects > 0 {
		a.print("\nSet aside before: %s to delete now, %s to wait.", amount(p.Deleted), amount(p.Waiting))
	}
	for i, m := range p.Missing {
		if i == 10 {
			a.say("warning: and %d more are missing", p.MissingObjects-i)
			break
		}
		a.say("warning: %s refers to a %s that is not there: %s", m.By, m.Kind, m.Ref)
	}
	if p.Empty() {
		a.print("\nThere is nothing to do.")
	}
}
