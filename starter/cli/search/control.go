package search

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"tnaml/starter/cli/follow"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// change asks a search, or a run of an experiment, for a change.
type change func(cmd *cobra.Command, c *client.Client, name string) (client.Progress, error)

// controlCommands steer a running search, or a run of an experiment.
func (a app) controlCommands() []*cobra.Command {
	command := func(use, short string, args cobra.PositionalArgs, do change) *cobra.Command {
		return a.JSONFlag(&cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error { return a.control(cmd, c, args[:1], do) })
		}})
	}
	// Where a name is wrong nothing is asked of the others.
	several := func(verb, short string, do change) *cobra.Command {
		cmd := command(verb+" SEARCH...", short, cobra.MinimumNArgs(1), do)
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				var wrong []error
				for _, name := range args {
					if _, err := c.KindOf(cmd.Context(), name); err != nil {
						wrong = append(wrong, err)
					}
				}
				if err := errors.Join(wrong...); err != nil {
					return err
				}
				return a.control(cmd, c, args, do)
			})
		}
		return cmd
	}
	var more workflows.Extension
	extend := command(workflows.Extend+" SEARCH [TRIALS]", "Add to a search's budget: trials, or what a flag names", nil,
		func(cmd *cobra.Command, c *client.Client, name string) (client.Progress, error) {
			return c.Extend(cmd.Context(), name, more)
		})
	goals := newGoals(extend, &more.Budget)
	extend.Args = func(cmd *cobra.Command, args []string) error {
		if err := cobra.RangeArgs(1, 2)(cmd, args); err != nil {
			return err
		}
		if len(args) == 2 {
			n, err := strconv.Atoi(args[1])
			if more.Trials = n; err != nil || n < 1 {
				return fmt.Errorf("extend by %q: give a number of trials, at least 1", args[1])
			}
		}
		if err := goals.check(); err != nil {
			return err
		}
		if more == (workflows.Extension{}) {
			return errors.New("extend by what? Give a number of trials, or a flag, e.g. --steps 10000")
		}
		return nil
	}
	var reason string
	pause := several(workflows.Pause, "Start no more trials until resumed",
		func(cmd *cobra.Command, c *client.Client, name string) (client.Progress, error) {
			return c.Pause(cmd.Context(), name, reason)
		})
	pause.Long = "Have searches, or runs of experiments, start no more trials until they are resumed. Trials that are being trained end first."
	pause.Flags().StringVar(&reason, "reason", "", "why, which is shown until it is resumed")
	return []*cobra.Command{
		pause,
		several(workflows.Resume, "Go on after a pause",
			func(cmd *cobra.Command, c *client.Client, name string) (client.Progress, error) {
				return c.Resume(cmd.Context(), name)
			}),
		several(workflows.Stop, "Finish searches, or all of runs of experiments, with what is there",
			func(cmd *cobra.Command, c *client.Client, name string) (client.Progress, error) {
				return c.Stop(cmd.Context(), name)
			}),
		extend,
	}
}

// control asks for a change, one name after another, and says what each answers: in JSON an
// object each. One that fails keeps none of the others from it.
func (a app) control(cmd *cobra.Command, c *client.Client, names []string, do change) error {
	var errs []error
	for _, name := range names {
		p, err := do(cmd, c, name)
		switch {
		case err != nil:
		case p.State == client.Silent:
			err = a.Answer(map[string]string{"name": name, "status": "asked to " + cmd.Name()},
				"%s: asked to %s, which takes effect when a worker comes: none answers now (`starter up`, or the worker program)",
				name, cmd.Name())
		default:
			err = a.Answer(p.Answer(), "%s", follow.Text(p))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
