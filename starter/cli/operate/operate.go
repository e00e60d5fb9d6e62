// Package operate are the commands for whoever runs the servers.
package operate

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"tnaml/deploy"
	"tnaml/starter/cli/terminal"
	"tnaml/starter/client"
	"tnaml/starter/operate"
)

// app is the program, with what operating takes.
type app struct{ *terminal.App }

// Commands are the commands doctor, setup and config.
func Commands(t *terminal.App) []*cobra.Command {
	a := app{t}
	return []*cobra.Command{a.doctor(), a.setup(), a.config()}
}

func (a app) doctor() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look at all that a deployment needs, and say what to do", Args: cobra.NoArgs,
		Long: "Look at the configuration, the disk, the Temporal server with its namespace, the bucket and its rules, the workers, and what " +
			"searches and schedules stand still;\n" +
			"say what to do about each. It changes nothing: an object is written to the bucket and deleted, to see what the server honours.\n\n" +
			"Exit code 1 if something has failed; warnings are none.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := operate.Doctor(cmd.Context(), a.Config, a.Logger())
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if a.JSON {
				if err := a.PrintJSON(found); err != nil {
					return err
				}
			} else {
				a.show(found)
			}
			if operate.Worst(found) == operate.Failed {
				return errors.New("something does not work: see above")
			}
			return nil
		},
	}
	return a.JSONFlag(cmd)
}

// show prints findings, each with what to do under it.
func (a app) show(found []operate.Finding) {
	marks := map[operate.Level]string{operate.Fine: "ok", operate.Warning: "WARN", operate.Failed: "FAIL", operate.Skipped: "-"}
	for _, f := range found {
		a.Print("%-4s  %-18s  %s", marks[f.Level], f.What, f.Says)
		if f.Do != "" {
			a.Print("%26s→ %s", "", f.Do)
		}
	}
}

func (a app) setup() *cobra.Command {
	days := int(operate.DefaultRetention.Hours() / 24)
	cmd := &cobra.Command{
		Use: "setup", Short: "Make namespace, search attributes and bucket, where they are missing", Args: cobra.NoArgs,
		Long: "Make what a deployment needs of its servers: Temporal's namespace, its search attributes, the bucket. What is there stays as " +
			"it is, but for a namespace\n" +
			"that forgets sooner than a given --retention. Run it again at will; `starter doctor` looks at the rest.",
		Example: "  TNAML_TEMPORAL_ADDRESS=temporal:7233 TNAML_TEMPORAL_NAMESPACE=tnaml TNAML_S3_ENDPOINT=https://s3.example.com starter setup",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > 36500 {
				return client.Usage(fmt.Errorf("--retention is %d: it must lie between 1 and 36500 days", days))
			}
			retention := time.Duration(days) * 24 * time.Hour
			if !cmd.Flags().Changed("retention") {
				retention = 0
			}
			done, err := operate.Setup(cmd.Context(), a.Config, retention, a.Logger())
			if a.JSON {
				err = errors.Join(a.PrintJSON(done), err)
			} else {
				for _, s := range done {
					mark := "there"
					if s.Done {
						mark = "done"
					}
					a.Print("%-5s  %-18s  %s", mark, s.What, s.Says)
				}
			}
			return err
		},
	}
	cmd.Flags().IntVar(&days, "retention", days, "days for which the namespace remembers what has ended, at least; one that is there is\n"+
		"changed only where this is given")
	return a.JSONFlag(cmd)
}

func (a app) config() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The configuration: what is set, and where"}
	show := &cobra.Command{
		Use: "show", Short: "Show all settings, and where each is from", Args: cobra.NoArgs,
		Long: "Show all settings with where each is from: a flag, a variable of the environment, the file, or its default.\n" +
			"Secrets are never shown.",
		RunE: func(*cobra.Command, []string) error {
			all, err := a.Config.Explain()
			if a.JSON {
				return errors.Join(a.PrintJSON(all), err)
			}
			var rows [][]any
			for _, e := range all {
				rows = append(rows, []any{e.Key, e.Value, e.Origin})
			}
			a.Print("%s", a.Table([]string{"setting", "~value", "from"}, rows))
			return err
		},
	}
	// what workers alone read is shown too
	deploy.Flags(show.Flags(), "worker.")
	cmd.AddCommand(a.JSONFlag(show))
	return cmd
}
