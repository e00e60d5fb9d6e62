package data

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/data/kinds"
	"tnaml/experiments/yardstick"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with the commands of this package.
type app struct{ *terminal.App }

// Command is the command data.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "data", Aliases: []string{"task"}, Short: "Import or add tasks, look at them, remove them"}
	cmd.AddCommand(a.importCommand(), a.addCommand(), a.pullCommand(), a.listCommand(), a.showCommand(),
		names.RemoveCommand(a.App, names.Task))
	return cmd
}

func (a app) listCommand() *cobra.Command {
	return (&terminal.Listing[library.DatasetRecord]{
		Short:   "List the tasks",
		Empty:   "There are no tasks yet: import one with `starter data import`, or run `starter demo`.",
		Columns: []string{"task", "kind", ">examples", ">classes", ">to beat", ">size", "~source"},
		Row: func(r library.DatasetRecord) []any {
			kind, classes, toBeat := kinds.Of(&r.Card), "", ""
			if n := len(r.Card.Classes); n > 0 {
				classes, toBeat = fmt.Sprint(n), terminal.Percent(r.Card.MajorityAccuracy)
			}
			examples := humanize.Comma(int64(r.Card.Examples))
			if r.Card.External != nil {
				examples = ""
			}
			return []any{r.Name, kind.Kind, examples, classes, toBeat, kind.Size(&r.Card), r.Card.Options.Source}
		},
		Read: func(ctx context.Context, c *client.Client) ([]library.DatasetRecord, error) {
			return library.Datasets(ctx, c.Store)
		},
	}).Command(a.App)
}

// shown is a task's card, with what its searches are to beat.
type shown struct {
	library.DatasetRecord
	Yardsticks []yardstick.Result `json:"yardsticks,omitempty"`
}

func (a app) showCommand() *cobra.Command {
	return terminal.Shown[shown]{
		Use: "show TASK", Short: "Show a task's card",
		Read: func(ctx context.Context, c *client.Client, name string) (r shown, err error) {
			if r.DatasetRecord, err = library.Dataset(ctx, c.Store, name); err == nil {
				r.Yardsticks, err = library.Yardsticks(ctx, c.Store, r.Ref)
			}
			return r, err
		},
		Print: func(r shown) { a.Print("%s", card(r.Name, r.Card, r.Yardsticks, a.Columns())) },
	}.Command(a.App)
}
