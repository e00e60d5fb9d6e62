// Package collect is the command that frees space in the store.
package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities"
	"tnaml/activities/gc"
	"tnaml/starter/cli/follow"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// app is the program, with what collecting takes.
type app struct{ *terminal.App }

// Command is the command gc.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	var yes, dry bool
	grace := gc.DefaultGrace
	cmd := &cobra.Command{
		Use: "gc", Short: "Free the space of what no name leads to any more", Args: cobra.NoArgs,
		Long: "Free the space of objects that no name leads to any more: of removed searches, tasks, modules and controllers, and of data " +
			"that was overwritten.\n" +
			"What remains keeps all it needs: a search keeps its models, its task's data and its modules, also where their own names are gone.\n\n" +
			"It is a workflow that a worker runs, at any time, beside searches and imports. Objects are set aside first, if they are older " +
			"than the grace period, and deleted by a gc\n" +
			"a grace period later; whatever asks for one until then gets it back. So run it twice, a day apart, or every night:\n" +
			"`starter schedule create gc --collect --cron \"0 4 * * *\"`.\n\n" +
			"At once it is done with --grace 0, while no search and no experiment is open, in any namespace that keeps its objects in the " +
			"bucket, and nobody\n" +
			"imports anything.",
		Example: "  starter gc --dry-run\n  starter gc --yes\n  starter gc --grace 0",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if yes && dry {
				return client.Usage(errors.New("--yes and --dry-run exclude each other"))
			}
			if grace < 0 {
				return client.Usage(fmt.Errorf("--grace is %s: it must be 0 or more", terminal.Span(grace)))
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

// gc shows what a collection would do, asks, and has it done; what is done is found
// anew.
func (a app) gc(ctx context.Context, c *client.Client, grace time.Duration, yes, dry bool) error {
	found, err := a.collect(ctx, c, workflows.CollectSpec{Grace: grace.String(), DryRun: !yes})
	if err != nil {
		return err
	}
	if !a.JSON {
		a.showPlan(found, grace)
	}
	if !yes && !dry && !found.Empty() {
		do := false
		if a.Interactive && !a.JSON {
			if do, err = a.AskOr(ctx, "\nDo it? [y/N] ", false); err != nil {
				return err
			}
		}
		if !do {
			a.Say("Nothing was done: say --yes to do it.")
		} else if found, err = a.collect(ctx, c, workflows.CollectSpec{Grace: grace.String()}); err != nil {
			return err
		}
	}
	if a.JSON {
		return a.PrintJSON(found)
	}
	if found.Done {
		a.Print("\nSet aside %s, deleted %s.", amount(gc.Sum(found.SetAside)), amount(found.Deleted))
	}
	if found.Done && grace > 0 && len(found.SetAside) > 0 {
		a.Say("What was set aside is deleted by a `starter gc` from %s on.", time.Now().Add(grace).Format("2006-01-02 15:04"))
	}
	return nil
}

// collect has a worker collect garbage, and follows it.
func (a app) collect(ctx context.Context, c *client.Client, spec workflows.CollectSpec) (*activities.Collected, error) {
	name, err := c.StartCollection(ctx, spec)
	if err != nil {
		return nil, err
	}
	result, err := follow.Wait(ctx, a.App, c, client.Collection, name)
	if ctx.Err() != nil {
		return nil, follow.Interrupted(a.App, client.Collection, name)
	}
	return result.Collection, err
}

func amount(t gc.Tally) string {
	things := " objects"
	if t.Objects == 1 {
		things = " object"
	}
	return humanize.Bytes(uint64(t.Bytes)) + " in " + humanize.Comma(int64(t.Objects)) + things
}

// showPlan shows what a collection would do.
func (a app) showPlan(p *activities.Collected, grace time.Duration) {
	var rows [][]any
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
		rows = append(rows, []any{name, n, bytes, m, more})
	}
	for _, kind := range order {
		row(kind, kinds[kind])
	}
	row("all", [2]gc.Tally{gc.Sum(p.Kept), gc.Sum(p.SetAside)})
	a.Print("%s", a.Table([]string{"", ">objects", ">kept", ">objects", ">to set aside"}, rows))
	if p.Young.Objects > 0 {
		a.Print("\nUnreachable, but younger than %s: %s.", terminal.Span(grace), amount(p.Young))
	}
	if p.Deleted.Objects+p.Waiting.Objects > 0 {
		a.Print("\nSet aside before: %s to delete now, %s to wait.", amount(p.Deleted), amount(p.Waiting))
	}
	for i, m := range p.Missing {
		if i == 10 {
			a.Say("warning: and %d more are missing", p.MissingObjects-i)
			break
		}
		a.Say("warning: %s refers to a %s that is not there: %s", m.By, m.Kind, m.Ref)
	}
	if p.Empty() {
		a.Print("\nThere is nothing to do.")
	}
}
