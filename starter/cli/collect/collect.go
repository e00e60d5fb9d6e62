// Package collect is the command that frees space in the store.
package collect

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
	"go.temporal.io/api/workflowservice/v1"

	"tnaml/activities/gc"
	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// collected is what `gc --json` prints.
type collected struct {
	*gc.Plan
	// Done says whether it was done.
	Done bool `json:"done"`
}

// app is the program, with what collecting takes.
type app struct{ *terminal.App }

// Command is the command gc.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	var yes, dry bool
	grace := gc.DefaultGrace
	cmd := &cobra.Command{
		Use: "gc", Short: "Free the space of what no name leads to any more", Args: cobra.NoArgs,
		Long: "Free the space of objects that no name leads to any more: of removed searches, tasks, modules and controllers, and of data that was overwritten.\n" +
			"What remains keeps all it needs: a search keeps its models, its task's data and its modules, also where their own names are gone.\n\n" +
			"It may run at any time, beside searches and imports, once all workers are of a version that has it. Objects are set aside first, if they are older than the grace period, and deleted by a gc\n" +
			"a grace period later; whatever asks for one until then gets it back. So run it twice, a day apart, or every night.\n\n" +
			"At once it is done with --grace 0, while no search and no experiment is open, in any namespace that keeps its objects in the bucket, and nobody\n" +
			"imports anything.",
		Example: "  starter gc --dry-run\n  starter gc --yes\n  starter gc --grace 0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if yes && dry {
				return client.Usage(errors.New("--yes and --dry-run exclude each other"))
			}
			if grace < 0 {
				return client.Usage(fmt.Errorf("--grace is %s: it must be 0 or more", span(grace)))
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				return a.gc(cmd.Context(), c, grace, yes, dry)
			})
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", grace, "age from which an object may be set aside, and from which what was set aside is deleted")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be done, and do nothing")
	return a.JSONFlag(cmd)
}

func (a app) gc(ctx context.Context, c *client.Client, grace time.Duration, yes, dry bool) error {
	p := a.NewProgress()
	p.Quiet()
	defer p.Clear()
	shown := time.Time{}
	o := gc.Options{
		Grace: grace,
		Idle:  func(ctx context.Context) error { return a.idle(ctx, c, grace) },
		Progress: func(step string, done, total int) {
			if time.Since(shown) < 100*time.Millisecond {
				return
			}
			shown = time.Now()
			line := step + " " + humanize.Comma(int64(done))
			if total > 0 {
				line += "/" + humanize.Comma(int64(total))
			}
			p.Update(line)
		},
	}
	if grace == 0 {
		o.Grace = gc.NoGrace
	}
	plan, err := gc.Survey(ctx, c.Store, o)
	p.Clear()
	if err != nil {
		return err
	}
	if !a.JSON {
		a.showPlan(plan, grace)
	}
	do := !dry && !plan.Empty()
	if do && !yes {
		switch {
		case a.Interactive && !a.JSON:
			if do, err = a.AskOr(ctx, "\nDo it? [y/N] ", false); err != nil {
				return err
			}
		default:
			do = false
		}
		if !do {
			a.Say("Nothing was done: say --yes to do it.")
		}
	}
	if do {
		err := plan.Run(ctx, c.Store, o)
		p.Clear()
		if err != nil {
			return fmt.Errorf("%w; what was not done, the next gc does", err)
		}
	}
	if a.JSON {
		return a.PrintJSON(collected{plan, do})
	}
	if !do {
		return nil
	}
	a.Print("\nSet aside %s, deleted %s.", amount(gc.Sum(plan.SetAside)), amount(plan.Deleted))
	if grace > 0 && len(plan.SetAside) > 0 {
		a.Say("What was set aside is deleted by a `starter gc` from %s on.", time.Now().Add(grace).Format("2006-01-02 15:04"))
	}
	return nil
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
func (a app) showPlan(p *gc.Plan, grace time.Duration) {
	t := terminal.NewTable(table.Row{"", "objects", "kept", "objects ", "to set aside"}, "objects", "kept", "objects ", "to set aside")
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
	a.Print("%s", t.Render())
	if p.Young.Objects > 0 {
		a.Print("\nUnreachable, but younger than %s: %s.", span(grace), amount(p.Young))
	}
	if p.Deleted.Objects+p.Waiting.Objects > 0 {
		a.Print("\nSet aside before: %s to delete now, %s to wait.", amount(p.Deleted), amount(p.Waiting))
	}
	for i, m := range p.Missing {
		if i == 10 {
			a.Say("warning: and %d more are missing", len(p.Missing)-i)
			break
		}
		a.Say("warning: %s refers to a %s that is not there: %s", m.By, m.Kind, m.Ref)
	}
	if p.Empty() {
		a.Print("\nThere is nothing to do.")
	}
}

// idle refuses a short grace period while workflows are open: those that Temporal
// lists, which may be a moment late, and those whose records say that they run.
func (a app) idle(ctx context.Context, c *client.Client, grace time.Duration) error {
	types := []string{"'" + workflows.SearchWorkflow + "'"}
	for _, k := range catalog.Kinds() {
		types = append(types, "'"+string(k)+"'")
	}
	response, err := c.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: c.Namespace,
		Query:     fmt.Sprintf("ExecutionStatus = 'Running' AND TaskQueue = '%s' AND WorkflowType IN (%s)", c.TaskQueue, strings.Join(types, ", ")),
	})
	if err != nil {
		return fmt.Errorf("looking for open workflows: %w", err)
	}
	var open []string
	for _, e := range response.GetExecutions() {
		open = append(open, e.GetExecution().GetWorkflowId())
	}
	running, err := library.RecordedRunning(ctx, c.Store)
	if err != nil {
		return err
	}
	for _, name := range running {
		if slices.Contains(open, name) {
			continue
		}
		is, err := c.Open(ctx, name)
		if err != nil {
			return err
		}
		if is {
			open = append(open, name)
		}
	}
	if len(open) == 0 {
		return nil
	}
	slices.Sort(open)
	names := strings.Join(open[:min(len(open), 10)], ", ")
	if more := len(open) - 10; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("a grace period of %s needs a time when nothing runs, and these are open: %s; stop them, or leave --grace at %s or more", span(grace), names, span(gc.MinGrace))
}
