package data

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/data/kinds"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with the commands of this package.
type app struct{ *terminal.App }

// Command is the command data.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "data", Short: "Import tasks, look at them, remove them"}
	cmd.AddCommand(a.importCommand(), a.pullCommand(), a.listCommand(), a.showCommand(), names.RemoveCommand(a.App, names.Task))
	return terminal.Group(cmd)
}

func (a app) listCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "list", Short: "List the tasks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				records, err := library.Datasets(cmd.Context(), c.Store)
				if err := a.AllRead(err); err != nil {
					return err
				}
				if a.JSON {
					out := map[string]library.DatasetRecord{}
					for _, r := range records {
						out[r.Name] = r
					}
					return a.PrintJSON(out)
				}
				if len(records) == 0 {
					a.Say("There are no tasks yet: import one with `starter data import`, or run `starter demo`.")
					return nil
				}
				t := terminal.NewTable(table.Row{"task", "kind", "examples", "classes", "to beat", "size", "source"}, "examples", "classes",
					"to beat", "size")
				longest := 4
				for _, r := range records {
					longest = max(longest, len(r.Name))
				}
				for _, r := range records {
					kind, classes, toBeat := kinds.Of(&r.Card), "", ""
					if n := len(r.Card.Classes); n > 0 {
						classes, toBeat = fmt.Sprint(n), terminal.Percent(r.Card.MajorityAccuracy)
					}
					t.AppendRow(table.Row{r.Name, kind.Kind, humanize.Comma(int64(r.Card.Examples)), classes, toBeat, kind.Size(&r.Card),
						terminal.Cut(r.Card.Options.Source, max(10, a.Columns()-longest-60))})
				}
				a.Print("%s", t.Render())
				return nil
			})
		},
	})
}

func (a app) showCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "show TASK", Short: "Show a task's card", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				record, err := library.Dataset(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				if a.JSON {
					return a.PrintJSON(record)
				}
				a.Print("%s", card(args[0], record.Card, a.Columns()))
				return nil
			})
		},
	})
}
