package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"tnaml/experiments/benchmark/simulate"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// ShowCommand is the command bench show.
func ShowCommand(t *terminal.App) *cobra.Command {
	a := app{App: t}
	var o options
	var arms []string
	cmd := &cobra.Command{
		Use: "show FILE.json", Short: "Show the results of a benchmark again, without searching anew", Args: cobra.ExactArgs(1),
		Long: "Show the results that \"bench --out FILE.json\" or \"bench --json\" has written (- for standard input): all of them, or some\n" +
			"arms and tasks, compared with another arm, or in another form. Nothing is searched; the figures are computed anew.",
		Example: "  starter bench --strategies ladder --out ladder.json\n" +
			"  starter bench show ladder.json --arms kindred,tpe,random --against tpe --by-task\n" +
			"  starter bench show ladder.json --out ladder.html",
		RunE: func(cmd *cobra.Command, args []string) error { return a.again(cmd.Context(), o, args[0], arms) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&arms, "arms", nil, "arms to show (default: all)")
	f.StringSliceVar(&o.tasks, "tasks", nil, "tasks to show (default: all)")
	o.shown(f)
	f.Lookup("against").Usage = "arm that the others are compared with (default: the first of --arms, else as it was)"
	return t.JSONFlag(cmd)
}

// again shows what is stored in a file.
func (a app) again(ctx context.Context, o options, file string, arms []string) error {
	form, err := a.form(o)
	if err != nil {
		return client.Usage(err)
	}
	b, err := a.ReadInput(ctx, file)
	if err != nil {
		return err
	}
	var stored page
	if err := json.Unmarshal(b, &stored); err != nil {
		return fmt.Errorf("%s: no results of a benchmark: %w", file, err)
	}
	if stored.Result == nil {
		stored.Result = &simulate.Result{} // which Check speaks of
	}
	if err := stored.Check(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	result, err := stored.Pick(arms, o.tasks)
	if err != nil {
		return client.Usage(fmt.Errorf("%s: %w", file, err))
	}
	for _, f := range []struct{ flag, arm string }{{"against", o.against}, {"baseline", o.baseline}} {
		if f.arm != "" && !slices.ContainsFunc(result.Arms, func(a simulate.Arm) bool { return a.Name == f.arm }) {
			return client.Usage(fmt.Errorf("--%s: %q is none of the arms that are shown", f.flag, f.arm))
		}
	}
	if o.against != "" {
		result.Against = o.against
	}
	return a.show(o, form, pageOf(stored.Set, result, o.baseline))
}
