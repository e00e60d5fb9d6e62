package search

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"tnaml/starter/cli/follow"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// change asks a search, or a run of an experiment, for a change.
type change func(c *client.Client, ctx context.Context, name string) (client.Progress, error)

// controlCommands steer a running search, or a run of an experiment.
func (a app) controlCommands() []*cobra.Command {
	command := func(use, short string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
		return a.JSONFlag(&cobra.Command{Use: use, Short: short, Args: cobra.MinimumNArgs(1), RunE: run})
	}
	several := func(verb, short string, do change) *cobra.Command {
		return command(verb+" SEARCH...", short, func(cmd *cobra.Command, args []string) error { return a.control(cmd, args, do) })
	}
	var more workflows.Extension
	extend := command(workflows.Extend+" SEARCH [TRIALS]", "Add to a search's budget: trials, or what a flag names",
		func(cmd *cobra.Command, args []string) error {
			return a.control(cmd, args[:1], func(c *client.Client, ctx context.Context, name string) (client.Progress, error) {
				return c.Extend(ctx, name, more)
			})
		})
	goals := newGoals(extend, &more.Budget)
	extend.Args = cobra.RangeArgs(1, 2)
	extend.PreRunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 2 {
			n, err := strconv.Atoi(args[1])
			if more.Trials = n; err != nil || n < 1 {
				return client.Usage(fmt.Errorf("extend by %q: give a number of trials, at least 1", args[1]))
			}
		}
		if err := goals.check(); err != nil {
			return client.Usage(err)
		}
		if more == (workflows.Extension{}) {
			return client.Usage(errors.New("extend by what? Give a number of trials, or a flag, e.g. --steps 10000"))
		}
		return nil
	}
	var reason string
	pause := several(workflows.Pause, "Start no more trials until resumed",
		func(c *client.Client, ctx context.Context, name string) (client.Progress, error) {
			return c.Pause(ctx, name, reason)
		})
	pause.Long = "Have searches, or runs of experiments, start no more trials until they are resumed. Trials that are being trained end first."
	pause.Flags().StringVar(&reason, "reason", "", "why, which is shown until it is resumed")
	return []*cobra.Command{
		pause,
		several(workflows.Resume, "Go on after a pause", (*client.Client).Resume),
		several(workflows.Stop, "Finish searches, or all of runs of experiments, with what is there", (*client.Client).Stop),
		extend,
	}
}

// control asks for a change, one name after another, and says what each answers: in JSON an
// object each. Where one of several names is wrong nothing is asked of the others; one that
// fails then keeps none of them from it.
func (a app) control(cmd *cobra.Command, names []string, do change) error {
	ctx := cmd.Context()
	return a.WithClient(ctx, func(c *client.Client) error {
		var errs []error
		if len(names) > 1 { // the change itself looks for one
			for _, name := range names {
				_, err := c.KindOf(ctx, name)
				errs = append(errs, err)
			}
			if err := errors.Join(errs...); err != nil {
				return err
			}
		}
		for _, name := range names {
			p, err := do(c, ctx, name)
			if err == nil {
				err = a.changed(cmd, name, p)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// changed says what a change was answered with.
func (a app) changed(cmd *cobra.Command, name string, p client.Progress) error {
	if p.State == client.Silent {
		return a.Answer(map[string]string{"name": name, "status": "asked to " + cmd.Name()},
			"%s: asked to %s, which takes effect when a worker comes: none answers now (`starter up`, or the worker program)",
			name, cmd.Name())
	}
	return a.Answer(p.Answer(), "%s", follow.Text(p))
}
