package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"tnaml/activities/library"
	"tnaml/activities/store"
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
	return terminal.Group(cmd)
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
	return a.JSONFlag(&cobra.Command{
		Use: "list", Short: "List the experiments", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				records, err := library.Experiments(cmd.Context(), c.Store)
				if err := a.AllRead(err); err != nil {
					return err
				}
				runs := map[string][]library.RunEntry{}
				names := catalog.BuiltinNames()
				for _, r := range records {
					runs[r.Name] = r.Runs
					if r.YAML != "" && !catalog.IsBuiltin(r.Name) {
						names = append(names, r.Name)
					}
				}
				out := []experimentEntry{}
				t := terminal.NewTable(table.Row{"experiment", "runs", "last run", "for"}, "runs")
				for _, n := range names {
					entry := experimentEntry{Name: n, BuiltIn: catalog.IsBuiltin(n), Runs: runs[n]}
					if e, err := library.LoadExperiment(cmd.Context(), c.Store, n); err != nil {
						entry.Problem = err.Error()
					} else {
						entry.Description = e.Description
					}
					out = append(out, entry)
					last := ""
					if k := len(entry.Runs); k > 0 {
						last = entry.Runs[k-1].Name + " " + runStatus(cmd.Context(), c, entry.Runs[k-1])
					}
					t.AppendRow(table.Row{n, len(entry.Runs), last, terminal.Cut(entry.Description+entry.Problem, 90)})
				}
				if a.JSON {
					return a.PrintJSON(out)
				}
				a.Print("%s", t.Render())
				return nil
			})
		},
	})
}

// runStatus is a run's status; a terminated workflow's record still says that it
// runs.
func runStatus(ctx context.Context, c *client.Client, r library.RunEntry) string {
	if r.Status != "running" {
		return r.Status
	}
	return c.Status(ctx, r.Name)
}

func (a app) showCommand() *cobra.Command {
	return a.JSONFlag(&cobra.Command{
		Use: "show EXPERIMENT", Short: "Show an experiment as YAML, and its runs", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.WithClient(cmd.Context(), func(c *client.Client) error {
				yaml, err := library.ExperimentYAML(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				e, err := library.LoadExperiment(cmd.Context(), c.Store, args[0])
				if err != nil {
					return err
				}
				record, err := library.ReadExperiment(cmd.Context(), c.Store, args[0])
				if err != nil && !errors.Is(err, store.ErrNotFound) { // a built-in one that was not run has none
					return err
				}
				runs := append([]library.RunEntry{}, record.Runs...)
				if a.JSON {
					return a.PrintJSON(struct {
						*catalog.Experiment
						Runs []library.RunEntry `json:"runs"`
					}{e, runs})
				}
				a.Print("%s", strings.TrimRight(string(yaml), "\n"))
				if len(runs) == 0 {
					a.Say("\nNot run yet: `starter run %s` does.", args[0])
					return nil
				}
				t := terminal.NewTable(table.Row{"run", "kind", "status", "searches", "started"}, "searches")
				for _, r := range runs {
					t.AppendRow(table.Row{r.Name, r.Kind, runStatus(cmd.Context(), c, r), r.Searches, r.Started.Local().Format("2006-01-02 15:04")})
				}
				a.Print("\n%s", t.Render())
				return nil
			})
		},
	})
}

func (a app) addCommand() *cobra.Command {
	var overwrite bool
	cmd := &cobra.Command{
		Use: "add FILE.yaml", Short: "Store an experiment of your own",
		Long: "Store an experiment of your own. `starter experiment show nlp-small` shows what one looks like.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
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
				if a.JSON {
					return a.PrintJSON(e)
				}
				a.Print("experiment %s: run it with `starter run %s`", e.Name, e.Name)
				return nil
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
