package names

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// Removable is a kind of names that can be removed.
type Removable struct {
	kind        store.Kind
	arg         string // in the usage
	short, long string
}

// removed is what all of them but spaces have in common.
const removed = "Only the name goes: what it stands for stays as long as a search, or another name, leads to it, and its space " +
	"comes back by `starter gc`."

// The kinds of names that can be removed.
var (
	Task = Removable{store.Dataset, "TASK", "Remove tasks",
		removed + "\nSearches of the task keep its data, and can be reported, exported and used as before."}
	Module     = Removable{store.Module, "MODULE", "Remove embedding modules", removed + "\nSearches that could choose the module keep it."}
	Controller = Removable{store.Controller, "CONTROLLER", "Remove published controllers, all versions",
		removed + "\nSearches that started from it keep it, and so does the search that learned it."}
	Space  = Removable{store.Space, "SPACE", "Remove search spaces of your own", "Searches carry the space that they were started in."}
	Search = Removable{store.Search, "SEARCH", "Remove searches: ledger, models, controller",
		removed + "\nA search that runs must be stopped first. One of an experiment stays in the experiment's results; see `starter " +
			"experiment remove`.\n" +
			"Temporal still shows its workflow, and no other search can have its name, until the namespace's retention ends."}
	Experiment = Removable{store.Experiment, "EXPERIMENT", "Remove experiments of your own with their runs, or runs of any",
		removed + "\nThe searches of its runs go with it; controllers that were published stay. Of a built-in experiment, only runs can " +
			"be removed."}
)

// app is the program, with what removing takes.
type app struct{ *terminal.App }

// RemoveCommand is the command that removes names of a kind.
func RemoveCommand(t *terminal.App, r Removable) *cobra.Command {
	a := app{t}
	var yes bool
	var runs []string
	cmd := &cobra.Command{
		Use: "remove " + r.arg + "…", Short: r.short, Long: r.short + ".\n\n" + r.long, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(runs) > 0 && len(args) > 1 {
				return client.Usage(errors.New("--run is for runs of one experiment"))
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				return a.remove(cmd.Context(), c, r, args, runs, yes)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	if r.kind == store.Experiment {
		cmd.Flags().StringSliceVar(&runs, "run", nil, "remove only this run, and leave the experiment; may be repeated")
	}
	return a.JSONFlag(cmd)
}

func (a app) remove(ctx context.Context, c *client.Client, r Removable, names, runs []string, yes bool) error {
	look := func() ([]library.Removal, error) {
		plan, err := library.PlanRemoval(ctx, c.Store, r.kind, names, runs)
		if err != nil {
			return nil, cmp.Or(a.checkStarting(ctx, c, r, names), err)
		}
		return plan, a.checkEnded(ctx, c, plan)
	}
	plan, err := look()
	if err != nil {
		return err
	}
	var what []string
	for _, p := range plan {
		name := p.Name
		if p.Part {
			name = strings.Join(p.Runs, ", ")
		}
		what = append(what, name)
		if a.JSON {
			continue
		}
		if n := len(p.Searches); n > 0 {
			a.Say("%s: %s", name, with(n, "its %d searches go with it", "its search %[2]s goes with it", p.Searches))
		}
		if n := len(p.KeptBy); n > 0 {
			a.Say("%s: %s", name, with(n, "%d searches keep it until they are removed: %s", "the search %[2]s keeps it until that is removed",
				p.KeptBy))
		}
	}
	if !yes {
		if !a.Interactive || a.JSON {
			return client.Usage(fmt.Errorf("nothing was removed: say --yes to remove %s", strings.Join(what, ", ")))
		}
		ok, err := a.AskOr(ctx, fmt.Sprintf("Remove %s? [y/N] ", strings.Join(what, ", ")), false)
		if err != nil {
			return err
		}
		if !ok {
			a.Print("Nothing was removed.")
			return nil
		}
		// The question may have stood for hours.
		now, err := look()
		if err == nil && !reflect.DeepEqual(now, plan) {
			err = errors.New("what goes with it, or keeps it, has changed since the question: say the command again")
		}
		if err != nil {
			return fmt.Errorf("nothing was removed: %w", err)
		}
	}
	if err := library.Remove(ctx, c.Store, plan); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(plan)
	}
	a.Print("Removed %s.", strings.Join(what, ", "))
	if r.kind != store.Space {
		a.Say("Space comes back by `starter gc`.")
	}
	return nil
}

// with says something of one or of several, and names the first of them.
func with(n int, several, one string, names []string) string {
	if n == 1 {
		return fmt.Sprintf(one, n, names[0])
	}
	const most = 5
	list := strings.Join(names[:min(n, most)], ", ")
	if n > most {
		list += ", …"
	}
	if !strings.Contains(several, "%s") {
		return fmt.Sprintf(several, n) + ": " + list
	}
	return fmt.Sprintf(several, n, list)
}

// checkStarting refuses to remove searches that have no record yet, and run.
func (a app) checkStarting(ctx context.Context, c *client.Client, r Removable, names []string) error {
	var errs []error
	for _, name := range names {
		if open, err := c.Open(ctx, name); r.kind == store.Search && err == nil && open {
			errs = append(errs, fmt.Errorf("%s is running: `starter stop %s` first", name, name))
		}
	}
	return errors.Join(errs...)
}

// checkEnded refuses to remove what an open workflow writes to.
func (a app) checkEnded(ctx context.Context, c *client.Client, plan []library.Removal) error {
	var errs []error
	for _, p := range plan {
		workflows := p.Runs
		if p.Kind == store.Search {
			workflows = []string{p.Name}
			run, err := library.RunOf(ctx, c.Store, p.Name)
			if err != nil {
				return err
			}
			if run.Name != "" {
				workflows = append(workflows, run.Name)
			}
		}
		for _, w := range workflows {
			open, err := c.Open(ctx, w)
			switch {
			case err != nil:
				return err
			case open && w != p.Name && p.Kind == store.Search:
				errs = append(errs, fmt.Errorf("search %s is part of the run %s, which is not over: `starter stop %s` first", p.Name, w, w))
			case open:
				errs = append(errs, fmt.Errorf("%s is running: `starter stop %s` first", w, w))
			}
		}
	}
	return errors.Join(errs...)
}
