package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/deploy"
)

// removable is a kind of names that can be removed.
type removable struct {
	kind        store.Kind
	arg         string // in the usage
	short, long string
}

const removed = "Only the name goes: what it stands for stays as long as a search, or another name, leads to it, and its space comes back by `starter gc`."

var (
	removeTask       = removable{store.Dataset, "TASK", "Remove tasks", removed + "\nSearches of the task keep its data, and can be reported, exported and used as before."}
	removeModule     = removable{store.Module, "MODULE", "Remove embedding modules", removed + "\nSearches that could choose the module keep it."}
	removeController = removable{store.Controller, "CONTROLLER", "Remove published controllers, all versions", removed + "\nSearches that started from it keep it, and so does the search that learned it."}
	removeSpace      = removable{store.Space, "SPACE", "Remove search spaces of your own", "Searches carry the space that they were started in."}
	removeSearch     = removable{store.Search, "SEARCH", "Remove searches: ledger, models, controller", removed + "\nA search that runs must be stopped first. One of an experiment stays in the experiment's results; see `starter experiment remove`.\n" +
		"Temporal still shows its workflow, and no other search can have its name, until the namespace's retention ends."}
	removeExperiment = removable{store.Experiment, "EXPERIMENT", "Remove experiments of your own with their runs, or runs of any",
		removed + "\nThe searches of its runs go with it; controllers that were published stay. Of a built-in experiment, only runs can be removed."}
)

func (a *app) removeCommand(r removable) *cobra.Command {
	var yes bool
	var runs []string
	cmd := &cobra.Command{
		Use: "remove " + r.arg + "…", Short: r.short, Long: r.short + ".\n\n" + r.long, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(runs) > 0 && len(args) > 1 {
				return usageError{errors.New("--run is for runs of one experiment")}
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				return a.remove(cmd.Context(), s, r, args, runs, yes)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	if r.kind == store.Experiment {
		cmd.Flags().StringSliceVar(&runs, "run", nil, "remove only this run, and leave the experiment; may be repeated")
	}
	return a.jsonFlag(cmd)
}

func (a *app) remove(ctx context.Context, s *deploy.Servers, r removable, names, runs []string, yes bool) error {
	look := func() ([]library.Removal, error) {
		plan, err := library.PlanRemoval(ctx, s.Store, r.kind, names, runs)
		if err != nil {
			return nil, err
		}
		return plan, a.checkEnded(ctx, s, plan)
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
		if a.json {
			continue
		}
		if n := len(p.Searches); n > 0 {
			a.say("%s: %s", name, with(n, "its %d searches go with it", "its search %[2]s goes with it", p.Searches))
		}
		if n := len(p.KeptBy); n > 0 {
			a.say("%s: %s", name, with(n, "%d searches keep it until they are removed: %s", "the search %[2]s keeps it until that is removed", p.KeptBy))
		}
	}
	if !yes {
		if !a.Interactive || a.json {
			return usageError{fmt.Errorf("nothing was removed: say --yes to remove %s", strings.Join(what, ", "))}
		}
		ok, err := a.askOr(ctx, fmt.Sprintf("Remove %s? [y/N] ", strings.Join(what, ", ")), false)
		if err != nil {
			return err
		}
		if !ok {
			a.print("Nothing was removed.")
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
	if err := library.Remove(ctx, s.Store, plan); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(plan)
	}
	a.print("Removed %s.", strings.Join(what, ", "))
	if r.kind != store.Space {
		a.say("Space comes back by `starter gc`.")
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

// checkEnded refuses to remove what an open workflow writes to.
func (a *app) checkEnded(ctx context.Context, s *deploy.Servers, plan []library.Removal) error {
	var errs []error
	for _, p := range plan {
		workflows := p.Runs
		if p.Kind == store.Search {
			workflows = []string{p.Name}
			run, err := library.RunOf(ctx, s.Store, p.Name)
			if err != nil {
				return err
			}
			if run.Name != "" {
				workflows = append(workflows, run.Name)
			}
		}
		for _, w := range workflows {
			open, err := isOpen(ctx, s, w)
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
