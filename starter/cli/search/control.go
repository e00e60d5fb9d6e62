package search

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/starter/cli/follow"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// controlCommands steer a running search, or a run of an experiment.
func (a app) controlCommands() []*cobra.Command {
	command := func(use, short string, args cobra.PositionalArgs,
		do func(cmd *cobra.Command, c *client.Client, args []string) (client.Progress, error)) *cobra.Command {
		return a.JSONFlag(&cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				p, err := do(cmd, c, args)
				switch {
				case err != nil:
					return err
				case p.State == client.Silent:
					return a.Answer(map[string]string{"name": args[0], "status": "asked to " + cmd.Name()},
						"%s: asked to %s, which takes effect when a worker comes: none answers now (`starter up`, or the worker program)",
						args[0], cmd.Name())
				}
				return a.Answer(p.Answer(), "%s", follow.Text(p))
			})
		}})
	}
	var more workflows.Extension
	extend := command(workflows.Extend+" SEARCH [TRIALS]", "Add to a search's budget: trials, or what a flag names", nil,
		func(cmd *cobra.Command, c *client.Client, args []string) (client.Progress, error) {
			return c.Extend(cmd.Context(), args[0], more)
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
	return []*cobra.Command{
		command(workflows.Pause+" SEARCH [REASON]", "Start no more trials until resumed", cobra.RangeArgs(1, 2),
			func(cmd *cobra.Command, c *client.Client, args []string) (client.Progress, error) {
				return c.Pause(cmd.Context(), args[0], strings.Join(args[1:], " "))
			}),
		command(workflows.Resume+" SEARCH", "Go on after a pause", cobra.ExactArgs(1),
			func(cmd *cobra.Command, c *client.Client, args []string) (client.Progress, error) {
				return c.Resume(cmd.Context(), args[0])
			}),
		command(workflows.Stop+" SEARCH", "Finish a search, or all of an experiment, with what is there", cobra.ExactArgs(1),
			func(cmd *cobra.Command, c *client.Client, args []string) (client.Progress, error) {
				return c.Stop(cmd.Context(), args[0])
			}),
		extend,
	}
}
