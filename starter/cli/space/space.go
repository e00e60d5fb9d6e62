package space

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
	"tnaml/experiments/space"
	"tnaml/experiments/trainer"
	"tnaml/nn/child"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// wideTower says what the wide tower of a space's text models sees and where it
// starts.
func wideTower(settings trainer.BuiltinSettings) string {
	seen := "tokens"
	switch n := settings.WideNGrams; {
	case n == 2:
		seen = "tokens and pairs of tokens"
	case n > 2:
		seen = fmt.Sprintf("tokens and n-grams of up to %d tokens", n)
	}
	start := cmp.Or(settings.WideStart, child.DefaultWideStart)
	if start < 0 {
		return fmt.Sprintf("The wide tower of a text model sees %s (wide_ngrams) and starts from zero (wide_start).", seen)
	}
	return fmt.Sprintf("The wide tower of a text model sees %s (wide_ngrams) and starts from %v of naive Bayes' weights (wide_start).", seen,
		start)
}

// trainerLine says who trains a space's models, and what they are compared by.
func trainerLine(sp *space.Space) string {
	d := trainer.Find(sp.TrainerName())
	filled := trainer.FillObjective(d, sp.Objective)
	line := fmt.Sprintf("Models are trained by %s; the objective is %s, to %s.", d.Name(), filled.Metric, filled.Direction)
	if builtin, ok := d.(trainer.Builtin); ok {
		if settings, err := builtin.Settings(sp); err == nil {
			if sp.Choice(trainer.WideFeatures) == nil {
				line += "\n" + wideTower(settings)
			}
			if settings.Reshuffle {
				line += "\nEach trial draws a validation split of its own from the training and validation examples (reshuffle)."
			}
		}
	}
	return line
}

// app is the program, with the commands of spaces.
type app struct{ *terminal.App }

// Command is the command space.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "space", Short: "Search spaces: the choices and their options"}
	var overwrite bool
	add := &cobra.Command{
		Use: "add FILE.yaml", Short: "Store a search space of your own", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := terminal.ReadSpec(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			sp, err := trainer.Load(b)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := client.CheckName("space", sp.Name); err != nil {
				return err
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				if err := library.PublishSpace(cmd.Context(), c.Store, sp, overwrite); err != nil {
					return err
				}
				a.Print("space %s: %s", sp.Name, sp.Digest())
				return nil
			})
		},
	}
	add.Flags().BoolVar(&overwrite, "overwrite", false, "give the name to this space even if it has another")
	cmd.AddCommand(add, a.listCommand(), a.showCommand(), names.RemoveCommand(a.App, names.Space))
	return cmd
}

// spaceEntry is a search space in a list.
type spaceEntry struct {
	Name    string `json:"name"`
	BuiltIn bool   `json:"built_in"`
}

func (a app) listCommand() *cobra.Command {
	return (&terminal.Listing[spaceEntry]{
		Short: "List the search spaces", Columns: []string{"space"},
		Row: func(e spaceEntry) []any {
			if e.BuiltIn {
				e.Name += " (built in)"
			}
			return []any{e.Name}
		},
		Read: func(ctx context.Context, c *client.Client) ([]spaceEntry, error) {
			entries, err := c.Store.Names(ctx, store.Space, "")
			if err != nil {
				return nil, err
			}
			var out []spaceEntry
			for _, name := range space.BuiltinNames() {
				out = append(out, spaceEntry{name, true})
			}
			for _, e := range entries {
				out = append(out, spaceEntry{e.Name, false})
			}
			return out, nil
		},
	}).Command(a.App)
}

func (a app) showCommand() *cobra.Command {
	return terminal.Shown[*space.Space]{
		Use: "show SPACE", Short: "Show a search space",
		Read: func(ctx context.Context, c *client.Client, name string) (*space.Space, error) {
			return library.LoadSpace(ctx, c.Store, name)
		},
		Print: func(sp *space.Space) {
			var rows [][]any
			for _, c := range sp.Choices {
				rows = append(rows, []any{c.Name, strings.Trim(fmt.Sprint(c.Options), "[]")})
			}
			a.Print("%s\n\n%s\n", terminal.Wrap(sp.Name+": "+sp.Description, a.Columns(), ""), a.Table([]string{"choice", "options"}, rows))
			for _, line := range strings.Split(trainerLine(sp), "\n") {
				a.Print("%s", terminal.Wrap(line, a.Columns(), ""))
			}
		},
	}.Command(a.App)
}
