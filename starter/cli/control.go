package cli

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"tnaml/deploy"
	"tnaml/workflows"
)

// answerText is the answer to an update: a search's progress, or that of a whole
// experiment's run, which has a kind.
func answerText(answer json.RawMessage) (string, error) {
	var run struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(answer, &run); err != nil {
		return "", err
	}
	if run.Kind != "" {
		var p workflows.ExperimentProgress
		err := json.Unmarshal(answer, &p)
		return runText(p, p.Told), err
	}
	var p workflows.Progress
	err := json.Unmarshal(answer, &p)
	return progressText(p), err
}

// controlCommands are the updates of a running search or experiment.
func (a *app) controlCommands() []*cobra.Command {
	command := func(use, short string, args cobra.PositionalArgs, values func(args []string) ([]any, error)) *cobra.Command {
		return a.jsonFlag(&cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			v, err := values(args)
			if err != nil {
				return err
			}
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				handle, err := s.Client.UpdateWorkflow(cmd.Context(), client.UpdateWorkflowOptions{
					WorkflowID: args[0], UpdateName: cmd.Name(), Args: v, WaitForStage: client.WorkflowUpdateStageCompleted,
				})
				if err != nil {
					return fmt.Errorf("search %s: %w", args[0], err)
				}
				var answer json.RawMessage
				if err := handle.Get(cmd.Context(), &answer); err != nil {
					return fmt.Errorf("search %s: %w", args[0], err)
				}
				if a.json {
					return a.printJSON(answer)
				}
				line, err := answerText(answer)
				if err != nil {
					return fmt.Errorf("search %s: its answer: %w", args[0], err)
				}
				a.print("%s", line)
				return nil
			})
		}})
	}
	none := func([]string) ([]any, error) { return nil, nil }
	return []*cobra.Command{
		command(workflows.Pause+" SEARCH [REASON]", "Start no more trials until resumed", cobra.RangeArgs(1, 2), func(args []string) ([]any, error) {
			reason := ""
			if len(args) > 1 {
				reason = args[1]
			}
			return []any{reason}, nil
		}),
		command(workflows.Resume+" SEARCH", "Go on after a pause", cobra.ExactArgs(1), none),
		command(workflows.Stop+" SEARCH", "Finish a search, or all of an experiment, with what is there", cobra.ExactArgs(1), none),
		command(workflows.Extend+" SEARCH TRIALS", "Add trials to a search's budget", cobra.ExactArgs(2), func(args []string) ([]any, error) {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 1 {
				return nil, usageError{fmt.Errorf("extend by %q: give a number of trials, at least 1", args[1])}
			}
			return []any{n}, nil
		}),
	}
}
