package experiment

import (
	"github.com/spf13/cobra"

	"tnaml/experiments/catalog"
	"tnaml/starter/cli/follow"
	"tnaml/starter/cli/samples"
	"tnaml/starter/cli/spec"
	"tnaml/starter/client"
)

func (a app) runCommand() *cobra.Command {
	var run spec.Run
	var name string
	var detach bool
	cmd := &cobra.Command{
		Use:   "run EXPERIMENT",
		Short: "Run an experiment and follow it: pretraining, the targets in every arm, comparisons",
		Long: "Run a named experiment (see `starter experiment list`) and follow it: controllers are pretrained and published, the targets\n" +
			"are searched in every arm with every seed, and the arms are compared. Ctrl-C only stops following.\n\n" +
			"Flags replace the experiment's own values. Trials that an earlier run had come from the trial cache, and all runs of an\n" +
			"experiment are siblings in its results and its report.",
		Example: "  starter run nlp-small\n" +
			"  starter run nlp-small --seeds 7,8,9 --trials 200 --detach\n" +
			"  starter run nlp-small --kind transfer --controller nlp-small@2 --tasks customer_reviews\n" +
			"  starter run nlp-small --arms transfer,no-task-embedding",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := spec.Kind(run.Kind)
			if err != nil {
				return err
			}
			raw, err := run.Spec(cmd, args[0])
			if err != nil {
				return err
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := samples.Ensure(cmd.Context(), a.App, c, kind, args[0], raw, ""); err != nil {
					return err
				}
				name, err := c.StartRun(cmd.Context(), kind, name, args[0], raw)
				if err != nil {
					return err
				}
				if detach {
					return follow.Started(a.App, c, name)
				}
				return follow.Follow(cmd.Context(), a.App, c, client.Run, name)
			})
		},
	}
	run.Flags(cmd, catalog.KindExperiment)
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "the run's name (default: EXPERIMENT-N)")
	f.BoolVar(&detach, "detach", false, "do not follow")
	return a.JSONFlag(cmd)
}
