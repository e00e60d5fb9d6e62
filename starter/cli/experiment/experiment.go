package experiment

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/experiments/catalog"
	"tnaml/starter/cli/follow"
	"tnaml/starter/cli/names"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
)

// app is the program, with the commands of experiments.
type app struct{ *terminal.App }

// RunCommand runs an experiment.
func RunCommand(t *terminal.App) *cobra.Command { return app{t}.runCommand() }

// Command is the command experiment.
func Command(t *terminal.App) *cobra.Command {
	a := app{t}
	cmd := &cobra.Command{Use: "experiment", Short: "Named experiments: what they run, and what their runs found"}
	cmd.AddCommand(a.listCommand(), a.showCommand(), a.addCommand(), a.resultsCommand(),
		names.RemoveCommand(a.App, names.Experiment))
	return cmd
}

// experimentEntry is an experiment in a list.
type experimentEntry struct {
	Name        string             `json:"name"`
	BuiltIn     bool               `json:"built_in"`
	Description string             `json:"description"`
	Runs        []library.RunEntry `json:"runs"`
	// Problem says why it cannot be read.
	Problem string `json:"problem,omitempty"`
}

func (a app) listCommand() *cobra.Command {
	return (&terminal.Listing[experimentEntry]{
		Short: "List the experiments", Columns: []string{"experiment", ">runs", "last run", "~for"},
		Row: func(e experimentEntry) []any {
			last := ""
			if k := len(e.Runs); k > 0 {
				last = e.Runs[k-1].Name + " " + e.Runs[k-1].Status
			}
			return []any{e.Name, len(e.Runs), last, e.Description + e.Problem}
		},
		Read: readExperiments,
	}).Command(a.App)
}

func readExperiments(ctx context.Context, c *client.Client) ([]experimentEntry, error) {
	records, unread := library.Experiments(ctx, c.Store)
	runs := map[string][]library.RunEntry{}
	names := catalog.BuiltinNames()
	for _, r := range records {
		if runs[r.Name] = r.Runs; r.YAML != "" && !catalog.IsBuiltin(r.Name) {
			names = append(names, r.Name)
		}
	}
	var out []experimentEntry
	for _, n := range names {
		entry := experimentEntry{Name: n, BuiltIn: catalog.IsBuiltin(n), Runs: append([]library.RunEntry{}, runs[n]...)}
		if k := len(entry.Runs); k > 0 && entry.Runs[k-1].Status == "running" { // a terminated workflow's record still says so
			entry.Runs[k-1].Status = c.Status(ctx, entry.Runs[k-1].Name)
		}
		if e, err := library.LoadExperiment(ctx, c.Store, n); err != nil {
			entry.Problem = err.Error()
		} else {
			entry.Description = e.Description
		}
		out = append(out, entry)
	}
	return out, unread
}

// shownExperiment is an experiment with its runs.
type shownExperiment struct {
	*catalog.Experiment
	Runs []*client.Entry `json:"runs"`
	yaml []byte
}

func (a app) showCommand() *cobra.Command {
	return terminal.Shown[shownExperiment]{
		Use: "show EXPERIMENT", Short: "Show an experiment as YAML, and its runs",
		Read: func(ctx context.Context, c *client.Client, name string) (e shownExperiment, err error) {
			if e.yaml, err = library.ExperimentYAML(ctx, c.Store, name); err != nil {
				return e, err
			}
			if e.Experiment, err = library.LoadExperiment(ctx, c.Store, name); err != nil {
				return e, err
			}
			e.Runs, err = c.Runs(ctx, name)
			return e, a.AllRead(err)
		},
		Print: func(e shownExperiment) {
			a.Print("%s", strings.TrimRight(string(e.yaml), "\n"))
			if len(e.Runs) == 0 {
				a.Say("\nNot run yet: `starter run %s` does.", e.Name)
				return
			}
			var rows [][]any
			for _, r := range e.Runs {
				rows = append(rows, []any{r.Name, r.Kind, r.Status, r.Searches, r.Reason, terminal.When(r.Started)})
			}
			a.Print("\n%s", a.Table([]string{"run", "kind", "status", ">searches", "~reason", "~started"}, rows))
		},
	}.Command(a.App)
}

func (a app) addCommand() *cobra.Command {
	var overwrite bool
	cmd := &cobra.Command{
		Use: "add FILE.yaml", Short: "Store an experiment of your own",
		Long: "Store an experiment of your own. `starter experiment show nlp-small` shows what one looks like.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := terminal.ReadSpec(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if _, err := catalog.Parse(b); err != nil { // before any server is asked
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				e, err := library.PublishExperiment(cmd.Context(), c.Store, b, overwrite)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				return a.Answer(e, "experiment %s: run it with `starter run %s`", e.Name, e.Name)
			})
		},
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "give the name to this experiment even if another has it")
	return a.JSONFlag(cmd)
}

func (a app) resultsCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "results EXPERIMENT [RUN...]", Short: "Compare the arms of an experiment, over all its runs or some",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				st, err := library.ReadStudy(cmd.Context(), c.Store, args[0], args[1:]...)
				if err != nil {
					return err
				}
				if len(st.Runs) == 0 {
					return fmt.Errorf("experiment %q has not been run: `starter run %s` does", args[0], args[0])
				}
				if a.JSON {
					return a.PrintJSON(st)
				}
				text := follow.StudyTables(st)
				if text == "" {
					a.Say("No search of the targets has ended yet.")
					return nil
				}
				a.Print("%s", text)
				return nil
			})
		},
	})
}
