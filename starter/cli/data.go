package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/deploy"
)

func (a *app) dataCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Import tasks, look at them, remove them"}
	cmd.AddCommand(a.dataImportCommand(), a.dataPullCommand(), a.dataListCommand(), a.dataShowCommand(), a.removeCommand(removeTask))
	return group(cmd)
}

// group makes a command that only holds others say which, and fail.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		what := "needs one of"
		if len(args) > 0 {
			what = fmt.Sprintf("has no command %q; there are", args[0])
		}
		return usageError{fmt.Errorf("%s %s: %s", cmd.CommandPath(), what, strings.Join(names, ", "))}
	}
	return cmd
}

// usageError is the command line's own fault, found only while it runs.
type usageError struct{ error }

// nameForm is what a name may look like, so that it can stand in a command
// line, a workflow ID and a file name.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func checkName(what, name string) error {
	if !nameForm.MatchString(name) {
		return usageError{fmt.Errorf("%s name %q: give letters, digits, points, dashes and underscores, at most 100", what, name)}
	}
	return nil
}

func (a *app) dataListCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the tasks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				records, err := library.Datasets(cmd.Context(), s.Store)
				if err := a.allRead(err); err != nil {
					return err
				}
				if a.json {
					out := map[string]library.DatasetRecord{}
					for _, r := range records {
						out[r.Name()] = r
					}
					return a.printJSON(out)
				}
				if len(records) == 0 {
					a.say("There are no tasks yet: import one with `starter data import`, or run `starter demo`.")
					return nil
				}
				t := newTable(table.Row{"task", "kind", "examples", "classes", "to beat", "size", "source"}, "examples", "classes", "to beat", "size")
				longest := 4
				for _, r := range records {
					longest = max(longest, len(r.Name()))
				}
				for _, r := range records {
					size := fmt.Sprintf("%.0f tokens", r.Card.MeanTokens)
					if m := r.Card.Image; m != nil {
						size = fmt.Sprintf("%d×%d×%d", m.Height, m.Width, m.Channels)
					}
					t.AppendRow(table.Row{r.Name(), r.Card.Kind(), humanize.Comma(int64(r.Card.Examples)), len(r.Card.Classes), percent(r.Card.MajorityAccuracy), size,
						cut(r.Card.Options.Source, max(10, a.columns()-longest-60))})
				}
				a.print("%s", t.Render())
				return nil
			})
		},
	})
}

func (a *app) dataShowCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "show TASK", Short: "Show a task's card", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withServers(cmd.Context(), func(s *deploy.Servers) error {
				record, err := library.Dataset(cmd.Context(), s.Store, args[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(record)
				}
				a.print("%s", card(args[0], record.Card, a.columns()))
				return nil
			})
		},
	})
}
