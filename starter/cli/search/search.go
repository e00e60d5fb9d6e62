package search

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/experiments/search/strategy"
	"tnaml/starter/cli/follow"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/spec"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/workflows"
)

// app is the program, with the commands of searches.
type app struct{ *terminal.App }

// Commands are those of searches: they start, follow, steer, list, show and use them.
func Commands(t *terminal.App) []*cobra.Command {
	a := app{t}
	return append([]*cobra.Command{
		a.searchCommand(), a.askCommand(), a.tellCommand(), a.watchCommand(), a.listCommand(), a.trialsCommand(), a.bestCommand(),
		a.modelCommand(), a.predictCommand(), a.reportCommand(), names.RemoveCommand(t, names.Search),
	}, a.controlCommands()...)
}

func (a app) searchCommand() *cobra.Command {
	want := workflows.DefaultSearchSpec()
	var name, settings, prune string
	var goals *goals
	var detach bool
	trials := budget{n: want.Trials}
	cmd := &cobra.Command{
		Use:   "search --task TASK",
		Short: "Start a search and follow it",
		Long: "Start a search and follow it. It runs on the workers there are; Ctrl-C only stops following.\n\n" +
			"With more than one task, each trial's task is drawn at random and one controller learns for all.\n\n" +
			"With --from, the search goes on from one that has ended, and begins with its trials: to have 50 more is then to have\n" +
			"given the other one 50 more. It may have other --settings from there on, if what was learned fits them.\n\n" +
			"A search ends with its trials, or earlier, with whatever comes first of --failed, --steps, --cpu-hours, --hours and --goal;\n" +
			"these, too, count the trials of the search that it goes on from, and are not that one's.",
		Example: "  starter search --task sms_spam --trials 200\n" +
			"  starter search --task sms_spam --strategy random --seed 2 --detach\n" +
			"  starter search --from sms_spam-naml-s1-1 --trials +50\n" +
			`  starter search --task a --task b --settings '{"policy_gradient":{"learning_rate":0.0001}}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if want.Settings, err = spec.Settings(cmd.Context(), settings); err != nil {
				return fmt.Errorf("--settings: %w", err)
			}
			if !cmd.Flags().Changed("strategy") {
				want.Strategy = workflows.DefaultStrategy(want.Sources)
			}
			want.Trials = trials.n
			if want.Pruner, err = prunerOf(prune); err != nil {
				return client.Usage(err)
			}
			if err := goals.check(); err != nil {
				return client.Usage(err)
			}
			if err := checkBudget(want, trials); err != nil {
				return client.Usage(err)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				var started string
				if want.From != "" {
					more := 0
					if trials.more {
						more = trials.n
					}
					started, err = c.GoOn(cmd.Context(), name, want.From, given(cmd, want, goals), more)
				} else {
					started, err = c.StartSearch(cmd.Context(), name, want)
				}
				if err != nil {
					return err
				}
				if detach {
					return follow.Started(a.App, c, started)
				}
				return follow.Follow(cmd.Context(), a.App, c, client.Search, started)
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&want.Tasks, "task", nil, "task to search, as imported; may be repeated")
	f.StringVar(&want.Strategy, "strategy", want.Strategy, strings.Join(strategy.Builtin().Names(), ", ")+"; with --sources the default\n"+
		"is "+strategy.Kindred)
	f.Var(&trials, "trials", "budget: the `number` of trials; with --from, +N is for N more than the other search has")
	goals = newGoals(cmd, &want.Budget)
	f.StringVar(&prune, "pruner", "", pruners()+", or JSON with a name and settings: ends trials early that fall behind; part of the result")
	f.StringVar(&want.From, "from", "", "`SEARCH` that has ended, to go on from")
	f.Uint64Var(&want.Seed, "seed", want.Seed, "decides every random draw")
	f.StringVar(&want.Space, "space", want.Space, "`NAME` of the search space, see starter space list (default: the controller's, else "+
		"text or image, as the tasks are)")
	f.IntVar(&want.Lag, "lag", want.Lag, "a proposal knows the results up to so many trials before; part of the result")
	f.IntVar(&want.Parallel, "parallel", 0, "trials in flight, at most the lag (default: the lag); never changes the result")
	f.StringVar(&name, "name", "", "the search's name (default: task-strategy-sSEED-N)")
	f.StringVar(&want.Experiment, "experiment", "", "label to list and compare searches by")
	f.StringVar(&settings, "settings", "", "the strategy's parameters as JSON, the name of a preset, or @FILE")
	f.StringVar(&want.Controller, "controller", "", "pretrained controller to start from: `NAME` or NAME@VERSION (see starter "+
		"controller list)")
	f.StringSliceVar(&want.Sources, "sources", nil, "searches that have ended, whose trials of other tasks the strategy learns from, or "+
		"imported trials, also of the same")
	f.StringSliceVar(&want.Modules, "module", nil, "embedding module to choose from; may be repeated (default: the controller's, else all)")
	f.IntVar(&want.CheckpointEvery, "checkpoint-every", want.CheckpointEvery, "trials between two checkpoints")
	f.StringVar(&want.TrialTimeout, "trial-timeout", want.TrialTimeout, "time for one attempt at a trial; after three the search pauses")
	f.IntVar(&want.TrialSteps, "trial-steps", 0, "a trial's limit of training steps: one that needs more is a result (default: none)")
	f.IntVar(&want.MemoryLimitMB, "memory-limit-mb", want.MemoryLimitMB, "a trial's memory limit")
	f.IntVar(&want.KeepModels, "keep-models", want.KeepModels, "models kept of each task, those of the best trials")
	f.BoolVar(&want.Examples, "examples", false, "store which examples each trial's model has right; never changes the result")
	f.BoolVar(&want.Retrain, "retrain", false, "train every trial anew instead of asking the trial cache")
	f.BoolVar(&detach, "detach", false, "do not follow")
	terminal.Positive(cmd, "parallel", "trial-steps")
	return a.JSONFlag(cmd)
}

func (a app) watchCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "watch NAME", Short: "Follow a search, or a run of an experiment, until it ends", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				kind, err := c.KindOf(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return follow.Follow(cmd.Context(), a.App, c, kind, args[0])
			})
		},
	})
}
